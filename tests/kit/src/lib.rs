//! A simulated kernel with personalities, the exploration of everything that can happen there, and the comparison with
//! what happened elsewhere.
//!
//! A [`World`] is one connection: its [`Life`](hangup::Life), a [`Kernel`] with the manners of a [`Personality`], the
//! network and the peer behind it, the adapter's inbox before it, and an application. [`World::choices`] lists what can
//! happen next, [`World::apply`] lets it happen.
//!
//! | what is asked | by |
//! |---|---|
//! | does every promise hold, whatever happens? | [`explore`]: all worlds, to the fixpoint |
//! | would a broken promise be noticed? | [`Sabotage`]: deliberate faults |
//! | is the simulation like the real thing? | [`Replay`]: traces of real connections, which have to be among its choices |
//!
//! A personality is data. Where an adapter tells its machine something that the simulation does not, one of the two is
//! wrong: [`Misfit`] says where, and what the simulation would have told instead. To compare an adapter of your own, let
//! [`hangup::trace`] collect what its connections are told, and hand each to [`Replay::check`].

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::missing_panics_doc,
    clippy::wildcard_enum_match_arm,
    reason = "a test harness: a surprise is a failed test"
)]

mod choices;
mod explore;
mod inbox;
mod kernel;
mod oracle;
pub mod peer;
mod personality;
mod record;
mod replay;
pub mod rows;
mod sabotage;
mod step;
mod world;

pub use crate::explore::{Exploration, Failure, explore, explore_with};
pub use crate::kernel::{Answered, Held, Kernel, Pending, Stage, place};
pub use crate::oracle::Violation;
pub use crate::personality::Personality;
pub use crate::record::Fed;
pub use crate::replay::{Misfit, Replay, Told};
pub use crate::sabotage::Sabotage;
pub use crate::step::{Act, Amount, KernelStep, Outside, Step, Want};
pub use crate::world::{Rules, World};
