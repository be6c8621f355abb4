//! What the application holds goes out before the FIN, however it was offered.

#![allow(clippy::unwrap_used, reason = "a test: a surprise is a failed test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hangup::{Key, Plan, Policy, Report};
use hangup_polling::{Driver, Io, Trigger};
use polling::{Events, Poller};
use socket2::SockRef;

struct Loop {
    poller: Arc<Poller>,
    net: Driver<()>,
    events: Events,
}

/// A loop with one connection whose peer does not read, and whose send buffer is full.
fn blocked(trigger: Trigger) -> (Loop, Key, TcpStream, usize) {
    let poller = Arc::new(Poller::new().unwrap());
    let mut net = Driver::with_trigger(Arc::clone(&poller), Policy::default(), trigger).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    SockRef::from(&stream).set_send_buffer_size(16 * 1024).unwrap();
    let key = net.accept(stream, ()).unwrap();
    let mut io = net.get(key).unwrap().io;
    let (mut filler, mut quiet) = (0, 0);
    // The kernel passes it on in its own time: it holds as much as it will when nothing was taken for a while.
    while quiet < 10 {
        quiet += 1;
        while let Ok(count) = io.write(&[1; 64 * 1024]) {
            (filler, quiet) = (filler + count, 0);
        }
        thread::sleep(Duration::from_millis(5));
    }
    // The rest of it is given up.
    io.output(0).unwrap();
    drop(io);
    (Loop { poller, net, events: Events::new() }, key, peer, filler)
}

impl Loop {
    /// Goes round until the connection has ended.
    fn run(&mut self, mut serve: impl FnMut(&mut Io<'_>)) -> Report {
        loop {
            self.events.clear();
            let timeout = self.net.timeout().unwrap_or(Duration::MAX).min(Duration::from_secs(1));
            self.poller.wait(&mut self.events, Some(timeout)).unwrap();
            self.net.tick();
            for event in self.events.iter() {
                if let Some(mut conn) = self.net.guard(&event) {
                    serve(&mut conn.io);
                }
            }
            while let Some(mut conn) = self.net.again() {
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

fn triggers() -> Vec<Trigger> {
    let poller = Poller::new().unwrap();
    let mut triggers = vec![Trigger::OneShot];
    triggers.extend(poller.supports_level().then_some(Trigger::Level));
    triggers.extend(poller.supports_edge().then_some(Trigger::Edge));
    triggers
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
    for trigger in triggers() {
        let (mut own, key, peer, filler) = blocked(trigger);
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
        assert_eq!(all.len(), filler + 201_007, "{trigger:?}: {report}");
        assert!(all.ends_with(&[3, 4, 4, 4, 4, 4, 4, 4]));
        assert_eq!((report.sent, report.unsent), ((filler + 201_007) as u64, 0));
    }
}

/// A part that no write was tried with is announced, and what is announced is counted.
#[test]
fn what_is_announced_is_counted() {
    for trigger in triggers() {
        let (mut own, key, peer, filler) = blocked(trigger);
        {
            let mut io = own.net.get(key).unwrap().io;
            io.output(3_000).unwrap();
            io.close(Plan::Flush);
        }
        let peer = everything(peer);
        let mut rest = 3_000;
        // One piece a turn: the driver knows that there is more.
        let report = own.run(|io| {
            if let Ok(count) = io.write(&[5; 1_000][..rest.min(1_000)]) {
                rest -= count;
            }
        });
        assert_eq!(peer.join().unwrap().len(), filler + 3_000, "{trigger:?}: {report}");
    }
}

/// What was left over when the connection was lost is in the report.
#[test]
fn what_was_left_over_is_reported() {
    let (mut own, key, peer, _) = blocked(Trigger::OneShot);
    let mut io = own.net.get(key).unwrap().io;
    assert!(io.write(&[2; 1_000]).is_err() && io.write(&[3; 5_000]).is_err());
    drop(io);
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    let report = own.run(|io| io.close(Plan::Abort));
    assert_eq!(report.unsent, 5_000, "at least: {report}");
}
