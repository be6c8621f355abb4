//! What was done and what was observed, step by step.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use hangup::{Cause, Certainty, DrainEnd, Life, Plan, RawCode, Report, SendHalf};
use hangup_polling::os::Evidence;

use crate::wire::{Segment, Wire};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Peer,
    Us,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A call of the scripted peer, or of our application.
    Call,
    /// What the poller reported.
    Event,
    /// A call that the driver made by itself. The lab sees it by what it changed.
    Driver,
    /// A deadline that passed.
    Deadline,
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing worth a word.
    Done,
    Bytes(u64),
    EndOfStream,
    WouldBlock,
    Code(RawCode),
    Kind(io::ErrorKind),
    Text(String),
    /// What the driver was told; known when the report is there.
    Decided,
}

impl Said {
    /// The error of a call.
    pub(crate) fn error(error: &io::Error) -> Self {
        match (error.kind(), error.raw_os_error()) {
            // A blocking socket with a timeout says the same under another name on Windows.
            (io::ErrorKind::WouldBlock, _) => Self::WouldBlock,
            (_, Some(code)) => Self::Code(RawCode::here(code)),
            (kind, None) => Self::Kind(kind),
        }
    }

    /// What a read or a write returned.
    pub(crate) fn counted(result: &io::Result<usize>, reads: bool) -> Self {
        match result {
            Ok(0) if reads => Self::EndOfStream,
            Ok(count) => Self::Bytes(*count as u64),
            Err(error) => Self::error(error),
        }
    }

    pub(crate) const fn is_failure(&self) -> bool {
        matches!(self, Self::Code(_) | Self::Kind(_))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("ok"),
            Self::Bytes(count) => write!(f, "{count}"),
            Self::EndOfStream => f.write_str("0"),
            Self::WouldBlock => f.write_str("would block"),
            Self::Code(code) => write!(f, "{code}"),
            Self::Kind(io::ErrorKind::BrokenPipe) => f.write_str("refused (BrokenPipe)"),
            Self::Kind(kind) => write!(f, "{kind:?}, no code"),
            Self::Text(text) => f.write_str(text),
            Self::Decided => f.write_str("?"),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) at: Duration,
    pub(crate) side: Side,
    pub(crate) kind: Kind,
    pub(crate) what: String,
    pub(crate) said: Said,
    /// How often, if like steps were put together.
    pub(crate) times: u32,
    /// What it put on the wire.
    pub(crate) segments: Vec<Segment>,
    /// The TCP state of either side afterwards, where the system tells.
    pub(crate) peer_state: Option<&'static str>,
    pub(crate) our_state: Option<&'static str>,
    /// What it changed for hangup.
    pub(crate) notes: Vec<String>,
}

impl Step {
    /// The step in words: `read = 5`.
    pub(crate) fn text(&self) -> String {
        let times = if self.times > 1 { format!(" x{}", self.times) } else { String::new() };
        match (self.kind, &self.said) {
            (Kind::Event | Kind::Deadline, Said::Text(said)) => format!("{}{times}: {said}", self.what),
            (_, Said::Done) => format!("{}{times}", self.what),
            (_, said) => format!("{}{times} = {said}", self.what),
        }
    }
}

/// The state that is shown for a socket that has been closed.
pub(crate) const GONE: &str = "(closed)";

