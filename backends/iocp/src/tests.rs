//! What can only be seen from inside: one block's memory, and a wait that fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: a surprise is a failure")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::windows::io::{AsRawSocket, OwnedHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hangup::{Buffer, Command, Fault, Key, Moment, Operation, Owed, Plan, Policy};

use crate::os::{Armed, BATCH, Event, Flight, IN_USE, Landing, Part, Port, Submitted};
use crate::perform::announce;
use crate::shared::Shared;
use crate::{Driver, Options};

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

fn receive(flight: &mut Flight, stream: &TcpStream, user_data: u64) -> Submitted {
    let armed = flight.arm(user_data, Buffer::with_capacity(16), Part::Room);
    armed.map_or(IN_USE, |armed| armed.receive(stream.as_raw_socket(), false))
}

fn next(port: &Port) -> Event {
    let mut events = Vec::new();
    assert_eq!(port.wait(Some(Duration::from_secs(10)), BATCH, &mut events).unwrap(), 1);
    events.remove(0)
}

#[test]
fn memory_that_the_os_has_is_not_lent_again() {
    let (port, (stream, mut peer)) = (Port::new().unwrap(), pair());
    port.associate(&stream).unwrap();
    let mut flight = Flight::new();
    assert_eq!(receive(&mut flight, &stream, 7), Submitted::Pending);
    assert_eq!(flight.take(0).map(|buffer| buffer.capacity()), None, "its buffer is with the OS");
    assert_eq!(flight.landing(), None);
    for part in [Part::Room, Part::Filled] {
        assert!(flight.arm(8, Buffer::from(b"no".to_vec()), part).is_none(), "lent twice");
    }
    let Submitted::Failed(code) = IN_USE else { panic!("it would look as if it had been submitted") };
    assert_eq!(code.fault(), Fault::Busy);
    peer.write_all(b"hello").unwrap();
    assert_eq!(next(&port), Event::Landed(7, Landing::Done(5)));
    assert_eq!(&*flight.take(5).unwrap(), b"hello");
    // And now it is free for the next.
    assert_eq!(receive(&mut flight, &stream, 9), Submitted::Pending);
    flight.cancel(stream.as_raw_socket());
    let Event::Landed(9, Landing::Failed(code, _)) = next(&port) else { panic!("not cancelled") };
    assert_eq!(code.fault(), Fault::Cancelled);
}

#[test]
fn memory_that_the_os_has_is_not_freed() {
    let (port, (stream, mut peer)) = (Port::new().unwrap(), pair());
    port.associate(&stream).unwrap();
    let mut flight = Flight::new();
    assert_eq!(receive(&mut flight, &stream, 7), Submitted::Pending);
    drop(flight);
    // Were it freed, this would go into somebody else's memory, and the number come from there.
    let _others: Vec<Vec<u8>> = (0..1000).map(|size| vec![0xaa; size]).collect();
    peer.write_all(b"hello").unwrap();
    assert_eq!(next(&port), Event::Landed(7, Landing::Done(5)));
}

/// On another worker. The packet is told, and the memory is nobody's before the call has returned.
#[test]
fn a_packet_that_overtakes_its_call_frees_nothing() {
    let port = Port::new().unwrap();
    for drops in [false, true] {
        let mut flight = Flight::new();
        let armed = flight.arm(7, Buffer::with_capacity(16), Part::Room).unwrap();
        port.post_packet(&armed);
        assert!(matches!(next(&port), Event::Landed(7, _)));
        assert!(flight.take(0).is_none() && flight.landing().is_none(), "the call is out");
        assert!(flight.arm(8, Buffer::default(), Part::Room).is_none(), "the call is out");
        if drops {
            drop(flight);
            // Were it freed, this would go into somebody else's memory.
            let _others: Vec<Vec<u8>> = (0..1000).map(|size| vec![0xaa; size]).collect();
            assert_eq!(armed.ended(Submitted::Pending), Submitted::Pending);
        } else {
            assert_eq!(armed.ended(Submitted::Pending), Submitted::Pending);
            assert!(flight.take(0).is_some_and(|buffer| buffer.capacity() == 16));
        }
    }
}

