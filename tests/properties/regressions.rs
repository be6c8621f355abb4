//! Failures that were found, as scripts with names. A failing property prints a script to paste here.

use std::time::Duration;

use hangup::{
    Answer, Command, Deadline, Fault, Input, Key, Mechanism, Moment, More, OnPeerFinish, Operation,
    OperationKey, Outcome, Owed, Plan, Policy, Settled, Table,
};
use hangup_testkit::{Act, KernelStep, Outside, Personality, Step, Want};

use crate::script::{Happening, Misuse, Setup, Side};
use crate::subject::Form;
use crate::tables::replay;

const fn said(answer: Answer) -> Input {
    Input::Outcome(Outcome::Immediate(answer))
}

const fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

const DAY: u64 = 24 * 60 * 60 * 1_000;

/// Every deadline that passes at `now`.
fn passed<S, B>(table: &mut Table<S, B>, now: Moment) -> Vec<(Key, Deadline)> {
    std::iter::from_fn(|| table.expire(now).map(|(key, deadline, _)| (key, deadline))).collect()
}

/// One connection from its birth to its release, by every kind of happening: an example of a pasted script.
#[test]
fn a_script_can_be_replayed() {
    let script = [
        Happening::Begin(0, Side::Connects),
        Happening::Misuse(Misuse::Untimely, 0, 17),
        Happening::Step(0, Step::Adapter(Want::Submit(Operation::Connect, Owed::One)), 1),
        Happening::Step(0, Step::Kernel(KernelStep::Returns(Operation::Connect)), 1),
        Happening::Step(0, Step::Outside(Outside::ConnectSucceeds), 1),
        Happening::Step(0, Step::Kernel(KernelStep::Completes(Operation::Connect)), 1),
        Happening::Step(0, Step::Kernel(KernelStep::Completion(Operation::Connect)), 1),
        Happening::Says(0, 1_460),
        Happening::Step(0, Step::Adapter(Want::Submit(Operation::Send, Owed::One)), 100),
        Happening::Step(0, Step::Kernel(KernelStep::Returns(Operation::Send)), 100),
        Happening::Step(0, Step::Kernel(KernelStep::Completes(Operation::Send)), 100),
        Happening::Later(40),
        Happening::Step(0, Step::Kernel(KernelStep::Completion(Operation::Send)), 1_460),
        Happening::Clock(60_000),
        Happening::Step(0, Step::Application(Act::Command(Command::Close(Plan::Linger))), 1),
        Happening::Drain(Plan::Finish),
    ];
    for form in [Form::Alone, Form::Shared] {
        let setup = Setup {
            personality: Personality::Uring,
            spurious: false,
            compact: true,
            policy: Policy { idle: Some(Duration::from_secs(60)), ..Policy::default() },
            form,
        };
        let seen = replay(setup, &script, true).unwrap_or_else(|wrong| panic!("{wrong}"));
        for what in ["connect", "lent", "returned", "follow-up: all output sent", "passed: idle", "released"]
        {
            assert!(seen.0.contains_key(what), "{what}: {seen:?}");
        }
    }
}

/// A list of the wheel spans more than a millisecond: what came up with it was handed out as it lay.
#[test]
fn deadlines_pass_in_the_order_of_their_moments() {
    let mut table: Table<()> = Table::new(Mechanism::Level, Policy::default());
    let begun = [(); 5].map(|()| table.vacant().expect("not full").accept((), at(0)));
    // Each is idle from another moment on.
    let order = [0, 4, 2, 1, 3].map(|number: usize| begun[number]);
    for (key, millis) in order.into_iter().zip([10, 20, 30, 40, 50]) {
        assert!(table.input(key, said(Answer::Received(1)), at(millis)).is_ok());
    }
    let passed: Vec<Key> = passed(&mut table, at(90_000)).into_iter().map(|(key, _)| key).collect();
    assert_eq!(passed, order);
}

/// A host that was suspended, with two deadlines on one connection: the second was taken for one to come.
#[test]
fn a_clock_that_jumps_leaves_no_deadline_behind() {
    let policy = Policy { idle: Some(Duration::from_secs(10)), ..Policy::default() };
    let mut table: Table<(), ()> = Table::new(Mechanism::Ring, policy);
    let key = table.vacant().expect("not full").accept((), at(0));
    assert!(table.input(key, Input::Command(Command::Output(5)), at(0)).is_ok());
    let right = table.lend(key, Operation::Send, Owed::One, None, at(0)).expect("wanted");
    drop(table.taken(right, at(0)).expect("pending"));
    // The output is withdrawn: now the connection is idle, and still stalls.
    assert!(table.input(key, Input::Command(Command::Output(0)), at(0)).is_ok());
    let both = vec![(key, Deadline::Idle), (key, Deadline::Stall)];
    assert_eq!(passed(&mut table, at(40 * DAY)), both);
}

