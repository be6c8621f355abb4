//! Reading, writing and closing one connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use hangup::{
    Answer, Blame, Buffer, Cause, Command, Key, Life, Os, Plan, ReceiveHalf, SendHalf, Space, Timeout,
};
use thiserror::Error;

use crate::driver::{Core, Work};

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

/// Reads, writes and closes. `read` and `write` are those of [`std::io`]: `WouldBlock` means "later", and the
/// guard comes back then. Other errors need no reaction: the driver has seen them too, and ends the connection.
///
/// `read` copies from what a receive came back with, `write` copies into what is to be sent;
/// [`received`](Self::received) and [`send`](Self::send) do without the copy.
#[derive(Debug)]
pub struct Io<'a> {
    core: &'a mut Core,
    key: Key,
    work: Work,
}

/// A buffer was not taken, and here it is again.
#[derive(Debug, Error)]
#[error("not sent: {error}")]
#[non_exhaustive]
pub struct SendError {
    /// Why: as [`Write::write`].
    #[source]
    pub error: io::Error,
    /// The buffer.
    pub buffer: Buffer,
}

impl<'a> Io<'a> {
    pub(crate) fn new(core: &'a mut Core, key: Key, work: Work) -> Self {
        Self { core, key, work }
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

    /// Whether output that was announced can be written now.
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        self.work.writable
    }

