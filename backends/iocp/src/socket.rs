//! A socket, and the bytes on their way through it.

use std::net::{SocketAddr, TcpStream};
use std::os::windows::io::{AsRawSocket, RawSocket};
use std::sync::Arc;

use hangup::{Buffer, Operation, Pool};

use crate::os::Flight;
use crate::output::{Held, Output};
use crate::turns::Turn;

/// What one connection owns. Behind the table's lock: one worker at a time.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Shared with the worker that has the turn, and with nobody when it is released.
    stream: Arc<TcpStream>,
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
    /// Output that the application holds.
    pub(crate) held: Held,
    /// Whether the application has had a turn since that was lost.
    pub(crate) is_told: bool,
    /// What the receive that is in flight asked for.
    pub(crate) has_room: bool,
    /// Whether what the last receive has brought is for the application.
    pub(crate) is_kept: bool,
    /// Whether a receive without room was answered although there was nothing to receive.
    pub(crate) in_vain: bool,
    /// The numbers of what is in flight: connect, receive, send.
    flights: [u64; 3],
    /// Whether the application wants no input.
    pub(crate) paused: bool,
    /// Something that the application is to be told once.
    pub(crate) news: News,
    /// Whose turn it is.
    pub(crate) turn: Turn,
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
            stream: Arc::new(stream),
            state,
            skips,
            peer: None,
            input: None,
            output: Output::default(),
            held: Held::Known(0),
            is_told: false,
            has_room: false,
            is_kept: false,
            in_vain: false,
            flights: [0; 3],
            paused: false,
            news: News::default(),
            turn: Turn::Nobody,
        }
    }

    /// The stream, to be asked and told.
    pub(crate) const fn stream(&self) -> &Arc<TcpStream> {
        &self.stream
    }

    /// The number that the OS knows it by. Good as long as this value is, and so as long as an operation is claimed.
    pub(crate) fn raw(&self) -> RawSocket {
        self.stream.as_raw_socket()
    }

    /// Remembers the number of an operation that has been claimed.
    pub(crate) fn claimed(&mut self, operation: Operation, user_data: u64) {
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
        for buffer in self.input.take().into_iter().chain(self.output.drain()) {
            buffers.give(buffer);
        }
    }
}

fn place(operation: Operation) -> Option<usize> {
    [Operation::Connect, Operation::Receive, Operation::Send].iter().position(|&other| other == operation)
}

/// The port's pool. What is of another size came from the application, and is not the pool's.
#[derive(Debug)]
pub(crate) struct Buffers {
    pool: Pool,
    size: usize,
}

/// The buffers of a port, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stock {
    /// How many have been given out and have not come back.
    pub out: u64,
    /// How many are kept for the next who asks.
    pub kept: usize,
}

impl Buffers {
    pub(crate) fn new(size: usize, keep: usize) -> Self {
        Self { pool: Pool::new(size, keep), size }
    }

    pub(crate) fn stock(&self) -> Stock {
        Stock { out: self.pool.out(), kept: self.pool.kept() }
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

/// The memory of operations that are over, for those to come. Of one worker; what is too much for it is freed, since
/// what one submits another may reap.
#[derive(Debug, Default)]
pub(crate) struct Flights(Vec<Flight>);

impl Flights {
    /// As many as may come back before the next is needed.
    const KEPT: usize = 256;

    pub(crate) fn take(&mut self) -> Flight {
        self.0.pop().unwrap_or_else(Flight::new)
    }

    pub(crate) fn keep(&mut self, flight: Flight) {
        if self.0.len() < Self::KEPT {
            self.0.push(flight);
        }
    }
}
