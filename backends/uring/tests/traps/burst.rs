//! Connections that send 256 KiB, never read, and reset. Measured on Linux 6.18: a server that only has a multishot
//! receive per connection never hears of the end of those that fill more than 32 buffers at once: all of 3,000 with
//! buffers of 3,000 bytes, none with buffers of 4,096, since 128 KiB arrive before the reset.

use std::thread;

use super::*;

const BURST: usize = 256 * 1024;

fn burst(address: SocketAddr) {
    let mut peer = TcpStream::connect(address).unwrap();
    peer.set_nonblocking(true).unwrap();
    let bytes = vec![7; BURST];
    let mut sent = 0;
    // It never reads, so an echo stops reading too: then the rest does not fit.
    let begin = Instant::now();
    while sent < BURST && begin.elapsed() < Duration::from_millis(20) {
        match peer.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    reset(peer);
}

/// So many buffers, and so small, that a burst fills more than 32 of them, and that nothing but its end ends a receive.
fn in_pieces() -> Options {
    let small = Options { buffer_size: 2048, buffers: 1024, keep: 4096, ..multishot() };
    Options { accept: Shots::Single, output: 1 << 20, ..small }
}

fn left_behind(options: Options, silent: bool, connections: usize) -> usize {
    const WORKERS: usize = 16;
    let mut net = Loop { silent, ..Loop::new(options, patient()) };
    let address = net.address;
    let peers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            thread::spawn(move || {
                for _ in (worker..connections).step_by(WORKERS) {
                    burst(address);
                }
            })
        })
        .collect();
    let begin = Instant::now();
    let mut finished = None;
    while net.ended.len() < connections {
        net.round(Duration::from_millis(50));
        if finished.is_none() && peers.iter().all(thread::JoinHandle::is_finished) {
            finished = Some(Instant::now());
        }
        // All resets are there: what has not been heard of by now never will be.
        if finished.is_some_and(|finished| finished.elapsed() > Duration::from_secs(5)) {
            break;
        }
        assert!(begin.elapsed() < PATIENCE * 10, "the peers do not come to an end");
    }
    let left = connections - net.ended.len();
    println!("{options:?}\n  {connections} connections, {left} left behind, {:?}", net.net.counts());
    if left == 0 {
        net.is_clean();
    }
    describe(&mut net);
    for (_, report) in &net.ended {
        assert_eq!(report.cause, hangup::Cause::PeerReset, "{report}");
    }
    left
}

/// What is known of those that are left.
fn describe(net: &mut Loop) {
    let keys: Vec<Key> = net.net.keys().collect();
    for key in keys {
        let Guard { mut io, state, .. } = net.net.get(key).unwrap();
        println!("  left behind: received {}, {:?}", state.all.len(), io.life().unwrap());
        let stream = io.stream().unwrap();
        stream.set_nonblocking(true).unwrap();
        println!("  {:?} -> {:?}, {:?}", stream.peer_addr(), stream.local_addr(), stream.peek(&mut [0]));
        println!("  pending error {:?}, then {:?}", stream.take_error(), stream.peek(&mut [0]));
        io.close(Plan::Abort);
    }
}

#[test]
fn single_receives_hear_of_every_end() {
    let _alone = alone();
    assert_eq!([false, true].map(|silent| left_behind(single(), silent, 400)), [0, 0]);
}

#[test]
fn multishot_receives_hear_of_every_end() {
    let _alone = alone();
    assert_eq!([false, true].map(|silent| left_behind(multishot(), silent, 400)), [0, 0]);
    assert_eq!([false, true].map(|silent| left_behind(in_pieces(), silent, 400)), [0, 0]);
}

/// `BURST_ROUNDS=10` is the long form.
#[test]
#[ignore = "takes minutes"]
fn ten_times_three_thousand() {
    let _alone = alone();
    let rounds = std::env::var("BURST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let without_copy = Options { zero_copy: Some(1), ..multishot() };
    for options in [single(), multishot(), in_pieces(), zero_copy(), without_copy] {
        for silent in [false, true] {
            let left: usize = (0..rounds).map(|_| left_behind(options, silent, 3000)).sum();
            assert_eq!(left, 0);
        }
    }
}
