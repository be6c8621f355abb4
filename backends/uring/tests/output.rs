//! What the application holds goes out before the FIN, however it was offered; and if it is lost, it is told.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test: a surprise is a failed test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use hangup::{Buffer, Key, Plan, Policy, Report};
use hangup_uring::{Driver, Io, Options, Shots};
use socket2::SockRef;

struct Loop {
    net: Driver<()>,
}

fn policy() -> Policy {
    Policy { half_closed: Duration::from_secs(1), ..Policy::default() }
}

/// A loop with one connection whose peer does not read, and which takes no more output.
fn blocked(options: Options) -> (Loop, Key, TcpStream, usize) {
    let mut net = Driver::with_options(policy(), options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    SockRef::from(&stream).set_send_buffer_size(16 * 1024).unwrap();
    let key = net.accept(stream, ()).unwrap();
    let mut filler = 0;
    // The last round takes nothing: the kernel holds as much as it will.
    loop {
        let before = filler;
        let mut io = net.get(key).unwrap().io;
        while let Ok(count) = io.write(&[1; 64 * 1024]) {
            filler += count;
        }
        // The rest of it is given up.
        io.output(0).unwrap();
        drop(io);
        if filler == before {
            return (Loop { net }, key, peer, filler);
        }
        for _ in 0..5 {
            net.wait(Some(Duration::from_millis(10))).unwrap();
            while net.next().is_some() {}
        }
    }
}

impl Loop {
    /// Goes round until the connection has ended.
    fn run(&mut self, mut serve: impl FnMut(&mut Io<'_>)) -> Report {
        loop {
            self.net.wait(Some(Duration::from_secs(1))).unwrap();
            while let Some(mut conn) = self.net.next() {
                serve(&mut conn.io);
            }
            if let Some(ended) = self.net.ended() {
                return ended.report;
            }
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

fn ways() -> [Options; 3] {
    let options = Options { accept: Shots::Single, ..Options::default() };
    [
        options,
        Options { receive: Shots::Multishot, ..options },
        // A quarter at a time, without a copy.
        Options { zero_copy: Some(1), output: 16 * 1024, ..options },
    ]
}

fn everything(mut peer: TcpStream) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    })
}

fn reset(peer: TcpStream) {
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
}

/// Several writes would block, and then the connection is closed: the FIN waits for all of them.
#[test]
fn pieces_that_were_offered_go_out_before_the_fin() {
    for options in ways() {
        let (mut own, key, peer, filler) = blocked(options);
        let mut pieces = vec![vec![2; 1_000], vec![3; 200_000], vec![4; 7]];
        {
            let mut io = own.net.get(key).unwrap().io;
            for piece in &pieces {
                assert_eq!(io.write(piece).unwrap_err().kind(), ErrorKind::WouldBlock);
            }
            io.close(Plan::Flush);
        }
        let peer = everything(peer);
        let report = own.run(|io| write_out(io, &mut pieces));
        let all = peer.join().unwrap();
        assert_eq!(all.len(), filler + 201_007, "{options:?}: {report}");
        assert!(all.ends_with(&[3, 4, 4, 4, 4, 4, 4, 4]));
        assert_eq!((report.sent, report.unsent), ((filler + 201_007) as u64, 0));
    }
}

/// The same with buffers that are handed over whole.
#[test]
fn buffers_that_were_offered_go_out_before_the_fin() {
    for options in ways() {
        let (mut own, key, peer, filler) = blocked(options);
        let mut buffers = vec![Buffer::from(vec![2; 7]), Buffer::from(vec![3; 90_000])];
        {
            let mut io = own.net.get(key).unwrap().io;
            for buffer in &mut buffers {
                let refused = io.send(std::mem::take(buffer)).unwrap_err();
                assert_eq!(refused.error.kind(), ErrorKind::WouldBlock);
                *buffer = refused.buffer;
            }
            io.close(Plan::Flush);
        }
        let peer = everything(peer);
        let report = own.run(|io| {
            while let Some(buffer) = buffers.pop() {
                if let Err(refused) = io.send(buffer) {
                    assert_eq!(refused.error.kind(), ErrorKind::WouldBlock, "{options:?}");
                    return buffers.push(refused.buffer);
                }
            }
        });
        assert_eq!(peer.join().unwrap().len(), filler + 90_007, "{options:?}: {report}");
    }
}

/// A part that no write was tried with is announced, and what is announced is counted.
#[test]
fn what_is_announced_is_counted() {
    for options in ways() {
        let (mut own, key, peer, filler) = blocked(options);
        {
            let mut io = own.net.get(key).unwrap().io;
            io.output(3_000).unwrap();
            io.close(Plan::Flush);
            // More than that was not announced.
            assert_eq!(io.output(3_001).unwrap_err().kind(), ErrorKind::BrokenPipe);
        }
        let peer = everything(peer);
        let mut rest = 3_000;
        // One piece a turn: the driver knows that there is more.
        let report = own.run(|io| {
            if let Ok(count) = io.write(&[5; 1_000][..rest.min(1_000)]) {
                rest -= count;
            }
        });
        assert_eq!(peer.join().unwrap().len(), filler + 3_000, "{options:?}: {report}");
    }
}

/// What was left over when the connection was lost is in the report.
#[test]
fn what_was_left_over_is_reported() {
    for options in ways() {
        let (mut own, key, peer, filler) = blocked(options);
        let mut io = own.net.get(key).unwrap().io;
        assert!(io.write(&[2; 1_000]).is_err() && io.write(&[3; 5_000]).is_err());
        drop(io);
        reset(peer);
        let report = own.run(|io| io.close(Plan::Abort));
        assert_eq!(report.sent + report.unsent, (filler + 5_000) as u64, "at least: {options:?}: {report}");
    }
}

/// A connection that is paused because of its output has one turn to find out that the output is lost.
#[test]
fn a_loss_is_told_once() {
    for options in ways() {
        for holds in [true, false] {
            let (mut own, key, peer, _) = blocked(options);
            let mut io = own.net.get(key).unwrap().io;
            io.pause();
            if holds {
                assert!(io.write(b"more").is_err());
            }
            drop(io);
            reset(peer);
            let mut told = 0;
            let report = own.run(|io| {
                assert!(io.is_writable() && !io.is_readable());
                let lost = io.write(b"more").unwrap_err();
                assert_ne!(lost.kind(), ErrorKind::WouldBlock, "{options:?}");
                told += 1;
            });
            assert_eq!(told, 1, "{options:?}, holds {holds}: {report}");
        }
    }
}
