//! Why a connection ended, as scripts: what happened, in order, and what is said about it.
//!
//! Each script is a sentence of the order of facts. The exploration shows that no order is unsafe; these show that
//! the usual orders have the right name.

#![allow(clippy::panic, reason = "tests: a surprise is a failure")]

use hangup::Answer::{
    Acknowledged, ConnectBlocked, ConnectFailed, Connected, Deregistered, EndOfStream, NoError, PendingError,
    ReceiveFailed, Received, RegisterFailed, Registered, SendBlocked, SendFailed, Sent, ShutDown,
    ShutdownFailed, WatchFailed,
};
use hangup::Certainty::{Certain, Inferred};
use hangup::{
    Answer, Blame, Cause, Certainty, Close, Command, Deadline, DrainEnd, Fault, Hint, Input, Life, Mechanism,
    OnPeerFinish, Outcome, Phase, Plan, Timeout,
};

const LEVEL: Mechanism = Mechanism::Level;
const KEEP: OnPeerFinish = OnPeerFinish::KeepSending;

fn said(answer: Answer) -> Input {
    Input::Outcome(Outcome::Immediate(answer))
}

const fn hint(hint: Hint) -> Input {
    Input::Hint(hint)
}

const fn close(plan: Plan) -> Input {
    Input::Command(Command::Close(plan))
}

const fn output(bytes: usize) -> Input {
    Input::Command(Command::Output(bytes))
}

const fn late(deadline: Deadline) -> Input {
    Input::Expired(deadline)
}

fn run(mut life: Life, script: &[Input]) -> Life {
    for (at, &input) in script.iter().enumerate() {
        life = life.step(input).unwrap_or_else(|refused| panic!("step {at}: {refused}"));
    }
    life
}

/// An accepted connection, registered, through `script` and to its release.
#[track_caller]
fn ends(script: &[Input], cause: (Cause, Certainty), drain_end: Option<DrainEnd>, by: Close) {
    let born = run(Life::accepted(LEVEL, KEEP), &[said(Registered)]);
    ends_from(born, script, cause, drain_end, by);
}

#[track_caller]
fn ends_from(
    born: Life,
    script: &[Input],
    cause: (Cause, Certainty),
    drain_end: Option<DrainEnd>,
    by: Close,
) {
    let mut life = run(born, script);
    assert_eq!(life.phase(), Phase::Ending, "{life:?}");
    assert_eq!((life.cause(), life.certainty()), (Some(cause.0), cause.1), "{life:?}");
    assert_eq!(life.drain_end(), drain_end, "{life:?}");
    if life.wants().deregister {
        assert_eq!(life.wants().release, None, "not while it is registered");
        life = run(life, &[said(Deregistered)]);
    }
    assert_eq!(life.wants().release, Some(by));
    let released = run(life, &[said(Answer::Released)]);
    assert_eq!(released.phase(), Phase::Released);
    assert_eq!(released.wants(), hangup::Wants::default());
    assert!(released.step(said(Answer::Released)).is_err(), "once");
}

fn over() -> Input {
    hint(Hint::HANG_UP.with(Hint::ERROR).with(Hint::READABLE).with(Hint::WRITABLE).with(Hint::PEER_CLOSED))
}

#[test]
fn the_peer_finishes_first() {
    let finished = (Cause::PeerFinished, Certain);
    let eos = said(EndOfStream);
    let drained = Some(DrainEnd::PeerFinished);
    ends(&[eos, close(Plan::Finish), said(ShutDown)], finished, None, Close::Plain);
    ends(&[eos, close(Plan::Flush), said(ShutDown)], finished, drained, Close::Plain);
    ends(&[eos, close(Plan::Linger), said(ShutDown)], finished, drained, Close::Plain);
    // With an answer in between, some of it late.
    let script = [
        said(Received(9)),
        eos,
        output(100),
        said(Sent(60)),
        said(SendBlocked),
        hint(Hint::WRITABLE),
        said(Sent(40)),
        output(0),
        close(Plan::Flush),
        said(ShutDown),
    ];
    ends(&script, finished, drained, Close::Plain);
    // A policy can take the FIN for both.
    let both = Life::accepted(LEVEL, OnPeerFinish::FinishToo);
    ends_from(both, &[said(Registered), eos, said(ShutDown)], finished, None, Close::Plain);
    let script = [said(Registered), output(5), eos, said(Sent(5)), output(0), said(ShutDown)];
    ends_from(both, &script, finished, None, Close::Plain);
}

