//! The traps of completion ports, and how the driver stays out of them.
//!
//! | trap | file |
//! |---|---|
//! | an error that the call returns, and one that a packet brings, both release | `twice` |
//! | a socket is closed while a receive is posted, and a graceful close becomes a reset | `posted` |
//! | the driver goes while the OS has its memory | `teardown` |
//! | a socket belongs to two ports, or an accept fails and nobody accepts any more | `door` |
//! | a buffer is lost, or comes back twice | `buffers` |
//! | a FIN overtakes what a write left over, or the loss of it is told to nobody | `output` |
//! | two workers use one connection, or one that goes takes something with it | `turns` |
//! | packets of one connection come to several workers at the same time | `workers` |

#![cfg(windows)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test: a surprise is a failed test"
)]

mod buffers;
mod door;
mod output;
mod posted;
mod teardown;
mod turns;
mod twice;
mod workers;

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use hangup::{Key, Policy};
use hangup_iocp::{Driver, Ended, Options};
use socket2::SockRef;

/// Every way to go about it.
fn ways() -> impl Iterator<Item = Options> {
    [(false, false), (true, false), (false, true), (true, true)].into_iter().map(
        |(skip_on_success, zero_byte_receives)| Options {
            skip_on_success,
            zero_byte_receives,
            ..Options::default()
        },
    )
}

fn driver(options: Options) -> Driver<()> {
    let short = Duration::from_millis(50);
    let policy = Policy { idle: None, half_closed: short, drain_total: short, ..Policy::default() };
    Driver::with_options(policy, options).unwrap()
}

/// A connection that the driver has, and its peer.
fn connection(net: &mut Driver<()>) -> (Key, TcpStream) {
    let (stream, peer) = pair();
    (net.accept(stream, ()).unwrap(), peer)
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    (listener.accept().unwrap().0, peer)
}

/// Closes so that a reset goes out.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Goes round until a connection has ended.
fn ended(net: &mut Driver<()>) -> Ended<()> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        net.wait(Some(Duration::from_millis(20))).unwrap();
        while let Some(conn) = net.next() {
            drop(conn);
        }
        if let Some(ended) = net.ended() {
            return ended;
        }
    }
    panic!("it does not end: {:?}", net.audit());
}

/// Nothing more comes, and nothing is missing.
#[track_caller]
fn settled(net: &mut Driver<()>) {
    net.wait(Some(Duration::from_millis(5))).unwrap();
    assert!(net.next().is_none() && net.ended().is_none(), "it ended twice");
    let audit = net.audit();
    assert_eq!((audit.held(), audit.with_the_os()), (0, 0), "{audit:?}");
    assert_eq!((audit.acquired, audit.lent), (audit.released, audit.returned), "{audit:?}");
    assert_eq!((audit.stale, audit.foreign, audit.refused), (0, 0, 0), "{audit:?}");
    assert_eq!(net.pool().out, 0, "a buffer is missing");
}
