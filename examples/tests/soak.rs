//! Chaos against the server, in one process: every connection ends once, for a cause that fits what its
//! client did, nothing is left over, and a server with nothing to do does nothing.
//!
//! The long form:
//!
//! ```text
//! HANGUP_SOAK_SECONDS=60 HANGUP_SOAK_CONNECTIONS=1000 HANGUP_SOAK_BACKEND=polling \
//!     cargo test --release -p hangup-examples --test soak -- --ignored --nocapture
//! ```

use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use hangup::{Cause, Plan, Policy};
use hangup_examples::chaos::{self, Act, Begun, Dialect};
use hangup_examples::net::{Backend, Connection};
use hangup_examples::serve::http::Limits;
use hangup_examples::serve::{Config, Echo, Ending, Handle, Server, Service, Summary, Web};
use hangup_polling::Trigger;

/// What a server is made of.
#[derive(Clone, Copy, Debug)]
struct Way {
    backend: Backend,
    /// How readiness is reported, if it is that kind of adapter.
    trigger: Option<Trigger>,
    workers: usize,
}

/// The tests measure the process, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn soak_short() {
    let _turn = turn();
    for way in ways() {
        soak(way, 200, Duration::from_secs(3), Duration::from_secs(3));
    }
}

#[test]
fn soak_short_with_four_workers() {
    let _turn = turn();
    for way in ways_with_workers() {
        // On a port all workers have all connections: there is more to go wrong.
        let seconds = if way.backend == Backend::Iocp { 10 } else { 3 };
        // Two servers of four threads leave little of the processor to the clients, which must not be late.
        soak(way, 200, Duration::from_secs(seconds), Duration::from_secs(6));
    }
}

#[test]
#[ignore = "takes a minute for each trigger; HANGUP_SOAK_SECONDS, HANGUP_SOAK_CONNECTIONS"]
fn soak_long() {
    let _turn = turn();
    let connections = number("HANGUP_SOAK_CONNECTIONS", 1000);
    let seconds = number("HANGUP_SOAK_SECONDS", 60);
    for way in ways().into_iter().chain(ways_with_workers()) {
        // A thousand clients in one thread may all be late when the machine has other work.
        let silence = Duration::from_secs(12);
        soak(way, usize::try_from(connections).unwrap(), Duration::from_secs(seconds), silence);
        idle(way);
    }
}

#[test]
fn a_server_with_nothing_to_do_does_nothing() {
    let _turn = turn();
    for way in ways().into_iter().chain(ways_with_workers()) {
        idle(way);
    }
}

/// Whoever is told to end at once has events in hand of connections that have just been closed.
#[test]
fn an_abort_under_load_leaves_nothing_over() {
    let _turn = turn();
    let descriptors = descriptors();
    for way in ways().into_iter().chain(ways_with_workers()) {
        let stale: u64 = (0..5).map(|seed| abort_under_load(way, seed)).sum();
        eprintln!("{way:?}: {stale} stale events, none of which changed anything");
        are_back(descriptors);
    }
}

/// How many stale events there were.
fn abort_under_load(way: Way, seed: u64) -> u64 {
    let (sender, ended) = channel();
    let server = Running::start(way, policy(Duration::from_secs(3)), Echo::new(), sender);
    let (servers, second) = (vec![(server.address, Dialect::Echo)], Duration::from_secs(1));
    let config =
        chaos::Config { servers, connections: 200, duration: second / 2, count: 200, patience: second, seed };
    let client = thread::spawn(move || chaos::run(&config, |_| {}));
    thread::sleep(Duration::from_millis(150));
    server.handle.abort();
    let summary = server.join();
    // It was not served as it should be.
    let _tally = client.join().expect("the client panicked");
    let (audit, ends) = (summary.audit, ended.iter().count() as u64);
    assert_eq!((audit.held(), audit.released, ends), (0, audit.acquired, audit.acquired), "{audit:?}");
    assert!(summary.causes.contains_key(&Cause::LocalAbort), "nothing was under way: {summary}");
    audit.stale
}

