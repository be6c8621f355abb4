//! The connections of one ring.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hangup::shared::Mailbox;
use hangup::{
    Audit, Buffer, Command, Input, InputError, Key, Mechanism, Moment, Plan, Policy, Pool, Report, Table,
};
use slab::Slab;
use socket2::{Domain, Protocol, SockAddr, Socket as RawSocket, Type};
use thiserror::Error;

use crate::acceptor::Listener;
use crate::guard::{Guard, Io};
use crate::options::{Counts, Leftover, Options, Shots};
use crate::os::buffers::BufferRing;
use crate::os::ring::{Completion, Needs, Ring, RingError};
use crate::os::waker::Waker;
use crate::remote::Remote;
use crate::socket::Socket;

/// The connections of one ring. `S` is the application's state of one connection.
///
/// The loop is the application's. Each round it does this:
///
/// 1. [`wait`](Self::wait): submit, wait, take completions out, let deadlines pass;
/// 2. [`next`](Self::next), until it is `None`: connections with something to do;
/// 3. [`incoming`](Self::incoming), until it is `None`: streams, for [`accept`](Self::accept);
/// 4. [`ended`](Self::ended), until it is `None`: reports.
///
/// Use it from one thread: the kernel cancels what a thread has submitted when that thread ends. Several workers have a
/// driver each, and command each other's connections by a [`Remote`].
///
/// Dropping the driver aborts every connection, waits a second for what the kernel owes, and leaks what has not come
/// back by then ([`shut_down`](Self::shut_down) says how much that was).
#[derive(Debug)]
pub struct Driver<S> {
    core: Core,
    states: Slab<S>,
}

/// Everything but the application's states.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) ring: Ring,
    pub(crate) table: Table<Socket, Buffer>,
    pub(crate) pool: Pool,
    pub(crate) options: Options,
    pub(crate) counts: Counts,
    pub(crate) now: Moment,
    epoch: Instant,
    /// Connections with something to do for the application.
    pub(crate) again: VecDeque<Key>,
    /// How many of them have their turn in this round.
    pub(crate) turns: usize,
    /// Connections of which something could not be performed yet.
    pub(crate) unsettled: VecDeque<Key>,
    /// Connections that have ended and whose reports have not been fetched.
    pub(crate) done: VecDeque<Done>,
    pub(crate) listeners: Vec<Listener>,
    /// Whether the ring is to accept.
    pub(crate) accepts: bool,
    /// Whether the listeners are being closed.
    pub(crate) closes_door: bool,
    pub(crate) waker: Waker,
    /// Whether the ring watches the waker.
    pub(crate) watches_waker: bool,
    /// What other threads ask for.
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) batch: Vec<Completion>,
    /// Whether it has been taken down, and what was left.
    pub(crate) down: Option<Leftover>,
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

impl<S> Driver<S> {
    /// A ring without connections.
    ///
    /// # Errors
    ///
    /// [`RingError`] if the kernel has no io_uring, does not let us use it, or lacks an operation.
    pub fn new(policy: Policy) -> Result<Self, RingError> {
        Self::with_options(policy, Options::default())
    }

    /// As [`Driver::new`], with a ring of a certain kind.
    ///
    /// # Errors
    ///
    /// As [`Driver::new`]. What the options ask for is there, or there is no driver.
    pub fn with_options(policy: Policy, options: Options) -> Result<Self, RingError> {
        if options.entries == 0 || options.buffer_size == 0 || options.output == 0 {
            return Err(RingError::Option("a queue, a buffer and the output hold at least one"));
        }
        if !options.buffers.is_power_of_two() || options.buffers > 1 << 15 {
            return Err(RingError::Option("buffers to choose from are a power of two, up to 32,768"));
        }
        let needs = Needs {
            multishot_receive: options.receive == Shots::Multishot,
            multishot_accept: options.accept == Shots::Multishot,
            zero_copy: options.zero_copy.is_some(),
        };
        let completions = options.completions.max(options.entries);
        let waker = Waker::new().map_err(RingError::Os)?;
        let mut ring = Ring::new(options.entries, completions, needs)?;
        let mut pool = Pool::new(options.buffer_size, options.keep);
        if needs.multishot_receive {
            ring.provide(BufferRing::new(options.buffers, &mut pool))?;
        }
        let table = Table::new(Mechanism::Ring, policy);
        let mailbox = Arc::new(Mailbox::new(table.id()));
        let core = Core {
            ring,
            table,
            pool,
            options,
            counts: Counts::default(),
            now: Moment::EPOCH,
            epoch: Instant::now(),
            again: VecDeque::new(),
            turns: 0,
            unsettled: VecDeque::new(),
            done: VecDeque::new(),
            listeners: Vec::new(),
            accepts: true,
            closes_door: false,
            waker,
            watches_waker: false,
            mailbox,
            batch: Vec::new(),
            down: None,
        };
        Ok(Self { core, states: Slab::new() })
    }

