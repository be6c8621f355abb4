//! What the application holds goes out before the FIN, however it was offered; and if it is lost, that is told.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hangup::{Key, Plan, Policy, Report, SendHalf};
use hangup_iocp::{Driver, Io, Options};

use super::{connection, reset, ways};

/// A worker with one connection whose peer does not read, and that takes no more output.
fn blocked(options: Options) -> (Driver<()>, Key, TcpStream, usize) {
    let mut net = Driver::with_options(Policy::default(), options).unwrap();
    let (key, peer) = connection(&mut net);
    let mut io = net.get(key).unwrap().io;
    let mut filler = 0;
    while let Ok(count) = io.write(&[1; 64 * 1024]) {
        filler += count;
    }
    // The rest of it is given up.
    io.output(0).unwrap();
    drop(io);
    (net, key, peer, filler)
}

/// Goes round until the connection has ended.
fn run(net: &mut Driver<()>, mut serve: impl FnMut(&mut Io<'_>)) -> Report {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not end");
        net.wait(Some(Duration::from_secs(1))).unwrap();
        while let Some(mut conn) = net.next() {
            serve(&mut conn.io);
        }
        if let Some(ended) = net.ended() {
            return ended.report;
        }
    }
}

/// Writes as much as can be written of what is left, piece by piece.
fn write_out(io: &mut Io<'_>, pieces: &mut Vec<Vec<u8>>) {
    while let Some(piece) = pieces.first_mut() {
        match io.write(piece) {
            Ok(count) => {
                piece.drain(..count);
                if piece.is_empty() {
                    pieces.remove(0);
                }
            }
            Err(error) => return assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

fn everything(mut peer: TcpStream) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    })
}

/// Two writes would block, and then the connection is closed: the FIN waits for both.
#[test]
fn pieces_that_were_offered_go_out_before_the_fin() {
    for options in ways() {
        let (mut net, key, peer, filler) = blocked(options);
        let mut pieces = vec![vec![2; 1_000], vec![3; 200_000], vec![4; 7]];
        {
            let mut io = net.get(key).unwrap().io;
            for piece in &pieces {
                assert_eq!(io.write(piece).unwrap_err().kind(), ErrorKind::WouldBlock);
            }
            io.close(Plan::Flush);
        }
        let peer = everything(peer);
        let report = run(&mut net, |io| write_out(io, &mut pieces));
        let all = peer.join().unwrap();
        assert_eq!(all.len(), filler + 201_007, "{report}");
        assert!(all.ends_with(&[3, 4, 4, 4, 4, 4, 4, 4]));
        assert_eq!((report.sent, report.unsent), ((filler + 201_007) as u64, 0));
    }
}

/// Wine completes a send that is blocked with 0 bytes when the peer finishes, though nothing has failed and nothing was
/// sent: it is submitted again, once, and every byte goes out once.
#[test]
fn a_peer_that_finishes_has_all_of_a_blocked_send() {
    for options in ways() {
        let (mut net, key, peer, mut filler) = blocked(options);
        // Until the OS takes no more either, and not the driver alone.
        let mut rounds_in_vain = 0;
        while rounds_in_vain < 5 {
            net.wait(Some(Duration::from_millis(20))).unwrap();
            let mut io = net.get(key).unwrap().io;
            let before = filler;
            while let Ok(count) = io.write(&[1; 64 * 1024]) {
                filler += count;
            }
            io.output(0).unwrap();
            rounds_in_vain = if filler == before { rounds_in_vain + 1 } else { 0 };
        }
        net.get(key).unwrap().io.pause();
        let lent = net.audit().lent;
        peer.shutdown(Shutdown::Write).unwrap();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(300) {
            net.wait(Some(Duration::from_millis(50))).unwrap();
        }
        let again = net.audit().lent - lent;
        assert!(again < 10, "it is submitted over and over: {again} times");
        net.get(key).unwrap().io.close(Plan::Flush);
        let peer = everything(peer);
        let report = run(&mut net, |_| {});
        assert_eq!(peer.join().unwrap().len(), filler, "{report}");
        assert_eq!((report.sent, report.unsent), (filler as u64, 0), "{report}");
    }
}

/// A part that no write was tried with is announced, and what is announced is counted. More is refused.
#[test]
fn what_is_announced_is_counted() {
    for options in ways() {
        let (mut net, key, peer, filler) = blocked(options);
        {
            let mut io = net.get(key).unwrap().io;
            io.output(3_000).unwrap();
            io.close(Plan::Flush);
            let more = io.output(3_001).unwrap_err();
            assert_eq!(more.kind(), ErrorKind::BrokenPipe);
        }
        let peer = everything(peer);
        let mut rest = 3_000;
        // One piece a turn: the driver knows that there is more.
        let report = run(&mut net, |io| match io.write(&[5; 1_100]) {
            Ok(count) => rest -= count,
            Err(error) => assert!(rest > 0 || error.kind() == ErrorKind::BrokenPipe),
        });
        assert_eq!((rest, peer.join().unwrap().len()), (0, filler + 3_000), "{report}");
    }
}

/// What was left over when the connection was lost is in the report, with what was written and not sent.
#[test]
fn what_was_left_over_is_reported() {
    let options = Options::default();
    let (mut net, key, peer, filler) = blocked(options);
    let mut io = net.get(key).unwrap().io;
    assert!(io.write(&[2; 1_000]).is_err() && io.write(&[3; 5_000]).is_err());
    drop(io);
    reset(peer);
    let report = run(&mut net, |io| io.close(Plan::Abort));
    let unsent = filler as u64 - report.sent + 5_000;
    assert_eq!(report.unsent, unsent, "at least: {report}");
}

/// It is paused until its output is out, and then the output is lost: it hears of it once, by a write.
#[test]
fn output_that_is_lost_is_told() {
    for options in ways() {
        // With input that it does not take, no receive is in flight, and the send is the first to fail.
        for has_input in [false, true] {
            let (mut net, key, mut peer, _) = blocked(options);
            if has_input {
                peer.write_all(b"hello").unwrap();
                while net.next().is_none() {
                    net.wait(Some(Duration::from_millis(5))).unwrap();
                }
            }
            let mut io = net.get(key).unwrap().io;
            while io.write(&[2; 64 * 1024]).is_ok() {}
            io.pause();
            drop(io);
            reset(peer);
            assert_eq!(told_of_loss(&mut net), 1, "input: {has_input}");
        }
    }
}

/// How often the connection has a turn after its output was lost.
fn told_of_loss(net: &mut Driver<()>) -> u32 {
    let (began, mut told) = (Instant::now(), 0);
    while told == 0 || began.elapsed() < Duration::from_millis(200) {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody is told");
        net.wait(Some(Duration::from_millis(20))).unwrap();
        while let Some(mut conn) = net.next() {
            if conn.io.life().unwrap().send_half() == SendHalf::Failed {
                told += 1;
                assert!(conn.io.is_writable() || conn.io.is_readable());
                assert_eq!(conn.io.write(&[2; 1_000]).unwrap_err().kind(), ErrorKind::ConnectionReset);
            }
        }
    }
    told
}
