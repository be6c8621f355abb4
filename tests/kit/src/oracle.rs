//! What must hold in every state, whatever has happened.

use hangup::{
    Answer, Cause, Command, Deadline, Fault, Input, Life, Memory, More, Operation, Outcome, Owed, Phase,
    Plan, ReceiveHalf, SendHalf,
};

use crate::kernel::{Held, Stage, place};
use crate::sabotage::Sabotage;
use crate::step::{Step, Want};
use crate::world::{Rules, World};

/// A broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// I01: the resources were released twice.
    ReleasedTwice,
    /// I02: the resources were released while the OS owed something.
    ReleasedWhileOwed,
    /// I06: the descriptor was closed while it was registered.
    ClosedWhileRegistered,
    /// I06: the registration was removed twice.
    DeregisteredTwice,
    /// I08: the first cause did not win.
    CauseRevised(Option<Cause>, Option<Cause>),
    /// I19: a plan was replaced by a weaker one, or did not escalate.
    PlanWeakened(Option<Plan>, Option<Plan>),
    /// I03: something that happened was refused.
    FactRefused(Input),
    /// I04, I08: something that did not happen was accepted.
    StaleAccepted(Input),
    /// I08: an operation is wanted after both halves are over.
    WantedAfterEnd,
    /// I16: a FIN while the application holds output, or output accepted after it.
    FinBeforeFlush,
    /// I17: an orderly close with unread input.
    UnreadInput,
    /// I11: the cause is certain, and it is wrong.
    FalseEnd,
    /// I13: something is there to be read, or over, and nothing will say so.
    Deaf,
    /// I14: a wakeup after which everything is as before.
    Spin,
    /// I18: the OS has hung up, and nothing bounds how long the application may leave it at that.
    Endless,
    /// I18: the connection is closing, the application does nothing, the peer is silent, and release cannot be
    /// reached.
    Stuck,
}

impl core::fmt::Display for Violation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::ReleasedTwice => f.write_str("released twice (I01)"),
            Self::ReleasedWhileOwed => f.write_str("released while the OS owed something (I02)"),
            Self::ClosedWhileRegistered => f.write_str("closed while registered (I06)"),
            Self::DeregisteredTwice => f.write_str("registration removed twice (I06)"),
            Self::CauseRevised(before, after) => {
                write!(f, "cause revised from {before:?} to {after:?} (I08)")
            }
            Self::PlanWeakened(before, after) => write!(f, "plan went from {before:?} to {after:?} (I19)"),
            Self::FactRefused(input) => write!(f, "refused a fact: {input:?} (I03)"),
            Self::StaleAccepted(input) => write!(f, "accepted what did not happen: {input:?} (I04)"),
            Self::WantedAfterEnd => f.write_str("an operation is wanted after the end (I08)"),
            Self::FinBeforeFlush => f.write_str("FIN and unsent output (I16)"),
            Self::UnreadInput => f.write_str("orderly close with unread input (I17)"),
            Self::FalseEnd => f.write_str("the cause is certain, and wrong (I11)"),
            Self::Deaf => f.write_str("something happened and nothing will say so (I13)"),
            Self::Spin => f.write_str("a wakeup that changes nothing (I14)"),
            Self::Endless => f.write_str("hung up, and no deadline is armed (I18)"),
            Self::Stuck => f.write_str("release cannot be reached (I18)"),
        }
    }
}

impl World {
    /// Checks what must hold in every state. `is_new`: the life has not been checked in another world.
    ///
    /// # Errors
    ///
    /// The first promise that is broken.
    pub fn check(&self, rules: &Rules, is_new: bool) -> Result<(), Violation> {
        let wants = self.wants(rules);
        let life = self.life;
        if matches!(life.phase(), Phase::Ending | Phase::Released) {
            let operation = wants.connect
                || wants.confirm
                || wants.register
                || wants.receive
                || wants.send
                || wants.receive_now
                || wants.send_now
                || wants.watch
                || wants.inquire
                || wants.shutdown;
            if operation {
                return Err(Violation::WantedAfterEnd);
            }
        }
        if wants.release.is_some() && self.kernel.held.iter().any(|held| held.is_owed()) {
            return Err(Violation::ReleasedWhileOwed);
        }
        if matches!(life.send_half(), SendHalf::FinDue | SendHalf::FinSent) && self.output {
            return Err(Violation::FinBeforeFlush);
        }
        if life.phase() == Phase::Open && life.memory().contains(Memory::HUNG_UP) {
            let disarmed = rules.sabotage.and_then(Sabotage::disarmed);
            if life.deadlines().whole.is_none_or(|deadline| Some(deadline) == disarmed) {
                return Err(Violation::Endless);
            }
        }
        // Where the OS forgets, the machine can only know what it was told.
        let is_over = self.kernel.stage == Stage::Over;
        if !rules.spurious && !is_over && (self.told || !rules.personality.forgets_errors()) {
            self.check_truth(rules)?;
        }
        if !rules.spurious && self.is_deaf(rules) {
            return Err(Violation::Deaf);
        }
        if is_new { self.check_stale(rules.sabotage) } else { Ok(()) }
    }

