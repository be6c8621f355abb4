//! The loop of report 2: it releases where it notices.
//!
//! [`Naive::release`] is the bug. It is called from two places, the submitting call that fails and the handler of a
//! completion that failed, and each of them is right as long as there is only one operation.

use std::io;
use std::net::{Shutdown, TcpStream};

use compio_driver::op::{Recv, RecvFlags, Send, SendFlags};
use compio_driver::{AsRawFd, Cancel, Key, Proactor, PushEntry, SharedFd};
use socket2::Socket;

use crate::ledger::{Ledger, Thing, Ticket};
use crate::scene::Scene;
use crate::stage::{Program, TURN};

/// What is known of a connection. It stays where it is when it has been closed, as freed memory does.
#[derive(Debug)]
struct Connection {
    scene: Scene,
    socket: Ticket,
    /// Gone as soon as it has been closed once.
    descriptor: Option<SharedFd<Socket>>,
    /// The buffers of its operations.
    buffers: Vec<Ticket>,
}

/// What comes back with a completion: the structure around an `OVERLAPPED`, or what the user data points to.
#[derive(Clone, Copy, Debug)]
struct Operation {
    connection: usize,
    buffer: Ticket,
    /// What it is to send. `None`: it receives.
    sends: Option<&'static [u8]>,
}

impl Operation {
    /// The same, when so much of it has been sent.
    fn without(self, count: usize) -> Self {
        Self { sends: self.sends.and_then(|message| message.get(count..)), ..self }
    }
}

/// An operation that is with the OS.
struct Flight {
    operation: Operation,
    pushed: Pushed,
    cancel: Cancel,
}

/// It, and the memory that it is about, in the driver crate's hands.
enum Pushed {
    Receive(Key<Recv<Vec<u8>, SharedFd<Socket>>>),
    Send(Key<Send<Vec<u8>, SharedFd<Socket>>>),
}

/// The loop.
pub(crate) struct Naive {
    proactor: Proactor,
    ledger: Ledger,
    connections: Vec<Connection>,
    flights: Vec<Flight>,
    /// Connections that have not been closed.
    open: usize,
    failed_at_once: u64,
    failed_later: u64,
}

/// What is left of it.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) ledger: Ledger,
    pub(crate) failed_at_once: u64,
    pub(crate) failed_later: u64,
}

impl Naive {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            proactor: Proactor::new()?,
            ledger: Ledger::default(),
            connections: Vec::new(),
            flights: Vec::new(),
            open: 0,
            failed_at_once: 0,
            failed_later: 0,
        })
    }

    pub(crate) fn finish(self) -> Remains {
        let Self { ledger, failed_at_once, failed_later, .. } = self;
        Remains { ledger, failed_at_once, failed_later }
    }

    // -- Submitting ---------------------------------------------------------------------------------

    fn receive(&mut self, connection: usize) {
        let Some(operation) = self.operation(connection, None) else { return };
        let Some(descriptor) = self.descriptor(connection) else { return };
        match self.proactor.push(Recv::new(descriptor, vec![0; 64], RecvFlags::empty())) {
            PushEntry::Pending(key) => {
                let cancel = self.proactor.register_cancel(&key);
                self.lend(Flight { operation, pushed: Pushed::Receive(key), cancel });
            }
            PushEntry::Ready(result) => self.returned(operation, result.0),
        }
    }

    fn submit_send(&mut self, operation: Operation) {
        let Some(descriptor) = self.descriptor(operation.connection) else { return };
        let message = operation.sends.unwrap_or_default();
        let count = match try_first(&descriptor, message) {
            Ok(count) if count == message.len() => return self.returned(operation, Ok(count)),
            Ok(count) => count,
            Err(error) => return self.returned(operation, Err(error)),
        };
        let operation = operation.without(count);
        let rest = operation.sends.unwrap_or_default().to_vec();
        match self.proactor.push(Send::new(descriptor, rest, SendFlags::empty())) {
            PushEntry::Pending(key) => {
                let cancel = self.proactor.register_cancel(&key);
                self.lend(Flight { operation, pushed: Pushed::Send(key), cancel });
            }
            PushEntry::Ready(result) => self.returned(operation, result.0),
        }
    }

    /// An operation with a buffer of its own, on a connection that is not closed.
    fn operation(&mut self, connection: usize, sends: Option<&'static [u8]>) -> Option<Operation> {
        let to = self.connections.get_mut(connection).filter(|to| to.descriptor.is_some())?;
        let buffer = self.ledger.acquire(Thing::Buffer, to.scene);
        to.buffers.push(buffer);
        Some(Operation { connection, sends, buffer })
    }

    fn descriptor(&self, connection: usize) -> Option<SharedFd<Socket>> {
        self.connections.get(connection)?.descriptor.clone()
    }

    fn lend(&mut self, flight: Flight) {
        self.ledger.lend(flight.operation.buffer, true);
        self.flights.push(flight);
    }

    /// The submitting call has said how it went.
    fn returned(&mut self, operation: Operation, result: io::Result<usize>) {
        match result {
            Ok(count) if count > 0 => self.succeeded(operation, count),
            Ok(_) | Err(_) => {
                self.failed_at_once += 1;
                // The first place.
                self.release(operation);
            }
        }
    }

    // -- Completions --------------------------------------------------------------------------------

    fn completed(&mut self, operation: Operation, result: io::Result<usize>) {
        self.ledger.lend(operation.buffer, false);
        match result {
            Ok(count) if count > 0 => self.succeeded(operation, count),
            Ok(_) | Err(_) => {
                self.failed_later += 1;
                // The second place.
                self.release(operation);
            }
        }
    }

    fn succeeded(&mut self, operation: Operation, count: usize) {
        match operation.sends {
            Some(message) if count < message.len() => self.submit_send(operation.without(count)),
            Some(_) => self.free(operation),
            None => {
                self.free(operation);
                self.receive(operation.connection);
            }
        }
    }

    // -- Releasing ----------------------------------------------------------------------------------

    /// What the usual code does where an operation has failed: frees the operation's buffer, and closes the connection.
    fn release(&mut self, operation: Operation) {
        self.free(operation);
        self.close(operation.connection);
    }

    fn free(&mut self, operation: Operation) {
        self.ledger.release(operation.buffer);
        if let Some(connection) = self.connections.get_mut(operation.connection) {
            connection.buffers.retain(|&buffer| buffer != operation.buffer);
        }
    }

    /// Closes the socket, and frees what else belongs to the connection. What the OS has of it is called off.
    fn close(&mut self, number: usize) {
        let Some(connection) = self.connections.get_mut(number) else { return };
        self.ledger.release(connection.socket);
        for buffer in connection.buffers.drain(..) {
            self.ledger.release(buffer);
        }
        if connection.descriptor.take().is_some() {
            self.open -= 1;
            for flight in self.flights.iter().filter(|flight| flight.operation.connection == number) {
                self.proactor.cancel_token(flight.cancel.clone());
            }
        }
    }
}

