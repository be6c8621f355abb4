//! How an input gets to the table: by which method, with which buffer, with which right to answer.

use hangup::{
    Close, Input, InputError, Life, Moment, More, Operation, OperationKey, Os, Outcome, Owed, RawCode,
    Settled, Wants,
};

use crate::harness::{Checked, Harness, InFlight, ensure};
use crate::ledger::{Place, Thing};
use crate::misuse::Dead;

impl Harness {
    /// The moment that goes with an input: sometimes the clock has run backwards.
    fn moment(&mut self, bytes: usize) -> Moment {
        let behind = if bytes == 100 { 7 } else { 0 };
        let moment = Moment::from_millis(self.clock.as_millis().saturating_sub(behind));
        self.told = self.told.max(moment);
        moment
    }

    /// Offers an input that must be accepted. What is wanted then, and the code that went with it.
    pub(crate) fn offer(
        &mut self,
        number: usize,
        input: Input,
        before: Life,
        bytes: usize,
    ) -> Checked<(Wants, Option<RawCode>)> {
        let refused = |error: InputError| format!("{input:?} on {number}: {error}");
        let (key, now) = (self.connections[&number].key, self.moment(bytes));
        if let Input::Outcome(outcome) = input {
            match outcome {
                Outcome::Submitting(operation, owed) if at(operation).is_some() => {
                    return Ok((self.lend(number, operation, owed, bytes)?, None));
                }
                Outcome::Pending(operation) => {
                    let right = self.right(number, operation)?;
                    let settled = self.table.taken(right, now).map_err(refused)?;
                    return Ok((self.settled(number, operation, settled)?, None));
                }
                Outcome::Immediate(answer) if before.slot(answer.operation()).calling => {
                    let right = self.right(number, answer.operation())?;
                    let settled = self.table.returned(right, answer, now).map_err(refused)?;
                    return Ok((self.settled(number, answer.operation(), settled)?, None));
                }
                Outcome::Completed(answer, more) => {
                    let right = self.right(number, answer.operation())?;
                    let settled = self.table.complete(right, answer, more, now).map_err(refused)?;
                    self.seen.note(if more == More::Follows { "more follows" } else { "last" });
                    return Ok((self.settled(number, answer.operation(), settled)?, None));
                }
                _ => {}
            }
        }
        if bytes & 1 == 0 {
            let code = RawCode::native(Os::Linux, i32::try_from(bytes % 130).expect("small"));
            let wants = self.table.input_with_code(key, input, code, now).map_err(refused)?;
            Ok((wants, Some(code)))
        } else {
            Ok((self.table.input(key, input, now).map_err(refused)?, None))
        }
    }

    fn lend(&mut self, number: usize, operation: Operation, owed: Owed, bytes: usize) -> Checked<Wants> {
        let (key, now) = (self.connections[&number].key, self.moment(bytes));
        // An operation without a buffer is as good.
        let buffer = (bytes != 2).then(|| self.ledger.thing(Place::Ours));
        let buffer_number = buffer.as_ref().map(Thing::number);
        let right = self
            .table
            .lend(key, operation, owed, buffer, now)
            .map_err(|error| format!("{operation:?} on {number}: {error}"))?;
        ensure!(right.key() == key && right.operation() == operation, "{right:?} is for something else");
        let there = self.table.lent(&right);
        ensure!(there == buffer_number, "the buffer of {operation:?} is {there:?}, not {buffer_number:?}");
        let user_data = right.user_data();
        ensure!(user_data >> 60 == 0, "{user_data:x} uses the marks of the adapter");
        if let Some(buffer) = buffer_number {
            self.ledger.set(buffer, Place::Os);
            self.books.lent += 1;
        }
        let right = if bytes % 2 == 1 {
            Some(right)
        } else {
            ensure!(right.into_user_data() == user_data, "two numbers for one operation");
            None
        };
        let in_flight = InFlight { user_data, right, buffer: buffer_number };
        let slot = self.operation(number, operation)?;
        ensure!(slot.is_none(), "{operation:?} is in flight twice");
        *slot = Some(in_flight);
        self.seen.note("lent");
        self.table.wants(key).map_err(|error| error.to_string())
    }

