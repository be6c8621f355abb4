//! The server on a ring under valgrind, with the chaos client outside. What valgrind has to say is an error.
//!
//! A process of its own for the clients, because valgrind 3.19 runs no other thread while one waits in
//! `io_uring_enter`. For the same reason the signal that ends the server is noticed at the next connection.
#![cfg(target_os = "linux")]

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hangup_examples::chaos::{self, Dialect};
use hangup_examples::child::{Finished, Program, Signal};

/// Nothing is lost for good either; what is still reachable at the end is the runtime's.
const VALGRIND: [&str; 5] = [
    "--quiet",
    "--error-exitcode=99",
    "--leak-check=full",
    "--show-leak-kinds=definite",
    "--errors-for-leak-kinds=definite",
];

#[test]
#[ignore = "needs valgrind, and half a minute for each"]
fn single_receives() {
    checked("uring");
}

#[test]
#[ignore = "needs valgrind, and half a minute for each"]
fn multishot_receives() {
    checked("uring-multishot");
}

fn checked(backend: &str) {
    for (mode, dialect) in [("echo", Dialect::Echo), ("http", Dialect::Http)] {
        let flags =
            ["--listen=127.0.0.1:0", "--idle=5s", "--half-closed=5s", "--backend", backend, "--mode", mode];
        let mut valgrind = Command::new("valgrind");
        let (serve, address) = Program::listen_under(valgrind.args(VALGRIND), "serve", &flags);
        let config = chaos::Config {
            servers: vec![(address, dialect)],
            connections: 40,
            duration: Duration::from_secs(10),
            count: u64::MAX,
            patience: Duration::from_secs(120),
            seed: 1,
        };
        let tally = chaos::run(&config, |_| {});
        let finished = ended(serve, address);
        eprintln!("{backend}, {mode}\n{tally}\n{}", finished.stderr);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stderr.contains(", held 0; "), "{}", finished.stderr);
        assert_eq!(tally.failed, 0, "clients that were not served as they should be");
        assert!(tally.ended.values().sum::<u64>() >= 40, "{tally}");
    }
}

/// Ends it, and knocks until it has noticed.
fn ended(serve: Program, address: SocketAddr) -> Finished {
    let over = AtomicBool::new(false);
    serve.signal(Signal::TERM);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                drop(TcpStream::connect(address));
                thread::sleep(Duration::from_millis(100));
            }
        });
        // It is told to stop when `wait` panics, too.
        let _guard = Over(&over);
        serve.wait()
    })
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
