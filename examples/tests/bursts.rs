//! Connections that send 256 KiB, never read, and reset: the server hears of the end of each of them.
//!
//! Measured with Linux 6.18: a server that has nothing but a multishot receive for each connection never hears of
//! the end of those that fill more than 32 of its buffers at once. The buffers here are too large for that; the adapter's
//! own test (`traps`) has small ones.
//!
//! The long form, ten times three thousand for each way:
//!
//! ```text
//! cargo test --release -p hangup-examples --test bursts -- --ignored --nocapture
//! ```

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use hangup::{Cause, DrainEnd, Policy};
use hangup_examples::net::Backend;
use hangup_examples::serve::http::Limits;
use hangup_examples::serve::{Config, Echo, Handle, Server, Service, Web};
use hangup_polling::Trigger;
use socket2::SockRef;

const BURST: usize = 256 * 1024;
/// So many clients at a time.
const CLIENTS: usize = 16;
/// Nothing that is waited for takes that long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Whoever is accepted at all is accepted by then, once no client is there any more.
const QUIET: Duration = Duration::from_secs(1);

/// An adapter, how readiness is reported if it is that kind, and how many workers there are.
type Way = (Backend, Option<Trigger>, usize);

/// What this system has.
fn ways() -> Vec<Way> {
    if cfg!(target_os = "linux") {
        let triggers = [Trigger::Level, Trigger::OneShot, Trigger::Edge];
        let polling = triggers.map(|trigger| (Backend::Polling, Some(trigger), 1));
        let rings = [Backend::Uring, Backend::UringMultishot].map(|ring| [(ring, None, 1), (ring, None, 4)]);
        [&polling[..], rings.as_flattened()].concat()
    } else if cfg!(windows) {
        vec![(Backend::Polling, None, 1), (Backend::Iocp, None, 1), (Backend::Iocp, None, 4)]
    } else {
        vec![(Backend::Polling, None, 1)]
    }
}

#[test]
fn all_ends_are_heard_of() {
    all_ends(1, 200);
}

#[test]
#[ignore = "takes minutes"]
fn all_ends_of_ten_times_three_thousand_are_heard_of() {
    all_ends(10, 3000);
}

fn all_ends(runs: usize, connections: usize) {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BURST}\r\n\r\n");
    for way in ways() {
        let echo: usize = (0..runs).map(|_| left_behind(way, Echo::new(), "", connections)).sum();
        let web = || Web::new(Limits::default(), 0);
        let http: usize = (0..runs).map(|_| left_behind(way, web(), &head, connections)).sum();
        eprintln!(
            "{way:?}: {runs} times {connections} connections; left behind: {echo} (echo), {http} (HTTP)"
        );
        assert_eq!((echo, http), (0, 0), "{way:?}, of {runs} times {connections}");
    }
}

/// How many connections have not been reported when nothing more is to be expected.
fn left_behind<S>(way: Way, service: S, head: &str, connections: usize) -> usize
where
    S: Service + Clone + Send + 'static,
    S::State: Send,
{
    let (backend, trigger, workers) = way;
    // No deadline may help.
    let hour = Duration::from_secs(3600);
    let policy = Policy {
        idle: None,
        stall: hour,
        half_closed: hour,
        drain_total: hour,
        drain_idle: hour,
        ..Policy::default()
    };
    let workers = NonZeroUsize::new(workers).expect("a worker");
    let config = Config { backend, trigger, policy, workers, ..Config::default() };
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), config, service).expect("a server");
    let (address, handle) = (server.address(), server.handle());
    let (sender, ended) = channel();
    let running = thread::spawn(move || {
        server.run(|ending| {
            // An answer may be out before the reset is in: then the server has closed, and hears of it while it waits.
            let report = ending.report;
            let is_reset = report.cause == Cause::PeerReset || report.drain_end == Some(DrainEnd::Failed);
            let _sent = sender.send((is_reset, report.to_string()));
        })
    });
    let bytes = [head.as_bytes(), &vec![b'x'; BURST]].concat();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let bytes = &bytes;
            scope.spawn(move || (client..connections).step_by(CLIENTS).for_each(|_| burst(address, bytes)));
        }
    });
    let left = wait(&handle, &ended, connections);
    handle.abort();
    running.join().expect("the server panicked").expect("the server failed");
    left
}

/// Waits until all have ended. How many have not.
fn wait(handle: &Handle, ended: &Receiver<(bool, String)>, connections: usize) -> usize {
    let begin = Instant::now();
    let mut count = 0;
    while count < connections && begin.elapsed() < PATIENCE {
        match ended.recv_timeout(QUIET) {
            Ok((is_reset, line)) => {
                // Under Wine a receive that is made after the reset returns 0.
                assert!(is_reset || cfg!(windows), "{line}");
                count += 1;
            }
            // On Windows, a connection that was reset before it was accepted is never accepted.
            Err(_) if cfg!(windows) && handle.open() == 0 => return 0,
            Err(_) => {}
        }
    }
    connections - count
}

/// Sends as much as it can in a while, reads nothing, and resets.
fn burst(address: SocketAddr, bytes: &[u8]) {
    let mut peer = TcpStream::connect(address).expect("a connection");
    peer.set_nonblocking(true).expect("an option");
    let begin = Instant::now();
    let mut rest = bytes;
    // An echo stops reading too, when nobody takes what it sends: then the rest does not fit.
    while !rest.is_empty() && begin.elapsed() < Duration::from_millis(20) {
        match peer.write(rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                thread::yield_now();
            }
        }
    }
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).expect("an option");
}
