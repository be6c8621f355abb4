//! Why an operation ended, in words that hold on every operating system.
//!
//! A [`Fault`] answers one question: what does this code, from this operation, say? It does not say why the
//! *connection* ended. The same fault has several causes (our own shutdown and a peer's RST both come back as
//! a broken pipe), so the cause is decided from the order of facts, and a fault only confirms it.

use core::fmt;

/// The reason an operation ended, whatever the operating system calls it.
///
/// Made from an operating system code by [`RawCode::fault`](crate::RawCode::fault), which answers for every
/// number there is. A call that succeeded has no fault.
///
/// The predicates sort faults by what they say about the connection. [`is_transient`](Fault::is_transient),
/// [`is_under_way`](Fault::is_under_way), [`is_exhaustion`](Fault::is_exhaustion),
/// [`is_soft`](Fault::is_soft) and [`proves_end`](Fault::proves_end) exclude each other; a fault that is none
/// of them ended the operation and says nothing, by itself, about the connection.
///
/// ```
/// use hangup::{Fault, Os, RawCode};
///
/// let fault = RawCode::native(Os::Linux, 104).fault();
/// assert_eq!(fault, Fault::Reset);
/// assert_eq!(fault.to_string(), "connection reset by peer");
/// assert!(fault.proves_end());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// The peer's side sent RST (`ECONNRESET`, 10054). On the BSDs and macOS also after its FIN. On Apple
    /// systems also `EPROTOTYPE` from a send: a race in the kernel while the connection is being torn down.
    Reset,
    /// A send after the stream was closed for sending: by our own shutdown, by an earlier error, or by RST
    /// after the peer's FIN, which Linux records as `EPIPE`.
    BrokenPipe,
    /// The local stack gave the connection up (`ECONNABORTED`, 10053). On Windows: RST after the peer's FIN,
    /// or a timeout. From an accept: that one connection was gone before it was accepted.
    Aborted,
    /// The peer did not answer in time: a connect, a retransmission or, except on Windows, a keep-alive
    /// probe.
    TimedOut,
    /// The network dropped the connection (`ENETRESET`, 10052). Windows: keep-alive probes were not answered.
    KeepAliveFailed,
    /// `ERROR_NETNAME_DELETED` (64), which a completion port gives for a reset by the peer, an orderly or
    /// disorderly disconnect and our own close alike. Ambiguous: the operation's `NTSTATUS` says which it
    /// was.
    NameDeleted,
    /// The peer's orderly end, reported as an error (`WSAEDISCON`, `STATUS_GRACEFUL_DISCONNECT`).
    GracefulDisconnect,
    /// Nobody listens there, or something in between says so. May be recorded on a connection that lives.
    Refused,
    /// No way to the peer's host or network. May be recorded on a connection that lives.
    Unreachable,
    /// The local interface or the network subsystem is down.
    NetworkDown,
    /// A rule of the protocol was broken, or the peer's host does not speak it.
    Protocol,
    /// We may not do this: privileges, a capability mode, a firewall. Or a router forbids it.
    PermissionDenied,
    /// The operation, protocol or address family is not available here.
    Unsupported,
    /// The descriptor is not connected: not yet, or no longer.
    NotConnected,
    /// A connect on a descriptor that is connected: for a connect in progress, the news that it succeeded.
    AlreadyConnected,
    /// Our own shutdown forbids this direction (`ESHUTDOWN`, 10058).
    ShutDown,
    /// The operation was started and has not finished; its outcome comes later.
    InProgress,
    /// The call would have had to wait; nothing happened. From a connect on Windows: it was started.
    WouldBlock,
    /// A signal or an alert ended the call before anything happened.
    Interrupted,
    /// A wait for completions ran out with none. Nothing is said of any connection: see [`Fault::TimedOut`].
    WaitExpired,
    /// The operation was called off on our side: by a cancel, or because its descriptor was closed under it.
    Cancelled,
    /// The kernel, or a pool of buffers lent to it, has no memory for this. The connection is as it was.
    NoBuffers,
    /// This process may have no more descriptors (`EMFILE`).
    ProcessLimit,
    /// The system, or this account, may have no more descriptors, registrations or connections (`ENFILE`).
    SystemLimit,
    /// Something this call needs is in use at the moment.
    Busy,
    /// The local address, or the pair of addresses, is taken.
    AddressInUse,
    /// The address is not one of ours, or no local port is free.
    AddressNotAvailable,
    /// More than the protocol or the buffer can hold in one piece.
    MessageTooLong,
    /// No such descriptor, or one of the wrong kind: closed, reused or never a socket.
    BadDescriptor,
    /// An argument is wrong, or the state of the descriptor does not allow the call.
    Invalid,
    /// What was to be added is already there: a second registration of one descriptor.
    AlreadyExists,
    /// What was to be changed, removed or cancelled is not there: often because it has just finished.
    NotFound,
    /// A layer below failed without saying how.
    Io,
    /// A code that is in no table. The number is kept in the [`RawCode`](crate::RawCode).
    Other,
}

// `Other` stays the last variant, so its position counts the others.
const _: () = assert!(Fault::ALL.len() == Fault::Other as usize + 1, "Self::ALL misses a variant");

