//! The connections of one port.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hangup::{Audit, Command, Input, InputError, Key, Mechanism, Moment, Plan, Policy, Pool, Report, Table};
use slab::Slab;
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use thiserror::Error;

use crate::acceptor::Acceptor;
use crate::guard::{Guard, Io};
use crate::os::{self, Event, Flight, Port};
use crate::socket::{Buffers, Socket};

/// The connections of one completion port. `S` is the application's state of one connection.
///
/// The loop is the application's. Each round it does this, in this order:
///
/// 1. [`wait`](Self::wait): take what the OS has finished, look at the clock, let deadlines pass;
/// 2. [`next`](Self::next), until it is `None`, and use each connection that comes;
/// 3. [`incoming`](Self::incoming), until it is `None`, if it [`listen`](Self::listen)s;
/// 4. [`ended`](Self::ended), until it is `None`: reports.
///
/// Operations are submitted, cancelled and reaped, and connections shut down and closed, here and nowhere else,
/// whatever ends them. Dropping the driver aborts them all, and gives nothing free that the OS has.
#[derive(Debug)]
pub struct Driver<S> {
    pub(crate) core: Core,
    states: Slab<S>,
}

/// Everything but the application's states.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) port: Arc<Port>,
    pub(crate) table: Table<Socket, Flight>,
    pub(crate) options: Options,
    pub(crate) buffers: Buffers,
    /// The memory of operations that are over, for those to come.
    pub(crate) flights: Vec<Flight>,
    pub(crate) acceptor: Acceptor,
    pub(crate) now: Moment,
    pub(crate) epoch: Instant,
    /// What has come out of the port and is not looked at yet.
    pub(crate) events: Vec<Event>,
    /// Connections with something to do for the application.
    pub(crate) ready: VecDeque<Key>,
    /// How many of them have their turn in this round.
    pub(crate) turns: usize,
    /// Connections that want something for which the OS had no room just now.
    pub(crate) later: Vec<Key>,
    /// Connections that had as many rounds in a row as one may have.
    pub(crate) soon: Vec<Key>,
    /// Connections that have ended and whose reports have not been fetched.
    pub(crate) done: VecDeque<Done>,
}

#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) key: Key,
    pub(crate) state: usize,
    pub(crate) report: Report,
}

/// A connection that has ended: its socket is closed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended<S> {
    /// Its key. Stale by now.
    pub key: Key,
    /// The application's state, given back.
    pub state: S,
    /// What there is to say about it.
    pub report: Report,
}

/// How a driver goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `FILE_SKIP_COMPLETION_PORT_ON_SUCCESS`: an operation that succeeds at once sends no packet. Fewer turns
    /// through the port; some old socket providers cannot do it, and then it is left out.
    pub skip_on_success: bool,
    /// Receives ask for nothing until there is something: a connection that is idle holds no buffer. A call more
    /// for each receive.
    pub zero_byte_receives: bool,
    /// The size of a buffer, in bytes.
    pub buffer_size: usize,
    /// How much output a connection takes before a write would block, in bytes.
    pub output_limit: usize,
}

impl Default for Options {
    /// Skips, receives into buffers of 16 KiB, and holds 64 KiB of output.
    fn default() -> Self {
        Self {
            skip_on_success: true,
            zero_byte_receives: false,
            buffer_size: 16 * 1024,
            output_limit: 64 * 1024,
        }
    }
}

/// A stream could not be taken in; here is everything again.
#[derive(Debug, Error)]
#[error("connection not taken in: {error}")]
#[non_exhaustive]
pub struct AcceptError<S> {
    /// Why.
    #[source]
    pub error: io::Error,
    /// The stream.
    pub stream: TcpStream,
    /// The application's state.
    pub state: S,
}

/// A connect could not be begun; here is the state again.
#[derive(Debug, Error)]
#[error("connect not begun: {error}")]
#[non_exhaustive]
pub struct ConnectError<S> {
    /// Why.
    #[source]
    pub error: io::Error,
    /// The application's state.
    pub state: S,
}

/// Brings a driver back from [`Driver::wait`], from any thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Port>);

impl Waker {
    /// Brings it back, also if it waits only later.
    ///
    /// # Errors
    ///
    /// If the OS is short of memory.
    pub fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}

/// How many buffers are kept that nobody uses.
const KEPT: usize = 256;

impl<S> Driver<S> {
    /// No connections yet.
    ///
    /// # Errors
    ///
    /// If there is no completion port to be had.
    pub fn new(policy: Policy) -> io::Result<Self> {
        Self::with_options(policy, Options::default())
    }

    /// As [`Driver::new`], with options.
    ///
    /// # Errors
    ///
    /// As [`Driver::new`].
    pub fn with_options(policy: Policy, options: Options) -> io::Result<Self> {
        let options = Options {
            buffer_size: options.buffer_size.max(1),
            output_limit: options.output_limit.max(1),
            ..options
        };
        let core = Core {
            port: Arc::new(Port::new()?),
            table: Table::new(Mechanism::Port, policy),
            options,
            buffers: Buffers::new(options.buffer_size, KEPT),
            flights: Vec::new(),
            acceptor: Acceptor::default(),
            now: Moment::EPOCH,
            epoch: Instant::now(),
            events: Vec::new(),
            ready: VecDeque::new(),
            turns: 0,
            later: Vec::new(),
            soon: Vec::new(),
            done: VecDeque::new(),
        };
        Ok(Self { core, states: Slab::new() })
    }

