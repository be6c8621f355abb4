//! Why a connection ended. The first cause wins and is never revised.

use crate::Fault;
use crate::life::field::{Field, field};

/// Why a connection ended: who ended it, and how.
///
/// Decided by the *order of facts*, never by the error number alone, which differs by OS, by call and
/// by luck. The number is kept beside it ([`Report::raw`](crate::Report::raw)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The peer finished first, we finished after it: the orderly end.
    PeerFinished,
    /// The peer reset the connection, and no FIN of its was seen before (`ECONNRESET`, 10054).
    PeerReset,
    /// The peer had finished, then reset the connection, as a rule because we wrote after its FIN
    /// (10053 on Windows; `EPIPE` or `ECONNRESET` elsewhere).
    ResetAfterFin,
    /// Nobody listens there, or a firewall said so.
    Refused,
    /// No way to the peer.
    Unreachable,
    /// Our own stack or its administrator ended the connection.
    LocalStackAborted,
    /// Somebody waited too long.
    TimedOut(Timeout),
    /// We closed first, in order.
    LocalClose,
    /// We aborted.
    LocalAbort,
    /// A call of ours failed for a reason of this host: a limit, a right, a bad argument.
    LocalError,
    /// The application says: the peer's stream ended in the middle of something.
    Truncated,
    /// The application says: the peer broke the protocol.
    Protocol,
    /// The application says: the connection was given up to make room.
    Shed,
    /// The connection is lost, and what would tell why is gone.
    Unknown,
}

/// Which wait was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// [`Deadline::Connect`](crate::Deadline::Connect).
    Connect,
    /// [`Deadline::Idle`](crate::Deadline::Idle).
    Idle,
    /// [`Deadline::Stall`](crate::Deadline::Stall).
    Stall,
    /// [`Deadline::HalfClosed`](crate::Deadline::HalfClosed).
    HalfClosed,
    /// The stack gave up: retransmissions, a user timeout, a closed window.
    Transport,
    /// The stack's keepalive probes were not answered.
    KeepAlive,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Who {
    /// The other end.
    Peer,
    /// This process.
    We,
    /// What is between.
    Network,
    /// The stack of this host.
    LocalStack,
    /// A clock.
    Time,
    /// Not known.
    Unknown,
}

field! {
    /// How sure a cause is.
    Certainty at 20, 1 bits {
        /// A call said so, or we did it ourselves.
        Certain = 0,
        /// Concluded from hints, because the call that would have said so is mute on this system.
        Inferred = 1,
    }
}

/// A verdict of the application on why it ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blame {
    /// See [`Cause::Truncated`].
    Truncated,
    /// See [`Cause::Protocol`].
    Protocol,
    /// See [`Cause::Shed`].
    Shed,
}

impl Blame {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Truncated, Self::Protocol, Self::Shed];

    pub(crate) const fn cause(self) -> Cause {
        match self {
            Self::Truncated => Cause::Truncated,
            Self::Protocol => Cause::Protocol,
            Self::Shed => Cause::Shed,
        }
    }
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 19] = [
        Self::PeerFinished,
        Self::PeerReset,
        Self::ResetAfterFin,
        Self::Refused,
        Self::Unreachable,
        Self::LocalStackAborted,
        Self::TimedOut(Timeout::Connect),
        Self::TimedOut(Timeout::Idle),
        Self::TimedOut(Timeout::Stall),
        Self::TimedOut(Timeout::HalfClosed),
        Self::TimedOut(Timeout::Transport),
        Self::TimedOut(Timeout::KeepAlive),
        Self::LocalClose,
        Self::LocalAbort,
        Self::LocalError,
        Self::Truncated,
        Self::Protocol,
        Self::Shed,
        Self::Unknown,
    ];

    /// Who ended the connection.
    #[must_use]
    pub const fn who(self) -> Who {
        match self {
            Self::PeerFinished
            | Self::PeerReset
            | Self::ResetAfterFin
            | Self::Refused
            | Self::Truncated
            | Self::Protocol => Who::Peer,
            Self::Unreachable => Who::Network,
            Self::LocalStackAborted => Who::LocalStack,
            Self::TimedOut(_) => Who::Time,
            Self::LocalClose | Self::LocalAbort | Self::LocalError | Self::Shed => Who::We,
            Self::Unknown => Who::Unknown,
        }
    }

    /// A short name that does not change: for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PeerFinished => "peer-finished",
            Self::PeerReset => "peer-reset",
            Self::ResetAfterFin => "reset-after-fin",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::LocalStackAborted => "local-stack-aborted",
            Self::TimedOut(Timeout::Connect) => "timed-out-connect",
            Self::TimedOut(Timeout::Idle) => "timed-out-idle",
            Self::TimedOut(Timeout::Stall) => "timed-out-stall",
            Self::TimedOut(Timeout::HalfClosed) => "timed-out-half-closed",
            Self::TimedOut(Timeout::Transport) => "timed-out-transport",
            Self::TimedOut(Timeout::KeepAlive) => "timed-out-keepalive",
            Self::LocalClose => "local-close",
            Self::LocalAbort => "local-abort",
            Self::LocalError => "local-error",
            Self::Truncated => "truncated",
            Self::Protocol => "protocol",
            Self::Shed => "shed",
            Self::Unknown => "unknown",
        }
    }
}

