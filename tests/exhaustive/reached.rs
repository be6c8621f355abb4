//! Everything that the machine has a word for was reached: a phase or a want that never comes up is a rule that
//! does nothing.

use std::collections::BTreeSet;
use std::fmt::Debug;

use hangup::{
    Answer, Cancel, Cause, Certainty, Deadline, DrainEnd, Fault, Hint, Input, Inquiry, Life, Mechanism,
    Memory, More, OnPeerFinish, Operation, Outcome, Owed, Phase, Plan, ReceiveHalf, Registration, SendHalf,
    Timeout,
};

use crate::explored::{WANTS, all_lives, armed, wanted};

fn all_of<T: Debug + PartialEq + Copy>(lives: &BTreeSet<Life>, all: &[T], of: impl Fn(Life) -> Option<T>) {
    for value in all {
        assert!(lives.iter().any(|&life| of(life).as_ref() == Some(value)), "{value:?} was not reached");
    }
}

#[test]
fn every_component_takes_every_value() {
    let lives = all_lives();
    all_of(&lives, Mechanism::ALL, |life| Some(life.mechanism()));
    all_of(&lives, OnPeerFinish::ALL, |life| Some(life.on_peer_finish()));
    all_of(&lives, Phase::ALL, |life| Some(life.phase()));
    all_of(&lives, ReceiveHalf::ALL, |life| Some(life.receive_half()));
    all_of(&lives, SendHalf::ALL, |life| Some(life.send_half()));
    all_of(&lives, Plan::ALL, Life::plan);
    all_of(&lives, DrainEnd::ALL, Life::drain_end);
    all_of(&lives, Certainty::ALL, |life| Some(life.certainty()));
    all_of(&lives, Inquiry::ALL, |life| Some(life.inquiry()));
    // A worker claims a registration only where there are several, and no port registers anything.
    let registrations = [Registration::Missing, Registration::Present, Registration::Gone];
    all_of(&lives, &registrations, |life| Some(life.registration()));
    for (memory, name) in Memory::NAMES {
        assert!(lives.iter().any(|life| life.memory().contains(memory)), "{name} was never remembered");
    }
}

#[test]
fn every_cause_is_decided() {
    let lives = all_lives();
    // These need a fault, or a verdict of the application, that the simulated world does not produce.
    let elsewhere = [
        Cause::LocalStackAborted,
        Cause::TimedOut(Timeout::KeepAlive),
        Cause::Protocol,
        Cause::Shed,
        Cause::Unknown,
    ];
    for cause in Cause::ALL {
        let reached = lives.iter().any(|life| life.cause() == Some(cause));
        assert_ne!(reached, elsewhere.contains(&cause), "{cause:?}: reached is {reached}");
    }
}

#[test]
fn every_slot_takes_every_state() {
    let lives = all_lives();
    let slot = |operation| move |life: Life| life.slot(operation);
    for operation in Operation::WITH_SLOT {
        let of = slot(operation);
        all_of(&lives, &[true, false], |life| Some(of(life).calling));
        all_of(&lives, &[Owed::Nothing, Owed::One], |life| Some(of(life).owed));
        if operation != Operation::Shutdown {
            all_of(&lives, &[Cancel::No, Cancel::Asked, Cancel::Answered], |life| Some(of(life).cancel));
        }
    }
    all_of(&lives, &[Owed::Stream], |life| Some(life.slot(Operation::Receive).owed));
    all_of(&lives, &[Owed::Stream], |life| Some(life.slot(Operation::Watch).owed));
    all_of(&lives, &[Owed::Both, Owed::Notification, Owed::Result], |life| {
        Some(life.slot(Operation::Send).owed)
    });
}

#[test]
fn every_want_is_wanted_and_every_deadline_armed() {
    let lives = all_lives();
    let reached: BTreeSet<&str> = lives.iter().flat_map(|life| wanted(life.wants())).collect();
    assert_eq!(reached.len(), WANTS, "only these were wanted: {reached:?}");
    let reached: BTreeSet<Deadline> = lives.iter().flat_map(|&life| armed(life)).collect();
    assert_eq!(reached.len(), Deadline::ALL.len(), "only these were armed: {reached:?}");
}