/// The record of one ending.
#[derive(Debug)]
pub(crate) struct Record {
    /// When the first thing happened.
    began: Option<Instant>,
    pub(crate) steps: Vec<Step>,
    pub(crate) wire: Wire,
    /// From here on, like steps are put together.
    bulk: Option<usize>,
    /// Our life as last seen.
    pub(crate) seen: Option<Life>,
    /// What the system last said about our side.
    pub(crate) evidence: Option<Evidence>,
    peer_state: Option<&'static str>,
    our_state: Option<&'static str>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            began: None,
            steps: Vec::new(),
            wire: Wire::default(),
            bulk: None,
            seen: None,
            evidence: None,
            peer_state: None,
            our_state: None,
        }
    }

    /// Begins or ends a stretch in which like steps are put together, so that a megabyte is one line.
    pub(crate) fn bulk(&mut self, on: bool) {
        if let Some(from) = self.bulk.take() {
            self.tidy(from);
        }
        self.bulk = on.then_some(self.steps.len());
    }

    /// Of what was put together from `from` on, what the peer read goes behind what was written.
    fn tidy(&mut self, from: usize) {
        let bulk = self.steps.split_off(from.min(self.steps.len()));
        let reads = |step: &Step| step.side == Side::Peer && step.what == "read";
        let (reads, rest): (Vec<Step>, Vec<Step>) = bulk.into_iter().partition(reads);
        let last = |step: &Step| step.kind == Kind::Driver && step.what != "read and discard";
        let before = rest.iter().position(last).unwrap_or(rest.len());
        let mut rest = rest.into_iter();
        self.steps.extend(rest.by_ref().take(before));
        self.steps.extend(reads);
        self.steps.extend(rest);
    }

    /// The peer's state, when it is known anew.
    pub(crate) fn peer_is(&mut self, state: Option<&'static str>) {
        self.peer_state = state;
    }

    /// Our state, when it is known anew.
    pub(crate) fn we_are(&mut self, evidence: Option<Evidence>) {
        if let Some(evidence) = evidence {
            self.evidence = Some(evidence);
            self.our_state = Some(evidence.state.name());
        }
    }

    pub(crate) fn push(&mut self, side: Side, kind: Kind, what: &str, said: Said, segments: Vec<Segment>) {
        let (peer_state, our_state) = (self.peer_state, self.our_state);
        if let Some(step) = self.like(side, kind, what, &said) {
            step.times += 1;
            if let (Said::Bytes(sum), Said::Bytes(count)) = (&mut step.said, &said) {
                *sum += count;
            }
            for segment in segments {
                Segment::merge(&mut step.segments, segment);
            }
            return;
        }
        let began = *self.began.get_or_insert_with(Instant::now);
        self.steps.push(Step {
            at: began.elapsed(),
            side,
            kind,
            what: what.to_owned(),
            said,
            times: 1,
            segments,
            peer_state,
            our_state,
            notes: Vec::new(),
        });
    }

    /// The earlier step that this one is put together with.
    fn like(&mut self, side: Side, kind: Kind, what: &str, said: &Said) -> Option<&mut Step> {
        let from = self.bulk.unwrap_or(self.steps.len().saturating_sub(1));
        let alike = |step: &&mut Step| {
            let counts = matches!((&step.said, said), (Said::Bytes(_), Said::Bytes(_)));
            step.side == side && step.kind == kind && step.what == what && (counts || step.said == *said)
        };
        let repeats = matches!(said, Said::Bytes(_) | Said::WouldBlock) || kind != Kind::Call;
        self.steps.get_mut(from..)?.iter_mut().rev().filter(|_| repeats).find(alike)
    }

    /// Adds a remark to the last step.
    pub(crate) fn note(&mut self, note: String) {
        if let Some(step) = self.steps.last_mut() {
            step.notes.push(note);
        }
    }

    /// Notes what has become of our life since it was last seen.
    pub(crate) fn follow(&mut self, life: Option<Life>) {
        let Some(after) = life else { return };
        let before = self.seen.replace(after);
        let Some(before) = before else { return };
        let cause = after.cause().map(|cause| (cause, after.certainty()));
        self.follow_all(before, after.send_half(), cause, after.plan(), after.drain_end());
    }

    /// The same, when all that is left is the report.
    pub(crate) fn follow_report(&mut self, report: &Report) {
        let Some(before) = self.seen.take() else { return };
        let cause = Some((report.cause, report.certainty));
        self.follow_all(before, report.send_half, cause, report.plan, report.drain_end);
    }

    fn follow_all(
        &mut self,
        before: Life,
        half: SendHalf,
        cause: Option<(Cause, Certainty)>,
        plan: Option<Plan>,
        end: Option<DrainEnd>,
    ) {
        // What a deadline decides is the deadline's; the rest may follow from the FIN.
        if self.steps.last().is_some_and(|step| step.kind == Kind::Deadline) {
            self.follow_cause(before, cause);
            self.follow_half(before.send_half(), half);
        } else {
            self.follow_half(before.send_half(), half);
            self.follow_cause(before, cause);
        }
        self.follow_plan(before, plan, end);
    }

    fn follow_half(&mut self, before: SendHalf, after: SendHalf) {
        if before != after && after == SendHalf::FinSent {
            let segments = self.wire.finish(Side::Us);
            self.push(Side::Us, Kind::Driver, "shutdown(WR)", Said::Done, segments);
        }
    }

    fn follow_cause(&mut self, before: Life, after: Option<(Cause, Certainty)>) {
        if let (None, Some((cause, certainty))) = (before.cause(), after) {
            self.note(format!("cause: {}", crate::ending::judged(cause, certainty)));
        }
    }

    fn follow_plan(&mut self, before: Life, plan: Option<Plan>, end: Option<DrainEnd>) {
        if let (Some(from), Some(to)) = (before.plan(), plan)
            && from != to
        {
            self.note(format!("plan: {from} -> {to}"));
        }
        if let (None, Some(end)) = (before.drain_end(), end) {
            self.note(format!("drain: {end}"));
        }
    }

    /// The last step: the socket is given back.
    pub(crate) fn released(&mut self, report: &Report) {
        let reset = report.plan == Some(Plan::Abort);
        self.wire.has_read(Side::Us, report.received);
        let segments = self.wire.close(Side::Us, reset);
        self.our_state = Some(GONE);
        let what = if reset { "close, linger 0" } else { "close" };
        self.push(Side::Us, Kind::Driver, what, Said::Done, segments);
        self.note("released, once".to_owned());
        let told = report.raw.map_or_else(|| Said::Text("0".to_owned()), Said::Code);
        for step in &mut self.steps {
            if step.said == Said::Decided {
                step.said = told.clone();
            }
        }
    }
}
