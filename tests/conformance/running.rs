//! A subject's loop in a thread of its own, and what a case can do to it from outside.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use hangup::{Audit, InputError, Key, Life, Policy};
use hangup_testkit::peer::{Doorway, Wiring};

use crate::app::{App, Behaviour, Ended, Observed, Page};
use crate::subject::{Connection, Engine, Subject, Waker};

/// How long a case waits for something before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How a loop is set up.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) policy: Policy,
    /// Of the connections that it accepts.
    pub(crate) behaviour: Behaviour,
    /// Of the connections that it accepts; small, so that output soon blocks.
    pub(crate) send_buffer: Option<usize>,
    pub(crate) backlog: i32,
    /// Whether it accepts from the beginning.
    pub(crate) accepts: bool,
    pub(crate) seed: u64,
}

/// What the first connection of several does, once: see [`Behaviour::first_input`].
#[derive(Clone)]
pub(crate) struct Deferred(Arc<Mutex<Option<Once>>>);

type Once = Box<dyn FnOnce(&mut Hands<'_>, usize) + Send>;

impl Deferred {
    pub(crate) fn new(act: impl FnOnce(&mut Hands<'_>, usize) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(act)))))
    }

    pub(crate) fn take(&self) -> Option<Once> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The loop from inside, between two of its steps.
pub(crate) struct Hands<'a> {
    pub(crate) engine: &'a mut dyn Engine,
    keys: &'a mut Vec<Key>,
    page: &'a Arc<Page>,
    setup: &'a mut Setup,
}

impl Hands<'_> {
    /// The key of a connection, also when it has ended.
    pub(crate) fn key(&self, number: usize) -> Key {
        self.keys[number]
    }

    pub(crate) fn with<R>(
        &mut self,
        number: usize,
        act: impl FnOnce(&mut dyn Connection, &mut App) -> R,
    ) -> Result<R, InputError> {
        let (mut act, mut result) = (Some(act), None);
        let key = self.keys[number];
        self.engine.with(key, &mut |conn, app| {
            assert_eq!((conn.key(), app.number), (key, number), "another connection was handed out");
            result = act.take().map(|act| act(conn, app));
        })?;
        Ok(result.expect("the engine calls back"))
    }

    /// Begins a connect; the number of the connection.
    pub(crate) fn connect(&mut self, peer: SocketAddr, behaviour: Behaviour) -> io::Result<usize> {
        let app = App::new(behaviour, self.setup.seed, Arc::clone(self.page));
        let key = self.engine.connect(peer, app)?;
        Ok(self.begin(key))
    }

    /// Takes in a stream; the number of the connection.
    #[cfg(target_os = "linux")]
    pub(crate) fn take_in(&mut self, stream: std::net::TcpStream) -> io::Result<usize> {
        let app = App::new(self.setup.behaviour.clone(), self.setup.seed, Arc::clone(self.page));
        let key = self.engine.take_in(stream, app)?;
        Ok(self.begin(key))
    }

    /// Lets the loop accept from now on, and at once.
    pub(crate) fn open_door(&mut self) {
        self.setup.accepts = true;
        self.accept_all().expect("the listener is good");
    }

    fn begin(&mut self, key: Key) -> usize {
        self.keys.push(key);
        self.page.key(key);
        // It may have ended at once.
        let _ended = self.engine.with(key, &mut |conn, app| app.begin(conn));
        self.keys.len() - 1
    }

    fn accept_all(&mut self) -> io::Result<()> {
        while self.setup.accepts {
            let (behaviour, seed, page) = (&self.setup.behaviour, self.setup.seed, self.page);
            let mut app = || App::new(behaviour.clone(), seed, Arc::clone(page));
            let Some(key) = self.engine.accept(&mut app)? else { break };
            self.begin(key);
        }
        Ok(())
    }

    fn round(&mut self) -> io::Result<()> {
        self.engine.wait(Duration::from_secs(1))?;
        let mut deferred = Vec::new();
        while self.engine.next(&mut |conn, app| {
            app.turn(conn);
            deferred.append(&mut app.deferred);
        }) {
            for act in deferred.drain(..) {
                act(self);
            }
        }
        self.accept_all()?;
        while let Some((key, app, report)) = self.engine.ended() {
            assert_eq!(self.keys[app.number], key, "the state of another connection was given back");
            self.page.note(app.number, |seen| {
                assert!(seen.ended.is_none(), "a connection ended twice");
                seen.ended = Some(Ended { report });
            });
        }
        Ok(())
    }
}

enum Order {
    Do(Box<dyn FnOnce(&mut Hands<'_>) + Send>),
    Stop,
}

/// A loop that runs.
pub(crate) struct Running {
    address: SocketAddr,
    orders: Sender<Order>,
    waker: Waker,
    page: Arc<Page>,
    stopped: Receiver<io::Result<Audit>>,
}

impl Running {
    pub(crate) fn start(subject: &'static dyn Subject, setup: Setup) -> io::Result<Self> {
        let wiring = Wiring { send_buffer: setup.send_buffer, ..Wiring::default() };
        let listener = Doorway::open(setup.backlog, &wiring)?.into_listener();
        let address = listener.local_addr()?;
        let (orders, todo) = channel();
        let (tell, stopped) = channel();
        let (wake, waker) = channel();
        let page = Arc::new(Page::default());
        let its_page = Arc::clone(&page);
        thread::spawn(move || {
            let end = match subject.start(setup.policy, listener) {
                Ok((engine, its_waker)) => {
                    drop(wake.send(Ok(its_waker)));
                    go_round(engine, setup, &todo, &its_page)
                }
                Err(error) => return drop(wake.send(Err(error))),
            };
            drop(tell.send(end));
        });
        let waker = waker.recv_timeout(PATIENCE).map_err(io::Error::other)??;
        Ok(Self { address, orders, waker, page, stopped })
    }

    /// What is known of its connections.
    pub(crate) fn page(&self) -> Arc<Page> {
        Arc::clone(&self.page)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does something in the loop's thread, between two rounds, and does not wait for it.
    pub(crate) fn order(&self, act: impl FnOnce(&mut Hands<'_>) + Send + 'static) {
        let sent = self.orders.send(Order::Do(Box::new(act)));
        assert!(sent.is_ok(), "the loop has ended: {:?}", self.stopped.try_recv());
        (self.waker)();
    }

    /// Does something in the loop's thread, between two rounds.
    pub(crate) fn hands<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Hands<'_>) -> R + Send + 'static,
    ) -> R {
        let (tell, told) = sync_channel(1);
        self.order(move |hands| drop(tell.send(act(hands))));
        told.recv_timeout(PATIENCE).expect("the loop answers")
    }

    /// Uses a connection from outside.
    pub(crate) fn with<R: Send + 'static>(
        &self,
        number: usize,
        act: impl FnOnce(&mut dyn Connection, &mut App) -> R + Send + 'static,
    ) -> Result<R, InputError> {
        self.hands(move |hands| hands.with(number, act))
    }

    /// The state of a connection that has not ended.
    pub(crate) fn life(&self, number: usize) -> Life {
        self.with(number, |conn, _| conn.life()).expect("it has not ended").expect("it has a life")
    }

    /// Begins a connect.
    pub(crate) fn connect(&self, peer: SocketAddr, behaviour: Behaviour) -> usize {
        self.hands(move |hands| hands.connect(peer, behaviour)).expect("a socket to connect with")
    }

    /// Stops the loop between two rounds, until what is returned is dropped.
    pub(crate) fn hold(&self) -> Held {
        let (held, go_on) = channel::<()>();
        let (tell, stands) = channel();
        self.order(move |_| {
            let _told = tell.send(());
            let _dropped = go_on.recv_timeout(PATIENCE);
        });
        stands.recv_timeout(PATIENCE).expect("the loop stands still");
        Held { _held: held }
    }

    /// How often the loop has gone round.
    pub(crate) fn rounds(&self) -> u64 {
        self.page.rounds()
    }

    /// Waits until so many connections have begun.
    pub(crate) fn arrived(&self, count: usize) {
        self.wait(&format!("{count} connections"), |seen| seen.len() >= count);
    }

    /// Waits until a connection has been seen to be somehow.
    pub(crate) fn until(&self, number: usize, what: &str, done: impl Fn(&Observed) -> bool) -> Observed {
        self.wait(what, |seen| seen.get(number).is_some_and(&done));
        self.seen(number)
    }

    /// Waits for the end of a connection.
    pub(crate) fn ended(&self, number: usize) -> Ended {
        let seen = self.until(number, "the end of the connection", |seen| seen.ended.is_some());
        seen.ended.expect("it has just been seen")
    }

    /// Waits for all of them.
    pub(crate) fn all_ended(&self) -> Vec<Ended> {
        self.wait("the end of all connections", |seen| seen.iter().all(|seen| seen.ended.is_some()));
        self.page.lines().iter().filter_map(|seen| seen.ended.clone()).collect()
    }

    fn wait(&self, what: &str, done: impl FnMut(&[Observed]) -> bool) {
        let came = self.page.wait(PATIENCE, done);
        assert!(came, "waited in vain for {what}");
    }

    pub(crate) fn seen(&self, number: usize) -> Observed {
        self.page.lines()[number].clone()
    }

    /// How many connections there have been.
    pub(crate) fn count(&self) -> usize {
        self.page.lines().len()
    }

    /// Ends the loop. Everything must have ended before.
    pub(crate) fn stop(self) -> Audit {
        let audit = self.abandon();
        assert_eq!(audit.held(), 0, "connections were left");
        assert_eq!(audit.foreign, 0, "an event of another table");
        for (number, seen) in self.page.lines().iter().enumerate() {
            assert!(seen.ended.is_some(), "connection {number} has no report");
        }
        audit
    }

    /// Ends the loop with whatever is alive.
    pub(crate) fn abandon(&self) -> Audit {
        assert!(self.orders.send(Order::Stop).is_ok(), "the loop has ended: {:?}", self.stopped.try_recv());
        (self.waker)();
        let stopped = self.stopped.recv_timeout(PATIENCE).expect("the loop comes to its end");
        let audit = stopped.expect("the loop's calls succeed");
        assert_eq!(audit.acquired, audit.released + audit.held() as u64);
        audit
    }
}

/// A loop that stands still.
pub(crate) struct Held {
    _held: Sender<()>,
}

fn go_round(
    mut engine: Box<dyn Engine>,
    mut setup: Setup,
    todo: &Receiver<Order>,
    page: &Arc<Page>,
) -> io::Result<Audit> {
    let mut keys = Vec::new();
    loop {
        let mut hands = Hands { engine: &mut *engine, keys: &mut keys, page, setup: &mut setup };
        for order in todo.try_iter() {
            match order {
                Order::Do(act) => act(&mut hands),
                Order::Stop => return Ok(engine.audit()),
            }
        }
        hands.round()?;
        page.round();
    }
}