/// A host that had no clock until it was told the time: deadlines came at once, or never.
#[test]
fn a_clock_that_is_set_by_years_is_survived() {
    for (jump, later) in [(3 * 365 * DAY, 1), (55 * 365 * DAY, 500_000_000)] {
        let mut table: Table<()> = Table::new(Mechanism::Level, Policy::default());
        let first = table.vacant().expect("not full").connect((), at(1));
        assert_eq!(passed(&mut table, at(later)).len(), usize::from(later > 10_000));
        let second = table.vacant().expect("not full").connect((), at(jump));
        let old = if later > 10_000 { vec![] } else { vec![(first, Deadline::Connect)] };
        assert_eq!(passed(&mut table, at(jump)), old);
        assert_eq!(passed(&mut table, at(jump + 9_999)), []);
        assert_eq!(passed(&mut table, at(jump + 10_000)), [(second, Deadline::Connect)]);
    }
}

/// Only a look at the deadlines used to be remembered as the latest moment.
#[test]
fn a_clock_that_runs_backwards_does_not_shorten_a_wait() {
    let mut table: Table<()> = Table::new(Mechanism::Level, Policy::default());
    let key = table.vacant().expect("not full").accept((), at(100_000));
    assert!(table.input(key, said(Answer::Received(1)), at(50_000)).is_ok());
    assert_eq!(passed(&mut table, at(159_999)), [], "60 s of silence have not passed since 100 s");
    assert_eq!(passed(&mut table, at(160_000)), [(key, Deadline::Idle)]);
    assert_eq!(table.wants(key).map(|wants| wants.release), Ok(None));
}

fn receiving(table: &mut Table<(), &'static str>, key: Key, buffer: &'static str) -> OperationKey {
    let right = table.lend(key, Operation::Receive, Owed::One, Some(buffer), at(0)).expect("wanted");
    match table.taken(right, at(0)).expect("pending") {
        Settled::InFlight { operation, .. } => operation,
        Settled::Done { .. } => panic!("it is in flight"),
    }
}

/// Two rights by one number, and the second is used when the next is in flight: it gave out a buffer that the OS
/// had (I02).
#[test]
fn a_right_is_good_for_one_operation() {
    let mut table: Table<(), &str> = Table::new(Mechanism::Ring, Policy::default());
    let key = table.vacant().expect("not full").accept((), at(0));
    let user_data = receiving(&mut table, key, "first").into_user_data();
    let (right, again) = (table.operation(user_data), table.operation(user_data));
    let done = table.complete(right.expect("current"), Answer::Received(5), More::Last, at(0));
    assert!(matches!(done, Ok(Settled::Done { buffer: Some("first"), .. })), "{done:?}");

    let in_flight = receiving(&mut table, key, "second");
    let again = again.expect("it was current");
    assert_eq!(table.lent_mut(&again), None, "the second buffer is of another operation");
    let twice = table.complete(again, Answer::Received(5), More::Last, at(0));
    assert!(twice.is_err(), "the OS still has the second buffer: {twice:?}");
    assert_eq!(table.lent_mut(&in_flight), Some(&mut "second"));
}

/// The right to answer a receive settled a send.
#[test]
fn a_right_is_good_for_its_own_kind_of_answer() {
    let mut table: Table<(), &str> = Table::new(Mechanism::Ring, Policy::default());
    let key = table.vacant().expect("not full").accept((), at(0));
    let receive = receiving(&mut table, key, "buffer");
    assert!(table.input(key, Input::Command(Command::Output(1)), at(0)).is_ok());
    let send = table.lend(key, Operation::Send, Owed::One, Some("output"), at(0)).expect("wanted");
    drop(table.taken(send, at(0)).expect("pending"));
    let wrong = table.complete(receive, Answer::Sent(1), More::Last, at(0));
    assert!(wrong.is_err(), "a receive has sent: {wrong:?}");
    assert!(!table.life(key).expect("there").slot(Operation::Send).is_idle(), "the OS still has the output");
}

/// A connection that was released as if by an answer stayed in the table for ever.
#[test]
fn only_a_release_releases() {
    let mut table: Table<&str> =
        Table::new(Mechanism::Level, Policy { on_peer_finish: OnPeerFinish::FinishToo, ..Policy::default() });
    let key = table.vacant().expect("not full").accept("socket", at(0));
    assert!(table.input(key, Input::Command(Command::Close(Plan::Abort)), at(0)).is_ok());
    assert!(table.input(key, said(Answer::Released), at(0)).is_err(), "nobody took the socket out");
    assert_eq!(table.release(key, at(0)).map(|released| released.resources), Ok("socket"));
}

/// An answer to an operation that lent a buffer, by the door that knows of none: conservation (I23).
#[test]
fn what_was_lent_comes_back_by_the_same_door() {
    let mut table: Table<(), &str> = Table::new(Mechanism::Ring, Policy::default());
    let key = table.vacant().expect("not full").accept((), at(0));
    drop(receiving(&mut table, key, "buffer"));
    let failed = Answer::ReceiveFailed(Fault::Reset);
    let taken = table.input(key, Input::Outcome(Outcome::Completed(failed, More::Last)), at(0));
    if taken.is_ok() && table.release(key, at(0)).is_ok() {
        assert_eq!(table.audit().with_the_os(), 0, "{:?}", table.audit());
    }
}
