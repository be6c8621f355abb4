//! The driver may go at any time. What the OS has is reaped first, or left where it is.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use hangup::Plan;

use super::{connection, driver, reset, ways};

#[test]
fn a_driver_goes_with_everything_in_flight() {
    for options in ways() {
        let mut net = driver(options);
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = door.local_addr().unwrap();
        net.listen(door).unwrap();
        let (idle, mut peers): (Vec<_>, Vec<_>) = (0..20).map(|_| connection(&mut net)).unzip();
        // One whose sends are blocked, one that is closing, one whose reset waits in the port, and a connect.
        let mut conn = net.get(idle[0]).unwrap();
        while conn.io.write(&[7; 64 * 1024]).is_ok() {}
        drop(conn);
        net.get(idle[1]).unwrap().io.close(Plan::Linger);
        reset(peers.remove(2));
        net.connect(address, ()).unwrap();
        assert!(net.audit().with_the_os() >= 20, "{:?}", net.audit());

        let began = Instant::now();
        let audit = net.shut_down();
        assert_eq!((audit.held(), audit.with_the_os()), (0, 0), "{audit:?}");
        assert_eq!((audit.acquired, audit.lent), (audit.released, audit.returned), "{audit:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
        for mut peer in peers {
            let mut rest = Vec::new();
            let timed_out =
                peer.read_to_end(&mut rest).is_err_and(|error| error.kind() == ErrorKind::TimedOut);
            assert!(!timed_out, "a connection outlived its driver");
        }
    }
}

#[test]
fn a_driver_is_dropped_while_its_peers_write() {
    for options in ways() {
        for _ in 0..10 {
            let mut net = driver(options);
            let writers: Vec<_> = (0..4)
                .map(|_| {
                    let (_, mut peer) = connection(&mut net);
                    thread::spawn(move || while peer.write_all(&[1; 4096]).is_ok() {})
                })
                .collect();
            net.wait(Some(Duration::from_millis(5))).unwrap();
            drop(net);
            for writer in writers {
                writer.join().unwrap();
            }
        }
    }
}

/// A waker may outlive its driver.
#[test]
fn a_waker_brings_the_loop_back() {
    let mut net = driver(hangup_iocp::Options::default());
    let waker = net.waker();
    let other = waker.clone();
    let waking = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        other.wake().unwrap();
    });
    let began = Instant::now();
    net.wait(Some(Duration::from_secs(30))).unwrap();
    assert!(began.elapsed() < Duration::from_secs(20));
    waking.join().unwrap();
    drop(net);
    waker.wake().unwrap();
}
