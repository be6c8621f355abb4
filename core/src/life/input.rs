//! What can happen to a connection: four kinds of input, told apart by type, because what an input
//! may do depends on its kind.

use super::slot::{Operation, Owed};
use crate::{Blame, Deadline, Fault, Plan};

/// One happening, as the machine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The OS hinted at something. Where to look; never a verdict.
    Hint(Hint),
    /// An operation said something: at once, or by its completion.
    Outcome(Outcome),
    /// The application wants something.
    Command(Command),
    /// A deadline that the table handed out has passed, or a budget is used up.
    Expired(Deadline),
}

/// Readiness flags, translated from what the OS reported.
///
/// A hint moves no half and ends nothing. It tells the machine which call to ask for next.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hint(u8);

impl Hint {
    /// No flag at all.
    pub const NONE: Self = Self(0);
    /// A receive would not block.
    pub const READABLE: Self = Self(1);
    /// A send would not block.
    pub const WRITABLE: Self = Self(1 << 1);
    /// The peer has finished: `EPOLLRDHUP`, `EV_EOF` without an error, AFD `DISCONNECT`.
    pub const PEER_CLOSED: Self = Self(1 << 2);
    /// Both directions are over: `EPOLLHUP`.
    pub const HANG_UP: Self = Self(1 << 3);
    /// An error is, or was, pending: `EPOLLERR`. It may sit on a healthy connection.
    pub const ERROR: Self = Self(1 << 4);
    /// The connection was reset or aborted: AFD `ABORT`, `EV_EOF` with an error.
    pub const ABORT: Self = Self(1 << 5);

    /// Every flag, with its name.
    pub const NAMES: [(Self, &'static str); 6] = [
        (Self::READABLE, "readable"),
        (Self::WRITABLE, "writable"),
        (Self::PEER_CLOSED, "peer-closed"),
        (Self::HANG_UP, "hang-up"),
        (Self::ERROR, "error"),
        (Self::ABORT, "abort"),
    ];

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// `self` if `condition`, else no flag: for translating an event flag by flag.
    #[must_use]
    pub const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    /// Whether it says that the connection, or the asking about it, cannot go on as before.
    #[must_use]
    pub const fn is_alarming(self) -> bool {
        self.intersects(Self(Self::HANG_UP.0 | Self::ERROR.0 | Self::ABORT.0))
    }
}

impl core::fmt::Debug for Hint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut set = f.debug_set();
        for (flag, name) in Self::NAMES {
            if self.contains(flag) {
                set.entry(&format_args!("{name}"));
            }
        }
        set.finish()
    }
}

/// What an operation said, now or later.
///
/// A submit ends in exactly one of three ways. Refused and done at once are both `Immediate`; taken
/// by the OS is `Pending`, and then the notifications that it owes come as `Completed`. All of them
/// enter here, by one door: nothing is released where an error is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The submitting call is about to be made, and the operation's buffer has been lent. From here
    /// on the operation is in flight. A worker that performs a want claims it this way.
    Submitting(Operation, Owed),
    /// The submitting call has returned, and the OS has taken the operation.
    Pending(Operation),
    /// The call gave its answer by itself; no notification follows.
    Immediate(Answer),
    /// A notification that was owed.
    Completed(Answer, More),
    /// The OS has been asked to cancel the operation.
    Cancelling(Operation),
    /// The request to cancel was answered. Whatever it said: the operation's own terminal decides.
    CancelAnswered(Operation),
}

/// Whether the operation owes more notifications after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum More {
    /// This was the last.
    Last,
    /// At least one more follows (`IORING_CQE_F_MORE`).
    Follows,
}

/// What an operation returned. Each answer belongs to one [`Operation`].
///
/// Byte counts are kept beside the machine: two answers that differ only in a count that is not 0
/// move it alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The socket is registered with the poller.
    Registered,
    /// It could not be registered; nothing will be reported about it.
    RegisterFailed(Fault),

    /// The connection is established: the OS said so, by no pending error and a peer name, or by a
    /// successful completion. Writability alone is not enough.
    Connected,
    /// The connect is in progress, or still is.
    ConnectBlocked,
    /// The connect failed.
    ConnectFailed(Fault),

    /// So many bytes were received. 0 means that nothing was asked for: a zero-length receive.
    Received(usize),
    /// A receive of length > 0 returned 0.
    EndOfStream,
    /// A receive would block.
    ReceiveBlocked,
    /// A receive failed, or was cancelled.
    ReceiveFailed(Fault),

    /// So many bytes were handed to the OS.
    Sent(usize),
    /// A send would block.
    SendBlocked,
    /// A send failed, or was cancelled.
    SendFailed(Fault),
    /// The OS is done with the memory of a zero-copy send.
    Notified,

    /// The watch of an idle connection reported something.
    Watched(Hint),
    /// Completion: the watch ended without a report. Readiness: the poller could not be told what to watch for.
    WatchFailed(Fault),

    /// Asked for its pending error, the socket had none.
    NoError,
    /// Asked for its pending error, the socket had this one.
    PendingError(Fault),

    /// Our FIN is on its way.
    ShutDown,
    /// The shutdown failed: an ordinary thing on a connection that the peer has reset.
    ShutdownFailed(Fault),
    /// Everything that was sent, our FIN included, is acknowledged by the peer's stack.
    Acknowledged,
    /// The connection was severed, so that what the OS still owes comes back.
    Severed,

    /// The registration is gone. "It was gone before" is the same answer.
    Deregistered,
    /// The resources have been taken out. Whose call gets this accepted has them, and nobody else.
    Released,
}

impl Answer {
    /// The operation that gives this answer.
    #[must_use]
    pub const fn operation(self) -> Operation {
        match self {
            Self::Registered | Self::RegisterFailed(_) => Operation::Register,
            Self::Connected | Self::ConnectBlocked | Self::ConnectFailed(_) => Operation::Connect,
            Self::Received(_) | Self::EndOfStream | Self::ReceiveBlocked | Self::ReceiveFailed(_) => {
                Operation::Receive
            }
            Self::Sent(_) | Self::SendBlocked | Self::SendFailed(_) | Self::Notified => Operation::Send,
            Self::Watched(_) | Self::WatchFailed(_) => Operation::Watch,
            Self::NoError | Self::PendingError(_) | Self::Acknowledged => Operation::Inquire,
            Self::ShutDown | Self::ShutdownFailed(_) => Operation::Shutdown,
            Self::Severed => Operation::Sever,
            Self::Deregistered => Operation::Deregister,
            Self::Released => Operation::Release,
        }
    }
}

/// What the application wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// The application now holds so many bytes of output that the OS has not taken: the whole
    /// amount, not an increment. 0: there is none.
    Output(usize),
    /// Stop asking for input. A hang-up is still noticed where the mechanism can.
    Pause,
    /// Ask for input again.
    Resume,
    /// End our half, or the connection, according to plan. Repeating it is harmless; a stronger plan
    /// escalates; a weaker one changes nothing.
    Close(Plan),
    /// The application knows better why the connection ends: record it, unless a cause is known.
    Blame(Blame),
}
