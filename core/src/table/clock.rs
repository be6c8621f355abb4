//! What time it is: for the reports, and for the deadlines.

use super::wheel::Wheel;
use crate::{Moment, Policy};

/// The latest moment that a table was told, and what the deadlines make of it.
///
/// A deadline is kept as 32 bits of milliseconds ahead of what the wheel has gone through. When the clock leaps so
/// far ahead that this would not do (a host that was suspended, or that was told the date), the deadlines skip a
/// part of the leap: their own time then is behind the clock by `skipped`. What is left of the leap is longer than
/// the longest wait, so everything that was armed has passed all the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    told: Moment,
    /// Milliseconds.
    skipped: u64,
}

/// So far may the time of the deadlines be ahead of the wheel, in milliseconds: the longest wait on top of it is
/// still within 32 bits.
const FARTHEST: u64 = u32::MAX as u64 - LONGEST;

const LONGEST: u64 = Policy::LONGEST.as_secs() * 1_000;

const _: () = assert!(FARTHEST > LONGEST, "a leap lets every deadline pass");

impl Clock {
    /// The latest moment that was told.
    pub(super) const fn told(&self) -> Moment {
        self.told
    }

    /// Takes in what time it is, and gives the time of the deadlines. A clock that runs backwards stands still.
    pub(super) fn tell(&mut self, now: Moment, wheel: &Wheel) -> Moment {
        self.told = self.told.max(now);
        let ahead = self.deadline_time().since(wheel.now());
        if ahead.as_millis() > u128::from(FARTHEST) {
            self.skipped = self.told.as_millis() - wheel.now().as_millis() - FARTHEST;
        }
        self.deadline_time()
    }

    const fn deadline_time(&self) -> Moment {
        Moment::from_millis(self.told.as_millis() - self.skipped)
    }

    /// When the clock says that it is `when` by the time of the deadlines.
    pub(super) const fn when(&self, when: Moment) -> Moment {
        Moment::from_millis(when.as_millis().saturating_add(self.skipped))
    }
}
