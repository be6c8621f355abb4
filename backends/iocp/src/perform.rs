//! What the machine wants, as calls. What a call says goes back in at once.

use std::net::Shutdown;
use std::time::Duration;

use hangup::{
    Answer, Buffer, Cancels, Close, Input, Key, Life, Operation, Outcome, Owed, Phase, ReceiveHalf, Wants,
};
use socket2::SockRef;

use crate::driver::{Core, Done, Work};
use crate::input::{self, Said};
use crate::os::{Flight, Landing, Submitted};

/// How often one connection is looked at in a row, before others have their turn: an operation that succeeds at once
/// may be followed by the next.
const ROUNDS: usize = 16;

impl Core {
    /// Feeds what a call said that had nothing of ours. Whether the machine took it.
    pub(crate) fn say(&mut self, key: Key, (answer, code): Said) -> bool {
        let input = Input::Outcome(Outcome::Immediate(answer));
        match code {
            Some(code) => self.table.input_with_code(key, input, code, self.now).is_ok(),
            None => self.table.input(key, input, self.now).is_ok(),
        }
    }

    /// Performs everything that is wanted and possible. A connection that has ended is released; one with something
    /// to do for the application is put on the list.
    pub(crate) fn settle(&mut self, key: Key) {
        for _ in 0..ROUNDS {
            let Ok(wants) = self.table.wants(key) else { return };
            if let Some(close) = wants.release {
                return self.release(key, close);
            }
            if !self.perform(key, wants) {
                return self.offer(key);
            }
        }
        self.soon.push(key);
        self.offer(key);
    }

    /// Performs one want. Whether there may be more.
    fn perform(&mut self, key: Key, wants: Wants) -> bool {
        let Wants {
            connect,
            confirm,
            register,
            receive,
            send,
            receive_now,
            send_now,
            discard,
            watch,
            inquire,
            shutdown,
            sever,
            cancel,
            deregister,
            release: _,
        } = wants;
        debug_assert!(!(confirm || register || receive_now || send_now || deregister), "no readiness here");
        debug_assert!(!watch, "a port has nothing to watch with");
        if connect {
            self.connect(key)
        } else if inquire {
            self.inquire(key)
        } else if discard && self.has_input(key) {
            self.discard(key)
        } else if shutdown {
            self.shut_down(key)
        } else if !cancel.is_empty() {
            self.cancel(key, cancel)
        } else if sever {
            self.sever(key)
        } else {
            // Both, before anything is looked at again; the send first, which names a reset where a receive may not.
            let sent = send && self.send(key);
            let received = receive && !self.has_input(key) && self.receive(key);
            sent || received
        }
    }

    /// Hands an operation over. Whether there may be more to perform.
    ///
    /// From `lend` on the operation is in flight, and its memory belongs to the table and the OS. What the call says
    /// goes in by the same door as what a packet says.
    fn submit(
        &mut self,
        key: Key,
        kind: Operation,
        buffer: Buffer,
        call: impl FnOnce(&mut Flight, u64, Buffer) -> Submitted,
    ) -> bool {
        let flight = self.flights.pop().unwrap_or_else(Flight::new);
        let operation = match self.table.lend(key, kind, Owed::One, Some(flight), self.now) {
            Ok(operation) => operation,
            Err(refused) => {
                self.flights.extend(refused.buffer);
                self.put_back(key, kind, buffer);
                return false;
            }
        };
        let user_data = operation.user_data();
        if let Ok(socket) = self.table.get_mut(key) {
            socket.submitted(kind, user_data);
        }
        let Some(flight) = self.table.lent_mut(&operation) else { return false };
        let (landing, failed) = match call(flight, user_data, buffer) {
            Submitted::Pending => return self.table.taken(operation, self.now).is_ok(),
            Submitted::Done(count) => (Landing::Done(count), false),
            Submitted::Failed(code) => (Landing::Failed(code, 0), true),
        };
        self.finish(operation, landing, true);
        // The OS had no room for it: nothing has ended, and to ask again at once would be to spin.
        let again = failed && self.table.life(key).is_ok_and(|life| life.phase() != Phase::Ending);
        if again {
            self.later.push(key);
        }
        !again
    }