#[test]
fn we_finish_first() {
    let closed = (Cause::LocalClose, Certain);
    let drained = Some(DrainEnd::PeerFinished);
    let (fin, eos) = (said(ShutDown), said(EndOfStream));
    ends(&[close(Plan::Finish), fin, said(Received(7)), eos], closed, None, Close::Plain);
    ends(&[close(Plan::Flush), fin, eos], closed, drained, Close::Plain);
    ends(&[close(Plan::Linger), fin, said(Received(7)), eos], closed, drained, Close::Plain);
    ends(&[close(Plan::Linger), said(Received(7)), eos, fin], closed, drained, Close::Plain);
    ends(&[close(Plan::Linger), fin, said(Acknowledged)], closed, Some(DrainEnd::Acknowledged), Close::Plain);
    ends(&[close(Plan::Abort)], (Cause::LocalAbort, Certain), None, Close::Reset);
    // The hang-up of two FINs is no alarm that anybody believes.
    let script = [close(Plan::Finish), fin, hint(Hint::HANG_UP.with(Hint::READABLE)), said(NoError), eos];
    ends(&script, closed, None, Close::Plain);
}

#[test]
fn a_reset_without_a_fin() {
    let reset = (Cause::PeerReset, Certain);
    ends(&[said(ReceiveFailed(Fault::Reset))], reset, None, Close::Plain);
    ends(&[said(SendFailed(Fault::Reset)), said(EndOfStream)], reset, None, Close::Plain);
    ends(&[over(), said(PendingError(Fault::Reset)), said(EndOfStream)], reset, None, Close::Plain);
    // What was received before it is read before it.
    let script = [over(), said(PendingError(Fault::Reset)), said(Received(5)), said(EndOfStream)];
    ends(&script, reset, None, Close::Plain);
    // Nobody can say what it was: AFD under Wine.
    let script = [hint(Hint::ABORT), said(NoError), said(EndOfStream)];
    ends(&script, (Cause::PeerReset, Inferred), None, Close::Plain);
    // A 0 that is read before the question is answered settles nothing.
    let script = [hint(Hint::ABORT), said(EndOfStream), said(NoError), said(EndOfStream)];
    ends(&script, (Cause::PeerReset, Inferred), None, Close::Plain);
    // Shutting down a dead connection fails; why it is dead has to be asked for.
    let script = [
        close(Plan::Finish),
        said(ShutdownFailed(Fault::NotConnected)),
        said(PendingError(Fault::Reset)),
        said(EndOfStream),
    ];
    ends(&script, reset, None, Close::Plain);
}

#[test]
fn a_reset_after_the_fin() {
    let after = (Cause::ResetAfterFin, Certain);
    let eos = said(EndOfStream);
    // Windows says 10053 in the next call, Linux nothing but EPIPE, the BSDs ECONNRESET.
    ends(&[eos, said(Sent(3)), said(SendFailed(Fault::BrokenPipe))], after, None, Close::Plain);
    ends(&[eos, said(Sent(3)), said(SendFailed(Fault::Aborted))], after, None, Close::Plain);
    ends(&[eos, said(Sent(3)), said(ReceiveFailed(Fault::Reset))], after, None, Close::Plain);
    ends(&[eos, over(), said(PendingError(Fault::BrokenPipe))], after, None, Close::Plain);
    // The FIN was only hinted at, or nobody names the error.
    let inferred = (Cause::ResetAfterFin, Inferred);
    let script = [hint(Hint::PEER_CLOSED), said(SendFailed(Fault::Reset)), eos];
    ends(&script, inferred, None, Close::Plain);
    ends(&[eos, hint(Hint::ABORT), said(NoError)], inferred, None, Close::Plain);
    ends(
        &[eos, close(Plan::Finish), said(ShutdownFailed(Fault::NotConnected))],
        inferred,
        None,
        Close::Plain,
    );
    ends(&[said(SendFailed(Fault::BrokenPipe)), eos], inferred, None, Close::Plain);
}

#[test]
fn the_first_cause_is_kept() {
    let blame = Input::Command(Command::Blame(Blame::Truncated));
    let script = [said(EndOfStream), blame, close(Plan::Abort)];
    ends(&script, (Cause::Truncated, Certain), None, Close::Reset);
    let script = [said(SendFailed(Fault::TimedOut)), close(Plan::Abort)];
    ends(&script, (Cause::TimedOut(Timeout::Transport), Certain), None, Close::Reset);
    // Our own close was first; what the peer did then is how the drain ended.
    let script = [close(Plan::Linger), said(ReceiveFailed(Fault::Reset))];
    ends(&script, (Cause::LocalClose, Certain), Some(DrainEnd::Failed), Close::Plain);
    let script = [close(Plan::Flush), said(ShutDown), over(), said(PendingError(Fault::Reset))];
    ends(&script, (Cause::LocalClose, Certain), Some(DrainEnd::Failed), Close::Plain);
    let known = run(Life::accepted(LEVEL, KEEP), &[said(Registered), said(SendFailed(Fault::Reset))]);
    assert!(known.step(blame).is_err(), "a verdict comes too late when the cause is known");
}