/// Any life that is reached is a word that comes back, and no two are the same word.
#[test]
fn packing_loses_nothing() {
    for life in all_lives() {
        assert_eq!(Life::from_bits(life.to_bits()), Some(life));
        assert_eq!(life.to_bits() >> Life::BITS, 0);
    }
}

/// At most one deadline of each group is armed, and a wait for the peer has one: I18, I20.
#[test]
fn every_wait_for_the_peer_has_an_end() {
    for life in all_lives() {
        let waits = match life.phase() {
            Phase::ConnectDue | Phase::Connecting | Phase::ConnectHinted | Phase::Closing => true,
            Phase::Open => life.receive_half() == ReceiveHalf::Open || life.send_half().has_output(),
            Phase::Ending | Phase::Released => false,
        };
        assert!(!waits || armed(life).any(|deadline| deadline != Deadline::DrainBudget), "{life:?}");
    }
}

/// What the drain ended by is known whenever a closing plan has run its course.
#[test]
fn a_closing_plan_says_how_it_ended() {
    for life in all_lives() {
        let ran = life.phase() == Phase::Ending && matches!(life.plan(), Some(Plan::Flush | Plan::Linger));
        let established = life.receive_half() != ReceiveHalf::Shut || life.send_half() != SendHalf::Shut;
        assert!(!ran || !established || life.drain_end().is_some(), "{life:?}");
        assert!(
            life.drain_end() != Some(DrainEnd::PeerFinished) || life.receive_half() == ReceiveHalf::Ended
        );
    }
}

/// When a connection has ended, it does not matter in which words an operation is settled. The exploration of completions relies on it:
/// there, all of them are one.
#[test]
fn nobody_listens_after_the_end() {
    let mut compared = 0;
    let ended = |life: &Life| life.phase() == Phase::Ending && !life.mechanism().is_readiness();
    for life in all_lives().into_iter().filter(ended) {
        for words in [CONNECT, RECEIVE, SEND, WATCH, SHUTDOWN] {
            for outcome in WAYS {
                let step = |&answer: &Answer| life.step(Input::Outcome(outcome(answer))).ok();
                let after: BTreeSet<Option<Life>> = words.iter().map(step).collect();
                assert_eq!(after.len(), 1, "{words:?} do not all do the same to {life:?}");
                compared += usize::from(!after.contains(&None));
            }
        }
    }
    assert!(compared > 1000, "only {compared} were taken");
}

type Way = fn(Answer) -> Outcome;

const WAYS: [Way; 3] = [
    Outcome::Immediate,
    |answer| Outcome::Completed(answer, More::Last),
    |answer| Outcome::Completed(answer, More::Follows),
];

const CONNECT: &[Answer] =
    &[Answer::Connected, Answer::ConnectFailed(Fault::Refused), Answer::ConnectFailed(Fault::Cancelled)];
const RECEIVE: &[Answer] = &[
    Answer::Received(0),
    Answer::Received(1),
    Answer::EndOfStream,
    Answer::ReceiveFailed(Fault::Reset),
    Answer::ReceiveFailed(Fault::Cancelled),
];
const SEND: &[Answer] =
    &[Answer::Sent(1), Answer::SendFailed(Fault::BrokenPipe), Answer::SendFailed(Fault::Cancelled)];
const WATCH: &[Answer] = &[
    Answer::Watched(Hint::PEER_CLOSED),
    Answer::Watched(Hint::HANG_UP),
    Answer::WatchFailed(Fault::Cancelled),
    Answer::WatchFailed(Fault::BadDescriptor),
];
const SHUTDOWN: &[Answer] = &[Answer::ShutDown, Answer::ShutdownFailed(Fault::NotConnected)];
