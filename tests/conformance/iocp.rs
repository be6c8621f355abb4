//! `hangup-iocp` under the battery.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hangup::{Audit, Blame, InputError, Key, Life, Mechanism, Plan, Policy};
use hangup_iocp::{Driver, GetError, Guard, Options};
use hangup_testkit::Personality;

use crate::app::App;
use crate::subject::{Connection, Engine, Subject, Waker};

/// The adapter, with one of its ways to go about it.
pub(crate) struct Iocp {
    pub(crate) name: &'static str,
    pub(crate) skip_on_success: bool,
    pub(crate) zero_byte_receives: bool,
    /// Whether a second worker waits at the same port.
    pub(crate) beside: bool,
}

impl Iocp {
    fn options(&self) -> Options {
        let Self { skip_on_success, zero_byte_receives, .. } = *self;
        Options { skip_on_success, zero_byte_receives, ..Options::default() }
    }
}

impl Subject for Iocp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn personality(&self) -> Personality {
        match (self.skip_on_success, self.zero_byte_receives) {
            (false, _) => Personality::Iocp,
            (true, false) => Personality::IocpSkip,
            (true, true) => Personality::IocpZeroByte,
        }
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Port
    }

    fn is_alone(&self) -> bool {
        !self.beside
    }

    fn is_supported(&self) -> bool {
        true
    }

    fn start(&self, policy: Policy, listener: TcpListener) -> io::Result<(Box<dyn Engine>, Waker)> {
        let address = listener.local_addr()?;
        let (net, options) = (Driver::with_options(policy, self.options())?, self.options());
        // A driver that is begun anew has another port.
        let waker = Arc::new(Mutex::new(net.waker()));
        let its_waker = Arc::clone(&waker);
        let beside = self.beside.then(|| Beside::start(&net));
        let mut engine = Loop { beside, net, policy, options, address, waker };
        engine.net.listen(listener)?;
        let wake = move || {
            its_waker
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .wake()
                .expect("the port can be posted to");
        };
        Ok((Box::new(engine), Arc::new(wake)))
    }
}

/// A second worker, in a thread of its own. It takes its share of the packets and deadlines, has no turns, and leaves
/// what there is to do to the first by leaving the port; and so again and again.
struct Beside {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    fn start(net: &Driver<App>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (told, stays) = (Arc::clone(&over), net.worker());
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Acquire) {
                // Often enough that nobody waits for what it has, and seldom enough that a loop that stands still
                // can be told from one that spins.
                stays.worker().wait(Some(Duration::from_millis(25))).expect("the port can be waited at");
                // The first has heard that it is gone, and takes over what it has left, before this one does.
                thread::sleep(Duration::from_millis(2));
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        let joined = self.thread.take().map(JoinHandle::join);
        assert!(joined.is_none_or(|joined| joined.is_ok()), "the second worker has panicked");
    }
}

struct Loop {
    beside: Option<Beside>,
    net: Driver<App>,
    policy: Policy,
    options: Options,
    address: SocketAddr,
    waker: Arc<Mutex<hangup_iocp::Waker>>,
}

impl Engine for Loop {
    fn wait(&mut self, limit: Duration) -> io::Result<()> {
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
        match self.net.incoming()? {
            Some((stream, _)) => self.net.accept(stream, app()).map(Some).map_err(|refused| refused.error),
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
        let Guard { mut io, state, .. } = match self.net.get(key) {
            Ok(guard) => guard,
            Err(GetError::Gone(error)) => return Err(error),
            Err(error) => panic!("nobody else has turns: {error}"),
        };
        each(&mut io, state);
        Ok(())
    }

    fn drain(&mut self, plan: Plan) {
        self.net.drain(plan);
    }

    fn ended(&mut self) -> Option<(Key, App, hangup::Report)> {
        let ended = self.net.ended()?;
        Some((ended.key, ended.state, ended.report))
    }

    fn audit(&self) -> Audit {
        self.net.audit()
    }

    /// A listener belongs to its port for good, so this one has another, at the same address.
    fn begin_anew(&mut self) -> io::Result<()> {
        let is_beside = self.beside.take().is_some();
        let fresh = Driver::with_options(self.policy, self.options)?;
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = fresh.waker();
        let audit = std::mem::replace(&mut self.net, fresh).shut_down();
        assert_eq!((audit.held(), audit.with_the_os()), (0, 0), "something was left behind");
        self.beside = is_beside.then(|| Beside::start(&self.net));
        self.net.listen(TcpListener::bind(self.address)?)
    }
}

impl Connection for hangup_iocp::Io<'_> {
    fn key(&self) -> Key {
        Self::key(self)
    }

    fn life(&self) -> Option<Life> {
        Self::life(self)
    }

    fn descriptor(&self) -> Option<u64> {
        Some(std::os::windows::io::AsRawSocket::as_raw_socket(self.stream()?))
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
