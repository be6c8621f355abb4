//! One event loop with its connections, whatever adapter it is made of: so that the same programs run on each.
//!
//! An application of its own has one adapter and needs nothing of this. What it costs is a call by pointer for each
//! step; nothing of an adapter is hidden that the programs here use.

mod in_turn;
#[cfg(windows)]
mod iocp;
mod polling;
#[cfg(target_os = "linux")]
mod uring;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ::polling::Event;
use hangup::{Audit, Blame, Key, Life, Plan, Policy, Report};
use hangup_polling::Trigger;
#[cfg(target_os = "linux")]
use hangup_uring::{Options, Shots};

pub use self::in_turn::InTurn;
use self::polling::Polling;

/// Which adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// `hangup-polling`.
    #[default]
    Polling,
    /// `hangup-iocp`: Windows only.
    Iocp,
    /// `hangup-uring`, with single receives: Linux only.
    Uring,
    /// `hangup-uring`, with multishot receives: Linux only.
    UringMultishot,
}

impl Backend {
    /// All, with their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("polling", Self::Polling),
        ("iocp", Self::Iocp),
        ("uring", Self::Uring),
        ("uring-multishot", Self::UringMultishot),
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Iocp => "iocp",
            Self::Uring => "uring",
            Self::UringMultishot => "uring-multishot",
        }
    }

    /// Whether it is told of readiness. The others are told of what has completed.
    #[must_use]
    pub const fn is_readiness(self) -> bool {
        matches!(self, Self::Polling)
    }

    /// Whether the connections of its workers are in one table, so that each worker tells of all of them.
    #[must_use]
    pub const fn shares(self) -> bool {
        matches!(self, Self::Iocp)
    }

    /// A loop that accepts from `listener`, alone or as one of several [workers](Net::worker). `trigger` is how readiness
    /// is reported; `None`: as the driver likes best. A ring reports none.
    ///
    /// # Errors
    ///
    /// If this system does not have what the adapter needs.
    pub fn start<S: fmt::Debug + Send + 'static>(
        self,
        trigger: Option<Trigger>,
        policy: Policy,
        alone: bool,
        listener: TcpListener,
    ) -> io::Result<Box<dyn Net<S>>> {
        match self {
            Self::Polling => Ok(Box::new(Polling::start(trigger, policy, listener)?)),
            #[cfg(windows)]
            Self::Iocp => Ok(Box::new(iocp::Iocp::start(policy, listener)?)),
            #[cfg(not(windows))]
            Self::Iocp => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "there are completion ports on Windows only"))
            }
            #[cfg(target_os = "linux")]
            Self::Uring | Self::UringMultishot => {
                let multishot = |yes| if yes { Shots::Multishot } else { Shots::Single };
                let options = Options {
                    receive: multishot(self == Self::UringMultishot),
                    // Of several multishot accepts, the first would get every connection.
                    accept: multishot(alone),
                    ..Options::default()
                };
                Ok(Box::new(uring::Uring::start(options, policy, listener)?))
            }
            #[cfg(not(target_os = "linux"))]
            Self::Uring | Self::UringMultishot => {
                let _alone = alone;
                Err(io::Error::new(io::ErrorKind::Unsupported, "there is io_uring on Linux only"))
            }
        }
    }
}

/// Brings the loop back from [`Net::wait`], from any thread. If that fails, the loop comes back at its next event or
/// deadline.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Brings it back.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

/// What a connection's user does with it.
pub type Use<'a, S> = &'a mut dyn FnMut(&mut dyn Connection, &mut S);

/// One event loop with its connections. `S` is what is kept for each.
pub trait Net<S>: fmt::Debug + Send {
    /// One more worker for the same listener: another loop, for another thread.
    ///
    /// # Errors
    ///
    /// If there can be no other.
    fn worker(&mut self) -> io::Result<Box<dyn Net<S>>>;

    /// Waits once, for at most `limit`, and lets deadlines pass.
    ///
    /// # Errors
    ///
    /// If the OS cannot be waited for.
    fn wait(&mut self, limit: Option<Duration>) -> io::Result<()>;

    /// Hands out the next connection of this round that has something to do; `false` if there is none left.
    fn next(&mut self, each: Use<'_, S>) -> bool;

    /// What the OS reports next of a connection, where it can be looked at before the adapter takes it in: readiness.
    /// What completes is taken in by [`wait`](Self::wait).
    fn reported(&self) -> Option<Event> {
        None
    }

    /// Has the adapter take in what [`reported`](Self::reported) shows, and nothing else. Whether there was something to
    /// do.
    fn look(&mut self, _each: Use<'_, S>) -> bool {
        false
    }

    /// Who comes next, until it is `None`. Nobody, once [`close_door`](Self::close_door) was called. Of a peer that has
    /// reset already, a ring does not tell the address.
    ///
    /// # Errors
    ///
    /// If the listener is broken.
    fn accepted(&mut self) -> io::Result<Option<(TcpStream, Option<SocketAddr>)>>;

    /// Takes a stream in.
    ///
    /// # Errors
    ///
    /// If it cannot be done. The stream is closed.
    fn accept(&mut self, stream: TcpStream, state: S) -> io::Result<Key>;

    /// Begins a connect. How it went is told by the connection's life, or by the report.
    ///
    /// # Errors
    ///
    /// If it cannot be begun. One that fails ends with a report.
    fn connect(&mut self, peer: SocketAddr, state: S) -> io::Result<Key>;

    /// Closes the listener.
    fn close_door(&mut self);

    /// Uses the connection of a key, if it is there.
    fn with(&mut self, key: Key, each: Use<'_, S>);

    /// The keys of all connections.
    fn keys(&self) -> Vec<Key>;

    /// Closes every connection according to `plan`.
    fn drain(&mut self, plan: Plan);

    /// The next connection that has ended.
    fn ended(&mut self) -> Option<(Key, S, Report)>;

    /// What came in and what went out.
    fn audit(&self) -> Audit;

    /// Buffers of the adapter's that are in use: with the OS, or with bytes that nobody has taken. Readiness needs none.
    fn buffers(&mut self) -> u64;

    /// What the adapter counts beside that, by name.
    fn counts(&mut self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// How many connections there are.
    fn len(&self) -> usize {
        self.audit().held()
    }

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For bringing the loop back.
    fn waker(&self) -> Waker;
}

/// A connection, while there is something to do with it. Reading and writing are those of [`std::io`]; the rest is
/// documented with the adapters.
pub trait Connection: Read + Write {
    /// Whether there is something to read, an end or an error included.
    fn is_readable(&self) -> bool;
    /// Whether output that was held back may go on.
    fn is_writable(&self) -> bool;
    /// Its state.
    fn life(&self) -> Option<Life>;
    /// The stream, for its addresses and options.
    fn stream(&self) -> Option<&TcpStream>;
    /// So much output waits at the application, in all.
    ///
    /// # Errors
    ///
    /// If our half has been finished, or is lost.
    fn output(&mut self, bytes: usize) -> io::Result<()>;
    /// No input for now.
    fn pause(&mut self);
    /// Input again.
    fn resume(&mut self);
    /// Ends our half, or the connection.
    fn close(&mut self, plan: Plan);
    /// Says why, before closing.
    fn blame(&mut self, blame: Blame);
}
