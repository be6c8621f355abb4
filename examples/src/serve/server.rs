//! What a server is told, and what it says.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hangup::{Audit, Cause, Key, Policy, Report};
use hangup_polling::Trigger;
use socket2::{Domain, Protocol, Socket, Type};

use super::Service;
use super::worker::{Session, Worker};
use crate::net::{Backend, Net, Waker};

/// So many clients may wait to be accepted, if the system allows it. The standard library asks for 128; when
/// they are full, Linux resets some of those who come next.
const QUEUE: i32 = 4096;

/// What a server may do, and how long it waits.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The adapter.
    pub backend: Backend,
    /// How readiness is reported. `None`: as the driver likes best.
    pub trigger: Option<Trigger>,
    /// The limits of every wait for a peer.
    pub policy: Policy,
    /// How many threads, with a loop each.
    pub workers: NonZeroUsize,
    /// So many connections are served at a time, over all workers.
    pub max_connections: usize,
    /// So long may requests take that are under way when the server is told to end.
    pub grace: Duration,
}

impl Default for Config {
    /// One worker, the default policy, 10,000 connections, 10 s of grace.
    fn default() -> Self {
        Self {
            backend: Backend::default(),
            trigger: None,
            policy: Policy::default(),
            workers: NonZeroUsize::MIN,
            max_connections: 10_000,
            grace: Duration::from_secs(10),
        }
    }
}

/// A server: one listener, and a loop for each worker.
#[derive(Debug)]
pub struct Server<S: Service> {
    config: Config,
    workers: Vec<Worker<S>>,
    address: SocketAddr,
    handle: Handle,
}

/// The connections of one worker.
pub(super) type Connections<S> = Box<dyn Net<Session<<S as Service>::State>>>;

/// What is said about a connection that has ended.
#[derive(Debug)]
pub struct Ending<'a> {
    /// Its key. Stale by now.
    pub key: Key,
    /// The peer's address, if it was known when it was accepted.
    pub peer: Option<SocketAddr>,
    /// When it was accepted.
    pub accepted: Instant,
    /// Why and how it ended.
    pub report: &'a Report,
}

/// What is said about a server that has ended.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many connections ended for which cause.
    pub causes: BTreeMap<Cause, u64>,
    /// What came in and what went out. Nothing is left.
    pub audit: Audit,
    /// How often the loops went round.
    pub rounds: u64,
    /// Connections that were there only to be told that there are too many.
    pub shed: u64,
    /// What the adapter counts beside the audit, by name.
    pub counts: BTreeMap<&'static str, u64>,
    /// Whether it was told to end at once.
    pub aborted: bool,
}

/// Tells a server to end, from another thread, and how it is doing.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Shared>);

/// What the workers have in common.
#[derive(Debug)]
pub(super) struct Shared {
    wakers: Vec<Waker>,
    pub(super) order: AtomicU8,
    pub(super) rounds: AtomicU64,
    /// Connections whose reports have not been handed out.
    pub(super) open: AtomicUsize,
    /// Those that are served; the others are there only to be told that there are too many.
    pub(super) serving: AtomicUsize,
}

const DRAIN: u8 = 1;
pub(super) const ABORT: u8 = 2;

impl Shared {
    fn wake(&self) {
        self.wakers.iter().for_each(Waker::wake);
    }

    pub(super) fn wake_others(&self, own: usize) {
        let others = self.wakers.iter().enumerate().filter(|&(number, _)| number != own);
        others.for_each(|(_, waker)| waker.wake());
    }

    /// One of so many places to be served.
    pub(super) fn find_place(&self, places: usize) -> bool {
        let taken = |serving| (serving < places).then_some(serving + 1);
        self.serving.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }
}

impl Handle {
    /// Stop accepting, finish what is under way, close everything in order.
    pub fn drain(&self) {
        self.order(DRAIN);
    }

    /// End now: every connection is reset.
    pub fn abort(&self) {
        self.order(ABORT);
    }

    /// How often the loops have gone round.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        self.0.rounds.load(Ordering::Relaxed)
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    fn order(&self, order: u8) {
        self.0.order.fetch_max(order, Ordering::Relaxed);
        self.0.wake();
    }
}

impl Summary {
    /// Adds what another worker says. If the workers share a table, each says what is to be said about all of it.
    fn add(&mut self, other: Self, shares: bool) {
        let Self { causes, audit, rounds, shed, counts, aborted } = other;
        for (cause, count) in causes {
            *self.causes.entry(cause).or_default() += count;
        }
        if !shares {
            self.audit += audit;
        } else if audit.acquired >= self.audit.acquired {
            self.audit = audit;
        }
        for (name, count) in counts {
            *self.counts.entry(name).or_default() += count;
        }
        self.rounds += rounds;
        self.shed += shed;
        self.aborted |= aborted;
    }
}

impl<S: Service> Server<S> {
    /// A server that listens at `address`.
    ///
    /// # Errors
    ///
    /// If the address is not free, or the system does not have what [`Config::backend`] needs.
    pub fn bind(address: SocketAddr, config: Config, service: S) -> io::Result<Self> {
        let listener = listen(address).map_err(|error| within(&address.to_string(), &error))?;
        let address = listener.local_addr()?;
        let Config { backend, trigger, policy, workers, .. } = config;
        let mut first: Connections<S> =
            backend.start(trigger, policy, workers == NonZeroUsize::MIN, listener)?;
        let mut nets = Vec::new();
        for _ in 1..workers.get() {
            nets.push(first.worker().map_err(|error| within("one more worker", &error))?);
        }
        nets.insert(0, first);
        let shared = Arc::new(Shared {
            wakers: nets.iter().map(|net| net.waker()).collect(),
            order: AtomicU8::new(0),
            rounds: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            serving: AtomicUsize::new(0),
        });
        let workers = nets.into_iter().enumerate();
        let workers =
            workers.map(|(number, net)| Worker::new(config, net, service.clone(), number, &shared)).collect();
        Ok(Self { config, workers, address, handle: Handle(shared) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// For telling it to end.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until it is told to end and every connection has ended. Each one is handed to `ended`, once. One worker
    /// is the calling thread.
    ///
    /// # Errors
    ///
    /// If a poller or a listener breaks. Then every connection is reset.
    pub fn run(self, ended: impl FnMut(&Ending<'_>) + Send) -> io::Result<Summary> {
        let (Self { config, workers, .. }, ended) = (self, Mutex::new(ended));
        let ended = &ended;
        let mut workers = workers.into_iter();
        let first = workers.next();
        let said = thread::scope(|scope| {
            let others: Vec<_> = workers.map(|worker| scope.spawn(move || worker.run(ended))).collect();
            let mut said: Vec<io::Result<Summary>> =
                first.map(|worker| worker.run(ended)).into_iter().collect();
            for other in others {
                said.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            said
        });
        let mut all = Summary::default();
        for summary in said {
            all.add(summary?, config.backend.shares());
        }
        Ok(all)
    }
}

fn within(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Elsewhere that would let somebody else take the address.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(QUEUE)?;
    Ok(socket.into())
}
