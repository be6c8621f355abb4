//! One slot per kind of operation: what the OS still owes for it.

use super::field::{extract, insert};
use super::input::{Answer, More};

/// A kind of operation. A connection has at most one of each kind in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Register the socket with the poller.
    Register,
    /// Connect to the peer.
    Connect,
    /// Receive.
    Receive,
    /// Send.
    Send,
    /// Watch an idle connection for its end.
    Watch,
    /// Ask the socket for its pending error, or for what is acknowledged.
    Inquire,
    /// Shut our half down: send the FIN.
    Shutdown,
    /// Sever the connection without closing the descriptor.
    Sever,
    /// Remove the registration from the poller.
    Deregister,
    /// Take the resources out.
    Release,
}

impl Operation {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Register,
        Self::Connect,
        Self::Receive,
        Self::Send,
        Self::Watch,
        Self::Inquire,
        Self::Shutdown,
        Self::Sever,
        Self::Deregister,
        Self::Release,
    ];

    /// The kinds that have a slot: those that the OS may complete later, with memory of ours.
    pub const WITH_SLOT: [Self; 5] = [Self::Connect, Self::Receive, Self::Send, Self::Watch, Self::Shutdown];

    /// Shift and width of the slot's bits.
    const fn place(self) -> Option<(u32, u32)> {
        let [connect, receive, send, watch, shutdown] = Slot::PLACES;
        let (_, shift, width) = match self {
            Self::Connect => connect,
            Self::Receive => receive,
            Self::Send => send,
            Self::Watch => watch,
            Self::Shutdown => shutdown,
            Self::Register | Self::Inquire | Self::Sever | Self::Deregister | Self::Release => return None,
        };
        Some((shift, width))
    }
}

/// What an operation owes: counted, not flagged, because some owe more than one notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Owed {
    /// Nothing.
    Nothing = 0,
    /// One notification, the result.
    One = 1,
    /// Results until the one that says it is the last: multishot.
    Stream = 2,
    /// The result, and then the notification that the memory is free: zero-copy send.
    Both = 3,
    /// Of both, the notification that the memory is free.
    Notification = 4,
    /// Of both, the result: the notification overtook it.
    Result = 5,
}

impl Owed {
    /// Every value.
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::One, Self::Stream, Self::Both, Self::Notification, Self::Result];

    /// How many notifications are owed at least.
    #[must_use]
    pub const fn count(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::One | Self::Stream | Self::Notification | Self::Result => 1,
            Self::Both => 2,
        }
    }

    /// What is owed after a completion. `None`: no such completion was owed.
    const fn after(self, is_notification: bool, more: More) -> Option<Self> {
        match (self, is_notification, more) {
            (Self::One | Self::Stream | Self::Both, false, More::Last)
            | (Self::Result, false, More::Last | More::Follows)
            | (Self::Notification, true, More::Last) => Some(Self::Nothing),
            (Self::Stream, false, More::Follows) => Some(Self::Stream),
            (Self::Both, false, More::Follows) => Some(Self::Notification),
            (Self::Both, true, More::Last) => Some(Self::Result),
            (Self::Nothing, _, _)
            | (Self::One, false, More::Follows)
            | (Self::One | Self::Stream | Self::Result, true, _)
            | (Self::Notification, false, _)
            | (Self::Notification | Self::Both, true, More::Follows) => None,
        }
    }
}

/// Where a request to cancel an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Cancel {
    /// Not requested.
    No = 0,
    /// The OS has the request and has not answered it.
    Asked = 1,
    /// Answered: the operation's own terminal has come or will come.
    Answered = 2,
}

/// The state of one kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Notifications that the OS owes.
    pub owed: Owed,
    /// Whether the submitting call has not returned yet. On a completion port another worker may
    /// see the completion before it does.
    pub calling: bool,
    /// The request to cancel.
    pub cancel: Cancel,
}

