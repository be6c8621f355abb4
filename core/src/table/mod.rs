//! All connections of one event loop: their lives, their resources, their deadlines.

mod audit;
mod clock;
mod entry;
mod error;
mod lent;
mod limits;
mod vacant;
mod wheel;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use slab::Slab;

pub use self::audit::Audit;
use self::clock::Clock;
pub(crate) use self::entry::{Entry, Progress};
pub use self::error::{InputError, LendError, ReleaseError, TableFull};
pub(crate) use self::lent::Lent;
#[cfg(feature = "std")]
pub(crate) use self::lent::place_of;
pub use self::lent::{OperationKey, Settled};
use self::limits::Limits;
pub use self::vacant::Vacant;
use self::wheel::Wheel;
use crate::key::KeyLayout;
use crate::{
    Answer, Close, Command, Deadline, Input, Key, Life, Mechanism, Moment, Outcome, Plan, Policy, RawCode,
    Refused, Report, SendHalf, TableId, Wants, trace,
};

/// The connections of one event loop.
///
/// `S` is what a connection owns and what is given back when it has ended: the socket, and the
/// application's state. `B` is a buffer that goes to the OS with an operation; adapters that report
/// readiness lend none and leave it out.
///
/// There are four kinds of methods:
///
/// | kind | methods |
/// |---|---|
/// | **begin** | [`vacant`](Self::vacant), which gives the key before the socket exists |
/// | **feed** | [`input`](Self::input), [`expire`](Self::expire), [`lend`](Self::lend), [`complete`](Self::complete), [`drain`](Self::drain): each returns [`Wants`] |
/// | **ask** | [`wants`](Self::wants), [`life`](Self::life), [`get`](Self::get), [`next_deadline`](Self::next_deadline), [`audit`](Self::audit): change nothing |
/// | **end** | [`release`](Self::release), once, when [`Wants::release`] says so |
///
/// A key whose connection was released, or that belongs to another table, is refused by every method and changes
/// nothing. Methods with `&mut self` count it ([`Audit::stale`], [`Audit::foreign`]).
///
/// No method hands out a `&mut Life`: two of them could be swapped.
///
/// ```
/// use hangup::{Answer, Cause, Input, Mechanism, Moment, Outcome, Policy, Table};
///
/// let mut table: Table<&str> = Table::new(Mechanism::Level, Policy::default());
/// let now = Moment::EPOCH;
/// let said = |answer| Input::Outcome(Outcome::Immediate(answer));
///
/// let key = table.vacant()?.accept("the socket", now);
/// table.input(key, said(Answer::Registered), now)?;
/// table.input(key, said(Answer::Received(5)), now)?;
/// table.input(key, said(Answer::ReceiveFailed(hangup::Fault::Reset)), now)?;
/// let wants = table.input(key, said(Answer::Deregistered), now)?;
/// assert!(wants.release.is_some());
///
/// let released = table.release(key, now)?;
/// assert_eq!(released.resources, "the socket");
/// assert_eq!(released.report.cause, Cause::PeerReset);
/// assert!(table.release(key, now).is_err(), "the key is stale now");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Table<S, B = ()> {
    places: Slab<Entry<S>>,
    /// The generation that a place gets next. It outlives the entry.
    generations: Vec<u32>,
    /// The buffers with the OS, by place; empty until the first is lent.
    lent: Vec<Option<Lent<B>>>,
    wheel: Wheel,
    clock: Clock,
    policy: Policy,
    limits: Limits,
    mechanism: Mechanism,
    layout: KeyLayout,
    id: TableId,
    audit: Audit,
}

/// What a connection gives back when it is released.
#[derive(Debug)]
#[must_use = "it holds the socket"]
pub struct Released<S> {
    /// The socket, and whatever else the connection owned. It is yours now, and nobody else has it.
    pub resources: S,
    /// How to close the descriptor.
    pub close: Close,
    /// What there is to say about the connection.
    pub report: Report,
}

static TABLES: AtomicU32 = AtomicU32::new(0);

/// The id of a table to come.
pub(crate) fn next_id() -> TableId {
    TableId::from_number(TABLES.fetch_add(1, Ordering::Relaxed))
}

impl<S, B> Table<S, B> {
    /// An empty table. Keys of other tables of this process are refused, as long as there are fewer than
    /// 16,382 tables.
    ///
    /// Where a `usize` has 32 bits, this is [`Table::compact`].
    #[must_use]
    pub fn new(mechanism: Mechanism, policy: Policy) -> Self {
        let layout = if usize::BITS < 64 { KeyLayout::COMPACT } else { KeyLayout::WIDE };
        Self::with_layout(mechanism, policy, layout)
    }

