//! How to close: four plans of rising strength, and how the wait inside the graceful ones ended.

use crate::life::field::field;

field! {
    /// How to end our half, or the connection.
    ///
    /// `Finish < Flush < Linger < Abort`. Asking again with the same plan changes nothing, with a
    /// weaker one neither, with a stronger one escalates. Up to `Linger` no plan resets the connection
    /// while its waits last; each wait has an end ([`Policy`](crate::Policy)).
    Plan at 12, 3 bits {
        /// Half-close: write the output out, send our FIN, and let the application go on reading.
        Finish = 1,
        /// Write the output out, send our FIN, close when the peer has finished too. For peers that
        /// have nothing left to say; if they do say something it becomes [`Plan::Linger`].
        Flush = 2,
        /// Write the output out, send our FIN, and read and discard what the peer still sends, so
        /// that no reset overtakes our last output. For answers given before the request was read.
        Linger = 3,
        /// Close so that a reset goes out, now. Output that is not delivered yet is lost.
        Abort = 4,
    }
}

field! {
    /// How the wait for the peer ended, inside [`Plan::Flush`] or [`Plan::Linger`].
    DrainEnd at 21, 3 bits {
        /// The peer finished: nothing was lost in either direction.
        PeerFinished = 1,
        /// The peer's stack acknowledged everything, our FIN included, and then stayed silent.
        Acknowledged = 2,
        /// The total deadline passed.
        TotalDeadline = 3,
        /// The peer neither sent nor finished for the idle duration.
        IdleDeadline = 4,
        /// The byte budget was used up.
        Budget = 5,
        /// The peer did not take our output: the send stalled.
        Stalled = 6,
        /// The connection was lost on the way.
        Failed = 7,
    }
}

impl core::fmt::Display for Plan {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Finish => "finish",
            Self::Flush => "flush",
            Self::Linger => "linger",
            Self::Abort => "abort",
        })
    }
}

impl core::fmt::Display for DrainEnd {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::PeerFinished => "the peer finished",
            Self::Acknowledged => "the peer acknowledged everything",
            Self::TotalDeadline => "the total deadline passed",
            Self::IdleDeadline => "the peer stayed silent",
            Self::Budget => "the byte budget was used up",
            Self::Stalled => "the peer did not take our output",
            Self::Failed => "the connection was lost",
        })
    }
}
