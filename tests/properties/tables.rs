//! Random scripts for whole tables.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use crate::harness::Harness;
use crate::script::{Happening, Setup};
use crate::subject::Form;
use crate::tally::Seen;

/// What must have been seen when thousands of scripts have run.
const MUST_BE_SEEN: [&str; 40] = [
    "accept",
    "connect",
    "released",
    "outside",
    "kernel",
    "adapter",
    "application",
    "spurious",
    "drain",
    "lent",
    "returned",
    "still in flight",
    "more follows",
    "last",
    "follow-up: all output sent",
    "follow-up: budget used up",
    "output refused: after the last word",
    "passed: connect",
    "passed: idle",
    "passed: stall",
    "passed: half-closed",
    "passed: drain total",
    "passed: drain idle",
    "refused",
    "refused: release",
    "refused: lend",
    "refused: number",
    "stale",
    "stale: right",
    "stale: number",
    "foreign",
    "twice",
    "place reused",
    "ended: wound down",
    "ended: dropped",
    "ended: dropped with buffers at the OS",
    "wide",
    "compact",
    "alone",
    "shared",
];

#[test]
fn a_table_is_as_good_as_its_connections() {
    let seen = RefCell::new(Seen::default());
    let strategy = (any::<u64>(), vec(any::<u64>(), 1..800));
    let config = crate::config("tables.txt");
    let cases = config.cases;
    let result = TestRunner::new(config).run(&strategy, |(setup, draws)| {
        let one = run(Setup::draw(setup), &draws).map_err(TestCaseError::fail)?;
        seen.borrow_mut().add(&one);
        Ok(())
    });
    match result {
        Ok(()) => {}
        // The numbers mean nothing to a reader.
        Err(TestError::Fail(reason, _)) => panic!("{reason}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    let seen = seen.into_inner();
    println!("{cases} scripts: {seen:#?}");
    if cases >= 1_000 {
        for what in MUST_BE_SEEN {
            assert!(seen.0.contains_key(what), "never seen: {what}");
        }
    }
}

/// Runs a script of numbers; if it fails, says what the numbers stand for, and only those that it takes.
fn run(setup: Setup, draws: &[u64]) -> Result<Seen, String> {
    let script = RefCell::new(Vec::new());
    let winds_down = draws.len() & 1 == 0;
    let outcome = caught(|| {
        let mut harness = Harness::new(setup);
        for &draw in draws {
            let happening = harness.choose(draw);
            script.borrow_mut().push(happening);
            harness.happen(happening)?;
        }
        end(harness, winds_down)
    });
    outcome.map_err(|wrong| {
        let mut script = script.into_inner();
        let (length, wrong) = (script.len(), shorten(setup, &mut script, winds_down).unwrap_or(wrong));
        let shorter = Printed(&script);
        format!("{wrong}\n{setup:?}\nwinds down: {winds_down}; {length} happenings, of which:\n{shorter}")
    })
}

/// Runs a script of happenings, leaving out what cannot happen.
pub(crate) fn replay(setup: Setup, script: &[Happening], winds_down: bool) -> Result<Seen, String> {
    caught(|| {
        let mut harness = Harness::new(setup);
        for &happening in script {
            if harness.is_possible(happening) {
                harness.happen(happening).map_err(|wrong| format!("{wrong}\n  at {happening:?}"))?;
            }
        }
        end(harness, winds_down)
    })
}

/// Cuts out of a script that fails what it does not take to fail. How it fails then.
fn shorten(setup: Setup, script: &mut Vec<Happening>, winds_down: bool) -> Option<String> {
    let mut wrong = replay(setup, script, winds_down).err()?;
    let mut length = script.len().next_power_of_two();
    while length > 0 {
        let mut from = 0;
        let before = script.len();
        while from < script.len() {
            let mut shorter = script.clone();
            shorter.drain(from..(from + length).min(script.len()));
            match replay(setup, &shorter, winds_down) {
                Ok(_) => from += length,
                Err(another) => (wrong, *script) = (another, shorter),
            }
        }
        // At the end, as long as single happenings can be cut out.
        if length > 1 || script.len() == before {
            length /= 2;
        }
    }
    Some(wrong)
}

/// What `run` returns, or says when it panics.
fn caught(run: impl FnOnce() -> Result<Seen, String>) -> Result<Seen, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(message(panic.as_ref())))
}

fn end(mut harness: Harness, winds_down: bool) -> Result<Seen, String> {
    harness.seen.note(if harness.setup.compact { "compact" } else { "wide" });
    harness.seen.note(if harness.setup.form == Form::Shared { "shared" } else { "alone" });
    let places: std::collections::BTreeSet<u64> =
        harness.keys.iter().map(|key| key.to_bits() & 0xf_ffff).collect();
    if places.len() < harness.keys.len() {
        harness.seen.note("place reused");
    }
    if winds_down {
        harness.wind_down()?;
        harness.seen.note("ended: wound down");
    } else if harness.table.audit().with_the_os() > 0 {
        harness.seen.note("ended: dropped with buffers at the OS");
    } else {
        harness.seen.note("ended: dropped");
    }
    harness.drop_table()
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("with something that is no text"))
}

/// A script, a line each, as it can be pasted into `regressions.rs`.
struct Printed<'a>(&'a [Happening]);

impl std::fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "[")?;
        for happening in self.0 {
            writeln!(f, "    {happening:?},")?;
        }
        write!(f, "]")
    }
}
