//! A server with several workers: one listener, one limit, one end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: a surprise is a failed test")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hangup::Policy;
use hangup_examples::child::PATIENCE;
use hangup_examples::net::{Backend, Connection};
use hangup_examples::serve::{Config, Discard, Handle, Server, Service, Summary};

const WORKERS: usize = 4;

fn backends() -> Vec<Backend> {
    let mut backends = vec![Backend::Polling];
    backends.extend(cfg!(windows).then_some(Backend::Iocp));
    if cfg!(target_os = "linux") {
        backends.extend([Backend::Uring, Backend::UringMultishot]);
    }
    backends
}

fn start(
    backend: Backend,
    max_connections: usize,
    service: impl Service + 'static,
) -> (SocketAddr, Handle, JoinHandle<io::Result<Summary>>) {
    let long = Duration::from_secs(600);
    let policy = Policy { idle: None, drain_total: long, drain_idle: long, ..Policy::default() };
    let workers = NonZeroUsize::new(WORKERS).unwrap();
    let config = Config { backend, policy, max_connections, workers, ..Config::default() };
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), config, service).unwrap();
    let (address, handle) = (server.address(), server.handle());
    (address, handle, thread::spawn(move || server.run(|_| {})))
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < patience, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether it was told that there are too many: the server has said its last word.
fn is_told(client: &mut TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    match client.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    }
}

/// The house is full, somebody leaves one worker's part of it, and who waits may wait at another's door.
#[test]
fn a_place_that_is_left_is_there_for_whoever_waits() {
    const ROOM: usize = 64;
    for backend in backends() {
        let (address, handle, server) = start(backend, 0, Discard::new());
        let connect = || TcpStream::connect(address).unwrap();
        let mut inside: Vec<TcpStream> = (0..ROOM).map(|_| connect()).collect();
        until("everybody to be told", || inside.iter_mut().all(is_told));
        let mut waiting: Vec<TcpStream> = (0..ROOM / 2).map(|_| connect()).collect();
        for left in 1..=waiting.len() {
            drop(inside.pop());
            until("one more to be let in", || {
                waiting.iter_mut().map(is_told).filter(|&told| told).count() >= left
            });
        }
        drop((inside, waiting));
        handle.drain();
        let summary = server.join().unwrap().unwrap();
        assert_eq!((summary.shed, summary.audit.held()), (summary.audit.acquired, 0), "{summary}");
        assert_eq!(summary.audit.acquired, summary.audit.released);
    }
}

/// Places are of the server, and not of a worker: as many are served as there are, whoever takes them in.
#[test]
fn places_are_of_all_workers_together() {
    for backend in backends() {
        let (address, handle, server) = start(backend, 10, Discard::new());
        let mut clients: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
        until("the others to be told", || clients.iter_mut().map(is_told).filter(|&told| told).count() == 30);
        assert_eq!(handle.open(), 40);
        drop(clients);
        handle.drain();
        let summary = server.join().unwrap().unwrap();
        assert_eq!((summary.shed, summary.causes.values().sum::<u64>()), (30, 40), "{summary}");
        assert_eq!((summary.audit.acquired, summary.audit.released), (40, 40), "{summary}");
    }
}

/// Each worker has a part of the connections: a ring that accepts for the others as well would leave them idle.
#[test]
#[cfg(target_os = "linux")]
fn rings_take_turns() {
    for backend in [Backend::Uring, Backend::UringMultishot] {
        let workers = NonZeroUsize::new(WORKERS).unwrap();
        let config = Config { backend, workers, ..Config::default() };
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), config, Discard::new()).unwrap();
        let (address, handle) = (server.address(), server.handle());
        let (sender, threads) = std::sync::mpsc::channel();
        let server = thread::spawn(move || server.run(|_| sender.send(thread::current().id()).unwrap()));
        let mut seen = std::collections::HashSet::new();
        until("each worker to have had a connection", || {
            drop(TcpStream::connect(address).unwrap());
            seen.extend(threads.recv_timeout(PATIENCE));
            seen.len() == WORKERS
        });
        handle.drain();
        server.join().unwrap().unwrap();
    }
}

/// A service that breaks.
#[derive(Clone)]
struct Breaks;

impl Service for Breaks {
    type State = ();

    fn begin(&mut self) {}

    fn serve(&mut self, io: &mut dyn Connection, _state: &mut ()) {
        assert!(io.read(&mut [0; 8]).is_err(), "this is what breaks");
    }
}

/// A worker that fails does not leave a server behind that is a part of one.
#[test]
fn a_worker_that_breaks_ends_the_others() {
    for backend in backends() {
        let (address, _handle, server) = start(backend, 100, Breaks);
        let mut clients: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
        clients.last_mut().unwrap().write_all(b"break").unwrap();
        until("the server to end", || server.is_finished());
        assert!(server.join().is_err(), "a panic is not swallowed");
        for client in &mut clients {
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let end = client.read(&mut [0]);
            assert!(!end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "it is left behind");
        }
    }
}