/// On a ring, an error arrives at the call only if the call is tried first. How much went out.
#[cfg(target_os = "linux")]
fn try_first(descriptor: &SharedFd<Socket>, message: &[u8]) -> io::Result<usize> {
    use rustix::io::Errno;

    match rustix::net::send(descriptor, message, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(count) => Ok(count),
        Err(Errno::AGAIN) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// On a port, the submitting call itself fails.
#[cfg(windows)]
#[allow(clippy::unnecessary_wraps, reason = "on Linux it fails")]
fn try_first(_descriptor: &SharedFd<Socket>, _message: &[u8]) -> io::Result<usize> {
    Ok(0)
}

impl Program for Naive {
    fn take_in(&mut self, stream: TcpStream, scene: Scene) -> io::Result<()> {
        let descriptor = SharedFd::new(Socket::from(stream));
        self.proactor.attach(descriptor.as_raw_fd())?;
        let socket = self.ledger.acquire(Thing::Socket, scene);
        let descriptor = Some(descriptor);
        self.connections.push(Connection { scene, socket, descriptor, buffers: Vec::new() });
        self.open += 1;
        self.receive(self.connections.len() - 1);
        Ok(())
    }

    fn shut_beneath(&mut self, number: usize) -> io::Result<()> {
        let connection = self.connections.get(number);
        let descriptor = connection.and_then(|connection| connection.descriptor.as_ref());
        descriptor.map_or(Ok(()), |descriptor| descriptor.shutdown(Shutdown::Write))
    }

    fn send(&mut self, number: usize, message: &'static [u8]) {
        if let Some(operation) = self.operation(number, Some(message)) {
            self.submit_send(operation);
        }
    }

    fn abort(&mut self, number: usize) {
        // The receive comes back cancelled, and its handler closes the connection, too.
        self.close(number);
    }

    fn turn(&mut self) -> io::Result<()> {
        match self.proactor.poll(Some(TURN)) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        let mut results = Vec::new();
        for Flight { operation, pushed, cancel } in std::mem::take(&mut self.flights) {
            let landed = match pushed {
                Pushed::Receive(key) => {
                    self.proactor.pop(key).map_pending(Pushed::Receive).map_ready(|result| result.0)
                }
                Pushed::Send(key) => {
                    self.proactor.pop(key).map_pending(Pushed::Send).map_ready(|result| result.0)
                }
            };
            match landed {
                PushEntry::Pending(pushed) => self.flights.push(Flight { operation, pushed, cancel }),
                PushEntry::Ready(result) => results.push((operation, result)),
            }
        }
        for (operation, result) in results {
            self.completed(operation, result);
        }
        Ok(())
    }

    fn left(&self) -> usize {
        self.open + self.flights.len()
    }
}
