//! Operations in flight: the buffers that the OS has, and the keys that bring them back.

use super::{InputError, LendError, Table};
use crate::key::{KeyLayout, TableId};
use crate::{Answer, Input, Key, Life, Moment, More, Operation, Outcome, Owed, RawCode, Refused, Wants};

/// The right to say how an operation went, once.
///
/// It is made when a buffer is lent, goes through the OS as a number ([`OperationKey::into_user_data`]) and is
/// used up by the answer. It cannot be copied: answering twice does not compile, and answering twice by
/// way of the number is refused at run time.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the operation can only be answered with this"]
pub struct OperationKey {
    pub(super) key: Key,
    operation: Operation,
    sequence: u8,
}

/// How an operation stands after an answer.
#[derive(Debug)]
#[must_use = "it may hold the buffer"]
pub enum Settled<B> {
    /// Nothing is owed any more, the call that submitted it has returned, and the buffer is back.
    Done {
        /// The buffer, if the operation had one.
        buffer: Option<B>,
        /// What is to be done now.
        wants: Wants,
    },
    /// The operation is in flight, and the buffer is with the OS.
    InFlight {
        /// The right to answer again.
        operation: OperationKey,
        /// What is to be done now.
        wants: Wants,
    },
}

/// The buffers of one connection that are with the OS, in the order of [`Operation::WITH_SLOT`].
#[derive(Debug)]
pub(crate) struct Lent<B> {
    pub(crate) buffers: [Option<B>; 5],
    sequences: [u8; 5],
}

impl<B> Default for Lent<B> {
    fn default() -> Self {
        Self { buffers: [None, None, None, None, None], sequences: [0; 5] }
    }
}

impl<B> Lent<B> {
    /// Takes in the buffer of an operation, and gives the operation's sequence number.
    pub(crate) fn put(&mut self, at: usize, buffer: Option<B>) -> u8 {
        let (Some(slot), Some(last)) = (self.buffers.get_mut(at), self.sequences.get_mut(at)) else {
            return 0;
        };
        *last = last.wrapping_add(1) & 0x7f;
        *slot = buffer;
        *last
    }

    /// Whether the operation is the last of its kind that was lent to.
    pub(crate) fn is_last(&self, operation: &OperationKey) -> bool {
        let at = place_of(operation.operation);
        at.and_then(|at| self.sequences.get(at)) == Some(&operation.sequence)
    }

    pub(crate) fn buffer(&mut self, operation: Operation) -> Option<&mut Option<B>> {
        self.buffers.get_mut(place_of(operation)?)
    }
}

const OPERATION_SHIFT: u32 = 50;
const SEQUENCE_SHIFT: u32 = 53;

pub(crate) fn place_of(operation: Operation) -> Option<usize> {
    Operation::WITH_SLOT.iter().position(|&other| other == operation)
}

impl OperationKey {
    pub(crate) const fn new(key: Key, operation: Operation, sequence: u8) -> Self {
        Self { key, operation, sequence }
    }

    /// What a number from the OS stands for, in the table of this layout and id.
    pub(crate) fn of_user_data(user_data: u64, layout: KeyLayout, id: TableId) -> Result<Self, InputError> {
        let key = layout.key_of_place(user_data & ((1 << OPERATION_SHIFT) - 1), id);
        let at = usize::try_from(user_data >> OPERATION_SHIFT & 0b111).unwrap_or(usize::MAX);
        #[allow(clippy::cast_possible_truncation, reason = "seven bits are compared")]
        let sequence = (user_data >> SEQUENCE_SHIFT) as u8 & 0x7f;
        let operation = Operation::WITH_SLOT.get(at).ok_or(InputError::Stale(key))?;
        Ok(Self::new(key, *operation, sequence))
    }

    /// The connection.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.key
    }

    /// The kind of operation.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// As a number that the OS keeps and gives back: place, generation, operation, and a sequence number. The
    /// table is left out; a ring or a port belongs to one. The four highest bits are 0, for marks of the
    /// adapter's own.
    #[must_use]
    pub fn into_user_data(self) -> u64 {
        self.user_data()
    }

    /// The number, without giving up the right: for a request to cancel the operation by it.
    #[must_use]
    pub fn user_data(&self) -> u64 {
        let place = place_of(self.operation).unwrap_or_default() as u64;
        let connection = self.key.to_bits() & ((1 << OPERATION_SHIFT) - 1);
        u64::from(self.sequence) << SEQUENCE_SHIFT | place << OPERATION_SHIFT | connection
    }
}

