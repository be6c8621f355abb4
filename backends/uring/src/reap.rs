//! Completions, one by one, into the table.
//!
//! What a receive has brought is told to the machine when the application takes it, as if it had made the call then:
//! so an end of stream does not overtake the bytes before it, and bytes that nobody has read when closing begins are
//! counted as discarded. (Except under an abort, the rest of a buffer that a single receive has brought and of which
//! something was read: its operation is over, and nobody counts it.) Only an error is told at once, since the order of
//! errors decides the cause.

use std::io;

use hangup::{
    Answer, Buffer, Fault, Hint, Input, Key, Life, More, Operation, OperationKey, Outcome, Owed, Phase,
    RawCode, ReceiveHalf, Settled,
};

use crate::driver::Core;
use crate::input;
use crate::os::ring::Completion;
use crate::perform::mark;
use crate::socket::Item;

impl Core {
    /// Takes in everything that has completed.
    pub(crate) fn reap(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        self.ring.reap(&mut batch);
        for completion in batch.drain(..) {
            self.counts.completed += 1;
            let number = completion.user_data & ((1 << mark::SHIFT) - 1);
            match completion.user_data >> mark::SHIFT {
                mark::OPERATION => self.completed(completion),
                mark::CANCEL => self.cancel_answered(number, completion.result),
                mark::ACCEPT => self.accept_completed(number, completion),
                mark::WAKER => {
                    self.watches_waker = false;
                    self.waker.clear();
                }
                _ => {}
            }
        }
        self.batch = batch;
    }

    fn completed(&mut self, completion: Completion) {
        let Ok(operation) = self.table.operation(completion.user_data) else {
            self.counts.stale += 1;
            if let Some(buffer) = self.chosen(completion) {
                self.give(buffer);
            }
            return;
        };
        let (key, kind) = (operation.key(), operation.operation());
        let result = completion.result;
        match kind {
            Operation::Receive => self.received(operation, completion),
            Operation::Send => self.sent(operation, completion),
            Operation::Watch => self.watched(operation, completion),
            Operation::Connect => {
                let (answer, code) = input::connected(result);
                self.complete(operation, answer, More::Last, code);
                if let (Answer::Connected, Ok(socket)) = (answer, self.table.get_mut(key)) {
                    socket.connected = true;
                }
            }
            Operation::Shutdown => {
                let (answer, code) = input::shut_down(result);
                self.complete(operation, answer, More::Last, code);
            }
            // They have no slot, so nothing of theirs can be in flight.
            Operation::Register
            | Operation::Inquire
            | Operation::Sever
            | Operation::Deregister
            | Operation::Release => {}
        }
        self.settle(key);
        self.announce(key);
    }

    /// Feeds a notification. The buffer, if it is back.
    fn complete(
        &mut self,
        operation: OperationKey,
        answer: Answer,
        more: More,
        code: Option<RawCode>,
    ) -> Option<Buffer> {
        let settled = match code {
            Some(code) => self.table.complete_with_code(operation, answer, more, code, self.now),
            None => self.table.complete(operation, answer, more, self.now),
        };
        match settled {
            Ok(Settled::Done { buffer, .. }) => buffer,
            Ok(Settled::InFlight { .. }) | Err(_) => None,
        }
    }

    /// The buffer that was chosen for a multishot receive.
    fn chosen(&mut self, completion: Completion) -> Option<Buffer> {
        let number = completion.chosen()?;
        let Self { ring, pool, .. } = self;
        ring.buffers()?.take(number, input::count(completion.result), pool)
    }

