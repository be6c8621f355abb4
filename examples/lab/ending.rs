//! What an ending is, and what is expected of it.

use std::num::NonZeroUsize;

use hangup::{Cause, Certainty, DrainEnd, Plan, Policy};
use hangup_examples::net::Backend;
use hangup_polling::Trigger;

use crate::stage::{PATIENT, Stage, Trouble};

/// One way for a connection to end: a script that provokes it, and the cause that must come out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// Stable, for `--only` and for programs that read the JSON.
    pub(crate) name: &'static str,
    /// What happens, in one line.
    pub(crate) title: &'static str,
    pub(crate) script: fn(&mut Stage) -> Result<(), Trouble>,
    pub(crate) policy: Policy,
    pub(crate) expected: Expected,
    /// What is different on some systems, and why: where readiness is told.
    pub(crate) elsewhere: &'static [Elsewhere],
    /// The same where completions are told, with the adapters that it is true of.
    pub(crate) completions: &'static [(&'static [Backend], Elsewhere)],
    /// Whether it starts a process. Nothing of another ending may be open then: on Windows the child inherits
    /// the sockets that were accepted here, and their close is none while it lives.
    pub(crate) alone: bool,
    /// The systems that can provoke it. Empty: all.
    pub(crate) only_on: &'static [System],
}

/// What must come out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) cause: Cause,
    pub(crate) certainty: Certainty,
    pub(crate) plan: Option<Plan>,
    pub(crate) drain: Option<DrainEnd>,
}

/// What some system is expected to give instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elsewhere {
    pub(crate) system: System,
    /// Any of these, and whatever end of the drain.
    pub(crate) accepts: &'static [(Cause, Certainty)],
    pub(crate) why: &'static str,
}

/// A group of endings, in the order of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) endings: &'static [Ending],
}

/// What decides how an ending looks from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// epoll over the Linux stack.
    Linux,
    /// The Windows API over the stack of the host.
    Wine,
    /// Windows itself. Its expectations come from documents.
    Windows,
    /// kqueue, event ports: from documents and source, too.
    Other,
}

/// Where an ending is played, and on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Here {
    pub(crate) system: System,
    pub(crate) backend: Backend,
    /// How readiness is reported. `None`: as the driver likes best, or there is none.
    pub(crate) trigger: Option<Trigger>,
    /// How many workers take turns. More than one: they have one table.
    pub(crate) workers: NonZeroUsize,
}

/// The adapters for a ring.
pub(crate) const RING: &[Backend] = &[Backend::Uring, Backend::UringMultishot];
/// The adapter for a port.
pub(crate) const PORT: &[Backend] = &[Backend::Iocp];

impl System {
    pub(crate) fn here() -> Self {
        if cfg!(target_os = "linux") {
            Self::Linux
        } else if cfg!(windows) {
            // Wine lays programs of its own into the system folder; Windows has never had this one.
            let wine = std::path::Path::new(r"C:\windows\system32\wineboot.exe").exists();
            if wine { Self::Wine } else { Self::Windows }
        } else {
            Self::Other
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Wine => "Wine",
            Self::Windows => "Windows",
            Self::Other => std::env::consts::OS,
        }
    }

    /// Whether the expectations were measured on this system. Elsewhere they come from documents, and how sure
    /// a cause is does not count.
    pub(crate) const fn is_measured(self) -> bool {
        matches!(self, Self::Linux | Self::Wine)
    }
}

impl Ending {
    /// An ending with limits so long that none of them passes, however busy the machine is.
    pub(crate) const fn new(
        name: &'static str,
        title: &'static str,
        cause: Cause,
        script: fn(&mut Stage) -> Result<(), Trouble>,
    ) -> Self {
        let expected = Expected { cause, certainty: Certainty::Certain, plan: None, drain: None };
        Self {
            name,
            title,
            script,
            policy: PATIENT,
            expected,
            elsewhere: &[],
            completions: &[],
            alone: false,
            only_on: &[],
        }
    }

    pub(crate) const fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    pub(crate) const fn plan(self, plan: Plan) -> Self {
        Self { expected: Expected { plan: Some(plan), ..self.expected }, ..self }
    }

    pub(crate) const fn drain(self, drain: DrainEnd) -> Self {
        Self { expected: Expected { drain: Some(drain), ..self.expected }, ..self }
    }

    pub(crate) const fn inferred(self) -> Self {
        Self { expected: Expected { certainty: Certainty::Inferred, ..self.expected }, ..self }
    }

    pub(crate) const fn elsewhere(self, elsewhere: &'static [Elsewhere]) -> Self {
        Self { elsewhere, ..self }
    }

    pub(crate) const fn completions(self, completions: &'static [(&'static [Backend], Elsewhere)]) -> Self {
        Self { completions, ..self }
    }

    pub(crate) const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    pub(crate) const fn only_on(self, only_on: &'static [System]) -> Self {
        Self { only_on, ..self }
    }

    pub(crate) fn is_possible_on(&self, system: System) -> bool {
        self.only_on.is_empty() || self.only_on.contains(&system)
    }

    /// What is different here, if anything is.
    pub(crate) fn on(&self, here: Here) -> Option<&'static Elsewhere> {
        if here.backend.is_readiness() {
            return self.elsewhere.iter().find(|elsewhere| elsewhere.system == here.system);
        }
        let mut rows = self.completions.iter();
        rows.find(|(on, row)| on.contains(&here.backend) && row.system == here.system).map(|(_, row)| row)
    }

    /// The causes that may come out here.
    pub(crate) fn accepts(&self, here: Here) -> Vec<(Cause, Certainty)> {
        match self.on(here) {
            Some(elsewhere) => elsewhere.accepts.to_vec(),
            None => vec![(self.expected.cause, self.expected.certainty)],
        }
    }

    /// Whether a report is what was expected. `Err`: what was expected instead.
    pub(crate) fn judge(&self, report: &hangup::Report, here: Here) -> Result<(), String> {
        let accepts = self.accepts(here);
        let cause = accepts.iter().any(|&(cause, certainty)| {
            cause == report.cause && (certainty == report.certainty || !here.system.is_measured())
        });
        if !cause {
            let list: Vec<String> = accepts.iter().map(|&(cause, how)| judged(cause, how)).collect();
            let got = judged(report.cause, report.certainty);
            return Err(format!("the cause is {got}, expected {}", list.join(" or ")));
        }
        if self.on(here).is_some() {
            return Ok(());
        }
        match (self.expected.plan, self.expected.drain) {
            (plan @ Some(_), _) if plan != report.plan => {
                Err(format!("the plan is {:?}, expected {plan:?}", report.plan))
            }
            (_, drain @ Some(_)) if drain != report.drain_end => {
                Err(format!("the drain ended {:?}, expected {drain:?}", report.drain_end))
            }
            _ => Ok(()),
        }
    }
}

/// A cause with its certainty, for people.
pub(crate) fn judged(cause: Cause, certainty: Certainty) -> String {
    match certainty {
        Certainty::Certain => cause.name().to_owned(),
        Certainty::Inferred => format!("{} (inferred)", cause.name()),
    }
}
