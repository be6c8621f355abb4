//! Whose turn it is, and how much output waits for one.

use hangup::{Command, Key, Phase, ReceiveHalf};

use crate::driver::{Core, Work};

impl Core {
    /// The next connection of the list that has something to do, and has not had its turn in this round.
    pub(crate) fn next_again(&mut self) -> Option<(Key, Work)> {
        while let Some(turns) = self.turns.checked_sub(1) {
            self.turns = turns;
            let key = self.again.pop_front()?;
            if self.table.life(key).is_err() {
                continue;
            }
            let work = self.work(key);
            if let Ok(socket) = self.table.get_mut(key) {
                socket.again = false;
                if !work.is_nothing() {
                    socket.connected = false;
                    return Some((key, work));
                }
            }
        }
        None
    }

    /// Puts a connection on the list if there is something to do for the application.
    pub(crate) fn announce(&mut self, key: Key) {
        if self.table.life(key).is_err() || self.work(key).is_nothing() {
            return;
        }
        if let Ok(socket) = self.table.get_mut(key) {
            if !socket.again {
                socket.again = true;
                self.again.push_back(key);
            }
        }
    }

    fn work(&self, key: Key) -> Work {
        let (Ok(life), Ok(socket)) = (self.table.life(key), self.table.get(key)) else {
            return Work::default();
        };
        if !life.phase().is_established() {
            return Work::default();
        }
        let outbox = &socket.outbox;
        let room = outbox.bytes() <= self.options.output / 2;
        Work {
            readable: life.receive_half() == ReceiveHalf::Open && !socket.inbox.is_empty(),
            writable: life.send_half().has_output() && outbox.held > 0 && room,
            connected: socket.connected && life.phase() == Phase::Open,
        }
    }

    /// How much output the application holds.
    pub(crate) fn held(&self, key: Key) -> usize {
        self.table.get(key).map_or(0, |socket| socket.outbox.held)
    }

    /// Says how much output the application holds: what is in the outbox is beside it. Whether the machine took it.
    pub(crate) fn hold(&mut self, key: Key, held: usize) -> bool {
        let Ok(socket) = self.table.get(key) else { return false };
        let all = socket.outbox.bytes() + held;
        let same = self.table.pending(key).is_ok_and(|pending| pending as usize == all && all > 0);
        if !same && !self.command(key, Command::Output(all)) {
            return false;
        }
        if let Ok(socket) = self.table.get_mut(key) {
            socket.outbox.held = held;
        }
        true
    }
}
