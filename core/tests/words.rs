//! What a word stands for, and what is printed of it.

#![allow(clippy::unwrap_used, reason = "a test: a surprise is a failed test")]

use std::collections::BTreeSet;
use std::time::Duration;

use hangup::{
    Answer, Blame, Cancels, Cause, Command, Deadline, Fault, Hint, Input, InputError, Life, Log, Mechanism,
    Memory, Moment, OnPeerFinish, Operation, Outcome, Owed, Plan, Policy, ReleaseError, Table,
};

const fn said(answer: Answer) -> Input {
    Input::Outcome(Outcome::Immediate(answer))
}

fn moved(mechanism: Mechanism, inputs: &[Input]) -> Life {
    let life = Life::accepted(mechanism, OnPeerFinish::KeepSending);
    inputs.iter().fold(life, |life, &input| life.step(input).unwrap())
}

/// Every component, given every number that its bits can hold: what comes back is the word, or nothing.
#[test]
fn a_word_stands_for_a_life_or_for_none() {
    let word = moved(Mechanism::Ring, &[Input::Command(Command::Output(1))]).to_bits();
    assert_eq!(Life::from_bits(word).map(Life::to_bits), Some(word));
    let mut valid = Vec::new();
    for (name, shift, width) in Life::LAYOUT {
        let rest = word & !(((1 << width) - 1) << shift);
        let words = (0..1_u64 << width).map(|number| rest | number << shift);
        let lives: Vec<Life> = words.filter_map(Life::from_bits).collect();
        assert!(lives.iter().all(|life| life.to_bits() & !(((1 << width) - 1) << shift) == rest));
        valid.push((name, lives.len()));
    }
    assert_eq!(
        valid,
        [
            ("mechanism", 4),
            ("on-peer-finish", 2),
            ("phase", 7),
            ("receive-half", 6),
            ("send-half", 7),
            ("plan", 5),
            ("cause", 20),
            ("certainty", 2),
            ("drain-end", 8),
            ("registration", 5),
            ("inquiry", 3),
            ("memory", 128),
            ("connect", 36),
            ("receive", 36),
            ("send", 36),
            ("watch", 36),
            ("shutdown", 4),
        ]
    );
    for bit in Life::BITS..u64::BITS {
        assert_eq!(Life::from_bits(word | 1 << bit), None, "bit {bit} is not used");
    }
}

/// The parts of the layout lie side by side, in order, without a gap.
#[test]
fn the_layout_covers_the_word() {
    let mut next = 0;
    for (name, shift, width) in Life::LAYOUT {
        assert_eq!(shift, next, "{name}");
        next += width;
    }
    assert_eq!(next, Life::BITS);
}

#[test]
fn names_are_told_apart() {
    let names: BTreeSet<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    assert_eq!(names.len(), Cause::ALL.len());
    assert!(names.iter().all(|name| name.len() > 3 && !name.contains(' ')), "{names:?}");
    assert_eq!(Cause::PeerReset.name(), "peer-reset");
    let texts: BTreeSet<String> = Cause::ALL.iter().map(Cause::to_string).collect();
    assert_eq!(texts.len(), Cause::ALL.len());
    let texts: Vec<String> = Deadline::ALL.iter().map(Deadline::to_string).collect();
    assert_eq!(
        texts,
        ["connect", "idle", "stall", "half-closed", "drain total", "drain idle", "drain budget"]
    );
    assert_eq!(Fault::Reset.to_string(), "connection reset by peer");
    assert_eq!(format!("[{:>14}]", Fault::BrokenPipe), "[   broken pipe]");
    let faults: BTreeSet<String> = Fault::ALL.iter().map(Fault::to_string).collect();
    assert_eq!(faults.len(), Fault::ALL.len());
}