    /// A cause that is certain is true.
    fn check_truth(&self, rules: &Rules) -> Result<(), Violation> {
        let (life, fin) = (self.life, self.kernel.fin);
        let lost = self.kernel.stage == Stage::Dead;
        let drained = life.drain_end() == Some(hangup::DrainEnd::PeerFinished);
        let certain = life.certainty() == hangup::Certainty::Certain;
        let wrong = match life.cause() {
            Some(Cause::PeerFinished) if certain => !fin,
            Some(Cause::ResetAfterFin) if certain => !fin || !lost,
            // The BSDs give one number for both.
            Some(Cause::PeerReset) if certain => !lost || fin && !rules.personality.error_before_end(),
            _ => drained && !fin,
        };
        if wrong { Err(Violation::FalseEnd) } else { Ok(()) }
    }

    /// Whether something is there for the connection, everything wanted has been done, and neither the
    /// poller nor a completion will ever say so.
    fn is_deaf(&self, rules: &Rules) -> bool {
        let life = self.life;
        if !life.phase().is_established() && !life.phase().is_connecting() {
            return false;
        }
        // An operation says what it is of itself, and nothing of the others.
        let silent = |operation| {
            self.kernel.held(operation) == Held::No
                && !self.kernel.cancel_asked[place(operation)]
                && !life.slot(operation).calling
        };
        if life.phase().is_connecting() && !silent(Operation::Connect) {
            return false;
        }
        let reads = matches!(life.receive_half(), ReceiveHalf::Open | ReceiveHalf::Discarding);
        // What the adapter keeps, it offers to the application.
        let is_kept = self.kernel.kept;
        let waits_to_read = reads && self.kernel.is_readable() && !is_kept && silent(Operation::Receive);
        let waits_to_write =
            life.send_half().has_output() && self.kernel.is_writable() && silent(Operation::Send);
        let waits_to_connect = life.phase() == Phase::Connecting && self.kernel.stage != Stage::Connecting;
        if !(waits_to_read || waits_to_write || waits_to_connect) {
            return false;
        }
        if self.kernel.event(rules.personality).is_some() {
            return false;
        }
        // Also what it may do only when the kernel has done something else: a call that is out does not make it deaf.
        let mut steps = Vec::new();
        self.adapter_choices(rules, &mut steps);
        let idle = |step: &Step| matches!(step, Step::Adapter(Want::Discard(_) | Want::Acknowledged));
        let wants = self.wants(rules);
        steps.iter().all(idle) && !wants.receive_now && !wants.send_now
    }

    /// Offers what did not happen: it must be refused.
    fn check_stale(&self, sabotage: Option<Sabotage>) -> Result<(), Violation> {
        let offer = |input| {
            let stepped = match sabotage {
                Some(sabotage) => sabotage.step(self.life, input),
                None => self.life.step(input),
            };
            match stepped {
                Ok(_) => Err(Violation::StaleAccepted(input)),
                Err(_) => Ok(()),
            }
        };
        for operation in Operation::WITH_SLOT {
            let slot = self.life.slot(operation);
            if slot.owed == Owed::Nothing {
                for answer in answers(operation) {
                    for more in [More::Last, More::Follows] {
                        offer(Input::Outcome(Outcome::Completed(*answer, more)))?;
                    }
                }
                offer(Input::Outcome(Outcome::Cancelling(operation)))?;
            } else {
                offer(Input::Outcome(Outcome::Submitting(operation, Owed::One)))?;
                if !slot.calling {
                    for answer in answers(operation) {
                        offer(Input::Outcome(Outcome::Immediate(*answer)))?;
                    }
                }
            }
            if !slot.calling {
                offer(Input::Outcome(Outcome::Pending(operation)))?;
            }
            if slot.cancel != hangup::Cancel::Asked {
                offer(Input::Outcome(Outcome::CancelAnswered(operation)))?;
            }
        }
        self.check_untimely(offer)
    }

    fn check_untimely(&self, offer: impl Fn(Input) -> Result<(), Violation>) -> Result<(), Violation> {
        let armed = self.life.deadlines();
        for deadline in Deadline::ALL {
            if !armed.contains(deadline) {
                offer(Input::Expired(deadline))?;
            }
        }
        if self.wants_true().release.is_none() {
            offer(Input::Outcome(Outcome::Immediate(Answer::Released)))?;
        }
        if self.life.send_half().is_over() || self.life.send_half() == SendHalf::FinDue {
            offer(Input::Command(Command::Output(1)))?;
        }
        if self.life.phase() == Phase::Released {
            for command in [Command::Close(Plan::Abort), Command::Output(0), Command::Pause] {
                offer(Input::Command(command))?;
            }
            for answer in [Answer::Registered, Answer::Deregistered, Answer::NoError, Answer::EndOfStream] {
                offer(Input::Outcome(Outcome::Immediate(answer)))?;
            }
        }
        Ok(())
    }

    fn wants_true(&self) -> hangup::Wants {
        let life: Life = self.life;
        life.wants()
    }
}

/// An answer of each kind that an operation can give.
const fn answers(operation: Operation) -> &'static [Answer] {
    match operation {
        Operation::Connect => &[Answer::Connected, Answer::ConnectFailed(Fault::Refused)],
        Operation::Receive => {
            &[Answer::Received(1), Answer::EndOfStream, Answer::ReceiveFailed(Fault::Reset)]
        }
        Operation::Send => &[Answer::Sent(1), Answer::SendFailed(Fault::Reset), Answer::Notified],
        Operation::Watch => &[Answer::Watched(hangup::Hint::HANG_UP), Answer::WatchFailed(Fault::Reset)],
        Operation::Shutdown => &[Answer::ShutDown, Answer::ShutdownFailed(Fault::NotConnected)],
        Operation::Register
        | Operation::Inquire
        | Operation::Sever
        | Operation::Deregister
        | Operation::Release => &[],
    }
}
