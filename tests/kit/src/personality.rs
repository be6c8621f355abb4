//! How an operating system reports: what differs between them, as data.

use hangup::Mechanism;

/// One operating system mechanism, as the simulated kernel plays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Personality {
    /// Level-triggered epoll.
    EpollLevel,
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
    /// io_uring with single-shot operations.
    Uring,
    /// io_uring with multishot receive and watch and zero-copy send, and several workers that handle
    /// completions in any order.
    UringMultishot,
}

impl Personality {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::EpollLevel,
        Self::EpollEdge,
        Self::Kqueue,
        Self::AfdOneShot,
        Self::Iocp,
        Self::IocpSkip,
        Self::Uring,
        Self::UringMultishot,
    ];

    /// What the machine is told.
    #[must_use]
    pub const fn mechanism(self) -> Mechanism {
        match self {
            Self::EpollLevel | Self::Kqueue | Self::AfdOneShot => Mechanism::Level,
            Self::EpollEdge => Mechanism::Edge,
            Self::Iocp | Self::IocpSkip => Mechanism::Port,
            Self::Uring | Self::UringMultishot => Mechanism::Ring,
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
        matches!(self, Self::AfdOneShot)
    }

    /// Whether the end of both directions is reported even to a registration without interest.
    #[must_use]
    pub const fn reports_hang_up_unasked(self) -> bool {
        matches!(self, Self::EpollLevel | Self::EpollEdge | Self::AfdOneShot)
    }

    /// Whether an error is handed out before the end of stream (the BSDs), not after it (Linux).
    #[must_use]
    pub const fn error_before_end(self) -> bool {
        matches!(self, Self::Kqueue | Self::AfdOneShot | Self::Iocp | Self::IocpSkip)
    }

    /// Whether a reset throws away what was received and not yet read.
    #[must_use]
    pub const fn reset_discards_input(self) -> bool {
        matches!(self, Self::AfdOneShot | Self::Iocp | Self::IocpSkip)
    }

    /// Whether the OS may have forgotten the error when somebody asks for it.
    #[must_use]
    pub const fn forgets_errors(self) -> bool {
        matches!(self, Self::AfdOneShot | Self::Iocp | Self::IocpSkip)
    }

    /// Whether another worker may see a completion before the submitting call has returned.
    #[must_use]
    pub const fn completes_early(self) -> bool {
        matches!(self, Self::Iocp | Self::IocpSkip)
    }

    /// Whether a submitting call may give the result at once, with no packet behind it.
    #[must_use]
    pub const fn skips_on_success(self) -> bool {
        matches!(self, Self::IocpSkip)
    }

    /// Whether receives and watches are multishot and sends zero-copy.
    #[must_use]
    pub const fn has_multishot(self) -> bool {
        matches!(self, Self::UringMultishot)
    }

    /// Whether a request to cancel is answered by the call itself.
    #[must_use]
    pub const fn answers_cancel_at_once(self) -> bool {
        matches!(self, Self::Iocp | Self::IocpSkip)
    }
}

impl core::fmt::Display for Personality {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::EpollLevel => "epoll level",
            Self::EpollEdge => "epoll edge",
            Self::Kqueue => "kqueue",
            Self::AfdOneShot => "AFD one-shot",
            Self::Iocp => "IOCP",
            Self::IocpSkip => "IOCP skip",
            Self::Uring => "io_uring",
            Self::UringMultishot => "io_uring multishot",
        })
    }
}
