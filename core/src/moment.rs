//! Points in time, without a clock.

use core::ops::Add;
use core::time::Duration;

/// A point on the caller's monotonic clock, in milliseconds since an epoch of the caller's choice.
///
/// The core has no clock: whoever drives it reads one and says what time it is. If the clock seems to run
/// backwards, the table goes by the latest moment that it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The epoch.
    pub const EPOCH: Self = Self(0);

    /// So many milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// So long after the epoch. What is below a millisecond is cut off.
    #[must_use]
    pub fn since_epoch(time: Duration) -> Self {
        Self(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Rounded up to a whole millisecond, so that a deadline does not pass early.
    fn add(self, time: Duration) -> Self {
        let millis = time.as_nanos().div_ceil(1_000_000);
        Self(self.0.saturating_add(u64::try_from(millis).unwrap_or(u64::MAX)))
    }
}
