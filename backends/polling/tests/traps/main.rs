//! The traps of polling 3.11 that bite on Windows only, and how the driver stays out of them.
//!
//! | trap | file |
//! |---|---|
//! | `wait` locks itself out when a registered socket is closed without `delete` | `every_end` |
//! | `wait` spins on a reset socket that nobody has an interest in | `paused` |
//! | a packet that brings the loop back may be lost, or fail to be posted | `list` |
//! | edge-triggered readiness does not exist | `trigger` |
//!
//! They compile and pass on every system. Elsewhere than on Windows they have nothing to bite: epoll and kqueue
//! forget a descriptor when it is closed, and report a reset to whoever has no interest.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test: a surprise is a failed test"
)]

mod every_end;
#[cfg(any(target_os = "linux", windows))]
mod list;
#[cfg(any(target_os = "linux", windows))]
mod paused;
mod trigger;

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hangup::Policy;
use hangup_polling::Driver;
use polling::{Event, Events, Poller};
use socket2::SockRef;

/// A driver with its poller.
struct Loop {
    poller: Arc<Poller>,
    net: Driver<()>,
    events: Events,
    listener: TcpListener,
}

impl Loop {
    fn new(policy: Policy) -> Self {
        let poller = Arc::new(Poller::new().unwrap());
        let net = Driver::new(Arc::clone(&poller), policy);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { poller, net, events: Events::new(), listener }
    }

    /// A connection that the driver has, and its peer.
    fn connection(&mut self) -> (hangup::Key, TcpStream) {
        let peer = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        let (stream, _) = self.listener.accept().unwrap();
        (self.net.accept(stream, ()).unwrap(), peer)
    }

    /// Waits once.
    fn wait(&mut self, longest: Duration) -> Vec<Event> {
        self.events.clear();
        let timeout = self.net.timeout().map_or(longest, |timeout| timeout.min(longest));
        self.poller.wait(&mut self.events, Some(timeout)).unwrap();
        self.net.tick();
        self.events.iter().collect()
    }
}

fn policy() -> Policy {
    let short = Duration::from_millis(50);
    Policy { idle: None, half_closed: short, drain_total: short, drain_idle: short, ..Policy::default() }
}

/// Closes so that a reset goes out.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}
