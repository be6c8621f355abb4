//! The durations of a policy as the table counts them.

use crate::{Deadline, Policy};

/// Whole milliseconds, rounded up, by deadline: worked out once for a table, not for each event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits([u32; Deadline::ALL.len()]);

/// No limit, or none in time. The longest duration is far below it.
const NEVER: u32 = u32::MAX;

impl Limits {
    pub(super) fn of(policy: &Policy) -> Self {
        Self(Deadline::ALL.map(|deadline| {
            let duration = policy.duration(deadline);
            let millis = duration.map(|duration| duration.as_nanos().div_ceil(1_000_000));
            millis.and_then(|millis| u32::try_from(millis).ok()).unwrap_or(NEVER)
        }))
    }

    /// How many milliseconds the wait may last.
    #[inline]
    pub(super) fn millis(&self, deadline: Deadline) -> Option<u32> {
        self.0.get(deadline as usize).copied().filter(|&millis| millis != NEVER)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn limits_are_those_of_the_policy() {
        let policy = Policy {
            idle: None,
            stall: Duration::from_micros(1_500),
            connect: Duration::MAX,
            drain_idle: Duration::ZERO,
            ..Policy::default()
        };
        let limits = Limits::of(&policy);
        assert_eq!(limits.millis(Deadline::Idle), None);
        assert_eq!(limits.millis(Deadline::Stall), Some(2), "never early");
        assert_eq!(limits.millis(Deadline::Connect), Some(24 * 24 * 3_600 * 1_000));
        assert_eq!(limits.millis(Deadline::DrainIdle), Some(0));
        assert_eq!(limits.millis(Deadline::DrainTotal), Some(30_000));
        assert_eq!(limits.millis(Deadline::HalfClosed), Some(60_000));
        assert_eq!(limits.millis(Deadline::DrainBudget), None, "it is in bytes");
    }
}
