//! `hangup-uring`.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use hangup::{Audit, Blame, Key, Life, Plan, Policy, Report};
use hangup_uring::{Driver, Guard, Io, Options};

use super::{Connection, Net, Use, Waker};

#[derive(Debug)]
pub(super) struct Uring<S> {
    driver: Driver<S>,
    options: Options,
    policy: Policy,
    /// For more workers. `None` once nobody else is let in.
    listener: Option<TcpListener>,
}

impl<S> Uring<S> {
    pub(super) fn start(options: Options, policy: Policy, listener: TcpListener) -> io::Result<Self> {
        let mut driver = Driver::with_options(policy, options).map_err(io::Error::other)?;
        driver.listen(listener.try_clone()?)?;
        Ok(Self { driver, options, policy, listener: Some(listener) })
    }
}

impl<S: fmt::Debug + Send + 'static> Net<S> for Uring<S> {
    fn worker(&mut self) -> io::Result<Box<dyn Net<S>>> {
        let listener = self.listener.as_ref().ok_or(io::ErrorKind::NotConnected)?.try_clone()?;
        Ok(Box::new(Self::start(self.options, self.policy, listener)?))
    }

    fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.driver.wait(limit)
    }

    fn next(&mut self, each: Use<'_, S>) -> bool {
        match self.driver.next() {
            Some(Guard { mut io, state }) => {
                each(&mut io, state);
                true
            }
            None => false,
        }
    }

    fn accepted(&mut self) -> io::Result<Option<(TcpStream, Option<SocketAddr>)>> {
        let accepted = self.driver.incoming()?;
        Ok(accepted.map(|stream| {
            let peer = stream.peer_addr().ok();
            (stream, peer)
        }))
    }

    fn accept(&mut self, stream: TcpStream, state: S) -> io::Result<Key> {
        self.driver.accept(stream, state).map_err(|refused| refused.error)
    }

    fn connect(&mut self, peer: SocketAddr, state: S) -> io::Result<Key> {
        self.driver.connect(peer, state).map_err(|refused| refused.error)
    }

    fn close_door(&mut self) {
        self.listener = None;
        self.driver.stop_listening();
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
        self.driver.counts().buffers
    }

    fn counts(&mut self) -> Vec<(&'static str, u64)> {
        let counts = self.driver.counts();
        vec![("waits", counts.waits), ("submitted", counts.submitted), ("completed", counts.completed)]
    }

    fn waker(&self) -> Waker {
        let waker = self.driver.waker();
        Waker::new(move || waker.wake())
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
