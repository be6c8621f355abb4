//! Several workers on one port: a packet comes to any of them, at the same time as another's, and before the call that
//! submitted its operation has returned.

use std::collections::{HashSet, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hangup::{Command, DrainEnd, Key, Plan, Policy, Report};
use hangup_iocp::{Driver, Ended, GetError, Guard, Options, Waker};

use super::{pair, reset, ways};

const PATIENCE: Duration = Duration::from_secs(40);
const WORKERS: usize = 4;
const CLIENTS: u64 = 4;
/// Connections of each client, with each way to go about it.
const EACH: usize = 300;

/// What all workers and clients know.
struct World {
    waker: Waker,
    /// The worker that pauses and resumes all connections, once a round.
    pauses: Option<usize>,
    /// What another worker than the one that ordered it is to say to a connection.
    orders: Mutex<VecDeque<Order>>,
    /// Whoever waits in a turn for another worker.
    waiting: Mutex<()>,
    /// By the number of the connection: whether some worker has its turn.
    busy: Vec<AtomicBool>,
    numbers: AtomicUsize,
    /// States that have been dropped.
    dropped: AtomicUsize,
    /// Turns that were held while another worker aborted the connection.
    aborted_in_turn: AtomicUsize,
    reported: Mutex<HashSet<Key>>,
    over: AtomicBool,
}

struct Order {
    key: Key,
    by: usize,
    command: Command,
    /// Whether the turn is held until this is done, and where to say so.
    held: Option<Arc<AtomicBool>>,
}

/// The application's state of a connection.
struct Session {
    number: usize,
    kind: Option<u8>,
    out: Vec<u8>,
    world: Arc<World>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.world.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl World {
    fn new(waker: Waker, pauses: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            waker,
            pauses,
            orders: Mutex::default(),
            waiting: Mutex::default(),
            busy: (0..=EACH * 5).map(|_| AtomicBool::new(false)).collect(),
            numbers: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            aborted_in_turn: AtomicUsize::new(0),
            reported: Mutex::default(),
            over: AtomicBool::new(false),
        })
    }

    fn session(self: &Arc<Self>) -> Session {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        Session { number, kind: None, out: Vec::new(), world: Arc::clone(self) }
    }

    fn order(&self, order: Order) {
        self.orders.lock().unwrap().push_back(order);
        self.waker.wake().unwrap();
    }

    /// The next order of somebody else.
    fn next_order(&self, me: usize) -> Option<Order> {
        let mut orders = self.orders.lock().unwrap();
        let at = orders.iter().position(|order| order.by != me)?;
        orders.remove(at)
    }
}

/// One worker's loop.
fn work(net: &mut Driver<Session>, world: &Arc<World>, me: usize, until: impl Fn(&Driver<Session>) -> bool) {
    let began = Instant::now();
    while !until(net) {
        assert!(began.elapsed() < PATIENCE, "it does not come to an end: {:?}", net.audit());
        net.wait(Some(Duration::from_millis(200))).unwrap();
        while let Some(order) = world.next_order(me) {
            obey(net, &order);
        }
        if world.pauses == Some(me) {
            for key in net.keys().collect::<Vec<_>>() {
                for command in [Command::Pause, Command::Resume] {
                    let _over = net.command(key, command);
                }
            }
        }
        while let Some(conn) = net.next() {
            serve(conn, world, me);
        }
        while let Some((stream, _)) = net.incoming().unwrap() {
            net.accept(stream, world.session()).map_err(|refused| refused.error).unwrap();
        }
        while let Some(ended) = net.ended() {
            note(world, &ended);
        }
    }
}

fn obey(net: &mut Driver<Session>, Order { key, command, held, .. }: &Order) {
    if held.is_some() {
        let error = net.get(*key).map(|guard| guard.io.key()).unwrap_err();
        assert_eq!(error, GetError::InUse(*key));
    }
    // It may have ended by itself.
    let _over = net.command(*key, *command);
    if let Some(held) = held {
        held.store(true, Ordering::Release);
    }
}

fn note(world: &World, ended: &Ended<Session>) {
    assert!(world.reported.lock().unwrap().insert(ended.key), "reported twice");
    assert!(!world.busy[ended.state.number].load(Ordering::Acquire), "it has ended in somebody's turn");
}

fn serve(Guard { mut io, state }: Guard<'_, Session>, world: &World, me: usize) {
    let busy = &world.busy[state.number];
    assert!(!busy.swap(true, Ordering::AcqRel), "two workers have a turn with it");
    let key = io.key();
    write_out(&mut io, state);
    let mut bytes = [0; 4096];
    loop {
        match io.read(&mut bytes) {
            Ok(0) => break io.close(Plan::Flush),
            Ok(count) => {
                let mut new = &bytes[..count];
                if state.kind.is_none() {
                    state.kind = Some(new[0]);
                    new = &new[1..];
                    begin(&mut io, new.is_empty(), bytes[0], world, me, key);
                }
                state.out.extend_from_slice(new);
                write_out(&mut io, state);
            }
            Err(_) => break,
        }
    }
    drop(io);
    // The state is still this worker's: the turn is over with its next call.
    busy.store(false, Ordering::Release);
}

