//! What must not be used: the keys of the dead, of another table, answered operations. Nothing may change, and the
//! table is told no new moment.

use hangup::{
    Answer, Audit, Fault, Input, InputError, Key, Life, Moment, More, Operation, OperationKey, Outcome, Owed,
    RawCode, ReleaseError, Wants,
};

use crate::harness::{Checked, Harness, ensure};
use crate::ledger::Place;
use crate::offers::at;
use crate::script::{Misuse, operation, untimely};
use crate::tally::Books;

/// A connection that was released.
#[derive(Debug)]
pub(crate) struct Dead {
    pub(crate) key: Key,
    /// An operation that it once had.
    pub(crate) user_data: Option<u64>,
    /// Rights to answer operations that it once had.
    pub(crate) rights: Vec<OperationKey>,
}

/// Everything that can be seen of a table.
#[derive(Debug, PartialEq)]
pub(crate) struct Snapshot {
    connections: Vec<(Key, Life, Wants, u32, Option<RawCode>, usize)>,
    next_deadline: Option<Moment>,
    length: usize,
    kept: Books,
    retired: u64,
}

impl Harness {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let table = &self.table;
        let audit: Audit = table.audit();
        let of = |key| {
            let resource = table.resource(key)?;
            Ok((key, table.life(key)?, table.wants(key)?, table.pending(key)?, table.code(key)?, resource))
        };
        let connections: Result<Vec<_>, InputError> = table.keys().into_iter().map(of).collect();
        Snapshot {
            connections: connections.expect("the keys of a table are its own"),
            next_deadline: table.next_deadline(),
            length: table.len(),
            kept: Books::of(audit).kept(),
            retired: audit.retired,
        }
    }

    pub(crate) fn unchanged(&self, before: &Snapshot) -> Checked {
        let after = self.snapshot();
        ensure!(*before == after, "something has changed:\n  {before:?}\n  {after:?}");
        self.ledger.check()
    }

    /// Compares everything that the table says with what is known.
    pub(crate) fn check_all(&self) -> Checked {
        self.ledger.check()?;
        let table = &self.table;
        let books = Books::of(table.audit());
        ensure!(books == self.books, "the table counts {books:?}, and there were {:?}", self.books);
        ensure!(table.len() == self.connections.len(), "{} connections", table.len());
        ensure!(table.is_empty() == self.connections.is_empty(), "empty, or not");
        ensure!(table.keys().len() == table.len(), "{:?}", table.keys());
        let with_the_os = self.ledger.count(Place::Os);
        ensure!(table.audit().with_the_os() == with_the_os, "{with_the_os} buffers are with the OS");
        for (number, connection) in &self.connections {
            let key = connection.key;
            let life = table.life(key).map_err(|error| error.to_string())?;
            ensure!(life == connection.world.life, "{number}: {life:?}, not {:?}", connection.world.life);
            ensure!(table.wants(key) == Ok(life.wants()), "{number} wants {:?}", table.wants(key));
            let pending = connection.tally.pending();
            ensure!(table.pending(key) == Ok(pending), "{number}: {:?}, not {pending}", table.pending(key));
            let code = connection.tally.code();
            ensure!(table.code(key) == Ok(code), "{number}: {:?}, not {code:?}", table.code(key));
            let resource = table.resource(key);
            ensure!(resource == Ok(connection.resource), "{number} has {resource:?}");
            self.check_token(key)?;
        }
        if let Some(next) = self.timetable.next() {
            let said = table.next_deadline();
            let in_time = said.is_some_and(|said| said <= next);
            ensure!(in_time, "the next deadline is {next:?}, and the table says {said:?}");
        }
        Ok(())
    }

    fn check_token(&self, key: Key) -> Checked {
        let token = self.table.token(key);
        ensure!(self.table.key(token) == key, "{token:x} is not {key:?}");
        ensure!(token != 0 && token != usize::MAX, "{token:x} is a token of the poller's own");
        ensure!(!self.setup.compact || u32::try_from(token).is_ok(), "{token:x} has more than 32 bits");
        Ok(())
    }

    pub(crate) fn misuse(&mut self, misuse: Misuse, victim: usize, manner: usize) -> Checked {
        let before = self.snapshot();
        let live = self.live();
        let number = live.get(victim % live.len().max(1)).copied();
        match (misuse, number) {
            (Misuse::Vacant, _) => self.ask_for_a_place()?,
            (Misuse::Dead, _) => self.use_the_dead(victim, manner)?,
            (Misuse::Foreign, _) => self.use_a_foreign_key(manner)?,
            (Misuse::Untimely, Some(number)) => self.offer_untimely(number, untimely(manner))?,
            (Misuse::TooEarly, Some(number)) => self.release_too_early(number)?,
            (Misuse::Unwanted, Some(number)) => self.lend_unwanted(number, operation(manner))?,
            (Misuse::Answered, Some(number)) => self.answer_by_number_again(number)?,
            (Misuse::Twice, Some(number)) => self.answer_by_right_again(number)?,
            (Misuse::Another, Some(number)) => self.answer_for_another(number, manner)?,
            (Misuse::Released, Some(number)) => {
                let life = self.connections[&number].world.life;
                self.refused(number, Input::Outcome(Outcome::Immediate(Answer::Released)), life)?;
            }
            _ => {}
        }
        self.unchanged(&before)
    }

    fn ask_for_a_place(&mut self) -> Checked {
        let first = self.table.vacant().map_err(|full| full.to_string())?.key();
        let second = self.table.vacant().map_err(|full| full.to_string())?.key();
        ensure!(first == second, "{first:?} was promised, and then {second:?}");
        ensure!(!self.keys.contains(&first), "{first:?} was promised, and was used before");
        ensure!(self.table.life(first).is_err(), "{first:?} is there already");
        Ok(())
    }

    fn offer_untimely(&mut self, number: usize, input: Input) -> Checked {
        let life = self.connections[&number].world.life;
        if life.step(input).is_ok() { Ok(()) } else { self.refused(number, input, life) }
    }

    fn release_too_early(&mut self, number: usize) -> Checked {
        let connection = &self.connections[&number];
        let life = connection.world.life;
        if life.wants().release.is_some() {
            return Ok(());
        }
        let result = self.table.release(connection.key, self.told).map(|_| ());
        ensure!(result == Err(ReleaseError::NotYet(life)), "{number} was released too early: {result:?}");
        self.seen.note("refused: release");
        Ok(())
    }

    fn lend_unwanted(&mut self, number: usize, operation: Operation) -> Checked {
        let connection = &self.connections[&number];
        let (key, life) = (connection.key, connection.world.life);
        let input = Input::Outcome(Outcome::Submitting(operation, Owed::One));
        let has_slot = at(operation).is_some();
        if has_slot && life.step(input).is_ok() {
            return Ok(());
        }
        self.books.refused += u64::from(has_slot);
        match self.lend_in_vain(key, operation)? {
            InputError::Refused(refused) if refused.life == life && refused.input == input => {
                self.seen.note("refused: lend");
                Ok(())
            }
            other => Err(format!("{operation:?} was not refused: {other}")),
        }
    }

    /// Lends a buffer, which must come back with the error.
    fn lend_in_vain(&mut self, key: Key, operation: Operation) -> Checked<InputError> {
        let buffer = self.ledger.thing(Place::Ours);
        let number = buffer.number();
        match self.table.lend(key, operation, Owed::One, Some(buffer), self.told) {
            Ok(right) => Err(format!("{right:?} was lent to in vain")),
            Err(error) => {
                let back = error.buffer.map(|buffer| buffer.number());
                ensure!(back == Some(number), "{number} was not lent, and {back:?} came back");
                Ok(error.error)
            }
        }
    }

    fn use_the_dead(&mut self, victim: usize, manner: usize) -> Checked {
        let count = self.dead.len().max(1);
        let Some(dead) = self.dead.get_mut(victim % count) else { return Ok(()) };
        let (key, user_data, right) = (dead.key, dead.user_data, dead.rights.pop());
        let stale = InputError::Stale(key);
        self.use_in_every_way(key, stale, ReleaseError::Stale(key), manner)?;
        self.books.stale += 5;
        if let Some(user_data) = user_data {
            let result = self.table.operation(user_data);
            ensure!(result == Err(stale), "{user_data:x} of a dead connection: {result:?}");
            self.books.stale += 1;
        }
        if let Some(right) = right {
            ensure!(self.table.lent(&right).is_none(), "{right:?} has a buffer");
            let result = match manner % 3 {
                0 => self.table.complete(right, Answer::Received(1), More::Last, self.told).map(|_| ()),
                1 => self.table.returned(right, Answer::Sent(1), self.told).map(|_| ()),
                _ => self.table.taken(right, self.told).map(|_| ()),
            };
            ensure!(result == Err(stale), "the right of a dead connection: {result:?}");
            self.books.stale += 1;
            self.seen.note("stale: right");
        }
        self.seen.note("stale");
        Ok(())
    }

    fn use_a_foreign_key(&mut self, manner: usize) -> Checked {
        let key = self.other_key;
        self.use_in_every_way(key, InputError::Foreign(key), ReleaseError::Foreign(key), manner)?;
        self.books.foreign += 5;
        self.seen.note("foreign");
        Ok(())
    }

    /// Five methods that count what they refuse, and those that only look.
    fn use_in_every_way(&mut self, key: Key, error: InputError, no: ReleaseError, manner: usize) -> Checked {
        let now = self.told;
        let input = untimely(manner);
        let result = self.table.input(key, input, now);
        ensure!(result == Err(error), "{input:?} for {key:?}: {result:?}");
        let code = RawCode::here(1);
        let result = self.table.input_with_code(key, input, code, now);
        ensure!(result == Err(error), "{input:?} for {key:?}: {result:?}");
        let close = Input::Command(hangup::Command::Close(hangup::Plan::Abort));
        let result = self.table.input(key, close, now);
        ensure!(result == Err(error), "abort of {key:?}: {result:?}");
        let result = self.lend_in_vain(key, Operation::WITH_SLOT[manner % 5])?;
        ensure!(result == error, "lend for {key:?}: {result:?}");
        let result = self.table.release(key, now).map(|_| ());
        ensure!(result == Err(no), "release of {key:?}: {result:?}");
        let table = &self.table;
        ensure!(table.life(key) == Err(error) && table.wants(key) == Err(error), "{key:?} is there");
        ensure!(table.pending(key) == Err(error) && table.code(key) == Err(error), "{key:?} is there");
        let there = table.resource(key);
        ensure!(there == Err(error), "{key:?} has {there:?}");
        Ok(())
    }

    /// The number of an operation that was answered: stale, whatever is in flight now. A request to cancel that
    /// is not answered keeps the number alive, and then the answer itself is refused.
    fn answer_by_number_again(&mut self, number: usize) -> Checked {
        let connection = &self.connections[&number];
        let Some(&(operation, user_data)) = connection.answered.last() else { return Ok(()) };
        let (key, life) = (connection.key, connection.world.life);
        let slot = life.slot(operation);
        let (in_flight, result) =
            (slot.owed != Owed::Nothing || slot.calling, self.table.operation(user_data));
        match result {
            Err(InputError::Stale(stale)) if stale == key => {
                self.books.stale += 1;
                self.seen.note("stale: number");
                Ok(())
            }
            Ok(right) if !in_flight && !slot.is_idle() => {
                let result = self.table.complete(right, answer(operation), More::Last, self.told).map(|_| ());
                self.books.refused += 1;
                ensure!(matches!(result, Err(InputError::Refused(_))), "answered twice: {result:?}");
                self.seen.note("refused: number");
                Ok(())
            }
            other => Err(format!("{user_data:x} was answered, and is good again: {other:?}")),
        }
    }

    /// A second right to answer an operation that was answered.
    fn answer_by_right_again(&mut self, number: usize) -> Checked {
        let connection = self.connections.get_mut(&number).ok_or("no such connection")?;
        let (key, life) = (connection.key, connection.world.life);
        let Some(right) = connection.rights.pop() else { return Ok(()) };
        let current = connection.operations.iter().flatten();
        if current.into_iter().any(|in_flight| in_flight.user_data == right.user_data()) {
            // It is the right to answer what is in flight.
            return Ok(());
        }
        let operation = right.operation();
        let again = !life.slot(operation).is_idle();
        ensure!(self.table.lent(&right).is_none(), "{right:?} has the buffer of another operation");
        let result = self.table.complete(right, answer(operation), More::Last, self.told).map(|_| ());
        match result {
            Err(InputError::Refused(_)) => self.books.refused += 1,
            Err(InputError::Stale(stale)) if stale == key => self.books.stale += 1,
            other => return Err(format!("{operation:?} was answered twice: {other:?}")),
        }
        self.seen.note(if again { "twice: another in flight" } else { "twice" });
        Ok(())
    }

    /// The right to answer one operation, and the answer of another.
    fn answer_for_another(&mut self, number: usize, manner: usize) -> Checked {
        let connection = &self.connections[&number];
        let (key, life) = (connection.key, connection.world.life);
        let Some(user_data) = connection.operations.iter().flatten().next().map(|one| one.user_data) else {
            return Ok(());
        };
        let right = self.table.operation(user_data).map_err(|error| error.to_string())?;
        let another = Operation::WITH_SLOT[manner % 5];
        if another == right.operation() || life.slot(another).is_idle() {
            return Ok(());
        }
        let result = self.table.complete(right, answer(another), More::Last, self.told).map(|_| ());
        match result {
            Err(InputError::Refused(refused)) if refused.life == life => self.books.refused += 1,
            Err(InputError::Stale(stale)) if stale == key => self.books.stale += 1,
            other => return Err(format!("{another:?} was answered with the right of another: {other:?}")),
        }
        self.seen.note("refused: answer of another");
        Ok(())
    }
}

/// An answer that the operation can give.
const fn answer(operation: Operation) -> Answer {
    match operation {
        Operation::Connect => Answer::Connected,
        Operation::Send => Answer::SendFailed(Fault::Reset),
        Operation::Watch => Answer::WatchFailed(Fault::Reset),
        Operation::Shutdown => Answer::ShutDown,
        _ => Answer::ReceiveFailed(Fault::Reset),
    }
}