    /// An empty table whose tokens fit 32 bits: at most a million connections at a time, and places are
    /// retired after 4,095 uses.
    #[must_use]
    pub fn compact(mechanism: Mechanism, policy: Policy) -> Self {
        Self::with_layout(mechanism, policy, KeyLayout::COMPACT)
    }

    fn with_layout(mechanism: Mechanism, policy: Policy, layout: KeyLayout) -> Self {
        Self {
            places: Slab::new(),
            generations: Vec::new(),
            lent: Vec::new(),
            wheel: Wheel::new(),
            clock: Clock::default(),
            limits: Limits::of(&policy),
            policy,
            mechanism,
            layout,
            id: next_id(),
            audit: Audit::default(),
        }
    }

    /// The limits of every wait.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What tells this table's keys from those of others, for whoever has keys of several.
    #[must_use]
    pub const fn id(&self) -> TableId {
        self.id
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.audit.held()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a connection to come. Its key is known before its socket exists.
    ///
    /// # Errors
    ///
    /// [`TableFull`] if every place that a key can name is taken or retired.
    pub fn vacant(&mut self) -> Result<Vacant<'_, S, B>, TableFull> {
        Vacant::find(self)
    }

    /// Feeds one happening. What is to be done now.
    ///
    /// The answers to an operation whose buffer was [lent](Self::lend) come by its own doors
    /// ([`returned`](Self::returned), [`taken`](Self::taken), [`complete`](Self::complete)), since they bring the
    /// buffer back; and [`Answer::Released`] comes by [`release`](Self::release). Here they are refused.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign, or the input has no row in the connection's state. It is
    /// counted, and nothing has changed.
    #[inline]
    pub fn input(&mut self, key: Key, input: Input, now: Moment) -> Result<Wants, InputError> {
        self.check_door(key, input)?;
        // Here and not in `feed`: whoever has no use for what is wanted does not pay for it.
        self.feed(key, input, None, now).map(Life::wants)
    }

    /// As [`Table::input`], with the code of the OS that the input's fault was made from. The code that decides
    /// something is kept for the report.
    ///
    /// # Errors
    ///
    /// As [`Table::input`].
    #[inline]
    pub fn input_with_code(
        &mut self,
        key: Key,
        input: Input,
        code: RawCode,
        now: Moment,
    ) -> Result<Wants, InputError> {
        self.check_door(key, input)?;
        self.feed(key, input, Some(code), now).map(Life::wants)
    }

    fn feed(
        &mut self,
        key: Key,
        input: Input,
        code: Option<RawCode>,
        now: Moment,
    ) -> Result<Life, InputError> {
        let (place, entry) = match find(&mut self.places, self.layout, self.id, key) {
            Ok(found) => found,
            Err(error) => return Err(self.audit.turn_away(error)),
        };
        let before = entry.life;
        let Some(after) = before.step(input).ok().filter(|_| !is_too_late(before, entry.pending(), input))
        else {
            return Err(self.audit.turn_away(Refused { input, life: before }.into()));
        };
        entry.count(input);
        entry.push(input);
        if let Some(code) = code {
            if decided(before, after) {
                entry.keep_code(code);
            }
        }
        entry.life = after;
        trace::taken(key, before, input, after);
        let follow_up = follow_up(entry, &self.policy, input);
        let (now, reference) = (self.clock.tell(now, &self.wheel), self.wheel.now());
        let progress = Progress::of(input);
        if before == after {
            entry.renew(after.deadlines(), progress, &self.limits, now);
        } else {
            let (before, after) = (before.deadlines(), after.deadlines());
            if let Some(when) = entry.arm(before, after, progress, &self.limits, now, reference) {
                self.wheel.file(&mut self.places, place, when);
            }
        }
        match follow_up {
            Some(input) => self.feed(key, input, None, self.clock.told()),
            None => Ok(after),
        }
    }

