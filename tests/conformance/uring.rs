//! `hangup-uring` under the battery.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hangup::{Audit, Blame, InputError, Key, Life, Mechanism, Plan, Policy, Report};
use hangup_testkit::Personality;
use hangup_uring::{Driver, Guard, Options, Shots};

use crate::app::App;
use crate::subject::{Connection, Engine, Subject, Waker};

/// The adapter, with one kind of operations.
pub(crate) struct Uring {
    pub(crate) name: &'static str,
    pub(crate) personality: Personality,
    pub(crate) options: fn() -> Options,
}

pub(crate) fn single_shot() -> Options {
    Options { accept: Shots::Single, ..Options::default() }
}

pub(crate) fn multishot() -> Options {
    Options { receive: Shots::Multishot, accept: Shots::Multishot, ..Options::default() }
}

/// Few places too, so that the queues are full now and then.
pub(crate) fn zero_copy() -> Options {
    Options { zero_copy: Some(1), entries: 8, completions: 16, ..Options::default() }
}

impl Subject for Uring {
    fn name(&self) -> &'static str {
        self.name
    }

    /// A kernel that refuses is a failure, not a reason to skip: [`Subject::start`] says why.
    fn is_supported(&self) -> bool {
        true
    }

    fn personality(&self) -> Personality {
        self.personality
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Ring
    }

    fn start(&self, policy: Policy, listener: TcpListener) -> io::Result<(Box<dyn Engine>, Waker)> {
        let engine = Loop::new(policy, (self.options)(), listener)?;
        let waker = Arc::clone(&engine.waker);
        let wake = move || waker.lock().unwrap_or_else(PoisonError::into_inner).wake();
        Ok((Box::new(engine), Arc::new(wake)))
    }
}

struct Loop {
    policy: Policy,
    options: Options,
    listener: TcpListener,
    net: Driver<App>,
    /// Whether the loop has waited.
    begun: bool,
    /// Another one when the loop begins anew.
    waker: Arc<Mutex<hangup_uring::Waker>>,
}

impl Loop {
    fn new(policy: Policy, options: Options, listener: TcpListener) -> io::Result<Self> {
        let net = driver(policy, options, &listener)?;
        let waker = Arc::new(Mutex::new(net.waker()));
        Ok(Self { policy, options, listener, net, begun: false, waker })
    }
}

/// Accepts nobody before somebody asks for it.
fn driver(policy: Policy, options: Options, listener: &TcpListener) -> io::Result<Driver<App>> {
    let mut net = Driver::with_options(policy, options).map_err(io::Error::other)?;
    net.listen(listener.try_clone()?)?;
    net.set_accepting(false);
    Ok(net)
}

impl Engine for Loop {
    fn wait(&mut self, limit: Duration) -> io::Result<()> {
        // Not long the first time: it is asked to accept after it.
        let limit = if std::mem::replace(&mut self.begun, true) { limit } else { Duration::ZERO };
        self.net.wait(Some(limit))
    }

    fn next(&mut self, each: &mut dyn FnMut(&mut dyn Connection, &mut App)) -> bool {
        match self.net.next() {
            Some(Guard { mut io, state, .. }) => {
                each(&mut io, state);
                true
            }
            None => false,
        }
    }

    fn accept(&mut self, app: &mut dyn FnMut() -> App) -> io::Result<Option<Key>> {
        self.net.set_accepting(true);
        match self.net.incoming()? {
            Some(stream) => self.take_in(stream, app()).map(Some),
            None => Ok(None),
        }
    }

    fn take_in(&mut self, stream: TcpStream, app: App) -> io::Result<Key> {
        self.net.accept(stream, app).map_err(|refused| refused.error)
    }

    fn connect(&mut self, peer: SocketAddr, app: App) -> io::Result<Key> {
        self.net.connect(peer, app).map_err(|refused| refused.error)
    }

    fn with(
        &mut self,
        key: Key,
        each: &mut dyn FnMut(&mut dyn Connection, &mut App),
    ) -> Result<(), InputError> {
        let Guard { mut io, state, .. } = self.net.get(key)?;
        each(&mut io, state);
        Ok(())
    }

    fn drain(&mut self, plan: Plan) {
        self.net.drain(plan);
    }

    fn ended(&mut self) -> Option<(Key, App, Report)> {
        let ended = self.net.ended()?;
        Some((ended.key, ended.state, ended.report))
    }

    fn audit(&self) -> Audit {
        self.net.audit()
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        let net = driver(self.policy, self.options, &self.listener)?;
        self.begun = false;
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = net.waker();
        let old = std::mem::replace(&mut self.net, net);
        let leftover = old.shut_down(Duration::from_secs(5));
        assert_eq!((leftover.leaked, leftover.audit.with_the_os(), leftover.audit.held()), (0, 0, 0));
        Ok(())
    }
}

impl Connection for hangup_uring::Io<'_> {
    fn key(&self) -> Key {
        Self::key(self)
    }

    fn life(&self) -> Option<Life> {
        Self::life(self)
    }

    fn descriptor(&self) -> Option<u64> {
        u64::try_from(std::os::fd::AsRawFd::as_raw_fd(self.stream()?)).ok()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(self, buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn output(&mut self, bytes: usize) -> io::Result<()> {
        Self::output(self, bytes)
    }

    fn pause(&mut self) {
        Self::pause(self);
    }

    fn resume(&mut self) {
        Self::resume(self);
    }

    fn close(&mut self, plan: Plan) {
        Self::close(self, plan);
    }

    fn blame(&mut self, blame: Blame) {
        Self::blame(self, blame);
    }
}
