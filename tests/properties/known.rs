//! Promises of the documentation that the code does not keep yet. Each is a switch: on, the random scripts check
//! it too; and each has a test of its own in `regressions.rs`, ignored as long as the switch is off.

/// `Table::expire` lets the deadlines of several connections pass in the order of their moments.
pub(crate) const ORDERED: bool = false;

/// A clock may jump ahead by more than 24 days.
pub(crate) const FAR_JUMPS: bool = false;

/// If a clock runs backwards, the table goes by the latest moment that it was told, by whatever method.
pub(crate) const LATEST_MOMENT: bool = false;

/// A right to answer is good for one operation, and not for the next of its kind.
pub(crate) const RIGHTS_EXPIRE: bool = false;

/// `Answer::Released` is no input: only `Table::release` releases.
pub(crate) const RELEASED_IS_NO_INPUT: bool = false;

/// A right to answer one operation is not good for the answer of another.
pub(crate) const RIGHTS_MATCH: bool = false;
