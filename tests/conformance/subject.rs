//! What an adapter has to bring to be put under the battery: an event loop, taken apart into its steps, and
//! a connection as its application sees it.
//!
//! To add an adapter: implement [`Subject`] and [`Engine`] in a file beside this one, and give it a test in
//! `main`. Nothing in the cases knows which adapter it runs on.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hangup::{Audit, Blame, InputError, Key, Life, Mechanism, Plan, Policy, Report};
use hangup_testkit::Personality;

use crate::app::App;

/// An adapter, in one of the ways in which it can be used.
pub(crate) trait Subject: Sync {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// How its OS mechanism reports. Some things can only be expected where readiness is told.
    fn mechanism(&self) -> Mechanism {
        Mechanism::Level
    }

    /// The simulated system that its traces are compared with.
    fn personality(&self) -> Personality;

    /// Whether a loop that stands still hears of nothing. Otherwise other workers go on beside it.
    fn is_alone(&self) -> bool {
        true
    }

    /// Whether this system can run it.
    fn is_supported(&self) -> bool;

    /// A loop that accepts from `listener`. Called in the thread that runs it.
    fn start(&self, policy: Policy, listener: TcpListener) -> io::Result<(Box<dyn Engine>, Waker)>;
}

/// Brings the loop back from [`Engine::wait`], from any thread.
pub(crate) type Waker = Arc<dyn Fn() + Send + Sync>;

/// One event loop with its connections. [`crate::running`] calls the steps in the order in which an
/// application's loop would.
pub(crate) trait Engine {
    /// Waits once, for at most `limit`, and looks at the clock.
    fn wait(&mut self, limit: Duration) -> io::Result<()>;

    /// Hands out the next connection of this round that has something to do; `false` if there is none left.
    /// Between two calls the loop may do anything, closing the connection that comes next included.
    fn next(&mut self, each: &mut dyn FnMut(&mut dyn Connection, &mut App)) -> bool;

    /// The next connection that waits at the listener. Asked until it is `None`, in each round.
    fn accept(&mut self, app: &mut dyn FnMut() -> App) -> io::Result<Option<Key>>;

    /// Takes in a stream that somebody else accepted.
    fn take_in(&mut self, stream: TcpStream, app: App) -> io::Result<Key>;

    /// Begins a connect.
    fn connect(&mut self, peer: SocketAddr, app: App) -> io::Result<Key>;

    /// Uses the connection of a key.
    fn with(
        &mut self,
        key: Key,
        each: &mut dyn FnMut(&mut dyn Connection, &mut App),
    ) -> Result<(), InputError>;

    /// Closes all connections.
    fn drain(&mut self, plan: Plan);

    /// The next connection that has ended.
    fn ended(&mut self) -> Option<(Key, App, Report)>;

    /// What came in and went out.
    fn audit(&self) -> Audit;

    /// Drops everything that holds connections, as they are, and begins anew on the same OS queue with the
    /// same listener.
    fn begin_anew(&mut self) -> io::Result<()>;
}

/// A connection while the application may use it.
pub(crate) trait Connection {
    /// Its name.
    fn key(&self) -> Key;
    /// Its state.
    fn life(&self) -> Option<Life>;
    /// The number that the OS knows it by, if the adapter can tell.
    fn descriptor(&self) -> Option<u64>;
    /// As [`io::Read::read`].
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// As [`io::Write::write`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// So much output is waiting at the application, in all.
    fn output(&mut self, bytes: usize) -> io::Result<()>;
    /// No input for now.
    fn pause(&mut self);
    /// Input again.
    fn resume(&mut self);
    /// Ends a half, or the connection.
    fn close(&mut self, plan: Plan);
    /// Says why, before closing.
    fn blame(&mut self, blame: Blame);
}