/// Another worker has the packet before this one can tell that the call has returned: what was received comes in here.
#[test]
fn a_packet_that_overtakes_its_call_brings_what_it_has() {
    let mut net: Driver<()> = Driver::new(Policy::default()).unwrap();
    let mut other = net.worker();
    let (stream, mut peer) = pair();
    let key = net.accept(stream, ()).unwrap();
    for round in 0..10_u8 {
        // What the worker itself has submitted is read, and the next is submitted here, step by step.
        net.core.shared.socket(key, |socket| socket.turn = crate::turns::Turn::Held).unwrap();
        peer.write_all(&[round; 9]).unwrap();
        while net.core.shared.socket(key, |socket| socket.input.is_none()).unwrap() {
            net.wait(Some(Duration::from_millis(5))).unwrap();
        }
        let first = net.core.shared.socket(key, |socket| socket.input.take()).unwrap().unwrap();
        assert_eq!(&*first, [round; 9]);
        net.core.shared.give(first);
        let claim = net.core.claim_receive(key).expect("a receive is wanted");
        let (operation, submitted) = net.core.call(claim, Part::Room, Armed::receive);
        assert_eq!(submitted, Submitted::Pending);
        peer.write_all(b"behind").unwrap();
        let before = other.audit().returned;
        while net.core.shared.table.life(key).unwrap().slot(Operation::Receive).owed == Owed::One {
            other.wait(Some(Duration::from_millis(5))).unwrap();
        }
        assert_eq!(other.audit().returned, before, "the call has not returned");
        assert!(net.core.shared.socket(key, |socket| socket.input.is_none()).unwrap());
        assert!(other.core.claim_receive(key).is_none(), "another receive beside one that is out");
        net.core.taken(operation);
        let second = net.core.shared.socket(key, |socket| socket.input.take()).unwrap().unwrap();
        assert_eq!(&*second, b"behind");
        net.core.shared.give(second);
        net.core.shared.socket(key, |socket| socket.turn = crate::turns::Turn::Nobody).unwrap();
        net.core.settle(key);
    }
}

/// It was for the application when its packet came, and is told as that; so it is discarded if the application has closed
/// by the time that the call returns, and not forgotten.
#[test]
fn what_a_packet_brought_before_the_close_is_discarded() {
    let mut net: Driver<()> = Driver::new(Policy::default()).unwrap();
    let mut other = net.worker();
    let (stream, mut peer) = pair();
    let key = net.accept(stream, ()).unwrap();
    let shared = Arc::clone(&net.core.shared);
    // That of the worker itself, first.
    peer.write_all(b"first").unwrap();
    while shared.socket(key, |socket| socket.input.is_none()).unwrap() {
        net.wait(Some(Duration::from_millis(5))).unwrap();
    }
    shared.socket(key, |socket| socket.input.take().into_iter().for_each(|buffer| shared.give(buffer)));
    let claim = net.core.claim_receive(key).expect("a receive is wanted");
    let (operation, _pending) = net.core.call(claim, Part::Room, Armed::receive);
    peer.write_all(b"hello").unwrap();
    while shared.table.life(key).unwrap().slot(Operation::Receive).owed == Owed::One {
        other.wait(Some(Duration::from_millis(5))).unwrap();
    }
    net.core.command(key, Command::Close(Plan::Linger)).unwrap();
    net.core.taken(operation);
    net.core.settle(key);
    drop(peer);
    let ended = loop {
        net.wait(Some(Duration::from_millis(5))).unwrap();
        if let Some(ended) = other.ended().or_else(|| net.ended()) {
            break ended;
        }
        other.wait(Some(Duration::from_millis(5))).unwrap();
    };
    assert_eq!(ended.report.discarded, 5, "{}", ended.report);
}

/// What was sent is sent when that is told, and not when the buffer is back.
#[test]
fn a_packet_that_overtakes_its_call_is_counted() {
    let options = Options { skip_on_success: false, ..Options::default() };
    let mut net: Driver<()> = Driver::with_options(Policy::default(), options).unwrap();
    let mut other = net.worker();
    let (stream, mut peer) = pair();
    let key = net.accept(stream, ()).unwrap();
    let shared = Arc::clone(&net.core.shared);
    for _ in 0..10 {
        shared.socket(key, |socket| {
            assert!(announce(&shared, key, 5, Moment::EPOCH));
            socket.output.write(b"hello", &mut shared.buffers());
        });
        let claim = net.core.claim_send(key).expect("a send is wanted");
        let (operation, submitted) = net.core.call(claim, Part::Filled, Armed::send);
        assert_eq!(submitted, Submitted::Pending);
        assert_eq!(amounts(&shared, key), (5, 5));
        while shared.table.life(key).unwrap().slot(Operation::Send).owed == Owed::One {
            other.wait(Some(Duration::from_millis(5))).unwrap();
        }
        assert_eq!(amounts(&shared, key), (0, 0), "the buffer is still out");
        net.core.taken(operation);
        assert_eq!(amounts(&shared, key), (0, 0));
        peer.read_exact(&mut [0; 5]).unwrap();
    }
    assert_eq!(net.pool().out, 1, "that of the receive");
}

