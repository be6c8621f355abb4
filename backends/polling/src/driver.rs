//! The connections of one poller.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hangup::shared::Mailbox;
use hangup::{Audit, Command, Input, InputError, Key, Mechanism, Moment, Plan, Policy, Report, Table};
use polling::{Event, PollMode, Poller};
use slab::Slab;
use thiserror::Error;

use crate::guard::{Guard, Io};
use crate::input;
use crate::remote::Remote;
use crate::socket::{Held, Socket};

/// The connections of one poller. `S` is the application's state of one connection.
///
/// The loop is the application's. Each round it does this, in this order:
///
/// 1. wait, for at most [`timeout`](Self::timeout);
/// 2. [`tick`](Self::tick): look at the clock, let deadlines pass;
/// 3. for each event: [`guard`](Self::guard), and use the connection if there is one;
/// 4. [`again`](Self::again), until it is `None`: connections with something to do that no event will announce;
/// 5. [`ended`](Self::ended), until it is `None`: reports.
///
/// A connection is registered, watched, shut down, deregistered and closed here and nowhere else, whatever
/// ends it. Dropping the driver deregisters and closes them all.
#[derive(Debug)]
pub struct Driver<S> {
    pub(crate) core: Core,
    states: Slab<S>,
}

/// Everything but the application's states.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) poller: Arc<Poller>,
    pub(crate) table: Table<Socket>,
    pub(crate) trigger: Trigger,
    pub(crate) now: Moment,
    epoch: Instant,
    /// Connections to be looked at without an event.
    pub(crate) again: VecDeque<Key>,
    /// How many of them have their turn in this round.
    pub(crate) turns: usize,
    /// Connections that have ended and whose reports have not been fetched.
    pub(crate) done: VecDeque<Done>,
    /// What other threads ask for.
    pub(crate) mailbox: Arc<Mailbox>,
    /// Where discarded input goes.
    pub(crate) scratch: Box<[u8]>,
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

/// How the poller is to report readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Once, then the interest has to be armed again. Works everywhere; a call more for each event.
    OneShot,
    /// As long as it lasts. Works everywhere but on event ports.
    Level,
    /// Once, when it begins. Not on Windows. Fewest calls; the application should read until it would block.
    Edge,
}

impl Trigger {
    pub(crate) const fn mode(self) -> PollMode {
        match self {
            Self::OneShot => PollMode::Oneshot,
            Self::Level => PollMode::Level,
            Self::Edge => PollMode::Edge,
        }
    }

    const fn mechanism(self) -> Mechanism {
        match self {
            Self::OneShot | Self::Level => Mechanism::Level,
            Self::Edge => Mechanism::Edge,
        }
    }

