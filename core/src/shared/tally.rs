//! Counts of a whole table, and what time it was told.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::{Audit, InputError, Moment};

/// What an [`Audit`] is made of. Statistics: nothing is decided by them, so they order nothing.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) acquired: Count,
    pub(super) released: Count,
    pub(super) lent: Count,
    pub(super) returned: Count,
    stale: Count,
    foreign: Count,
    refused: Count,
    pub(super) retired: Count,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: bool) {
        if more {
            self.0.fetch_add(1, Ordering::Release);
        }
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Tally {
    /// Counts what is refused.
    #[cold]
    pub(super) fn turn_away(&self, error: InputError) -> InputError {
        match error {
            InputError::Stale(_) => self.stale.add(true),
            InputError::Foreign(_) => self.foreign.add(true),
            InputError::Refused(_) => self.refused.add(true),
        }
        error
    }

    /// What went out is read before what came in, so that there is never more of it.
    pub(super) fn audit(&self) -> Audit {
        let (released, returned) = (self.released.get(), self.returned.get());
        Audit {
            acquired: self.acquired.get(),
            released,
            lent: self.lent.get(),
            returned,
            stale: self.stale.get(),
            foreign: self.foreign.get(),
            refused: self.refused.get(),
            retired: self.retired.get(),
        }
    }
}

/// The latest moment that the table was told, by any worker.
#[derive(Debug, Default)]
pub(super) struct Told(AtomicU64);

impl Told {
    /// Takes in what time it is. A clock that runs backwards, or behind another worker's, stands still.
    pub(super) fn tell(&self, now: Moment) -> Moment {
        let told = self.get();
        // Usually somebody has said so already, and the word need not be fetched from another processor.
        if told < now {
            self.0.fetch_max(now.as_millis(), Ordering::Relaxed);
        }
        told.max(now)
    }

    fn get(&self) -> Moment {
        Moment::from_millis(self.0.load(Ordering::Relaxed))
    }
}
