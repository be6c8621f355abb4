//! What became of an operation: by its packet, or by the call that submitted it. One door for both.

use std::io::Read;

use hangup::{Answer, Key, Life, More, Operation, OperationKey, ReceiveHalf, Settled};

use crate::acceptor;
use crate::driver::Core;
use crate::input::{self, Said};
use crate::os::{Flight, Landing, update_connect_context};

impl Core {
    /// A packet has come.
    pub(crate) fn landed(&mut self, user_data: u64, landing: Landing) {
        if let Some(place) = acceptor::place(user_data) {
            return self.accept_landed(place, landing);
        }
        // A packet that nobody waits for is counted by the table. Its memory has stayed, and stays.
        let Ok(operation) = self.table.operation(user_data) else { return };
        let key = operation.key();
        self.finish(operation, landing, false);
        self.settle(key);
    }

    /// Feeds how an operation went, and takes back what it had.
    pub(crate) fn finish(&mut self, operation: OperationKey, landing: Landing, at_once: bool) {
        let key = operation.key();
        let before = self.table.life(key).ok();
        match operation.operation() {
            Operation::Connect => self.connected(operation, landing, at_once),
            Operation::Receive => self.received(operation, landing, at_once),
            Operation::Send => self.sent(operation, landing, at_once),
            // Nothing else is submitted.
            Operation::Register
            | Operation::Watch
            | Operation::Inquire
            | Operation::Shutdown
            | Operation::Sever
            | Operation::Deregister
            | Operation::Release => {}
        }
        self.note(key, before);
    }

    /// Answers for an operation. Its memory, which is back.
    fn answer(&mut self, operation: OperationKey, (answer, code): Said, at_once: bool) -> Option<Flight> {
        let settled = match (at_once, code) {
            (true, Some(code)) => self.table.returned_with_code(operation, answer, code, self.now),
            (true, None) => self.table.returned(operation, answer, self.now),
            (false, Some(code)) => {
                self.table.complete_with_code(operation, answer, More::Last, code, self.now)
            }
            (false, None) => self.table.complete(operation, answer, More::Last, self.now),
        };
        match settled {
            Ok(Settled::Done { buffer, .. }) => buffer,
            Ok(Settled::InFlight { .. }) | Err(_) => None,
        }
    }

    fn connected(&mut self, operation: OperationKey, landing: Landing, at_once: bool) {
        let Ok(socket) = self.table.get(operation.key()) else { return };
        let said = input::connected(landing, || update_connect_context(socket.stream()));
        let flight = self.answer(operation, said, at_once);
        self.flights.extend(flight);
    }

    /// What was received for the application is kept for it, and counted when it takes it: until then the machine is
    /// told that something is there, as a poller would. So a byte that nobody took counts as discarded, or not at
    /// all, and never as received.
    fn received(&mut self, operation: OperationKey, landing: Landing, at_once: bool) {
        let key = operation.key();
        let Ok(socket) = self.table.get(key) else { return };
        let had_room = socket.has_room;
        let (answer, code) = input::received(landing, had_room);
        let count = if let Answer::Received(count) = answer { count } else { 0 };
        let kept = count > 0 && is_kept(self.table.life(key).ok());
        let fed = if kept { Answer::Received(0) } else { answer };
        let flight = self.answer(operation, (fed, code), at_once);
        let Ok(socket) = self.table.get_mut(key) else { return };
        if let Some(mut flight) = flight {
            match flight.take(count) {
                Some(buffer) if kept => socket.input = Some(buffer),
                Some(buffer) => self.buffers.give(buffer),
                None => {}
            }
            self.flights.push(flight);
        }
        if had_room {
            socket.in_vain = false;
        } else if matches!(landing, Landing::Done(_)) {
            self.fetch(key);
        }
    }

    /// Behind a receive without room: takes what is there, without waiting.
    fn fetch(&mut self, key: Key) {
        let life = self.table.life(key).ok();
        if life.is_none_or(|life| !life.phase().is_established() || life.receive_half().is_over()) {
            return;
        }
        let mut buffer = self.buffers.take();
        let Ok(socket) = self.table.get_mut(key) else { return self.buffers.give(buffer) };
        let mut stream = socket.stream();
        let (answer, code) = input::fetched(&stream.read(buffer.spare()));
        if let (Answer::Received(count), true) = (answer, is_kept(life)) {
            buffer.filled(count);
            socket.input = Some(buffer);
            return;
        }
        // There was nothing, although the OS had said so: the next receive has room, and waits.
        socket.in_vain |= answer == Answer::ReceiveBlocked;
        self.buffers.give(buffer);
        self.say(key, (answer, code));
    }

    fn sent(&mut self, operation: OperationKey, landing: Landing, at_once: bool) {
        let key = operation.key();
        let said = input::sent(landing);
        let count = if let Answer::Sent(count) = said.0 { count } else { 0 };
        let Some(mut flight) = self.answer(operation, said, at_once) else { return };
        if let (Some(buffer), Ok(socket)) = (flight.take(0), self.table.get_mut(key)) {
            socket.output.sent(buffer, count, &mut self.buffers);
        }
        self.flights.push(flight);
    }
}

/// Whether what is received is for the application.
fn is_kept(life: Option<Life>) -> bool {
    life.is_some_and(|life| {
        life.phase().is_established()
            && matches!(life.receive_half(), ReceiveHalf::Open | ReceiveHalf::Paused)
    })
}