#[test]
fn deadlines() {
    let timed_out = |timeout| (Cause::TimedOut(timeout), Certain);
    let script = [late(Deadline::Idle), said(ShutDown), said(EndOfStream)];
    ends(&script, timed_out(Timeout::Idle), Some(DrainEnd::PeerFinished), Close::Plain);
    ends(&[output(5), late(Deadline::Stall)], timed_out(Timeout::Stall), None, Close::Reset);
    let script = [said(EndOfStream), late(Deadline::HalfClosed)];
    ends(&script, timed_out(Timeout::HalfClosed), None, Close::Reset);
    let script = [close(Plan::Finish), said(ShutDown), late(Deadline::HalfClosed)];
    ends(&script, timed_out(Timeout::HalfClosed), None, Close::Plain);
    // The OS has hung up, no call has said why, and nobody reads.
    let paused = [Input::Command(Command::Pause), hint(Hint::ABORT), said(NoError)];
    let script = [&paused[..], &[late(Deadline::HalfClosed)]].concat();
    ends(&script, (Cause::PeerReset, Inferred), None, Close::Reset);

    let closed = (Cause::LocalClose, Certain);
    let (fin, total) = (said(ShutDown), late(Deadline::DrainTotal));
    ends(&[close(Plan::Linger), fin, total], closed, Some(DrainEnd::TotalDeadline), Close::Plain);
    ends(&[close(Plan::Linger), total], closed, Some(DrainEnd::TotalDeadline), Close::Reset);
    let idle = [close(Plan::Linger), fin, late(Deadline::DrainIdle)];
    ends(&idle, closed, Some(DrainEnd::IdleDeadline), Close::Plain);
    let budget = [close(Plan::Linger), fin, late(Deadline::DrainBudget)];
    ends(&budget, closed, Some(DrainEnd::Budget), Close::Plain);
    // The budget ends the reading, not the writing.
    let script = [output(9), close(Plan::Linger), late(Deadline::DrainBudget), said(Sent(9)), output(0), fin];
    ends(&script, closed, Some(DrainEnd::Budget), Close::Plain);
    let script = [output(9), close(Plan::Flush), late(Deadline::Stall)];
    ends(&script, closed, Some(DrainEnd::Stalled), Close::Reset);
}

#[test]
fn plans_escalate_and_never_weaken() {
    let closed = (Cause::LocalClose, Certain);
    let failed = Some(DrainEnd::Failed);
    let script = [close(Plan::Flush), close(Plan::Linger), close(Plan::Finish), close(Plan::Flush)];
    let life = run(Life::accepted(LEVEL, KEEP), &script);
    assert_eq!(life.plan(), Some(Plan::Linger));
    assert!(life.wants().discard);
    let script = [close(Plan::Finish), close(Plan::Flush), close(Plan::Linger), close(Plan::Abort)];
    ends(&script, closed, failed, Close::Reset);
    // Also when everything is over and only the release is missing.
    ends(
        &[said(ReceiveFailed(Fault::Reset)), close(Plan::Abort)],
        (Cause::PeerReset, Certain),
        None,
        Close::Reset,
    );
    // A flush that meets data becomes a linger.
    let script = [close(Plan::Flush), said(ShutDown), said(Received(3))];
    assert_eq!(run(Life::accepted(LEVEL, KEEP), &script).plan(), Some(Plan::Linger));
}

#[test]
fn connects() {
    let born = Life::connecting(LEVEL, KEEP);
    let begun = [said(ConnectBlocked), said(Registered), hint(Hint::WRITABLE)];
    let refused = [begun.as_slice(), &[said(ConnectFailed(Fault::Refused))]].concat();
    ends_from(born, &refused, (Cause::Refused, Certain), None, Close::Plain);
    let at_once = [said(ConnectFailed(Fault::Unreachable))];
    ends_from(born, &at_once, (Cause::Unreachable, Certain), None, Close::Plain);
    let reset = [begun.as_slice(), &[said(ConnectFailed(Fault::Reset))]].concat();
    ends_from(born, &reset, (Cause::PeerReset, Certain), None, Close::Plain);
    for script in [&begun[..0], &begun[..1], &begun[..2], &begun] {
        let late = [script, &[late(Deadline::Connect)]].concat();
        ends_from(born, &late, (Cause::TimedOut(Timeout::Connect), Certain), None, Close::Plain);
        let given_up = [script, &[close(Plan::Flush)]].concat();
        ends_from(born, &given_up, (Cause::LocalClose, Certain), None, Close::Plain);
        let aborted = [script, &[close(Plan::Abort)]].concat();
        ends_from(born, &aborted, (Cause::LocalAbort, Certain), None, Close::Reset);
    }
    // A hint was wrong, and the second one is right. Output and the FIN wait for the connect.
    let script = [
        output(4),
        close(Plan::Finish),
        said(ConnectBlocked),
        said(Registered),
        hint(Hint::ERROR),
        said(ConnectBlocked),
        hint(Hint::WRITABLE),
        said(Connected),
        said(Sent(4)),
        output(0),
        said(ShutDown),
        said(EndOfStream),
    ];
    ends_from(born, &script, (Cause::LocalClose, Certain), None, Close::Plain);
}

