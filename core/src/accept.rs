//! What to do when an accept fails: never close the listener for what one connection did, never spin.

use core::time::Duration;

use crate::{Fault, Moment};

/// What to do about a listener after an accept that gave no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum AcceptVerdict {
    /// Nobody is waiting. Accept again when the listener is reported readable.
    Wait,
    /// It was one connection's trouble, and it is gone. Accept again at once.
    RetryNow,
    /// This host is short of something. Stop watching the listener until then, and accept again.
    BackOffUntil(Moment),
    /// No descriptor is left. Give one up (an idle connection, or one held in reserve) and accept again; if
    /// there is none to give up, stop watching the listener until then.
    ShedOne(Moment),
    /// The listener itself is broken: it will never accept again.
    Fatal,
}

/// The judge of one listener's failures. Small, without a clock, and finite: all it remembers is how many
/// accepts in a row have failed.
///
/// ```
/// use hangup::{AcceptJudge, AcceptVerdict, Fault, Moment};
///
/// let mut judge = AcceptJudge::default();
/// let now = Moment::EPOCH;
/// assert_eq!(judge.failed(Fault::Aborted, now), AcceptVerdict::RetryNow);
/// assert!(matches!(judge.failed(Fault::ProcessLimit, now), AcceptVerdict::ShedOne(_)));
/// judge.accepted();
/// assert_eq!(judge.failed(Fault::BadDescriptor, now), AcceptVerdict::Fatal);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AcceptJudge {
    failures: u8,
}

impl AcceptJudge {
    /// After so many failures in a row even the harmless ones are waited out: an OS that repeats itself is not
    /// to be asked in a loop.
    pub const PATIENCE: u8 = 64;
    /// The first pause. Each further one is twice as long.
    pub const FIRST_PAUSE: Duration = Duration::from_millis(5);
    /// The longest pause.
    pub const LONGEST_PAUSE: Duration = Duration::from_secs(1);

    /// An accept gave a connection: what was before is forgotten.
    pub fn accepted(&mut self) {
        self.failures = 0;
    }

    /// What to do after an accept failed like this.
    pub fn failed(&mut self, fault: Fault, now: Moment) -> AcceptVerdict {
        if fault == Fault::WouldBlock {
            return AcceptVerdict::Wait;
        }
        self.failures = self.failures.saturating_add(1);
        let until = now + self.pause();
        if matches!(fault, Fault::BadDescriptor | Fault::Invalid) {
            AcceptVerdict::Fatal
        } else if matches!(fault, Fault::ProcessLimit | Fault::SystemLimit) {
            AcceptVerdict::ShedOne(until)
        } else if self.failures <= Self::PATIENCE && is_harmless(fault) {
            AcceptVerdict::RetryNow
        } else {
            AcceptVerdict::BackOffUntil(until)
        }
    }

    fn pause(self) -> Duration {
        let doublings = u32::from(self.failures.saturating_sub(1)).min(8);
        (Self::FIRST_PAUSE * (1 << doublings)).min(Self::LONGEST_PAUSE)
    }
}

fn is_harmless(fault: Fault) -> bool {
    fault.is_transient() || fault.spares_listener() || fault == Fault::Cancelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_verdict_and_no_listener_spins() {
        for &fault in Fault::ALL {
            let mut judge = AcceptJudge::default();
            let verdicts: [_; 200] = core::array::from_fn(|_| judge.failed(fault, Moment::EPOCH));
            let last = verdicts[199];
            let pause = Moment::EPOCH + AcceptJudge::LONGEST_PAUSE;
            let expected = if fault == Fault::WouldBlock {
                AcceptVerdict::Wait
            } else if [Fault::BadDescriptor, Fault::Invalid].contains(&fault) {
                AcceptVerdict::Fatal
            } else if [Fault::ProcessLimit, Fault::SystemLimit].contains(&fault) {
                AcceptVerdict::ShedOne(pause)
            } else {
                AcceptVerdict::BackOffUntil(pause)
            };
            assert_eq!(last, expected, "{fault}");
        }
    }

    #[test]
    fn one_connections_trouble_is_retried_and_forgotten() {
        let mut judge = AcceptJudge::default();
        for round in 0..3 {
            for _ in 0..AcceptJudge::PATIENCE {
                assert_eq!(judge.failed(Fault::Reset, Moment::EPOCH), AcceptVerdict::RetryNow, "{round}");
            }
            assert!(matches!(judge.failed(Fault::Reset, Moment::EPOCH), AcceptVerdict::BackOffUntil(_)));
            judge.accepted();
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut judge = AcceptJudge::default();
        for millis in [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000] {
            let until = AcceptVerdict::BackOffUntil(Moment::from_millis(millis));
            assert_eq!(judge.failed(Fault::NoBuffers, Moment::EPOCH), until);
        }
    }
}
