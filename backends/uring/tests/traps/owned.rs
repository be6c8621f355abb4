//! Buffers that go from hand to hand without a copy.

use super::*;
use hangup::Buffer;
use std::thread;

/// What was received is sent as it is.
fn pass_on(Guard { mut io, state }: Guard<'_, Echo>, waiting: &mut Option<Buffer>) {
    loop {
        if let Some(buffer) = waiting.take() {
            if let Err(refused) = io.send(buffer) {
                if refused.error.kind() == ErrorKind::WouldBlock {
                    *waiting = Some(refused.buffer);
                }
                return;
            }
        }
        match io.received() {
            Ok(Some(buffer)) => {
                state.all.extend_from_slice(&buffer);
                *waiting = Some(buffer);
            }
            Ok(None) => return io.close(Plan::Flush),
            Err(_) => return,
        }
    }
}

#[test]
fn an_echo_without_a_copy() {
    let _alone = alone();
    for options in [single(), multishot(), zero_copy()] {
        let mut net = Loop::new(options, patient());
        let (key, mut peer) = net.connection();
        let content: Vec<u8> = (0..1_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (sent, mut writer) = (content.clone(), peer.try_clone().unwrap());
        let writing = thread::spawn(move || {
            writer.write_all(&sent).unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        });
        let (mut waiting, begin) = (None, Instant::now());
        while net.net.get(key).is_ok() {
            net.net.wait(Some(Duration::from_millis(50))).unwrap();
            while let Some(conn) = net.net.again() {
                pass_on(conn, &mut waiting);
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end");
        }
        writing.join().unwrap();
        assert!(reading.join().unwrap() == content, "other bytes came back");
        net.is_clean();
    }
}

/// An application's own memory is sent too, and what cannot be sent comes back.
#[test]
fn what_is_not_taken_comes_back() {
    let _alone = alone();
    let mut net = Loop::new(single(), patient());
    let (key, mut peer) = net.connection();
    let Guard { mut io, .. } = net.net.get(key).unwrap();
    io.send(Buffer::default()).unwrap();
    io.send(Buffer::from(vec![1; 200_000])).unwrap();
    let refused = io.send(Buffer::from(vec![2; 10])).unwrap_err();
    assert_eq!((refused.error.kind(), refused.buffer.len()), (ErrorKind::WouldBlock, 10));
    io.output(10).unwrap();
    io.close(Plan::Finish);
    // It was announced, so it is expected; more is not.
    let refused = io.send(Buffer::from(vec![2; 11])).unwrap_err();
    assert_eq!((refused.error.kind(), refused.buffer.len()), (ErrorKind::BrokenPipe, 11));
    drop(io);
    let reading = thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).map(|_| all)
    });
    let begin = Instant::now();
    let mut rest = Some(Buffer::from(vec![2; 10]));
    while net.net.get(key).is_ok() {
        net.net.wait(Some(Duration::from_millis(50))).unwrap();
        while let Some(Guard { mut io, .. }) = net.net.again() {
            if io.is_writable() {
                if let Some(Err(refused)) = rest.take().map(|buffer| io.send(buffer)) {
                    rest = Some(refused.buffer);
                }
            }
            if io.is_readable() {
                assert!(matches!(io.received(), Ok(None)));
            }
        }
        assert!(begin.elapsed() < PATIENCE, "it does not end");
    }
    let all = reading.join().unwrap().unwrap();
    assert_eq!(all.len(), 200_010);
    assert!(all.ends_with(&[1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]));
    net.is_clean();
}

/// A handler that does nothing with its turn is not called again and again.
#[test]
fn a_turn_that_is_not_used_is_not_repeated() {
    let _alone = alone();
    for options in [single(), multishot()] {
        let mut net = Loop::new(options, patient());
        let (key, mut peer) = net.connection();
        peer.write_all(b"12345").unwrap();
        let mut turns = 0;
        for _ in 0..20 {
            net.net.wait(Some(Duration::from_millis(1))).unwrap();
            while let Some(Guard { io, .. }) = net.net.again() {
                assert!(io.is_readable());
                turns += 1;
            }
        }
        assert!((1..=2).contains(&turns), "{turns} turns");
        // Whoever uses it in between is called again.
        drop(net.net.get(key).unwrap());
        net.net.wait(Some(Duration::from_millis(1))).unwrap();
        assert!(net.net.again().is_some());
        reset(peer);
    }
}
