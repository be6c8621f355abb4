//! What the machine wants, as calls. What a call says goes back in at once.

use std::net::Shutdown;
use std::os::windows::io::RawSocket;
use std::time::Duration;

use hangup::{
    Answer, Buffer, Cancels, Close, Command, Input, InputError, Key, Moment, Operation, OperationKey,
    Outcome, Owed, Phase, Wants,
};
use socket2::SockRef;

use crate::driver::Core;
use crate::input::{self, Said};
use crate::landing::answer;
use crate::os::{Armed, IN_USE, Landing, Part, Submitted};
use crate::output::Held;
use crate::shared::{Done, Shared};
use crate::socket::Socket;
use crate::turns::Turn;

/// How often one connection is looked at in a row, before others have their turn: an operation that succeeds at once
/// may be followed by the next.
const ROUNDS: usize = 16;

/// Feeds what a call said that had nothing of ours. Whether the machine took it.
pub(crate) fn said(shared: &Shared, key: Key, (answer, code): Said, now: Moment) -> bool {
    let input = Input::Outcome(Outcome::Immediate(answer));
    match code {
        Some(code) => shared.table.input_with_code(key, input, code, now).is_ok(),
        None => shared.table.input(key, input, now).is_ok(),
    }
}

/// Says how much output there is in all, unless the machine knows. Whether it may be so much.
pub(crate) fn announce(shared: &Shared, key: Key, all: usize, now: Moment) -> bool {
    let is_known = shared
        .table
        .pending(key)
        .is_ok_and(|pending| all > 0 && u32::try_from(all).unwrap_or(u32::MAX) == pending);
    is_known || shared.table.input(key, Input::Command(Command::Output(all)), now).is_ok()
}

/// An operation that this worker is to submit. As long as it is claimed, the connection is not released, so the number
/// of its socket is good.
pub(crate) struct Claim {
    operation: OperationKey,
    raw: RawSocket,
    skips: bool,
    buffer: Buffer,
}

impl Core {
    /// Feeds a command. How much output the application holds is beside what waits to be sent.
    pub(crate) fn command(&mut self, key: Key, command: Command) -> Result<(), InputError> {
        let Self { shared, now, .. } = self;
        let feed = |command| shared.table.input(key, Input::Command(command), *now).map(|_wants| ());
        let with_socket = match command {
            Command::Output(bytes) => shared.socket(key, |socket| {
                let held = Held::Known(bytes);
                feed(Command::Output(held.all(socket.output.len())))?;
                (socket.held, socket.is_told) = (held, false);
                Ok(())
            }),
            Command::Pause | Command::Resume => shared.socket(key, |socket| {
                socket.paused = command == Command::Pause;
                feed(command)
            }),
            Command::Close(_) | Command::Blame(_) => None,
        };
        // If there is no socket any more, the table says why.
        with_socket.unwrap_or_else(|| feed(command))
    }

