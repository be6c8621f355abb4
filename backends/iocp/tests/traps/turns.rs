//! A connection is one worker's at a time, and a worker that goes takes nothing with it. Two workers in one thread, so
//! that each step has its place.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hangup::{Cause, Command, Key, Phase, Plan};
use hangup_iocp::{Driver, GetError, Guard};

use super::{connection, driver, ended, pair, reset, settled, ways};

const SHORT: Option<Duration> = Some(Duration::from_millis(5));

/// Lets one worker wait until it has a turn for the application.
fn turn<'a>(net: &'a mut Driver<()>, key: Key) -> Guard<'a, ()> {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(20), "no turn comes");
        net.wait(SHORT).unwrap();
        // In two steps, for the borrow.
        if net.keys().any(|other| other == key) && has_news(net) {
            break;
        }
    }
    net.get(key).unwrap()
}

/// Whether somebody waits for a turn: then the next wait does not wait.
fn has_news(net: &mut Driver<()>) -> bool {
    net.next().is_some()
}

#[test]
fn a_turn_is_one_workers() {
    for options in ways() {
        let mut one = driver(options);
        let mut other = one.worker();
        let (key, mut peer) = connection(&mut one);
        let mut conn = one.get(key).unwrap();
        assert_eq!(other.get(key).unwrap_err(), GetError::InUse(key));
        // What comes for it meanwhile, by whatever worker, waits for the turn to end.
        peer.write_all(b"hello").unwrap();
        for _ in 0..10 {
            other.wait(SHORT).unwrap();
            assert!(other.next().is_none(), "it has two turns");
        }
        conn.io.write_all(b"welcome").unwrap();
        drop(conn);
        let mut said = [0; 7];
        peer.read_exact(&mut said).unwrap();
        assert_eq!(
            other.get(key).unwrap_err(),
            GetError::InUse(key),
            "the state is lent until the next call"
        );
        one.wait(SHORT).unwrap();
        assert_eq!(other.get(key).unwrap().io.read(&mut [0; 16]).unwrap(), 5);
        assert_eq!(one.get(key).unwrap_err(), GetError::InUse(key));
        drop(other);
        one.get(key).unwrap().io.close(Plan::Abort);
        ended(&mut one);
        let gone = one.get(key).unwrap_err();
        assert!(matches!(gone, GetError::Gone(hangup::InputError::Stale(stale)) if stale == key));
    }
}

/// What has nothing to do during a turn, and something when it ends, is on the list of whoever had the turn.
#[test]
fn news_of_a_turn_are_told_after_it() {
    for options in ways() {
        let mut one = driver(options);
        let mut other = one.worker();
        let (key, mut peer) = connection(&mut one);
        let conn = one.get(key).unwrap();
        peer.write_all(b"hello").unwrap();
        let began = Instant::now();
        while other.pool().out == 0 || began.elapsed() < Duration::from_millis(50) {
            other.wait(SHORT).unwrap();
        }
        drop(conn);
        one.wait(Some(Duration::from_secs(20))).unwrap();
        let mut conn = one.next().expect("its turn, without anything new");
        assert_eq!((conn.io.key(), conn.io.read(&mut [0; 16]).unwrap()), (key, 5));
    }
}

/// The connection is lost while it is in somebody's hands: that is told in one more turn, and then it is released.
#[test]
fn a_loss_that_comes_in_a_turn_is_told_after_it() {
    for options in ways() {
        let mut one = driver(options);
        let mut other = one.worker();
        let (key, peer) = connection(&mut one);
        let conn = one.get(key).unwrap();
        reset(peer);
        let began = Instant::now();
        while conn.io.life().unwrap().phase() != Phase::Ending {
            assert!(began.elapsed() < Duration::from_secs(20));
            other.wait(SHORT).unwrap();
        }
        drop(conn);
        one.wait(SHORT).unwrap();
        assert!(one.ended().is_none(), "nobody was told");
        let mut conn = one.next().expect("one more turn");
        let error = conn.io.read(&mut [0; 4]).unwrap_err();
        assert_eq!((conn.io.key(), error.kind()), (key, std::io::ErrorKind::ConnectionReset));
        drop(conn);
        assert_eq!(one.ended().map(|ended| ended.key), Some(key));
    }
}

