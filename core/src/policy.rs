//! How long and how much: the limits of every wait.

use core::time::Duration;

use crate::{Deadline, OnPeerFinish};

/// The limits that a table sets for its connections.
///
/// Durations are cut to [`Policy::LONGEST`]. Every wait for a peer has one; only the idle deadline can be
/// switched off, for protocols in which silence is normal. While the application itself has paused a connection
/// and holds no output, nobody waits for the peer, and no deadline is armed until something ends.
///
/// ```
/// use core::time::Duration;
/// use hangup::Policy;
///
/// let policy = Policy { idle: Some(Duration::from_secs(15)), ..Policy::default() };
/// assert!(policy.stall < policy.drain_total + policy.stall);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// What the peer's end of stream does to our own half.
    pub on_peer_finish: OnPeerFinish,
    /// [`Deadline::Connect`].
    pub connect: Duration,
    /// [`Deadline::Idle`]. `None`: a connection may be idle for ever.
    pub idle: Option<Duration>,
    /// [`Deadline::Stall`].
    pub stall: Duration,
    /// [`Deadline::HalfClosed`].
    pub half_closed: Duration,
    /// [`Deadline::DrainTotal`].
    pub drain_total: Duration,
    /// [`Deadline::DrainIdle`].
    pub drain_idle: Duration,
    /// [`Deadline::DrainBudget`], in bytes discarded.
    pub drain_budget: u32,
}

impl Policy {
    /// The longest duration there is: 24 days.
    pub const LONGEST: Duration = Duration::from_secs(24 * 24 * 60 * 60);

    /// How long a wait may last. `None`: for ever, or it is not a matter of time.
    #[must_use]
    pub fn duration(&self, deadline: Deadline) -> Option<Duration> {
        let duration = match deadline {
            Deadline::Connect => self.connect,
            Deadline::Idle => self.idle?,
            Deadline::Stall => self.stall,
            Deadline::HalfClosed => self.half_closed,
            Deadline::DrainTotal => self.drain_total,
            Deadline::DrainIdle => self.drain_idle,
            Deadline::DrainBudget => return None,
        };
        Some(duration.min(Self::LONGEST))
    }
}

impl Default for Policy {
    /// 10 s to connect, 60 s idle, 30 s stall, 60 s half-closed; a drain of 30 s in all, 5 s of silence,
    /// 128 MiB discarded.
    fn default() -> Self {
        Self {
            on_peer_finish: OnPeerFinish::KeepSending,
            connect: Duration::from_secs(10),
            idle: Some(Duration::from_secs(60)),
            stall: Duration::from_secs(30),
            half_closed: Duration::from_secs(60),
            drain_total: Duration::from_secs(30),
            drain_idle: Duration::from_secs(5),
            drain_budget: 128 * 1024 * 1024,
        }
    }
}
