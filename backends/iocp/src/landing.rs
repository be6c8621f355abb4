//! What became of an operation: by its packet, or by the call that submitted it. One door for both.
//!
//! Everything here happens with the connection's lock held: what an operation has brought is in its place before
//! another of its kind can be claimed.

use std::io::Read;

use hangup::{Answer, Key, Life, Moment, More, Operation, OperationKey, ReceiveHalf, Settled};

use crate::acceptor;
use crate::driver::Core;
use crate::input::{self, Said};
use crate::os::{Flight, Landing, update_connect_context};
use crate::perform::said;
use crate::shared::Shared;
use crate::socket::Socket;

impl Core {
    /// A packet has come.
    pub(crate) fn landed(&mut self, user_data: u64, landing: Landing) {
        if let Some(place) = acceptor::place(user_data) {
            return self.accept_landed(place, landing);
        }
        // A packet that nobody waits for is counted by the table. Its memory has stayed, and stays.
        let Ok(operation) = self.shared.table.operation(user_data) else { return };
        let key = operation.key();
        self.finish(operation, landing, false);
        self.settle(key);
    }

    /// Feeds how an operation went. What it had is taken back, unless the call that submitted it has not returned: then
    /// that is done by whoever made it, in [`taken`](Self::taken).
    pub(crate) fn finish(&mut self, operation: OperationKey, landing: Landing, at_once: bool) {
        let Self { shared, flights, now, .. } = self;
        let (key, kind) = (operation.key(), operation.operation());
        let over = shared.socket(key, |socket| {
            let before = shared.table.life(key).ok();
            let said = tell(socket, kind, landing, before);
            let flight = answer(shared, operation, said, at_once, *now);
            let flight = flight.map(|flight| bring(shared, key, socket, kind, flight, landing, *now));
            note(shared, key, socket, before);
            flight
        });
        over.flatten().into_iter().for_each(|flight| flights.keep(flight));
    }

    /// The call has returned, and the OS has the operation. If its packet has come to another worker already, what the
    /// operation had comes back here.
    pub(crate) fn taken(&mut self, operation: OperationKey) {
        let Self { shared, flights, now, .. } = self;
        let (key, kind) = (operation.key(), operation.operation());
        let over = shared.socket(key, |socket| {
            let before = shared.table.life(key).ok();
            let Ok(Settled::Done { buffer: Some(mut flight), .. }) = shared.table.taken(operation, *now)
            else {
                return None;
            };
            // The marks of the packet and of the call are gone, so it says how it went.
            let landing = flight.landing()?;
            let flight = bring(shared, key, socket, kind, flight, landing, *now);
            note(shared, key, socket, before);
            Some(flight)
        });
        over.flatten().into_iter().for_each(|flight| flights.keep(flight));
    }
}

/// How it went, in the machine's words; and what has to be known until the buffer is back.
///
/// What was received for the application is kept for it, and counted when it takes it: until then the machine is
/// told that something is there, as a poller would. So a byte that nobody took counts as discarded, or not at
/// all, and never as received.
fn tell(socket: &mut Socket, kind: Operation, landing: Landing, life: Option<Life>) -> Option<Said> {
    match kind {
        Operation::Connect => Some(input::connected(landing, || update_connect_context(&**socket.stream()))),
        Operation::Receive => {
            let (answer, code) = input::received(landing, socket.has_room);
            socket.is_kept = matches!(answer, Answer::Received(1..)) && is_kept(life);
            Some((if socket.is_kept { Answer::Received(0) } else { answer }, code))
        }
        Operation::Send => {
            let (answer, code) = input::sent(landing);
            if let Answer::Sent(count) = answer {
                // The machine takes it off when it is told, so it is off here too, wherever the buffer is.
                socket.output.sent(count);
            }
            Some((answer, code))
        }
        // Nothing else is submitted.
        Operation::Register
        | Operation::Watch
        | Operation::Inquire
        | Operation::Shutdown
        | Operation::Sever
        | Operation::Deregister
        | Operation::Release => None,
    }
}

/// Answers for an operation. Its memory, if that is back.
pub(crate) fn answer(
    shared: &Shared,
    operation: OperationKey,
    said: Option<Said>,
    at_once: bool,
    now: Moment,
) -> Option<Flight> {
    let table = &shared.table;
    let (answer, code) = said?;
    let settled = match (at_once, code) {
        (true, Some(code)) => table.returned_with_code(operation, answer, code, now),
        (true, None) => table.returned(operation, answer, now),
        (false, Some(code)) => table.complete_with_code(operation, answer, More::Last, code, now),
        (false, None) => table.complete(operation, answer, More::Last, now),
    };
    match settled {
        Ok(Settled::Done { buffer, .. }) => buffer,
        Ok(Settled::InFlight { .. }) | Err(_) => None,
    }
}

/// Puts what is back in its place. The memory, for the next operation.
fn bring(
    shared: &Shared,
    key: Key,
    socket: &mut Socket,
    kind: Operation,
    mut flight: Flight,
    landing: Landing,
    now: Moment,
) -> Flight {
    let count = if let Landing::Done(count) = landing { count } else { 0 };
    if kind == Operation::Receive {
        match flight.take(count) {
            Some(buffer) if socket.is_kept => socket.input = Some(buffer),
            Some(buffer) => shared.give(buffer),
            None => {}
        }
        if socket.has_room {
            socket.in_vain = false;
        } else if matches!(landing, Landing::Done(_)) {
            fetch(shared, key, socket, now);
        }
    } else if let (Operation::Send, Some(buffer)) = (kind, flight.take(0)) {
        socket.output.back(buffer, count, &mut shared.buffers());
    }
    flight
}

/// Behind a receive without room: takes what is there, without waiting.
fn fetch(shared: &Shared, key: Key, socket: &mut Socket, now: Moment) {
    let life = shared.table.life(key).ok();
    if life.is_none_or(|life| !life.phase().is_established() || life.receive_half().is_over()) {
        return;
    }
    let mut buffer = shared.buffer();
    let mut stream = &**socket.stream();
    let (answer, code) = input::fetched(&stream.read(buffer.spare()));
    if let (Answer::Received(count), true) = (answer, is_kept(life)) {
        buffer.filled(count);
        socket.input = Some(buffer);
        return;
    }
    // There was nothing, although the OS had said so: the next receive has room, and waits.
    socket.in_vain |= answer == Answer::ReceiveBlocked;
    shared.give(buffer);
    said(shared, key, (answer, code), now);
}

/// Whether what is received is for the application.
fn is_kept(life: Option<Life>) -> bool {
    life.is_some_and(|life| {
        life.phase().is_established()
            && matches!(life.receive_half(), ReceiveHalf::Open | ReceiveHalf::Paused)
    })
}

/// Notes what the application is to be told of a step.
fn note(shared: &Shared, key: Key, socket: &mut Socket, before: Option<Life>) {
    let (Some(before), Ok(after)) = (before, shared.table.life(key)) else { return };
    let (was, is) = (before.receive_half(), after.receive_half());
    if before.phase().is_connecting() && after.phase() == hangup::Phase::Open {
        socket.news.connected = true;
    }
    if before.phase() != hangup::Phase::Open || was == is {
        return;
    }
    if is == ReceiveHalf::Ended {
        socket.news.end = true;
    }
    // It hears of a loss by reading; or by writing, if it has paused because of output that waits.
    let waits = was == ReceiveHalf::Paused && socket.held.waits() && !socket.is_told;
    if is == ReceiveHalf::Failed && (was == ReceiveHalf::Open || waits) {
        socket.news.loss = true;
    }
}
