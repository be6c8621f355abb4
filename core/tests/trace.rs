//! The trace: complete, in order, and of nothing but what was taken.
#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a surprise is a failure"
)]

use std::collections::BTreeMap;
use std::sync::{Mutex, Once};

use hangup::trace::{self, Line, ObservedAlready};
use hangup::{
    Answer, Command, Hint, Input, Key, Life, Mechanism, Moment, OnPeerFinish, Operation, Outcome, Owed,
    Phase, Plan, Policy, Table, shared,
};

const NOW: Moment = Moment::EPOCH;

static LINES: Mutex<BTreeMap<Key, Vec<Line>>> = Mutex::new(BTreeMap::new());

/// The one observer that this process can have.
fn observe() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        trace::observe(|line| LINES.lock().unwrap().entry(line.key()).or_default().push(*line)).unwrap();
    });
}

/// The trace of a connection: begun, and each input where the one before it had left the life.
fn trace_of(key: Key) -> (Life, Vec<Input>, Life) {
    let lines = LINES.lock().unwrap().remove(&key).expect("it was observed");
    let Line::Began { life: birth, .. } = lines[0] else { panic!("it begins with {}", lines[0]) };
    let (mut life, mut inputs) = (birth, Vec::new());
    for line in &lines[1..] {
        let Line::Taken { before, input, after, .. } = *line else { panic!("begun twice: {line}") };
        assert_eq!(before, life, "something is missing before {line}");
        assert_eq!(before.step(input), Ok(after), "{line}");
        inputs.push(input);
        life = after;
    }
    (birth, inputs, life)
}

fn said(answer: Answer) -> Input {
    Input::Outcome(Outcome::Immediate(answer))
}

#[test]
fn a_table_tells_all_that_it_takes_and_what_follows_from_counts() {
    observe();
    let mut table: Table<u32> = Table::new(Mechanism::Level, Policy::default());
    let key = table.vacant().unwrap().accept(1, NOW);
    let fed = [
        said(Answer::Registered),
        Input::Command(Command::Output(7)),
        said(Answer::Sent(3)),
        said(Answer::Sent(4)),
        Input::Hint(Hint::READABLE),
        Input::Command(Command::Close(Plan::Abort)),
        said(Answer::Deregistered),
    ];
    for input in fed {
        let _wants = table.input(key, input, NOW).unwrap();
    }
    assert!(table.input(key, said(Answer::Received(1)), NOW).is_err(), "too late");
    assert_eq!(table.release(key, NOW).unwrap().resources, 1);
    assert!(table.release(key, NOW).is_err());

    let mut expected = fed.to_vec();
    expected.insert(4, Input::Command(Command::Output(0)));
    expected.push(said(Answer::Released));
    let (birth, inputs, end) = trace_of(key);
    assert_eq!(birth, Life::accepted(Mechanism::Level, OnPeerFinish::KeepSending));
    assert_eq!(inputs, expected);
    assert_eq!(end.phase(), Phase::Released);
}

#[test]
fn a_table_tells_of_operations_and_deadlines() {
    observe();
    let mut table: Table<u32> = Table::new(Mechanism::Port, Policy::default());
    let key = table.vacant().unwrap().connect(1, NOW);
    let operation = table.lend(key, Operation::Connect, Owed::One, None, NOW).unwrap();
    drop(table.taken(operation, NOW).unwrap());
    let late = NOW + Policy::default().connect;
    let (expired, deadline, wants) = table.expire(late).unwrap();
    assert!(expired == key && wants.cancel.connect);
    let (birth, inputs, _) = trace_of(key);
    assert_eq!(birth, Life::connecting(Mechanism::Port, OnPeerFinish::KeepSending));
    let claimed = Input::Outcome(Outcome::Submitting(Operation::Connect, Owed::One));
    let pending = Input::Outcome(Outcome::Pending(Operation::Connect));
    assert_eq!(inputs, [claimed, pending, Input::Expired(deadline)]);
}

/// Most of these need no lock as long as nobody observes; whoever does sees them in the order of their exchanges.
#[test]
fn several_workers_have_one_order() {
    observe();
    let table: shared::Table<u32> = shared::Table::new(Mechanism::Port, Policy::default());
    let key = table.accept(1, NOW).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..300 {
                    let command = if round % 2 == 0 { Command::Pause } else { Command::Resume };
                    let _wants = table.input(key, Input::Command(command), NOW).unwrap();
                    let _wants = table.input(key, Input::Hint(Hint::READABLE), NOW).unwrap();
                    let claimed = Input::Outcome(Outcome::Submitting(Operation::Send, Owed::One));
                    assert!(table.input(key, claimed, NOW).is_err(), "there is no output");
                }
            });
        }
    });
    let wants = table.input(key, Input::Command(Command::Close(Plan::Abort)), NOW).unwrap();
    assert!(wants.release.is_some());
    assert_eq!(table.release(key, NOW).unwrap().resources, 1);
    let (_, inputs, end) = trace_of(key);
    assert_eq!(inputs.len(), 4 * 300 * 2 + 2);
    assert_eq!(end.phase(), Phase::Released);
}

#[test]
fn there_is_one_observer() {
    observe();
    assert_eq!(trace::observe(|_| panic!("not this one")), Err(ObservedAlready));
}

#[test]
fn a_line_says_what_it_changed() {
    let mut table: Table<u32> = Table::new(Mechanism::Port, Policy::default());
    let key = table.vacant().unwrap().accept(1, NOW);
    let life = table.life(key).unwrap();
    let begun = Line::Began { key, life };
    assert_eq!(begun.to_string(), format!("{key} began: Port, KeepSending, Open"));
    let line = |input| {
        let after = life.step(input).unwrap();
        Line::Taken { key, before: life, input, after }.to_string()
    };
    assert_eq!(line(Input::Hint(Hint::READABLE)), format!("{key} Hint({{readable}})"));
    assert_eq!(line(Input::Command(Command::Pause)), format!("{key} Command(Pause): receive Open > Paused"));
    assert_eq!(
        line(Input::Command(Command::Close(Plan::Abort))),
        format!(
            "{key} Command(Close(Abort)): phase Open > Ending, receive Open > Shut, send Idle > Shut, \
             plan None > Some(Abort), cause None > Some(LocalAbort)"
        )
    );
}
