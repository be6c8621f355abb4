//! The connections of one port.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hangup::shared::Table;
use hangup::{Audit, Command, InputError, Key, Mechanism, Moment, Plan, Policy, Report};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use thiserror::Error;

use crate::guard::{Guard, Io};
use crate::options::Options;
use crate::os::{self, Event, Port};
use crate::shared::{Done, Lists, Shared, States, lock};
use crate::socket::{Flights, Socket, Stock};
use crate::turns::{Holding, Work};
use crate::waker::{Bell, Waker};

/// The connections of one completion port, and one worker of it. `S` is the application's state of one connection.
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
///
/// # Several workers
///
/// [`worker`](Self::worker) gives one more driver of the same port, for another thread with a loop of its own. All of
/// them have the same connections and listeners. What the OS has finished comes to any of them, so a connection has
/// its turns now on one worker, now on another, and never on two at a time:
///
/// * A turn begins when [`next`](Self::next) or [`get`](Self::get) hands out the [`Guard`], and takes the state to this
///   worker. It ends with this worker's next call that takes `&mut self`, or when the driver is dropped, because the
///   borrow of the state ends only then. So whoever has had a turn goes on in its loop, and stores no driver away.
/// * While a turn lasts, `get` on another worker is refused ([`GetError::InUse`]); what may be said of a connection
///   without its state, another worker says by [`command`](Self::command). A connection that ends meanwhile is
///   released when the turn ends.
/// * What is on a worker's list waits for that worker: whoever has long work to do does it elsewhere, as on one thread.
/// * Each connection that ends has one report, on one of the workers. [`drain`](Self::drain) and
///   [`stop_listening`](Self::stop_listening) are for all of them, [`keys`](Self::keys) and [`audit`](Self::audit) of
///   all of them. In the audit, `stale` and `refused` then count, too, who was second with what another had done: that
///   is no mistake.
/// * A worker that is dropped leaves what was on its lists, unfetched reports too, to the others, and brings them back
///   from their waits. The last one takes everything down.
///
/// ```no_run
/// use hangup::Policy;
/// use hangup_iocp::Driver;
///
/// let mut net: Driver<u32> = Driver::new(Policy::default())?;
/// net.listen(std::net::TcpListener::bind("127.0.0.1:7777")?)?;
/// std::thread::scope(|scope| {
///     for mut worker in (1..4).map(|_| net.worker()).collect::<Vec<_>>() {
///         scope.spawn(move || serve(&mut worker));
///     }
///     serve(&mut net)
/// })?;
///
/// fn serve(net: &mut Driver<u32>) -> std::io::Result<()> {
///     loop {
///         net.wait(None)?;
///         while let Some(conn) = net.next() {
///             *conn.state += 1; // nobody else has it now
///         }
///         while let Some((stream, _peer)) = net.incoming()? {
///             net.accept(stream, 0).map_err(|refused| refused.error)?;
///         }
///         while let Some(ended) = net.ended() {
///             println!("{} after {} turns", ended.report, ended.state);
///         }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Driver<S> {
    pub(crate) core: Core,
    states: Arc<States<S>>,
    /// The state of the connection whose turn this worker has.
    state: Option<Box<S>>,
}

/// One worker: everything but the application's states.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) port: Arc<Port>,
    pub(crate) flights: Flights,
    pub(crate) now: Moment,
    /// What has come out of the port and is not looked at yet.
    pub(crate) events: Vec<Event>,
    pub(crate) lists: Lists,
    /// How many of the connections on the list have their turn in this round.
    pub(crate) turns: usize,
    /// The turn that this worker has.
    pub(crate) holding: Option<Holding>,
    /// How often it has heard the bell.
    pub(crate) heard: u64,
    /// How much it knows to have come in at the listeners.
    pub(crate) arrivals: u64,
    /// It is one worker no more.
    pub(crate) has_left: bool,
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

/// A connection was not handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GetError {
    /// It is not there.
    #[error(transparent)]
    Gone(#[from] InputError),
    /// Another worker has its turn. It can be told a [command](Driver::command) all the same.
    #[error("connection {0} is in use by another worker")]
    InUse(Key),
}

