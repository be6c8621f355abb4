//! Why a table said no.

use thiserror::Error;

use crate::{Key, Life, Refused};

/// An input was turned away. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InputError {
    /// The connection of this key has been released.
    #[error("stale key {0}: its connection has been released")]
    Stale(Key),
    /// The key belongs to another table.
    #[error("foreign key {0}: it belongs to another table")]
    Foreign(Key),
    /// The input has no row in the connection's state.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// A release was turned away. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The connection of this key has been released.
    #[error("stale key {0}: its connection has been released")]
    Stale(Key),
    /// The key belongs to another table.
    #[error("foreign key {0}: it belongs to another table")]
    Foreign(Key),
    /// The connection has not ended, or the OS still has something of it.
    #[error(
        "not releasable yet: phase {:?}, registration {:?}, {} notifications owed",
        .0.phase(), .0.registration(), .0.owed()
    )]
    NotYet(Life),
}

impl From<InputError> for ReleaseError {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Stale(key) => Self::Stale(key),
            InputError::Foreign(key) => Self::Foreign(key),
            InputError::Refused(refused) => Self::NotYet(refused.life),
        }
    }
}

/// A buffer was not lent, and here it is again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not submitted: {error}")]
#[non_exhaustive]
pub struct LendError<B> {
    /// Why.
    #[source]
    pub error: InputError,
    /// The buffer.
    pub buffer: B,
}

/// Every place that a key can name is taken or retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the table is full: no key is left for another connection")]
#[non_exhaustive]
pub struct TableFull;