    fn put_back(&mut self, key: Key, kind: Operation, buffer: Buffer) {
        match self.table.get_mut(key) {
            Ok(socket) if kind == Operation::Send => socket.output.sent(buffer, 0, &mut self.buffers),
            Ok(_) | Err(_) => self.buffers.give(buffer),
        }
    }

    fn connect(&mut self, key: Key) -> bool {
        let Ok(socket) = self.table.get(key) else { return false };
        let (raw, skips) = (socket.raw(), socket.skips);
        let Some(peer) = socket.peer else { return false };
        self.submit(key, Operation::Connect, Buffer::default(), |flight, user_data, _| {
            flight.connect(raw, user_data, peer, skips)
        })
    }

    fn receive(&mut self, key: Key) -> bool {
        let zero = self.options.zero_byte_receives;
        let Ok(socket) = self.table.get_mut(key) else { return false };
        socket.has_room = !zero || socket.in_vain;
        let (raw, skips) = (socket.raw(), socket.skips);
        let buffer = if socket.has_room { self.buffers.take() } else { Buffer::default() };
        self.submit(key, Operation::Receive, buffer, |flight, user_data, buffer| {
            flight.receive(raw, user_data, buffer, skips)
        })
    }

    /// Hands over what can be sent now, and nothing else.
    pub(crate) fn push(&mut self, key: Key) {
        for _ in 0..ROUNDS {
            let wanted = self.table.wants(key).is_ok_and(|wants| wants.send);
            if !wanted || !self.send(key) {
                break;
            }
        }
    }

    fn send(&mut self, key: Key) -> bool {
        let Ok(socket) = self.table.get_mut(key) else { return false };
        let (raw, skips) = (socket.raw(), socket.skips);
        let Some(buffer) = socket.output.lend() else { return false };
        self.submit(key, Operation::Send, buffer, |flight, user_data, buffer| {
            flight.send(raw, user_data, buffer, skips)
        })
    }

    /// Asks for the pending error, as its only owner.
    fn inquire(&mut self, key: Key) -> bool {
        let Ok(socket) = self.table.get(key) else { return false };
        let said = input::inquired(socket.stream().take_error());
        self.say(key, said)
    }

    fn shut_down(&mut self, key: Key) -> bool {
        let Ok(socket) = self.table.get(key) else { return false };
        let said = input::shut_down(&socket.stream().shutdown(Shutdown::Write));
        self.say(key, said)
    }

    /// Asks the OS to cancel, each by its own `OVERLAPPED`. The call answers the request; the operation is answered
    /// by its packet.
    fn cancel(&mut self, key: Key, cancels: Cancels) -> bool {
        let Cancels { connect, receive, send, watch: _ } = cancels;
        let kinds = [(connect, Operation::Connect), (receive, Operation::Receive), (send, Operation::Send)];
        let mut asked = false;
        for (_, kind) in kinds.into_iter().filter(|(wanted, _)| *wanted) {
            let cancelling = Input::Outcome(Outcome::Cancelling(kind));
            if self.table.input(key, cancelling, self.now).is_err() {
                continue;
            }
            self.cancel_one(key, kind);
            let answered = Input::Outcome(Outcome::CancelAnswered(kind));
            asked |= self.table.input(key, answered, self.now).is_ok();
        }
        asked
    }

    fn cancel_one(&mut self, key: Key, kind: Operation) {
        let Ok(socket) = self.table.get(key) else { return };
        let (raw, user_data) = (socket.raw(), socket.flight(kind));
        let Ok(operation) = self.table.operation(user_data) else { return };
        if let Some(flight) = self.table.lent_mut(&operation) {
            flight.cancel(raw);
        }
    }

