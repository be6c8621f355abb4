//! Several workers, with a ring each: what one wants of another's connection is done there, once.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test: a surprise is a failed test"
)]

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hangup::{Blame, Cause, Command, Key, Plan, Policy, Report};
use hangup_uring::{Driver, Guard, Options, Remote, RemoteError, Shots};

const PATIENCE: Duration = Duration::from_secs(60);

/// Deadlines that save nobody.
fn patient() -> Policy {
    let long = Duration::from_secs(600);
    Policy {
        idle: None,
        stall: long,
        half_closed: long,
        drain_total: long,
        drain_idle: long,
        ..Policy::default()
    }
}

/// A connection of a driver's, and its peer.
fn connection(net: &mut Driver<()>) -> (Key, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    (net.accept(listener.accept().unwrap().0, ()).unwrap(), peer)
}

const WORKERS: usize = 4;
/// So many connections does each worker make.
const EACH: usize = 1_000;
/// So many of them at a time.
const AT_ONCE: usize = 25;

/// What the workers have in common.
struct Common {
    addresses: Vec<SocketAddr>,
    remotes: Mutex<Vec<Option<Remote>>>,
    /// Connections that somebody else is to close.
    board: Mutex<Vec<Key>>,
    /// How many connections that were made have ended at whoever made them.
    ended: AtomicUsize,
    commands: AtomicUsize,
    barrier: Barrier,
}

/// One worker: what ended at its ring.
fn work(own: usize, listener: TcpListener, common: &Common) -> Vec<(Key, Report)> {
    let mut net: Driver<bool> = Driver::new(patient()).unwrap();
    net.listen(listener).unwrap();
    common.remotes.lock().unwrap()[own] = Some(net.remote());
    common.barrier.wait();
    let remotes: Vec<Remote> = common.remotes.lock().unwrap().iter().flatten().cloned().collect();
    let (mut made, mut open, mut reports, mut begin) = (0, 0, Vec::new(), Instant::now());
    while common.ended.load(Ordering::SeqCst) < WORKERS * EACH || !net.is_empty() {
        while made < EACH && open < AT_ONCE {
            let peer = common.addresses[(own + 1 + made % (WORKERS - 1)) % WORKERS];
            net.connect(peer, true).unwrap();
            (made, open) = (made + 1, open + 1);
        }
        net.wait(Some(Duration::from_millis(20))).unwrap();
        while let Some(Guard { mut io, .. }) = net.next() {
            if io.is_connected() {
                common.board.lock().unwrap().push(io.key());
                drop(io.write(b"hello"));
            }
            while io.is_readable() && !matches!(io.read(&mut [0; 64]), Ok(0) | Err(_)) {}
        }
        while let Some(stream) = net.incoming().unwrap() {
            common.board.lock().unwrap().push(net.accept(stream, false).unwrap());
        }
        while let Some(ended) = net.ended() {
            open -= usize::from(ended.state);
            common.ended.fetch_add(usize::from(ended.state), Ordering::SeqCst);
            reports.push((ended.key, ended.report));
            begin = Instant::now();
        }
        command(own, &remotes, common);
        assert!(begin.elapsed() < PATIENCE, "worker {own} waits in vain: {:?}", net.audit());
    }
    // Nobody sends any more.
    common.barrier.wait();
    let audit = net.audit();
    assert_eq!((audit.acquired, audit.held()), (audit.released, 0), "{audit:?}");
    assert_eq!((audit.lent, audit.foreign), (audit.returned, 0), "{audit:?}");
    println!("{audit:?}, {:?}", net.counts());
    assert_eq!(net.shut_down(PATIENCE).leaked, 0);
    common.barrier.wait();
    let key = reports.first().unwrap().0;
    for remote in &remotes {
        let gone = if remote.owns(key) { RemoteError::Gone } else { RemoteError::Foreign(key) };
        assert_eq!(remote.command(key, Command::Resume), Err(gone));
    }
    reports
}

/// Closes connections of the others, each once or twice, in every way.
fn command(own: usize, remotes: &[Remote], common: &Common) {
    let keys: Vec<Key> = {
        let mut board = common.board.lock().unwrap();
        // Its own are left to the others.
        let (ours, others) = board.drain(..).partition(|&key| remotes[own].owns(key));
        *board = ours;
        others
    };
    for key in keys {
        let remote = remotes.iter().find(|remote| remote.owns(key)).unwrap();
        let number = common.commands.fetch_add(1, Ordering::SeqCst);
        let plan = [Plan::Linger, Plan::Abort, Plan::Flush][number % 3];
        remote.command(key, Command::Blame(Blame::Shed)).unwrap();
        remote.command(key, Command::Close(plan)).unwrap();
        if number % 2 == 0 {
            remote.command(key, Command::Close(Plan::Flush)).unwrap();
        }
    }
}

