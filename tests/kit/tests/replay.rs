//! Traces that a kernel may give are accepted, and those that are wrong in one place are not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a surprise is a failure"
)]

use hangup::{Answer, Command, Fault, Hint, Input, Life, More, OnPeerFinish, Operation, Outcome, Owed, Plan};
use hangup_testkit::{Personality, Replay, Rules, Step, Told, World};

const fn said(answer: Answer) -> Input {
    Input::Outcome(Outcome::Immediate(answer))
}

const fn submitting(operation: Operation, owed: Owed) -> Input {
    Input::Outcome(Outcome::Submitting(operation, owed))
}

const fn pending(operation: Operation) -> Input {
    Input::Outcome(Outcome::Pending(operation))
}

const fn completed(answer: Answer, more: More) -> Input {
    Input::Outcome(Outcome::Completed(answer, more))
}

const RELEASED: Input = said(Answer::Released);
const OVER: Hint = Hint::READABLE.with(Hint::WRITABLE).with(Hint::HANG_UP).with(Hint::ERROR);

fn accepted(personality: Personality) -> Life {
    Life::accepted(personality.mechanism(), OnPeerFinish::KeepSending)
}

/// What the machine makes of these. It takes them all.
fn told(birth: Life, inputs: &[Input]) -> Vec<Told> {
    let mut life = birth;
    let step = |&input: &Input| {
        life = life.step(input).unwrap();
        Told { input, after: life }
    };
    inputs.iter().map(step).collect()
}

#[track_caller]
fn fits(personality: Personality, inputs: &[Input]) {
    let birth = accepted(personality);
    if let Err(misfit) = Replay::new(personality).check(birth, &told(birth, inputs)) {
        panic!("{misfit}");
    }
}

/// The machine takes it, as a machine has to that is told so; but no kernel of this kind says it. `at` is where.
#[track_caller]
fn misfits(personality: Personality, at: usize, inputs: &[Input]) {
    let birth = accepted(personality);
    refused(personality, at, &told(birth, inputs));
}

#[track_caller]
fn refused(personality: Personality, at: usize, trace: &[Told]) {
    let misfit = Replay::new(personality).check(accepted(personality), trace).expect_err("it is wrong");
    assert_eq!(misfit.position, Some(at), "{misfit}");
    let said = misfit.to_string();
    assert!(said.contains(&personality.to_string()) && said.contains("instead:"), "{said}");
    let is_over = trace[..at].last().is_some_and(|told| told.input == RELEASED);
    assert!(misfit.allowed.is_empty() == is_over && misfit.told == Some(trace[at]));
}

/// An echo on io_uring, from the first receive to the release.
fn echo() -> Vec<Told> {
    let inputs = [
        submitting(Operation::Receive, Owed::One),
        pending(Operation::Receive),
        completed(Answer::Received(700), More::Last),
        Input::Command(Command::Output(700)),
        submitting(Operation::Send, Owed::One),
        pending(Operation::Send),
        completed(Answer::Sent(700), More::Last),
        Input::Command(Command::Output(0)),
        submitting(Operation::Receive, Owed::One),
        pending(Operation::Receive),
        completed(Answer::EndOfStream, More::Last),
        Input::Command(Command::Close(Plan::Flush)),
        submitting(Operation::Shutdown, Owed::One),
        pending(Operation::Shutdown),
        completed(Answer::ShutDown, More::Last),
        RELEASED,
    ];
    told(accepted(Personality::Uring), &inputs)
}

#[test]
fn an_echo_fits() {
    let trace = echo();
    let mut replay = Replay::new(Personality::Uring);
    for end in 0..=trace.len() {
        assert!(replay.check(accepted(Personality::Uring), &trace[..end]).is_ok(), "as far as it has come");
    }
    // What was looked at once is known.
    let size = replay.size();
    assert!(replay.check(accepted(Personality::Uring), &trace).is_ok());
    assert_eq!(replay.size(), size);
}

#[test]
fn nothing_may_be_missing() {
    let whole = echo();
    // But for what changes nothing that anybody sees: the last amount of output, which an application need not name.
    let silent = [7];
    for at in (0..whole.len() - 1).filter(|at| !silent.contains(at)) {
        let mut trace = whole.clone();
        trace.remove(at);
        refused(Personality::Uring, at, &trace);
    }
}

#[test]
fn no_two_may_change_places() {
    let whole = echo();
    for at in 0..whole.len() - 1 {
        let mut trace = whole.clone();
        trace.swap(at, at + 1);
        refused(Personality::Uring, at, &trace);
    }
}

#[test]
fn nothing_may_come_twice() {
    let whole = echo();
    // An amount may be said twice, and a plan.
    let harmless = [3, 7, 11];
    for at in (0..whole.len()).filter(|at| !harmless.contains(at)) {
        let mut trace = whole.clone();
        trace.insert(at, whole[at]);
        refused(Personality::Uring, at + 1, &trace);
    }
}

