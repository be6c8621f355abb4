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
            while let Some(conn) = net.net.next() {
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
        while let Some(Guard { mut io, .. }) = net.net.next() {
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
            while let Some(Guard { io, .. }) = net.net.next() {
                assert!(io.is_readable());
                turns += 1;
            }
        }
        assert!((1..=2).contains(&turns), "{turns} turns");
        // Whoever uses it in between is called again.
        drop(net.net.get(key).unwrap());
        net.net.wait(Some(Duration::from_millis(1))).unwrap();
        assert!(net.net.next().is_some());
        reset(peer);
    }
}

/// What comes up in a turn that is not used is news: input that waits for a resume.
#[test]
fn a_resume_in_a_turn_for_something_else() {
    let _alone = alone();
    for options in [single(), multishot()] {
        let mut net = Loop::new(options, patient());
        let (key, mut peer) = net.connection();
        net.net.wait(Some(Duration::ZERO)).unwrap();
        // More than fits, so that a turn comes for it. Input comes meanwhile.
        let Guard { mut io, .. } = net.net.get(key).unwrap();
        while io.write(&[7; 64 * 1024]).is_ok() {}
        io.pause();
        drop(io);
        peer.write_all(b"12345").unwrap();
        // All of it goes out before the turn comes: nothing completes later that would bring another one.
        for _ in 0..50 {
            net.net.wait(Some(Duration::from_millis(1))).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        peer.set_nonblocking(true).unwrap();
        let (mut resumed, mut got, begin) = (false, 0, Instant::now());
        while got == 0 {
            drop(peer.read(&mut [0; 64 * 1024]));
            net.net.wait(Some(Duration::from_millis(5))).unwrap();
            while let Some(Guard { mut io, state }) = net.net.next() {
                if io.is_readable() {
                    let mut bytes = [0; 8];
                    got = io.read(&mut bytes).unwrap();
                    state.all.extend_from_slice(&bytes[..got]);
                } else if !resumed {
                    io.output(0).unwrap();
                    io.resume();
                    resumed = true;
                }
            }
            assert!(begin.elapsed() < PATIENCE, "nothing comes; resumed: {resumed}");
        }
        reset(peer);
        net.until("the end", |net| net.net.get(key).is_err());
    }
}

/// The same of output that is announced.
#[test]
fn an_announcement_in_a_turn_for_something_else() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut net: Driver<()> = Driver::new(patient()).unwrap();
    net.connect(listener.local_addr().unwrap(), ()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let (mut written, begin) = (false, Instant::now());
    while !written {
        net.wait(Some(Duration::from_millis(50))).unwrap();
        while let Some(Guard { mut io, .. }) = net.next() {
            if io.is_connected() {
                io.output(5).unwrap();
            } else if io.is_writable() {
                assert_eq!(io.write(b"12345").unwrap(), 5);
                io.close(Plan::Flush);
                written = true;
            }
        }
        assert!(begin.elapsed() < PATIENCE, "nobody asks for what was announced");
    }
    let reading = thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).map(|_| all)
    });
    while net.ended().is_none() {
        net.wait(Some(Duration::from_millis(50))).unwrap();
        assert!(begin.elapsed() < PATIENCE, "it does not end");
    }
    assert_eq!(reading.join().unwrap().unwrap(), b"12345");
}