    fn received(&mut self, operation: OperationKey, completion: Completion) {
        let (key, result) = (operation.key(), completion.result);
        let chosen = self.chosen(completion);
        let Ok(life) = self.table.life(key) else { return };
        if let (answer @ Answer::ReceiveFailed(fault), code) = input::received(result) {
            if input::ends_operation_only(fault) {
                self.note_shortage(key, fault);
                return self.receive_over(operation, answer, code);
            }
            self.tell_error(key, life, fault, code);
        }
        let is_single = life.slot(Operation::Receive).owed != Owed::Stream;
        let Ok(socket) = self.table.get_mut(key) else { return };
        match chosen {
            Some(buffer) => {
                socket.inbox.push(Item::Bytes(buffer));
                if completion.more() == More::Last {
                    self.receive_over(operation, Answer::Received(0), None);
                }
            }
            None if is_single || result <= 0 => socket.inbox.push(Item::Completed(result)),
            // Bytes without a buffer: there is no such thing.
            None => {
                self.complete(operation, Answer::Received(0), completion.more(), None);
            }
        }
    }

    /// A receive ended without a word about the connection: cancelled, or out of buffers. The machine is told behind
    /// the bytes that it brought, which are still to be taken as its own.
    fn receive_over(&mut self, operation: OperationKey, answer: Answer, code: Option<RawCode>) {
        match self.table.get_mut(operation.key()) {
            Ok(socket) if !socket.inbox.is_empty() => socket.inbox.push(Item::Over(answer, code)),
            Ok(_) | Err(_) => self.receive_ended(operation, answer, code),
        }
    }

    /// Tells the machine of the last that a receive has brought, which is not bytes.
    fn receive_ended(&mut self, operation: OperationKey, answer: Answer, code: Option<RawCode>) {
        if let Some(buffer) = self.complete(operation, answer, More::Last, code) {
            self.give(buffer);
        }
    }

    /// Without a buffer in the ring, the next receive brings its own.
    fn note_shortage(&mut self, key: Key, fault: Fault) {
        if fault == Fault::NoBuffers {
            self.counts.no_buffers += 1;
            if let Ok(socket) = self.table.get_mut(key) {
                socket.single_once = true;
            }
        }
    }

    /// An error is known from the moment it has come, also if nobody reads: a later one must not pass for the first. The
    /// end of the receive half itself is left for the application to find.
    fn tell_error(&mut self, key: Key, life: Life, fault: Fault, code: Option<RawCode>) {
        if life.phase().is_established() && keeps(life) {
            self.answer(key, Answer::PendingError(fault), code);
        }
    }

    fn sent(&mut self, operation: OperationKey, completion: Completion) {
        let key = operation.key();
        let zero_copy = self.table.life(key).is_ok_and(|life| life.slot(Operation::Send).owed != Owed::One);
        let (mut answer, mut code) = input::sent(completion.result);
        let mut more = completion.more();
        if completion.is_notification() {
            self.counts.notifications += 1;
            (answer, code, more) = (Answer::Notified, None, More::Last);
        }
        if let (true, Answer::SendFailed(Fault::Unsupported | Fault::NoBuffers)) = (zero_copy, answer) {
            // This socket, or this much memory, does not do without a copy.
            (answer, code) = (Answer::SendFailed(Fault::NoBuffers), None);
            if let Ok(socket) = self.table.get_mut(key) {
                socket.copies = true;
            }
        }
        if let (Answer::Sent(count), Ok(socket)) = (answer, self.table.get_mut(key)) {
            socket.outbox.sent(count);
        }
        if let Some(buffer) = self.complete(operation, answer, more, code) {
            let rest = self.table.get_mut(key).map(|socket| socket.outbox.back(buffer));
            if let Ok(Some(empty)) = rest {
                self.give(empty);
            }
        }
    }

    fn watched(&mut self, operation: OperationKey, completion: Completion) {
        let key = operation.key();
        let (answer, code) = input::watched(completion.result);
        self.complete(operation, answer, completion.more(), code);
        if let (Answer::Watched(hint), Ok(socket)) = (answer, self.table.get_mut(key)) {
            socket.single |= hint != Hint::NONE;
        }
    }

