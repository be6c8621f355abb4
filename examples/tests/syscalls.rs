//! How many system calls an echo costs, on epoll and on io_uring: the program `serve` under `strace`, and a client that
//! sends 64 bytes on each of its connections, waits for all of them to come back, and then for a millisecond, again and
//! again. `just syscalls` prints the table.
//!
//! A run with one echo on each connection is subtracted, so that what it costs to begin and to end does not count. A
//! server that is traced is slow, and finds more to do in each round than one that is not: its own counts come from runs
//! without `strace`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test: a surprise is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use hangup_examples::child::{PATIENCE, Program, Signal};

/// How often each name was counted.
type Counts = BTreeMap<String, f64>;

/// The server's flags.
const WAYS: [&[&str]; 5] = [
    &["--backend=polling", "--trigger=level"],
    &["--backend=polling", "--trigger=oneshot"],
    &["--backend=polling", "--trigger=edge"],
    &["--backend=uring"],
    &["--backend=uring-multishot"],
];

/// So many connections, and so many echoes on each.
const LOADS: [(usize, usize); 2] = [(1, 2_000), (64, 200)];

#[test]
#[ignore = "needs strace; the long steps install it and run this"]
fn system_calls_for_each_echo() {
    println!("\nfor each echo of 64 bytes: system calls of the server (traced); its own counts (not traced)");
    for (connections, rounds) in LOADS {
        for flags in WAYS {
            let [traced, own] = [true, false].map(|traced| {
                let [before, after] = [1, 1 + rounds].map(|rounds| {
                    let (address, end) = serve(flags, traced);
                    echo(address, connections, rounds);
                    end()
                });
                per_echo(&before, &after, connections * rounds)
            });
            let total: f64 = traced.values().sum();
            assert!(total > 0.0 && own.contains_key("rounds"), "{flags:?}: nothing was counted");
            let way = flags.join(" ").replace("--", "").replace("backend=", "").replace("trigger=", "");
            let (traced, own) = (largest(&traced), largest(&own));
            println!("{connections:>3} connections, {way:<16} {total:>6.2} calls: {traced}; own: {own}");
        }
    }
}

/// A server, and what ends it and gives what was counted: system calls if it is traced, else what it counts itself.
fn serve(flags: &[&str], traced: bool) -> (SocketAddr, impl FnOnce() -> Counts) {
    let flags = [&["--listen=127.0.0.1:0"], flags].concat();
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("strace-{}", std::process::id()));
    let (serve, address) = if traced {
        let mut strace = Command::new("strace");
        // -D: the server is our child, and not that of strace, so that it gets the signal.
        strace.args(["-D", "-f", "-c", "-U", "calls,name", "-o"]).arg(&output);
        Program::listen_under(&mut strace, "serve", &flags)
    } else {
        Program::listen("serve", &flags)
    };
    let end =
        move || {
            serve.signal(Signal::TERM);
            let finished = serve.wait();
            assert_eq!(finished.code, Some(0), "{}", finished.stderr);
            if traced {
                return written(&output);
            }
            let own = finished.stderr.lines().skip_while(|line| !line.starts_with("acquired"));
            counts(own.flat_map(|line| line.split(", ")).filter(|part| {
                ["rounds", "submitted", "completed"].iter().any(|name| part.starts_with(name))
            }))
        };
    (address, end)
}

fn echo(address: SocketAddr, connections: usize, rounds: usize) {
    let connect = || {
        let client = TcpStream::connect(address).unwrap();
        client.set_nodelay(true).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    };
    let mut clients: Vec<TcpStream> = (0..connections).map(|_| connect()).collect();
    for round in 0..rounds {
        let bytes = [u8::try_from(round % 251).unwrap(); 64];
        for client in &mut clients {
            client.write_all(&bytes).unwrap();
        }
        for client in &mut clients {
            let mut back = [0; 64];
            client.read_exact(&mut back).unwrap();
            assert_eq!(back, bytes);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// What strace has written when it has written everything.
fn written(path: &Path) -> Counts {
    let patience = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.contains(" total") {
            fs::remove_file(path).unwrap();
            let mut calls = counts(text.lines());
            calls.remove("total");
            return calls;
        }
        assert!(Instant::now() < patience, "strace has written nothing: {text}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A name and a count each, in some order.
fn counts<'a>(lines: impl Iterator<Item = &'a str>) -> Counts {
    let pairs = lines.filter_map(|line| line.trim().split_once(' '));
    let named = pairs.filter_map(|(first, second)| {
        let count = |(name, count): (&str, &str)| Some((name.trim().to_owned(), count.trim().parse().ok()?));
        count((first, second)).or_else(|| count((second, first)))
    });
    named.collect()
}

/// What is more than before, for each of so many echoes.
fn per_echo(before: &Counts, after: &Counts, echoes: usize) -> Counts {
    let less = |name: &String| before.get(name).copied().unwrap_or_default();
    after.iter().map(|(name, count)| (name.clone(), (count - less(name)) / echoes as f64)).collect()
}

/// Those that matter, the largest first.
fn largest(counts: &Counts) -> String {
    let mut all: Vec<_> = counts.iter().filter(|&(_, &count)| count >= 0.005).collect();
    all.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let all: Vec<String> = all.iter().map(|(name, count)| format!("{name} {count:.2}")).collect();
    all.join(", ")
}
