//! Commands for the worker that has a table to itself, from the others.

use alloc::vec::Vec;

use thiserror::Error;

use super::sync::{Mutex, MutexGuard, lock};
use crate::key::TableId;
use crate::{Command, Key};

/// The queue of `(Key, Command)` to one worker, for the usual form: one table for each.
///
/// Whoever puts the first command in brings the worker back from its wait; the worker takes all that are there, once in
/// each turn of its loop. So a burst costs one wake. There is no bound: if workers had to wait for each other's queues,
/// two of them could wait for ever; and if a full one refused, whoever has to close a connection would need a queue of its
/// own.
#[derive(Debug)]
pub struct Mailbox {
    table: TableId,
    /// `None` once nobody takes anything out any more.
    commands: Mutex<Option<Vec<(Key, Command)>>>,
}

/// A command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The key belongs to another worker's table.
    #[error("foreign key {0}: it belongs to another driver")]
    Foreign(Key),
    /// The worker is gone, or about to be, and its connections with it.
    #[error("the driver is gone")]
    Gone,
}

impl Mailbox {
    /// For the worker that has this table.
    #[must_use]
    pub fn new(table: TableId) -> Self {
        Self { table, commands: Mutex::new(Some(Vec::new())) }
    }

    /// Whether it is a key of this worker's.
    #[must_use]
    pub fn owns(&self, key: Key) -> bool {
        key.is_of(self.table)
    }

    /// Puts a command in. Whether it is the first since they were taken: then whoever put it has to wake the worker.
    ///
    /// # Errors
    ///
    /// [`RemoteError`] if the key belongs to another worker, or this one is gone.
    pub fn put(&self, key: Key, command: Command) -> Result<bool, RemoteError> {
        if !self.owns(key) {
            return Err(RemoteError::Foreign(key));
        }
        let mut commands = self.commands();
        let commands = commands.as_mut().ok_or(RemoteError::Gone)?;
        commands.push((key, command));
        Ok(commands.len() == 1)
    }

    /// Takes all out, in their order.
    #[must_use = "they are in the mailbox no more"]
    pub fn take(&self) -> Vec<(Key, Command)> {
        self.commands().as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// Refuses all that come from here on. What is in it is lost with the worker, as is what it was for.
    pub fn close(&self) {
        *self.commands() = None;
    }

    fn commands(&self) -> MutexGuard<'_, Option<Vec<(Key, Command)>>> {
        lock(&self.commands)
    }
}
