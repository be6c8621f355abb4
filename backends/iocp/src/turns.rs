//! Whose turn it is with a connection.
//!
//! The application has a connection on one worker at a time. There is no mark for news that come during a turn: what
//! there is to do is a function of the connection, looked at when something has changed it and once more when the turn
//! ends, both times with the connection's lock held. So whichever of the two comes second puts it on a list.

use std::net::TcpStream;
use std::sync::Arc;

use hangup::{Command, Input, Key, Phase, ReceiveHalf, SendHalf};

use crate::driver::Core;
use crate::shared::Shared;
use crate::socket::Socket;

/// Whose turn a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nobody's: there is nothing to do.
    Nobody,
    /// It is on some worker's list. Whoever takes it first has it, and what the list says then is out of date.
    Listed,
    /// A worker has it.
    Held,
    /// There will be no other: it is being released.
    Over,
}

/// What there is to do for the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) connected: bool,
}

impl Work {
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// The turn that a worker has.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) key: Key,
    /// Where the application's state is.
    pub(crate) state: usize,
    pub(crate) stream: Arc<TcpStream>,
}

impl Core {
    /// Puts a connection on the list if there is something to do for the application, and nobody has it.
    pub(crate) fn offer(&mut self, key: Key) {
        let Self { shared, lists, .. } = self;
        let is_listed = shared.socket(key, |socket| {
            if socket.turn == Turn::Nobody && !work(shared, key, socket).is_nothing() {
                socket.turn = Turn::Listed;
                return true;
            }
            false
        });
        if is_listed == Some(true) {
            lists.ready.push_back(key);
        }
    }

    /// Takes the turn with the next connection of the list that has something to do, and has not had its turn in this
    /// round.
    pub(crate) fn next_turn(&mut self) -> Option<Work> {
        while let Some(turns) = self.turns.checked_sub(1) {
            self.turns = turns;
            let key = self.lists.ready.pop_front()?;
            let begun = self.begin_turn(key, |socket, work| {
                let is_due = socket.turn == Turn::Listed;
                if is_due && work.is_nothing() {
                    socket.turn = Turn::Nobody;
                }
                is_due && !work.is_nothing()
            });
            if begun.is_some() {
                return begun;
            }
        }
        None
    }

    /// Takes the turn with a connection, if nobody has it.
    pub(crate) fn any_turn(&mut self, key: Key) -> Option<Work> {
        self.begin_turn(key, |socket, _| matches!(socket.turn, Turn::Nobody | Turn::Listed))
    }

    fn begin_turn(&mut self, key: Key, may: impl FnOnce(&mut Socket, Work) -> bool) -> Option<Work> {
        let Self { shared, .. } = self;
        let begun = shared.socket(key, |socket| {
            let is_lost = is_lost(shared, key, socket);
            let work = work(shared, key, socket);
            if !may(socket, work) {
                return None;
            }
            socket.turn = Turn::Held;
            // It is told in this turn. What comes from here on is told in another.
            socket.is_told |= is_lost;
            socket.news.connected = false;
            socket.news.loss = false;
            let stream = Arc::clone(socket.stream());
            Some((work, Holding { key, state: socket.state, stream }))
        });
        let (work, holding) = begun??;
        self.holding = Some(holding);
        Some(work)
    }

    /// Ends the turn that this worker has, if it has one: what follows from it is performed, and if the connection has
    /// ended meanwhile, on whichever worker, it is released.
    pub(crate) fn end_turn(&mut self) {
        let Some(Holding { key, state: _, stream }) = self.holding.take() else { return };
        // Before anybody may release it.
        drop(stream);
        self.shared.socket(key, |socket| socket.turn = Turn::Nobody);
        self.settle(key);
    }

    /// The application's part of a turn is over: if its last write took everything, its output has an end.
    pub(crate) fn account(&mut self, key: Key) {
        let Self { shared, now, .. } = self;
        shared.socket(key, |socket| {
            let held = socket.held.at_the_end();
            if held != socket.held {
                socket.held = held;
                let output = Command::Output(held.all(socket.output.len()));
                // It is refused if the output was lost meanwhile.
                let _taken = shared.table.input(key, Input::Command(output), *now);
            }
        });
    }
}

/// What there is to do for the application.
pub(crate) fn work(shared: &Shared, key: Key, socket: &Socket) -> Work {
    let Ok(life) = shared.table.life(key) else { return Work::default() };
    let open = life.phase() == Phase::Open;
    let sends = life.phase().is_established() && life.send_half().has_output();
    let input = socket.input.is_some() && life.receive_half() == ReceiveHalf::Open;
    let room = socket.output.len() < shared.options.output_limit;
    Work {
        readable: socket.news.loss || open && !socket.paused && (input || socket.news.end),
        writable: sends && socket.held.waits() && room || is_lost(shared, key, socket),
        connected: open && socket.news.connected,
    }
}

/// Whether the application waits to write, and in vain: it gets one turn to find out. It may have paused because of
/// that very output, and would find out by reading otherwise.
fn is_lost(shared: &Shared, key: Key, socket: &Socket) -> bool {
    let is_failed = shared
        .table
        .life(key)
        .is_ok_and(|life| life.send_half() == SendHalf::Failed && life.phase() == Phase::Open);
    is_failed && socket.held.waits() && !socket.is_told
}
