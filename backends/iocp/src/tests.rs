//! What can only be seen from inside: one block's memory, and a wait that fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: a surprise is a failure")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::windows::io::{AsRawSocket, OwnedHandle};
use std::sync::Arc;
use std::time::Duration;

use hangup::{Buffer, Fault, Policy};

use crate::Driver;
use crate::os::{Event, Flight, Landing, Port, Submitted};

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

fn next(port: &Port) -> Event {
    let mut events = Vec::new();
    assert_eq!(port.wait(Some(Duration::from_secs(10)), &mut events).unwrap(), 1);
    events.remove(0)
}

#[test]
fn memory_that_the_os_has_is_not_lent_again() {
    let (port, (stream, mut peer)) = (Port::new().unwrap(), pair());
    port.associate(&stream).unwrap();
    let mut flight = Flight::new();
    let raw = stream.as_raw_socket();
    assert_eq!(flight.receive(raw, 7, Buffer::with_capacity(16), false), Submitted::Pending);
    assert_eq!(flight.take(0).map(|buffer| buffer.capacity()), None, "its buffer is with the OS");
    for again in [
        flight.receive(raw, 8, Buffer::with_capacity(16), false),
        flight.send(raw, 8, Buffer::from(b"no".to_vec()), false),
    ] {
        let Submitted::Failed(code) = again else { panic!("lent twice: {again:?}") };
        assert_eq!(code.fault(), Fault::Busy);
    }
    peer.write_all(b"hello").unwrap();
    assert_eq!(next(&port), Event::Landed(7, Landing::Done(5)));
    assert_eq!(&*flight.take(5).unwrap(), b"hello");
    // And now it is free for the next.
    assert_eq!(flight.receive(raw, 9, Buffer::with_capacity(16), false), Submitted::Pending);
    flight.cancel(raw);
    let Event::Landed(9, Landing::Failed(code, _)) = next(&port) else { panic!("not cancelled") };
    assert_eq!(code.fault(), Fault::Cancelled);
}

#[test]
fn memory_that_the_os_has_is_not_freed() {
    let (port, (stream, mut peer)) = (Port::new().unwrap(), pair());
    port.associate(&stream).unwrap();
    let mut flight = Flight::new();
    let submitted = flight.receive(stream.as_raw_socket(), 7, Buffer::with_capacity(16), false);
    assert_eq!(submitted, Submitted::Pending);
    drop(flight);
    // Were it freed, this would go into somebody else's memory, and the number come from there.
    let _others: Vec<Vec<u8>> = (0..1000).map(|size| vec![0xaa; size]).collect();
    peer.write_all(b"hello").unwrap();
    assert_eq!(next(&port), Event::Landed(7, Landing::Done(5)));
}

#[test]
fn a_success_at_once_is_told_once() {
    for skips in [false, true] {
        let (port, (stream, mut peer)) = (Port::new().unwrap(), pair());
        port.associate(&stream).unwrap();
        if skips {
            crate::os::set_skip_on_success(&stream).unwrap();
        }
        let mut flight = Flight::new();
        let submitted = flight.send(stream.as_raw_socket(), 7, Buffer::from(b"hello".to_vec()), skips);
        let expected = if skips { Submitted::Done(5) } else { Submitted::Pending };
        assert_eq!(submitted, expected);
        if !skips {
            assert_eq!(next(&port), Event::Landed(7, Landing::Done(5)));
        }
        let mut events = Vec::new();
        port.wait(Some(Duration::from_millis(20)), &mut events).unwrap();
        assert_eq!(events, [], "told twice");
        peer.read_exact(&mut [0; 5]).unwrap();
    }
}

#[test]
fn a_driver_may_move_to_another_thread() {
    fn may_move<T: Send>(_: &T) {}
    may_move(&Driver::<()>::new(Policy::default()).unwrap());
}

/// A wait that fails without an operation is not an operation that failed.
#[test]
fn a_wait_that_fails_touches_no_connection() {
    let mut net: Driver<()> = Driver::new(Policy::default()).unwrap();
    let (stream, mut peer) = pair();
    let key = net.accept(stream, ()).unwrap();
    let before = net.audit();

    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    let impostor = Arc::new(Port::impostor(OwnedHandle::from(file)));
    let port = std::mem::replace(&mut net.core.port, impostor);
    for _ in 0..3 {
        assert!(net.wait(Some(Duration::from_millis(10))).is_err());
    }
    assert_eq!(net.audit(), before);
    assert!(net.ended().is_none() && net.next().is_none());
    net.core.port = port;

    peer.write_all(b"hello").unwrap();
    net.wait(Some(Duration::from_secs(10))).unwrap();
    let mut conn = net.next().expect("it is still served");
    assert_eq!((conn.io.key(), conn.io.read(&mut [0; 16]).unwrap()), (key, 5));
}
