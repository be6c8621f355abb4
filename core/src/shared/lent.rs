//! Operations in flight, with several workers: the call may return on one after the completion came to another.

use super::sync::{MutexGuard, lock};
use super::{Books, Inside, Table};
use crate::table::place_of;
use crate::{
    Answer, Input, InputError, Key, LendError, Moment, More, Operation, OperationKey, Outcome, Owed, RawCode,
    Settled,
};

impl<S, B> Table<S, B> {
    /// Claims an operation, and lends its buffer to the OS, before the call is made. As [`crate::Table::lend`].
    ///
    /// Of several workers that see the same want, one gets it. It makes the call, with
    /// [`OperationKey::user_data`] as the number that comes back, and reports what the call said by
    /// [`taken`](Self::taken) or [`returned`](Self::returned). The completion may have come to another worker by then:
    /// whichever of the two reports is the last gets the buffer.
    ///
    /// # Errors
    ///
    /// [`LendError`] with the buffer if the operation is not wanted now, one of its kind is in flight, or the
    /// key is stale or foreign.
    pub fn lend(
        &self,
        key: Key,
        operation: Operation,
        owed: Owed,
        buffer: Option<B>,
        now: Moment,
    ) -> Result<OperationKey, LendError<Option<B>>> {
        let input = Input::Outcome(Outcome::Submitting(operation, owed));
        let inside = match self.enter(key) {
            Ok(inside) => inside,
            Err(error) => return Err(LendError { error: self.tally.turn_away(error), buffer }),
        };
        let Some(at) = place_of(operation) else {
            // The others are over when the call returns, and the OS keeps nothing of ours.
            return Err(LendError { error: inside.refuse(input), buffer });
        };
        let mut books = lock(&inside.place.books);
        if let Err(error) = inside.write(&mut books, input, None, now) {
            return Err(LendError { error: self.tally.turn_away(error), buffer });
        }
        self.tally.lent.add(buffer.is_some());
        let sequence = books.lent.get_or_insert_default().put(at, buffer);
        Ok(OperationKey::new(key, operation, sequence))
    }

    /// Lets the closure have the buffer of an operation in flight: for the address that goes to the OS. `None` if it
    /// has no buffer, or the operation has been answered. As [`crate::Table::lent_mut`].
    ///
    /// The closure must not use the table.
    pub fn with_lent<R>(&self, operation: &OperationKey, change: impl FnOnce(&mut B) -> R) -> Option<R> {
        let inside = self.enter(operation.key()).ok()?;
        let mut books = inside.books_of(operation).ok()?;
        books.lent.as_mut()?.buffer(operation.operation())?.as_mut().map(change)
    }

    /// The right to answer that a number from the OS stands for. As [`crate::Table::operation`].
    ///
    /// # Errors
    ///
    /// [`InputError::Stale`] if the connection has been released, or nothing of the operation is in flight, or
    /// another one of its kind is by now.
    pub fn operation(&self, user_data: u64) -> Result<OperationKey, InputError> {
        let current = OperationKey::of_user_data(user_data, self.layout, self.id).and_then(|operation| {
            let inside = self.enter(operation.key())?;
            inside.books_of(&operation).map(drop)?;
            Ok(operation)
        });
        current.map_err(|error| self.tally.turn_away(error))
    }

    /// The submitting call returned, and the OS has taken the operation: its completion is owed, or another worker has
    /// seen it already, and then this brings the buffer. As [`crate::Table::taken`].
    ///
    /// # Errors
    ///
    /// As [`Table::complete`].
    pub fn taken(&self, operation: OperationKey, now: Moment) -> Result<Settled<B>, InputError> {
        let pending = Outcome::Pending(operation.operation());
        self.answer(operation, pending, None, now)
    }

    /// The submitting call gave the answer by itself, and nothing more will come. As [`crate::Table::returned`].
    ///
    /// # Errors
    ///
    /// As [`Table::complete`].
    pub fn returned(
        &self,
        operation: OperationKey,
        answer: Answer,
        now: Moment,
    ) -> Result<Settled<B>, InputError> {
        self.answer(operation, Outcome::Immediate(answer), None, now)
    }

