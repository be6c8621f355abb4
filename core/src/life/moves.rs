//! The moves that rows are made of. Each keeps a promise that several rows rely on.

use super::Life;
use super::slot::Operation;
use super::state::{Inquiry, Memory, Phase, ReceiveHalf, SendHalf};
use crate::cause::{Cause, Certainty, FinSeen};
use crate::{DrainEnd, Fault, Plan};

/// The first cause wins.
pub(super) fn blame(life: Life, cause: Cause, certainty: Certainty) -> Life {
    match life.cause() {
        None => life.with(Some(cause)).with(certainty),
        Some(_) => life,
    }
}

/// The first end of a drain wins. Outside a closing plan there is no drain.
pub(super) fn drained(life: Life, end: DrainEnd) -> Life {
    if life.phase() == Phase::Closing && life.drain_end().is_none() { life.with(Some(end)) } else { life }
}

pub(super) fn at_least(life: Life, plan: Plan) -> Plan {
    life.plan().map_or(plan, |before| before.max(plan))
}

/// Whether the fault says something about one operation, and nothing about the connection.
pub(super) fn ends_operation_only(life: Life, fault: Fault) -> bool {
    // What a router said about an earlier packet ends nothing, unless the OS hung up too. A completion
    // comes without flags: there it is taken at its word.
    let soft = fault.is_soft() && life.mechanism().is_readiness() && !life.memory().contains(Memory::HUNG_UP);
    fault.is_transient() || fault.is_under_way() || fault.is_exhaustion() || fault == Fault::Cancelled || soft
}

/// Only "would block" uses an edge up: after anything else the same call may succeed.
pub(super) fn blocked(life: Life, fault: Fault, edge: Memory) -> Life {
    if fault == Fault::WouldBlock { life.with(life.memory().without(edge)) } else { life }
}

/// Whether the OS may have our FIN already.
pub(super) fn may_have_finished(life: Life) -> bool {
    match life.send_half() {
        SendHalf::FinSent => true,
        SendHalf::FinDue => !life.slot(Operation::Shutdown).is_idle(),
        SendHalf::Idle | SendHalf::Queued | SendHalf::FinQueued | SendHalf::Failed | SendHalf::Shut => false,
    }
}

pub(super) fn receive_over(life: Life) -> Life {
    if life.receive_half().is_over() { life } else { life.with(ReceiveHalf::Failed) }
}

pub(super) fn send_over(life: Life) -> Life {
    if life.send_half().is_over() { life } else { life.with(SendHalf::Failed) }
}

/// Both halves are lost.
pub(super) fn lost(life: Life, cause: Cause, certainty: Certainty) -> Life {
    receive_over(send_over(blame(life, cause, certainty)))
}

/// The cause when something is over and no call would say why.
pub(super) fn unnamed(life: Life) -> Cause {
    match life.fin_seen() {
        FinSeen::No | FinSeen::Unproven => Cause::PeerReset,
        FinSeen::Hinted | FinSeen::Read => Cause::ResetAfterFin,
    }
}

/// The connection is lost, and what the OS has received before stays readable for the application.
pub(super) fn send_lost(life: Life, cause: Cause, certainty: Certainty) -> Life {
    let life = blame(life, cause, certainty).with(SendHalf::Failed);
    let life = life.with(life.memory().with(Memory::SUSPECT));
    // Under a closing plan nobody is there any more to read it.
    let life = if life.phase() == Phase::Closing { receive_over(life) } else { life };
    no_question(life)
}

/// There is nothing to ask any more. A worker that is inside the call stays there.
pub(super) fn no_question(life: Life) -> Life {
    match life.inquiry() {
        Inquiry::Quiet | Inquiry::Due => life.with(Inquiry::Quiet),
        Inquiry::Asking => life,
    }
}

/// We stop, in both directions.
pub(super) fn given_up(life: Life) -> Life {
    let receive = if life.receive_half().is_over() { life.receive_half() } else { ReceiveHalf::Shut };
    let send = if life.send_half().is_over() { life.send_half() } else { SendHalf::Shut };
    life.with(receive).with(send)
}

pub(super) fn aborted(life: Life, cause: Cause) -> Life {
    given_up(blame(life.with(Some(Plan::Abort)), cause, Certainty::Certain))
}

pub(super) fn finishing(life: Life) -> Life {
    let send = match life.send_half() {
        SendHalf::Idle => SendHalf::FinDue,
        SendHalf::Queued => SendHalf::FinQueued,
        over @ (SendHalf::FinQueued
        | SendHalf::FinDue
        | SendHalf::FinSent
        | SendHalf::Failed
        | SendHalf::Shut) => over,
    };
    life.with(send).with(Some(at_least(life, Plan::Finish)))
}

pub(super) fn closing(life: Life, plan: Plan, cause: Cause) -> Life {
    let blamed = match life.fin_seen() {
        FinSeen::Read => blame(life, Cause::PeerFinished, Certainty::Certain),
        // The send in flight will tell.
        FinSeen::Unproven => life,
        FinSeen::Hinted | FinSeen::No => blame(life, cause, Certainty::Certain),
    };
    let life = finishing(blamed).with(Phase::Closing).with(Some(plan));
    match (life.receive_half(), plan) {
        // A flush does not read until the output is out: the peer has nothing more to say, or waits.
        (ReceiveHalf::Open | ReceiveHalf::Paused, Plan::Flush) if life.send_half() != SendHalf::FinSent => {
            life.with(ReceiveHalf::Paused)
        }
        (ReceiveHalf::Open | ReceiveHalf::Paused, _) => life.with(ReceiveHalf::Discarding),
        (ReceiveHalf::Discarding | ReceiveHalf::Ended | ReceiveHalf::Failed | ReceiveHalf::Shut, _) => life,
    }
}

pub(super) fn lingering(life: Life) -> Life {
    let receive = match life.receive_half() {
        ReceiveHalf::Open | ReceiveHalf::Paused | ReceiveHalf::Discarding => ReceiveHalf::Discarding,
        over @ (ReceiveHalf::Ended | ReceiveHalf::Failed | ReceiveHalf::Shut) => over,
    };
    life.with(receive).with(Some(at_least(life, Plan::Linger)))
}