#[test]
fn lives_hints_and_logs_are_printed() {
    let life = moved(Mechanism::Ring, &[Input::Outcome(Outcome::Submitting(Operation::Receive, Owed::One))]);
    let printed = format!("{life:?}");
    assert!(printed.contains("phase: Open") && printed.contains("memory: {}"), "{printed}");
    assert!(printed.contains("in_flight: (Receive, Slot { owed: One, calling: true"), "{printed}");
    assert!(!printed.contains("(Send"), "{printed}");
    assert_eq!(format!("{:?}", Memory::READABLE.with(Memory::SUSPECT)), "{readable, suspect}");
    assert_eq!(format!("{:?}", Hint::HANG_UP.with(Hint::ERROR)), "{hang-up, error}");
    let mut log = Log::default();
    log.push(said(Answer::EndOfStream));
    assert_eq!(format!("{log:?}"), "Log(f)");
}

/// Nine different things: the first falls off, and no letter turns into another.
#[test]
fn a_log_keeps_the_last_eight() {
    let mut log = Log::default();
    for input in [
        said(Answer::Received(1)),
        said(Answer::Severed),
        Input::Command(Command::Blame(Blame::Shed)),
        Input::Expired(Deadline::DrainBudget),
        Input::Outcome(Outcome::Cancelling(Operation::Send)),
        said(Answer::RegisterFailed(Fault::Busy)),
        Input::Command(Command::Close(Plan::Abort)),
        Input::Expired(Deadline::DrainIdle),
        said(Answer::Sent(1)),
    ] {
        log.push(input);
    }
    assert_eq!(log.to_string(), "V!BXi4Ds");
    log.push(said(Answer::Sent(1)));
    assert_eq!(log.to_string(), "V!BXi4Ds", "what repeats is kept once");
}

#[test]
fn keys_are_printed_as_numbers() {
    let mut table: Table<()> = Table::compact(Mechanism::Level, Policy::default());
    let key = table.vacant().unwrap().accept((), Moment::EPOCH);
    let bits = key.to_bits();
    assert_eq!(format!("{key} {key:?}"), format!("{bits:x} Key({bits:#x})"));
    let error: InputError = Table::<()>::new(Mechanism::Level, Policy::default()).life(key).unwrap_err();
    assert_eq!(error.to_string(), format!("foreign key {bits:x}: it belongs to another table"));
    let early = table.release(key, Moment::EPOCH).unwrap_err();
    assert!(matches!(early, ReleaseError::NotYet(_)));
    assert_eq!(
        early.to_string(),
        "not releasable yet: phase Open, registration Missing, 0 notifications owed"
    );
}

#[test]
fn what_is_owed_is_counted() {
    let submit = |operation, owed| Input::Outcome(Outcome::Submitting(operation, owed));
    let output = Input::Command(Command::Output(9));
    let life = moved(
        Mechanism::Ring,
        &[output, submit(Operation::Receive, Owed::Stream), submit(Operation::Send, Owed::Both)],
    );
    assert_eq!(life.owed(), 3);
}

#[test]
fn any_cancel_is_one() {
    assert!(Cancels::default().is_empty());
    for cancels in [
        Cancels { connect: true, ..Cancels::default() },
        Cancels { receive: true, ..Cancels::default() },
        Cancels { send: true, ..Cancels::default() },
        Cancels { watch: true, ..Cancels::default() },
    ] {
        assert!(!cancels.is_empty(), "{cancels:?}");
    }
}

/// The limits that the documentation names.
#[test]
fn limits_are_as_documented() {
    let policy = Policy::default();
    let seconds = |deadline| policy.duration(deadline).map(|duration| duration.as_secs());
    assert_eq!(Deadline::ALL.map(seconds), [Some(10), Some(60), Some(30), Some(60), Some(30), Some(5), None]);
    assert_eq!(policy.drain_budget, 134_217_728);
    assert_eq!(Policy::LONGEST, Duration::from_secs(2_073_600));
    assert_eq!(Moment::since_epoch(Duration::from_micros(1_999)), Moment::from_millis(1));
}
