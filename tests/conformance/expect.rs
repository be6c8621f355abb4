//! What is expected, as data: how a connection ends on Linux, where Windows differs, and why.

use std::fmt;

use hangup::{Cause, Certainty, DrainEnd, Mechanism, Report, Timeout};

/// The part of a report that a case expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) cause: Cause,
    pub(crate) certainty: Certainty,
    pub(crate) drain_end: Option<DrainEnd>,
}

impl End {
    pub(crate) const fn drained(self, end: DrainEnd) -> Self {
        Self { drain_end: Some(end), ..self }
    }

    pub(crate) const fn of(report: &Report) -> Self {
        Self { cause: report.cause, certainty: report.certainty, drain_end: report.drain_end }
    }
}

pub(crate) const fn certain(cause: Cause) -> End {
    End { cause, certainty: Certainty::Certain, drain_end: None }
}

pub(crate) const fn inferred(cause: Cause) -> End {
    End { cause, certainty: Certainty::Inferred, drain_end: None }
}

/// The peer finished, we after it, and our closing plan saw both.
pub(crate) const CLEAN: End = certain(Cause::PeerFinished).drained(DrainEnd::PeerFinished);
/// We closed first, and the peer finished.
pub(crate) const CLOSED: End = certain(Cause::LocalClose).drained(DrainEnd::PeerFinished);
/// A reset that a call has told us of.
pub(crate) const RESET: End = certain(Cause::PeerReset);
/// Nothing told of the end, and one half had ended before.
pub(crate) const HALF_CLOSED: End = certain(Cause::TimedOut(Timeout::HalfClosed));
/// A reset that only an event has told us of.
pub(crate) const RESET_HINTED: End = inferred(Cause::PeerReset);

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.name())?;
        if self.certainty == Certainty::Inferred {
            f.write_str(" (inferred)")?;
        }
        match self.drain_end {
            Some(end) => write!(f, ", drain: {end}"),
            None => Ok(()),
        }
    }
}

/// Where Windows differs.
#[derive(Clone, Copy)]
pub(crate) struct Windows {
    /// What was seen under Wine. Empty: there is no connection to report.
    pub(crate) wine: &'static [End],
    /// What else a real Windows would say, by its documents.
    pub(crate) documented: &'static [End],
    /// Why it differs.
    pub(crate) why: &'static str,
}

/// All that may be expected of one case.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) linux: &'static [End],
    /// Readiness, which on Windows is AFD's.
    pub(crate) windows: Option<Windows>,
    /// Completions. Where nothing is said, a port has to say what Linux says.
    pub(crate) ports: Option<Windows>,
}

impl Expected {
    /// What is accepted on the system that this runs on.
    pub(crate) fn accepts(&self, mechanism: Mechanism, end: End) -> bool {
        if let Some(windows) = self.other(mechanism) {
            windows.wine.contains(&end) || windows.documented.contains(&end)
        } else if cfg!(any(windows, target_os = "linux")) {
            self.linux.contains(&end)
        } else {
            // Never run there by us: the cause has to be one of those that are known.
            let known = self.linux.iter().chain(self.windows.iter().flat_map(|other| other.wine));
            known.clone().any(|known| known.cause == end.cause)
        }
    }

    /// Where a mechanism differs from Linux, on the system that this runs on.
    pub(crate) fn other(&self, mechanism: Mechanism) -> Option<Windows> {
        match mechanism {
            Mechanism::Port => self.ports,
            Mechanism::Level | Mechanism::Edge | Mechanism::Ring => self.windows.filter(|_| cfg!(windows)),
        }
    }
}

pub(crate) fn list(ends: &[End]) -> String {
    let all: Vec<String> = ends.iter().map(End::to_string).collect();
    if all.is_empty() { "no connection".to_owned() } else { all.join("; or ") }
}
