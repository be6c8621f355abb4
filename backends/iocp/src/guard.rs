//! Reading, writing and closing one connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use hangup::{
    Answer, Blame, Buffer, Cause, Command, Key, Life, Os, Plan, ReceiveHalf, SendHalf, Space, Timeout,
};
use thiserror::Error;

use crate::driver::Core;
use crate::output::{Held, Output};
use crate::perform::{announce, said};
use crate::socket::Buffers;
use crate::turns::Work;

/// One connection, while the application has something to do with it.
///
/// When it is dropped, everything that follows is performed: operations submitted, FIN sent. The state is lent until the
/// next call of this worker; only then is the turn over, and a connection that has ended is released.
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
        self.core.shared.table.life(self.key).ok()
    }

    /// The stream, for its addresses and options. Reads and writes go through [`Read`] and [`Write`] here.
    #[must_use]
    pub fn stream(&self) -> Option<&TcpStream> {
        self.core.holding.as_ref().map(|holding| &*holding.stream)
    }

    /// Says how many bytes of output the application holds that it has not written: the whole amount. The guard
    /// comes back when they can be written, and no FIN is sent before they are.
    ///
    /// A `write` that takes only a part, or nothing, makes the guard come back by itself, and holds the FIN until a
    /// turn ends whose last write took everything. So this is needed only for output that is left at the end of a
    /// turn without a `write` having been tried with it, and for output that was given up.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] if our half has been finished, or is lost.
    pub fn output(&mut self, bytes: usize) -> io::Result<()> {
        self.core
            .command(self.key, Command::Output(bytes))
            .map_err(|_refused| io::ErrorKind::BrokenPipe.into())
    }

    /// Stops the guard from coming for input. What is in flight stays so: it tells of a reset, or brings input for
    /// later. After that a port has nothing to tell, and a reset is found after [`resume`](Self::resume).
    pub fn pause(&mut self) {
        self.command(Command::Pause);
    }

    /// Lets the guard come for input again.
    pub fn resume(&mut self) {
        self.command(Command::Resume);
    }

    /// Ends our half, or the connection, according to plan. Never fails: what has ended stays so, and a
    /// weaker plan than before changes nothing.
    ///
    /// Under [`Plan::Flush`] and [`Plan::Linger`] the guard still comes for output that was announced.
    pub fn close(&mut self, plan: Plan) {
        self.command(Command::Close(plan));
    }

    /// Says why the application is about to close, unless a cause is known already.
    pub fn blame(&mut self, blame: Blame) {
        self.command(Command::Blame(blame));
    }

    fn command(&mut self, command: Command) {
        let _over = self.core.command(self.key, command);
    }

    /// What a receive came back with, whole and without a copy. `None`: nothing is here, and
    /// [`read`](Read::read) tells why. [`give_back`](Self::give_back) takes the buffer again.
    #[must_use = "it holds the bytes"]
    pub fn received(&mut self) -> Option<Buffer> {
        if self.may_read().is_err() {
            return None;
        }
        let Core { shared, now, .. } = &*self.core;
        let taken = shared.socket(self.key, |socket| {
            let buffer = socket.input.take()?;
            said(shared, self.key, (Answer::Received(buffer.len()), None), *now);
            Some(buffer)
        });
        taken.flatten()
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
            self.core.shared.give(buffer);
            return Ok(());
        }
        let mut waiting = Some(buffer);
        let length = waiting.as_ref().map_or(0, |buffer| buffer.len());
        let sent = self.put(length, true, |output, _count, _buffers| {
            waiting.take().into_iter().for_each(|buffer| output.push(buffer));
        });
        match (sent, waiting) {
            (Err(error), Some(buffer)) => Err(SendError { error, buffer }),
            (Ok(_), _) | (_, None) => Ok(()),
        }
    }

    /// An empty buffer, to be filled and sent.
    #[must_use = "it came out of the pool"]
    pub fn buffer(&mut self) -> Buffer {
        self.core.shared.buffer()
    }

    /// Takes a buffer back that [`received`](Self::received) or [`buffer`](Self::buffer) gave out.
    pub fn give_back(&mut self, buffer: Buffer) {
        self.core.shared.give(buffer);
    }

    /// Takes output in: of `length` bytes as many as there is room for, or `whole`. How many that was.
    ///
    /// It is announced and queued with the connection's lock held, as what is sent is told and taken off with it held:
    /// the amount that the machine is told is the whole, so nobody may change it in between.
    fn put(
        &mut self,
        length: usize,
        whole: bool,
        queue: impl FnOnce(&mut Output, usize, &mut Buffers),
    ) -> io::Result<usize> {
        self.make_room();
        let Core { shared, now, .. } = &*self.core;
        let key = self.key;
        let put = shared.socket(key, |socket| {
            let Ok(life) = shared.table.life(key) else { return Err(io::ErrorKind::NotConnected.into()) };
            let length = match (life.send_half(), socket.held) {
                (SendHalf::Idle | SendHalf::Queued, _) | (SendHalf::FinQueued, Held::Open { .. }) => length,
                // After the last word, what was announced before it.
                (SendHalf::FinQueued, Held::Known(bytes)) if bytes == 0 || whole && bytes < length => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                (SendHalf::FinQueued, Held::Known(bytes)) => length.min(bytes),
                // Which of the two it is, is told below.
                (SendHalf::Failed | SendHalf::FinDue | SendHalf::FinSent | SendHalf::Shut, _) => {
                    return Ok(None);
                }
            };
            let room = shared.options.output_limit.saturating_sub(socket.output.len());
            let count = if whole && room > 0 { length } else { room.min(length) };
            let held = socket.held.after(length, count);
            if !announce(shared, key, held.all(socket.output.len() + count), *now) {
                return Ok(None);
            }
            (socket.held, socket.is_told) = (held, false);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            queue(&mut socket.output, count, &mut shared.buffers());
            Ok(Some(count))
        });
        match put {
            Some(Ok(Some(count))) => Ok(count),
            Some(Err(error)) => Err(error),
            Some(Ok(None)) if self.life().is_some_and(|life| life.send_half() == SendHalf::Failed) => {
                Err(self.lost())
            }
            Some(Ok(None)) => Err(io::ErrorKind::BrokenPipe.into()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// What is sent at once makes room.
    fn make_room(&mut self) {
        let Core { shared, .. } = &*self.core;
        let is_full = shared.socket(self.key, |socket| socket.output.len() >= shared.options.output_limit);
        if is_full == Some(true) {
            self.core.push(self.key);
        }
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
        if let Ok(Some(code)) = self.core.shared.table.code(self.key) {
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
        let Core { shared, now, .. } = &*self.core;
        let key = self.key;
        let read = shared.socket(key, |socket| {
            let Some(input) = &mut socket.input else {
                // What comes before the end is here before the end is told, so none of it can be overlooked.
                if shared.table.life(key).is_ok_and(|life| life.receive_half() == ReceiveHalf::Ended) {
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
                socket.input.take().into_iter().for_each(|empty| shared.give(empty));
            }
            said(shared, key, (Answer::Received(count), None), *now);
            Ok(count)
        });
        read.unwrap_or_else(|| Err(io::ErrorKind::NotConnected.into()))
    }
}

impl Write for Io<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.put(bytes.len(), false, |output, count, buffers| {
            output.write(bytes.get(..count).unwrap_or(bytes), buffers);
        })
    }

    /// What was written is sent when the guard is dropped; nothing is held back for more.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Io<'_> {
    fn drop(&mut self) {
        self.core.account(self.key);
        self.core.settle(self.key);
    }
}
