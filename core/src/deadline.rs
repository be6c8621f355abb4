//! The waits that have an end.

/// A wait that the table bounds. Which of them are armed follows from the life alone
/// ([`Life::deadlines`](crate::Life::deadlines)); the points in time are kept beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deadline {
    /// The connect is to be over. Not renewed.
    Connect,
    /// Something is to be received or sent. Renewed by each byte of either direction.
    Idle,
    /// The OS is to take queued output. Renewed by each byte sent.
    Stall,
    /// One half has ended, or the OS has hung up: what is left is to move or end. Renewed by each byte.
    HalfClosed,
    /// A closing plan is to be over. Not renewed, neither by the peer nor by us.
    DrainTotal,
    /// While draining after our FIN, the peer is to send or finish. Renewed by each byte received.
    DrainIdle,
    /// Not a point in time: the drain's byte budget.
    DrainBudget,
}

impl Deadline {
    /// Every deadline.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Idle,
        Self::Stall,
        Self::HalfClosed,
        Self::DrainTotal,
        Self::DrainIdle,
        Self::DrainBudget,
    ];
}

/// The deadlines that are armed: at most one of each group at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Deadlines {
    /// `Connect`, `Idle`, `HalfClosed` or `DrainTotal`: bounds the connection as a whole.
    pub whole: Option<Deadline>,
    /// `Stall` or `DrainIdle`: bounds one direction.
    pub half: Option<Deadline>,
    /// Whether the drain's byte budget is being used.
    pub budget: bool,
}

impl Deadlines {
    /// Whether `deadline` is armed.
    #[must_use]
    pub fn contains(self, deadline: Deadline) -> bool {
        match deadline {
            Deadline::Connect | Deadline::Idle | Deadline::HalfClosed | Deadline::DrainTotal => {
                self.whole == Some(deadline)
            }
            Deadline::Stall | Deadline::DrainIdle => self.half == Some(deadline),
            Deadline::DrainBudget => self.budget,
        }
    }
}

impl core::fmt::Display for Deadline {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Idle => "idle",
            Self::Stall => "stall",
            Self::HalfClosed => "half-closed",
            Self::DrainTotal => "drain total",
            Self::DrainIdle => "drain idle",
            Self::DrainBudget => "drain budget",
        })
    }
}