#[test]
fn our_own_failures() {
    let local = (Cause::LocalError, Certain);
    let accepted = Life::accepted(LEVEL, KEEP);
    ends_from(accepted, &[said(RegisterFailed(Fault::SystemLimit))], local, None, Close::Plain);
    ends(&[said(WatchFailed(Fault::Io))], local, None, Close::Plain);
    ends(&[said(ReceiveFailed(Fault::BadDescriptor))], local, None, Close::Plain);
    ends(&[said(ReceiveFailed(Fault::Io))], (Cause::Unknown, Inferred), None, Close::Plain);
}

/// What ends an operation, or speaks of an earlier packet, does not end the connection.
#[test]
fn a_connection_survives() {
    let born = run(Life::accepted(LEVEL, KEEP), &[said(Registered)]);
    for fault in [
        Fault::WouldBlock,
        Fault::Interrupted,
        Fault::InProgress,
        Fault::NoBuffers,
        Fault::Cancelled,
        Fault::Unreachable,
        Fault::Refused,
    ] {
        for answer in [ReceiveFailed(fault), SendFailed(fault)] {
            assert_eq!(run(born, &[said(answer)]), born, "{answer:?}");
        }
        assert_eq!(run(born, &[hint(Hint::ERROR), said(PendingError(fault))]), born, "{fault:?}");
    }
    // With a hang-up, the same number is the connection's end.
    let script = [over(), said(PendingError(Fault::Unreachable)), said(EndOfStream)];
    ends(&script, (Cause::TimedOut(Timeout::Transport), Inferred), None, Close::Plain);
    let resumed = run(born, &[Input::Command(Command::Pause), Input::Command(Command::Resume)]);
    assert_eq!(resumed, born);
}

#[test]
fn what_is_wanted_when() {
    let born = Life::accepted(LEVEL, KEEP);
    assert!(born.wants().register);
    let open = run(born, &[said(Registered)]);
    assert!(open.wants().receive && !open.wants().send);
    assert!(run(open, &[output(5)]).wants().send);
    let paused = run(open, &[Input::Command(Command::Pause)]);
    assert!(!paused.wants().receive);
    // Over at the OS: no event will come any more, so what is left is read without one.
    let over = run(open, &[over()]).wants();
    assert!(over.inquire && over.deregister && over.receive_now && !over.receive);
    assert!(!run(paused, &[self::over()]).wants().receive_now);
    // Nothing is sent before the flush is over, and nothing is read either.
    let flushing = run(open, &[output(5), close(Plan::Flush)]).wants();
    assert!(flushing.send && !flushing.shutdown && !flushing.receive && !flushing.discard);
    let lingering = run(open, &[output(5), close(Plan::Linger)]).wants();
    assert!(lingering.send && lingering.receive && lingering.discard);
    assert!(run(open, &[output(5), close(Plan::Flush), output(0)]).wants().shutdown);
}

/// An edge comes once: it is remembered until a call would block.
#[test]
fn edges_are_remembered() {
    let open = run(Life::accepted(Mechanism::Edge, KEEP), &[said(Registered)]);
    let readable = run(open, &[hint(Hint::READABLE)]);
    assert!(readable.wants().receive_now);
    assert!(run(readable, &[said(Received(5))]).wants().receive_now, "there may be more");
    assert!(!run(readable, &[said(Answer::ReceiveBlocked)]).wants().receive_now);
    let paused = run(readable, &[Input::Command(Command::Pause)]);
    assert!(!paused.wants().receive_now);
    assert!(run(paused, &[Input::Command(Command::Resume)]).wants().receive_now);
    let writable = run(open, &[hint(Hint::WRITABLE), output(5)]);
    assert!(writable.wants().send_now);
    assert!(!run(writable, &[said(SendBlocked)]).wants().send_now);
    // One that came with the end of the connect is not lost with it.
    let connected = [said(ConnectBlocked), said(Registered), hint(Hint::WRITABLE), said(Connected)];
    assert!(run(Life::connecting(Mechanism::Edge, KEEP), &connected).wants().receive_now);
}