    /// Whether a connect has just succeeded.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.work.connected
    }

    /// The state of the connection.
    #[must_use]
    pub fn life(&self) -> Option<Life> {
        self.core.table.life(self.key).ok()
    }

    /// The stream, for its addresses and options. Reads and writes go through [`Read`] and [`Write`] here.
    #[must_use]
    pub fn stream(&self) -> Option<&TcpStream> {
        self.core.table.get(self.key).ok().map(crate::socket::Socket::stream)
    }

    /// Says how many bytes of output the application holds that it has not written: the whole amount. The guard
    /// comes back when they can be written, and no FIN is sent before they are.
    ///
    /// A `write` that takes only a part, or nothing, counts what it left over by itself: that of the last write, not of
    /// several. Whoever holds more, or gives some of it up, says so here, at the latest before closing.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] if our half has been finished, or is lost.
    pub fn output(&mut self, bytes: usize) -> io::Result<()> {
        let over = matches!(
            self.life().map(Life::send_half),
            Some(SendHalf::FinDue | SendHalf::FinSent | SendHalf::Failed | SendHalf::Shut)
        );
        let all = bytes.saturating_add(self.written());
        if !(over && bytes > 0) && self.core.command(self.key, Command::Output(all)) {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    /// Stops the guard from coming for input. What is in flight stays so: it tells of a reset, or brings input for
    /// later. After that a port has nothing to tell, and a reset is found after [`resume`](Self::resume).
    pub fn pause(&mut self) {
        self.set_paused(true);
        self.core.command(self.key, Command::Pause);
    }

    /// Lets the guard come for input again.
    pub fn resume(&mut self) {
        self.set_paused(false);
        self.core.command(self.key, Command::Resume);
    }

    fn set_paused(&mut self, paused: bool) {
        if let Ok(socket) = self.core.table.get_mut(self.key) {
            socket.paused = paused;
        }
    }

    /// Ends our half, or the connection, according to plan. Never fails: what has ended stays so, and a
    /// weaker plan than before changes nothing.
    ///
    /// Under [`Plan::Flush`] and [`Plan::Linger`] the guard still comes for output that was announced.
    pub fn close(&mut self, plan: Plan) {
        self.core.command(self.key, Command::Close(plan));
    }

    /// Says why the application is about to close, unless a cause is known already.
    pub fn blame(&mut self, blame: Blame) {
        self.core.command(self.key, Command::Blame(blame));
    }

    /// What a receive came back with, whole and without a copy. `None`: nothing is here, and
    /// [`read`](Read::read) tells why. [`give_back`](Self::give_back) takes the buffer again.
    #[must_use = "it holds the bytes"]
    pub fn received(&mut self) -> Option<Buffer> {
        if self.may_read().is_err() {
            return None;
        }
        let buffer = self.core.table.get_mut(self.key).ok()?.input.take()?;
        self.core.say(self.key, (Answer::Received(buffer.len()), None));
        Some(buffer)
    }

    /// Sends a buffer, whole and without a copy, behind what was written before. It is taken or it is not. When it is
    /// sent, it goes back to the pool; one that is of another size is freed.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the buffer: `WouldBlock` if so much waits already that a write would block, the others as
    /// [`Write::write`].
    pub fn send(&mut self, buffer: Buffer) -> Result<(), SendError> {
        if buffer.is_empty() {
            self.core.buffers.give(buffer);
            return Ok(());
        }
        if let Err(error) = self.room(buffer.len()) {
            return Err(SendError { error, buffer });
        }
        if self.is_finishing() && self.pending() - self.written() < buffer.len() {
            return Err(SendError { error: io::ErrorKind::BrokenPipe.into(), buffer });
        }
        match self.core.table.get_mut(self.key) {
            Ok(socket) => socket.output.push(buffer),
            Err(_) => return Err(SendError { error: io::ErrorKind::NotConnected.into(), buffer }),
        }
        Ok(())
    }

    /// An empty buffer, to be filled and sent.
    #[must_use = "it came out of the pool"]
    pub fn buffer(&mut self) -> Buffer {
        self.core.buffers.take()
    }

    /// Takes a buffer back that [`received`](Self::received) or [`buffer`](Self::buffer) gave out.
    pub fn give_back(&mut self, buffer: Buffer) {
        self.core.buffers.give(buffer);
    }

    /// Bytes that were written and are not sent yet.
    fn written(&self) -> usize {
        self.core.table.get(self.key).map_or(0, |socket| socket.output.len())
    }

    fn pending(&self) -> usize {
        self.core.table.pending(self.key).map_or(0, |pending| pending as usize)
    }

    fn is_finishing(&self) -> bool {
        self.life().is_some_and(|life| life.send_half() == SendHalf::FinQueued)
    }

    /// Announces `length` bytes of output, and tells how many more can be taken.
    fn room(&mut self, length: usize) -> io::Result<usize> {
        let Some(life) = self.life() else { return Err(io::ErrorKind::NotConnected.into()) };
        match life.send_half() {
            SendHalf::Idle | SendHalf::Queued | SendHalf::FinQueued => {}
            SendHalf::Failed => return Err(self.lost()),
            SendHalf::FinDue | SendHalf::FinSent | SendHalf::Shut => {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        if self.written() >= self.core.options.output_limit {
            // What is sent at once makes room.
            self.core.push(self.key);
            if self.life().is_some_and(|life| life.send_half() == SendHalf::Failed) {
                return Err(self.lost());
            }
        }
        let written = self.written();
        if self.is_finishing() && self.pending() <= written {
            // What was announced before the last word has been written.
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let all = written.saturating_add(length);
        if self.pending() < all && !self.is_finishing() {
            self.core.command(self.key, Command::Output(all));
        }
        let room = self.core.options.output_limit.saturating_sub(written);
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(if self.is_finishing() { room.min(self.pending() - written) } else { room })
    }

    /// Whether input can be taken; if not, what there is to say instead.
    fn may_read(&mut self) -> io::Result<()> {
        match self.life().map(Life::receive_half) {
            Some(ReceiveHalf::Open | ReceiveHalf::Paused | ReceiveHalf::Ended) => Ok(()),
            Some(ReceiveHalf::Failed) => Err(self.lost()),
            Some(ReceiveHalf::Discarding | ReceiveHalf::Shut) | None => {
                Err(io::ErrorKind::NotConnected.into())
            }
        }
    }

    /// The error of a connection that is lost, for whoever calls again.
    fn lost(&self) -> io::Error {
        if let Ok(Some(code)) = self.core.table.code(self.key) {
            // A status of the kernel is told in the words of Winsock.
            let status = code.space() == Space::NtStatus;
            let number = if status { code.fault().typical(Os::Windows) } else { Some(code.value()) };
            if let Some(number) = number {
                return io::Error::from_raw_os_error(number);
            }
        }
        match self.life().and_then(Life::cause) {
            Some(Cause::PeerReset) => io::ErrorKind::ConnectionReset.into(),
            Some(Cause::TimedOut(Timeout::Transport | Timeout::KeepAlive)) => io::ErrorKind::TimedOut.into(),
            _ => io::ErrorKind::ConnectionAborted.into(),
        }
    }
}

impl Read for Io<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.may_read()?;
        let ended = self.life().is_some_and(|life| life.receive_half() == ReceiveHalf::Ended);
        let Ok(socket) = self.core.table.get_mut(self.key) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let Some(input) = &mut socket.input else {
            if ended {
                socket.news.end = false;
                return Ok(0);
            }
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let count = input.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), input.get(..count)) {
            to.copy_from_slice(from);
        }
        input.consume(count);
        if input.is_empty() {
            if let Some(empty) = socket.input.take() {
                self.core.buffers.give(empty);
            }
        }
        self.core.say(self.key, (Answer::Received(count), None));
        Ok(count)
    }
}

impl Write for Io<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let room = self.room(bytes.len())?;
        let Core { table, buffers, .. } = &mut *self.core;
        let Ok(socket) = table.get_mut(self.key) else { return Err(io::ErrorKind::NotConnected.into()) };
        let limit = socket.output.len() + room;
        Ok(socket.output.write(bytes, limit, buffers))
    }

    /// What was written is sent when the guard is dropped; nothing is held back for more.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Io<'_> {
    fn drop(&mut self) {
        if let Ok(socket) = self.core.table.get_mut(self.key) {
            // It has been told.
            socket.news.connected = false;
            socket.news.loss = false;
        }
        self.core.settle(self.key);
    }
}
