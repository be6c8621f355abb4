//! A socket that cannot be closed while it is registered.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use polling::{Event, PollMode, Poller};

use crate::os;

/// The socket of one connection.
///
/// The stream never leaves this value, and a registration never outlives it: closing a socket that is
/// registered cannot be written down. On Windows that is a matter of life and death, because closing a socket
/// that polling 3.11 still has makes its `wait` lock itself out.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// The poller that has it, if it is registered.
    registered: Option<Arc<Poller>>,
    /// What the poller watches for at present, as far as it was told.
    pub(crate) armed: Interest,
    /// Where the application's state is.
    pub(crate) state: usize,
    /// Output that the application holds.
    pub(crate) held: Held,
    /// Whether it is in the list of connections that are to be looked at without an event.
    pub(crate) again: bool,
}

/// Output that the application holds and the OS has not taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// How much, at least.
    pub(crate) bytes: usize,
    /// Whether the application said so itself. Otherwise it is what a write left over, and there may be more behind
    /// it that no write was tried with: then the output has an end when a turn does in which the last write took
    /// everything.
    pub(crate) is_exact: bool,
    /// Whether the last write left something over.
    pub(crate) is_blocked: bool,
    /// Whether the application has had a turn since the output was lost.
    pub(crate) is_told: bool,
}

impl Held {
    /// The application said so itself.
    pub(crate) fn exactly(bytes: usize) -> Self {
        Self { bytes, is_exact: bytes > 0, ..Self::default() }
    }
}

/// What the poller is asked to watch for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// Whether it is asked at all. One-shot interest is gone after an event.
    pub(crate) asked: bool,
}

impl Interest {
    fn event(self, token: usize) -> Event {
        // On Windows the interrupt is the only thing that says "reset" while nobody reads; without it
        // polling 3.11 spins inside `wait` on a reset socket that has no interest. On epoll it comes anyway.
        Event::new(token, self.read, self.write).with_interrupt()
    }
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, state: usize) -> Self {
        Self {
            stream,
            registered: None,
            armed: Interest::default(),
            state,
            held: Held::default(),
            again: false,
        }
    }

    /// The stream, to be read, written and asked.
    pub(crate) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn register(
        &mut self,
        poller: &Arc<Poller>,
        token: usize,
        interest: Interest,
        mode: PollMode,
    ) -> io::Result<()> {
        if self.registered.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // From before the call: on Windows one that fails may have left the socket in the poller's map.
        self.registered = Some(Arc::clone(poller));
        let added = os::add(poller, &self.stream, interest.event(token), mode);
        match added {
            Ok(()) => self.armed = interest,
            Err(_) => self.deregister(),
        }
        added
    }

    pub(crate) fn watch(&mut self, token: usize, interest: Interest, mode: PollMode) -> io::Result<()> {
        let poller = self.registered.as_ref().ok_or(io::ErrorKind::NotFound)?;
        poller.modify_with_mode(&self.stream, interest.event(token), mode)?;
        self.armed = interest;
        Ok(())
    }

    /// Removes the registration. "It was gone before" is a success, and no failure skips what comes after:
    /// the OS forgets the socket when it is closed, and a late event carries a key that is stale.
    pub(crate) fn deregister(&mut self) {
        if let Some(poller) = self.registered.take() {
            self.armed = Interest::default();
            drop(poller.delete(&self.stream));
        }
    }
}

impl Drop for Socket {
    /// Runs before the stream is closed.
    fn drop(&mut self) {
        self.deregister();
    }
}