#[test]
fn four_rings_close_the_connections_of_each_other() {
    let listeners: Vec<TcpListener> =
        (0..WORKERS).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let common = Common {
        addresses: listeners.iter().map(|listener| listener.local_addr().unwrap()).collect(),
        remotes: Mutex::new(vec![None; WORKERS]),
        board: Mutex::default(),
        ended: AtomicUsize::new(0),
        commands: AtomicUsize::new(0),
        barrier: Barrier::new(WORKERS),
    };
    let reports: Vec<(Key, Report)> = thread::scope(|scope| {
        let workers = listeners.into_iter().enumerate().map(|(own, listener)| {
            let common = &common;
            scope.spawn(move || work(own, listener, common))
        });
        let workers: Vec<_> = workers.collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let keys: HashSet<Key> = reports.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys.len(), reports.len(), "a connection was reported twice");
    let made = WORKERS * EACH;
    assert!((made + 1..=2 * made).contains(&reports.len()), "{} reports", reports.len());
    let mut causes: HashMap<Cause, usize> = HashMap::new();
    for (_, report) in &reports {
        *causes.entry(report.cause).or_default() += 1;
    }
    println!("{} reports, {causes:?}", reports.len());
    // The other end may have been first.
    assert!(causes[&Cause::Shed] >= made / 2, "closed by somebody else: {causes:?}");
}

/// Rings that accept from one socket take turns.
#[test]
fn four_rings_share_a_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, ends) = (listener.local_addr().unwrap(), AtomicUsize::new(0));
    let taken: Vec<AtomicUsize> = (0..WORKERS).map(|_| AtomicUsize::new(0)).collect();
    let all = || taken.iter().map(|count| count.load(Ordering::SeqCst)).sum::<usize>();
    thread::scope(|scope| {
        for count in &taken {
            let (listener, ends) = (listener.try_clone().unwrap(), &ends);
            scope.spawn(move || {
                let options = Options { accept: Shots::Single, ..Options::default() };
                let mut net: Driver<()> = Driver::with_options(patient(), options).unwrap();
                net.listen(listener).unwrap();
                while ends.load(Ordering::SeqCst) == 0 {
                    net.wait(Some(Duration::from_millis(20))).unwrap();
                    while let Some(stream) = net.incoming().unwrap() {
                        drop(stream);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        // A thread that does not run just now leaves its turns to the others.
        let has_turns = |count: &AtomicUsize| count.load(Ordering::SeqCst) >= 20;
        let (begin, mut made) = (Instant::now(), 0);
        while !taken.iter().all(has_turns) && begin.elapsed() < PATIENCE {
            drop(TcpStream::connect(address).unwrap());
            made += 1;
            while all() < made && begin.elapsed() < PATIENCE {
                thread::sleep(Duration::from_micros(100));
            }
        }
        ends.store(1, Ordering::SeqCst);
        println!("{made}: {taken:?}");
        assert!(taken.iter().all(has_turns), "of {made}: {taken:?}");
    });
}

/// A loop that waits for ever is brought back, and the command has been performed when the guard comes.
#[test]
fn a_command_brings_the_loop_back() {
    let mut net = Driver::new(patient()).unwrap();
    let (key, mut peer) = connection(&mut net);
    net.get(key).unwrap().io.pause();
    peer.write_all(b"12345").unwrap();
    let remote = net.remote();
    let (sender, seen) = channel();
    let worker = thread::spawn(move || {
        loop {
            net.wait(None).unwrap();
            while let Some(Guard { mut io, .. }) = net.next() {
                if io.is_readable() {
                    sender.send(io.read(&mut [0; 8]).unwrap()).unwrap();
                }
                if io.is_writable() {
                    sender.send(io.write(b"123").unwrap()).unwrap();
                }
            }
            if let Some(ended) = net.ended() {
                return (ended.report, net.audit());
            }
        }
    });
    remote.command(key, Command::Resume).unwrap();
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), 5);
    // Written in two turns: what was announced is counted.
    remote.command(key, Command::Output(6)).unwrap();
    for _ in 0..2 {
        assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), 3);
    }
    peer.read_exact(&mut [0; 6]).unwrap();
    remote.command(key, Command::Blame(Blame::Protocol)).unwrap();
    remote.command(key, Command::Close(Plan::Linger)).unwrap();
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    drop(peer);
    let (report, audit) = worker.join().unwrap();
    assert_eq!((report.cause, report.plan), (Cause::Protocol, Some(Plan::Linger)), "{report}");
    assert_eq!((report.received, report.sent, report.unsent), (5, 6, 0));
    assert_eq!((audit.stale, audit.foreign, audit.refused), (0, 0, 0));
}

/// What cannot be done is said, to whom it is of use.
#[test]
fn a_command_for_nobody_changes_nothing() {
    let (mut net, mut other) = (Driver::new(patient()).unwrap(), Driver::new(patient()).unwrap());
    let remote = net.remote();
    let ((key, _peer), (foreign, _foreign_peer)) = (connection(&mut net), connection(&mut other));
    assert!(remote.owns(key) && !remote.owns(foreign));
    assert_eq!(remote.command(foreign, Command::Close(Plan::Abort)), Err(RemoteError::Foreign(foreign)));
    net.get(key).unwrap().io.close(Plan::Abort);
    while net.ended().is_none() {
        net.wait(Some(PATIENCE)).unwrap();
    }
    let (next, _next_peer) = connection(&mut net);
    // Stale, and in the same place: each is counted once.
    let before = net.audit();
    for command in [Command::Close(Plan::Abort), Command::Output(5), Command::Resume] {
        remote.command(key, command).unwrap();
    }
    net.wait(Some(Duration::ZERO)).unwrap();
    let after = net.audit();
    assert_eq!((after.stale, after.foreign, after.refused), (before.stale + 3, 0, before.refused));
    assert!(net.get(next).is_ok() && net.ended().is_none());
    drop(net);
    assert_eq!(remote.command(next, Command::Close(Plan::Abort)), Err(RemoteError::Gone));
    assert_eq!(RemoteError::Gone.to_string(), "the driver is gone");
}
