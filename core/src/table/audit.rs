//! Conservation: what came in is what went out and what is held.

use core::ops::AddAssign;

use super::InputError;

/// What a table has taken in, given back and turned away since it was made.
///
/// At every moment: acquired = released + [`held`](Audit::held), and
/// lent = returned + [`with_the_os`](Audit::with_the_os).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Audit {
    /// Connections that were taken in.
    pub acquired: u64,
    /// Connections whose resources were given back.
    pub released: u64,
    /// Buffers that went to the OS.
    pub lent: u64,
    /// Buffers that came back.
    pub returned: u64,
    /// Uses of the key, or of an operation's key, of something that had ended.
    pub stale: u64,
    /// Uses of a key of another table.
    pub foreign: u64,
    /// Inputs that had no row.
    pub refused: u64,
    /// Places that will not be used again.
    pub retired: u64,
}

impl Audit {
    /// Counts what is refused.
    #[cold]
    pub(super) fn turn_away(&mut self, error: InputError) -> InputError {
        match error {
            InputError::Stale(_) => self.stale += 1,
            InputError::Foreign(_) => self.foreign += 1,
            InputError::Refused(_) => self.refused += 1,
        }
        error
    }

    /// Connections that are in the table.
    #[must_use]
    pub fn held(&self) -> usize {
        usize::try_from(self.acquired.saturating_sub(self.released)).unwrap_or(usize::MAX)
    }

    /// Buffers that are with the OS.
    #[must_use]
    pub fn with_the_os(&self) -> usize {
        usize::try_from(self.lent.saturating_sub(self.returned)).unwrap_or(usize::MAX)
    }
}

/// Of several tables together.
impl AddAssign for Audit {
    fn add_assign(&mut self, other: Self) {
        let Self { acquired, released, lent, returned, stale, foreign, refused, retired } = other;
        for (sum, more) in [
            (&mut self.acquired, acquired),
            (&mut self.released, released),
            (&mut self.lent, lent),
            (&mut self.returned, returned),
            (&mut self.stale, stale),
            (&mut self.foreign, foreign),
            (&mut self.refused, refused),
            (&mut self.retired, retired),
        ] {
            *sum += more;
        }
    }
}
