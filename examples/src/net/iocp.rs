//! `hangup-iocp`.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use hangup::{Audit, Blame, Key, Life, Plan, Policy, Report};
use hangup_iocp::{Driver, GetError, Guard, Io};

use super::{Connection, Net, Use, Waker};

#[derive(Debug)]
pub(super) struct Iocp<S> {
    driver: Driver<S>,
    /// Whether somebody else is let in by this worker.
    open: bool,
}

impl<S> Iocp<S> {
    pub(super) fn start(policy: Policy, listener: TcpListener) -> io::Result<Self> {
        let mut driver = Driver::new(policy)?;
        driver.listen(listener)?;
        Ok(Self { driver, open: true })
    }
}

impl<S: fmt::Debug + Send + 'static> Net<S> for Iocp<S> {
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
        let accepted = if self.open { self.driver.incoming()? } else { None };
        Ok(accepted.map(|(stream, peer)| (stream, Some(peer))))
    }

    fn accept(&mut self, stream: TcpStream, state: S) -> io::Result<Key> {
        self.driver.accept(stream, state).map_err(|refused| refused.error)
    }

    fn connect(&mut self, peer: SocketAddr, state: S) -> io::Result<Key> {
        self.driver.connect(peer, state).map_err(|refused| refused.error)
    }

    /// Whoever was accepted ahead and not asked for is hung up on.
    fn close_door(&mut self) {
        self.open = false;
        self.driver.stop_listening();
        while let Ok(Some(stream)) = self.driver.incoming() {
            drop(stream);
        }
    }

    fn with(&mut self, key: Key, each: Use<'_, S>) {
        loop {
            match self.driver.get(key) {
                Ok(Guard { mut io, state }) => return each(&mut io, state),
                // Turns are short, and whoever waits here has none.
                Err(GetError::InUse(_)) => std::thread::yield_now(),
                Err(_) => return,
            }
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
        self.driver.pool().out
    }

    fn waker(&self) -> Waker {
        let waker = self.driver.waker();
        Waker::new(move || drop(waker.wake()))
    }

    /// All workers have the same port, and so the same connections: [`keys`](Net::keys), [`audit`](Net::audit) and
    /// [`drain`](Net::drain) are of all of them, and one waker is enough.
    fn worker(&mut self) -> io::Result<Box<dyn Net<S>>> {
        Ok(Box::new(Self { driver: self.driver.worker(), open: self.open }))
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
