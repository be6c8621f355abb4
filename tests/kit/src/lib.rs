//! A simulated kernel with personalities, a ledger, and the exploration of everything that can happen.

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
mod kernel;
mod oracle;
pub mod peer;
mod personality;
mod record;
pub mod rows;
mod sabotage;
mod step;
mod world;

pub use crate::explore::{Exploration, Failure, explore, explore_with};
pub use crate::kernel::{Answered, Held, Kernel, Pending, Stage, place};
pub use crate::oracle::Violation;
pub use crate::personality::Personality;
pub use crate::record::Fed;
pub use crate::sabotage::Sabotage;
pub use crate::step::{Act, KernelStep, Outside, Step, Want};
pub use crate::world::{Rules, World};