    /// Takes in a stream that was accepted, and begins to receive. From here on it belongs to this driver: no
    /// clone of it may be used for overlapped operations elsewhere.
    ///
    /// # Errors
    ///
    /// [`AcceptError`], with the stream, if it cannot be associated with the port (it has one already), or the
    /// table is full.
    pub fn accept(&mut self, stream: TcpStream, state: S) -> Result<Key, AcceptError<S>> {
        let skips = match adopt(&self.core, &stream) {
            Ok(skips) => skips,
            Err(error) => return Err(AcceptError { error, stream, state }),
        };
        let vacant = match self.core.table.vacant() {
            Ok(vacant) => vacant,
            Err(full) => return Err(AcceptError { error: io::Error::other(full), stream, state }),
        };
        let place = self.states.insert(state);
        let key = vacant.accept(Socket::new(stream, place, skips), self.core.now);
        self.core.settle(key);
        Ok(key)
    }

    /// Begins a connect. How it went is told by a guard ([`Io::is_connected`]) or by the report.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no socket to be had or the table is full. A connect that fails, at once or
    /// later, is no error here: it ends with a report.
    pub fn connect(&mut self, peer: SocketAddr, state: S) -> Result<Key, ConnectError<S>> {
        let made =
            new_socket(peer).and_then(|stream| adopt(&self.core, &stream).map(|skips| (stream, skips)));
        let (stream, skips) = match made {
            Ok(made) => made,
            Err(error) => return Err(ConnectError { error, state }),
        };
        let vacant = match self.core.table.vacant() {
            Ok(vacant) => vacant,
            Err(full) => return Err(ConnectError { error: io::Error::other(full), state }),
        };
        let place = self.states.insert(state);
        let mut socket = Socket::new(stream, place, skips);
        socket.peer = Some(peer);
        let key = vacant.connect(socket, self.core.now);
        self.core.settle(key);
        Ok(key)
    }

    /// Waits for what the OS finishes: until something is there for the application, a deadline passes, somebody
    /// [wakes](Waker) it, or `limit` has passed. Then takes everything that has come, looks at the clock, and
    /// lets deadlines pass.
    ///
    /// # Errors
    ///
    /// If the wait itself fails. That says nothing about any connection, and none has been touched.
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.core.wait(limit)
    }

    /// The next connection with something for the application to do: read, write, or take note that it is connected
    /// or lost. Ask until it is `None`, once a round.
    ///
    /// Each has one turn between two [`wait`](Self::wait)s: whoever still has something to do after it waits for
    /// the next round, which begins at once.
    #[allow(clippy::should_implement_trait, reason = "what it lends does not outlive the next call")]
    pub fn next(&mut self) -> Option<Guard<'_, S>> {
        let (key, work) = self.core.next_ready()?;
        self.lend(key, work)
    }

    /// The connection of a key, whatever it is doing: to queue output, to resume it, to close it.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn get(&mut self, key: Key) -> Result<Guard<'_, S>, InputError> {
        self.core.table.get_mut(key)?;
        let work = self.core.work(key);
        self.lend(key, work).ok_or(InputError::Stale(key))
    }

    fn lend(&mut self, key: Key, work: Work) -> Option<Guard<'_, S>> {
        let place = self.core.table.get(key).ok()?.state;
        let state = self.states.get_mut(place)?;
        Some(Guard { io: Io::new(&mut self.core, key, work), state })
    }

    /// The next connection that has ended.
    pub fn ended(&mut self) -> Option<Ended<S>> {
        let Done { key, state, report } = self.core.done.pop_front()?;
        Some(Ended { key, state: self.states.try_remove(state)?, report })
    }

    /// Closes every connection according to `plan`. They end with their reports, each within its deadlines.
    /// Listeners go on listening: see [`stop_listening`](Self::stop_listening).
    pub fn drain(&mut self, plan: Plan) {
        let keys: Vec<Key> = self.core.table.keys().collect();
        for key in keys {
            self.core.command(key, Command::Close(plan));
            self.core.settle(key);
        }
    }

    /// What brings this driver back from its wait, from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.core.port))
    }

    /// The keys of all connections.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.core.table.keys()
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.core.table.is_empty()
    }

    /// What has come in, what has gone out, what was turned away, and what the OS has.
    #[must_use]
    pub fn audit(&self) -> Audit {
        self.core.table.audit()
    }

    /// The buffers: how many are out, and how many are kept.
    #[must_use]
    pub const fn pool(&self) -> &Pool {
        self.core.buffers.pool()
    }
}

/// What there is to do for the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) connected: bool,
}

impl Work {
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl Core {
    pub(crate) fn command(&mut self, key: Key, command: Command) -> bool {
        self.table.input(key, Input::Command(command), self.now).is_ok()
    }
}

/// Lets a socket's packets come to the port. Whether it sends none when it succeeds at once.
fn adopt(core: &Core, stream: &TcpStream) -> io::Result<bool> {
    if core.options.zero_byte_receives {
        stream.set_nonblocking(true)?;
    }
    core.port.associate(stream)?;
    Ok(core.options.skip_on_success && os::set_skip_on_success(stream).is_ok())
}

/// A socket of the peer's address family, bound, as `ConnectEx` wants it.
fn new_socket(peer: SocketAddr) -> io::Result<TcpStream> {
    let socket = RawSocket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
    let any: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    socket.bind(&any.into())?;
    Ok(socket.into())
}
