//! What the table says about a connection that has ended.

use core::time::Duration;

use crate::{Cause, Certainty, DrainEnd, Log, Plan, RawCode, ReceiveHalf, SendHalf};

/// Why and how a connection ended, what went through it, and whether what we sent may be sent again.
///
/// `Display` gives one line for a human:
///
/// ```text
/// the peer reset the connection: ECONNRESET (104), after 1.204s; received 5 B, sent 65536 B, 300 B unsent [rsQbx]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Why.
    pub cause: Cause,
    /// How sure that is.
    pub certainty: Certainty,
    /// The code of the OS that came with it, if one did.
    pub raw: Option<RawCode>,
    /// The strongest closing plan.
    pub plan: Option<Plan>,
    /// How the drain of a closing plan ended.
    pub drain_end: Option<DrainEnd>,
    /// How the direction from the peer ended.
    pub receive_half: ReceiveHalf,
    /// How the direction to the peer ended.
    pub send_half: SendHalf,
    /// From accept or connect to release.
    pub duration: Duration,
    /// Bytes received, those included that were discarded.
    pub received: u64,
    /// Bytes discarded under a closing plan, and those that came while the connection was given up.
    pub discarded: u64,
    /// Bytes handed to the OS.
    pub sent: u64,
    /// Bytes that the application held and the OS never took.
    pub unsent: u64,
    /// Whether what we sent may have been processed by the peer.
    pub retry: Retry,
    /// The last 8 things that happened.
    pub log: Log,
}

/// Whether the peer may have acted on what we sent: what a client needs to know before it tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// Not a byte was handed to the OS: the peer has seen nothing.
    NeverSent,
    /// Bytes were handed to the OS, and it is not known whether the peer got them.
    MaybeSent,
    /// The peer's stack has acknowledged all of it.
    Sent,
}

impl Retry {
    pub(crate) fn of(sent: u64, drain_end: Option<DrainEnd>) -> Self {
        if sent == 0 {
            Self::NeverSent
        } else if drain_end == Some(DrainEnd::Acknowledged) {
            Self::Sent
        } else {
            Self::MaybeSent
        }
    }
}

impl core::fmt::Display for Retry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::NeverSent => "never sent",
            Self::MaybeSent => "maybe sent",
            Self::Sent => "sent",
        })
    }
}

impl core::fmt::Display for Report {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.cause)?;
        if let Some(raw) = self.raw {
            write!(f, ": {raw}")?;
        }
        if self.certainty == Certainty::Inferred {
            f.write_str(" (inferred)")?;
        }
        if let (Some(plan), Some(end)) = (self.plan, self.drain_end) {
            write!(f, ", {plan}: {end}")?;
        }
        write!(f, ", after {:?}; received {} B, sent {} B", self.duration, self.received, self.sent)?;
        if self.discarded > 0 {
            write!(f, ", discarded {} B", self.discarded)?;
        }
        if self.unsent > 0 {
            write!(f, ", {} B unsent", self.unsent)?;
        }
        write!(f, " [{}]", self.log)
    }
}
