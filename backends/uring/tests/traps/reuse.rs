//! A receive is parked while its connection is closed, and the number of the descriptor goes to the next one.

use super::*;
use std::os::fd::AsRawFd;

/// So often is the number the same.
const TIMES: usize = 10_000;

fn number(net: &mut Driver<Echo>, key: Key) -> i32 {
    net.get(key).unwrap().io.stream().unwrap().as_raw_fd()
}

/// Takes in a connection from a listener that the ring does not know.
fn pair(net: &mut Driver<Echo>, listener: &TcpListener) -> (Key, TcpStream) {
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    (net.accept(stream, Echo { silent: true, ..Echo::default() }).unwrap(), peer)
}

fn until_ended(net: &mut Driver<Echo>, key: Key) -> Report {
    let begin = Instant::now();
    loop {
        net.wait(Some(Duration::from_millis(50))).unwrap();
        while let Some(Guard { mut io, state, .. }) = net.next() {
            state.turn(&mut io);
        }
        while let Some(ended) = net.ended() {
            if ended.key == key {
                assert!(ended.state.all.iter().all(|&byte| byte == b'n'), "{:?}", ended.state.all);
                return ended.report;
            }
        }
        assert!(begin.elapsed() < PATIENCE, "it does not end");
    }
}

fn race(options: Options) {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut net = Driver::with_options(patient(), options).unwrap();
    // Whatever is made once is made now.
    let (key, peer) = pair(&mut net, &listener);
    reset(peer);
    until_ended(&mut net, key);
    let start = descriptors();

    let (mut reused, mut times) = (0, 0);
    while reused < TIMES {
        let time = times;
        times += 1;
        assert!(times < 2 * TIMES, "the number was reused {reused} times of {times}");
        let (old, mut old_peer) = pair(&mut net, &listener);
        net.wait(Some(Duration::ZERO)).unwrap();
        let old_number = number(&mut net, old);
        // It waits in the queue, so that the next number that is free is that of its descriptor here.
        let mut new_peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        if time % 3 == 0 {
            old_peer.write_all(b"old").unwrap();
        }
        net.get(old).unwrap().io.close(Plan::Abort);
        if time % 3 == 1 {
            // On its way while the receive is being called off. The reset may have been quicker.
            drop(old_peer.write_all(b"old"));
        }
        // Now and then the new one is there while the receive of the old one is being called off.
        if time % 4 != 0 {
            until_old_is_gone(&mut net, old);
        }
        let (stream, _) = listener.accept().unwrap();
        let new = net.accept(stream, Echo::default()).unwrap();
        reused += usize::from(number(&mut net, new) == old_number);
        new_peer.write_all(b"new").unwrap();
        net.wait(Some(Duration::ZERO)).unwrap();
        drop(old_peer);
        // Bytes and FIN arrive, and nothing of the old one.
        new_peer.shutdown(std::net::Shutdown::Write).unwrap();
        let report = take(&mut net, new, b"new");
        assert_eq!(report.received, 3, "{report}");
        reset(new_peer);
    }
    let audit = net.audit();
    assert_eq!((audit.held(), audit.with_the_os(), audit.refused), (0, 0, 0), "{audit:?}");
    assert_eq!(net.counts().buffers, 0);
    assert!(descriptors() <= start, "{start} descriptors at first, {} at last", descriptors());
    println!("{times} times, {reused} with the same number, {:?}", net.counts());
}

fn until_old_is_gone(net: &mut Driver<Echo>, old: Key) {
    let begin = Instant::now();
    while net.get(old).is_ok() {
        net.wait(Some(Duration::from_millis(50))).unwrap();
        assert!(begin.elapsed() < PATIENCE, "it does not end");
    }
}

/// Reads what comes, and then aborts.
fn take(net: &mut Driver<Echo>, key: Key, expected: &[u8]) -> Report {
    let (begin, mut all) = (Instant::now(), Vec::new());
    loop {
        net.wait(Some(Duration::from_millis(50))).unwrap();
        while let Some(Guard { mut io, .. }) = net.next() {
            assert_eq!(io.key(), key, "the old connection has something to say");
            let mut bytes = [0; 64];
            match io.read(&mut bytes) {
                Ok(0) => io.close(Plan::Abort),
                Ok(count) => all.extend_from_slice(&bytes[..count]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        while let Some(ended) = net.ended() {
            if ended.key == key {
                assert_eq!(all, expected, "other bytes came");
                return ended.report;
            }
        }
        assert!(begin.elapsed() < PATIENCE, "it does not end: {all:?}");
    }
}

#[test]
fn single_receives() {
    race(single());
}

#[test]
fn multishot_receives() {
    race(multishot());
}
