//! What stands for `trace` in a build without the feature: nothing.

use crate::{Input, Key, Life};

#[inline]
pub(crate) const fn began(_key: Key, _life: Life) {}

#[inline]
pub(crate) const fn taken(_key: Key, _before: Life, _input: Input, _after: Life) {}

/// Whether somebody looks on.
#[cfg(feature = "std")]
#[inline]
pub(crate) const fn is_observed() -> bool {
    false
}