/// How much output there is: as the machine was told, and as it is queued.
fn amounts(shared: &Shared, key: Key) -> (usize, usize) {
    let told = || shared.table.pending(key).unwrap() as usize;
    shared.socket(key, |socket| (told(), socket.output.len())).unwrap()
}

/// Lets the other threads go, also when this one panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// While one worker writes and others send, the machine is told of just what there is.
#[test]
fn what_is_told_is_what_is_queued() {
    let options =
        Options { skip_on_success: false, buffer_size: 64, output_limit: 1 << 20, ..Options::default() };
    let mut net: Driver<()> = Driver::with_options(Policy::default(), options).unwrap();
    let (stream, mut peer) = pair();
    let key = net.accept(stream, ()).unwrap();
    let shared = Arc::clone(&net.core.shared);
    peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _ends = Ends(&over);
        for _ in 0..2 {
            let (mut worker, over) = (net.worker(), &over);
            scope.spawn(move || {
                while !over.load(Ordering::Acquire) {
                    worker.wait(Some(Duration::from_millis(20))).unwrap();
                }
            });
        }
        scope.spawn(move || while peer.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {});
        for _ in 0..20 {
            // The first is handed over when its turn ends, the others by whoever has the packet of the one before.
            assert_eq!(net.get(key).unwrap().io.write(b"one").unwrap(), 3);
            let mut conn = net.get(key).unwrap();
            for _ in 0..3000 {
                assert_eq!(conn.io.write(b"two").unwrap(), 3);
                let (told, queued) = amounts(&shared, key);
                assert_eq!(told, queued);
            }
            drop(conn);
            while amounts(&shared, key) != (0, 0) {
                net.wait(Some(Duration::from_millis(1))).unwrap();
            }
        }
        net.get(key).unwrap().io.close(Plan::Abort);
        net.wait(Some(Duration::ZERO)).unwrap();
    });
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
        let armed = flight.arm(7, Buffer::from(b"hello".to_vec()), Part::Filled).unwrap();
        let submitted = armed.send(stream.as_raw_socket(), skips);
        let expected = if skips { Submitted::Done(5) } else { Submitted::Pending };
        assert_eq!(submitted, expected);
        if !skips {
            assert_eq!(next(&port), Event::Landed(7, Landing::Done(5)));
        }
        let mut events = Vec::new();
        port.wait(Some(Duration::from_millis(20)), BATCH, &mut events).unwrap();
        assert_eq!(events, [], "told twice");
        peer.read_exact(&mut [0; 5]).unwrap();
    }
}

#[test]
fn a_driver_may_move_to_another_thread() {
    fn may_move<T: Send>(_: &T) {}
    may_move(&Driver::<()>::new(Policy::default()).unwrap());
}

/// After a wait that failed half-way, say: what it has taken out of the port nobody else will.
#[test]
fn a_worker_that_goes_looks_at_what_it_has_taken() {
    let mut net: Driver<()> = Driver::new(Policy::default()).unwrap();
    let mut other = net.worker();
    let (stream, mut peer) = pair();
    let key = net.accept(stream, ()).unwrap();
    peer.write_all(b"hello").unwrap();
    let taken = other.core.port.wait(Some(Duration::from_secs(10)), 1, &mut other.core.events);
    assert_eq!(taken.unwrap(), 1);
    drop(other);
    net.wait(Some(Duration::from_secs(10))).unwrap();
    let mut conn = net.next().expect("it is served");
    assert_eq!((conn.io.key(), conn.io.read(&mut [0; 16]).unwrap()), (key, 5));
}

/// The same, and it stays: nobody will bring it back for that.
#[test]
fn a_worker_does_not_sleep_over_what_it_has_taken() {
    let mut net: Driver<()> = Driver::new(Policy::default()).unwrap();
    let (stream, mut peer) = pair();
    let key = net.accept(stream, ()).unwrap();
    peer.write_all(b"hello").unwrap();
    let taken = net.core.port.wait(Some(Duration::from_secs(10)), 1, &mut net.core.events);
    assert_eq!(taken.unwrap(), 1);
    let began = Instant::now();
    net.wait(Some(Duration::from_secs(60))).unwrap();
    assert!(began.elapsed() < Duration::from_secs(30), "it slept");
    let mut conn = net.next().expect("it is served");
    assert_eq!((conn.io.key(), conn.io.read(&mut [0; 16]).unwrap()), (key, 5));
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