/// By the first byte: what the client wants to see.
fn begin(io: &mut hangup_iocp::Io<'_>, is_alone: bool, kind: u8, world: &World, me: usize, key: Key) {
    let order = |command, held| world.order(Order { key, by: me, command, held });
    match kind {
        // We finish when the peer may be finishing too.
        b'c' => io.close(Plan::Flush),
        b'a' => order(Command::Close(Plan::Abort), None),
        b'h' => {
            // One at a time, or the workers would wait for each other.
            let Ok(_waiting) = world.waiting.try_lock() else {
                return order(Command::Close(Plan::Abort), None);
            };
            let done = Arc::new(AtomicBool::new(false));
            order(Command::Close(Plan::Abort), Some(Arc::clone(&done)));
            let began = Instant::now();
            while !done.load(Ordering::Acquire) {
                assert!(began.elapsed() < PATIENCE, "no other worker obeys");
                thread::yield_now();
            }
            world.aborted_in_turn.fetch_add(1, Ordering::Relaxed);
        }
        b'p' if is_alone => {
            io.pause();
            order(Command::Resume, None);
        }
        _ => {}
    }
}

fn write_out(io: &mut hangup_iocp::Io<'_>, state: &mut Session) {
    while !state.out.is_empty() {
        match io.write(&state.out) {
            Ok(count) => drop(state.out.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => state.out.clear(),
        }
    }
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One connection, with an ending by chance. What is echoed has to be what was sent.
fn visit(address: SocketAddr, chance: &mut Chance) {
    let mut peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let size = usize::try_from(1 + chance.below(40_000)).unwrap();
    let bytes: Vec<u8> = (0..size).map(|at| [0, 3, 5, 7, 11, 13, 17][(at / 7 + size) % 7]).collect();
    match chance.below(8) {
        0 => drop(peer),
        1 => reset(peer),
        2 => {
            peer.write_all(b"e").unwrap();
            peer.write_all(&bytes).unwrap();
            reset(peer);
        }
        3 => {
            peer.write_all(b"c").unwrap();
            let _reset = peer.shutdown(Shutdown::Write);
        }
        4 => order_and_see(peer, b"a"),
        5 => order_and_see(peer, b"h"),
        6 => echo(peer, b"p", &bytes),
        _ => echo(peer, b"e", &bytes),
    }
}

fn order_and_see(mut peer: TcpStream, kind: &[u8]) {
    peer.write_all(kind).unwrap();
    let mut rest = Vec::new();
    // Wine swallows resets at times.
    if let Err(error) = peer.read_to_end(&mut rest) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert!(rest.is_empty());
}

fn echo(mut peer: TcpStream, kind: &[u8], bytes: &[u8]) {
    peer.write_all(kind).unwrap();
    for part in bytes.chunks(9_000) {
        peer.write_all(part).unwrap();
    }
    peer.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    peer.read_to_end(&mut back).unwrap();
    assert!(back == bytes, "{} bytes were echoed of {}", back.len(), bytes.len());
}

fn driver<S>(options: Options) -> Driver<S> {
    let (short, long) = (Duration::from_millis(500), Duration::from_secs(5));
    let policy = Policy { idle: None, half_closed: long, drain_total: short, ..Policy::default() };
    Driver::with_options(policy, options).unwrap()
}

fn listen<S>(net: &mut Driver<S>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    net.listen(listener).unwrap();
    address
}

/// Nothing is with the OS, nothing is missing, and each connection was reported once and gave its state back once.
fn balanced(mut net: Driver<Session>, world: &World) {
    net.stop_listening();
    let began = Instant::now();
    while net.pool().out > 0 && began.elapsed() < PATIENCE {
        net.wait(Some(Duration::from_millis(5))).unwrap();
    }
    assert!(net.next().is_none() && net.ended().is_none(), "it ended twice");
    let audit = net.audit();
    eprintln!("{audit:?}, {} aborted in a turn", world.aborted_in_turn.load(Ordering::Relaxed));
    let reported = world.reported.lock().unwrap().len();
    assert_eq!((audit.held(), audit.with_the_os(), net.pool().out), (0, 0, 0), "{audit:?}");
    assert_eq!((audit.acquired, audit.lent), (audit.released, audit.returned), "{audit:?}");
    assert_eq!((reported as u64, audit.foreign), (audit.released, 0), "{audit:?}");
    assert_eq!(world.numbers.load(Ordering::Relaxed), reported);
    assert_eq!(world.dropped.load(Ordering::Relaxed), reported);
    let audit = net.shut_down();
    assert_eq!((audit.held(), audit.with_the_os()), (0, 0), "{audit:?}");
}

/// Connections end in every way, on any worker; a worker goes in the middle, and another comes.
#[test]
fn many_connections_on_several_workers() {
    for options in ways() {
        let mut net = driver(options);
        let address = listen(&mut net);
        let world = World::new(net.waker(), None);
        thread::scope(|scope| {
            let done = |net: &Driver<Session>| world.over.load(Ordering::Acquire) && net.is_empty();
            for me in 0..WORKERS {
                let (mut worker, world) = (net.worker(), &world);
                scope.spawn(move || {
                    if me == 0 {
                        // It goes with whatever it has on its lists.
                        work(&mut worker, world, me, |net| net.audit().acquired > EACH as u64);
                        worker = worker.worker();
                    }
                    work(&mut worker, world, me, done);
                });
            }
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    scope.spawn(move || {
                        let mut chance = Chance(client + 1);
                        (0..EACH).for_each(|_| visit(address, &mut chance));
                    })
                })
                .collect();
            clients.into_iter().for_each(|client| client.join().unwrap());
            // When the last is served, all have been taken in.
            echo(TcpStream::connect(address).unwrap(), b"e", b"the last");
            world.over.store(true, Ordering::Release);
            world.waker.wake().unwrap();
        });
        // What came late, or was left behind.
        work(&mut net, &world, WORKERS, |net| {
            net.is_empty() && world.reported.lock().unwrap().len() as u64 == net.audit().released
        });
        assert!(world.aborted_in_turn.load(Ordering::Relaxed) > 0, "no turn was held");
        balanced(net, &world);
    }
}

