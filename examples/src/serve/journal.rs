//! Reports as lines, and the summary.

use std::fmt::Write as _;
use std::io::{self, Write};

use hangup::{Certainty, DrainEnd, Report};

use super::{Ending, Summary};

/// What is printed for each connection that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Nothing.
    None,
    /// A line for people.
    Text,
    /// A line of JSON.
    Json,
}

/// Prints reports.
#[derive(Debug)]
pub struct Journal<W> {
    style: Style,
    output: W,
    /// The first failure. Nothing is printed after it.
    failure: Option<io::Error>,
}

impl<W: Write> Journal<W> {
    /// Prints to `output`.
    pub const fn new(style: Style, output: W) -> Self {
        Self { style, output, failure: None }
    }

    /// Prints what there is to say about a connection that has ended.
    pub fn ended(&mut self, ending: &Ending<'_>) {
        if self.failure.is_some() {
            return;
        }
        let line = match self.style {
            Style::None => return,
            Style::Text => match ending.peer {
                Some(peer) => format!("{peer} {}", ending.report),
                None => format!("? {}", ending.report),
            },
            Style::Json => json(ending),
        };
        self.failure = writeln!(self.output, "{line}").err();
    }

    /// Why printing stopped, if it did.
    ///
    /// # Errors
    ///
    /// The first failure of a write.
    pub fn finish(mut self) -> io::Result<()> {
        match self.failure {
            Some(error) => Err(error),
            None => self.output.flush(),
        }
    }
}

/// One object, in one line. The fields are documented in [`HELP`](super::HELP).
#[must_use]
pub fn json(ending: &Ending<'_>) -> String {
    let Ending { key, peer, accepted: _, report } = ending;
    let raw_name = report.raw.and_then(hangup::RawCode::name);
    let raw_number = report.raw.map(|raw| raw.value().to_string());
    let certainty = match report.certainty {
        Certainty::Certain => "certain",
        Certainty::Inferred => "inferred",
    };
    let plan = report.plan.map(|plan| plan.to_string());
    // Its words with hyphens: "never sent".
    let retry = report.retry.to_string().replace(' ', "-");
    let mut line = String::from("{");
    for (name, value) in [
        ("key", text(Some(&key.to_string()))),
        ("peer", text(peer.map(|peer| peer.to_string()).as_deref())),
        ("cause", text(Some(report.cause.name()))),
        ("certainty", text(Some(certainty))),
        ("raw_name", text(raw_name)),
        ("raw_number", raw_number.unwrap_or_else(|| "null".to_owned())),
        ("plan", text(plan.as_deref())),
        ("drain_end", text(report.drain_end.map(drain_end))),
        ("duration_ms", report.duration.as_millis().to_string()),
        ("received", report.received.to_string()),
        ("sent", report.sent.to_string()),
        ("discarded", report.discarded.to_string()),
        ("unsent", report.unsent.to_string()),
        ("retry", text(Some(&retry))),
        ("log", text(Some(&log(report)))),
    ] {
        let comma = if line.len() > 1 { "," } else { "" };
        line.push_str(&format!("{comma}\"{name}\":{value}"));
    }
    line.push('}');
    line
}

fn log(report: &Report) -> String {
    report.log.letters().collect()
}

const fn drain_end(end: DrainEnd) -> &'static str {
    match end {
        DrainEnd::PeerFinished => "peer-finished",
        DrainEnd::Acknowledged => "acknowledged",
        DrainEnd::TotalDeadline => "total-deadline",
        DrainEnd::IdleDeadline => "idle-deadline",
        DrainEnd::Budget => "budget",
        DrainEnd::Stalled => "stalled",
        DrainEnd::Failed => "failed",
    }
}

/// A string of JSON.
fn text(text: Option<&str>) -> String {
    let Some(text) = text else { return "null".to_owned() };
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            // Writing to a string does not fail.
            c if c < ' ' => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

impl std::fmt::Display for Summary {
    /// A table of causes, the audit, and what the adapter has counted beside it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total: u64 = self.causes.values().sum();
        writeln!(f, "{:<24} {:>10}", "cause", "ended")?;
        for (cause, count) in &self.causes {
            writeln!(f, "{:<24} {count:>10}", cause.name())?;
        }
        writeln!(f, "{:<24} {total:>10}", "all")?;
        let audit = self.audit;
        write!(
            f,
            "acquired {}, released {}, held {}; turned away: {} stale, {} foreign, {} refused; shed {}, rounds {}",
            audit.acquired,
            audit.released,
            audit.held(),
            audit.stale,
            audit.foreign,
            audit.refused,
            self.shed,
            self.rounds
        )?;
        let mut before = "\n";
        for (name, count) in &self.counts {
            write!(f, "{before}{name} {count}")?;
            before = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted() {
        assert_eq!(text(None), "null");
        assert_eq!(text(Some("a\"b\\c\u{1}é")), "\"a\\\"b\\\\c\\u0001é\"");
    }

    #[test]
    fn a_closed_pipe_ends_the_printing_and_nothing_else() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let journal = Journal { style: Style::Json, output: Closed, failure: None };
        assert!(journal.finish().is_ok());
        let failure = Some(io::ErrorKind::BrokenPipe.into());
        let journal = Journal { style: Style::Json, output: Closed, failure };
        assert!(journal.finish().is_err());
    }
}
