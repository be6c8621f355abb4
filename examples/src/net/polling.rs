//! `hangup-polling`.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hangup::{Audit, Blame, Key, Life, Plan, Policy, Report};
use hangup_polling::{Acceptor, Driver, Guard, Io, Trigger};
use polling::{Event, Events, Poller};

use super::{Connection, Net, Use, Waker};

/// The listener's key. Keys of connections are never that small.
const LISTENER: usize = 0;

#[derive(Debug)]
pub(super) struct Polling<S> {
    poller: Arc<Poller>,
    driver: Driver<S>,
    trigger: Option<Trigger>,
    policy: Policy,
    /// `None` once nobody else is let in.
    acceptor: Option<Acceptor>,
    events: Events,
    /// What is left of this round's events.
    batch: VecDeque<Event>,
}

impl<S> Polling<S> {
    pub(super) fn start(trigger: Option<Trigger>, policy: Policy, listener: TcpListener) -> io::Result<Self> {
        let poller = Arc::new(Poller::new()?);
        let driver = match trigger {
            Some(trigger) => Driver::with_trigger(Arc::clone(&poller), policy, trigger).map_err(|error| {
                io::Error::new(error.kind(), format!("readiness by {trigger:?}: {error}"))
            })?,
            None => Driver::new(Arc::clone(&poller), policy),
        };
        let acceptor = Some(Acceptor::new(Arc::clone(&poller), listener, LISTENER)?);
        let (events, batch) = (Events::new(), VecDeque::new());
        Ok(Self { poller, driver, trigger, policy, acceptor, events, batch })
    }
}

impl<S: fmt::Debug + Send + 'static> Net<S> for Polling<S> {
    fn worker(&mut self) -> io::Result<Box<dyn Net<S>>> {
        let acceptor = self.acceptor.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let listener = acceptor.listener().try_clone()?;
        Ok(Box::new(Self::start(self.trigger, self.policy, listener)?))
    }

    fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.events.clear();
        let acceptor = self.acceptor.as_ref().and_then(Acceptor::timeout);
        let timeout = [self.driver.timeout(), acceptor, limit].into_iter().flatten().min();
        self.poller.wait(&mut self.events, timeout)?;
        self.driver.tick();
        self.batch.extend(self.events.iter());
        Ok(())
    }

    fn next(&mut self, each: Use<'_, S>) -> bool {
        while !self.batch.is_empty() {
            if self.look(each) {
                return true;
            }
        }
        // What cannot wait for an event.
        match self.driver.again() {
            Some(Guard { mut io, state }) => {
                each(&mut io, state);
                true
            }
            None => false,
        }
    }

    fn reported(&self) -> Option<Event> {
        self.batch.front().copied()
    }

    fn look(&mut self, each: Use<'_, S>) -> bool {
        let Some(event) = self.batch.pop_front() else { return false };
        if self.acceptor.as_mut().is_some_and(|acceptor| acceptor.event(&event)) {
            return false;
        }
        match self.driver.guard(&event) {
            Some(Guard { mut io, state }) => {
                each(&mut io, state);
                true
            }
            None => false,
        }
    }

    fn accepted(&mut self) -> io::Result<Option<(TcpStream, Option<SocketAddr>)>> {
        let accepted = self.acceptor.as_mut().map_or(Ok(None), Acceptor::accept)?;
        Ok(accepted.map(|(stream, peer)| (stream, Some(peer))))
    }

    fn accept(&mut self, stream: TcpStream, state: S) -> io::Result<Key> {
        self.driver.accept(stream, state).map_err(|refused| refused.error)
    }

    fn connect(&mut self, peer: SocketAddr, state: S) -> io::Result<Key> {
        self.driver.connect(peer, state).map_err(|refused| refused.error)
    }

    fn close_door(&mut self) {
        self.acceptor = None;
    }

    fn with(&mut self, key: Key, each: Use<'_, S>) {
        if let Ok(Guard { mut io, state }) = self.driver.get(key) {
            each(&mut io, state);
        }
    }

    fn keys(&self) -> Vec<Key> {
        self.driver.keys().collect()
    }

    fn drain(&mut self, plan: Plan) {
        self.driver.drain(plan);
    }

    fn ended(&mut self) -> Option<(Key, S, Report)> {
        self.driver.ended().map(|ended| (ended.key, ended.state, ended.report))
    }

    fn audit(&self) -> Audit {
        self.driver.audit()
    }

    fn buffers(&mut self) -> u64 {
        0
    }

    fn waker(&self) -> Waker {
        let poller = Arc::clone(&self.poller);
        Waker::new(move || drop(poller.notify()))
    }
}

impl Connection for Io<'_> {
    fn is_readable(&self) -> bool {
        Io::is_readable(self)
    }

    fn is_writable(&self) -> bool {
        Io::is_writable(self)
    }

    fn life(&self) -> Option<Life> {
        Io::life(self)
    }

    fn stream(&self) -> Option<&TcpStream> {
        Io::stream(self)
    }

    fn output(&mut self, bytes: usize) -> io::Result<()> {
        Io::output(self, bytes)
    }

    fn pause(&mut self) {
        Io::pause(self);
    }

    fn resume(&mut self) {
        Io::resume(self);
    }

    fn close(&mut self, plan: Plan) {
        Io::close(self, plan);
    }

    fn blame(&mut self, blame: Blame) {
        Io::blame(self, blame);
    }
}
