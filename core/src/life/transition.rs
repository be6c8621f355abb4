//! Every transition of a life, as rows. Nothing else moves one.
//!
//! Read it top down: an input finds its kind, the kind finds the phase, the phase finds the row. `None`
//! is "no row": the input is refused and nothing changes. There is no wildcard arm, so a new phase, half
//! or answer does not compile until each of its rows is written. `table.txt` beside this file lists
//! every row that can be reached; a test keeps it true.
//!
//! Rules that hold for all rows:
//!
//! * The first cause wins ([`blame`]).
//! * Facts are never thrown away: a notification that is owed settles its slot in every phase, also
//!   when nobody is interested in what it says any more.
//! * When the second half is over, the connection is ending ([`settle`]), whatever brought that about.

use super::Life;
use super::input::{Answer, Command, Hint, Input, Outcome};
use super::moves::{
    aborted, at_least, blame, blocked, closing, drained, ends_operation_only, finishing, given_up, lingering,
    lost, may_have_finished, no_question, receive_over, send_lost, send_over, unnamed,
};
use super::slot::{Operation, Owed};
use super::state::{Inquiry, Mechanism, Memory, OnPeerFinish, Phase, ReceiveHalf, Registration, SendHalf};
use crate::cause::{self, Cause, Certainty, FinSeen, Timeout};
use crate::{Deadline, DrainEnd, Fault, Plan};

/// The life after `input`, or `None` if there is no row for it.
#[inline]
pub(super) fn step(life: Life, input: Input) -> Option<Life> {
    match input {
        Input::Hint(hint) => on_hint(life, hint),
        Input::Outcome(outcome) => on_outcome(life, outcome),
        Input::Command(command) => on_command(life, command),
        Input::Expired(deadline) => on_expired(life, deadline),
    }
    .map(settle)
}

// ---------------------------------------------------------------------------------------------------
// Hints: where to look. No half moves.
// ---------------------------------------------------------------------------------------------------

fn on_hint(life: Life, hint: Hint) -> Option<Life> {
    match life.phase() {
        Phase::ConnectDue | Phase::Ending | Phase::Released => None,
        Phase::Connecting => life.mechanism().is_readiness().then(|| life.with(Phase::ConnectHinted)),
        Phase::ConnectHinted => Some(life),
        Phase::Open | Phase::Closing => Some(hinted(life, hint)),
    }
}

fn hinted(life: Life, hint: Hint) -> Life {
    let mut memory = life.memory();
    let readiness = life.mechanism().is_readiness();
    let over = Hint::HANG_UP.with(Hint::ABORT);

    if life.mechanism() == Mechanism::Edge {
        // The edge does not come again: remember it until a call would block.
        if hint.is_alarming() || hint.intersects(Hint::READABLE.with(Hint::PEER_CLOSED)) {
            memory = memory.with(Memory::READABLE);
        }
        if hint.is_alarming() || hint.contains(Hint::WRITABLE) {
            memory = memory.with(Memory::WRITABLE);
        }
    }
    if hint.intersects(over) {
        memory = memory.with(Memory::HUNG_UP);
        if readiness {
            // The registration will go: whatever is left to read has to be read without an event.
            memory = memory.with(Memory::READABLE).with(Memory::WRITABLE);
        }
    } else if hint.contains(Hint::PEER_CLOSED) && !life.receive_half().is_over() {
        memory = memory.with(Memory::FIN_HINTED);
    }
    // An error flag alone may sit on a healthy connection, and a hang-up alone is what two FINs look
    // like: but both together, or a hang-up before our own FIN, is no orderly end.
    if hint.contains(Hint::ABORT)
        || hint.contains(Hint::HANG_UP) && (hint.contains(Hint::ERROR) || !may_have_finished(life))
    {
        memory = memory.with(Memory::SUSPECT);
    }

    let inquiry = match life.inquiry() {
        Inquiry::Quiet if hint.is_alarming() && life.send_half() != SendHalf::Failed => Inquiry::Due,
        inquiry @ (Inquiry::Quiet | Inquiry::Due | Inquiry::Asking) => inquiry,
    };
    life.with(memory).with(inquiry)
}