impl Fault {
    /// Every fault, in declaration order.
    pub const ALL: &'static [Self] = &[
        Self::Reset,
        Self::BrokenPipe,
        Self::Aborted,
        Self::TimedOut,
        Self::KeepAliveFailed,
        Self::NameDeleted,
        Self::GracefulDisconnect,
        Self::Refused,
        Self::Unreachable,
        Self::NetworkDown,
        Self::Protocol,
        Self::PermissionDenied,
        Self::Unsupported,
        Self::NotConnected,
        Self::AlreadyConnected,
        Self::ShutDown,
        Self::InProgress,
        Self::WouldBlock,
        Self::Interrupted,
        Self::WaitExpired,
        Self::Cancelled,
        Self::NoBuffers,
        Self::ProcessLimit,
        Self::SystemLimit,
        Self::Busy,
        Self::AddressInUse,
        Self::AddressNotAvailable,
        Self::MessageTooLong,
        Self::BadDescriptor,
        Self::Invalid,
        Self::AlreadyExists,
        Self::NotFound,
        Self::Io,
        Self::Other,
    ];

    /// Nothing ended and nothing was done: make the same call again, at once if it was
    /// [`Interrupted`](Fault::Interrupted), else when there is reason to.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::WouldBlock | Self::Interrupted | Self::WaitExpired)
    }

    /// The operation goes on and owes its outcome: do not make the call again, wait.
    #[must_use]
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::InProgress)
    }

    /// Something ran short on our host. Nothing happened to the connection; the call may succeed later.
    #[must_use]
    pub const fn is_exhaustion(self) -> bool {
        matches!(self, Self::NoBuffers | Self::ProcessLimit | Self::SystemLimit | Self::Busy)
    }

    /// May be recorded on a connection that lives on, so it ends nothing without a second fact (a hang-up
    /// flag, or a descriptor whose state says closed).
    ///
    /// Stacks keep what a router's ICMP message said as a *soft* error: Linux hands it to whoever asks
    /// `SO_ERROR`, and goes on; a connection that later times out dies with that code instead of `ETIMEDOUT`.
    /// The set is what Linux derives from ICMP and ICMPv6 messages (`icmp_err_convert`, `icmpv6_err_convert`,
    /// except `EMSGSIZE`, which TCP keeps to itself) and what the BSDs keep when a segment cannot be sent
    /// (`t_softerror`). While connecting the same codes are usually final.
    #[must_use]
    pub const fn is_soft(self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::Unreachable
                | Self::NetworkDown
                | Self::Protocol
                | Self::PermissionDenied
                | Self::Unsupported
        )
    }

    /// From a receive, a send or `SO_ERROR` of an established connection: it is over. Except on Windows,
    /// bytes that came before the end may still be waiting to be received.
    ///
    /// Who ended it is another question. [`BrokenPipe`](Fault::BrokenPipe) proves it only if we have not shut
    /// down our own send half.
    #[must_use]
    pub const fn proves_end(self) -> bool {
        matches!(
            self,
            Self::Reset
                | Self::BrokenPipe
                | Self::Aborted
                | Self::TimedOut
                | Self::KeepAliveFailed
                | Self::NameDeleted
        )
    }

    /// As the outcome of an accept: the trouble of one connection that came and went, so the listener goes
    /// on.
    ///
    /// Linux documents the soft codes here (accept(2)), the BSDs `ECONNABORTED`, Windows 10054, and 64 from a
    /// completion port. [Transient](Fault::is_transient) faults and [exhaustion](Fault::is_exhaustion) are
    /// not in this set, and do not end a listener either. The codes are not proof: a listener that gets them
    /// without ever getting a connection should be told to somebody.
    #[must_use]
    pub const fn spares_listener(self) -> bool {
        self.is_soft() || self.proves_end() || matches!(self, Self::NotConnected | Self::GracefulDisconnect)
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::Reset => "connection reset by peer",
            Self::BrokenPipe => "broken pipe",
            Self::Aborted => "connection aborted by the local stack",
            Self::TimedOut => "connection timed out",
            Self::KeepAliveFailed => "connection dropped by the network",
            Self::NameDeleted => "network name deleted (reset, disconnected or closed)",
            Self::GracefulDisconnect => "peer disconnected in order",
            Self::Refused => "connection refused",
            Self::Unreachable => "host or network unreachable",
            Self::NetworkDown => "network is down",
            Self::Protocol => "protocol error",
            Self::PermissionDenied => "permission denied",
            Self::Unsupported => "operation, protocol or address family not supported",
            Self::NotConnected => "not connected",
            Self::AlreadyConnected => "already connected",
            Self::ShutDown => "already shut down in this direction",
            Self::InProgress => "operation in progress",
            Self::WouldBlock => "operation would block",
            Self::Interrupted => "interrupted",
            Self::WaitExpired => "nothing completed in time",
            Self::Cancelled => "operation cancelled",
            Self::NoBuffers => "no buffer space",
            Self::ProcessLimit => "too many descriptors in this process",
            Self::SystemLimit => "too many descriptors or connections in this system",
            Self::Busy => "resource busy",
            Self::AddressInUse => "address in use",
            Self::AddressNotAvailable => "address not available",
            Self::MessageTooLong => "message too long",
            Self::BadDescriptor => "bad descriptor",
            Self::Invalid => "invalid argument or state",
            Self::AlreadyExists => "already exists",
            Self::NotFound => "not found",
            Self::Io => "input/output error",
            Self::Other => "unknown error",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.describe())
    }
}
