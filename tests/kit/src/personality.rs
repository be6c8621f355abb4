//! How an operating system reports: what differs between them, as data.

use hangup::{Fault, Hint, Mechanism, Operation, Owed};

/// One operating system mechanism, as the simulated kernel plays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Personality {
    /// Level-triggered epoll.
    EpollLevel,
    /// One-shot epoll: interest, the hang-up included, is gone with an event until it is armed again.
    EpollOneShot,
    /// Edge-triggered epoll, with both interests registered once.
    EpollEdge,
    /// kqueue filters: no hang-up, `EV_EOF` with or without an error, an error is returned even after
    /// the end of stream. From documents and kernel sources.
    Kqueue,
    /// One-shot interest over AFD: `ABORT` instead of hang-up, and the error may be gone when asked for.
    AfdOneShot,
    /// A completion port: a success at once is followed by a packet.
    Iocp,
    /// A completion port with `FILE_SKIP_COMPLETION_PORT_ON_SUCCESS`: it is not.
    IocpSkip,
    /// The same, and receives are posted without room.
    IocpZeroByte,
    /// io_uring with single-shot operations.
    Uring,
    /// io_uring with multishot receives.
    UringMultishot,
    /// io_uring with zero-copy sends.
    UringZeroCopy,
}

impl Personality {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::EpollLevel,
        Self::EpollOneShot,
        Self::EpollEdge,
        Self::Kqueue,
        Self::AfdOneShot,
        Self::Iocp,
        Self::IocpSkip,
        Self::IocpZeroByte,
        Self::Uring,
        Self::UringMultishot,
        Self::UringZeroCopy,
    ];

    /// What the machine is told.
    #[must_use]
    pub const fn mechanism(self) -> Mechanism {
        match self {
            Self::EpollLevel | Self::EpollOneShot | Self::Kqueue | Self::AfdOneShot => Mechanism::Level,
            Self::EpollEdge => Mechanism::Edge,
            Self::Iocp | Self::IocpSkip | Self::IocpZeroByte => Mechanism::Port,
            Self::Uring | Self::UringMultishot | Self::UringZeroCopy => Mechanism::Ring,
        }
    }

    /// Whether the OS reports readiness.
    #[must_use]
    pub const fn is_readiness(self) -> bool {
        self.mechanism().is_readiness()
    }

    /// Whether the adapter registers both interests once and never changes them.
    #[must_use]
    pub const fn is_edge(self) -> bool {
        matches!(self, Self::EpollEdge)
    }

    /// Whether interest is gone once an event was delivered.
    #[must_use]
    pub const fn is_one_shot(self) -> bool {
        matches!(self, Self::EpollOneShot | Self::AfdOneShot)
    }

    /// Whether the end of both directions is reported even to a registration without interest.
    #[must_use]
    pub const fn reports_hang_up_unasked(self) -> bool {
        matches!(self, Self::EpollLevel | Self::EpollOneShot | Self::EpollEdge | Self::AfdOneShot)
    }

    /// Whether an error is handed out before the end of stream (the BSDs), not after it (Linux).
    #[must_use]
    pub const fn error_before_end(self) -> bool {
        matches!(self, Self::Kqueue | Self::AfdOneShot | Self::Iocp | Self::IocpSkip | Self::IocpZeroByte)
    }

    /// Whether a reset may throw away what was received and not yet read: Windows does, Wine does not.
    #[must_use]
    pub const fn reset_discards_input(self) -> bool {
        matches!(self, Self::AfdOneShot | Self::Iocp | Self::IocpSkip | Self::IocpZeroByte)
    }

    /// Whether the OS may have forgotten the error when somebody asks for it.
    #[must_use]
    pub const fn forgets_errors(self) -> bool {
        matches!(self, Self::AfdOneShot | Self::Iocp | Self::IocpSkip | Self::IocpZeroByte)
    }

    /// Whether a connection that is lost gives its error to every call, and not to the first only.
    #[must_use]
    pub const fn repeats_errors(self) -> bool {
        self.forgets_errors()
    }

    /// Whether a submitting call that fails may say so itself.
    #[must_use]
    pub const fn fails_at_once(self) -> bool {
        matches!(self.mechanism(), Mechanism::Port)
    }

    /// Whether the adapter wakes its poller by an event of the connection's, which says nothing.
    #[must_use]
    pub const fn comes_back_by_event(self) -> bool {
        matches!(self, Self::AfdOneShot)
    }

    /// Whether another worker may see a completion before the submitting call has returned.
    #[must_use]
    pub const fn completes_early(self) -> bool {
        matches!(self, Self::Iocp | Self::IocpSkip | Self::IocpZeroByte)
    }

    /// Whether a submitting call may give the result at once, with no packet behind it.
    #[must_use]
    pub const fn skips_on_success(self) -> bool {
        matches!(self, Self::IocpSkip | Self::IocpZeroByte)
    }

    /// What an operation owes, in each of the ways in which it may be submitted: first the one that is special here. The
    /// others are explored where they are the only ones; when an operation is over, nothing remembers how it was submitted.
    #[must_use]
    pub const fn owes(self, operation: Operation) -> &'static [Owed] {
        match (self, operation) {
            // A single receive now and then: when there were no buffers, and behind the first news of an end.
            (Self::UringMultishot, Operation::Receive) => &[Owed::Stream, Owed::One],
            (Self::Uring | Self::UringMultishot, Operation::Watch) => &[Owed::Stream],
            // Here for once a single one, which is as good.
            (Self::UringZeroCopy, Operation::Watch) => &[Owed::One, Owed::Stream],
            // With a copy, where the kernel has no room for one without.
            (Self::UringZeroCopy, Operation::Send) => &[Owed::Both, Owed::One],
            _ => &[Owed::One],
        }
    }

    /// What the `polling` crate passes on of an event, which is not all that the OS has said, nor only that.
    #[must_use]
    pub fn as_polling_tells(self, hint: Hint) -> Hint {
        let over = hint.intersects(Hint::HANG_UP.with(Hint::ERROR));
        let both = Hint::READABLE.with(Hint::WRITABLE);
        Hint::NAMES
            .into_iter()
            .map(|(flag, _)| flag)
            .filter(|&flag| flag != Hint::PEER_CLOSED && hint.contains(flag))
            .fold(both.when(over), Hint::with)
    }

    /// Whether what was received waits in the adapter until the application takes it.
    #[must_use]
    pub const fn keeps_input(self) -> bool {
        !self.is_readiness()
    }

    /// Of input that is kept: whether the machine is told at once that something is there, and of an end or an error.
    /// If not, it hears of all that when the application takes it; only of an error at once, as of one that was asked for.
    #[must_use]
    pub const fn tells_of_kept_input(self) -> bool {
        matches!(self.mechanism(), Mechanism::Port)
    }

    /// Whether a receive is posted without room, and what it announces is fetched by a call.
    #[must_use]
    pub const fn receives_nothing(self) -> bool {
        matches!(self, Self::IocpZeroByte)
    }

    /// Whether the send half is shut down by a call, which answers, and not by an operation.
    #[must_use]
    pub const fn shuts_down_by_call(self) -> bool {
        !matches!(self.mechanism(), Mechanism::Ring)
    }

    /// The fault that stands for this one in the simulation: one that means the same here.
    #[must_use]
    pub const fn as_modelled(self, fault: Fault) -> Fault {
        match (self.mechanism(), fault) {
            // What a watch says of a descriptor that is no socket.
            (Mechanism::Ring, Fault::Invalid) => Fault::BadDescriptor,
            // There was no room: here in a queue of ours.
            (Mechanism::Ring, Fault::Busy) => Fault::NoBuffers,
            _ => fault,
        }
    }

    /// Whether several workers may have a connection, so that what is wanted is claimed before the call is made.
    #[must_use]
    pub const fn has_workers(self) -> bool {
        self.completes_early()
    }
}

impl core::fmt::Display for Personality {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::EpollLevel => "epoll level",
            Self::EpollOneShot => "epoll one-shot",
            Self::EpollEdge => "epoll edge",
            Self::Kqueue => "kqueue",
            Self::AfdOneShot => "AFD one-shot",
            Self::Iocp => "IOCP",
            Self::IocpSkip => "IOCP skip",
            Self::IocpZeroByte => "IOCP zero-byte",
            Self::Uring => "io_uring",
            Self::UringMultishot => "io_uring multishot",
            Self::UringZeroCopy => "io_uring zero-copy",
        })
    }
}
