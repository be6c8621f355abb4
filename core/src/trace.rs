//! The trace of a connection: every input that was taken, in order, with the life before and after.
//!
//! Needs the feature `trace`, and does nothing until somebody asks: [`observe`] gives the process one observer, which
//! is called for each [`Line`], of all connections of all tables. To see what a connection that misbehaves is told, by
//! which adapter, in which order:
//!
//! ```
//! use hangup::{Command, Input, Mechanism, Moment, Plan, Policy, Table, trace};
//!
//! trace::observe(|line| println!("{line}"))?;
//!
//! let mut table: Table<&str> = Table::new(Mechanism::Port, Policy::default());
//! let key = table.vacant()?.accept("the socket", Moment::EPOCH);
//! table.input(key, Input::Command(Command::Close(Plan::Abort)), Moment::EPOCH)?;
//! drop(table.release(key, Moment::EPOCH)?);
//! // 4000010000001 began: Port, KeepSending, Open
//! // 4000010000001 Command(Close(Abort)): phase Open > Ending, receive Open > Shut, send Idle > Shut, …
//! // 4000010000001 Outcome(Immediate(Released)): phase Ending > Released
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This is not the [log](crate::Log), which every connection has, of its last 8 happenings, one letter each.
//!
//! # What is in it
//!
//! * That a connection [began](Line::Began), and every input that was [taken](Line::Taken), also one that moved nothing,
//!   to [`Answer::Released`](crate::Answer::Released), which is the last. What follows from counts (the last byte of
//!   output was sent, the budget is used up) is an input like any other, behind the one that it follows from.
//! * Not what was refused: it changed nothing, and whoever fed it has the error.
//! * In the order in which the inputs of a connection were taken, also if several workers brought them. Lines of
//!   different connections come from their own threads, in no order.
//!
//! A connection that began before there was an observer has no beginning in the trace; and if several workers were
//! inside its table at that moment, their inputs may be missing or told one too late. So call [`observe`] first.
//!
//! # What it costs
//!
//! As long as nobody observes, a load for each input. From then on the observer's own time; and
//! [`shared::Table`](crate::shared::Table) takes the lock of the connection for every input, also for those that would
//! have done without, because that lock is what gives their lines an order.

use std::boxed::Box;
use std::sync::OnceLock;

use thiserror::Error;

use crate::{Input, Key, Life, Operation};

/// One line of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Line {
    /// A connection has begun.
    Began {
        /// Which.
        key: Key,
        /// Its life, which says how it was born: accepted or connecting, mechanism, policy.
        life: Life,
    },
    /// A connection has taken an input.
    Taken {
        /// Which.
        key: Key,
        /// The life that the input met.
        before: Life,
        /// What was fed.
        input: Input,
        /// The life that came of it.
        after: Life,
    },
}

impl Line {
    /// The connection.
    #[must_use]
    pub const fn key(&self) -> Key {
        match *self {
            Self::Began { key, .. } | Self::Taken { key, .. } => key,
        }
    }
}

/// There is an observer already. It stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the process has an observer already")]
pub struct ObservedAlready;

type Observer = Box<dyn Fn(&Line) + Send + Sync>;

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Lets `observer` see every line from now on, until the process ends.
///
/// It is called in the middle of the table's method, by the thread that called it, and by several threads at once. It
/// must not use the table that it is called from: that would wait for itself.
///
/// # Errors
///
/// [`ObservedAlready`] if somebody was first.
pub fn observe(observer: impl Fn(&Line) + Send + Sync + 'static) -> Result<(), ObservedAlready> {
    OBSERVER.set(Box::new(observer)).map_err(|_| ObservedAlready)
}

#[inline]
pub(crate) fn began(key: Key, life: Life) {
    if let Some(observer) = OBSERVER.get() {
        observer(&Line::Began { key, life });
    }
}

#[inline]
pub(crate) fn taken(key: Key, before: Life, input: Input, after: Life) {
    if let Some(observer) = OBSERVER.get() {
        observer(&Line::Taken { key, before, input, after });
    }
}

/// Whether somebody looks on.
#[inline]
pub(crate) fn is_observed() -> bool {
    OBSERVER.get().is_some()
}

impl core::fmt::Display for Line {
    /// The key, what happened, and what it changed.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Began { key, life } => {
                write!(
                    f,
                    "{key} began: {:?}, {:?}, {:?}",
                    life.mechanism(),
                    life.on_peer_finish(),
                    life.phase()
                )
            }
            Self::Taken { key, before, input, after } => {
                write!(f, "{key} {input:?}")?;
                Changes { before, after, lead: ": " }.write(f)
            }
        }
    }
}

/// What is different between two lives, component by component.
struct Changes {
    before: Life,
    after: Life,
    lead: &'static str,
}

impl Changes {
    fn write(mut self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.component(f, "phase", Life::phase)?;
        self.component(f, "receive", Life::receive_half)?;
        self.component(f, "send", Life::send_half)?;
        self.component(f, "plan", Life::plan)?;
        self.component(f, "cause", Life::cause)?;
        self.component(f, "certainty", Life::certainty)?;
        self.component(f, "drain end", Life::drain_end)?;
        self.component(f, "registration", Life::registration)?;
        self.component(f, "inquiry", Life::inquiry)?;
        self.component(f, "memory", Life::memory)?;
        for operation in Operation::WITH_SLOT {
            self.component(f, "in flight", |life| (operation, life.slot(operation)))?;
        }
        Ok(())
    }

    fn component<T: PartialEq + core::fmt::Debug>(
        &mut self,
        f: &mut core::fmt::Formatter<'_>,
        name: &str,
        component: impl Fn(Life) -> T,
    ) -> core::fmt::Result {
        let (before, after) = (component(self.before), component(self.after));
        if before == after {
            return Ok(());
        }
        write!(f, "{}{name} {before:?} > {after:?}", core::mem::replace(&mut self.lead, ", "))
    }
}