impl<S> Driver<S> {
    /// No connections yet, and one worker.
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
        let options = options.sensible();
        let port = Arc::new(Port::new()?);
        let table = Table::new(Mechanism::Port, policy);
        let shared = Arc::new(Shared::new(table, options, Bell::new(Arc::clone(&port))));
        Ok(Self { core: Core::new(shared, port), states: Arc::new(States::new()), state: None })
    }

    /// One more worker of the same port, for another thread: see [above](Self#several-workers).
    #[must_use]
    pub fn worker(&self) -> Self {
        let (core, states) = (self.core.another(), Arc::clone(&self.states));
        Self { core, states, state: None }
    }

    /// Takes in a stream that was accepted, and begins to receive. From here on it belongs to this port: no
    /// clone of it may be used for overlapped operations elsewhere.
    ///
    /// # Errors
    ///
    /// [`AcceptError`], with the stream, if it cannot be associated with the port (it has one already), or the
    /// table is full.
    pub fn accept(&mut self, stream: TcpStream, state: S) -> Result<Key, AcceptError<S>> {
        self.end_turn();
        let Core { shared, now, .. } = &self.core;
        let skips = match adopt(&self.core, &stream) {
            Ok(skips) => skips,
            Err(error) => return Err(AcceptError { error, stream, state }),
        };
        let vacant = match shared.table.vacant() {
            Ok(vacant) => vacant,
            Err(full) => return Err(AcceptError { error: io::Error::other(full), stream, state }),
        };
        let place = self.states.insert(state);
        let key = vacant.accept(Socket::new(stream, place, skips), *now);
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
        self.end_turn();
        let Core { shared, now, .. } = &self.core;
        let made =
            new_socket(peer).and_then(|stream| adopt(&self.core, &stream).map(|skips| (stream, skips)));
        let (stream, skips) = match made {
            Ok(made) => made,
            Err(error) => return Err(ConnectError { error, state }),
        };
        let vacant = match shared.table.vacant() {
            Ok(vacant) => vacant,
            Err(full) => return Err(ConnectError { error: io::Error::other(full), state }),
        };
        let place = self.states.insert(state);
        let mut socket = Socket::new(stream, place, skips);
        socket.peer = Some(peer);
        let key = vacant.connect(socket, *now);
        self.core.settle(key);
        Ok(key)
    }

    /// Waits for what the OS finishes: until something is there for the application, a deadline passes, somebody
    /// [wakes](Waker) the workers, or `limit` has passed. Then takes what has come, looks at the clock, and
    /// lets deadlines pass.
    ///
    /// # Errors
    ///
    /// If the wait itself fails. That says nothing about any connection, and none has been touched.
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.end_turn();
        self.core.wait(limit)
    }

    /// The next connection with something for the application to do: read, write, or take note that it is connected
    /// or lost. Ask until it is `None`, once a round.
    ///
    /// Each has one turn between two [`wait`](Self::wait)s: whoever still has something to do after it waits for
    /// the next round, which begins at once.
    #[allow(clippy::should_implement_trait, reason = "what it lends does not outlive the next call")]
    pub fn next(&mut self) -> Option<Guard<'_, S>> {
        self.end_turn();
        let work = self.core.next_turn()?;
        self.lend(work)
    }

    /// The connection of a key, whatever it is doing: to queue output, to resume it, to close it.
    ///
    /// # Errors
    ///
    /// [`GetError`] if the key is stale or foreign, or another worker has the connection's turn.
    pub fn get(&mut self, key: Key) -> Result<Guard<'_, S>, GetError> {
        self.end_turn();
        let shared = &self.core.shared;
        // The table counts it if nobody is there.
        shared.table.with_mut(key, |_| ())?;
        match self.core.any_turn(key) {
            Some(work) => self.lend(work).ok_or(GetError::InUse(key)),
            None => Err(self.core.shared.table.life(key).err().map_or(GetError::InUse(key), GetError::Gone)),
        }
    }

    /// Tells a connection something for which nobody needs its turn: to close, to pause, to resume, why it is about to
    /// be closed, or how much output the application holds. What follows is performed. On any worker, whoever has the
    /// turn.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign, or the command has no meaning now.
    pub fn command(&mut self, key: Key, command: Command) -> Result<(), InputError> {
        self.end_turn();
        self.core.command(key, command)?;
        self.core.settle(key);
        Ok(())
    }

    fn lend(&mut self, work: Work) -> Option<Guard<'_, S>> {
        let Self { core, states, state } = self;
        let Some((key, state)) = core.holding.as_ref().and_then(|holding| {
            let lent = states.take(holding.state)?;
            Some((holding.key, state.insert(lent)))
        }) else {
            core.end_turn();
            return None;
        };
        Some(Guard { io: Io::new(core, key, work), state })
    }

    /// The state goes back to its place, and then the turn to whoever comes next.
    pub(crate) fn end_turn(&mut self) {
        if let (Some(holding), Some(state)) = (&self.core.holding, self.state.take()) {
            self.states.put(holding.state, state);
        }
        self.core.end_turn();
    }

    /// The next connection that has ended.
    pub fn ended(&mut self) -> Option<Ended<S>> {
        self.end_turn();
        let Done { key, state, report } = self.core.lists.done.pop_front()?;
        Some(Ended { key, state: *self.states.remove(state)?, report })
    }

    /// Closes every connection according to `plan`. They end with their reports, each within its deadlines.
    /// Listeners go on listening: see [`stop_listening`](Self::stop_listening).
    pub fn drain(&mut self, plan: Plan) {
        self.end_turn();
        for key in self.core.shared.table.keys() {
            let _over = self.core.command(key, Command::Close(plan));
            self.core.settle(key);
        }
    }

    /// What brings the workers of this port back from their waits, from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::new(Arc::clone(&self.core.shared.bell))
    }

    /// The keys of all connections.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.core.shared.table.keys().into_iter()
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.shared.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.core.shared.table.is_empty()
    }

    /// What has come in, what has gone out, what was turned away, and what the OS has.
    #[must_use]
    pub fn audit(&self) -> Audit {
        self.core.shared.table.audit()
    }

    /// The buffers: how many are out, and how many are kept.
    #[must_use]
    pub fn pool(&self) -> Stock {
        self.core.shared.stock()
    }
}

impl Core {
    /// It knows what has been rung and what has come in until now: whoever was there before has been told.
    pub(crate) fn new(shared: Arc<Shared>, port: Arc<Port>) -> Self {
        let (heard, arrivals) = (shared.bell.rings(), lock(&shared.acceptor).arrivals());
        Self {
            shared,
            port,
            flights: Flights::default(),
            now: Moment::EPOCH,
            events: Vec::new(),
            lists: Lists::default(),
            turns: 0,
            holding: None,
            heard,
            arrivals,
            has_left: false,
        }
    }
}

/// Lets a socket's packets come to the port. Whether it sends none when it succeeds at once.
fn adopt(core: &Core, stream: &TcpStream) -> io::Result<bool> {
    if core.shared.options.zero_byte_receives {
        stream.set_nonblocking(true)?;
    }
    core.port.associate(stream)?;
    Ok(core.shared.options.skip_on_success && os::set_skip_on_success(stream).is_ok())
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