/// What there is on this system.
fn ways() -> Vec<Way> {
    let poller = polling::Poller::new().expect("a poller");
    let mut triggers = vec![Trigger::OneShot];
    triggers.extend(poller.supports_level().then_some(Trigger::Level));
    triggers.extend(poller.supports_edge().then_some(Trigger::Edge));
    let one = |backend, trigger| Way { backend, trigger, workers: 1 };
    let mut ways: Vec<Way> =
        triggers.into_iter().map(|trigger| one(Backend::Polling, Some(trigger))).collect();
    ways.extend(cfg!(windows).then_some(one(Backend::Iocp, None)));
    if cfg!(target_os = "linux") {
        ways.extend([one(Backend::Uring, None), one(Backend::UringMultishot, None)]);
    }
    asked_for(ways)
}

/// The same, with several workers.
fn ways_with_workers() -> Vec<Way> {
    let mut backends = vec![Backend::Polling];
    backends.extend(cfg!(windows).then_some(Backend::Iocp));
    if cfg!(target_os = "linux") {
        backends.extend([Backend::Uring, Backend::UringMultishot]);
    }
    asked_for(backends.into_iter().map(|backend| Way { backend, trigger: None, workers: 4 }).collect())
}

fn asked_for(mut ways: Vec<Way>) -> Vec<Way> {
    if let Ok(only) = std::env::var("HANGUP_SOAK_BACKEND") {
        ways.retain(|way| format!("{:?}", way.backend).eq_ignore_ascii_case(&only));
    }
    ways
}

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().expect(name),
        Err(_) => default,
    }
}

/// Waits that a soak can wait for.
fn policy(idle: Duration) -> Policy {
    Policy {
        idle: Some(idle),
        stall: 2 * idle,
        half_closed: idle,
        drain_total: 4 * idle,
        drain_idle: idle,
        ..Policy::default()
    }
}

/// A server in a thread of its own.
struct Running {
    address: SocketAddr,
    handle: Handle,
    thread: thread::JoinHandle<io::Result<Summary>>,
}

impl Running {
    fn start<S>(way: Way, policy: Policy, service: S, ended: Sender<End>) -> Self
    where
        S: Service + 'static,
    {
        let Way { backend, trigger, workers } = way;
        let workers = NonZeroUsize::new(workers).expect("at least one worker");
        let config = Config { backend, trigger, policy, workers, ..Config::default() };
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), config, service).expect("a server");
        let (address, handle) = (server.address(), server.handle());
        let thread = thread::spawn(move || {
            server.run(|ending| {
                // If nobody listens any more, the test has failed already.
                let _sent = ended.send(End::of(address, ending));
            })
        });
        Self { address, handle, thread }
    }

    fn stop(self) -> Summary {
        self.handle.drain();
        self.join()
    }

    fn join(self) -> Summary {
        self.thread.join().expect("the server panicked").expect("the server failed")
    }
}

/// A connection that has ended at the server.
struct End {
    /// The server's address, and the client's. Not known of one that reset before it was accepted, on a ring.
    ends: Option<[SocketAddr; 2]>,
    accepted: Instant,
    cause: Cause,
    line: String,
}

impl End {
    fn of(server: SocketAddr, ending: &Ending<'_>) -> Self {
        let Ending { peer, accepted, report, .. } = ending;
        let line = format!("{peer:?}: {report}");
        Self { ends: peer.map(|peer| [server, peer]), accepted: *accepted, cause: report.cause, line }
    }
}