// ---------------------------------------------------------------------------------------------------
// Outcomes: what operations said. The slot first, then what the answer means.
// ---------------------------------------------------------------------------------------------------

#[inline]
fn on_outcome(life: Life, outcome: Outcome) -> Option<Life> {
    match outcome {
        Outcome::Submitting(operation, owed) => on_submitting(life, operation, owed),
        Outcome::Pending(operation) => life.with_slot(operation, life.slot(operation).pending()?),
        Outcome::Cancelling(operation) => life.with_slot(operation, life.slot(operation).cancelling()?),
        Outcome::CancelAnswered(operation) => {
            life.with_slot(operation, life.slot(operation).cancel_answered()?)
        }
        Outcome::Immediate(answer) => {
            let operation = answer.operation();
            let before = life.slot(operation);
            let after = before.immediate()?;
            if before == after {
                return on_answer(life, answer);
            }
            let settled = life.with_slot(operation, after)?;
            Some(on_answer(settled, answer).unwrap_or(settled))
        }
        Outcome::Completed(answer, more) => {
            let operation = answer.operation();
            let settled = life.with_slot(operation, life.slot(operation).completed(answer, more)?)?;
            Some(on_answer(settled, answer).unwrap_or(settled))
        }
    }
}

/// An operation is claimed before its call is made, and only while it makes sense: nothing is submitted
/// once both halves are over.
fn on_submitting(life: Life, operation: Operation, owed: Owed) -> Option<Life> {
    let established = life.phase().is_established();
    let makes_sense = match operation {
        Operation::Register => return life.wants().register.then(|| life.with(Registration::Adding)),
        Operation::Deregister => {
            return life.wants().deregister.then(|| life.with(Registration::Removing));
        }
        Operation::Inquire => return life.wants().inquire.then(|| life.with(Inquiry::Asking)),
        Operation::Sever | Operation::Release => return None,
        Operation::Connect => life.phase() == Phase::ConnectDue,
        Operation::Receive => {
            established && matches!(life.receive_half(), ReceiveHalf::Open | ReceiveHalf::Discarding)
        }
        Operation::Send => established && life.send_half().has_output(),
        Operation::Watch => established && life.mechanism() == Mechanism::Ring,
        Operation::Shutdown => life.wants().shutdown,
    };
    let slot = life.slot(operation).submitting(operation, owed)?;
    if makes_sense { life.with_slot(operation, slot) } else { None }
}

#[inline]
fn on_answer(life: Life, answer: Answer) -> Option<Life> {
    match answer {
        Answer::Registered => on_registered(life, true),
        Answer::RegisterFailed(_) => on_registered(life, false),
        Answer::Deregistered => match life.registration() {
            Registration::Removing => Some(life.with(Registration::Gone)),
            Registration::Present if life.wants().deregister => Some(life.with(Registration::Gone)),
            Registration::Missing | Registration::Adding | Registration::Present | Registration::Gone => None,
        },

        Answer::Connected => on_connected(life),
        Answer::ConnectBlocked => match life.phase() {
            Phase::ConnectDue | Phase::Connecting | Phase::ConnectHinted => {
                Some(life.with(Phase::Connecting))
            }
            Phase::Open | Phase::Closing | Phase::Ending | Phase::Released => None,
        },
        Answer::ConnectFailed(fault) => on_connect_failed(life, fault),

        Answer::Received(count) => established(life, |life| on_received(life, count)),
        Answer::EndOfStream => established(life, on_end_of_stream),
        Answer::ReceiveBlocked => {
            established(life, |life| Some(life.with(life.memory().without(Memory::READABLE))))
        }
        Answer::ReceiveFailed(fault) => established(life, |life| on_receive_failed(life, fault)),

        Answer::Sent(_) => established(life, on_sent),
        Answer::SendBlocked => {
            established(life, |life| Some(life.with(life.memory().without(Memory::WRITABLE))))
        }
        Answer::SendFailed(fault) => established(life, |life| on_send_failed(life, fault)),
        Answer::Notified => Some(life),

        Answer::Watched(hint) => established(life, |life| Some(hinted(life, hint))),
        Answer::WatchFailed(fault) => on_watch_failed(life, fault),

        Answer::NoError => on_inquired(life, None),
        Answer::PendingError(fault) => on_inquired(life, Some(fault)),
        Answer::Acknowledged => on_acknowledged(life),

        Answer::ShutDown => established(life, on_shut_down),
        Answer::ShutdownFailed(fault) => established(life, |life| on_shutdown_failed(life, fault)),
        Answer::Severed => life.wants().sever.then(|| life.with(life.memory().with(Memory::SEVERED))),
        Answer::Released => life.is_releasable().then(|| life.with(Phase::Released)),
    }
}

