//! `hangup` on io_uring: completions, with the buffers in the kernel's hands.
//!
//! A [`Driver`] owns a ring, the connections and their buffers. It waits, and hands you a [`Guard`] when there is
//! something to do:
//!
//! ```no_run
//! # #[cfg(target_os = "linux")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::io::Read;
//! use hangup::{Plan, Policy};
//! use hangup_uring::{Driver, Guard};
//!
//! let mut net: Driver<[u8; 4096]> = Driver::new(Policy::default())?;
//! net.listen(std::net::TcpListener::bind("127.0.0.1:7777")?)?;
//! loop {
//!     net.wait(None)?;
//!     while let Some(conn) = net.next() {
//!         serve(conn);
//!     }
//!     while let Some(stream) = net.incoming()? {
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
//! # }
//! # #[cfg(not(target_os = "linux"))]
//! # fn main() {}
//! ```
//!
//! Without a copy, [`Io::received`] gives the buffer that was received into, and [`Io::send`] takes one.
//!
//! # What is kept
//!
//! A buffer that is with the kernel is not freed, moved or given out again before the last notification of its
//! operation. A descriptor is closed once, when nothing of its connection is with the ring any more. What the
//! application hears of a connection comes in the order in which it happened; what it has not taken is not counted
//! as received, and holds the next receive back.
//!
//! | file | what is in it |
//! |---|---|
//! | `driver` | the connections of one ring |
//! | `options` | what a ring is to be like, and what is said about it |
//! | `guard` | reading, writing and closing one of them |
//! | `input` | what the kernel said, in the machine's words |
//! | `reap` | completions, one by one, into the table |
//! | `perform` | what the machine wants, as submissions |
//! | `turns` | whose turn it is |
//! | `down` | the end of the driver itself |
//! | `remote` | commands from other threads |
//! | `socket` | a socket, what it has received, and what it is to send |
//! | `acceptor` | listeners that survive what their clients do |
//! | `os` | the only `unsafe` |
//!
//! Elsewhere than on Linux this crate is empty.
#![cfg(target_os = "linux")]

mod acceptor;
mod down;
mod driver;
mod guard;
mod input;
mod options;
mod os;
mod perform;
mod reap;
mod remote;
mod socket;
mod turns;

pub use crate::driver::{AcceptError, ConnectError, Driver, Ended};
pub use crate::guard::{Guard, Io, SendError};
pub use crate::options::{Counts, Leftover, Options, Shots};
pub use crate::os::ring::RingError;
pub use crate::os::waker::Waker;
pub use crate::remote::Remote;
pub use hangup::shared::RemoteError;