#[test]
fn a_birth_of_another_kind_is_none() {
    let misfit = Replay::new(Personality::Uring).check(accepted(Personality::Iocp), &[]).expect_err("a port");
    assert_eq!(misfit.position, None);
    assert!(misfit.to_string().contains("nothing is born as"), "{misfit}");
}

#[test]
fn a_reset_is_no_end_of_stream() {
    let lost = [said(Answer::Registered), Input::Hint(OVER)];
    let named =
        [said(Answer::PendingError(Fault::Reset)), said(Answer::Deregistered), said(Answer::EndOfStream)];
    fits(Personality::EpollLevel, &[&lost[..], &named[..], &[RELEASED]].concat());
    // The poller said that there is an error, and nobody was given it.
    misfits(
        Personality::EpollLevel,
        2,
        &[&lost[..], &[said(Answer::NoError), said(Answer::EndOfStream)]].concat(),
    );

    // A ring tells of the error as soon as it has come; what it tells when the application comes to it is the same.
    let ahead = [
        submitting(Operation::Receive, Owed::One),
        pending(Operation::Receive),
        said(Answer::PendingError(Fault::Reset)),
    ];
    fits(
        Personality::Uring,
        &[&ahead[..], &[completed(Answer::ReceiveFailed(Fault::Reset), More::Last)]].concat(),
    );
    misfits(Personality::Uring, 3, &[&ahead[..], &[completed(Answer::EndOfStream, More::Last)]].concat());
}

#[test]
fn an_error_is_given_once_on_linux_and_always_on_windows() {
    let twice = [
        submitting(Operation::Receive, Owed::One),
        pending(Operation::Receive),
        Input::Command(Command::Output(1)),
        submitting(Operation::Send, Owed::One),
        pending(Operation::Send),
        completed(Answer::SendFailed(Fault::Reset), More::Last),
        completed(Answer::ReceiveFailed(Fault::Reset), More::Last),
    ];
    fits(Personality::Iocp, &twice);
    misfits(Personality::Uring, 6, &twice);
}

#[test]
fn what_is_at_once_here_comes_later_there() {
    let at_once =
        [Input::Command(Command::Output(5)), submitting(Operation::Send, Owed::One), said(Answer::Sent(5))];
    fits(Personality::IocpSkip, &at_once);
    misfits(Personality::Iocp, 2, &at_once);
    misfits(Personality::Uring, 2, &at_once);
}

#[test]
fn nobody_completes_what_was_not_submitted() {
    let birth = accepted(Personality::UringMultishot);
    // As if a table had let it pass.
    let never = Told { input: completed(Answer::Received(5), More::Last), after: birth };
    refused(Personality::UringMultishot, 0, &[never]);
}

#[test]
fn nothing_follows_the_last() {
    let personality = Personality::UringMultishot;
    let stream = [
        submitting(Operation::Receive, Owed::Stream),
        pending(Operation::Receive),
        completed(Answer::Received(5), More::Follows),
        completed(Answer::Received(5), More::Follows),
        completed(Answer::EndOfStream, More::Last),
    ];
    fits(personality, &stream);
    let mut trace = told(accepted(personality), &stream);
    let after = trace[4].after;
    trace.push(Told { input: completed(Answer::Received(5), More::Follows), after });
    refused(personality, 5, &trace);
    // A single receive has no other behind it.
    misfits(Personality::Uring, 0, &stream);
}

#[test]
fn level_triggered_readiness_is_true() {
    let begun = [said(Answer::Registered), Input::Hint(Hint::READABLE)];
    fits(
        Personality::EpollLevel,
        &[&begun[..], &[said(Answer::Received(5)), said(Answer::ReceiveBlocked)]].concat(),
    );
    misfits(Personality::EpollLevel, 2, &[&begun[..], &[said(Answer::ReceiveBlocked)]].concat());
}

#[test]
fn the_life_is_compared_too() {
    let mut trace = echo();
    trace[2].after = trace[4].after;
    refused(Personality::Uring, 2, &trace);
}

/// Whatever the simulation does is a trace of the simulation.
#[test]
fn every_walk_fits() {
    for personality in Personality::ALL {
        let rules = Rules { in_full: true, ..Rules::faithful(personality) };
        let mut replay = Replay::new(personality);
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let (mut steps, mut fed, mut inputs) = (Vec::<Step>::new(), Vec::new(), 0);
        for birth in World::births(&rules).into_iter().cycle().take(40) {
            let (mut world, mut trace) = (birth, Vec::new());
            for _ in 0..60 {
                world.choices(&rules, &mut steps);
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let Some(&step) = steps.get((random >> 33) as usize % steps.len().max(1)) else { break };
                world = world.apply_recorded(&rules, step, &mut fed).unwrap();
                let taken = fed.iter().filter_map(|fed| Some(Told { input: fed.input, after: fed.after? }));
                trace.extend(taken);
            }
            if let Err(misfit) = replay.check(birth.life, &trace) {
                panic!("{misfit}");
            }
            inputs += trace.len();
        }
        assert!(inputs > 100, "{personality}: {inputs} inputs");
    }
}