    fn sever(&mut self, key: Key) -> bool {
        if let Ok(socket) = self.table.get(key) {
            // If it is disconnected already, so much the better.
            drop(socket.stream().shutdown(Shutdown::Both));
        }
        self.say(key, (Answer::Severed, None))
    }

    /// The one place where a connection is given back and its socket closed. Nothing of it is in flight.
    fn release(&mut self, key: Key, close: Close) {
        if self.table.get(key).is_ok_and(|socket| socket.news.loss) {
            // The application has a turn first, so that whoever reads is told.
            return self.offer(key);
        }
        let Ok(released) = self.table.release(key, self.now) else { return };
        let mut socket = released.resources;
        socket.give_back(&mut self.buffers);
        if close == Close::Reset {
            // If it fails, the close is a plain one: nothing else could be done about it.
            drop(SockRef::from(socket.stream()).set_linger(Some(Duration::ZERO)));
        }
        self.done.push_back(Done { key, state: socket.state, report: released.report });
        drop(socket);
    }

    fn has_input(&self, key: Key) -> bool {
        self.table.get(key).is_ok_and(|socket| socket.input.is_some())
    }

    /// What had come before the application closed is for nobody any more.
    fn discard(&mut self, key: Key) -> bool {
        let Some(buffer) = self.table.get_mut(key).ok().and_then(|socket| socket.input.take()) else {
            return false;
        };
        let count = buffer.len();
        self.buffers.give(buffer);
        self.say(key, (Answer::Received(count), None))
    }

    /// Puts a connection on the list if there is something to do for the application.
    pub(crate) fn offer(&mut self, key: Key) {
        if self.work(key).is_nothing() {
            return;
        }
        if let Ok(socket) = self.table.get_mut(key) {
            if !socket.queued {
                socket.queued = true;
                self.ready.push_back(key);
            }
        }
    }

    /// The next connection of the list that has something to do, and has not had its turn in this round.
    pub(crate) fn next_ready(&mut self) -> Option<(Key, Work)> {
        while let Some(turns) = self.turns.checked_sub(1) {
            self.turns = turns;
            let key = self.ready.pop_front()?;
            // It may have ended since; that is no use of a stale key by anybody.
            if self.table.life(key).is_err() {
                continue;
            }
            if let Ok(socket) = self.table.get_mut(key) {
                socket.queued = false;
            }
            let work = self.work(key);
            if !work.is_nothing() {
                return Some((key, work));
            }
        }
        None
    }

    /// What there is to do for the application.
    pub(crate) fn work(&self, key: Key) -> Work {
        let (Ok(life), Ok(socket)) = (self.table.life(key), self.table.get(key)) else {
            return Work::default();
        };
        let open = life.phase() == Phase::Open;
        let sends = life.phase().is_established() && life.send_half().has_output();
        let pending = self.table.pending(key).map_or(0, |pending| pending as usize);
        let input = socket.input.is_some() && life.receive_half() == ReceiveHalf::Open;
        Work {
            readable: socket.news.loss || open && !socket.paused && (input || socket.news.end),
            writable: sends
                && pending > socket.output.len()
                && socket.output.len() < self.options.output_limit,
            connected: open && socket.news.connected,
        }
    }

    /// Notes what the application is to be told of a step.
    pub(crate) fn note(&mut self, key: Key, before: Option<Life>) {
        let (Some(before), Ok(after)) = (before, self.table.life(key)) else { return };
        let Ok(socket) = self.table.get_mut(key) else { return };
        let (was, is) = (before.receive_half(), after.receive_half());
        if before.phase().is_connecting() && after.phase() == Phase::Open {
            socket.news.connected = true;
        }
        if before.phase() != Phase::Open || was == is {
            return;
        }
        if is == ReceiveHalf::Ended {
            socket.news.end = true;
        }
        if was == ReceiveHalf::Open && is == ReceiveHalf::Failed {
            socket.news.loss = true;
        }
    }
}
