//! The components of a life: plain enums, each with its place in the word.

use super::field::{Field, field};

field! {
    /// How the adapter's OS mechanism reports what happens. Chosen once, at birth.
    Mechanism at 0, 2 bits {
        /// Readiness that is reported again while it lasts: level-triggered epoll and kqueue, one-shot
        /// interest that is armed again (AFD).
        Level = 0,
        /// Readiness that is reported once, when it begins: edge-triggered epoll, `EV_CLEAR`.
        Edge = 1,
        /// Completions, and nothing to watch an idle connection with: a Windows completion port.
        Port = 2,
        /// Completions, and a poll that reports the hang-up of an idle connection: io_uring.
        Ring = 3,
    }
}

impl Mechanism {
    /// Whether the OS says when a call would succeed (and the adapter calls), instead of completing
    /// operations that were submitted before.
    #[must_use]
    pub const fn is_readiness(self) -> bool {
        matches!(self, Self::Level | Self::Edge)
    }
}

field! {
    /// What the end of the peer's stream does to our own half. Chosen once, at birth.
    OnPeerFinish at 2, 1 bits {
        /// Our half stays open until the application finishes it: the peer may be half-closed and
        /// wait for an answer.
        KeepSending = 0,
        /// Our half is finished too, once its output is flushed: for protocols without half-close.
        FinishToo = 1,
    }
}

field! {
    /// Where the connection as a whole is.
    Phase at 3, 3 bits {
        /// We are the connecting side and no connect has been submitted.
        ConnectDue = 0,
        /// A connect is in progress.
        Connecting = 1,
        /// Readiness only: the OS has hinted that the connect is over; the verdict is to be fetched.
        ConnectHinted = 2,
        /// Established, and the application is using it. One half may have ended.
        Open = 3,
        /// The application has said its last word: output is flushed, FIN sent, input drained.
        Closing = 4,
        /// Both halves have ended. What is in flight is reaped, the registration removed.
        Ending = 5,
        /// Everything has been given back, once. Nothing moves from here.
        Released = 6,
    }
}

impl Phase {
    /// Whether the connection is not yet established.
    #[must_use]
    pub const fn is_connecting(self) -> bool {
        matches!(self, Self::ConnectDue | Self::Connecting | Self::ConnectHinted)
    }

    /// Whether the connection is established and at least one half has not ended.
    #[must_use]
    pub const fn is_established(self) -> bool {
        matches!(self, Self::Open | Self::Closing)
    }
}

field! {
    /// The direction from the peer to us.
    ReceiveHalf at 6, 3 bits {
        /// The application wants input.
        Open = 0,
        /// Nobody reads at present: the application has paused, or a flush comes first.
        Paused = 1,
        /// Input is read and discarded, to let the peer read our last output in peace.
        Discarding = 2,
        /// The peer has finished: a receive of length > 0 returned 0 and no error is recorded.
        Ended = 3,
        /// A receive failed, or the connection was lost.
        Failed = 4,
        /// We stopped reading for good.
        Shut = 5,
    }
}

impl ReceiveHalf {
    /// Whether nothing more will be received.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Failed | Self::Shut)
    }
}

field! {
    /// The direction from us to the peer.
    SendHalf at 9, 3 bits {
        /// No output is waiting.
        Idle = 0,
        /// The application holds output that has not been handed to the OS.
        Queued = 1,
        /// As `Queued`, and a FIN follows the last byte. New output is refused from here on.
        FinQueued = 2,
        /// All output has been handed to the OS; the shutdown is due or in progress.
        FinDue = 3,
        /// Our FIN is on its way, behind everything that was sent.
        FinSent = 4,
        /// A send or the shutdown failed, or the connection was lost.
        Failed = 5,
        /// We gave it up without a FIN.
        Shut = 6,
    }
}

impl SendHalf {
    /// Whether nothing more will be sent.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::FinSent | Self::Failed | Self::Shut)
    }

    /// Whether the application holds output that is to be sent.
    #[must_use]
    pub const fn has_output(self) -> bool {
        matches!(self, Self::Queued | Self::FinQueued)
    }
}

field! {
    /// The adapter's registration of the socket with its poller. Completion adapters have none.
    Registration at 24, 3 bits {
        /// Not registered yet.
        Missing = 0,
        /// A worker is registering it.
        Adding = 1,
        /// Registered.
        Present = 2,
        /// A worker is removing the registration.
        Removing = 3,
        /// Removed for good.
        Gone = 4,
    }
}

field! {
    /// Whether the OS is to be asked for the pending error of the socket (`SO_ERROR`). It answers
    /// once, to whoever asks first, so the question has one owner.
    Inquiry at 27, 2 bits {
        /// There is nothing to ask.
        Quiet = 0,
        /// A hint says that something ended: ask before anything else is called.
        Due = 1,
        /// A worker is asking.
        Asking = 2,
    }
}

/// What hints have said and no call has confirmed or consumed yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Memory(u8);

impl Memory {
    /// Nothing is remembered.
    pub const NONE: Self = Self(0);
    /// A receive would not block, as far as known.
    pub const READABLE: Self = Self(1);
    /// A send would not block, as far as known.
    pub const WRITABLE: Self = Self(1 << 1);
    /// Both directions are over at the OS: there is nothing left to wait for.
    pub const HUNG_UP: Self = Self(1 << 2);
    /// An error was hinted that no call has shown: a receive of 0 bytes is no proof of a FIN now.
    pub const SUSPECT: Self = Self(1 << 3);
    /// The peer's FIN was hinted, ahead of the data that may still be before it.
    pub const FIN_HINTED: Self = Self(1 << 4);
    /// The connection was severed so that notifications still owed come back.
    pub const SEVERED: Self = Self(1 << 5);

    /// A receive returned 0 while a send was in flight, which may have taken the error of a reset.
    pub const UNPROVEN: Self = Self(1 << 6);

    /// Every single thing that can be remembered, with its name.
    pub const NAMES: [(Self, &'static str); 7] = [
        (Self::READABLE, "readable"),
        (Self::WRITABLE, "writable"),
        (Self::HUNG_UP, "hung-up"),
        (Self::SUSPECT, "suspect"),
        (Self::FIN_HINTED, "fin-hinted"),
        (Self::SEVERED, "severed"),
        (Self::UNPROVEN, "unproven"),
    ];

    /// Whether all of `other` is remembered.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// `self` if `condition`, else nothing.
    #[must_use]
    pub const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    /// Without what `other` holds.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl core::fmt::Debug for Memory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut set = f.debug_set();
        for (one, name) in Self::NAMES {
            if self.contains(one) {
                set.entry(&format_args!("{name}"));
            }
        }
        set.finish()
    }
}

impl Field for Memory {
    const SHIFT: u32 = 29;
    const WIDTH: u32 = 7;

    #[inline]
    fn to_bits(self) -> u64 {
        u64::from(self.0)
    }

    #[inline]
    fn from_bits(bits: u64) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "seven bits")]
        Self((bits & 0x7f) as u8)
    }

    fn is_valid(_: u64) -> bool {
        true
    }
}