/// The row of an answer that means something only on an established connection.
#[inline]
fn established(life: Life, row: impl FnOnce(Life) -> Option<Life>) -> Option<Life> {
    match life.phase() {
        Phase::Open | Phase::Closing => row(life),
        Phase::ConnectDue | Phase::Connecting | Phase::ConnectHinted | Phase::Ending | Phase::Released => {
            None
        }
    }
}

fn on_registered(life: Life, registered: bool) -> Option<Life> {
    // If it was claimed, the connection may have ended while a worker was inside the call.
    let claimed = life.registration() == Registration::Adding;
    if !claimed && !life.wants().register {
        return None;
    }
    Some(if registered {
        life.with(Registration::Present)
    } else {
        lost(life.with(Registration::Gone), Cause::LocalError, Certainty::Certain)
    })
}

fn on_connected(life: Life) -> Option<Life> {
    match life.phase() {
        // Flags gathered before are discarded, except that an edge may have come with them.
        Phase::ConnectDue | Phase::Connecting | Phase::ConnectHinted => {
            let memory = match life.mechanism() {
                Mechanism::Edge => Memory::READABLE.with(Memory::WRITABLE),
                Mechanism::Level | Mechanism::Port | Mechanism::Ring => Memory::NONE,
            };
            Some(life.with(Phase::Open).with(memory))
        }
        Phase::Open | Phase::Closing | Phase::Ending | Phase::Released => None,
    }
}

fn on_connect_failed(life: Life, fault: Fault) -> Option<Life> {
    match life.phase() {
        Phase::ConnectDue | Phase::Connecting | Phase::ConnectHinted if fault.is_transient() => {
            // Interrupted or not finished: it goes on by itself.
            Some(life.with(Phase::Connecting))
        }
        Phase::ConnectDue | Phase::Connecting | Phase::ConnectHinted => {
            let (cause, certainty) = cause::of_connect_fault(fault);
            Some(lost(life, cause, certainty))
        }
        Phase::Open | Phase::Closing | Phase::Ending | Phase::Released => None,
    }
}

#[inline]
fn on_received(life: Life, count: usize) -> Option<Life> {
    let life = match life.mechanism() {
        // Level-triggered readiness is reported again, unless the registration is gone.
        Mechanism::Level if !life.memory().contains(Memory::HUNG_UP) => {
            life.with(life.memory().without(Memory::READABLE))
        }
        Mechanism::Level | Mechanism::Edge | Mechanism::Port | Mechanism::Ring => life,
    };
    match life.receive_half() {
        ReceiveHalf::Open | ReceiveHalf::Paused => Some(life),
        // The peer had something left to say after all.
        ReceiveHalf::Discarding if count > 0 && life.plan() == Some(Plan::Flush) => {
            Some(life.with(Some(Plan::Linger)))
        }
        ReceiveHalf::Discarding => Some(life),
        ReceiveHalf::Ended | ReceiveHalf::Failed | ReceiveHalf::Shut => None,
    }
}

