//! Reading, writing and closing one connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use hangup::{Blame, Buffer, Cause, Command, Key, Life, Plan, ReceiveHalf, SendHalf, Timeout};
use thiserror::Error;

use crate::driver::{Core, Work};
use crate::socket::{Held, Item};

/// One connection, while the application has something to do with it.
///
/// When it is dropped, everything that follows is performed: operations submitted, FIN sent, socket released.
#[derive(Debug)]
#[must_use = "there is something to do: read until it would block, write what is queued"]
pub struct Guard<'a, S> {
    /// The connection.
    pub io: Io<'a>,
    /// The application's state. A field of its own, so that it can be borrowed beside `io`.
    pub state: &'a mut S,
}

/// Reads, writes and closes. `read` and `write` are those of [`std::io`], over completions: `read` takes from what a
/// receive has brought, `write` puts into what is sent next. `WouldBlock` means "later", and the guard comes back
/// then. Other errors need no reaction: the driver has seen them too, and ends the connection.
#[derive(Debug)]
pub struct Io<'a> {
    core: &'a mut Core,
    key: Key,
    work: Work,
    /// Whether something was read or written.
    moved: bool,
}

/// A buffer was not taken for sending, and here it is again.
#[derive(Debug, Error)]
#[error("not taken for sending: {error}")]
#[non_exhaustive]
pub struct SendError {
    /// Why. `WouldBlock`: later.
    #[source]
    pub error: io::Error,
    /// The buffer.
    pub buffer: Buffer,
}

impl<'a> Io<'a> {
    pub(crate) fn new(core: &'a mut Core, key: Key, work: Work) -> Self {
        Self { core, key, work, moved: false }
    }

