//! A socket belongs to one port for good, and a listener survives what comes through it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use hangup::Plan;
use hangup_iocp::Driver;

use super::{driver, ended, pair, reset, settled, ways};

/// The next stream that comes.
fn incoming(net: &mut Driver<()>) -> TcpStream {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        net.wait(Some(Duration::from_millis(20))).unwrap();
        if let Some((stream, peer)) = net.incoming().unwrap() {
            assert_eq!(stream.peer_addr().unwrap(), peer);
            return stream;
        }
    }
    panic!("nobody comes");
}

fn listen(net: &mut Driver<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    net.listen(listener).unwrap();
    address
}

/// An accepted socket is a full one: it has names, and can be shut down.
#[test]
fn what_comes_can_be_served() {
    for options in ways() {
        let mut net = driver(options);
        let address = listen(&mut net);
        for _ in 0..40 {
            let mut peer = TcpStream::connect(address).unwrap();
            let stream = incoming(&mut net);
            assert_eq!(stream.local_addr().unwrap(), address);
            let key = net.accept(stream, ()).unwrap();
            let mut conn = net.get(key).unwrap();
            conn.io.write_all(b"welcome").unwrap();
            conn.io.close(Plan::Flush);
            drop(conn);
            net.wait(Some(Duration::from_millis(20))).unwrap();
            let mut said = String::new();
            peer.read_to_string(&mut said).unwrap();
            assert_eq!(said, "welcome");
            drop(peer);
            ended(&mut net);
        }
        settled(&mut net);
    }
}

/// Those who are gone before they are looked at take nobody with them.
#[test]
fn resets_do_not_close_the_door() {
    for options in ways() {
        let mut net = driver(options);
        let address = listen(&mut net);
        for _ in 0..100 {
            reset(TcpStream::connect(address).unwrap());
        }
        let last = TcpStream::connect(address).unwrap();
        let found = loop {
            let stream = incoming(&mut net);
            if stream.peer_addr().is_ok_and(|peer| peer == last.local_addr().unwrap()) {
                break stream;
            }
        };
        net.accept(found, ()).unwrap();
        drop(last);
    }
}

#[test]
fn nobody_comes_in_once_the_door_is_closed() {
    for options in ways() {
        let mut net = driver(options);
        let address = listen(&mut net);
        let _before = TcpStream::connect(address).unwrap();
        drop(incoming(&mut net));
        net.stop_listening();
        for _ in 0..3 {
            net.wait(Some(Duration::from_millis(10))).unwrap();
        }
        let refused = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(net.incoming().unwrap().is_none());
    }
}

/// A stream that waits to be fetched does not hold the door open.
#[test]
fn a_stream_that_waits_does_not_hold_the_door_open() {
    for options in ways() {
        let mut net = driver(options);
        let address = listen(&mut net);
        let before = TcpStream::connect(address).unwrap();
        for _ in 0..5 {
            net.wait(Some(Duration::from_millis(10))).unwrap();
        }
        net.stop_listening();
        for _ in 0..5 {
            net.wait(Some(Duration::from_millis(10))).unwrap();
        }
        let refused = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let (stream, peer) = net.incoming().unwrap().expect("it had come already");
        assert_eq!(peer, before.local_addr().unwrap());
        net.accept(stream, ()).unwrap();
        assert!(net.incoming().unwrap().is_none());
    }
}

/// Packets of a socket go to the port that it was given to first; so the second says no, and gives it back.
#[test]
fn a_stream_belongs_to_one_driver() {
    for options in ways() {
        let (mut one, mut other) = (driver(options), driver(options));
        let (stream, mut peer) = pair();
        let clone = stream.try_clone().unwrap();
        let key = one.accept(stream, ()).unwrap();
        let refused = other.accept(clone, ()).unwrap_err();
        drop(refused.stream);
        assert_eq!(other.audit().acquired, 0);
        peer.write_all(b"hello").unwrap();
        one.wait(Some(Duration::from_secs(10))).unwrap();
        let mut conn = one.next().expect("it is served where it was");
        assert_eq!((conn.io.key(), conn.io.read(&mut [0; 16]).unwrap()), (key, 5));
    }
}