fn on_end_of_stream(life: Life) -> Option<Life> {
    let memory = life.memory();
    match life.receive_half() {
        // Another call took the error, and this 0 is what is left of it. Or a hint spoke of an error
        // that no call would show. Neither is a FIN.
        ReceiveHalf::Open | ReceiveHalf::Paused | ReceiveHalf::Discarding
            if memory.contains(Memory::SUSPECT) && life.inquiry() != Inquiry::Quiet =>
        {
            // Ask first; the next receive returns 0 again.
            Some(life)
        }
        ReceiveHalf::Open | ReceiveHalf::Paused | ReceiveHalf::Discarding
            if life.send_half() == SendHalf::Failed || memory.contains(Memory::SUSPECT) =>
        {
            Some(lost(life, unnamed(life), Certainty::Inferred))
        }
        ReceiveHalf::Open | ReceiveHalf::Paused | ReceiveHalf::Discarding => {
            // A send that is in flight may have taken the error of a reset, and left this 0.
            let unproven = life.slot(Operation::Send).waits_for_result();
            let memory = memory.without(Memory::FIN_HINTED).with(Memory::UNPROVEN.when(unproven));
            let ended = life.with(ReceiveHalf::Ended).with(memory);
            Some(match (life.send_half(), life.on_peer_finish()) {
                (SendHalf::FinSent, _) => blame(ended, Cause::LocalClose, Certainty::Certain),
                (SendHalf::Idle, OnPeerFinish::FinishToo) => {
                    ended.with(SendHalf::FinDue).with(Some(at_least(life, Plan::Finish)))
                }
                (SendHalf::Queued, OnPeerFinish::FinishToo) => {
                    ended.with(SendHalf::FinQueued).with(Some(at_least(life, Plan::Finish)))
                }
                (SendHalf::Idle | SendHalf::Queued, OnPeerFinish::KeepSending)
                | (SendHalf::FinQueued | SendHalf::FinDue | SendHalf::Failed | SendHalf::Shut, _) => ended,
            })
        }
        // Receives after the end go on returning 0.
        ReceiveHalf::Ended => Some(life),
        ReceiveHalf::Failed | ReceiveHalf::Shut => None,
    }
}

fn on_receive_failed(life: Life, fault: Fault) -> Option<Life> {
    match life.receive_half() {
        ReceiveHalf::Failed | ReceiveHalf::Shut => None,
        // Nothing ended: receive again.
        ReceiveHalf::Open | ReceiveHalf::Paused | ReceiveHalf::Discarding | ReceiveHalf::Ended
            if ends_operation_only(life, fault) =>
        {
            Some(blocked(life, fault, Memory::READABLE))
        }
        ReceiveHalf::Open | ReceiveHalf::Paused | ReceiveHalf::Discarding | ReceiveHalf::Ended => {
            let (cause, certainty) = cause::of_fault(fault, life.fin_seen());
            Some(lost(life, cause, certainty))
        }
    }
}

#[inline]
fn on_sent(life: Life) -> Option<Life> {
    let life = life.with(life.memory().without(Memory::UNPROVEN));
    match life.send_half() {
        SendHalf::Idle | SendHalf::Queued | SendHalf::FinQueued | SendHalf::FinDue => Some(life),
        SendHalf::FinSent | SendHalf::Failed | SendHalf::Shut => None,
    }
}

fn on_send_failed(life: Life, fault: Fault) -> Option<Life> {
    match life.send_half() {
        SendHalf::FinSent | SendHalf::Failed | SendHalf::Shut => None,
        SendHalf::Idle | SendHalf::Queued | SendHalf::FinQueued | SendHalf::FinDue
            if ends_operation_only(life, fault) =>
        {
            Some(blocked(life, fault, Memory::WRITABLE))
        }
        SendHalf::Idle | SendHalf::Queued | SendHalf::FinQueued | SendHalf::FinDue => {
            let (cause, certainty) = cause::of_fault(fault, life.fin_seen());
            Some(send_lost(life, cause, certainty))
        }
    }
}

