//! Runs endings, several at a time, and judges what came out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use hangup::Report;
use hangup_polling::os::Evidence;

use crate::ending::{Ending, Here};
use crate::record::{Said, Step};
use crate::stage::{Remains, Stage, Trouble};

/// What became of an ending.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) ending: &'static Ending,
    pub(crate) steps: Vec<Step>,
    pub(crate) report: Option<Report>,
    pub(crate) evidence: Option<Evidence>,
    /// Whether the peer's FIN had arrived when our socket was last looked at: what `TCP_INFO` counts beyond
    /// the peer's data.
    pub(crate) fin_arrived: Option<bool>,
    pub(crate) ledger: Ledger,
    /// What the peer saw: bytes, and the end that its last read found.
    pub(crate) peer_received: u64,
    pub(crate) peer_end: Option<Said>,
    pub(crate) checks: Vec<(String, bool)>,
    /// What is wrong. Empty: everything is as expected.
    pub(crate) wrong: Vec<String>,
    /// Why it could not be played, on a system that no expectation was measured on.
    pub(crate) not_here: Option<&'static str>,
}

/// What was taken in and what was given back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) acquired: u64,
    pub(crate) released: u64,
    pub(crate) reports: usize,
    /// The application's states: made, dropped when the end was reported, dropped when all was over.
    pub(crate) made: u32,
    pub(crate) dropped: u32,
    pub(crate) dropped_in_all: u32,
    pub(crate) stale: u64,
    pub(crate) refused: u64,
}

impl Ledger {
    /// One connection: its socket and its state were given back once.
    pub(crate) const fn is_once(&self) -> bool {
        self.acquired == 1
            && self.released == 1
            && self.reports == 1
            && self.made == 1
            && self.dropped == 1
            && self.dropped_in_all == 1
    }
}

/// Plays one ending.
fn play(ending: &'static Ending, here: Here) -> Outcome {
    let mut stage = match Stage::new(ending.policy, here) {
        Ok(stage) => stage,
        Err(error) => {
            return judge(ending, here, None, Err(Trouble::from(error)));
        }
    };
    let played = (ending.script)(&mut stage);
    judge(ending, here, Some(stage.strike()), played)
}

fn judge(
    ending: &'static Ending,
    here: Here,
    remains: Option<Remains>,
    played: Result<(), Trouble>,
) -> Outcome {
    let mut outcome = Outcome {
        ending,
        steps: Vec::new(),
        report: None,
        evidence: None,
        fin_arrived: None,
        ledger: Ledger::default(),
        peer_received: 0,
        peer_end: None,
        checks: Vec::new(),
        wrong: Vec::new(),
        not_here: None,
    };
    if let Some(remains) = remains {
        outcome.fill(remains);
    }
    match played {
        Ok(()) => {}
        Err(Trouble::NotHere(why)) if !here.system.is_measured() => {
            outcome.not_here = Some(why);
            return outcome;
        }
        Err(trouble) => outcome.wrong.push(trouble.to_string()),
    }
    match &outcome.report {
        None => outcome.wrong.push("no report".to_owned()),
        Some(report) => outcome.wrong.extend(ending.judge(report, here).err()),
    }
    if !outcome.ledger.is_once() {
        outcome.wrong.push(format!("not released exactly once: {:?}", outcome.ledger));
    }
    let fail = outcome.checks.iter().filter(|(_, holds)| !holds);
    outcome.wrong.extend(fail.map(|(what, _)| format!("does not hold: {what}")));
    outcome
}

impl Outcome {
    fn fill(&mut self, remains: Remains) {
        let Remains { record, reports, audit, made, dropped, drops, checks, peer } = remains;
        self.ledger = Ledger {
            acquired: audit.acquired,
            released: audit.released,
            reports: reports.len(),
            made,
            dropped,
            dropped_in_all: drops.load(Ordering::Relaxed),
            stale: audit.stale,
            refused: audit.refused,
        };
        let sent = record.wire.sent_by_peer();
        self.fin_arrived = record.evidence.map(|evidence| evidence.bytes_received > sent);
        self.evidence = record.evidence;
        self.steps = record.steps;
        self.report = reports.into_iter().next();
        self.peer_received = peer.received;
        self.peer_end = peer.last_read;
        self.checks = checks;
    }

    /// The TCP state that our socket was last seen in.
    pub(crate) fn tcp_state(&self) -> Option<&'static str> {
        self.evidence.map(|evidence| evidence.state.name())
    }
}

/// How many endings are played at a time. They spend their time waiting.
const WORKERS: usize = 4;

/// Plays each ending so often, and tells of each one that is over. The outcomes come back in order.
pub(crate) fn run(
    endings: &[&'static Ending],
    here: Here,
    times: usize,
    mut each: impl FnMut(&Outcome),
) -> Vec<Vec<Outcome>> {
    let mut outcomes: Vec<Vec<Outcome>> = endings.iter().map(|_| Vec::new()).collect();
    for alone in [false, true] {
        let mine = endings.iter().enumerate().filter(|(_, ending)| ending.alone == alone);
        let turns: Vec<(usize, &'static Ending)> =
            mine.flat_map(|(at, &ending)| std::iter::repeat_n((at, ending), times)).collect();
        let workers = if alone { 1 } else { WORKERS };
        play_all(&turns, workers, here, |at, outcome| {
            each(&outcome);
            if let Some(list) = outcomes.get_mut(at) {
                list.push(outcome);
            }
        });
    }
    outcomes
}

/// Plays these endings, so many at a time.
fn play_all(
    turns: &[(usize, &'static Ending)],
    workers: usize,
    here: Here,
    mut over: impl FnMut(usize, Outcome),
) {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers.min(turns.len()) {
            let sender = sender.clone();
            scope.spawn(|| {
                let sender = sender;
                while let Some(&(at, ending)) = turns.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send((at, play(ending, here))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (at, outcome) in receiver {
            over(at, outcome);
        }
    });
}
