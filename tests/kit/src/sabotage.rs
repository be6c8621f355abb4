//! Deliberate faults: each breaks one rule, and each must be found.
//!
//! They tamper with a copy of what the machine says, or with what the adapter does. Nothing of this is in
//! the shipped code.

use hangup::{
    Answer, Cancels, Close, Command, Deadline, Hint, Input, Life, Memory, More, Operation, Outcome, Owed,
    Phase, Plan, Refused, Registration, SendHalf, Wants,
};

use crate::Personality;

/// A deliberate fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sabotage {
    /// A hint of the peer's FIN is believed: the receive half ends without a receive.
    HintIsVerdict,
    /// The last cause wins.
    LastCauseWins,
    /// Released as soon as both halves are over, whatever the OS still owes.
    ReleaseWhileOwed,
    /// A request to cancel counts as the end of the operation.
    CancelIsTerminal,
    /// What is in flight is not cancelled.
    ForgetCancel,
    /// Closed without removing the registration.
    CloseWhileRegistered,
    /// The registration is removed once more when it is gone.
    DeregisterTwice,
    /// The release is not remembered.
    ReleaseTwice,
    /// The FIN is sent while output is queued.
    FinBeforeFlush,
    /// A submit that is refused at once is handled where it is noticed, and not reported.
    LoseImmediateFailure,
    /// A completion is lost.
    LoseCompletion,
    /// A completion that nothing owes is taken for an answer.
    AcceptDuplicates,
    /// One-shot interest is not armed again.
    ForgetToArm,
    /// An event is taken from the poller and lost.
    LoseEvent,
    /// Nothing is received as long as a watch for the end is in flight.
    WatchIsEnough,
    /// The registration stays after the hang-up.
    KeepWatching,
    /// Nobody asks for the pending error.
    NeverInquire,
    /// The connect has no deadline.
    DisarmConnect,
    /// Queued output has no deadline.
    DisarmStall,
    /// A half-closed connection has no deadline.
    DisarmHalfClosed,
    /// A closing plan has no deadline.
    DisarmDrainTotal,
    /// A flush does not wait for the peer.
    CloseWithoutDrain,
    /// A receive that returned 0 after an error is taken for a FIN.
    ForgetSuspicion,
    /// Output is accepted after the FIN.
    WriteAfterFin,
    /// Receives go on after both halves are over.
    ReceiveAfterEnd,
    /// An abort does not escalate.
    IgnoreAbort,
    /// A weaker plan replaces a stronger one.
    WeakerPlanWins,
    /// The result of a zero-copy send counts as its end.
    ForgetNotification,
    /// A completion that says "more follows" opens an operation that is over.
    MoreReopens,
    /// A zero-copy send is waited for, for ever, when the peer is silent.
    NeverSever,
    /// A deadline that is not armed expires.
    StaleDeadline,
}

impl Sabotage {
    /// Every fault.
    pub const ALL: [Self; 31] = [
        Self::HintIsVerdict,
        Self::LastCauseWins,
        Self::ReleaseWhileOwed,
        Self::CancelIsTerminal,
        Self::ForgetCancel,
        Self::CloseWhileRegistered,
        Self::DeregisterTwice,
        Self::ReleaseTwice,
        Self::FinBeforeFlush,
        Self::LoseImmediateFailure,
        Self::LoseCompletion,
        Self::AcceptDuplicates,
        Self::ForgetToArm,
        Self::LoseEvent,
        Self::WatchIsEnough,
        Self::KeepWatching,
        Self::NeverInquire,
        Self::DisarmConnect,
        Self::DisarmStall,
        Self::DisarmHalfClosed,
        Self::DisarmDrainTotal,
        Self::CloseWithoutDrain,
        Self::ForgetSuspicion,
        Self::WriteAfterFin,
        Self::ReceiveAfterEnd,
        Self::IgnoreAbort,
        Self::WeakerPlanWins,
        Self::ForgetNotification,
        Self::MoreReopens,
        Self::NeverSever,
        Self::StaleDeadline,
    ];

    /// An operating system on which the fault can show.
    #[must_use]
    pub const fn shows_on(self) -> Personality {
        match self {
            Self::ReleaseWhileOwed
            | Self::CancelIsTerminal
            | Self::ForgetCancel
            | Self::LoseCompletion
            | Self::WatchIsEnough
            | Self::ReceiveAfterEnd => Personality::Uring,
            Self::AcceptDuplicates | Self::LoseImmediateFailure => Personality::Iocp,
            Self::ForgetNotification | Self::MoreReopens | Self::NeverSever => Personality::UringZeroCopy,
            Self::ForgetToArm | Self::ForgetSuspicion => Personality::AfdOneShot,
            Self::LoseEvent => Personality::EpollEdge,
            Self::HintIsVerdict
            | Self::LastCauseWins
            | Self::CloseWhileRegistered
            | Self::DeregisterTwice
            | Self::ReleaseTwice
            | Self::FinBeforeFlush
            | Self::KeepWatching
            | Self::NeverInquire
            | Self::DisarmConnect
            | Self::DisarmStall
            | Self::DisarmHalfClosed
            | Self::DisarmDrainTotal
            | Self::CloseWithoutDrain
            | Self::WriteAfterFin
            | Self::IgnoreAbort
            | Self::WeakerPlanWins
            | Self::StaleDeadline => Personality::EpollLevel,
        }
    }