/// A connection that nothing reports about would hang for ever.
fn on_watch_failed(life: Life, fault: Fault) -> Option<Life> {
    let blind = Some(lost(life, Cause::LocalError, Certainty::Certain));
    match (life.phase(), life.mechanism()) {
        // The poller was told what to watch for, and did not take it in. It will not be asked again.
        (
            Phase::Connecting | Phase::ConnectHinted | Phase::Open | Phase::Closing,
            Mechanism::Level | Mechanism::Edge,
        ) => blind,
        // An operation that ended, and can be submitted anew.
        (Phase::Open | Phase::Closing, Mechanism::Port | Mechanism::Ring) => {
            if ends_operation_only(life, fault) { Some(life) } else { blind }
        }
        // It is about to be deregistered.
        (Phase::Ending, Mechanism::Level | Mechanism::Edge) => Some(life),
        (Phase::Connecting | Phase::ConnectHinted | Phase::Ending, Mechanism::Port | Mechanism::Ring)
        | (Phase::ConnectDue | Phase::Released, _) => None,
    }
}

/// The answer to the one question for the pending error.
fn on_inquired(life: Life, error: Option<Fault>) -> Option<Life> {
    let asked = life.inquiry() != Inquiry::Quiet;
    let life = life.with(Inquiry::Quiet);
    match life.phase() {
        Phase::ConnectDue | Phase::Connecting | Phase::ConnectHinted | Phase::Released => None,
        Phase::Ending => asked.then_some(life),
        Phase::Open | Phase::Closing => match error {
            None if !asked => None,
            // A receive has returned 0, a hint spoke of an error, and nobody can name it.
            None if life.receive_half() == ReceiveHalf::Ended && life.memory().contains(Memory::SUSPECT) => {
                Some(send_lost(life, unnamed(life), Certainty::Inferred))
            }
            None => Some(life),
            Some(fault) if ends_operation_only(life, fault) => Some(life),
            Some(fault) => {
                let (cause, certainty) = cause::of_fault(fault, life.fin_seen());
                Some(send_lost(life, cause, certainty))
            }
        },
    }
}

fn on_acknowledged(life: Life) -> Option<Life> {
    let waits = life.send_half() == SendHalf::FinSent && life.receive_half() == ReceiveHalf::Discarding;
    (life.phase() == Phase::Closing && waits)
        .then(|| drained(life, DrainEnd::Acknowledged).with(ReceiveHalf::Shut))
}

fn on_shut_down(life: Life) -> Option<Life> {
    match life.send_half() {
        SendHalf::FinDue => {
            let life = life.with(SendHalf::FinSent);
            Some(match (life.phase(), life.receive_half()) {
                (_, ReceiveHalf::Ended) => blame(life, Cause::PeerFinished, Certainty::Certain),
                // The output is out: now wait for the peer.
                (Phase::Closing, ReceiveHalf::Paused) => life.with(ReceiveHalf::Discarding),
                (
                    _,
                    ReceiveHalf::Open
                    | ReceiveHalf::Paused
                    | ReceiveHalf::Discarding
                    | ReceiveHalf::Failed
                    | ReceiveHalf::Shut,
                ) => life,
            })
        }
        SendHalf::Idle
        | SendHalf::Queued
        | SendHalf::FinQueued
        | SendHalf::FinSent
        | SendHalf::Failed
        | SendHalf::Shut => None,
    }
}

fn on_shutdown_failed(life: Life, fault: Fault) -> Option<Life> {
    match life.send_half() {
        SendHalf::FinDue if fault.is_transient() => Some(life),
        SendHalf::FinDue => Some(match life.fin_seen() {
            FinSeen::Read => send_lost(life, Cause::ResetAfterFin, Certainty::Inferred),
            // "Not connected" says that it is over, not why: ask, and do not trust a 0.
            FinSeen::Hinted | FinSeen::Unproven | FinSeen::No => {
                let life = send_over(life).with(life.memory().with(Memory::SUSPECT));
                match life.inquiry() {
                    Inquiry::Quiet | Inquiry::Due => life.with(Inquiry::Due),
                    Inquiry::Asking => life,
                }
            }
        }),
        SendHalf::Idle
        | SendHalf::Queued
        | SendHalf::FinQueued
        | SendHalf::FinSent
        | SendHalf::Failed
        | SendHalf::Shut => None,
    }
}

