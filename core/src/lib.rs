//! The life of a connection, for any event loop: one owner, one release, one cause.
//!
//! This crate does no I/O, reads no clock, logs nothing, spawns nothing and contains no `unsafe`. It is a state
//! machine ([`Life`]) and a table of them ([`Table`]). An *adapter* sits between it and an OS mechanism; unless
//! you write one, you want an adapter's crate, such as `hangup-polling`.
//!
//! # The contract
//!
//! 1. Whatever happens to a connection is an [`Input`]: a [`Hint`] of the OS, an [`Outcome`] of an operation, a
//!    [`Command`] of the application, or a deadline that has passed. Feed it to [`Table::input`], also if it looks
//!    unimportant, late or wrong. Errors that a call returns at once go in like everything else; nothing is
//!    released where an error is noticed.
//! 2. What comes back is [`Wants`]: everything that is to be done now. Do it, and feed what each call said. When
//!    nothing is wanted, wait for the OS or for [`Table::next_deadline`].
//! 3. When [`Wants::release`] is set, take the resources out with [`Table::release`]: the socket, which you close,
//!    and the [`Report`], which says why the connection ended.
//!
//! An input that does not fit is refused with a value that says what came and where the connection was; it is
//! counted, and nothing has changed. A key whose connection has been released is stale for ever.
//!
//! # What holds then
//!
//! Resources are released once, and not while the OS owes anything. The first cause is kept. A graceful close does
//! not reset. A FIN goes out behind the last byte of output. Every wait for a peer has an end. Each of these is
//! checked in every state that a connection can be in, on eleven kinds of simulated kernel, whenever this
//! repository is tested.
//!
//! # Example
//!
//! A peer that resets us, seen through a level-triggered poller:
//!
//! ```
//! use hangup::{Answer, Cause, Fault, Hint, Input, Mechanism, Moment, Outcome, Policy, Table};
//!
//! let mut table: Table<&str> = Table::new(Mechanism::Level, Policy::default());
//! let said = |answer| Input::Outcome(Outcome::Immediate(answer));
//! let now = Moment::EPOCH;
//!
//! let key = table.vacant()?.accept("the socket", now);
//! assert!(table.wants(key)?.register);
//! table.input(key, said(Answer::Registered), now)?;
//!
//! // The poller hints at a hang-up. That is no verdict: the machine wants the pending error to be asked for.
//! let wants = table.input(key, Input::Hint(Hint::HANG_UP.with(Hint::ERROR)), now)?;
//! assert!(wants.inquire && wants.deregister && wants.release.is_none());
//! table.input(key, said(Answer::PendingError(Fault::Reset)), now)?;
//! table.input(key, said(Answer::Deregistered), now)?;
//!
//! // What the OS had received before can still be read. Then it is over.
//! table.input(key, said(Answer::Received(5)), now)?;
//! let wants = table.input(key, said(Answer::EndOfStream), now)?;
//! assert!(wants.release.is_some());
//! assert_eq!(table.release(key, now)?.report.cause, Cause::PeerReset);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Several workers
//!
//! A table is for one worker, and others send it what they want. For a queue that several workers take from, such as a
//! completion port, there is `hangup::shared`, with the feature `std`.
//!
//! # Looking on
//!
//! With the feature `trace`, an observer sees every input of every connection, with the life before and after:
//! `hangup::trace`. These two features are the only things here that need more than `core` and `alloc`.
//!
//! # The states
//!
//! <details><summary>Every phase, both halves, and every way between them (drawn from the rows)</summary>
//!
#![doc = include_str!("life/diagram.svg")]
//!
//! </details>
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod accept;
mod buffer;
mod cause;
mod codes;
mod deadline;
mod fault;
mod key;
mod life;
mod log;
mod moment;
mod plan;
mod policy;
#[cfg(doctest)]
mod promises;
mod report;
#[cfg(feature = "std")]
pub mod shared;
mod table;
#[cfg(feature = "trace")]
pub mod trace;
#[cfg(not(feature = "trace"))]
#[path = "untraced.rs"]
mod trace;

pub use crate::accept::{AcceptJudge, AcceptVerdict};
pub use crate::buffer::{Buffer, Pool};
pub use crate::cause::{Blame, Cause, Certainty, Timeout, Who};
pub use crate::codes::{Os, RawCode, Space};
pub use crate::deadline::{Deadline, Deadlines};
pub use crate::fault::Fault;
pub use crate::key::{Key, TableId};
pub use crate::life::{
    Answer, Cancel, Cancels, Close, Command, Hint, Input, Inquiry, Life, Mechanism, Memory, More,
    OnPeerFinish, Operation, Outcome, Owed, Phase, ReceiveHalf, Refused, Registration, SendHalf, Slot, Wants,
};
pub use crate::log::Log;
pub use crate::moment::Moment;
pub use crate::plan::{DrainEnd, Plan};
pub use crate::policy::Policy;
pub use crate::report::{Report, Retry};
pub use crate::table::{
    Audit, InputError, LendError, OperationKey, ReleaseError, Released, Settled, Table, TableFull, Vacant,
};