    fn is_supported(self, poller: &Poller) -> bool {
        match self {
            Self::OneShot => true,
            Self::Level => poller.supports_level(),
            Self::Edge => poller.supports_edge(),
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

impl<S> Driver<S> {
    /// No connections yet. Level-triggered, or one-shot where that does not exist.
    #[must_use]
    pub fn new(poller: Arc<Poller>, policy: Policy) -> Self {
        let trigger = if poller.supports_level() { Trigger::Level } else { Trigger::OneShot };
        Self::build(poller, policy, trigger)
    }

    /// As [`Driver::new`], with readiness reported in a certain way.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] if the poller cannot do it.
    pub fn with_trigger(poller: Arc<Poller>, policy: Policy, trigger: Trigger) -> io::Result<Self> {
        if !trigger.is_supported(&poller) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self::build(poller, policy, trigger))
    }

    fn build(poller: Arc<Poller>, policy: Policy, trigger: Trigger) -> Self {
        let table = Table::new(trigger.mechanism(), policy);
        let mailbox = Arc::new(Mailbox::new(table.id()));
        let core = Core {
            poller,
            table,
            trigger,
            now: Moment::EPOCH,
            epoch: Instant::now(),
            again: VecDeque::new(),
            turns: 0,
            done: VecDeque::new(),
            mailbox,
            scratch: vec![0; 64 * 1024].into_boxed_slice(),
        };
        Self { core, states: Slab::new() }
    }

    /// Takes in a stream that was accepted, and registers it. If the poller refuses it, the connection ends
    /// with a report like any other.
    ///
    /// # Errors
    ///
    /// [`AcceptError`], with the stream, if it cannot be made nonblocking or the table is full.
    pub fn accept(&mut self, stream: TcpStream, state: S) -> Result<Key, AcceptError<S>> {
        if let Err(error) = stream.set_nonblocking(true) {
            return Err(AcceptError { error, stream, state });
        }
        let vacant = match self.core.table.vacant() {
            Ok(vacant) => vacant,
            Err(full) => return Err(AcceptError { error: io::Error::other(full), stream, state }),
        };
        let place = self.states.insert(state);
        let key = vacant.accept(Socket::new(stream, place), self.core.now);
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
        let socket = match crate::perform::new_socket(peer) {
            Ok(socket) => socket,
            Err(error) => return Err(ConnectError { error, state }),
        };
        let vacant = match self.core.table.vacant() {
            Ok(vacant) => vacant,
            Err(full) => return Err(ConnectError { error: io::Error::other(full), state }),
        };
        let begun = socket.connect(&peer.into());
        let place = self.states.insert(state);
        let key = vacant.connect(Socket::new(socket.into(), place), self.core.now);
        let (answer, code) = input::connect_begun(&begun);
        self.core.answer(key, answer, code);
        self.core.settle(key);
        Ok(key)
    }

    /// How long the poller may wait: until the next deadline, or not at all if there is something to do.
    /// `None`: for ever.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        if !self.core.again.is_empty() || !self.core.done.is_empty() {
            return Some(Duration::ZERO);
        }
        let next = self.core.table.next_deadline()?;
        let now = Moment::since_epoch(self.core.epoch.elapsed());
        Some(next.since(now))
    }

    /// Looks at the clock, performs what other threads have asked for, and lets deadlines pass that have come. Once a
    /// round, after the wait.
    pub fn tick(&mut self) {
        self.core.now = Moment::since_epoch(self.core.epoch.elapsed());
        self.core.obey();
        while let Some((key, _deadline, _wants)) = self.core.table.expire(self.core.now) {
            self.core.settle(key);
        }
        self.core.turns = self.core.again.len();
    }

    /// The connection that an event is about, if there is something for the application to do: read, write,
    /// or take note that it is connected. Everything else has been done when this returns.
    ///
    /// An event of a connection that has ended is counted and gives `None`; so does an event of something
    /// else that the poller watches.
    pub fn guard(&mut self, event: &Event) -> Option<Guard<'_, S>> {
        let key = self.core.table.key(event.key);
        let work = self.core.event(key, input::hint(event))?;
        self.lend(key, work)
    }

    /// A connection with something to do that no event will announce. Ask until it is `None`, once a round.
    ///
    /// Each has one turn between two [`tick`](Self::tick)s: whoever still has something to do after it waits for the
    /// next round, which begins at once ([`timeout`](Self::timeout) is zero).
    pub fn again(&mut self) -> Option<Guard<'_, S>> {
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
        let keys: Vec<Key> = self.core.table.keys().collect();
        for key in keys {
            self.core.command(key, Command::Close(plan));
            self.core.settle(key);
        }
    }

    /// Commands connections from other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote::new(&self.core.mailbox, &self.core.poller)
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

    /// Says what output the application holds. Whether the machine took it.
    pub(crate) fn hold(&mut self, key: Key, held: Held) -> bool {
        let taken = self.command(key, Command::Output(held.bytes));
        if let (true, Ok(socket)) = (taken, self.table.get_mut(key)) {
            socket.held = held;
        }
        taken
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}