// ---------------------------------------------------------------------------------------------------
// Commands: what the application wants.
// ---------------------------------------------------------------------------------------------------

fn on_command(life: Life, command: Command) -> Option<Life> {
    match life.phase() {
        Phase::Released => None,
        Phase::Ending => match command {
            Command::Close(Plan::Abort) => Some(life.with(Some(Plan::Abort))),
            Command::Close(Plan::Finish | Plan::Flush | Plan::Linger) => Some(life),
            Command::Output(_) | Command::Pause | Command::Resume | Command::Blame(_) => None,
        },
        Phase::Closing => match command {
            Command::Output(count) => on_output(life, count),
            Command::Close(Plan::Finish | Plan::Flush) => Some(life),
            Command::Close(Plan::Linger) => Some(lingering(life)),
            Command::Close(Plan::Abort) => Some(aborted(life, Cause::LocalAbort)),
            Command::Pause | Command::Resume | Command::Blame(_) => None,
        },
        Phase::Open => match command {
            Command::Output(count) => on_output(life, count),
            Command::Pause => on_pause(life),
            Command::Resume => on_resume(life),
            Command::Blame(blamed) => on_blame(life, blamed.cause()),
            Command::Close(Plan::Finish) => Some(finishing(life)),
            Command::Close(plan @ (Plan::Flush | Plan::Linger)) => {
                Some(closing(life, plan, Cause::LocalClose))
            }
            Command::Close(Plan::Abort) => Some(aborted(life, Cause::LocalAbort)),
        },
        Phase::ConnectDue | Phase::Connecting | Phase::ConnectHinted => match command {
            Command::Output(count) => on_output(life, count),
            Command::Pause => on_pause(life),
            Command::Resume => on_resume(life),
            Command::Blame(blamed) => on_blame(life, blamed.cause()),
            Command::Close(Plan::Finish) => Some(finishing(life)),
            // Nothing has been said to anybody yet: there is nothing to flush.
            Command::Close(plan @ (Plan::Flush | Plan::Linger)) => {
                Some(given_up(blame(life.with(Some(plan)), Cause::LocalClose, Certainty::Certain)))
            }
            Command::Close(Plan::Abort) => Some(aborted(life, Cause::LocalAbort)),
        },
    }
}

fn on_output(life: Life, count: usize) -> Option<Life> {
    match (life.send_half(), count) {
        (SendHalf::Idle | SendHalf::Queued, 0) => Some(life.with(SendHalf::Idle)),
        (SendHalf::Idle | SendHalf::Queued, _) => Some(life.with(SendHalf::Queued)),
        (SendHalf::FinQueued, 0) => Some(life.with(SendHalf::FinDue)),
        (SendHalf::FinQueued, _)
        | (SendHalf::FinDue | SendHalf::FinSent | SendHalf::Failed | SendHalf::Shut, 0) => Some(life),
        // Written after the end: refused at once, not lost silently.
        (SendHalf::FinDue | SendHalf::FinSent | SendHalf::Failed | SendHalf::Shut, _) => None,
    }
}

fn on_pause(life: Life) -> Option<Life> {
    match life.receive_half() {
        ReceiveHalf::Open => Some(life.with(ReceiveHalf::Paused)),
        ReceiveHalf::Paused | ReceiveHalf::Ended | ReceiveHalf::Failed | ReceiveHalf::Shut => Some(life),
        ReceiveHalf::Discarding => None,
    }
}

fn on_resume(life: Life) -> Option<Life> {
    match life.receive_half() {
        ReceiveHalf::Paused => Some(life.with(ReceiveHalf::Open)),
        ReceiveHalf::Open | ReceiveHalf::Ended | ReceiveHalf::Failed | ReceiveHalf::Shut => Some(life),
        ReceiveHalf::Discarding => None,
    }
}

