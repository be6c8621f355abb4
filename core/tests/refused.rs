//! What has no row is refused, and what is transient moves nothing: the edges of single rows.

#![allow(clippy::panic, reason = "a test: a surprise is a failed test")]

use hangup::{
    Answer, Command, Fault, Hint, Input, Life, Mechanism, More, OnPeerFinish, Operation, Outcome, Owed,
    Phase, Plan, Registration,
};

const fn said(answer: Answer) -> Input {
    Input::Outcome(Outcome::Immediate(answer))
}

const fn submit(operation: Operation) -> Input {
    Input::Outcome(Outcome::Submitting(operation, Owed::One))
}

const OUTPUT: Input = Input::Command(Command::Output(5));

const fn close(plan: Plan) -> Input {
    Input::Command(Command::Close(plan))
}

fn accepted(mechanism: Mechanism) -> Life {
    Life::accepted(mechanism, OnPeerFinish::KeepSending)
}

fn run(life: Life, inputs: &[Input]) -> Life {
    inputs.iter().fold(life, |life, &input| life.step(input).unwrap_or_else(|refused| panic!("{refused}")))
}

#[track_caller]
fn refuses(life: Life, input: Input) {
    let refused = life.step(input).expect_err("there is a row for it");
    assert_eq!((refused.life, refused.input), (life, input));
}

#[test]
fn nothing_is_claimed_that_makes_no_sense() {
    let ring = accepted(Mechanism::Ring);
    let connecting = Life::connecting(Mechanism::Ring, OnPeerFinish::KeepSending);
    // Established, and not: a receive needs both the phase and the half.
    for operation in [Operation::Receive, Operation::Send, Operation::Watch] {
        refuses(run(connecting, &[OUTPUT]), submit(operation));
    }
    refuses(run(ring, &[said(Answer::EndOfStream)]), submit(Operation::Receive));
    refuses(ring, submit(Operation::Send));
    refuses(ring, submit(Operation::Connect));
    refuses(ring, submit(Operation::Shutdown));
    // Only a ring has something to watch with.
    refuses(accepted(Mechanism::Port), submit(Operation::Watch));
    refuses(accepted(Mechanism::Level), submit(Operation::Watch));
    run(run(ring, &[Input::Command(Command::Pause)]), &[submit(Operation::Watch)]);
    for operation in [Operation::Sever, Operation::Release, Operation::Deregister, Operation::Inquire] {
        refuses(ring, submit(operation));
    }
}

#[test]
fn a_registration_is_not_removed_behind_the_machine() {
    let registered = run(accepted(Mechanism::Level), &[said(Answer::Registered)]);
    assert_eq!(registered.registration(), Registration::Present);
    refuses(registered, said(Answer::Deregistered));
    refuses(accepted(Mechanism::Level), said(Answer::Deregistered));
    let over = run(registered, &[close(Plan::Abort)]);
    assert_eq!(run(over, &[said(Answer::Deregistered)]).registration(), Registration::Gone);
}

#[test]
fn what_is_transient_moves_nothing() {
    let connecting = Life::connecting(Mechanism::Level, OnPeerFinish::KeepSending);
    let begun = run(connecting, &[said(Answer::ConnectFailed(Fault::Interrupted))]);
    assert_eq!(begun.phase(), Phase::Connecting);
    let due = run(accepted(Mechanism::Level), &[said(Answer::Registered), close(Plan::Finish)]);
    assert_eq!(run(due, &[said(Answer::ShutdownFailed(Fault::Interrupted))]), due);
}

/// A question is answered once, and only if it was asked.
#[test]
fn nobody_asked() {
    let life = run(accepted(Mechanism::Level), &[said(Answer::Registered)]);
    refuses(life, said(Answer::NoError));
    let asked = run(life, &[Input::Hint(Hint::ERROR)]);
    refuses(run(asked, &[said(Answer::NoError)]), said(Answer::NoError));
}

/// A flush becomes a linger when the peer has more to say, and not when nothing came.
#[test]
fn nothing_is_not_something() {
    let life = accepted(Mechanism::Level);
    let flushing = run(life, &[said(Answer::Registered), close(Plan::Flush), said(Answer::ShutDown)]);
    assert_eq!(run(flushing, &[said(Answer::Received(0))]).plan(), Some(Plan::Flush));
    assert_eq!(run(flushing, &[said(Answer::Received(1))]).plan(), Some(Plan::Linger));
}

/// The operation is over, and the request to cancel it has not been answered: the next one has to wait.
#[test]
fn a_slot_is_taken_until_its_cancel_is_answered() {
    let parked = run(
        accepted(Mechanism::Port),
        &[submit(Operation::Receive), Input::Outcome(Outcome::Pending(Operation::Receive))],
    );
    let asked = run(parked, &[close(Plan::Abort), Input::Outcome(Outcome::Cancelling(Operation::Receive))]);
    let failed = Answer::ReceiveFailed(Fault::Cancelled);
    let over = run(asked, &[Input::Outcome(Outcome::Completed(failed, More::Last))]);
    assert!(!over.slot(Operation::Receive).is_idle() && over.wants().release.is_none());
    refuses(over, said(Answer::Received(1)));
    let answered = run(over, &[Input::Outcome(Outcome::CancelAnswered(Operation::Receive))]);
    assert!(answered.slot(Operation::Receive).is_idle() && answered.wants().release.is_some());
}