    /// What is to be done now. May be asked at any time; nothing is used up by asking.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn wants(&self, key: Key) -> Result<Wants, InputError> {
        self.life(key).map(Life::wants)
    }

    /// The state of a connection.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn life(&self, key: Key) -> Result<Life, InputError> {
        self.entry(key).map(|entry| entry.life)
    }

    /// The code of the OS that decided why the connection ends, if one did and the table was told.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn code(&self, key: Key) -> Result<Option<RawCode>, InputError> {
        self.entry(key).map(Entry::raw)
    }

    /// What the connection owns.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn get(&self, key: Key) -> Result<&S, InputError> {
        self.entry(key)?.resources.as_ref().ok_or(InputError::Stale(key))
    }

    /// What the connection owns, to be changed.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn get_mut(&mut self, key: Key) -> Result<&mut S, InputError> {
        match find(&mut self.places, self.layout, self.id, key) {
            Ok((_, entry)) => entry.resources.as_mut().ok_or(InputError::Stale(key)),
            Err(error) => Err(self.audit.turn_away(error)),
        }
    }

    /// Output that the application holds and the OS has not taken, as far as the table was told, in bytes.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn pending(&self, key: Key) -> Result<u32, InputError> {
        self.entry(key).map(Entry::pending)
    }

    /// Takes out what a connection owns, once, with the report. Its key is stale from here on.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`] if the connection has not ended, or has not been given back by the OS, or if the
    /// key is stale or foreign. Nothing has changed.
    pub fn release(&mut self, key: Key, now: Moment) -> Result<Released<S>, ReleaseError> {
        let (place, entry) = match find(&mut self.places, self.layout, self.id, key) {
            Ok(found) => found,
            Err(error) => return Err(self.audit.turn_away(error).into()),
        };
        let not_yet = ReleaseError::NotYet(entry.life);
        let released = Input::Outcome(Outcome::Immediate(Answer::Released));
        let (Some(close), Ok(life)) = (entry.life.wants().release, entry.life.step(released)) else {
            return Err(not_yet);
        };
        let Some(resources) = entry.resources.take() else { return Err(ReleaseError::Stale(key)) };
        self.clock.tell(now, &self.wheel);
        let report = entry.report(self.clock.told());
        trace::taken(key, entry.life, released, life);
        entry.life = life;
        self.vacate(place);
        Ok(Released { resources, close, report })
    }

    /// The place is free for another connection, or retired if its generations are used up.
    fn vacate(&mut self, place: u32) {
        self.wheel.remove(&mut self.places, place);
        if let Some(lent) = self.lent.get_mut(place as usize) {
            *lent = None;
        }
        self.audit.released += 1;
        let Some(generation) = self.generations.get_mut(place as usize) else { return };
        if *generation < self.layout.last_generation() {
            *generation += 1;
            self.places.remove(place as usize);
        } else {
            // A retired place stays taken, with nothing in it, so that no key ever names it again.
            self.audit.retired += 1;
        }
    }

    /// When [`Table::expire`] will have something to do. A deadline may turn out to be a little later, never
    /// earlier.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.wheel.next().map(|when| self.clock.when(when))
    }

    /// Lets the next deadline pass that has come by `now`, in the order of their moments. Call it until it returns
    /// `None`, whenever time has passed and before other inputs are fed.
    ///
    /// No deadline passes early, whatever the clock does. One passes late if the table was fed for a day and
    /// more without a call of this, and then the clock leapt by weeks.
    pub fn expire(&mut self, now: Moment) -> Option<(Key, Deadline, Wants)> {
        let until = self.clock.tell(now, &self.wheel);
        while let Some(place) = self.wheel.pop(&mut self.places, until) {
            let Some(entry) = self.places.get(place as usize) else { continue };
            let reference = self.wheel.now();
            let armed = entry.life.deadlines();
            let Some((deadline, when)) = entry.next_due(armed, &self.limits, reference) else { continue };
            if when > reference {
                // It was renewed since, or its list spans more than its moment.
                self.wheel.file(&mut self.places, place, when);
                continue;
            }
            let key = self.layout.key(place, entry.identity.generation(), self.id);
            if let Ok(life) = self.feed(key, Input::Expired(deadline), None, now) {
                self.refile(place);
                return Some((key, deadline, life.wants()));
            }
        }
        None
    }

    /// Files a place that came up for the deadlines that are left.
    fn refile(&mut self, place: u32) {
        let Some(entry) = self.places.get(place as usize) else { return };
        if let Some((_, when)) = entry.next_due(entry.life.deadlines(), &self.limits, self.wheel.now()) {
            self.wheel.file(&mut self.places, place, when);
        }
    }

    /// Closes every connection according to `plan`, and tells what each wants now.
    pub fn drain(&mut self, plan: Plan, now: Moment, mut each: impl FnMut(Key, Wants)) {
        let keys: Vec<Key> = self.keys().collect();
        for key in keys {
            if let Ok(wants) = self.input(key, Input::Command(Command::Close(plan)), now) {
                each(key, wants);
            }
        }
    }

    /// The keys of all connections.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.places.iter().filter(|(_, entry)| entry.resources.is_some()).map(|(place, entry)| {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            self.layout.key(place, entry.identity.generation(), self.id)
        })
    }

    /// What has come in, what has gone out, and what was turned away.
    #[must_use]
    pub fn audit(&self) -> Audit {
        self.audit
    }

    /// The key as a token of the poller. Never 0 and never all ones.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "a compact key has 32 bits")]
    pub fn token(&self, key: Key) -> usize {
        match self.layout {
            KeyLayout::WIDE => key.to_bits() as usize,
            _ => self.layout.place(key) as usize,
        }
    }

    /// The key of a token that [`Table::token`] made. Whether the connection is still there is found out when
    /// the key is used.
    #[must_use]
    pub fn key(&self, token: usize) -> Key {
        match self.layout {
            KeyLayout::WIDE => Key::from_bits(token as u64),
            layout => layout.key_of_place(token as u64, self.id),
        }
    }

    #[inline]
    fn entry(&self, key: Key) -> Result<&Entry<S>, InputError> {
        let place = self.layout.index(key);
        match self.places.get(place as usize) {
            Some(entry) if entry.is_of(self.layout.key(place, entry.identity.generation(), self.id), key) => {
                Ok(entry)
            }
            Some(_) | None => Err(not_found(self.layout, self.id, key)),
        }
    }
}

