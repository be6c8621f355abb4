//! `hangup-polling` under the battery.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hangup::{Audit, Blame, InputError, Key, Life, Plan, Policy, Report};
use hangup_polling::{Acceptor, Driver, Guard, Trigger};
use hangup_testkit::Personality;
use polling::{Event, Events, Poller};

use crate::app::App;
use crate::subject::{Connection, Engine, Subject, Waker};

/// The adapter, with one of its triggers.
pub(crate) struct Polling {
    pub(crate) name: &'static str,
    pub(crate) trigger: Trigger,
}

impl Subject for Polling {
    fn name(&self) -> &'static str {
        self.name
    }

    fn personality(&self) -> Personality {
        match self.trigger {
            _ if cfg!(windows) => Personality::AfdOneShot,
            _ if cfg!(not(target_os = "linux")) => Personality::Kqueue,
            Trigger::Level => Personality::EpollLevel,
            Trigger::OneShot => Personality::EpollOneShot,
            Trigger::Edge => Personality::EpollEdge,
        }
    }

    fn is_supported(&self) -> bool {
        let poller = Poller::new().expect("a poller");
        Driver::<()>::with_trigger(Arc::new(poller), Policy::default(), self.trigger).is_ok()
    }

    fn start(&self, policy: Policy, listener: TcpListener) -> io::Result<(Box<dyn Engine>, Waker)> {
        let poller = Arc::new(Poller::new()?);
        let waker = Arc::clone(&poller);
        let engine = Loop {
            acceptor: Acceptor::new(Arc::clone(&poller), listener, 0)?,
            net: Driver::with_trigger(Arc::clone(&poller), policy, self.trigger)?,
            poller,
            policy,
            trigger: self.trigger,
            events: Events::new(),
            batch: VecDeque::new(),
        };
        let wake = move || waker.notify().expect("the poller can be woken");
        Ok((Box::new(engine), Arc::new(wake)))
    }
}

struct Loop {
    poller: Arc<Poller>,
    policy: Policy,
    trigger: Trigger,
    acceptor: Acceptor,
    net: Driver<App>,
    events: Events,
    batch: VecDeque<Event>,
}

impl Engine for Loop {
    fn wait(&mut self, limit: Duration) -> io::Result<()> {
        self.events.clear();
        let timeouts = [self.net.timeout(), self.acceptor.timeout(), Some(limit)];
        self.poller.wait(&mut self.events, timeouts.into_iter().flatten().min())?;
        self.net.tick();
        self.batch.extend(self.events.iter());
        Ok(())
    }

    fn next(&mut self, each: &mut dyn FnMut(&mut dyn Connection, &mut App)) -> bool {
        while let Some(event) = self.batch.pop_front() {
            if self.acceptor.event(&event) {
                continue;
            }
            if let Some(Guard { mut io, state, .. }) = self.net.guard(&event) {
                each(&mut io, state);
                return true;
            }
        }
        match self.net.again() {
            Some(Guard { mut io, state, .. }) => {
                each(&mut io, state);
                true
            }
            None => false,
        }
    }

    fn accept(&mut self, app: &mut dyn FnMut() -> App) -> io::Result<Option<Key>> {
        match self.acceptor.accept()? {
            Some((stream, _)) => self.take_in(stream, app()).map(Some),
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
        self.net = Driver::with_trigger(Arc::clone(&self.poller), self.policy, self.trigger)?;
        Ok(())
    }
}

impl Connection for hangup_polling::Io<'_> {
    fn key(&self) -> Key {
        Self::key(self)
    }

    fn life(&self) -> Option<Life> {
        Self::life(self)
    }

    fn descriptor(&self) -> Option<u64> {
        #[cfg(unix)]
        let number = u64::try_from(std::os::fd::AsRawFd::as_raw_fd(self.stream()?)).ok();
        #[cfg(windows)]
        let number = Some(std::os::windows::io::AsRawSocket::as_raw_socket(self.stream()?));
        number
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