    /// Accepts from a listener, from the next [`wait`](Self::wait) on. What comes is fetched with
    /// [`incoming`](Self::incoming).
    ///
    /// # Errors
    ///
    /// If the listener cannot be made blocking: the ring waits where a nonblocking descriptor would refuse.
    pub fn listen(&mut self, listener: TcpListener) -> io::Result<()> {
        self.core.listeners.push(Listener::new(listener)?);
        Ok(())
    }

    /// The next stream that was accepted. Ask until it is `None`, once a round: while streams wait to be fetched, the
    /// ring accepts no more, or not many. Its `peer_addr` fails if the peer has reset it already.
    ///
    /// # Errors
    ///
    /// Only if a listener is broken. It is not asked any more.
    pub fn incoming(&mut self) -> io::Result<Option<TcpStream>> {
        self.core.next_incoming()
    }

    /// Whether the ring is to accept, from the next [`wait`](Self::wait) on: `true` from the start. A server that is full
    /// says `false`, and who comes waits in the listener's queue.
    pub fn set_accepting(&mut self, accepts: bool) {
        self.core.set_accepting(accepts);
    }

    /// Lets nobody else in: the listeners are closed as soon as the ring has given them back. Streams that have been
    /// accepted and not fetched are closed.
    pub fn stop_listening(&mut self) {
        self.core.stop_accepting();
    }

    /// Takes in a stream that was accepted.
    ///
    /// # Errors
    ///
    /// [`AcceptError`], with the stream, if it cannot be made blocking or the table is full.
    pub fn accept(&mut self, stream: TcpStream, state: S) -> Result<Key, AcceptError<S>> {
        if let Err(error) = stream.set_nonblocking(false) {
            return Err(AcceptError { error, stream, state });
        }
        let vacant = match self.core.table.vacant() {
            Ok(vacant) => vacant,
            Err(full) => return Err(AcceptError { error: io::Error::other(full), stream, state }),
        };
        let place = self.states.insert(state);
        let key = vacant.accept(Socket::new(stream, place), self.core.now);
        // Not at once: the application may want to pause it first.
        self.core.settle_later(key);
        Ok(key)
    }