/// Another worker aborts it. What the OS has is called off at once; it is released when the turn ends, and not before.
#[test]
fn a_connection_that_ends_in_a_turn_is_released_behind_it() {
    for options in ways() {
        let mut one = driver(options);
        let mut other = one.worker();
        let (key, peer) = connection(&mut one);
        let Guard { mut io, state } = one.get(key).unwrap();
        other.command(key, Command::Close(Plan::Abort)).unwrap();
        let began = Instant::now();
        while other.audit().with_the_os() > 0 {
            assert!(began.elapsed() < Duration::from_secs(20));
            other.wait(SHORT).unwrap();
        }
        other.wait(SHORT).unwrap();
        assert!(other.ended().is_none(), "released under the hands of whoever has its turn");
        assert_eq!((other.audit().held(), io.life().unwrap().phase()), (1, Phase::Ending));
        assert!(io.stream().unwrap().local_addr().is_ok(), "its socket is open");
        assert!(io.write(b"too late").is_err() && io.read(&mut [0; 4]).is_err());
        drop(io);
        *state = ();
        other.wait(SHORT).unwrap();
        assert!(other.ended().is_none(), "the state is still lent");
        let ended = one.ended().expect("whoever had the turn has the report");
        assert_eq!((ended.key, ended.report.cause), (key, Cause::LocalAbort));
        drop((peer, other));
        settled(&mut one);
    }
}

#[test]
fn another_worker_pauses_and_resumes() {
    for options in ways() {
        let mut one = driver(options);
        let mut other = one.worker();
        let (key, mut peer) = connection(&mut one);
        other.command(key, Command::Pause).unwrap();
        peer.write_all(b"hello").unwrap();
        for _ in 0..10 {
            one.wait(SHORT).unwrap();
            other.wait(SHORT).unwrap();
            assert!(one.next().is_none() && other.next().is_none(), "it is paused");
        }
        other.command(key, Command::Resume).unwrap();
        drop(other);
        assert_eq!(turn(&mut one, key).io.read(&mut [0; 16]).unwrap(), 5);
    }
}

/// One worker has all that there is to do on its lists, and goes.
#[test]
fn a_worker_that_goes_leaves_its_lists() {
    for options in ways() {
        let mut one = driver(options);
        let mut other = one.worker();
        let (readable, mut peer) = connection(&mut one);
        let (lost, its_peer) = connection(&mut one);
        let (aborted, _third) = connection(&mut one);
        peer.write_all(b"hello").unwrap();
        reset(its_peer);
        other.command(aborted, Command::Close(Plan::Abort)).unwrap();
        let began = Instant::now();
        while other.audit().held() > 2 || began.elapsed() < Duration::from_millis(100) {
            assert!(began.elapsed() < Duration::from_secs(20));
            other.wait(SHORT).unwrap();
        }
        // It has a turn when it goes, too.
        let conn = other.next().expect("a turn");
        assert!([readable, lost].contains(&conn.io.key()));
        drop(conn);
        drop(other);
        let (mut served, mut reported) = (Vec::new(), Vec::new());
        while served.len() < 2 || reported.len() < 2 {
            assert!(began.elapsed() < Duration::from_secs(20), "served {served:?}, reported {reported:?}");
            one.wait(SHORT).unwrap();
            while let Some(mut conn) = one.next() {
                // One has input, the other an error.
                let read = conn.io.read(&mut [0; 16]);
                assert_eq!(read.is_ok(), conn.io.key() == readable || read.is_ok());
                if !served.contains(&conn.io.key()) {
                    served.push(conn.io.key());
                }
            }
            reported.extend(std::iter::from_fn(|| one.ended()).map(|ended| ended.key));
        }
        reported.sort();
        let mut expected = [lost, aborted];
        expected.sort();
        assert_eq!(reported, expected);
        drop(peer);
        ended(&mut one);
        settled(&mut one);
    }
}