fn on_blame(life: Life, cause: Cause) -> Option<Life> {
    match life.cause() {
        None => Some(blame(life, cause, Certainty::Certain)),
        Some(_) => None,
    }
}

// ---------------------------------------------------------------------------------------------------
// Deadlines. Only one that is armed can expire.
// ---------------------------------------------------------------------------------------------------

fn on_expired(life: Life, deadline: Deadline) -> Option<Life> {
    if !life.deadlines().contains(deadline) {
        return None;
    }
    let timed_out = |timeout| blame(life, Cause::TimedOut(timeout), Certainty::Certain);
    Some(match deadline {
        Deadline::Connect => given_up(timed_out(Timeout::Connect)),
        // The peer did nothing wrong: take leave in order.
        Deadline::Idle => closing(life, Plan::Linger, Cause::TimedOut(Timeout::Idle)),
        Deadline::Stall => {
            given_up(drained(timed_out(Timeout::Stall), DrainEnd::Stalled).with(Some(Plan::Abort)))
        }
        Deadline::HalfClosed => {
            // The application never read up to the call that would have said so: the hint is all there is.
            let life = if life.memory().contains(Memory::SUSPECT) {
                blame(life, unnamed(life), Certainty::Inferred)
            } else {
                timed_out(Timeout::HalfClosed)
            };
            match life.send_half() {
                SendHalf::FinSent | SendHalf::Failed | SendHalf::Shut => given_up(life),
                SendHalf::Idle | SendHalf::Queued | SendHalf::FinQueued | SendHalf::FinDue => {
                    given_up(life.with(Some(Plan::Abort)))
                }
            }
        }
        Deadline::DrainTotal => match life.send_half() {
            // Our output is out and so is our FIN: a plain close loses nothing of it.
            SendHalf::FinSent if life.phase() == Phase::Closing => {
                given_up(drained(life, DrainEnd::TotalDeadline))
            }
            SendHalf::Idle
            | SendHalf::Queued
            | SendHalf::FinQueued
            | SendHalf::FinDue
            | SendHalf::FinSent
            | SendHalf::Failed
            | SendHalf::Shut => given_up(drained(life, DrainEnd::TotalDeadline).with(Some(Plan::Abort))),
        },
        Deadline::DrainIdle => drained(life, DrainEnd::IdleDeadline).with(ReceiveHalf::Shut),
        // Stop reading; what is still to be written out is written out.
        Deadline::DrainBudget => drained(life, DrainEnd::Budget).with(ReceiveHalf::Shut),
    })
}

// ---------------------------------------------------------------------------------------------------
// The one rule behind every row.
// ---------------------------------------------------------------------------------------------------

/// When both halves are over, the connection is ending: no row brings that about by itself.
#[inline]
fn settle(life: Life) -> Life {
    // A closing plan that cannot send its FIN has nothing to wait for.
    let life = if life.phase() == Phase::Closing && life.send_half() == SendHalf::Failed {
        receive_over(life)
    } else {
        life
    };
    let live = life.phase().is_connecting() || life.phase().is_established();
    if !(live && life.receive_half().is_over() && life.send_half().is_over()) {
        return life;
    }
    let in_order = life.receive_half() == ReceiveHalf::Ended && life.send_half() == SendHalf::FinSent;
    let drain_end = if in_order { DrainEnd::PeerFinished } else { DrainEnd::Failed };
    let cause = match life.receive_half() {
        ReceiveHalf::Ended => Cause::PeerFinished,
        ReceiveHalf::Open
        | ReceiveHalf::Paused
        | ReceiveHalf::Discarding
        | ReceiveHalf::Failed
        | ReceiveHalf::Shut => Cause::Unknown,
    };
    let life = blame(drained(life, drain_end), cause, Certainty::Inferred);
    no_question(life).with(Phase::Ending).with(Memory::NONE)
}