fn soak(way: Way, connections: usize, duration: Duration, idle: Duration) {
    let (descriptors, begin, cpu) = (descriptors(), Instant::now(), ProcessTime::now());
    let (sender, ended) = channel();
    let web = Web::new(Limits::default(), 64 * 1024);
    let echo_server = Running::start(way, policy(idle), Echo::new(), sender.clone());
    let web_server = Running::start(way, policy(idle), web, sender);
    let servers = vec![(echo_server.address, Dialect::Echo), (web_server.address, Dialect::Http)];
    let seed = number("HANGUP_SOAK_SEED", 1);
    let patience = 10 * idle;
    let config = chaos::Config { servers, connections, duration, count: u64::MAX, patience, seed };
    let (sender, begun) = channel();
    let client = thread::spawn(move || {
        chaos::run(&config, |one| {
            let _sent = sender.send(one);
        })
    });

    let mut ledger = Ledger::new(begun, ended);
    let mut told = Instant::now();
    while !client.is_finished() {
        thread::sleep(Duration::from_millis(100));
        ledger.update();
        if told.elapsed() > Duration::from_secs(1) {
            told = Instant::now();
            let open = echo_server.handle.open() + web_server.handle.open();
            let (ends, seconds) = (ledger.ends, begin.elapsed().as_secs());
            eprint!("\r{way:?}, seed {seed}: {seconds:>4} s, {ends:>9} ended, {open:>6} open ");
        }
    }
    let tally = client.join().expect("the client panicked");
    let rounds = echo_server.handle.rounds() + web_server.handle.rounds();
    let summaries = [echo_server.stop(), web_server.stop()];
    ledger.update();

    eprintln!("\n{tally}\n{}\n{}", summaries[0], summaries[1]);
    eprintln!("{ledger}");
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = cpu.elapsed().as_secs_f64() / seconds;
    eprintln!("{way:?}: {seconds:.1} s, {rounds} rounds, {cpu:.2} of a processor, peak {:?}\n", peak());

    assert_eq!(tally.failed, 0, "clients that were not served as they should be");
    assert_eq!(ledger.wrong, Vec::<String>::new(), "reports that do not fit what the client did");
    assert!(tally.peak >= connections, "at most {} of {connections} at a time", tally.peak);
    let mut reported = 0;
    for summary in &summaries {
        let audit = summary.audit;
        assert_eq!((audit.acquired, audit.held()), (audit.released, 0), "{audit:?}");
        assert_eq!(summary.causes.values().sum::<u64>(), audit.released, "one report for each connection");
        assert_eq!((audit.lent, audit.retired), (audit.returned, 0), "{audit:?}");
        assert_eq!(audit.lent > 0, way.backend != Backend::Polling, "readiness lends nothing: {audit:?}");
        assert_eq!(audit.refused, 0, "what happened was told as it happened: {audit:?}");
        reported += audit.released;
    }
    assert_eq!(ledger.ends, reported);
    assert!(ledger.faceless <= ledger.unseen() as u64, "ended without having begun: {ledger}");
    are_back(descriptors);
}

/// Which clients did what, and what the server said about them.
struct Ledger {
    begun: Receiver<Begun>,
    ended: Receiver<End>,
    /// What was begun between two addresses, in order, as far as it has not been reported.
    open: HashMap<[SocketAddr; 2], Vec<Begun>>,
    ends: u64,
    /// Those whose client nobody knows.
    faceless: u64,
    table: BTreeMap<(Act, Cause), u64>,
    wrong: Vec<String>,
}

impl Ledger {
    fn new(begun: Receiver<Begun>, ended: Receiver<End>) -> Self {
        let (open, table, wrong) = (HashMap::new(), BTreeMap::new(), Vec::new());
        Self { begun, ended, open, ends: 0, faceless: 0, table, wrong }
    }

    fn unseen(&self) -> usize {
        self.open.values().map(Vec::len).sum()
    }

    fn update(&mut self) {
        // First the ends: by then, whatever has ended has been begun.
        let ends: Vec<End> = self.ended.try_iter().collect();
        for begun in self.begun.try_iter() {
            self.open.entry([begun.server, begun.local]).or_default().push(begun);
        }
        for end in ends {
            self.ends += 1;
            self.check(&end);
        }
    }

    fn check(&mut self, end: &End) {
        let Some(ends) = end.ends else {
            self.faceless += 1;
            if end.cause != Cause::PeerReset {
                self.wrong.push(format!("without an address, and not reset: {}", end.line));
            }
            return;
        };
        // Addresses are used again. What was accepted then is what was begun last before that.
        let begun = self.open.get_mut(&ends).and_then(|all| {
            let at = all.iter().rposition(|begun| begun.at <= end.accepted)?;
            Some(all.remove(at))
        });
        let Some(Begun { act, .. }) = begun else {
            return self.wrong.push(format!("never begun, or ended twice: {}", end.line));
        };
        *self.table.entry((act, end.cause)).or_default() += 1;
        if !act.causes().contains(&end.cause) && self.wrong.len() < 20 {
            self.wrong.push(format!("{act:?}: {}", end.line));
        }
    }
}

