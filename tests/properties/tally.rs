//! What the table has to know about each connection and about itself, counted a second time and naively.

use std::collections::BTreeMap;

use hangup::{
    Answer, Command, Deadline, DrainEnd, Input, Life, Log, Moment, Outcome, Phase, Policy, RawCode,
};
use hangup::{Report, Retry, SendHalf};

/// What went through one connection.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    born: Moment,
    /// What the application holds, as it was told last, less what was sent since. `None`: more than 4 GiB.
    pending: Option<u32>,
    received: u64,
    discarded: u64,
    sent: u64,
    code: Option<RawCode>,
    log: Log,
}

/// The largest count of bytes that a table keeps.
const MOST: u64 = (1 << 48) - 1;

impl Tally {
    pub(crate) fn new(born: Moment) -> Self {
        let log = Log::default();
        Self { born, pending: Some(0), received: 0, discarded: 0, sent: 0, code: None, log }
    }

    pub(crate) fn pending(&self) -> u32 {
        self.pending.unwrap_or(u32::MAX)
    }

    /// Counts an input that was accepted. What follows from the counts, which no life can see.
    pub(crate) fn count(
        &mut self,
        before: Life,
        after: Life,
        input: Input,
        code: Option<RawCode>,
        policy: &Policy,
    ) -> Option<Input> {
        self.log.push(input);
        self.keep(before, after, code);
        if let Some(bytes) = received(input) {
            self.received = (self.received + bytes).min(MOST);
            if before.wants().discard || before.phase() == Phase::Ending {
                self.discarded = (self.discarded + bytes).min(u64::from(u32::MAX));
            }
            let used_up = self.discarded > u64::from(policy.drain_budget);
            return (bytes > 0 && used_up && after.wants().discard)
                .then_some(Input::Expired(Deadline::DrainBudget));
        }
        if let Some(bytes) = sent(input) {
            self.sent = (self.sent + bytes).min(MOST);
            self.pending =
                self.pending.map(|pending| pending.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX)));
            let waiting = matches!(after.send_half(), SendHalf::Queued | SendHalf::FinQueued);
            return (bytes > 0 && self.pending == Some(0) && waiting)
                .then_some(Input::Command(Command::Output(0)));
        }
        if let Input::Command(Command::Output(count)) = input {
            self.pending = u32::try_from(count).ok().filter(|&count| count < u32::MAX);
        }
        None
    }

    /// The first code that came with something decisive.
    fn keep(&mut self, before: Life, after: Life, code: Option<RawCode>) {
        let send_failed = after.send_half() == SendHalf::Failed && before.send_half() != SendHalf::Failed;
        let decisive = (before.cause(), before.drain_end()) != (after.cause(), after.drain_end());
        if self.code.is_none() && (send_failed || decisive) {
            self.code = code;
        }
    }

    pub(crate) fn code(&self) -> Option<RawCode> {
        self.code
    }

    /// # Errors
    ///
    /// What the report says wrong.
    pub(crate) fn check(&self, report: &Report, life: Life, now: Moment) -> Result<(), String> {
        let retry = match (self.sent, life.drain_end()) {
            (0, _) => Retry::NeverSent,
            (_, Some(DrainEnd::Acknowledged)) => Retry::Sent,
            _ => Retry::MaybeSent,
        };
        let agrees = Some(report.cause) == life.cause()
            && report.certainty == life.certainty()
            && report.raw == self.code
            && report.plan == life.plan()
            && report.drain_end == life.drain_end()
            && report.receive_half == life.receive_half()
            && report.send_half == life.send_half()
            && report.duration == now.since(self.born)
            && report.received == self.received
            && report.discarded == self.discarded
            && report.sent == self.sent
            && report.unsent == u64::from(self.pending())
            && report.retry == retry
            && report.log == self.log;
        if agrees {
            Ok(())
        } else {
            Err(format!("{report:?}\n  does not agree with {self:?}\n  and {life:?}"))
        }
    }
}

fn received(input: Input) -> Option<u64> {
    match input {
        Input::Outcome(
            Outcome::Immediate(Answer::Received(bytes)) | Outcome::Completed(Answer::Received(bytes), _),
        ) => Some(bytes as u64),
        _ => None,
    }
}

fn sent(input: Input) -> Option<u64> {
    match input {
        Input::Outcome(
            Outcome::Immediate(Answer::Sent(bytes)) | Outcome::Completed(Answer::Sent(bytes), _),
        ) => Some(bytes as u64),
        _ => None,
    }
}

/// What the table as a whole has taken in, given back and turned away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) acquired: u64,
    pub(crate) released: u64,
    pub(crate) lent: u64,
    pub(crate) returned: u64,
    pub(crate) stale: u64,
    pub(crate) foreign: u64,
    pub(crate) refused: u64,
}

impl Books {
    /// What the table says about itself.
    pub(crate) fn of(audit: hangup::Audit) -> Self {
        Self {
            acquired: audit.acquired,
            released: audit.released,
            lent: audit.lent,
            returned: audit.returned,
            stale: audit.stale,
            foreign: audit.foreign,
            refused: audit.refused,
        }
    }

    /// Without the counts of what was turned away.
    pub(crate) fn kept(self) -> Self {
        Self { stale: 0, foreign: 0, refused: 0, ..self }
    }
}

/// How often each sort of thing has happened: a property that never meets its case says nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(pub(crate) BTreeMap<String, u64>);

impl Seen {
    pub(crate) fn note(&mut self, what: &str) {
        match self.0.get_mut(what) {
            Some(count) => *count += 1,
            None => {
                self.0.insert(what.to_owned(), 1);
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }
}
