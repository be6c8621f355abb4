//! The table that a script is run on: that of one worker, or that of several, with one. They must do the same.

use hangup::{
    Answer, Audit, Deadline, Input, InputError, Key, LendError, Life, Mechanism, Moment, More, Operation,
    OperationKey, Owed, Plan, Policy, RawCode, ReleaseError, Released, Settled, Table, TableFull, Wants,
    shared,
};

use crate::ledger::Thing;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Alone,
    Shared,
}

#[derive(Debug)]
pub(crate) enum Subject {
    Alone(Box<Table<Thing, Thing>>),
    Shared(Box<shared::Table<Thing, Thing>>),
}

pub(crate) enum Vacant<'a> {
    Alone(hangup::Vacant<'a, Thing, Thing>),
    Shared(shared::Vacant<'a, Thing, Thing>),
}

/// The same call on either.
macro_rules! either {
    ($self:expr, $table:ident => $call:expr) => {
        match $self {
            Self::Alone($table) => $call,
            Self::Shared($table) => $call,
        }
    };
}

impl Vacant<'_> {
    pub(crate) fn key(&self) -> Key {
        either!(self, vacant => vacant.key())
    }

    pub(crate) fn accept(self, thing: Thing, now: Moment) -> Key {
        either!(self, vacant => vacant.accept(thing, now))
    }

    pub(crate) fn connect(self, thing: Thing, now: Moment) -> Key {
        either!(self, vacant => vacant.connect(thing, now))
    }
}

impl Subject {
    pub(crate) fn new(form: Form, compact: bool, mechanism: Mechanism, policy: Policy) -> Self {
        match (form, compact) {
            (Form::Alone, false) => Self::Alone(Box::new(Table::new(mechanism, policy))),
            (Form::Alone, true) => Self::Alone(Box::new(Table::compact(mechanism, policy))),
            (Form::Shared, false) => Self::Shared(Box::new(shared::Table::new(mechanism, policy))),
            (Form::Shared, true) => Self::Shared(Box::new(shared::Table::compact(mechanism, policy))),
        }
    }

    pub(crate) fn vacant(&mut self) -> Result<Vacant<'_>, TableFull> {
        match self {
            Self::Alone(table) => table.vacant().map(Vacant::Alone),
            Self::Shared(table) => table.vacant().map(Vacant::Shared),
        }
    }

    pub(crate) fn input(&mut self, key: Key, input: Input, now: Moment) -> Result<Wants, InputError> {
        either!(self, table => table.input(key, input, now))
    }

    pub(crate) fn input_with_code(
        &mut self,
        key: Key,
        input: Input,
        code: RawCode,
        now: Moment,
    ) -> Result<Wants, InputError> {
        either!(self, table => table.input_with_code(key, input, code, now))
    }

    pub(crate) fn lend(
        &mut self,
        key: Key,
        operation: Operation,
        owed: Owed,
        buffer: Option<Thing>,
        now: Moment,
    ) -> Result<OperationKey, LendError<Option<Thing>>> {
        either!(self, table => table.lend(key, operation, owed, buffer, now))
    }

    /// The number of the buffer of an operation in flight.
    pub(crate) fn lent(&mut self, operation: &OperationKey) -> Option<usize> {
        match self {
            Self::Alone(table) => table.lent_mut(operation).map(|thing| thing.number()),
            Self::Shared(table) => table.with_lent(operation, |thing| thing.number()),
        }
    }

    pub(crate) fn operation(&mut self, user_data: u64) -> Result<OperationKey, InputError> {
        either!(self, table => table.operation(user_data))
    }

    pub(crate) fn taken(&mut self, right: OperationKey, now: Moment) -> Result<Settled<Thing>, InputError> {
        either!(self, table => table.taken(right, now))
    }

    pub(crate) fn returned(
        &mut self,
        right: OperationKey,
        answer: Answer,
        now: Moment,
    ) -> Result<Settled<Thing>, InputError> {
        either!(self, table => table.returned(right, answer, now))
    }

    pub(crate) fn complete(
        &mut self,
        right: OperationKey,
        answer: Answer,
        more: More,
        now: Moment,
    ) -> Result<Settled<Thing>, InputError> {
        either!(self, table => table.complete(right, answer, more, now))
    }

    pub(crate) fn release(&mut self, key: Key, now: Moment) -> Result<Released<Thing>, ReleaseError> {
        either!(self, table => table.release(key, now))
    }

    pub(crate) fn expire(&mut self, now: Moment) -> Option<(Key, Deadline, Wants)> {
        either!(self, table => table.expire(now))
    }

    pub(crate) fn drain(&mut self, plan: Plan, now: Moment, each: impl FnMut(Key, Wants)) {
        either!(self, table => table.drain(plan, now, each));
    }

    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        either!(self, table => table.next_deadline())
    }

    pub(crate) fn life(&self, key: Key) -> Result<Life, InputError> {
        either!(self, table => table.life(key))
    }

    pub(crate) fn wants(&self, key: Key) -> Result<Wants, InputError> {
        either!(self, table => table.wants(key))
    }

    pub(crate) fn pending(&self, key: Key) -> Result<u32, InputError> {
        either!(self, table => table.pending(key))
    }

    pub(crate) fn code(&self, key: Key) -> Result<Option<RawCode>, InputError> {
        either!(self, table => table.code(key))
    }

    /// The number of what the connection owns.
    pub(crate) fn resource(&self, key: Key) -> Result<usize, InputError> {
        match self {
            Self::Alone(table) => table.get(key).map(Thing::number),
            Self::Shared(table) => table.with(key, Thing::number),
        }
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        match self {
            Self::Alone(table) => table.keys().collect(),
            Self::Shared(table) => table.keys(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        either!(self, table => table.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        either!(self, table => table.is_empty())
    }

    pub(crate) fn audit(&self) -> Audit {
        either!(self, table => table.audit())
    }

    pub(crate) fn token(&self, key: Key) -> usize {
        either!(self, table => table.token(key))
    }

    pub(crate) fn key(&self, token: usize) -> Key {
        either!(self, table => table.key(token))
    }
}