/// Why a key leads to no connection.
#[cold]
fn not_found(layout: KeyLayout, id: TableId, key: Key) -> InputError {
    if key.is_of(id) && layout.fits(key) { InputError::Stale(key) } else { InputError::Foreign(key) }
}

/// The key's connection, to be changed. Not a method, so that the rest of the table stays at hand.
#[inline]
fn find<S>(
    places: &mut Slab<Entry<S>>,
    layout: KeyLayout,
    id: TableId,
    key: Key,
) -> Result<(u32, &mut Entry<S>), InputError> {
    let place = layout.index(key);
    match places.get_mut(place as usize) {
        Some(entry) if entry.is_of(layout.key(place, entry.identity.generation(), id), key) => {
            Ok((place, entry))
        }
        Some(_) | None => Err(not_found(layout, id, key)),
    }
}

/// Output may shrink after the application has said its last word, and not grow.
pub(crate) fn is_too_late(life: Life, pending: u32, input: Input) -> bool {
    match input {
        Input::Command(Command::Output(count)) => {
            life.send_half() == SendHalf::FinQueued
                && u32::try_from(count).map_or(true, |count| count > pending)
        }
        Input::Hint(_) | Input::Outcome(_) | Input::Command(_) | Input::Expired(_) => false,
    }
}

/// Whether the step decided why the connection ends, or how its drain did.
pub(crate) fn decided(before: Life, after: Life) -> bool {
    before.cause() != after.cause()
        || before.drain_end() != after.drain_end()
        || before.send_half() != after.send_half() && after.send_half() == SendHalf::Failed
}

/// What follows from counts, which the machine does not see: the last byte of output was sent, or the
/// budget is used up.
pub(crate) fn follow_up<S>(entry: &Entry<S>, policy: &Policy, input: Input) -> Option<Input> {
    match Progress::of(input) {
        Progress::Nothing => None,
        Progress::Sent => (entry.pending() == 0 && entry.life.send_half().has_output())
            .then_some(Input::Command(Command::Output(0))),
        Progress::Received => (entry.life.is_discarding() && entry.discarded() > policy.drain_budget)
            .then_some(Input::Expired(Deadline::DrainBudget)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two places of three generations each, and then the table is full for ever.
    #[test]
    fn places_are_retired_one_by_one() {
        let layout = KeyLayout { index_bits: 1, generation_bits: 2 };
        let mut table: Table<u32> = Table::with_layout(Mechanism::Port, Policy::default(), layout);
        let mut keys = Vec::new();
        for number in 0..6 {
            assert_eq!(table.audit().retired, u64::from(number) / 3);
            let key = table.vacant().map(|vacant| vacant.accept(number, Moment::EPOCH)).unwrap();
            let wants = table.input(key, Input::Command(Command::Close(Plan::Abort)), Moment::EPOCH).unwrap();
            assert_eq!(wants.release, Some(Close::Reset));
            assert_eq!(table.release(key, Moment::EPOCH).unwrap().resources, number);
            keys.push(key);
        }
        assert_eq!(table.audit().retired, 2);
        assert!(table.vacant().is_err(), "no key is left");
        assert!((table.is_empty(), table.keys().count()) == (true, 0));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 6, "no key was given twice");
        for key in keys {
            assert_eq!(table.life(key), Err(InputError::Stale(key)));
        }
    }

    /// A place that the slab could give back is not used once it is beyond what a key can name.
    #[test]
    fn a_table_is_full_when_no_key_is_left() {
        let layout = KeyLayout { index_bits: 1, generation_bits: 2 };
        let mut table: Table<u32> = Table::with_layout(Mechanism::Port, Policy::default(), layout);
        for number in 0..2 {
            table.vacant().unwrap().accept(number, Moment::EPOCH);
        }
        assert_eq!(table.vacant().err(), Some(TableFull));
    }
}