    pub(crate) fn operation(
        &mut self,
        number: usize,
        operation: Operation,
    ) -> Checked<&mut Option<InFlight>> {
        let connection = self.connections.get_mut(&number).ok_or("no such connection")?;
        at(operation).and_then(|at| connection.operations.get_mut(at)).ok_or_else(|| "no slot".to_owned())
    }

    /// The right to answer an operation in flight: the one that was kept, or one by its number.
    fn right(&mut self, number: usize, operation: Operation) -> Checked<OperationKey> {
        let in_flight = self.operation(number, operation)?;
        let in_flight = in_flight.as_mut().ok_or_else(|| format!("{operation:?} is not in flight"))?;
        let (user_data, kept) = (in_flight.user_data, in_flight.right.take());
        let by_number = self.table.operation(user_data).map_err(|error| error.to_string())?;
        match kept {
            Some(right) => {
                ensure!(right == by_number, "{right:?} and {by_number:?} are one");
                // The second one is kept for misuse.
                let connection = self.connections.get_mut(&number).ok_or("no such connection")?;
                connection.rights.push(by_number);
                Ok(right)
            }
            None => Ok(by_number),
        }
    }

    /// The buffer is back if, and only if, the simulated OS is done with it.
    fn settled(&mut self, number: usize, operation: Operation, settled: Settled<Thing>) -> Checked<Wants> {
        let slot = self.operation(number, operation)?;
        let lent = slot.as_ref().and_then(|in_flight| in_flight.buffer);
        let user_data = slot.as_ref().map(|in_flight| in_flight.user_data);
        let with_the_os = lent.map(|buffer| self.ledger.place(buffer) == Place::Os);
        match settled {
            Settled::Done { buffer, wants } => {
                ensure!(with_the_os != Some(true), "the OS still has the buffer of {operation:?}");
                let back = buffer.as_ref().map(Thing::number);
                ensure!(back == lent, "{lent:?} was lent with {operation:?}, and {back:?} came back");
                self.books.returned += u64::from(back.is_some());
                self.seen.note("returned");
                *self.operation(number, operation)? = None;
                let connection = self.connections.get_mut(&number).ok_or("no such connection")?;
                connection.answered.extend(user_data.map(|user_data| (operation, user_data)));
                Ok(wants)
            }
            Settled::InFlight { operation: right, wants } => {
                ensure!(with_the_os != Some(false), "the buffer of {operation:?} does not come back");
                let slot = self.operation(number, operation)?;
                let in_flight = slot.as_mut().ok_or("not in flight")?;
                ensure!(right.user_data() == in_flight.user_data, "{right:?} is for another operation");
                self.seen.note("still in flight");
                Ok(wants)
            }
        }
    }

    /// Offers an input that must be refused, and change nothing.
    pub(crate) fn refused(&mut self, number: usize, input: Input, life: Life) -> Checked {
        let key = self.connections[&number].key;
        let before = self.snapshot();
        let result = self.table.input(key, input, self.told);
        self.books.refused += 1;
        match result {
            Err(InputError::Refused(refused)) if refused.input == input && refused.life == life => {}
            other => return Err(format!("{input:?} on {number} was not refused: {other:?}")),
        }
        self.seen.note("refused");
        self.unchanged(&before)
    }

    pub(crate) fn release(&mut self, number: usize) -> Checked {
        let connection = self.connections.remove(&number).ok_or("no such connection")?;
        let life = connection.world.life;
        let now = self.tell();
        let released = self.table.release(connection.key, now).map_err(|error| error.to_string())?;
        self.books.released += 1;
        self.ledger.set(released.resources.number(), Place::Ours);
        let resource = released.resources.number();
        ensure!(resource == connection.resource, "{resource} is of another connection");
        let reset = life.plan() == Some(hangup::Plan::Abort);
        ensure!((released.close == Close::Reset) == reset, "close: {:?}", released.close);
        connection.tally.check(&released.report, life, self.told)?;
        let in_flight = connection.operations.iter().flatten().count();
        ensure!(in_flight == 0, "{in_flight} operations of {number} were in flight");
        self.timetable.forget(number);
        self.seen.note("released");
        let user_data = connection.answered.last().map(|&(_, user_data)| user_data);
        self.dead.push(Dead { key: connection.key, user_data, rights: connection.rights });
        Ok(())
    }
}

/// The place of an operation that may be in flight.
pub(crate) fn at(operation: Operation) -> Option<usize> {
    Operation::WITH_SLOT.iter().position(|&other| other == operation)
}