    fn cancel_answered(&mut self, number: u64, result: i32) {
        self.counts.lost_cancels += u64::from(result < 0);
        // Whatever it said: the operation's own last notification decides.
        let Ok(operation) = self.table.operation(number) else {
            self.counts.stale += 1;
            return;
        };
        let key = operation.key();
        let answered = Input::Outcome(Outcome::CancelAnswered(operation.operation()));
        let _wants = self.table.input(key, answered, self.now);
        self.settle(key);
        self.announce(key);
    }

    /// The bytes that come next, of which the application takes `count`: the machine is told so many.
    pub(crate) fn open(&mut self, key: Key, count: usize) -> Option<Buffer> {
        let socket = self.table.get_mut(key).ok()?;
        let number = socket.number(Operation::Receive);
        match socket.inbox.pop()? {
            Item::Completed(result) => {
                let operation = self.table.operation(number).ok()?;
                let mut buffer = self.complete(operation, Answer::Received(count), More::Last, None)?;
                buffer.filled(input::count(result));
                Some(buffer)
            }
            Item::Bytes(buffer) => {
                self.tell(key, count);
                Some(buffer)
            }
            Item::Over(..) => None,
        }
    }

    /// So many bytes of a buffer that is ours again have been taken.
    fn tell(&mut self, key: Key, count: usize) {
        let (Ok(life), Ok(socket)) = (self.table.life(key), self.table.get(key)) else { return };
        let (slot, number) = (life.slot(Operation::Receive), socket.number(Operation::Receive));
        if slot.owed != Owed::Stream {
            // The rest of what a single receive brought.
            self.answer(key, Answer::Received(count), None);
        } else if let Ok(operation) = self.table.operation(number) {
            self.complete(operation, Answer::Received(count), More::Follows, None);
        }
    }

    /// The end, or an error, is the next thing that was received: now the machine is told. The error, if it was one.
    pub(crate) fn end(&mut self, key: Key) -> Option<io::Error> {
        let socket = self.table.get_mut(key).ok()?;
        let number = socket.number(Operation::Receive);
        let item = socket.inbox.pop()?;
        let operation = self.table.operation(number).ok()?;
        let result = match item {
            Item::Completed(result) => result,
            Item::Over(answer, code) => {
                self.receive_ended(operation, answer, code);
                return None;
            }
            Item::Bytes(buffer) => {
                self.give(buffer);
                return None;
            }
        };
        let (answer, code) = input::received(result);
        self.receive_ended(operation, answer, code);
        if self.table.wants(key).is_ok_and(|wants| wants.inquire) {
            self.inquire(key);
        }
        (result < 0).then(|| input::error(result))
    }

    /// Tells the machine what was received and is not for the application: it goes nowhere, or it is no news.
    pub(crate) fn pass_over(&mut self, key: Key) {
        while let Ok(life) = self.table.life(key) {
            let front = self.table.get(key).ok().and_then(|socket| socket.inbox.front());
            let is_ours = matches!(front, Some(Item::Bytes(_)));
            let is_over = life.receive_half().is_over() && life.slot(Operation::Receive).is_idle();
            match front.map(Item::len) {
                None => return,
                Some(_) if matches!(front, Some(Item::Over(..))) => {
                    self.end(key);
                }
                Some(_) if keeps(life) => return,
                Some(0) => {
                    self.end(key);
                }
                // Nothing is in flight that these bytes belong to, and nobody counts them any more.
                Some(_) if is_over && is_ours => {
                    let item = self.table.get_mut(key).ok().and_then(|socket| socket.inbox.pop());
                    if let Some(Item::Bytes(buffer)) = item {
                        self.give(buffer);
                    }
                }
                Some(length) => {
                    if let Some(buffer) = self.open(key, length) {
                        self.give(buffer);
                    }
                }
            }
        }
    }
}

/// Whether what was received is kept for the application, or until it may be discarded.
fn keeps(life: Life) -> bool {
    matches!(life.phase(), Phase::Open | Phase::Closing)
        && matches!(life.receive_half(), ReceiveHalf::Open | ReceiveHalf::Paused)
}