impl<S, B> Table<S, B> {
    /// Lends a buffer to the OS with an operation that is about to be submitted. From here on it is in
    /// flight: what the call says, and what the OS says later, go to [`complete`](Self::complete),
    /// [`returned`](Self::returned) and [`taken`](Self::taken), and the buffer comes back with the last of it.
    ///
    /// `operation` is one of [`Operation::WITH_SLOT`]; `owed` is [`Owed::One`], [`Owed::Stream`] or
    /// [`Owed::Both`].
    ///
    /// # Errors
    ///
    /// [`LendError`] with the buffer if the operation is not wanted now, one of its kind is in flight, or the
    /// key is stale or foreign.
    pub fn lend(
        &mut self,
        key: Key,
        operation: Operation,
        owed: Owed,
        buffer: Option<B>,
        now: Moment,
    ) -> Result<OperationKey, LendError<Option<B>>> {
        let input = Input::Outcome(Outcome::Submitting(operation, owed));
        let Some(at) = place_of(operation) else {
            // The others are over when the call returns, and the OS keeps nothing of ours.
            let error = self.life(key).map_or_else(|error| error, |life| Refused { input, life }.into());
            return Err(LendError { error, buffer });
        };
        if let Err(error) = self.feed(key, input, None, now) {
            return Err(LendError { error, buffer });
        }
        let place = self.layout.index(key) as usize;
        if self.lent.len() <= place {
            self.lent.resize_with(place + 1, || None);
        }
        let mut sequence = 0;
        if let Some(lent) = self.lent.get_mut(place) {
            let lent = lent.get_or_insert_with(Lent::default);
            self.audit.lent += u64::from(buffer.is_some());
            sequence = lent.put(at, buffer);
        }
        Ok(OperationKey { key, operation, sequence })
    }

    /// The buffer of an operation in flight: for the address that goes to the OS. `None` if it has no buffer, or the
    /// operation has been answered.
    ///
    /// It belongs to the OS now. Moving what it points to, or touching it before the operation is answered, is
    /// what this library is there to prevent; so this is for adapters, right before the call.
    pub fn lent_mut(&mut self, operation: &OperationKey) -> Option<&mut B> {
        self.check_current(operation).ok()?;
        let place = self.layout.index(operation.key) as usize;
        self.lent.get_mut(place)?.as_mut()?.buffer(operation.operation)?.as_mut()
    }

    /// The right to answer that a number from the OS stands for.
    ///
    /// # Errors
    ///
    /// [`InputError::Stale`] if the connection has been released, or nothing of the operation is in flight, or
    /// another one of its kind is by now.
    pub fn operation(&mut self, user_data: u64) -> Result<OperationKey, InputError> {
        let current = OperationKey::of_user_data(user_data, self.layout, self.id)
            .and_then(|operation| self.check_current(&operation).map(|()| operation));
        current.map_err(|error| self.audit.turn_away(error))
    }

    /// Whether the operation is the one of its kind that is in flight.
    fn check_current(&self, operation: &OperationKey) -> Result<(), InputError> {
        let key = operation.key;
        let in_flight = !self.life(key)?.slot(operation.operation).is_idle();
        let lent = self.lent.get(self.layout.index(key) as usize).and_then(Option::as_ref);
        let is_last = lent.is_some_and(|lent| lent.is_last(operation));
        if in_flight && is_last { Ok(()) } else { Err(InputError::Stale(key)) }
    }

    /// Refuses what brings back a buffer, or takes out the resources, by a door that would lose them.
    #[inline]
    pub(super) fn check_door(&mut self, key: Key, input: Input) -> Result<(), InputError> {
        let operation = match input {
            Input::Outcome(Outcome::Immediate(answer) | Outcome::Completed(answer, _)) => answer.operation(),
            Input::Outcome(Outcome::Pending(operation)) => operation,
            Input::Outcome(Outcome::Submitting(..) | Outcome::Cancelling(_) | Outcome::CancelAnswered(_))
            | Input::Hint(_)
            | Input::Command(_)
            | Input::Expired(_) => return Ok(()),
        };
        if self.lent.is_empty() && operation != Operation::Release {
            return Ok(());
        }
        let lent = || {
            let lent = self.lent.get(self.layout.index(key) as usize)?.as_ref()?;
            lent.buffers.get(place_of(operation)?)?.as_ref()
        };
        if operation == Operation::Release || lent().is_some() {
            let error = self.life(key).map_or_else(|error| error, |life| Refused { input, life }.into());
            return Err(self.audit.turn_away(error));
        }
        Ok(())
    }