    /// The connection's name in this driver. Good until it has ended; refused from then on.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.key
    }

    /// Whether there is something to read, or an end to be found by reading.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        self.work.readable
    }

    /// Whether output that waits at the application can be written now; or output is lost, and a write says so, once.
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        self.work.writable || self.work.lost
    }

    /// Whether a connect has just succeeded.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.work.connected
    }

    /// The state of the connection. An end that was received is part of it when it has been read.
    #[must_use]
    pub fn life(&self) -> Option<Life> {
        self.core.table.life(self.key).ok()
    }

    /// The stream, for its addresses and options. Reads and writes go through the ring: an error that the stream gives
    /// to somebody else is lost for the report.
    #[must_use]
    pub fn stream(&self) -> Option<&TcpStream> {
        self.core.stream(self.key)
    }

    /// Says how many bytes of output the application holds that it has not written: the whole amount. The guard
    /// comes back when they can be written, and no FIN is sent before they are.
    ///
    /// A `write` or [`send`](Self::send) that takes only a part, or nothing, makes the guard come back by itself, and holds
    /// the FIN until a turn ends whose last write took everything. So this is needed only for output that is left at the
    /// end of a turn without a `write` having been tried with it, and for output that was given up.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] if our half has been finished, or is lost.
    pub fn output(&mut self, bytes: usize) -> io::Result<()> {
        let taken = self.core.hold(self.key, Held::exactly(bytes));
        if taken { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Stops the guard from coming for input. A receive that is on its way may still bring one buffer, which is kept.
    /// Resets are noticed; a FIN is found after [`resume`](Self::resume).
    pub fn pause(&mut self) {
        self.core.command(self.key, Command::Pause);
    }

    /// Lets the guard come for input again.
    pub fn resume(&mut self) {
        self.core.command(self.key, Command::Resume);
    }

    /// Ends our half, or the connection, according to plan. Never fails: what has ended stays so, and a
    /// weaker plan than before changes nothing.
    ///
    /// What was received and not read counts as discarded. Under [`Plan::Flush`] and [`Plan::Linger`] the guard still
    /// comes for output that waits at the application.
    pub fn close(&mut self, plan: Plan) {
        self.core.command(self.key, Command::Close(plan));
    }

    /// Says why the application is about to close, unless a cause is known already.
    pub fn blame(&mut self, blame: Blame) {
        self.core.command(self.key, Command::Blame(blame));
    }

    /// What a receive has brought, without a copy; `None` is the end of the stream. Give the buffer back with
    /// [`give_back`](Self::give_back) or [`send`](Self::send), or keep it.
    ///
    /// # Errors
    ///
    /// As [`Read::read`] here: `WouldBlock` if nothing has come yet, else why the connection is lost.
    pub fn received(&mut self) -> io::Result<Option<Buffer>> {
        let Some(length) = self.coming()? else { return Ok(None) };
        self.moved = true;
        match self.core.open(self.key, length) {
            Some(buffer) => Ok(Some(buffer)),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// A buffer of the driver's that the application has no use for any more.
    pub fn give_back(&mut self, buffer: Buffer) {
        self.core.give(buffer);
    }

    /// Sends a buffer without a copy. It may be longer than what `write` would take.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the buffer: `WouldBlock` if there is as much output as there may be, else as [`Write::write`].
    pub fn send(&mut self, buffer: Buffer) -> Result<(), SendError> {
        if buffer.is_empty() {
            self.core.give(buffer);
            return Ok(());
        }
        let said_all = self.life().is_some_and(|life| life.send_half() == SendHalf::FinQueued);
        let held = self.core.held(self.key);
        match self.room() {
            // After the last word, more than was announced would be lost behind the FIN.
            Ok(_) if said_all && held.is_exact() && held.bytes < buffer.len() => {
                Err(SendError { error: io::ErrorKind::BrokenPipe.into(), buffer })
            }
            Ok(room) if room >= self.core.options.output.div_ceil(2) || room >= buffer.len() => {
                let count = buffer.len();
                if let Ok(socket) = self.core.table.get_mut(self.key) {
                    socket.outbox.push(buffer);
                }
                self.moved = true;
                self.offered(count, count);
                Ok(())
            }
            Ok(_) => {
                self.offered(buffer.len(), 0);
                Err(SendError { error: io::ErrorKind::WouldBlock.into(), buffer })
            }
            Err(error) => Err(SendError { error, buffer }),
        }
    }

    /// How many bytes come next. `None`: the end.
    fn coming(&mut self) -> io::Result<Option<usize>> {
        match self.life().map(Life::receive_half) {
            Some(ReceiveHalf::Open | ReceiveHalf::Paused) => {}
            Some(ReceiveHalf::Ended) => return Ok(None),
            Some(ReceiveHalf::Failed) => return Err(self.lost()),
            Some(ReceiveHalf::Discarding | ReceiveHalf::Shut) | None => {
                return Err(io::ErrorKind::NotConnected.into());
            }
        }
        let front = self.core.table.get(self.key).ok().and_then(|socket| socket.inbox.front());
        match front.map(Item::len) {
            Some(0) => {}
            Some(length) => return Ok(Some(length)),
            None => return Err(io::ErrorKind::WouldBlock.into()),
        }
        self.moved = true;
        let failure = self.core.end(self.key);
        match (self.life().map(Life::receive_half), failure) {
            (Some(ReceiveHalf::Ended), _) => Ok(None),
            (Some(ReceiveHalf::Failed), Some(error)) => Err(error),
            (Some(ReceiveHalf::Failed), None) => Err(self.lost()),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// How many bytes may be written now.
    fn room(&mut self) -> io::Result<usize> {
        let Some(life) = self.life() else { return Err(io::ErrorKind::NotConnected.into()) };
        let Ok(socket) = self.core.table.get(self.key) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let room = self.core.options.output.saturating_sub(socket.outbox.bytes());
        match life.send_half() {
            // Until it is connected, output stays with the application, which knows whether it may be repeated.
            _ if life.phase().is_connecting() => Ok(0),
            SendHalf::Idle | SendHalf::Queued => Ok(room),
            // After its last word, only what it had announced, or what is behind a write that left something over.
            SendHalf::FinQueued if socket.outbox.held.is_open => Ok(room),
            SendHalf::FinQueued if socket.outbox.held.bytes > 0 => Ok(room.min(socket.outbox.held.bytes)),
            SendHalf::Failed => Err(self.lost()),
            SendHalf::FinQueued | SendHalf::FinDue | SendHalf::FinSent | SendHalf::Shut => {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }

    /// What was offered and did not go into the outbox is output that the application holds.
    fn offered(&mut self, length: usize, taken: usize) {
        let before = self.core.held(self.key);
        let is_blocked = taken < length;
        let left = before.bytes.saturating_sub(taken);
        let more = if is_blocked { left.max(length - taken) } else { left };
        let is_open = !before.is_exact() && (before.is_open || is_blocked);
        let held = Held { bytes: more, is_open, is_blocked, is_told: false };
        if !self.core.hold(self.key, held) {
            // More than was announced, after the last word: what was announced is left.
            self.core.hold(self.key, Held { bytes: left, ..held });
        }
    }

    /// At the end of a turn: if the last write took everything, nothing is left.
    fn account(&mut self) {
        let held = self.core.held(self.key);
        if held.is_open && !held.is_blocked {
            self.core.hold(self.key, Held::default());
        }
    }

    /// The error of a connection that is lost, for whoever calls again.
    fn lost(&self) -> io::Error {
        if let Ok(Some(code)) = self.core.table.code(self.key) {
            return io::Error::from_raw_os_error(code.value());
        }
        match self.life().and_then(Life::cause) {
            Some(Cause::PeerReset) => io::ErrorKind::ConnectionReset.into(),
            Some(Cause::TimedOut(Timeout::Transport | Timeout::KeepAlive)) => io::ErrorKind::TimedOut.into(),
            _ => io::ErrorKind::ConnectionAborted.into(),
        }
    }
}

impl Read for Io<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let Some(length) = self.coming()? else { return Ok(0) };
        self.moved = true;
        let count = length.min(into.len());
        let Some(mut buffer) = self.core.open(self.key, count) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        if let (Some(into), Some(from)) = (into.get_mut(..count), buffer.get(..count)) {
            into.copy_from_slice(from);
        }
        buffer.consume(count);
        match self.core.table.get_mut(self.key) {
            Ok(socket) if !buffer.is_empty() => socket.inbox.put_back(buffer),
            _ => self.core.give(buffer),
        }
        Ok(count)
    }
}

impl Write for Io<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let count = self.room()?.min(bytes.len());
        if count == 0 {
            self.offered(bytes.len(), 0);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Core { table, pool, .. } = &mut *self.core;
        if let (Ok(socket), Some(bytes)) = (table.get_mut(self.key), bytes.get(..count)) {
            socket.outbox.append(bytes, pool);
        }
        self.moved = true;
        self.offered(bytes.len(), count);
        Ok(count)
    }

    /// What was written is sent without being asked to.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Io<'_> {
    fn drop(&mut self) {
        self.account();
        self.core.settle(self.key);
        // A turn that was not used is not repeated before something new has happened: no loop is kept busy by input
        // that nobody wants yet. What came up in the turn itself, by a resume or an announcement, is new.
        let told = if self.moved { Work::default() } else { self.work };
        self.core.announce_beyond(self.key, told);
    }
}
