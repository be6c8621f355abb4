//! `hangup` on native overlapped sockets and a Windows I/O completion port.
//!
//! On a port, the OS has the buffers: a receive is handed over before anything has come, and comes back with bytes,
//! with the end, or with an error, at a time of its own. A [`Driver`] holds the connections, their operations in
//! flight and the port; it hands you a [`Guard`] when there is something to do, and `read` and `write` are those of
//! [`std::io`] all the same:
//!
#![cfg_attr(windows, doc = "```no_run")]
#![cfg_attr(not(windows), doc = "```ignore")]
//! use std::io::Read;
//! use hangup::{Plan, Policy};
//! use hangup_iocp::{Driver, Guard};
//!
//! let mut net: Driver<[u8; 4096]> = Driver::new(Policy::default())?;
//! net.listen(std::net::TcpListener::bind("127.0.0.1:7777")?)?;
//! loop {
//!     net.wait(None)?;
//!     while let Some(conn) = net.next() {
//!         serve(conn);
//!     }
//!     while let Some((stream, _peer)) = net.incoming()? {
//!         net.accept(stream, [0; 4096])?;
//!     }
//!     while let Some(ended) = net.ended() {
//!         println!("{}", ended.report);
//!     }
//! }
//!
//! fn serve(Guard { mut io, state: buffer }: Guard<'_, [u8; 4096]>) {
//!     match io.read(buffer) {
//!         Ok(0) => io.close(Plan::Flush), // the peer has finished, and so do we
//!         Ok(_) => {}                     // something of use
//!         Err(_) => {}                    // later, or over: the driver knows which
//!     }
//! }
//! # #[allow(unreachable_code)]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What this keeps straight
//!
//! * A submit that fails at once and a packet that reports a failure come in by the same door, and what they bring back
//!   is released once. Nothing is posted to the port for that, so nothing depends on whether posting succeeds.
//! * A packet with an `OVERLAPPED` is about an operation, whether it succeeded or not; a wait that fails without one is
//!   an error of [`Driver::wait`], and touches no connection.
//! * Zero bytes are the end of the stream only for a receive that had room.
//! * Errors are read from the status in the `OVERLAPPED`. What the port makes of them, 64 for one, has four meanings.
//! * A packet may come to one [worker](Driver#several-workers) before the call that submitted its operation has returned
//!   on another. The memory of the operation is free when both are over, and not before.
//! * No socket is closed while the OS has an operation of it: Windows would turn a graceful close into a reset.
//!
//! # What it cannot see
//!
//! A port reports operations and nothing else. Of a connection that is paused, or whose peer has finished, nothing is
//! in flight; that it was reset is found by the next operation, or by the half-closed deadline.
//!
//! The rest of this package exists on Windows only; elsewhere it is empty.
//!
//! | file | what is in it |
//! |---|---|
//! | `driver` | the connections of one port, and one worker of it |
//! | `options` | how it goes about it |
//! | `shared` | what the workers of one port have in common |
//! | `round` | one round of the loop: wait, take what has come, look at the clock |
//! | `guard` | reading, writing and closing one of them |
//! | `input` | what the OS said, in the machine's words |
//! | `perform` | what the machine wants, as calls |
//! | `landing` | what became of an operation |
//! | `socket` | a socket, and the bytes on their way through it |
//! | `output` | what waits to be sent, and what the application holds back |
//! | `turns` | whose turn it is with a connection |
//! | `acceptor` | listeners that survive what their clients do |
//! | `waker` | bringing workers back that wait |
//! | `teardown` | the end of a worker, and of the port itself |
//! | `os` | the only `unsafe` |
#![cfg_attr(not(windows), allow(rustdoc::broken_intra_doc_links, reason = "there is nothing to link to"))]

#[cfg(windows)]
mod acceptor;
#[cfg(windows)]
mod driver;
#[cfg(windows)]
mod guard;
#[cfg(windows)]
mod input;
#[cfg(windows)]
mod landing;
#[cfg(windows)]
mod options;
#[cfg(windows)]
mod os;
#[cfg(windows)]
mod output;
#[cfg(windows)]
mod perform;
#[cfg(windows)]
mod round;
#[cfg(windows)]
mod shared;
#[cfg(windows)]
mod socket;
#[cfg(windows)]
mod teardown;
#[cfg(all(test, windows))]
mod tests;
#[cfg(windows)]
mod turns;
#[cfg(windows)]
mod waker;

#[cfg(windows)]
pub use crate::driver::{AcceptError, ConnectError, Driver, Ended, GetError};
#[cfg(windows)]
pub use crate::guard::{Guard, Io, SendError};
#[cfg(windows)]
pub use crate::options::Options;
#[cfg(windows)]
pub use crate::socket::Stock;
#[cfg(windows)]
pub use crate::waker::Waker;
