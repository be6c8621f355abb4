//! What the table keeps for one connection: 64 bytes and the application's own.

use core::num::NonZeroU64;
use core::time::Duration;

use super::limits::Limits;
use super::wheel::Link;
use crate::{
    Answer, Deadline, Deadlines, Input, Key, Life, Log, Moment, Outcome, RawCode, Report, Retry, Space,
};

/// One place in the table.
///
/// The fields are narrow on purpose: everything an event touches is in one cache line.
#[derive(Debug)]
pub(crate) struct Entry<S> {
    /// Generation and birth.
    pub(super) identity: Identity,
    pub(crate) life: Life,
    /// Its place among the deadlines.
    pub(super) link: Link,
    /// The low half of the moments at which [`Deadlines::whole`] and [`Deadlines::half`] pass.
    due_whole: u32,
    due_half: u32,
    raw_value: i32,
    /// Output that the application holds. Counts up to 4 GiB, and then says "at least".
    pending: u32,
    discarded: u32,
    received: Count,
    sent: Count,
    log: Log,
    raw_space: Option<Space>,
    /// The application's own. `None` once it is released, and in a place that is retired.
    pub(super) resources: Option<S>,
}

/// Which generation of its place a connection is, and when it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity(NonZeroU64);

const GENERATION_BITS: u32 = 22;

impl Identity {
    /// Milliseconds are kept for 139 years; generations begin at 1.
    fn new(generation: u32, began: Moment) -> Self {
        let word = began.as_millis() << GENERATION_BITS | u64::from(generation.max(1));
        Self(NonZeroU64::new(word).unwrap_or(NonZeroU64::MIN))
    }

    #[allow(clippy::cast_possible_truncation, reason = "22 bits are left")]
    pub(super) const fn generation(self) -> u32 {
        (self.0.get() & ((1 << GENERATION_BITS) - 1)) as u32
    }

    const fn began(self) -> Moment {
        Moment::from_millis(self.0.get() >> GENERATION_BITS)
    }
}

/// A count of 48 bits: up to 256 TiB, and then it stays there.
#[derive(Clone, Copy, Debug, Default)]
struct Count([u16; 3]);

impl Count {
    fn get(self) -> u64 {
        let [low, middle, high] = self.0;
        u64::from(low) | u64::from(middle) << 16 | u64::from(high) << 32
    }

    #[allow(clippy::cast_possible_truncation, reason = "split on purpose")]
    fn add(&mut self, more: usize) {
        let sum = self.get().saturating_add(more as u64).min((1 << 48) - 1);
        self.0 = [sum as u16, (sum >> 16) as u16, (sum >> 32) as u16];
    }
}

impl<S> Entry<S> {
    pub(crate) fn new(generation: u32, life: Life, resources: Option<S>, now: Moment) -> Self {
        Self {
            identity: Identity::new(generation, now),
            life,
            link: Link::LOOSE,
            due_whole: 0,
            due_half: 0,
            raw_value: 0,
            pending: 0,
            discarded: 0,
            received: Count::default(),
            sent: Count::default(),
            log: Log::default(),
            raw_space: None,
            resources,
        }
    }

    /// Whether it is the connection that `key` names. `own` is the key of the connection that is here now.
    #[inline]
    pub(super) fn is_of(&self, own: Key, key: Key) -> bool {
        own == key && self.resources.is_some()
    }

    pub(crate) const fn pending(&self) -> u32 {
        self.pending
    }

    pub(crate) const fn discarded(&self) -> u32 {
        self.discarded
    }

    /// Counts what went through, and what the application holds.
    #[inline]
    pub(crate) fn count(&mut self, input: Input) {
        match input {
            Input::Outcome(
                Outcome::Immediate(Answer::Received(count)) | Outcome::Completed(Answer::Received(count), _),
            ) => {
                self.received.add(count);
                if self.life.is_unread() {
                    let count = u32::try_from(count).unwrap_or(u32::MAX);
                    self.discarded = self.discarded.saturating_add(count);
                }
            }
            Input::Outcome(
                Outcome::Immediate(Answer::Sent(count)) | Outcome::Completed(Answer::Sent(count), _),
            ) => {
                self.sent.add(count);
                if self.pending < u32::MAX {
                    let count = u32::try_from(count).unwrap_or(u32::MAX);
                    self.pending = self.pending.saturating_sub(count);
                }
            }
            Input::Command(crate::Command::Output(count)) => {
                self.pending = u32::try_from(count).unwrap_or(u32::MAX);
            }
            Input::Hint(_) | Input::Outcome(_) | Input::Command(_) | Input::Expired(_) => {}
        }
    }

    pub(crate) fn push(&mut self, input: Input) {
        self.log.push(input);
    }

    /// Keeps the code, if it is the first that decided something.
    pub(crate) fn keep_code(&mut self, code: RawCode) {
        if self.raw_space.is_none() {
            self.raw_value = code.value();
            self.raw_space = Some(code.space());
        }
    }

    pub(crate) fn raw(&self) -> Option<RawCode> {
        self.raw_space.map(|space| RawCode::in_space(space, self.raw_value))
    }

    /// Sets the moments at which deadlines pass that are new, or were renewed by `progress`. When the next of them
    /// passes, if that is earlier than it was.
    ///
    /// `reference` is what the wheel has gone through; no deadline is armed for a moment before it.
    pub(super) fn arm(
        &mut self,
        before: Deadlines,
        after: Deadlines,
        progress: Progress,
        limits: &Limits,
        now: Moment,
        reference: Moment,
    ) -> Option<Moment> {
        let due_before = self.next_due(before, limits, reference);
        if after.whole != before.whole || after.whole.is_some_and(|deadline| progress.renews(deadline)) {
            self.due_whole = due(after.whole, limits, now);
        }
        if after.half != before.half || after.half.is_some_and(|deadline| progress.renews(deadline)) {
            self.due_half = due(after.half, limits, now);
        }
        let (_, when) = self.next_due(after, limits, reference)?;
        due_before.is_none_or(|(_, before)| when < before).then_some(when)
    }