/// Few connections with much to do: the packets of one come to all workers at the same time, and one of them pauses and
/// resumes them all, whoever has their turn. What is echoed is what was sent.
#[test]
fn streams_are_whole_on_several_workers() {
    const STREAMS: usize = 6;
    const BYTES: usize = 400_000;
    for options in ways() {
        let mut net = driver(Options { buffer_size: 1024, output_limit: 4096, ..options });
        let address = listen(&mut net);
        let world = World::new(net.waker(), Some(0));
        let over = |net: &Driver<Session>| world.over.load(Ordering::Acquire) && net.is_empty();
        thread::scope(|scope| {
            for me in 0..WORKERS {
                let (mut worker, world, over) = (net.worker(), &world, &over);
                scope.spawn(move || work(&mut worker, world, me, over));
            }
            let peers: Vec<_> =
                (0..STREAMS).map(|number| scope.spawn(move || stream(address, number, BYTES))).collect();
            peers.into_iter().for_each(|peer| peer.join().unwrap());
            world.over.store(true, Ordering::Release);
            world.waker.wake().unwrap();
        });
        work(&mut net, &world, WORKERS, |net| {
            world.reported.lock().unwrap().len() as u64 == net.audit().released
        });
        balanced(net, &world);
    }
}

/// Writes in one thread and reads in another.
fn stream(address: SocketAddr, number: usize, size: usize) {
    let mut peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let bytes: Vec<u8> =
        (0..size).map(|at| [2, 3, 5, 7, 11, 13, 17][(at / 5 + at / 1000 + number) % 7]).collect();
    let mut writer = peer.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all(b"e").unwrap();
            writer.write_all(&bytes).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        peer.read_to_end(&mut back).unwrap();
        assert!(back == bytes, "{} bytes were echoed of {}", back.len(), bytes.len());
    });
}

/// One worker writes bit by bit while the others send: the machine knows at any time how much there is, so the FIN
/// comes behind the last byte.
#[test]
fn what_is_written_is_counted_while_others_send() {
    const BYTES: usize = 100_000;
    for options in ways() {
        let options = Options { buffer_size: 64, output_limit: 512, ..options };
        let policy = Policy { idle: None, drain_total: Duration::from_secs(10), ..Policy::default() };
        let mut net: Driver<()> = Driver::with_options(policy, options).unwrap();
        let (stream, mut peer) = pair();
        let key = net.accept(stream, ()).unwrap();
        let report = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 1..WORKERS {
                let (mut worker, report) = (net.worker(), &report);
                scope.spawn(move || go_round(&mut worker, report));
            }
            let reader = scope.spawn(move || {
                let mut all = Vec::new();
                peer.read_to_end(&mut all).map(|_| all.len())
            });
            let mut conn = net.get(key).unwrap();
            let (began, mut written) = (Instant::now(), 0);
            while written < BYTES {
                assert!(began.elapsed() < PATIENCE, "{written} bytes were taken");
                match conn.io.write(&[7; 3][..(BYTES - written).min(3)]) {
                    Ok(count) => written += count,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
            conn.io.close(Plan::Flush);
            drop(conn);
            go_round(&mut net, &report);
            assert_eq!(reader.join().unwrap().unwrap(), BYTES);
        });
        let report = report.into_inner().unwrap().unwrap();
        let expected = (BYTES as u64, 0, Some(DrainEnd::PeerFinished));
        assert_eq!((report.sent, report.unsent, report.drain_end), expected, "{report}");
    }
}

/// Until the one connection has ended, on whichever worker. Turns are not used.
fn go_round(net: &mut Driver<()>, report: &Mutex<Option<Report>>) {
    let began = Instant::now();
    while report.lock().unwrap().is_none() {
        assert!(began.elapsed() < PATIENCE, "it does not end: {:?}", net.audit());
        net.wait(Some(Duration::from_millis(20))).unwrap();
        while net.next().is_some() {}
        if let Some(ended) = net.ended() {
            *report.lock().unwrap() = Some(ended.report);
        }
    }
}
