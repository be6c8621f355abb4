//! Commands from other threads.

use std::sync::Arc;

use hangup::shared::{Mailbox, RemoteError};
use hangup::{Command, Key};
use polling::Poller;

use crate::driver::Core;
use crate::socket::Held;

/// Commands the connections of a [`Driver`](crate::Driver), from any thread. Cheap to clone.
///
/// With several workers, each has a driver of its own, and a connection belongs to one of them. Whoever else wants
/// something of it sends a message:
///
/// ```no_run
/// # use hangup::{Command, Key, Plan};
/// # fn example(remotes: Vec<hangup_polling::Remote>, key: Key) -> Result<(), hangup_polling::RemoteError> {
/// if let Some(remote) = remotes.iter().find(|remote| remote.owns(key)) {
///     remote.command(key, Command::Close(Plan::Linger))?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Remote {
    mailbox: Arc<Mailbox>,
    poller: Arc<Poller>,
}

impl Remote {
    pub(crate) fn new(mailbox: &Arc<Mailbox>, poller: &Arc<Poller>) -> Self {
        Self { mailbox: Arc::clone(mailbox), poller: Arc::clone(poller) }
    }

    /// Whether it is a key of this driver's.
    #[must_use]
    pub fn owns(&self, key: Key) -> bool {
        self.mailbox.owns(key)
    }

    /// Sends a command, and brings the poller back from its wait, so that [`Driver::tick`](crate::Driver::tick) performs it.
    /// What follows from it is told there, by guards and reports. The commands of one thread are performed in their order.
    ///
    /// A command for a connection that has ended changes nothing, and is counted ([`Audit::stale`](hangup::Audit)). One
    /// that is on its way when the driver goes is lost with it, as is what it was for.
    ///
    /// Nothing waits here, and the queue has no bound: if drivers had to wait for each other's queues, two of them
    /// could wait for ever; and if a full one refused, whoever has to close a connection would need a queue of its own.
    /// All that has come is performed in each round, so the queue holds what is sent in one.
    ///
    /// # Errors
    ///
    /// [`RemoteError`] if the key belongs to another driver, or the driver is gone.
    pub fn command(&self, key: Key, command: Command) -> Result<(), RemoteError> {
        if self.mailbox.put(key, command)? {
            // If this fails, the command is performed after the next event or deadline.
            drop(self.poller.notify());
        }
        Ok(())
    }
}

impl Core {
    /// Performs what other threads have asked for.
    pub(crate) fn obey(&mut self) {
        for (key, command) in self.mailbox.take() {
            // This is where a stale key is counted, once.
            if self.table.get_mut(key).is_err() {
                continue;
            }
            let taken = match command {
                Command::Output(bytes) => self.hold(key, Held::exactly(bytes)),
                Command::Pause | Command::Resume | Command::Close(_) | Command::Blame(_) => {
                    self.command(key, command)
                }
            };
            if taken {
                self.settle(key);
            }
        }
    }
}
