//! `hangup` on the [`polling`] crate: epoll, kqueue, event ports, and IOCP through its AFD layer.
//!
//! You keep your poller and your loop. A [`Driver`] holds the connections; you hand it accepted streams and
//! the poller's events, and it hands you a [`Guard`] when there is something to do:
//!
//! ```no_run
//! use std::io::Read;
//! use std::sync::Arc;
//! use hangup::{Plan, Policy};
//! use hangup_polling::{Acceptor, Driver, Guard};
//! use polling::{Events, Poller};
//!
//! let poller = Arc::new(Poller::new()?);
//! let listener = std::net::TcpListener::bind("127.0.0.1:7777")?;
//! let mut acceptor = Acceptor::new(Arc::clone(&poller), listener, 0)?;
//! let mut net: Driver<[u8; 4096]> = Driver::new(Arc::clone(&poller), Policy::default());
//! let mut events = Events::new();
//! loop {
//!     events.clear();
//!     poller.wait(&mut events, [net.timeout(), acceptor.timeout()].into_iter().flatten().min())?;
//!     net.tick();
//!     for event in events.iter() {
//!         if acceptor.event(&event) {
//!             continue;
//!         }
//!         if let Some(conn) = net.guard(&event) {
//!             serve(conn);
//!         }
//!     }
//!     while let Some(conn) = net.again() {
//!         serve(conn); // what no event will announce any more
//!     }
//!     while let Some((stream, _peer)) = acceptor.accept()? {
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
//! `examples/echo` in the repository also answers, in fewer than sixty lines.
//!
//! | file | what is in it |
//! |---|---|
//! | `driver` | the connections of one poller |
//! | `guard` | reading, writing and closing one of them |
//! | `input` | what the OS said, in the machine's words |
//! | `perform` | what the machine wants, as calls |
//! | `remote` | commands from other threads |
//! | `socket` | a socket that cannot be closed while it is registered |
//! | `acceptor` | a listener that survives what its clients do |
//! | `os` | the only `unsafe` |

mod acceptor;
mod driver;
mod guard;
mod input;
pub mod os;
mod perform;
mod remote;
mod socket;

pub use crate::acceptor::Acceptor;
pub use crate::driver::{AcceptError, ConnectError, Driver, Ended, Trigger};
pub use crate::guard::{Guard, Io};
pub use crate::remote::Remote;
pub use hangup::shared::RemoteError;

/// The program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