impl core::fmt::Display for Cause {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::PeerFinished => "the peer finished",
            Self::PeerReset => "the peer reset the connection",
            Self::ResetAfterFin => "the peer finished, then reset the connection",
            Self::Refused => "the connection was refused",
            Self::Unreachable => "the peer is unreachable",
            Self::LocalStackAborted => "the local stack aborted the connection",
            Self::TimedOut(Timeout::Connect) => "the connect timed out",
            Self::TimedOut(Timeout::Idle) => "the connection was idle too long",
            Self::TimedOut(Timeout::Stall) => "the peer took no output for too long",
            Self::TimedOut(Timeout::HalfClosed) => {
                "one half had ended and the other did not move for too long"
            }
            Self::TimedOut(Timeout::Transport) => "the stack gave up: the peer stopped answering",
            Self::TimedOut(Timeout::KeepAlive) => "the peer did not answer keepalive probes",
            Self::LocalClose => "we closed",
            Self::LocalAbort => "we aborted",
            Self::LocalError => "a call of ours failed",
            Self::Truncated => "the peer's stream ended in the middle",
            Self::Protocol => "the peer broke the protocol",
            Self::Shed => "we gave it up to make room",
            Self::Unknown => "the connection was lost, and what would tell why is gone",
        })
    }
}

/// What is known when an error is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FinSeen {
    /// No trace of the peer's FIN.
    No,
    /// A receive has returned 0, but a send in flight may have taken the error of a reset.
    Unproven,
    /// A hint said that it has come.
    Hinted,
    /// A receive has returned the end of stream.
    Read,
}