impl std::fmt::Display for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for ((act, cause), count) in &self.table {
            writeln!(f, "{:<24} {:<24} {count:>10}", format!("{act:?}"), cause.name())?;
        }
        // A reset may overtake the accept.
        writeln!(f, "never seen with its address {:>32}", self.unseen())?;
        write!(f, "seen without its address {:>35}", self.faceless)
    }
}

/// Connections that wait for nothing, in every way there is.
fn idle(way: Way) {
    const EACH: usize = 50;
    let (sender, _ended) = channel();
    let long = Duration::from_secs(600);
    let policy = Policy { idle: Some(long), half_closed: long, drain_total: long, ..Policy::default() };
    let server = Running::start(way, policy, Hold, sender);
    let mut clients = Vec::new();
    for at in 0..4 * EACH {
        let mut client = TcpStream::connect(server.address).expect("a connection");
        match at % 4 {
            0 => {}
            1 => client.write_all(b"pause").expect("a write"),
            2 if at % 8 < 4 => client.write_all(b"finish").expect("a write"),
            2 => client.shutdown(Shutdown::Write).expect("a shutdown"),
            _ => {
                client.write_all(b"pause").expect("a write");
                // It says so when it has paused.
                client.read_exact(&mut [0; 4]).expect("an answer");
                socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an option");
                continue;
            }
        }
        clients.push(client);
    }
    let patience = Instant::now() + Duration::from_secs(10);
    while server.handle.open() < 4 * EACH && Instant::now() < patience {
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(500));
    assert_eq!(server.handle.open(), 4 * EACH, "{way:?}: all are still there");

    let (begin, rounds, cpu) = (Instant::now(), server.handle.rounds(), ProcessTime::now());
    thread::sleep(Duration::from_secs(2));
    let rounds = server.handle.rounds() - rounds;
    let share = cpu.elapsed().as_secs_f64() / begin.elapsed().as_secs_f64();
    eprintln!("{way:?}: {} connections idle for 2 s: {rounds} rounds, {share:.5} of a processor", 4 * EACH);
    assert!(rounds <= 20, "{way:?}: {rounds} rounds without anything to do");
    assert!(share < 0.02, "{way:?}: {share} of a processor for nothing");

    drop(clients);
    let summary = server.stop();
    let reset = summary.causes.get(&Cause::PeerReset).copied().unwrap_or_default();
    let tells = cfg!(target_os = "linux");
    assert!(!tells || reset >= EACH as u64, "{way:?}: resets while paused were missed: {summary}");
    assert_eq!(summary.audit.held(), 0);
}

/// Does what the first byte says, and then nothing.
#[derive(Clone)]
struct Hold;

impl Service for Hold {
    type State = ();

    fn begin(&mut self) {}

    fn serve(&mut self, io: &mut dyn Connection, _state: &mut ()) {
        let mut buffer = [0; 16];
        loop {
            match io.read(&mut buffer) {
                // The peer may wait for an answer, and waits in vain.
                Ok(0) => return,
                Ok(_) if buffer[0] == b'p' => {
                    io.pause();
                    let written = io.write(b"held");
                    assert_eq!(written.ok(), Some(4));
                    return;
                }
                Ok(_) => io.close(Plan::Finish),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

/// How many descriptors this process has, where that is easily told. Under Wine they are those of its server, which has
/// one for each socket of any program; Windows itself has no such place.
fn descriptors() -> Option<usize> {
    let place = if cfg!(windows) { "Z:/proc/self/fd" } else { "/proc/self/fd" };
    let found = std::fs::read_dir(place).ok().map(Iterator::count);
    assert!(found.is_some() || !cfg!(target_os = "linux"), "{place} is not there");
    found
}

/// There are no more descriptors than there were, as soon as whoever closes them has done so. A few are no matter under
/// Wine, whose own services come and go: one for each connection would be hundreds.
fn are_back(before: Option<usize>) {
    let others = if cfg!(windows) { 40 } else { 0 };
    let patience = Instant::now() + Duration::from_secs(20);
    while descriptors() > before.map(|before| before + others) {
        assert!(Instant::now() < patience, "{:?} descriptors, and {before:?} at first", descriptors());
        thread::sleep(Duration::from_millis(20));
    }
}

/// The most memory that this process ever had, where that is easily told.
fn peak() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