    /// Sets the moments of what `progress` has renewed. They are later than they were, so nothing has to be filed:
    /// the usual case of a busy connection.
    #[inline]
    pub(super) fn renew(&mut self, armed: Deadlines, progress: Progress, limits: &Limits, now: Moment) {
        if armed.whole.is_some_and(|deadline| progress.renews(deadline)) {
            self.due_whole = due(armed.whole, limits, now);
        }
        if armed.half.is_some_and(|deadline| progress.renews(deadline)) {
            self.due_half = due(armed.half, limits, now);
        }
    }

    /// The deadline that passes next, and when.
    pub(super) fn next_due(
        &self,
        armed: Deadlines,
        limits: &Limits,
        reference: Moment,
    ) -> Option<(Deadline, Moment)> {
        let timed = |armed: Option<Deadline>, low| {
            let deadline = armed.filter(|&deadline| limits.millis(deadline).is_some())?;
            Some((deadline, widen(low, reference)))
        };
        match (timed(armed.whole, self.due_whole), timed(armed.half, self.due_half)) {
            (Some(whole), Some(half)) => Some(if half.1 < whole.1 { half } else { whole }),
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => None,
        }
    }

    /// What is to be said about a connection that is being released.
    pub(crate) fn report(&self, now: Moment) -> Report {
        let life = self.life;
        let sent = self.sent.get();
        Report {
            cause: life.cause().unwrap_or(crate::Cause::Unknown),
            certainty: life.certainty(),
            raw: self.raw(),
            plan: life.plan(),
            drain_end: life.drain_end(),
            receive_half: life.receive_half(),
            send_half: life.send_half(),
            duration: self.age(now),
            received: self.received.get(),
            discarded: u64::from(self.discarded),
            sent,
            unsent: u64::from(self.pending),
            retry: Retry::of(sent, life.drain_end()),
            log: self.log,
        }
    }

    fn age(&self, now: Moment) -> Duration {
        now.since(self.identity.began())
    }
}

/// Which direction has just moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Nothing,
    Received,
    Sent,
}

impl Progress {
    pub(crate) fn of(input: Input) -> Self {
        match input {
            Input::Outcome(
                Outcome::Immediate(Answer::Received(1..)) | Outcome::Completed(Answer::Received(1..), _),
            ) => Self::Received,
            Input::Outcome(
                Outcome::Immediate(Answer::Sent(1..)) | Outcome::Completed(Answer::Sent(1..), _),
            ) => Self::Sent,
            Input::Hint(_) | Input::Outcome(_) | Input::Command(_) | Input::Expired(_) => Self::Nothing,
        }
    }

    /// Whether the deadline begins anew. An absolute deadline never does.
    pub(crate) fn renews(self, deadline: Deadline) -> bool {
        match deadline {
            Deadline::Connect | Deadline::DrainTotal | Deadline::DrainBudget => false,
            Deadline::Idle | Deadline::HalfClosed => self != Self::Nothing,
            Deadline::Stall => self == Self::Sent,
            Deadline::DrainIdle => self == Self::Received,
        }
    }
}

fn due(deadline: Option<Deadline>, limits: &Limits, now: Moment) -> u32 {
    let millis = deadline.and_then(|deadline| limits.millis(deadline));
    millis.map_or(0, |millis| low(now).wrapping_add(millis))
}

#[allow(clippy::cast_possible_truncation, reason = "the low half; `widen` brings it back")]
const fn low(moment: Moment) -> u32 {
    moment.as_millis() as u32
}

/// The first moment from `reference` on with this low half.
const fn widen(low_half: u32, reference: Moment) -> Moment {
    let ahead = low_half.wrapping_sub(low(reference));
    Moment::from_millis(reference.as_millis().saturating_add(ahead as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mechanism, OnPeerFinish};

    #[test]
    fn an_entry_is_one_cache_line() {
        assert_eq!(size_of::<Life>(), 8);
        assert_eq!(size_of::<Entry<()>>(), 64);
        // As a place of the slab, which needs a mark for "vacant".
        assert_eq!(size_of::<Option<Entry<()>>>(), 64);
    }

    #[test]
    fn counts_stop_at_the_top() {
        let mut count = Count::default();
        count.add(5);
        count.add(1 << 40);
        assert_eq!(count.get(), (1 << 40) + 5);
        count.add(usize::MAX);
        assert_eq!(count.get(), (1 << 48) - 1);
    }

    #[test]
    fn moments_survive_the_wrap_of_their_low_half() {
        let reference = Moment::from_millis((7 << 32) - 10);
        for ahead in [0, 5, 15, 49 * 24 * 60 * 60 * 1000] {
            let moment = Moment::from_millis(reference.as_millis() + ahead);
            assert_eq!(widen(low(moment), reference), moment);
        }
    }

    #[test]
    fn identity_keeps_generation_and_birth() {
        let began = Moment::from_millis(4_000_000_000_000);
        let entry: Entry<()> = Entry::new(
            (1 << GENERATION_BITS) - 1,
            Life::accepted(Mechanism::Level, OnPeerFinish::KeepSending),
            None,
            began,
        );
        assert_eq!(entry.identity.generation(), (1 << GENERATION_BITS) - 1);
        assert_eq!(entry.age(began + Duration::from_millis(17)), Duration::from_millis(17));
    }
}