    /// Performs everything that is wanted and possible. A connection that has ended is released; one with something
    /// to do for the application is put on the list.
    ///
    /// Wants are what is to be done as far as this worker knows. What another has claimed meanwhile, that one performs;
    /// and whoever has fed something comes here behind it, so nothing that is wanted is left undone.
    pub(crate) fn settle(&mut self, key: Key) {
        for _ in 0..ROUNDS {
            let Ok(wants) = self.shared.table.wants(key) else { return };
            if let Some(close) = wants.release {
                return self.release(key, close);
            }
            if !self.perform(key, wants) {
                return self.offer(key);
            }
        }
        self.lists.soon.push(key);
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
        } else if discard && self.discard(key) {
            true
        } else if shutdown {
            self.shut_down(key)
        } else if !cancel.is_empty() {
            self.cancel(key, cancel)
        } else if sever {
            self.sever(key)
        } else {
            // Both, before anything is looked at again; the send first, which names a reset where a receive may not.
            let sent = send && self.send(key);
            let received = receive && self.receive(key);
            sent || received
        }
    }

    /// Claims an operation, if it is still wanted. `prepare` gives what goes with it, if there is anything to be done.
    ///
    /// With the connection's lock held, so that what the last of its kind has brought is here.
    fn claim(
        &mut self,
        key: Key,
        kind: Operation,
        prepare: impl FnOnce(&Shared, &mut Socket, Wants) -> Option<Buffer>,
    ) -> Option<Claim> {
        let Self { shared, flights, now, .. } = self;
        let claimed = shared.socket(key, |socket| {
            let buffer = prepare(shared, socket, shared.table.wants(key).ok()?)?;
            match shared.table.lend(key, kind, Owed::One, Some(flights.take()), *now) {
                Ok(operation) => {
                    socket.claimed(kind, operation.user_data());
                    Some(Claim { operation, raw: socket.raw(), skips: socket.skips, buffer })
                }
                Err(refused) => {
                    refused.buffer.into_iter().for_each(|flight| flights.keep(flight));
                    if kind == Operation::Send {
                        socket.output.back(buffer, 0, &mut shared.buffers());
                    } else {
                        shared.give(buffer);
                    }
                    None
                }
            }
        });
        claimed.flatten()
    }

    /// Hands an operation over. Whether there may be more to perform.
    fn submit(
        &mut self,
        claim: Claim,
        part: Part,
        call: impl FnOnce(Armed, RawSocket, bool) -> Submitted,
    ) -> bool {
        let (operation, submitted) = self.call(claim, part, call);
        let key = operation.key();
        let (landing, failed) = match submitted {
            Submitted::Pending => {
                self.taken(operation);
                return true;
            }
            Submitted::Done(count) => (Landing::Done(count), false),
            Submitted::Failed(code) => (Landing::Failed(code, 0), true),
        };
        self.finish(operation, landing, true);
        // The OS had no room for it: nothing has ended, and to ask again at once would be to spin.
        let again = failed && self.shared.table.life(key).is_ok_and(|life| life.phase() != Phase::Ending);
        if again {
            self.lists.later.push(key);
        }
        !again
    }

    /// Makes the call. From the claim on the operation is in flight, and its memory belongs to the table and the OS.
    /// What the call says goes in by the same door as what a packet says.
    ///
    /// No lock is held: the packet may come to another worker before this has returned.
    pub(crate) fn call(
        &self,
        Claim { operation, buffer, raw, skips }: Claim,
        part: Part,
        call: impl FnOnce(Armed, RawSocket, bool) -> Submitted,
    ) -> (OperationKey, Submitted) {
        let number = operation.user_data();
        let armed = self.shared.table.with_lent(&operation, |flight| flight.arm(number, buffer, part));
        (operation, armed.flatten().map_or(IN_USE, |armed| call(armed, raw, skips)))
    }

    fn connect(&mut self, key: Key) -> bool {
        let mut to = None;
        let claim = self.claim(key, Operation::Connect, |_, socket, wants| {
            to = socket.peer;
            wants.connect.then(Buffer::default)
        });
        let (Some(claim), Some(peer)) = (claim, to) else { return false };
        self.submit(claim, Part::Room, |armed, raw, skips| armed.connect(raw, peer, skips))
    }

    fn receive(&mut self, key: Key) -> bool {
        let Some(claim) = self.claim_receive(key) else { return false };
        self.submit(claim, Part::Room, Armed::receive)
    }

    pub(crate) fn claim_receive(&mut self, key: Key) -> Option<Claim> {
        self.claim(key, Operation::Receive, |shared, socket, wants| {
            if !wants.receive || socket.input.is_some() {
                return None;
            }
            socket.has_room = !shared.options.zero_byte_receives || socket.in_vain;
            Some(if socket.has_room { shared.buffer() } else { Buffer::default() })
        })
    }

    /// Hands over what can be sent now, and nothing else.
    pub(crate) fn push(&mut self, key: Key) {
        for _ in 0..ROUNDS {
            let wanted = self.shared.table.wants(key).is_ok_and(|wants| wants.send);
            if !wanted || !self.send(key) {
                break;
            }
        }
    }

    fn send(&mut self, key: Key) -> bool {
        let Some(claim) = self.claim_send(key) else { return false };
        self.submit(claim, Part::Filled, Armed::send)
    }

    pub(crate) fn claim_send(&mut self, key: Key) -> Option<Claim> {
        self.claim(
            key,
            Operation::Send,
            |_, socket, wants| {
                if wants.send { socket.output.lend() } else { None }
            },
        )
    }

    /// Asks for the pending error, as its only owner.
    fn inquire(&mut self, key: Key) -> bool {
        let asking = Input::Outcome(Outcome::Submitting(Operation::Inquire, Owed::One));
        if self.shared.table.input(key, asking, self.now).is_err() {
            return false;
        }
        let pending = self.shared.socket(key, |socket| socket.stream().take_error());
        pending.is_some_and(|pending| said(&self.shared, key, input::inquired(pending), self.now))
    }

    fn shut_down(&mut self, key: Key) -> bool {
        let Self { shared, now, .. } = self;
        let Ok(operation) = shared.table.lend(key, Operation::Shutdown, Owed::One, None, *now) else {
            return false;
        };
        let result = shared.socket(key, |socket| socket.stream().shutdown(Shutdown::Write));
        let none_lent = answer(shared, operation, result.as_ref().map(input::shut_down), true, *now);
        debug_assert!(none_lent.is_none(), "nothing was lent");
        true
    }

    /// Asks the OS to cancel, each by its own `OVERLAPPED`. The call answers the request; the operation is answered
    /// by its packet.
    fn cancel(&mut self, key: Key, cancels: Cancels) -> bool {
        let Cancels { connect, receive, send, watch: _ } = cancels;
        let kinds = [(connect, Operation::Connect), (receive, Operation::Receive), (send, Operation::Send)];
        let mut asked = false;
        for (_, kind) in kinds.into_iter().filter(|(wanted, _)| *wanted) {
            let cancelling = Input::Outcome(Outcome::Cancelling(kind));
            if self.shared.table.input(key, cancelling, self.now).is_err() {
                continue;
            }
            self.cancel_one(key, kind);
            let answered = Input::Outcome(Outcome::CancelAnswered(kind));
            asked |= self.shared.table.input(key, answered, self.now).is_ok();
        }
        asked
    }

    fn cancel_one(&mut self, key: Key, kind: Operation) {
        let Self { shared, .. } = self;
        let named = shared.socket(key, |socket| (socket.raw(), socket.flight(kind)));
        let Some((raw, user_data)) = named else { return };
        let Ok(operation) = shared.table.operation(user_data) else { return };
        // If its packet has come to another worker by now, it has no memory any more.
        shared.table.with_lent(&operation, |flight| flight.cancel(raw));
    }

    fn sever(&mut self, key: Key) -> bool {
        // If it is disconnected already, so much the better.
        let _severed = self.shared.socket(key, |socket| socket.stream().shutdown(Shutdown::Both));
        said(&self.shared, key, (Answer::Severed, None), self.now)
    }

    /// The one place where a connection is given back and its socket closed. Nothing of it is in flight, and nobody has
    /// its turn: whoever has it comes here when the turn ends.
    fn release(&mut self, key: Key, close: Close) {
        let is_over = self.shared.socket(key, |socket| match socket.turn {
            Turn::Nobody | Turn::Listed if !socket.news.loss => {
                socket.turn = Turn::Over;
                true
            }
            // The application has a turn first, so that whoever reads is told.
            Turn::Nobody | Turn::Listed | Turn::Held | Turn::Over => false,
        });
        if is_over != Some(true) {
            return self.offer(key);
        }
        let Ok(released) = self.shared.table.release(key, self.now) else { return };
        let (mut socket, mut report) = (released.resources, released.report);
        if report.unsent > 0 {
            report.unsent = socket.output.len().saturating_add(socket.held.at_least()) as u64;
        }
        socket.give_back(&mut self.shared.buffers());
        if close == Close::Reset {
            // If it fails, the close is a plain one: nothing else could be done about it.
            drop(SockRef::from(&**socket.stream()).set_linger(Some(Duration::ZERO)));
        }
        self.lists.done.push_back(Done { key, state: socket.state, report });
        drop(socket);
    }

    /// What had come before the application closed is for nobody any more. Whether there was something.
    fn discard(&mut self, key: Key) -> bool {
        let Self { shared, now, .. } = self;
        let discarded = shared.socket(key, |socket| {
            if !shared.table.wants(key).is_ok_and(|wants| wants.discard) {
                return false;
            }
            let Some(buffer) = socket.input.take() else { return false };
            let count = buffer.len();
            shared.give(buffer);
            said(shared, key, (Answer::Received(count), None), *now)
        });
        discarded == Some(true)
    }
}