    /// Begins a connect. How it went is told by a guard ([`Io::is_connected`]) or by the report.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no socket to be had or the table is full. A connect that fails is no error here: it
    /// ends with a report.
    pub fn connect(&mut self, peer: SocketAddr, state: S) -> Result<Key, ConnectError<S>> {
        let socket = match RawSocket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP)) {
            Ok(socket) => socket,
            Err(error) => return Err(ConnectError { error, state }),
        };
        let vacant = match self.core.table.vacant() {
            Ok(vacant) => vacant,
            Err(full) => return Err(ConnectError { error: io::Error::other(full), state }),
        };
        let place = self.states.insert(state);
        let mut socket = Socket::new(socket.into(), place);
        socket.peer = Some(Box::new(SockAddr::from(peer)));
        let key = vacant.connect(socket, self.core.now);
        self.core.settle(key);
        // On its way at once. If the kernel takes nothing now, the next wait hands it over.
        drop(self.core.ring.submit());
        Ok(key)
    }

    /// Hands over what is to be submitted, waits until something has completed, a deadline has come or `limit` is
    /// over, takes in everything that has completed, and performs what other threads have asked for.
    ///
    /// # Errors
    ///
    /// What the kernel said of the ring itself.
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let core = &mut self.core;
        core.settle_all();
        if core.closes_door {
            core.stop_accepting();
        } else {
            core.accept_more();
        }
        core.watch_waker();
        let limit = [limit, core.timeout()].into_iter().flatten().min();
        core.counts.waits += 1;
        core.ring.wait(limit)?;
        core.tick();
        core.reap();
        core.obey();
        core.expire();
        core.turns = core.again.len();
        Ok(())
    }

    /// A connection with something to do. Ask until it is `None`, once a round.
    ///
    /// Each has one turn between two [`wait`](Self::wait)s: whoever still has something to do after it waits for the
    /// next round, which begins at once. A turn in which nothing is read or written is not repeated before something
    /// new has happened to the connection, or it was used by way of [`get`](Self::get). What was resumed or announced in
    /// the turn is new, if it can be read or written already.
    #[allow(clippy::should_implement_trait, reason = "what it lends does not outlive the next call")]
    pub fn next(&mut self) -> Option<Guard<'_, S>> {
        let (key, work) = self.core.next_again()?;
        self.lend(key, work)
    }

    /// The connection of a key, whatever it is doing: to queue output, to resume it, to close it.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn get(&mut self, key: Key) -> Result<Guard<'_, S>, InputError> {
        self.core.table.get_mut(key)?;
        self.lend(key, Work::default()).ok_or(InputError::Stale(key))
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
    pub fn drain(&mut self, plan: Plan) {
        self.core.close_all(plan);
    }

    /// Brings [`wait`](Self::wait) back from other threads.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.core.waker.clone()
    }

    /// Commands connections from other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote::new(&self.core.mailbox, &self.core.waker)
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

    /// What has come in, what has gone out, and what was turned away.
    #[must_use]
    pub fn audit(&self) -> Audit {
        self.core.table.audit()
    }

    /// What happened at the ring.
    #[must_use]
    pub fn counts(&mut self) -> Counts {
        let idle = self.core.ring.buffers().map_or(0, |buffers| buffers.held() as u64);
        Counts {
            full: self.core.ring.full,
            overflows: self.core.ring.overflows,
            buffers: self.core.pool.out().saturating_sub(idle),
            ..self.core.counts
        }
    }

    /// Takes the driver down: accepts nothing more, aborts every connection, and waits for what the kernel owes, at most
    /// for `limit`.
    pub fn shut_down(mut self, limit: Duration) -> Leftover {
        self.core.take_down(limit)
    }
}

/// What there is to do for the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// Output is lost, and it has not been told.
    pub(crate) lost: bool,
    pub(crate) connected: bool,
}

impl Work {
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// Whether there is something to do that was not among `before`.
    pub(crate) fn is_more_than(self, before: Self) -> bool {
        let Self { readable, writable, lost, connected } = self;
        readable && !before.readable
            || writable && !before.writable
            || lost && !before.lost
            || connected && !before.connected
    }
}

impl Core {
    pub(crate) fn command(&mut self, key: Key, command: Command) -> bool {
        self.table.input(key, Input::Command(command), self.now).is_ok()
    }

    pub(crate) fn tick(&mut self) {
        self.now = Moment::since_epoch(self.epoch.elapsed());
    }

    /// How long the ring may wait: until the next deadline, or not at all if there is something to do.
    fn timeout(&self) -> Option<Duration> {
        if !(self.again.is_empty() && self.done.is_empty() && self.unsettled.is_empty()) {
            return Some(Duration::ZERO);
        }
        let now = Moment::since_epoch(self.epoch.elapsed());
        let pauses = self.listeners.iter().filter_map(Listener::paused).filter(|&until| until > self.now);
        self.table.next_deadline().into_iter().chain(pauses).min().map(|when| when.since(now))
    }

    /// A buffer that nobody needs any more. One that the application brought is not kept.
    pub(crate) fn give(&mut self, buffer: Buffer) {
        if buffer.capacity() == self.options.buffer_size {
            self.pool.give(buffer);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let _leftover = self.take_down(Duration::from_secs(1));
    }
}