/// The cause that an error of an established connection shows.
pub(crate) const fn of_fault(fault: Fault, fin: FinSeen) -> (Cause, Certainty) {
    use Certainty::{Certain, Inferred};
    match (fault, fin) {
        (Fault::Reset, FinSeen::No) => (Cause::PeerReset, Certain),
        (Fault::Reset | Fault::BrokenPipe | Fault::Aborted, FinSeen::Read) => (Cause::ResetAfterFin, Certain),
        (Fault::Reset | Fault::BrokenPipe | Fault::Aborted, FinSeen::Hinted)
        // What Linux records when a reset meets a FIN that nobody has read yet.
        | (Fault::BrokenPipe, FinSeen::No | FinSeen::Unproven)
        // Several statuses hide behind this one number.
        | (Fault::NameDeleted, FinSeen::Hinted | FinSeen::Read) => (Cause::ResetAfterFin, Inferred),
        // Linux keeps `EPIPE` for a reset after a FIN: with this number, the 0 was what the error left.
        (Fault::Reset | Fault::NameDeleted, FinSeen::Unproven) | (Fault::NameDeleted, FinSeen::No) => {
            (Cause::PeerReset, Inferred)
        }
        (Fault::Aborted, FinSeen::No | FinSeen::Unproven) => (Cause::LocalStackAborted, Inferred),
        (Fault::TimedOut, _) => (Cause::TimedOut(Timeout::Transport), Certain),
        (Fault::KeepAliveFailed, _) => (Cause::TimedOut(Timeout::KeepAlive), Certain),
        // An established connection dies of silence; the number is that of the last ICMP message.
        (
            Fault::Refused
            | Fault::Unreachable
            | Fault::NetworkDown
            | Fault::Protocol
            | Fault::PermissionDenied
            | Fault::Unsupported,
            _,
        ) => (Cause::TimedOut(Timeout::Transport), Inferred),
        // It is over, and this number tells neither how nor by whom.
        (Fault::NotConnected | Fault::GracefulDisconnect | Fault::ShutDown | Fault::Io | Fault::Other, _) => {
            (Cause::Unknown, Inferred)
        }
        (
            Fault::AlreadyConnected
            | Fault::InProgress
            | Fault::WouldBlock
            | Fault::Interrupted
            | Fault::WaitExpired
            | Fault::Cancelled
            | Fault::NoBuffers
            | Fault::ProcessLimit
            | Fault::SystemLimit
            | Fault::Busy
            | Fault::AddressInUse
            | Fault::AddressNotAvailable
            | Fault::MessageTooLong
            | Fault::BadDescriptor
            | Fault::Invalid
            | Fault::AlreadyExists
            | Fault::NotFound,
            _,
        ) => (Cause::LocalError, Certain),
    }
}

/// The cause that a failed connect shows. Codes that are soft later are final here.
pub(crate) const fn of_connect_fault(fault: Fault) -> (Cause, Certainty) {
    if matches!(fault, Fault::Refused) {
        (Cause::Refused, Certainty::Certain)
    } else if matches!(fault, Fault::Unreachable | Fault::NetworkDown | Fault::Protocol) {
        (Cause::Unreachable, Certainty::Certain)
    } else if matches!(fault, Fault::PermissionDenied | Fault::Unsupported) {
        (Cause::LocalError, Certainty::Certain)
    } else if matches!(fault, Fault::NotConnected) {
        // No connect says so. The connection was made, and was reset before anybody looked.
        (Cause::PeerReset, Certainty::Inferred)
    } else {
        of_fault(fault, FinSeen::No)
    }
}

const fn number(cause: Cause) -> u64 {
    match cause {
        Cause::PeerFinished => 1,
        Cause::PeerReset => 2,
        Cause::ResetAfterFin => 3,
        Cause::Refused => 4,
        Cause::Unreachable => 5,
        Cause::LocalStackAborted => 6,
        Cause::TimedOut(Timeout::Connect) => 7,
        Cause::TimedOut(Timeout::Idle) => 8,
        Cause::TimedOut(Timeout::Stall) => 9,
        Cause::TimedOut(Timeout::HalfClosed) => 10,
        Cause::TimedOut(Timeout::Transport) => 11,
        Cause::TimedOut(Timeout::KeepAlive) => 12,
        Cause::LocalClose => 13,
        Cause::LocalAbort => 14,
        Cause::LocalError => 15,
        Cause::Truncated => 16,
        Cause::Protocol => 17,
        Cause::Shed => 18,
        Cause::Unknown => 19,
    }
}

impl Field for Cause {
    const SHIFT: u32 = 15;
    const WIDTH: u32 = 5;

    fn to_bits(self) -> u64 {
        number(self)
    }

    fn from_bits(bits: u64) -> Self {
        let at = usize::try_from(bits).ok().and_then(|number| number.checked_sub(1));
        at.and_then(|at| Self::ALL.get(at)).copied().unwrap_or(Self::Unknown)
    }

    fn is_valid(bits: u64) -> bool {
        (1..=19).contains(&bits)
    }
}

/// The numbers are the places in [`Cause::ALL`], counted from 1.
#[test]
fn numbers_follow_the_list() {
    for (at, &cause) in (1..).zip(&Cause::ALL) {
        assert_eq!(number(cause), at);
        assert_eq!(Cause::from_bits(at), cause);
    }
}
