//! What is written down beside a life: counts, the log, the code, deadlines, and the buffers with the OS.
//!
//! Under the place's lock, which is held around the compare-exchange of every input that has something to write. So
//! the books are complete when the releasing input is accepted, in the order in which the inputs were.

use alloc::boxed::Box;

use crate::log::is_logged;
use crate::table::{Entry, Lent, Progress, decided};
use crate::{Deadline, Deadlines, Input, Life, Moment, Operation, Outcome, Policy, RawCode};

#[derive(Debug)]
pub(super) struct Books<B> {
    /// As in the table of one worker. Its life is the last that was written down; the one that counts is in the word.
    pub(super) entry: Entry<()>,
    pub(super) dues: Dues,
    /// Where it is among the timers, or was when it was taken out to be looked at.
    pub(super) filed: Option<Moment>,
    /// The buffers; none until the first is lent.
    pub(super) lent: Option<Box<Lent<B>>>,
}

impl<B> Books<B> {
    /// Nothing has been written.
    pub(super) fn new(life: Life) -> Self {
        let entry = Entry::new(0, life, None, Moment::EPOCH);
        Self { entry, dues: Dues::default(), filed: None, lent: None }
    }

    /// Begins anew, for the next connection in the place. The memory for its buffers stays.
    pub(super) fn begin(&mut self, life: Life, policy: &Policy, now: Moment) {
        self.entry = Entry::new(0, life, None, now);
        self.dues.arm(Deadlines::default(), life.deadlines(), Progress::Nothing, policy, now);
        self.filed = None;
    }

    /// Writes down what has happened.
    pub(super) fn write(
        &mut self,
        (before, after): (Life, Life),
        input: Input,
        code: Option<RawCode>,
        policy: &Policy,
        now: Moment,
    ) {
        self.entry.life = before;
        self.entry.count(input);
        self.entry.push(input);
        if let Some(code) = code {
            if decided(before, after) {
                self.entry.keep_code(code);
            }
        }
        self.entry.life = after;
        self.dues.arm(before.deadlines(), after.deadlines(), Progress::of(input), policy, now);
    }

    /// Whether an operation's buffer is with the OS.
    pub(super) fn has_lent(&mut self, operation: Operation) -> bool {
        let buffer = self.lent.as_mut().and_then(|lent| lent.buffer(operation));
        buffer.is_some_and(|buffer| buffer.is_some())
    }
}

/// Whether an input that moves a life so has anything to do with the books. If not, it is a compare-exchange and
/// nothing else: most hints, and most claims of a call and their reports.
pub(super) fn concerns_books(before: Life, after: Life, input: Input) -> bool {
    is_logged(input)
        || before.deadlines() != after.deadlines()
        || decided(before, after)
        || may_answer_loan(before, input)
}

/// Whether it may be the answer to an operation whose buffer was lent, which must not come by this door.
fn may_answer_loan(before: Life, input: Input) -> bool {
    answered(input).is_some_and(|operation| !before.slot(operation).is_idle())
}

/// The operation that an input says something of.
pub(super) fn answered(input: Input) -> Option<Operation> {
    match input {
        Input::Outcome(Outcome::Immediate(answer) | Outcome::Completed(answer, _)) => {
            Some(answer.operation())
        }
        Input::Outcome(Outcome::Pending(operation)) => Some(operation),
        Input::Outcome(Outcome::Submitting(..) | Outcome::Cancelling(_) | Outcome::CancelAnswered(_))
        | Input::Hint(_)
        | Input::Command(_)
        | Input::Expired(_) => None,
    }
}

/// When the deadlines of the two groups pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dues {
    whole: Moment,
    half: Moment,
}

impl Dues {
    /// Sets the moments of deadlines that are new, or were renewed by `progress`.
    fn arm(&mut self, before: Deadlines, after: Deadlines, progress: Progress, policy: &Policy, now: Moment) {
        let due = |before: Option<Deadline>, after: Option<Deadline>| {
            let deadline = after.filter(|&after| before != Some(after) || progress.renews(after))?;
            policy.duration(deadline).map(|duration| now + duration)
        };
        self.whole = due(before.whole, after.whole).unwrap_or(self.whole);
        self.half = due(before.half, after.half).unwrap_or(self.half);
    }

    /// The deadline that passes next, and when.
    pub(super) fn next(&self, armed: Deadlines, policy: &Policy) -> Option<(Deadline, Moment)> {
        let timed = |armed: Option<Deadline>, due| {
            let deadline = armed.filter(|&deadline| policy.duration(deadline).is_some())?;
            Some((deadline, due))
        };
        match (timed(armed.whole, self.whole), timed(armed.half, self.half)) {
            (Some(whole), Some(half)) => Some(if half.1 < whole.1 { half } else { whole }),
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => None,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Answer, Hint, Mechanism, OnPeerFinish, Owed};

    #[test]
    fn what_writes_nothing_takes_no_lock() {
        let said = |answer| Input::Outcome(Outcome::Immediate(answer));
        let submitting = |operation| Input::Outcome(Outcome::Submitting(operation, Owed::One));
        let life = Life::accepted(Mechanism::Level, OnPeerFinish::KeepSending);
        let step = |life: Life, input, expected| {
            let after = life.step(input).unwrap();
            assert_eq!(concerns_books(life, after, input), expected, "{input:?}");
            after
        };
        let life = step(life, submitting(Operation::Register), false);
        let life = step(life, said(Answer::Registered), false);
        let life = step(life, Input::Hint(Hint::READABLE), false);
        let life = step(life, said(Answer::ReceiveBlocked), false);
        let life = step(life, said(Answer::Received(1)), true);
        let life = step(life, submitting(Operation::Receive), false);
        let life = step(life, said(Answer::ReceiveBlocked), true);
        let life = step(life, Input::Hint(Hint::HANG_UP), true);
        step(life, submitting(Operation::Inquire), false);
    }
}