    /// The deadline that is not armed.
    pub(crate) const fn disarmed(self) -> Option<Deadline> {
        match self {
            Self::DisarmConnect => Some(Deadline::Connect),
            Self::DisarmStall => Some(Deadline::Stall),
            Self::DisarmHalfClosed => Some(Deadline::HalfClosed),
            Self::DisarmDrainTotal => Some(Deadline::DrainTotal),
            _ => None,
        }
    }

    /// Whether something that happened is not reported to the machine.
    pub(crate) fn loses(self, input: Input) -> bool {
        match (self, input) {
            (Self::LoseCompletion, Input::Outcome(Outcome::Completed(..))) => true,
            (Self::LoseImmediateFailure, Input::Outcome(Outcome::Immediate(answer))) => {
                matches!(answer, Answer::ReceiveFailed(_) | Answer::SendFailed(_))
            }
            _ => false,
        }
    }

    /// What the adapter takes for wanted.
    pub(crate) fn wants(self, life: Life, wants: Wants) -> Wants {
        let ending = life.phase() == Phase::Ending;
        let gone = matches!(life.registration(), Registration::Missing | Registration::Gone);
        match self {
            Self::ReleaseWhileOwed if ending && gone => Wants { release: Some(Close::Plain), ..wants },
            Self::ForgetCancel => Wants { cancel: Cancels::default(), ..wants },
            Self::CloseWhileRegistered if ending => {
                Wants { deregister: false, release: Some(Close::Plain), ..wants }
            }
            Self::DeregisterTwice if life.registration() == Registration::Gone => {
                Wants { deregister: true, ..wants }
            }
            Self::FinBeforeFlush if life.send_half() == SendHalf::FinQueued => {
                Wants { shutdown: true, ..wants }
            }
            Self::KeepWatching if !ending => Wants { deregister: false, ..wants },
            Self::NeverInquire => Wants { inquire: false, ..wants },
            Self::ReceiveAfterEnd if ending => Wants { receive: true, ..wants },
            Self::WatchIsEnough if !life.slot(Operation::Watch).is_idle() => {
                Wants { receive: false, ..wants }
            }
            Self::NeverSever => Wants { sever: false, ..wants },
            _ => wants,
        }
    }

    /// The machine, with one rule broken.
    pub(crate) fn step(self, life: Life, input: Input) -> Result<Life, Refused> {
        let stepped = life.step(input);
        match (self, input) {
            (Self::HintIsVerdict, Input::Hint(hint)) if hint.contains(Hint::PEER_CLOSED) => {
                let end = Input::Outcome(Outcome::Immediate(Answer::EndOfStream));
                stepped.map(|life| life.step(end).unwrap_or(life))
            }
            (Self::LastCauseWins, _) if stepped.is_ok() => {
                let next = tamper(life, "cause", 0).step(input)?;
                let revised = next.cause().is_some();
                if revised { Ok(next) } else { stepped }
            }
            (Self::CancelIsTerminal, Input::Outcome(Outcome::Cancelling(Operation::Receive))) => {
                Ok(tamper(stepped?, "receive", 0))
            }
            (Self::ReleaseTwice, Input::Outcome(Outcome::Immediate(Answer::Released))) => {
                stepped.map(|_| life)
            }
            (Self::AcceptDuplicates, Input::Outcome(Outcome::Completed(answer, _))) => {
                stepped.or_else(|_| life.step(Input::Outcome(Outcome::Immediate(answer))))
            }
            (Self::CloseWithoutDrain, Input::Command(Command::Close(Plan::Flush))) => {
                Ok(tamper(stepped?, "receive-half", hangup::ReceiveHalf::Ended as u64))
            }
            (Self::ForgetSuspicion, _) => {
                let memory = |life: Life| life.memory().without(Memory::SUSPECT);
                // As if the send half had never failed, too: what a receive says is believed.
                let next = stepped?;
                Ok(if memory(next) == next.memory() { next } else { forget(next) })
            }
            (Self::WriteAfterFin, Input::Command(Command::Output(1..))) => stepped.or(Ok(life)),
            (Self::IgnoreAbort, Input::Command(Command::Close(Plan::Abort))) => stepped.map(|_| life),
            (Self::WeakerPlanWins, Input::Command(Command::Close(plan))) => {
                Ok(tamper(stepped?, "plan", plan as u64))
            }
            (
                Self::ForgetNotification,
                Input::Outcome(Outcome::Completed(Answer::Sent(_), More::Follows)),
            ) => Ok(tamper(stepped?, "send", 0)),
            (Self::MoreReopens, Input::Outcome(Outcome::Completed(Answer::Notified, _))) => {
                // owed: One, in bits 1 to 3 of the slot
                Ok(tamper(stepped?, "send", (Owed::One as u64) << 1))
            }
            (Self::StaleDeadline, Input::Expired(Deadline::HalfClosed)) => {
                stepped.or_else(|_| life.step(Input::Command(Command::Close(Plan::Abort))))
            }
            _ => stepped,
        }
    }
}

/// The life with one component replaced.
fn tamper(life: Life, component: &str, value: u64) -> Life {
    let (_, shift, width) =
        Life::LAYOUT.into_iter().find(|(name, ..)| *name == component).expect("a component of that name");
    let mask = ((1 << width) - 1) << shift;
    Life::from_bits(life.to_bits() & !mask | value << shift).expect("a value of that component")
}

fn forget(life: Life) -> Life {
    let (_, shift, _) =
        Life::LAYOUT.into_iter().find(|(name, ..)| *name == "memory").expect("a component of that name");
    let suspect = 1 << (shift + 3);
    Life::from_bits(life.to_bits() & !suspect).expect("a memory is any set of bits")
}
