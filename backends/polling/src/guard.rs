//! Reading, writing and closing one connection.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::TcpStream;

use hangup::{Blame, Cause, Command, Key, Life, Plan, ReceiveHalf, SendHalf, Timeout};

use crate::driver::{Core, Work};
use crate::input;
use crate::socket::Held;

/// One connection, while the application has something to do with it.
///
/// When it is dropped, everything that follows is performed: interest changed, FIN sent, socket released.
#[derive(Debug)]
#[must_use = "there is something to do: read until it would block, write what is queued"]
pub struct Guard<'a, S> {
    /// The connection.
    pub io: Io<'a>,
    /// The application's state. A field of its own, so that it can be borrowed beside `io`.
    pub state: &'a mut S,
}

/// Reads, writes and closes. `read` and `write` are those of [`std::io`]: `WouldBlock` means "later", and the
/// guard comes back then. Other errors end the connection, and the driver has seen them too: whoever pauses or keeps
/// the connection after one only puts the end off, until [`Policy::half_closed`](hangup::Policy).
#[derive(Debug)]
pub struct Io<'a> {
    core: &'a mut Core,
    key: Key,
    work: Work,
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

    /// Whether there may be something to read, or an end to be found by reading.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        self.work.readable
    }

    /// Whether queued output can be written now.
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

    /// The stream, for its addresses and options. Reads and writes go through [`Read`] and [`Write`] here:
    /// an error that the stream gives to somebody else is lost for the report.
    #[must_use]
    pub fn stream(&self) -> Option<&TcpStream> {
        self.core.stream(self.key)
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
        let taken = self.core.hold(self.key, Held::exactly(bytes));
        if taken { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Stops the guard from coming for input: it is the application's own wait, and has no deadline, until the OS has
    /// hung up or we have finished. Resets are still noticed where the system tells
    /// (see the table in the source of `input`); a FIN is found after [`resume`](Self::resume).
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
    /// Under [`Plan::Flush`] and [`Plan::Linger`] the guard still comes for output that is queued.
    pub fn close(&mut self, plan: Plan) {
        self.core.command(self.key, Command::Close(plan));
    }

    /// Says why the application is about to close, unless a cause is known already.
    pub fn blame(&mut self, blame: Blame) {
        self.core.command(self.key, Command::Blame(blame));
    }

    fn receive(&mut self, call: impl Fn(&mut &TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        // A zero that may hide an error makes the machine ask first; then the same call tells.
        for _ in 0..2 {
            match self.life().map(Life::receive_half) {
                Some(ReceiveHalf::Open | ReceiveHalf::Paused) => {}
                Some(ReceiveHalf::Ended) => return Ok(0),
                Some(ReceiveHalf::Failed) => return Err(self.lost()),
                Some(ReceiveHalf::Discarding | ReceiveHalf::Shut) | None => {
                    return Err(io::ErrorKind::NotConnected.into());
                }
            }
            let Some(mut stream) = self.core.stream(self.key) else {
                return Err(io::ErrorKind::NotConnected.into());
            };
            let result = call(&mut stream);
            let (answer, code) = input::received(&result);
            self.core.answer(self.key, answer, code);
            if !matches!(result, Ok(0)) {
                return result;
            }
            self.core.ask_if_wanted(self.key);
        }
        match self.life().map(Life::receive_half) {
            Some(ReceiveHalf::Failed) => Err(self.lost()),
            Some(ReceiveHalf::Ended) => Ok(0),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn send(
        &mut self,
        length: usize,
        call: impl Fn(&mut &TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        match self.life() {
            Some(life) if life.phase().is_connecting() => {
                self.offered(length, 0);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Some(life) => match life.send_half() {
                SendHalf::Idle | SendHalf::Queued | SendHalf::FinQueued => {}
                SendHalf::Failed => return Err(self.lost()),
                SendHalf::FinDue | SendHalf::FinSent | SendHalf::Shut => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            },
            None => return Err(io::ErrorKind::NotConnected.into()),
        }
        let Some(mut stream) = self.core.stream(self.key) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let result = call(&mut stream);
        self.offered(length, result.as_ref().map_or(0, |&count| count));
        let (answer, code) = input::sent(&result);
        self.core.answer(self.key, answer, code);
        result
    }

    /// What was offered and not taken is output that the application holds. Before the answer is fed: the table
    /// subtracts what was taken.
    fn offered(&mut self, length: usize, taken: usize) {
        let Some(held) = self.held() else { return };
        let is_blocked = taken < length;
        if !is_blocked && held == Held::default() {
            return;
        }
        if held.is_exact {
            let bytes = held.bytes.max(length);
            if bytes > held.bytes && is_blocked {
                self.core.command(self.key, Command::Output(bytes));
            }
            let left = if is_blocked { bytes } else { held.bytes }.saturating_sub(taken);
            self.hold(Held { bytes: left, is_exact: left > 0, is_blocked, is_told: false });
        } else {
            let bytes = held.bytes.saturating_sub(taken).max(length - taken);
            if is_blocked && held.bytes == 0 {
                // More than any write will take: the end is said when it is known.
                self.core.command(self.key, Command::Output(usize::MAX));
            }
            self.hold(Held { bytes, is_exact: false, is_blocked, is_told: false });
        }
    }

    fn held(&self) -> Option<Held> {
        self.core.table.get(self.key).ok().map(|socket| socket.held)
    }

    fn hold(&mut self, held: Held) {
        if let Ok(socket) = self.core.table.get_mut(self.key) {
            socket.held = held;
        }
    }

    /// At the end of a turn: if the last write took everything, nothing is left.
    fn account(&mut self) {
        let Some(held) = self.held() else { return };
        let is_open = self.core.table.pending(self.key).is_ok_and(|pending| pending > 0);
        if is_open && !held.is_exact && !held.is_blocked {
            self.hold(Held::default());
            self.core.command(self.key, Command::Output(0));
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
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let buffer = std::cell::RefCell::new(buffer);
        self.receive(|stream| stream.read(&mut buffer.borrow_mut()))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Ok(0);
        }
        let buffers = std::cell::RefCell::new(buffers);
        self.receive(|stream| stream.read_vectored(&mut buffers.borrow_mut()))
    }
}

impl Write for Io<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.send(bytes.len(), |stream| stream.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if length == 0 {
            return Ok(0);
        }
        self.send(length, |stream| stream.write_vectored(slices))
    }

    /// There is no buffer here.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Io<'_> {
    fn drop(&mut self) {
        self.account();
        self.core.settle(self.key);
    }
}