impl Slot {
    /// Where the slots of [`Operation::WITH_SLOT`] are in the word. The shutdown's is short: it owes at most
    /// one notification and is never cancelled.
    pub(super) const PLACES: [(&'static str, u32, u32); 5] =
        [("connect", 36, 6), ("receive", 42, 6), ("send", 48, 6), ("watch", 54, 6), ("shutdown", 60, 2)];

    /// Nothing is in flight.
    pub const IDLE: Self = Self { owed: Owed::Nothing, calling: false, cancel: Cancel::No };

    /// Whether nothing is in flight: no notification owed, no call out, no request unanswered.
    #[must_use]
    pub const fn is_idle(self) -> bool {
        matches!(self.owed, Owed::Nothing) && !self.calling && matches!(self.cancel, Cancel::No)
    }

    /// Whether the operation has not said yet how it went.
    pub(super) const fn waits_for_result(self) -> bool {
        self.calling || matches!(self.owed, Owed::One | Owed::Stream | Owed::Both | Owed::Result)
    }

    /// Whether a request to cancel has a target that the OS knows, and has not been made.
    pub(super) const fn can_cancel(self) -> bool {
        // What owes only its notification has done its work; and a cancel that runs before the
        // submitting call returns may find nothing and leave the operation parked for ever.
        matches!(self.owed, Owed::One | Owed::Stream | Owed::Both)
            && !self.calling
            && matches!(self.cancel, Cancel::No)
    }

    pub(super) const fn submitting(self, operation: Operation, owed: Owed) -> Option<Self> {
        let possible = match owed {
            Owed::One => true,
            Owed::Stream => matches!(operation, Operation::Receive | Operation::Watch),
            Owed::Both => matches!(operation, Operation::Send),
            Owed::Nothing | Owed::Notification | Owed::Result => false,
        };
        if possible && self.is_idle() { Some(Self { owed, calling: true, cancel: Cancel::No }) } else { None }
    }

    pub(super) const fn pending(self) -> Option<Self> {
        if self.calling { Some(Self { calling: false, ..self }) } else { None }
    }

    #[inline]
    pub(super) const fn immediate(self) -> Option<Self> {
        match (self.calling, self.owed) {
            // A call that lent nothing: made and answered between two inputs.
            (false, Owed::Nothing) if self.is_idle() => Some(Self::IDLE),
            (true, Owed::One | Owed::Stream | Owed::Both) => Some(Self::IDLE),
            (true | false, _) => None,
        }
    }

    pub(super) const fn completed(self, answer: Answer, more: More) -> Option<Self> {
        match self.owed.after(matches!(answer, Answer::Notified), more) {
            Some(owed) => Some(Self { owed, ..self }.settled()),
            None => None,
        }
    }

    pub(super) const fn cancelling(self) -> Option<Self> {
        if self.can_cancel() { Some(Self { cancel: Cancel::Asked, ..self }) } else { None }
    }

    pub(super) const fn cancel_answered(self) -> Option<Self> {
        match self.cancel {
            Cancel::Asked => Some(Self { cancel: Cancel::Answered, ..self }.settled()),
            Cancel::No | Cancel::Answered => None,
        }
    }

    /// An answered request is forgotten together with its target.
    const fn settled(self) -> Self {
        match (self.owed, self.cancel) {
            (Owed::Nothing, Cancel::Answered) => Self { cancel: Cancel::No, ..self },
            _ => self,
        }
    }

    const fn bits(self) -> u64 {
        (self.calling as u64) | ((self.owed as u64) << 1) | ((self.cancel as u64) << 4)
    }

    #[inline]
    const fn from_bits(bits: u64) -> Self {
        let owed = match (bits >> 1) & 0b111 {
            1 => Owed::One,
            2 => Owed::Stream,
            3 => Owed::Both,
            4 => Owed::Notification,
            5 => Owed::Result,
            _ => Owed::Nothing,
        };
        let cancel = match (bits >> 4) & 0b11 {
            1 => Cancel::Asked,
            2 => Cancel::Answered,
            _ => Cancel::No,
        };
        Self { owed, calling: bits & 1 == 1, cancel }
    }

    /// The slot of `operation` in `word`. An operation without a slot is always idle.
    #[inline]
    pub(super) const fn read(word: u64, operation: Operation) -> Self {
        match operation.place() {
            Some((shift, width)) => Self::from_bits(extract(word, shift, width)),
            None => Self::IDLE,
        }
    }

    /// `word` with the slot of `operation` set. `None` if the operation cannot be in that state.
    pub(super) const fn write(self, word: u64, operation: Operation) -> Option<u64> {
        let bits = self.bits();
        match operation.place() {
            Some((shift, width)) if bits < 1 << width => Some(insert(word, shift, width, bits)),
            Some(_) | None => None,
        }
    }

    /// Whether the slot's bits in `word` stand for a state.
    pub(super) const fn is_valid(word: u64, operation: Operation) -> bool {
        match operation.place() {
            Some((shift, width)) => {
                let bits = extract(word, shift, width);
                Self::from_bits(bits).bits() == bits
            }
            None => true,
        }
    }
}
