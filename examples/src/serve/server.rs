//! The loop: accept, serve, shed, drain.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hangup::{Audit, Cause, Key, Plan, Policy, Report};
use hangup_polling::Trigger;
use socket2::{Domain, Protocol, Socket, Type};

use super::Service;
use crate::net::{Backend, Net, Waker};

/// So many connections more than allowed may be open at a time, to be told so. Further ones wait in the
/// listener's queue.
const SHED: usize = 64;

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
    /// So many connections are served at a time.
    pub max_connections: usize,
    /// So long may requests take that are under way when the server is told to end.
    pub grace: Duration,
}

impl Default for Config {
    /// The default policy, 10,000 connections, 10 s of grace.
    fn default() -> Self {
        Self {
            backend: Backend::default(),
            trigger: None,
            policy: Policy::default(),
            max_connections: 10_000,
            grace: Duration::from_secs(10),
        }
    }
}

/// A server: one thread, one loop, one listener.
#[derive(Debug)]
pub struct Server<S: Service> {
    config: Config,
    net: Box<dyn Net<Session<S::State>>>,
    service: S,
    /// Whether it listens no more.
    ends: bool,
    address: SocketAddr,
    handle: Handle,
    /// What was obeyed already.
    obeyed: u8,
    /// When patience with requests under way ends.
    deadline: Option<Instant>,
    /// Connections that are served; the others are there only to be told that there are too many.
    serving: usize,
    summary: Summary,
}

/// What the server keeps for a connection, beside the service's state.
#[derive(Debug)]
struct Session<S> {
    peer: Option<SocketAddr>,
    accepted: Instant,
    is_shed: bool,
    state: S,
}

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
    /// How often the loop went round.
    pub rounds: u64,
    /// Connections that were there only to be told that there are too many.
    pub shed: u64,
    /// Whether it was told to end at once.
    pub aborted: bool,
}

/// Tells a server to end, from another thread, and how it is doing.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waker: Waker,
    order: AtomicU8,
    rounds: AtomicU64,
    open: AtomicUsize,
}

const DRAIN: u8 = 1;
const ABORT: u8 = 2;

impl Handle {
    /// Stop accepting, finish what is under way, close everything in order.
    pub fn drain(&self) {
        self.order(DRAIN);
    }

    /// End now: every connection is reset.
    pub fn abort(&self) {
        self.order(ABORT);
    }

    /// How often the loop has gone round.
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
        self.0.waker.wake();
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
        let net = config.backend.start(config.trigger, config.policy, listener)?;
        let handle = Handle(Arc::new(Shared {
            waker: net.waker(),
            order: AtomicU8::new(0),
            rounds: AtomicU64::new(0),
            open: AtomicUsize::new(0),
        }));
        Ok(Self {
            config,
            net,
            service,
            ends: false,
            address,
            handle,
            obeyed: 0,
            deadline: None,
            serving: 0,
            summary: Summary::default(),
        })
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

    /// Serves until it is told to end and every connection has ended. Each one is handed to `ended`, once.
    ///
    /// # Errors
    ///
    /// If the poller or the listener breaks.
    pub fn run(mut self, mut ended: impl FnMut(&Ending<'_>)) -> io::Result<Summary> {
        while !self.ends || !self.net.is_empty() {
            let grace = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            self.net.wait(grace)?;
            self.summary.rounds += 1;
            self.handle.0.rounds.fetch_add(1, Ordering::Relaxed);

            self.obey();
            let service = &mut self.service;
            while self.net.next(&mut |io, session| service.serve(io, &mut session.state)) {}
            self.accept()?;
            self.reports(&mut ended);
            self.handle.0.open.store(self.net.len(), Ordering::Relaxed);
        }
        self.summary.audit = self.net.audit();
        Ok(self.summary)
    }

    /// Does as the handle says.
    fn obey(&mut self) {
        let order = self.handle.0.order.load(Ordering::Relaxed);
        if order > self.obeyed {
            self.obeyed = order;
            // Nobody else comes in.
            self.ends = true;
            self.net.close_door();
            if order >= ABORT {
                self.summary.aborted = true;
                self.deadline = None;
                self.net.drain(Plan::Abort);
            } else {
                self.deadline = Some(Instant::now() + self.config.grace);
                self.begin_drain();
            }
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.deadline = None;
            self.net.drain(Plan::Linger);
        }
    }

    fn begin_drain(&mut self) {
        let service = &mut self.service;
        for key in self.net.keys() {
            self.net.with(key, &mut |io, session| service.drain(io, &mut session.state));
        }
    }

    /// Takes in who waits, as long as there is room. Who finds no place is told so, in order.
    fn accept(&mut self) -> io::Result<()> {
        while self.net.len() < self.config.max_connections.saturating_add(SHED) {
            let Some((stream, peer)) = self.net.accepted()? else { return Ok(()) };
            self.take_in(stream, peer);
        }
        Ok(())
    }

    fn take_in(&mut self, stream: TcpStream, peer: Option<SocketAddr>) {
        // Small answers go out at once. Where that cannot be had, they go out a little later.
        drop(stream.set_nodelay(true));
        let is_shed = self.serving >= self.config.max_connections;
        let state = self.service.begin();
        let session = Session { peer, accepted: Instant::now(), is_shed, state };
        // A stream that cannot be taken in is closed, and nobody can be told more than that.
        let Ok(key) = self.net.accept(stream, session) else { return };
        if !is_shed {
            self.serving += 1;
        } else {
            self.summary.shed += 1;
            let service = &mut self.service;
            self.net.with(key, &mut |io, session| service.shed(io, &mut session.state));
        }
    }

    fn reports(&mut self, ended: &mut impl FnMut(&Ending<'_>)) {
        while let Some((key, session, report)) = self.net.ended() {
            let Session { peer, accepted, is_shed, .. } = session;
            self.serving -= usize::from(!is_shed);
            *self.summary.causes.entry(report.cause).or_default() += 1;
            ended(&Ending { key, peer, accepted, report: &report });
        }
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