    /// The submitting call returned, and the OS has taken the operation: its completion is owed, or another
    /// worker has seen it already. The right to answer goes on, as a number with the OS.
    ///
    /// # Errors
    ///
    /// As [`Table::complete`].
    pub fn taken(&mut self, operation: OperationKey, now: Moment) -> Result<Settled<B>, InputError> {
        let pending = Outcome::Pending(operation.operation);
        self.answer(operation, pending, None, now)
    }

    /// The submitting call gave the answer by itself, and nothing more will come: refused, or done at once.
    /// The same door as for a completion.
    ///
    /// # Errors
    ///
    /// As [`Table::complete`].
    pub fn returned(
        &mut self,
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
        &mut self,
        operation: OperationKey,
        answer: Answer,
        code: RawCode,
        now: Moment,
    ) -> Result<Settled<B>, InputError> {
        self.answer(operation, Outcome::Immediate(answer), Some(code), now)
    }

    /// A notification that was owed has come.
    ///
    /// # Errors
    ///
    /// As [`Table::input`]; and [`InputError::Stale`] if the operation has been answered, or
    /// [`InputError::Refused`] if the answer is one of another kind of operation. Nothing has changed: an
    /// operation that is still in flight can be answered by way of its number ([`Table::operation`]).
    pub fn complete(
        &mut self,
        operation: OperationKey,
        answer: Answer,
        more: More,
        now: Moment,
    ) -> Result<Settled<B>, InputError> {
        self.answer(operation, Outcome::Completed(answer, more), None, now)
    }

    /// As [`Table::complete`], with the code of the OS that the answer's fault was made from. The code that
    /// decides something is kept for the report.
    ///
    /// # Errors
    ///
    /// As [`Table::complete`].
    pub fn complete_with_code(
        &mut self,
        operation: OperationKey,
        answer: Answer,
        more: More,
        code: RawCode,
        now: Moment,
    ) -> Result<Settled<B>, InputError> {
        self.answer(operation, Outcome::Completed(answer, more), Some(code), now)
    }

    fn answer(
        &mut self,
        operation: OperationKey,
        outcome: Outcome,
        code: Option<RawCode>,
        now: Moment,
    ) -> Result<Settled<B>, InputError> {
        let (key, input) = (operation.key, Input::Outcome(outcome));
        if let Err(error) = self.check_current(&operation) {
            return Err(self.audit.turn_away(error));
        }
        if let Outcome::Immediate(answer) | Outcome::Completed(answer, _) = outcome {
            if answer.operation() != operation.operation {
                let error = self.life(key).map_or_else(|error| error, |life| Refused { input, life }.into());
                return Err(self.audit.turn_away(error));
            }
        }
        let wants = self.feed(key, input, code, now)?.wants();
        Ok(self.settled(operation, wants))
    }

    /// The buffer comes back when the OS owes nothing for it any more, and nobody is inside the call.
    fn settled(&mut self, operation: OperationKey, wants: Wants) -> Settled<B> {
        let slot = self.life(operation.key).map(|life: Life| life.slot(operation.operation));
        if slot.is_ok_and(|slot| slot.owed != Owed::Nothing || slot.calling) {
            return Settled::InFlight { operation, wants };
        }
        let place = self.layout.index(operation.key) as usize;
        let lent = self.lent.get_mut(place).and_then(Option::as_mut);
        let buffer = lent.and_then(|lent| lent.buffer(operation.operation)).and_then(Option::take);
        self.audit.returned += u64::from(buffer.is_some());
        Settled::Done { buffer, wants }
    }
}

impl<S, B> Drop for Table<S, B> {
    /// A table that is dropped while buffers are with the OS leaks them: the OS may write there at any time,
    /// and memory that is lost is the lesser evil.
    fn drop(&mut self) {
        for lent in self.lent.iter_mut().flatten() {
            for buffer in lent.buffers.iter_mut().filter_map(Option::take) {
                #[allow(clippy::mem_forget, reason = "the OS still has it")]
                core::mem::forget(buffer);
            }
        }
    }
}
