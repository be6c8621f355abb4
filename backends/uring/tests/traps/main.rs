//! The traps of completions, and how the driver stays out of them.
//!
//! | trap | file |
//! |---|---|
//! | a multishot receive misses the end of a connection that bursts and resets | `burst` |
//! | a parked receive outlives its descriptor, whose number is somebody else's by then | `reuse` |
//! | the submission queue is full, the completion queue overflows, the buffers run out | `full` |
//! | a request to cancel comes too late | `cancel` |
//! | a buffer that was handed over is used, or lost | `owned` |
//! | the driver is dropped while the kernel has buffers of its | `dropped` |
//! | the kernel has no ring for us | `refused` |
//!
//! The tests count the descriptors of the process, so they run one after the other.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test: a surprise is a failed test"
)]

mod burst;
mod cancel;
mod dropped;
mod full;
mod owned;
mod refused;
mod reuse;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hangup::{Key, Plan, Policy, Report};
use hangup_uring::{Driver, Ended, Guard, Io, Options, Shots};
use socket2::SockRef;

/// How long a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// One test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many descriptors this process has.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn single() -> Options {
    Options { accept: Shots::Single, ..Options::default() }
}

fn multishot() -> Options {
    Options { receive: Shots::Multishot, ..Options::default() }
}

fn zero_copy() -> Options {
    Options { zero_copy: Some(1), ..Options::default() }
}

/// Deadlines that save nobody of whom nothing was heard.
fn patient() -> Policy {
    let long = Duration::from_secs(600);
    Policy {
        idle: None,
        stall: long,
        half_closed: long,
        drain_total: long,
        drain_idle: long,
        ..Policy::default()
    }
}

/// Closes so that a reset goes out.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// A loop with a listener, whose connections send back what they receive.
struct Loop {
    net: Driver<Echo>,
    address: SocketAddr,
    ended: Vec<(Key, Report)>,
    /// Whether its connections only read.
    silent: bool,
}

/// What an echo has not sent back yet.
#[derive(Debug, Default)]
struct Echo {
    out: Vec<u8>,
    all: Vec<u8>,
    silent: bool,
}

impl Echo {
    fn turn(&mut self, io: &mut Io<'_>) {
        loop {
            while !self.out.is_empty() {
                match io.write(&self.out) {
                    Ok(count) => drop(self.out.drain(..count)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return io.pause(),
                    // It may be paused, and then nobody would find the end.
                    Err(_) => return io.close(Plan::Flush),
                }
            }
            io.resume();
            let mut bytes = [0; 8000];
            match io.read(&mut bytes) {
                Ok(0) => return io.close(Plan::Flush),
                Ok(count) => {
                    self.all.extend_from_slice(&bytes[..count]);
                    if !self.silent {
                        self.out.extend_from_slice(&bytes[..count]);
                    }
                }
                Err(_) => return,
            }
        }
    }
}

impl Loop {
    fn new(options: Options, policy: Policy) -> Self {
        // A long queue: a client that finds it full is turned away, although it believes that it is connected.
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(4096).unwrap();
        let listener = TcpListener::from(listener);
        let address = listener.local_addr().unwrap();
        let mut net = Driver::with_options(policy, options).expect("this kernel has io_uring");
        net.listen(listener).unwrap();
        Self { net, address, ended: Vec::new(), silent: false }
    }

    fn accept_all(&mut self) -> usize {
        let mut count = 0;
        while let Some(stream) = self.net.incoming().unwrap() {
            self.net.accept(stream, Echo { silent: self.silent, ..Echo::default() }).unwrap();
            count += 1;
        }
        count
    }

    /// One round, of at most so long.
    fn round(&mut self, limit: Duration) {
        self.accept_all();
        self.net.wait(Some(limit)).unwrap();
        while let Some(Guard { mut io, state, .. }) = self.net.next() {
            state.turn(&mut io);
        }
        while let Some(Ended { key, state, report, .. }) = self.net.ended() {
            let taken = report.received - report.discarded;
            assert_eq!(taken, state.all.len() as u64, "what was read is what is counted: {report}");
            self.ended.push((key, report));
        }
    }

    /// Goes round until it is so.
    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let begin = Instant::now();
        while !done(self) {
            self.round(Duration::from_millis(50));
            let (net, ended) = (&self.net, self.ended.len());
            assert!(
                begin.elapsed() < PATIENCE,
                "waited in vain for {what}; {ended} ended, {:?}",
                net.audit()
            );
        }
    }

    /// A connection that is taken in, and its peer.
    fn connection(&mut self) -> (Key, TcpStream) {
        let before: Vec<Key> = self.net.keys().collect();
        let peer = TcpStream::connect(self.address).unwrap();
        self.until("the connection", |it| it.net.keys().any(|key| !before.contains(&key)));
        let key = self.net.keys().find(|key| !before.contains(key)).unwrap();
        (key, peer)
    }

    /// Nothing is with the kernel, and nothing is lost.
    fn is_clean(&mut self) {
        let (audit, counts) = (self.net.audit(), self.net.counts());
        assert_eq!((audit.held(), audit.with_the_os()), (0, 0), "{audit:?}");
        assert_eq!((audit.acquired, audit.refused), (audit.released, 0), "{audit:?}");
        assert_eq!(counts.buffers, 0, "{counts:?}");
    }
}
