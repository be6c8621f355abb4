//! When each deadline passes, computed naively from the policy and from what has happened.

use std::collections::BTreeMap;
use std::time::Duration;

use hangup::{Answer, Deadline, Input, Life, Moment, Outcome, Policy};

/// The deadlines of all connections, by the number of the connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timetable(BTreeMap<(usize, Deadline), Moment>);

impl Timetable {
    /// A life has begun, or has moved.
    pub(crate) fn moved(
        &mut self,
        connection: usize,
        life: Life,
        input: Option<Input>,
        policy: &Policy,
        now: Moment,
    ) {
        for deadline in Deadline::ALL {
            let Some(duration) = duration(policy, deadline) else { continue };
            let entry = (connection, deadline);
            if !life.deadlines().contains(deadline) {
                self.0.remove(&entry);
            } else if !self.0.contains_key(&entry) || input.is_some_and(|input| renews(input, deadline)) {
                self.0.insert(entry, later(now, duration));
            }
        }
    }

    pub(crate) fn forget(&mut self, connection: usize) {
        for deadline in Deadline::ALL {
            self.0.remove(&(connection, deadline));
        }
    }

    pub(crate) fn due(&self, connection: usize, deadline: Deadline) -> Option<Moment> {
        self.0.get(&(connection, deadline)).copied()
    }

    /// The next one of a connection.
    pub(crate) fn next_of(&self, connection: usize) -> Option<Moment> {
        Deadline::ALL.into_iter().filter_map(|deadline| self.due(connection, deadline)).min()
    }

    /// The next one of all.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.0.values().copied().min()
    }
}

/// What the documentation of [`Policy`] promises.
fn duration(policy: &Policy, deadline: Deadline) -> Option<Duration> {
    let duration = match deadline {
        Deadline::Connect => policy.connect,
        Deadline::Idle => policy.idle?,
        Deadline::Stall => policy.stall,
        Deadline::HalfClosed => policy.half_closed,
        Deadline::DrainTotal => policy.drain_total,
        Deadline::DrainIdle => policy.drain_idle,
        Deadline::DrainBudget => return None,
    };
    Some(duration.min(Policy::LONGEST))
}

/// What the documentation of [`Deadline`] promises.
fn renews(input: Input, deadline: Deadline) -> bool {
    let (received, sent) = match input {
        Input::Outcome(Outcome::Immediate(answer) | Outcome::Completed(answer, _)) => {
            (matches!(answer, Answer::Received(1..)), matches!(answer, Answer::Sent(1..)))
        }
        _ => (false, false),
    };
    match deadline {
        Deadline::Idle | Deadline::HalfClosed => received || sent,
        Deadline::Stall => sent,
        Deadline::DrainIdle => received,
        Deadline::Connect | Deadline::DrainTotal | Deadline::DrainBudget => false,
    }
}

/// In whole milliseconds, and never too early.
fn later(now: Moment, duration: Duration) -> Moment {
    let millis = u64::try_from(duration.as_nanos().div_ceil(1_000_000)).expect("24 days at most");
    Moment::from_millis(now.as_millis() + millis)
}
