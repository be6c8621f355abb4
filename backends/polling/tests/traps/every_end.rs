//! polling 3.11, Windows: closing a socket that is still registered makes `wait` take a lock twice, and the loop
//! stands still for ever, whatever the timeout. So no way to end a connection may close before it deregisters.
//!
//! Each way is tried beside a connection that lives on, in a thread that a watchdog listens to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use hangup::Plan;
use hangup_polling::{Acceptor, Driver};
use polling::Event;

use super::{Loop, policy, reset};

/// How long a step may take before it counts as locked out.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn wait_comes_back_however_a_connection_ends() {
    let (tell, told) = channel();
    let looped = thread::spawn(move || all_ways(&tell));
    let mut last = "the beginning";
    loop {
        match told.recv_timeout(PATIENCE) {
            Ok(step) => last = step,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                panic!("`wait` did not come back after: {last}")
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    looped.join().unwrap();
    assert_eq!(last, "a driver is dropped with its connections");
}

fn all_ways(tell: &Sender<&'static str>) {
    let mut own = Loop::new(policy());
    let (_, mut witness) = own.connection();

    type Way = fn(&mut Loop);
    let ways: [(&str, Way); 9] = [
        ("the peer finishes", |own| {
            let (_, peer) = own.connection();
            drop(peer);
        }),
        ("the peer resets", |own| {
            let (_, peer) = own.connection();
            reset(peer);
        }),
        ("the peer resets, and nobody reads", |own| {
            let (key, peer) = own.connection();
            own.net.get(key).unwrap().io.pause();
            rounds(own, 2);
            reset(peer);
            rounds(own, 2);
            own.net.get(key).unwrap().io.resume();
        }),
        ("we flush", |own| with_plan(own, Plan::Flush)),
        ("we linger", |own| with_plan(own, Plan::Linger)),
        ("we abort", |own| with_plan(own, Plan::Abort)),
        ("a connect is refused", |own| {
            let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            own.net.connect(nobody, ()).unwrap();
        }),
        ("a connect is given up", |own| {
            let address: SocketAddr = own.listener.local_addr().unwrap();
            let key = own.net.connect(address, ()).unwrap();
            own.net.get(key).unwrap().io.close(Plan::Abort);
            drop(own.listener.accept());
        }),
        ("a listener is dropped", |own| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let acceptor = Acceptor::new(Arc::clone(&own.poller), listener, 1).unwrap();
            rounds(own, 1);
            drop(acceptor);
        }),
    ];
    for (name, way) in ways {
        way(&mut own);
        until_only_the_witness_is_left(&mut own);
        witness.write_all(b"still there?").unwrap();
        assert!(rounds(&mut own, 50) > 0, "after {name}, an event of another connection did not come");
        tell.send(name).unwrap();
    }

    let (_, peer) = own.connection();
    rounds(&mut own, 2);
    own.net = Driver::new(Arc::clone(&own.poller), policy());
    drop(peer);
    rounds(&mut own, 5);
    tell.send("a driver is dropped with its connections").unwrap();
}

fn with_plan(own: &mut Loop, plan: Plan) {
    let (key, peer) = own.connection();
    rounds(own, 2);
    own.net.get(key).unwrap().io.close(plan);
    rounds(own, 2);
    drop(peer);
}

fn until_only_the_witness_is_left(own: &mut Loop) {
    for _ in 0..1000 {
        if own.net.len() == 1 {
            return;
        }
        rounds(own, 1);
    }
    panic!("a connection is left: {:?}", own.net.audit());
}

/// Goes round so often, or until something could be read. How many bytes.
fn rounds(own: &mut Loop, most: usize) -> usize {
    let mut received = 0;
    for _ in 0..most {
        for event in own.wait(Duration::from_millis(20)) {
            received += read(own, &event);
        }
        while let Some(mut conn) = own.net.again() {
            received += read_all(&mut conn.io);
        }
        while own.net.ended().is_some() {}
        if received > 0 {
            break;
        }
    }
    received
}

fn read(own: &mut Loop, event: &Event) -> usize {
    own.net.guard(event).map_or(0, |mut conn| read_all(&mut conn.io))
}

fn read_all(io: &mut hangup_polling::Io<'_>) -> usize {
    let (mut buffer, mut received) = ([0; 1024], 0);
    loop {
        match io.read(&mut buffer) {
            Ok(0) => {
                io.close(Plan::Flush);
                return received;
            }
            Ok(count) => received += count,
            Err(_) => return received,
        }
    }
}
