//! Connections that send 256 KiB, never read, and reset: the server hears of the end of each of them.
//!
//! Measured with Linux 6.18: a server that has nothing but a multishot receive for each connection never hears of
//! the end of about one in a hundred.
//!
//! The long form, ten times three thousand for each way:
//!
//! ```text
//! cargo test --release -p hangup-examples --test bursts -- --ignored --nocapture
//! ```

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hangup_examples::child::Program;
use socket2::SockRef;

const BURST: usize = 256 * 1024;
/// So many clients at a time.
const CLIENTS: usize = 16;

/// What this system has, as flags.
fn backends() -> &'static [&'static str] {
    if cfg!(target_os = "linux") {
        &["polling", "uring", "uring-multishot"]
    } else if cfg!(windows) {
        &["polling", "iocp"]
    } else {
        &["polling"]
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
    for backend in backends() {
        for mode in ["echo", "http"] {
            let left: usize = (0..runs).map(|_| left_behind(backend, mode, connections)).sum();
            eprintln!("{backend}, {mode}: {runs} times {connections} connections, {left} left behind");
            assert_eq!(left, 0, "{backend}, {mode}: of {runs} times {connections}");
        }
    }
}

/// How many connections have not been reported when nothing more is to be expected.
fn left_behind(backend: &str, mode: &str, connections: usize) -> usize {
    // No deadline may help.
    let flags = [
        "--listen=127.0.0.1:0",
        "--reports=json",
        "--idle=never",
        "--stall=1h",
        "--half-closed=1h",
        "--drain-total=1h",
        "--drain-idle=1h",
        "--backend",
        backend,
        "--mode",
        mode,
    ];
    let (serve, address) = Program::listen("serve", &flags);
    let head = match mode {
        "http" => format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BURST}\r\n\r\n"),
        _ => String::new(),
    };
    let bytes = [head.as_bytes(), &vec![b'x'; BURST]].concat();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let bytes = &bytes;
            scope.spawn(move || (client..connections).step_by(CLIENTS).for_each(|_| burst(address, bytes)));
        }
    });
    let ended = (0..connections).take_while(|_| ends_by_reset(&serve)).count();
    if ended < connections {
        tell(serve);
    }
    connections - ended
}

/// What is known of those that are left: how many were accepted, and their reports when they are told to end.
#[cfg(unix)]
fn tell(serve: Program) {
    use hangup_examples::child::Signal;

    serve.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(200));
    serve.signal(Signal::TERM);
    let finished = serve.wait();
    eprintln!("{}\n{}", finished.stdout, finished.stderr);
}

#[cfg(not(unix))]
fn tell(_serve: Program) {}

/// Whether another one is reported; that it was reset is checked.
fn ends_by_reset(serve: &Program) -> bool {
    let Some(line) = serve.next_line() else { return false };
    let report: serde_json::Value = serde_json::from_str(&line).expect(&line);
    // An answer may be out before the reset is in: then the server has closed, and hears of it while it waits.
    let is = |field, value| report.get(field).is_some_and(|found| found == value);
    assert!(is("cause", "peer-reset") || is("drain_end", "failed"), "{line}");
    true
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
