//! Buffers go to the OS and come back, and the pool is whole afterwards.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use hangup::{Buffer, Plan, SendHalf};

use super::{connection, driver, ended, settled, ways};

/// An echo without a copy: what was received is sent.
#[test]
fn what_was_received_is_sent_as_it_is() {
    for options in ways() {
        let mut net = driver(options);
        let (key, mut peer) = connection(&mut net);
        for round in 0..20_u8 {
            peer.write_all(&[round; 1000]).unwrap();
            let mut echoed = 0;
            while echoed < 1000 {
                net.wait(Some(Duration::from_secs(10))).unwrap();
                while let Some(mut conn) = net.next() {
                    while let Some(buffer) = conn.io.received() {
                        echoed += buffer.len();
                        conn.io.send(buffer).unwrap();
                    }
                }
            }
            let mut back = [0; 1000];
            peer.read_exact(&mut back).unwrap();
            assert_eq!(back, [round; 1000]);
        }
        // One of the application's own is sent, and freed.
        let mut conn = net.get(key).unwrap();
        conn.io.send(Buffer::from(b"and this".to_vec())).unwrap();
        conn.io.close(Plan::Flush);
        let late = conn.io.send(Buffer::from(b"too late".to_vec())).unwrap_err();
        assert_eq!((late.error.kind(), &*late.buffer), (ErrorKind::BrokenPipe, &b"too late"[..]));
        drop(conn);
        while net.get(key).unwrap().io.life().unwrap().send_half() != SendHalf::FinSent {
            net.wait(Some(Duration::from_millis(20))).unwrap();
        }
        let mut rest = String::new();
        peer.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "and this");
        drop(peer);
        let report = ended(&mut net).report;
        assert_eq!((report.received, report.sent, report.unsent), (20_000, 20_008, 0));
        settled(&mut net);
    }
}

/// Output is bounded, and what did not fit is asked for again.
#[test]
fn output_has_a_limit() {
    for options in ways() {
        let mut net = driver(options);
        let (key, mut peer) = connection(&mut net);
        let all = vec![3; 8 << 20];
        let mut written = 0;
        let mut conn = net.get(key).unwrap();
        loop {
            match conn.io.write(&all[written..]) {
                Ok(count) => written += count,
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        drop(conn);
        let reader = std::thread::spawn(move || {
            let mut bytes = vec![0; 8 << 20];
            peer.read_exact(&mut bytes).map(|()| (bytes, peer))
        });
        while written < all.len() {
            net.wait(Some(Duration::from_secs(10))).unwrap();
            while let Some(mut conn) = net.next() {
                assert!(conn.io.is_writable());
                while written < all.len() {
                    let Ok(count) = conn.io.write(&all[written..]) else { break };
                    written += count;
                }
            }
        }
        net.get(key).unwrap().io.close(Plan::Flush);
        while !reader.is_finished() {
            net.wait(Some(Duration::from_millis(20))).unwrap();
        }
        let (bytes, peer) = reader.join().unwrap().unwrap();
        assert!(bytes == all, "other bytes came");
        drop(peer);
        assert_eq!(ended(&mut net).report.sent, 8 << 20);
        settled(&mut net);
    }
}

/// A connection that is idle holds no buffer, where the OS waits as it is asked to. (Wine answers a receive without
/// room at once; then one with room is posted, and nobody spins.)
#[test]
fn an_idle_connection_does_not_spin() {
    for options in ways() {
        let mut net = driver(options);
        let peers: Vec<_> = (0..10).map(|_| connection(&mut net)).collect();
        for _ in 0..3 {
            net.wait(Some(Duration::from_millis(20))).unwrap();
        }
        let lent = net.audit().lent;
        for _ in 0..5 {
            net.wait(Some(Duration::from_millis(20))).unwrap();
            assert!(net.next().is_none());
        }
        assert_eq!(net.audit().lent, lent, "receives are posted over and over");
        assert!(net.pool().out <= 10);
        drop(peers);
    }
}