/// Whoever sleeps may be the only one left to do it.
#[test]
fn a_worker_that_goes_brings_the_others_back() {
    let mut one = driver(hangup_iocp::Options::default());
    let mut other = one.worker();
    let (key, _peer) = connection(&mut other);
    other.command(key, Command::Close(Plan::Abort)).unwrap();
    let began = Instant::now();
    while other.audit().held() > 0 {
        assert!(began.elapsed() < Duration::from_secs(20));
        other.wait(SHORT).unwrap();
    }
    thread::scope(|scope| {
        let sleeper = scope.spawn(move || {
            one.wait(Some(Duration::from_secs(60))).unwrap();
            one.ended().map(|ended| ended.key)
        });
        thread::sleep(Duration::from_millis(50));
        let began = Instant::now();
        drop(other);
        assert_eq!(sleeper.join().unwrap(), Some(key), "the report, with that one wait");
        assert!(began.elapsed() < Duration::from_secs(30), "it slept on");
    });
}

/// Whoever takes the packet of an accept has no room for the stream, and leaves it to one that sleeps.
#[test]
fn a_stream_that_one_leaves_is_brought_to_another() {
    const STREAMS: usize = 50;
    let mut one = driver(hangup_iocp::Options::default());
    let mut other = one.worker();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    other.listen(listener).unwrap();
    let fetched = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while fetched.load(Ordering::Acquire) < STREAMS {
                let began = Instant::now();
                one.wait(Some(Duration::from_secs(60))).unwrap();
                assert!(began.elapsed() < Duration::from_secs(40), "it was not brought back");
                while let Some((stream, _)) = one.incoming().unwrap() {
                    drop(stream);
                    fetched.fetch_add(1, Ordering::Release);
                }
            }
        });
        for number in 0..STREAMS {
            let _peer = TcpStream::connect(address).unwrap();
            let began = Instant::now();
            while fetched.load(Ordering::Acquire) <= number {
                assert!(began.elapsed() < Duration::from_secs(20), "nobody fetches stream {number}");
                other.wait(Some(Duration::from_millis(1))).unwrap();
            }
        }
    });
}

/// The thread that submitted it is gone; the packet comes all the same.
#[test]
fn what_a_worker_has_submitted_outlives_its_thread() {
    for options in ways() {
        let mut one = driver(options);
        let mut other: Driver<()> = one.worker();
        let (stream, mut peer) = pair();
        let key = thread::spawn(move || other.accept(stream, ()).unwrap()).join().unwrap();
        one.wait(SHORT).unwrap();
        peer.write_all(b"hello").unwrap();
        assert_eq!(turn(&mut one, key).io.read(&mut [0; 16]).unwrap(), 5);
        reset(peer);
        ended(&mut one);
        settled(&mut one);
    }
}

/// One call brings all of them back, however they wait, and each once.
#[test]
fn a_waker_brings_all_workers_back() {
    const WORKERS: usize = 4;
    const ROUNDS: u32 = 100;
    let net: Driver<()> = driver(hangup_iocp::Options::default());
    let waker = net.waker();
    let (ready, back) = (Barrier::new(WORKERS + 1), Barrier::new(WORKERS + 1));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            let (mut worker, ready, back) = (net.worker(), &ready, &back);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    ready.wait();
                    let began = Instant::now();
                    worker.wait(Some(Duration::from_secs(60))).unwrap();
                    assert!(began.elapsed() < Duration::from_secs(30), "it was not brought back");
                    back.wait();
                }
            });
        }
        for round in 0..ROUNDS {
            ready.wait();
            if round % 2 == 0 {
                // Some sleep, some are about to.
                thread::sleep(Duration::from_millis(2));
            }
            waker.wake().unwrap();
            back.wait();
        }
    });
}

/// As long as one worker is left, nothing is taken down.
#[test]
fn the_last_worker_takes_everything_down() {
    let one = driver(hangup_iocp::Options::default());
    let mut other = one.worker();
    let (key, mut peer) = connection(&mut other);
    let audit = one.shut_down();
    assert_eq!(audit.held(), 1);
    peer.write_all(b"hello").unwrap();
    assert_eq!(turn(&mut other, key).io.read(&mut [0; 16]).unwrap(), 5);
    let audit = other.shut_down();
    assert_eq!((audit.held(), audit.with_the_os()), (0, 0), "{audit:?}");
    assert!(TcpStream::read(&mut peer, &mut [0; 1]).map_or(true, |count| count == 0));
}
