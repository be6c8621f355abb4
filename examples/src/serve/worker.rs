//! The loop of one worker: accept, serve, shed, drain.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hangup::Plan;

use super::Service;
use super::server::{ABORT, Config, Connections, Ending, Shared, Summary};
use crate::net::Connection;

/// So many connections more than allowed may be open at a time, to be told so. Further ones wait in the
/// listener's queue.
const SHED: usize = 64;

/// One loop, for one thread.
#[derive(Debug)]
pub(super) struct Worker<S: Service> {
    config: Config,
    net: Connections<S>,
    service: S,
    /// Which one it is.
    number: usize,
    shared: Arc<Shared>,
    /// Whether it listens no more.
    ends: bool,
    /// What was obeyed already.
    obeyed: u8,
    /// When patience with requests under way ends.
    deadline: Option<Instant>,
    summary: Summary,
}

/// What the server keeps for a connection, beside the service's state.
#[derive(Debug)]
pub(super) struct Session<S> {
    peer: Option<SocketAddr>,
    accepted: Instant,
    standing: Standing,
    state: S,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is served.
    Served,
    /// It is one too many, and is to be told so.
    Shed,
    /// It was told so.
    Told,
}

impl<S> Session<S> {
    fn turn<T: Service<State = S>>(&mut self, service: &mut T, io: &mut dyn Connection) {
        if self.standing == Standing::Shed {
            self.standing = Standing::Told;
            service.shed(io, &mut self.state);
        } else {
            service.serve(io, &mut self.state);
        }
    }
}

/// However a worker leaves, the others are told: they may be waiting for its connections to end, and if it has failed
/// they do not go on without it.
struct Leaving {
    shared: Arc<Shared>,
    number: usize,
    is_done: bool,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if !self.is_done {
            self.shared.order.fetch_max(ABORT, Ordering::Relaxed);
        }
        self.shared.wake_others(self.number);
    }
}

impl<S: Service> Worker<S> {
    pub(super) fn new(
        config: Config,
        net: Connections<S>,
        service: S,
        number: usize,
        shared: &Arc<Shared>,
    ) -> Self {
        Self {
            config,
            net,
            service,
            number,
            shared: Arc::clone(shared),
            ends: false,
            obeyed: 0,
            deadline: None,
            summary: Summary::default(),
        }
    }

    /// Serves until it is told to end and every connection has ended. Each one is handed to `ended`, once.
    pub(super) fn run<E: FnMut(&Ending<'_>)>(mut self, ended: &Mutex<E>) -> io::Result<Summary> {
        let shared = Arc::clone(&self.shared);
        let mut leaving = Leaving { shared, number: self.number, is_done: false };
        while !self.ends || !self.net.is_empty() {
            let grace = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            self.net.wait(grace)?;
            self.summary.rounds += 1;
            self.shared.rounds.fetch_add(1, Ordering::Relaxed);

            self.obey();
            let service = &mut self.service;
            while self.net.next(&mut |io, session| session.turn(service, io)) {}
            self.reports(ended);
            self.accept()?;
        }
        leaving.is_done = true;
        self.summary.audit = self.net.audit();
        self.summary.counts = self.net.counts().into_iter().collect();
        Ok(self.summary)
    }

    /// Does as the handle says.
    fn obey(&mut self) {
        let order = self.shared.order.load(Ordering::Relaxed);
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

    /// How many connections may be open. Workers that take somebody in at the same time may be over it by one each.
    const fn room(&self) -> usize {
        self.config.max_connections.saturating_add(SHED)
    }

    /// Takes in who waits, as long as there is room. Who finds no place is told so, in order.
    fn accept(&mut self) -> io::Result<()> {
        while self.shared.open.load(Ordering::Relaxed) < self.room() {
            let Some((stream, peer)) = self.net.accepted()? else { return Ok(()) };
            self.take_in(stream, peer);
        }
        Ok(())
    }

    fn take_in(&mut self, stream: TcpStream, peer: Option<SocketAddr>) {
        // Small answers go out at once. Where that cannot be had, they go out a little later.
        drop(stream.set_nodelay(true));
        let is_served = self.shared.find_place(self.config.max_connections);
        let standing = if is_served { Standing::Served } else { Standing::Shed };
        let state = self.service.begin();
        let session = Session { peer, accepted: Instant::now(), standing, state };
        self.shared.open.fetch_add(1, Ordering::Relaxed);
        let Ok(key) = self.net.accept(stream, session) else {
            // A stream that cannot be taken in is closed, and nobody can be told more than that.
            return self.left(is_served);
        };
        if !is_served {
            self.summary.shed += 1;
            let service = &mut self.service;
            self.net.with(key, &mut |io, session| session.turn(service, io));
        }
    }

    /// A connection is gone. If there was no room, somebody may be waiting for it at another worker.
    fn left(&self, was_served: bool) {
        if was_served {
            self.shared.serving.fetch_sub(1, Ordering::Relaxed);
        }
        if self.shared.open.fetch_sub(1, Ordering::Relaxed) >= self.room() {
            self.shared.wake_others(self.number);
        }
    }

    fn reports<E: FnMut(&Ending<'_>)>(&mut self, ended: &Mutex<E>) {
        while let Some((key, session, report)) = self.net.ended() {
            let Session { peer, accepted, standing, .. } = session;
            self.left(standing == Standing::Served);
            *self.summary.causes.entry(report.cause).or_default() += 1;
            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended(&Ending { key, peer, accepted, report: &report });
        }
    }
}
