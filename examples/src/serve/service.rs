//! What a server does with one connection.

use hangup::{Blame, Plan};

use crate::net::Connection;

/// What a server does with its connections. It holds what they share, and makes a state for each. Every worker has a
/// copy of its own.
///
/// A method gets the connection when there is something to do, and gives it back when there is nothing left.
/// It never closes anything by itself: it says how the connection is to be closed, and that happens.
pub trait Service: Clone + Send {
    /// What is kept for one connection.
    type State: std::fmt::Debug + Send + 'static;

    /// The state of a connection that was just accepted.
    fn begin(&mut self) -> Self::State;

    /// Something can be read or written.
    fn serve(&mut self, io: &mut dyn Connection, state: &mut Self::State);

    /// There are too many connections, and this is one of them: it was just accepted.
    fn shed(&mut self, io: &mut dyn Connection, _state: &mut Self::State) {
        io.blame(Blame::Shed);
        io.close(Plan::Linger);
    }

    /// The server is about to end: what is under way may be finished, and nothing else begun.
    fn drain(&mut self, io: &mut dyn Connection, _state: &mut Self::State) {
        io.close(Plan::Linger);
    }
}
