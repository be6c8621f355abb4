//! Whose turn it is, and how much output waits for one.

use hangup::{Command, Key, Life, Phase, ReceiveHalf, SendHalf};

use crate::driver::{Core, Work};
use crate::socket::{Held, Outbox, Socket};

impl Core {
    /// The next connection of the list that has something to do, and has not had its turn in this round.
    pub(crate) fn next_again(&mut self) -> Option<(Key, Work)> {
        while let Some(turns) = self.turns.checked_sub(1) {
            self.turns = turns;
            let key = self.again.pop_front()?;
            let Ok(life) = self.table.life(key) else { continue };
            if let Ok(socket) = self.table.get_mut(key) {
                let work = work(life, socket, self.options.output);
                socket.again = false;
                if !work.is_nothing() {
                    socket.connected = false;
                    socket.outbox.held.is_told |= is_lost(life, &socket.outbox);
                    return Some((key, work));
                }
            }
        }
        None
    }

    /// Puts a connection on the list if there is something to do for the application.
    pub(crate) fn announce(&mut self, key: Key) {
        self.announce_beyond(key, Work::default());
    }

    /// The same, if there is more to do than the application has been told.
    pub(crate) fn announce_beyond(&mut self, key: Key, told: Work) {
        let Ok(life) = self.table.life(key) else { return };
        if let Ok(socket) = self.table.get_mut(key) {
            if !socket.again && work(life, socket, self.options.output).is_more_than(told) {
                socket.again = true;
                self.again.push_back(key);
            }
        }
    }

    /// What output the application holds.
    pub(crate) fn held(&self, key: Key) -> Held {
        self.table.get(key).map_or(Held::default(), |socket| socket.outbox.held)
    }

    /// Says what output the application holds: what is in the outbox is beside it. Whether the machine took it.
    pub(crate) fn hold(&mut self, key: Key, held: Held) -> bool {
        let Ok(socket) = self.table.get(key) else { return false };
        // An open end is more than any write will take: the end is said when it is known.
        let all = if held.is_open { usize::MAX } else { socket.outbox.bytes().saturating_add(held.bytes) };
        let told = u32::try_from(all).unwrap_or(u32::MAX);
        let same = all > 0 && self.table.pending(key).is_ok_and(|pending| pending == told);
        if !same && !self.command(key, Command::Output(all)) {
            return false;
        }
        if let Ok(socket) = self.table.get_mut(key) {
            socket.outbox.held = held;
        }
        true
    }
}

/// What there is to do for the application. A connection takes so much output.
fn work(life: Life, socket: &Socket, output: usize) -> Work {
    if !life.phase().is_established() {
        return Work::default();
    }
    let Socket { inbox, outbox, connected, .. } = socket;
    let waits = life.send_half().has_output() && outbox.held.bytes > 0;
    Work {
        readable: life.receive_half() == ReceiveHalf::Open && !inbox.is_empty(),
        writable: waits && outbox.bytes() <= output / 2,
        lost: is_lost(life, outbox) && !outbox.held.is_told,
        connected: *connected && life.phase() == Phase::Open,
    }
}

/// Whether output is lost, written or not: the application gets one turn to find out. It may have paused because of
/// that very output, and would find out by reading otherwise.
fn is_lost(life: Life, outbox: &Outbox) -> bool {
    let is_left = outbox.bytes() > 0 || outbox.held.bytes > 0;
    life.send_half() == SendHalf::Failed && life.phase() == Phase::Open && is_left
}