    /// As [`Table::returned`], with the code of the OS that the answer's fault was made from.
    ///
    /// # Errors
    ///
    /// As [`Table::complete`].
    pub fn returned_with_code(
        &self,
        operation: OperationKey,
        answer: Answer,
        code: RawCode,
        now: Moment,
    ) -> Result<Settled<B>, InputError> {
        self.answer(operation, Outcome::Immediate(answer), Some(code), now)
    }

    /// A notification that was owed has come. As [`crate::Table::complete`].
    ///
    /// # Errors
    ///
    /// As [`Table::input`]; and [`InputError::Stale`] if the operation has been answered, or
    /// [`InputError::Refused`] if the answer is one of another kind of operation.
    pub fn complete(
        &self,
        operation: OperationKey,
        answer: Answer,
        more: More,
        now: Moment,
    ) -> Result<Settled<B>, InputError> {
        self.answer(operation, Outcome::Completed(answer, more), None, now)
    }

    /// As [`Table::complete`], with the code of the OS that the answer's fault was made from.
    ///
    /// # Errors
    ///
    /// As [`Table::complete`].
    pub fn complete_with_code(
        &self,
        operation: OperationKey,
        answer: Answer,
        more: More,
        code: RawCode,
        now: Moment,
    ) -> Result<Settled<B>, InputError> {
        self.answer(operation, Outcome::Completed(answer, more), Some(code), now)
    }

    fn answer(
        &self,
        operation: OperationKey,
        outcome: Outcome,
        code: Option<RawCode>,
        now: Moment,
    ) -> Result<Settled<B>, InputError> {
        let settled = self.settle(operation, outcome, code, now);
        settled.map_err(|error| self.tally.turn_away(error))
    }

    /// One lock from the check of the right to the buffer's return: of two answers, one finds the right used up.
    fn settle(
        &self,
        operation: OperationKey,
        outcome: Outcome,
        code: Option<RawCode>,
        now: Moment,
    ) -> Result<Settled<B>, InputError> {
        let (inside, input) = (self.enter(operation.key())?, Input::Outcome(outcome));
        let mut books = inside.books_of(&operation)?;
        if let Outcome::Immediate(answer) | Outcome::Completed(answer, _) = outcome {
            if answer.operation() != operation.operation() {
                return Err(inside.refuse(input));
            }
        }
        let (life, last) = inside.write(&mut books, input, code, now)?;
        let (slot, wants) = (life.slot(operation.operation()), last.wants());
        if slot.owed != Owed::Nothing || slot.calling {
            return Ok(Settled::InFlight { operation, wants });
        }
        let lent = books.lent.as_mut().and_then(|lent| lent.buffer(operation.operation()));
        let buffer = lent.and_then(Option::take);
        self.tally.returned.add(buffer.is_some());
        Ok(Settled::Done { buffer, wants })
    }
}

impl<'a, S, B> Inside<'a, S, B> {
    /// The books, if the operation is the one of its kind that is in flight.
    fn books_of(&self, operation: &OperationKey) -> Result<MutexGuard<'a, Books<B>>, InputError> {
        let books = lock(&self.place.books);
        let in_flight = !self.place.life().slot(operation.operation()).is_idle();
        let is_last = books.lent.as_ref().is_some_and(|lent| lent.is_last(operation));
        if in_flight && is_last { Ok(books) } else { Err(InputError::Stale(self.key)) }
    }
}

impl<S, B> Drop for Table<S, B> {
    /// Buffers that are with the OS are leaked, as by [`crate::Table`].
    fn drop(&mut self) {
        for (_, place) in self.places.iter() {
            let lent = lock(&place.books).lent.take();
            for buffer in lent.into_iter().flat_map(|lent| lent.buffers).flatten() {
                #[allow(clippy::mem_forget, reason = "the OS still has it")]
                core::mem::forget(buffer);
            }
        }
    }
}
