//! A socket, and the bytes on their way through it.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::os::windows::io::{AsRawSocket, RawSocket};

use hangup::{Buffer, Operation, Pool};

/// What one connection owns.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// Where the application's state is.
    pub(crate) state: usize,
    /// Whether an operation that succeeds at once sends no packet.
    pub(crate) skips: bool,
    /// Whom to connect to.
    pub(crate) peer: Option<SocketAddr>,
    /// Received, and not yet taken by the application. As long as there is some, nothing more is received.
    pub(crate) input: Option<Buffer>,
    /// To be sent.
    pub(crate) output: Output,
    /// What the receive that is in flight asked for.
    pub(crate) has_room: bool,
    /// Whether a receive without room was answered although there was nothing to receive.
    pub(crate) in_vain: bool,
    /// The numbers of what is in flight: connect, receive, send.
    flights: [u64; 3],
    /// Whether the application wants no input.
    pub(crate) paused: bool,
    /// Something that the application is to be told once.
    pub(crate) news: News,
    /// Whether it is in the list of those with something to do.
    pub(crate) queued: bool,
}

/// What the application is to be told once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// The connect has succeeded.
    pub(crate) connected: bool,
    /// The peer has finished.
    pub(crate) end: bool,
    /// The connection is lost. It is not given back before the application has had its turn.
    pub(crate) loss: bool,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, state: usize, skips: bool) -> Self {
        Self {
            stream,
            state,
            skips,
            peer: None,
            input: None,
            output: Output::default(),
            has_room: false,
            in_vain: false,
            flights: [0; 3],
            paused: false,
            news: News::default(),
            queued: false,
        }
    }

    /// The stream, to be asked and told.
    pub(crate) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The number that the OS knows it by. Good as long as this value is.
    pub(crate) fn raw(&self) -> RawSocket {
        self.stream.as_raw_socket()
    }

    /// Remembers the number of an operation that has been submitted.
    pub(crate) fn submitted(&mut self, operation: Operation, user_data: u64) {
        if let Some(flight) = place(operation).and_then(|at| self.flights.get_mut(at)) {
            *flight = user_data;
        }
    }

    /// The number of the last operation of this kind.
    pub(crate) fn flight(&self, operation: Operation) -> u64 {
        place(operation).and_then(|at| self.flights.get(at)).copied().unwrap_or_default()
    }

    /// Gives the buffers back that are not with the OS.
    pub(crate) fn give_back(&mut self, buffers: &mut Buffers) {
        for buffer in self.input.take().into_iter().chain(self.output.queue.drain(..)) {
            buffers.give(buffer);
        }
    }
}

fn place(operation: Operation) -> Option<usize> {
    [Operation::Connect, Operation::Receive, Operation::Send].iter().position(|&other| other == operation)
}

/// The driver's pool. What is of another size came from the application, and is not the pool's.
#[derive(Debug)]
pub(crate) struct Buffers {
    pool: Pool,
    size: usize,
}

impl Buffers {
    pub(crate) fn new(size: usize, keep: usize) -> Self {
        Self { pool: Pool::new(size, keep), size }
    }

    pub(crate) const fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn take(&mut self) -> Buffer {
        self.pool.take()
    }

    pub(crate) fn give(&mut self, buffer: Buffer) {
        if buffer.capacity() == self.size {
            self.pool.give(buffer);
        }
    }
}

/// What was written and not yet sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Output {
    queue: VecDeque<Buffer>,
    /// Bytes in the queue.
    queued: usize,
    /// Bytes that the OS has.
    lent: usize,
}

impl Output {
    /// How many bytes there are, with those that the OS has.
    pub(crate) const fn len(&self) -> usize {
        self.queued + self.lent
    }

    /// Copies in what `limit` leaves room for. How much that was.
    pub(crate) fn write(&mut self, mut bytes: &[u8], limit: usize, buffers: &mut Buffers) -> usize {
        bytes = bytes.get(..limit.saturating_sub(self.len())).unwrap_or(bytes);
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            if self.queue.back().is_none_or(|last| last.room() == 0) {
                self.queue.push_back(buffers.take());
            }
            let count = self.queue.back_mut().map_or(0, |last| last.append(rest));
            if count == 0 {
                break;
            }
            written += count;
        }
        self.queued += written;
        written
    }

    /// Puts a whole buffer behind the rest.
    pub(crate) fn push(&mut self, buffer: Buffer) {
        self.queued += buffer.len();
        self.queue.push_back(buffer);
    }

    /// The next buffer to be sent. It counts until [`sent`](Self::sent).
    pub(crate) fn lend(&mut self) -> Option<Buffer> {
        let buffer = self.queue.pop_front()?;
        self.queued -= buffer.len();
        self.lent = buffer.len();
        Some(buffer)
    }

    /// So much of the buffer was sent; the rest is the next to be sent.
    pub(crate) fn sent(&mut self, mut buffer: Buffer, count: usize, buffers: &mut Buffers) {
        self.lent = 0;
        buffer.consume(count);
        if buffer.is_empty() {
            buffers.give(buffer);
        } else {
            self.queued += buffer.len();
            self.queue.push_front(buffer);
        }
    }
}
