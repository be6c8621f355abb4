//! What the machine was told of each connection, and whether the simulated kernel could have told it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use hangup::Key;
use hangup::trace::{self, Line};
use hangup_testkit::{Personality, Replay, Told};

use crate::battery::lock;
use crate::subject::Subject;

static LINES: Mutex<BTreeMap<Key, Vec<Line>>> = Mutex::new(BTreeMap::new());

/// By the names of the subjects.
static REPLAYED: Mutex<BTreeMap<&'static str, Replayed>> = Mutex::new(BTreeMap::new());

/// What was compared of one subject.
struct Replayed {
    replay: Replay,
    connections: u64,
    inputs: u64,
    time: Duration,
}

impl Replayed {
    fn new(personality: Personality) -> Self {
        Self { replay: Replay::new(personality), connections: 0, inputs: 0, time: Duration::ZERO }
    }
}

/// Lets every connection of this process be traced from here on.
pub(crate) fn observe() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let first = trace::observe(|line| lock(&LINES).entry(line.key()).or_default().push(*line));
        assert_eq!(first, Ok(()), "nobody else observes here");
    });
}

/// Replays the traces of connections that are over, or as far as they have come. What does not fit.
pub(crate) fn misfits(subject: &dyn Subject, keys: &[Key]) -> String {
    let mut misfits = String::new();
    for (number, key) in keys.iter().enumerate() {
        let lines = lock(&LINES).remove(key).unwrap_or_default();
        let Some((Line::Began { life, .. }, lines)) = lines.split_first() else {
            writeln!(misfits, "  connection {number} has no beginning in its trace").expect("memory");
            continue;
        };
        let told: Vec<Told> = lines.iter().filter_map(told).collect();
        let mut replayed = lock(&REPLAYED);
        let replayed = replayed.entry(subject.name()).or_insert_with(|| Replayed::new(subject.personality()));
        let start = Instant::now();
        if let Err(misfit) = replayed.replay.check(*life, &told) {
            writeln!(misfits, "  connection {number}: {misfit}").expect("memory");
        }
        replayed.connections += 1;
        replayed.inputs += told.len() as u64;
        replayed.time += start.elapsed();
    }
    misfits
}

fn told(line: &Line) -> Option<Told> {
    let Line::Taken { input, after, .. } = *line else { return None };
    Some(Told { input, after })
}

/// Says how much was compared. Of all cases together it must be something.
pub(crate) fn report(subject: &dyn Subject, of_all_cases: bool) {
    let all = lock(&REPLAYED);
    let Some(Replayed { replay, connections, inputs, time }) = all.get(subject.name()) else {
        assert!(!of_all_cases, "{}: no trace was compared", subject.name());
        return;
    };
    let (worlds, sets) = replay.size();
    println!(
        "{}: {connections} connections, {inputs} inputs replayed as {}, {worlds} worlds in {sets} sets, {:.1} s",
        subject.name(),
        subject.personality(),
        time.as_secs_f64(),
    );
    assert!(!of_all_cases || *connections > 100 && *inputs > 1000, "hardly anything was compared");
}
