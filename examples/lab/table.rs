//! The table for people: one line per ending.

use std::fmt::Debug;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use hangup::{Certainty, Report};

use crate::ending::{Ending, Here, System};
use crate::endings;
use crate::options::Options;
use crate::run::Outcome;

/// How the endings were played.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) here: Here,
    /// How readiness is reported, if it is.
    pub(crate) trigger: Option<&'static str>,
    pub(crate) took: Duration,
}

impl Shown {
    /// The system, the adapter, how readiness is reported, and how many workers there are.
    pub(crate) fn place(&self) -> String {
        let Here { system, backend, workers, .. } = self.here;
        let trigger = self.trigger.map(|trigger| format!(", trigger {trigger}")).unwrap_or_default();
        let workers = if workers.get() > 1 { format!(", {workers} workers") } else { String::new() };
        format!("{}, backend {}{trigger}{workers}", system.name(), backend.name())
    }
}

/// Prints the table, what differs here, and the sum.
pub(crate) fn print(
    out: &mut impl Write,
    outcomes: &[Vec<Outcome>],
    impossible: &[&'static Ending],
    shown: &Shown,
    options: &Options,
) -> io::Result<()> {
    let paint = Paint::new();
    let columns = Columns::of(outcomes);
    writeln!(
        out,
        "{}",
        paint.dim(&columns.line(["", "ENDING", "CAUSE", "CODE", "TCP", "RETRY", "DRAIN", "ONCE"]))
    )?;
    let mut group = "";
    for runs in outcomes {
        let Some(first) = runs.first() else { continue };
        let title = group_of(first.ending);
        if title != group {
            writeln!(out, "{}", paint.bold(title))?;
            group = title;
        }
        for (count, outcome) in distinct(runs) {
            let cells = cells(outcome);
            let line = columns.line(cells.each_ref().map(String::as_str));
            let line = if outcome.wrong.is_empty() { line } else { paint.red(&line) };
            if runs.len() > 1 {
                writeln!(out, "{line} x{count}")?;
            } else {
                writeln!(out, "{line}")?;
            }
            for wrong in &outcome.wrong {
                writeln!(out, "    {}", paint.red(&format!("wrong: {wrong}")))?;
            }
        }
        if options.verbose {
            crate::ladder::print(out, first, &paint)?;
        }
    }
    notes(out, outcomes, impossible, shown, &paint)?;
    sum(out, outcomes, shown, &paint)
}

/// Names the endings and what happens in them.
pub(crate) fn list(out: &mut impl Write, chosen: &[&'static Ending], system: System) -> io::Result<()> {
    let paint = Paint::new();
    let mut group = "";
    for ending in chosen {
        let title = group_of(ending);
        if title != group {
            writeln!(out, "{}", paint.bold(title))?;
            group = title;
        }
        let here = if ending.is_possible_on(system) { "" } else { " (not on this system)" };
        writeln!(out, "  {:20} {}{here}", ending.name, ending.title)?;
    }
    Ok(())
}

pub(crate) fn group_of(ending: &Ending) -> &'static str {
    let group = endings::GROUPS.iter().find(|group| group.endings.iter().any(|one| one.name == ending.name));
    group.map_or("", |group| group.title)
}

/// A name such as `MaybeSent` with hyphens.
pub(crate) fn kebab(name: impl Debug) -> String {
    let mut words = String::new();
    for letter in format!("{name:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push('-');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// The outcomes that differ, the most frequent first, each with its count and one example.
pub(crate) fn distinct(runs: &[Outcome]) -> impl Iterator<Item = (usize, &Outcome)> {
    let key = |outcome: &Outcome| {
        let report = outcome.report.as_ref();
        let facts = report.map(|it| (it.cause, it.certainty, it.raw, it.plan, it.drain_end, it.retry));
        (facts, outcome.tcp_state(), outcome.wrong.clone())
    };
    let mut counts: Vec<(usize, &Outcome)> = Vec::new();
    for run in runs {
        match counts.iter_mut().find(|(_, one)| key(one) == key(run)) {
            Some((count, _)) => *count += 1,
            None => counts.push((1, run)),
        }
    }
    counts.sort_by_key(|&(count, _)| std::cmp::Reverse(count));
    counts.into_iter()
}

fn cells(outcome: &Outcome) -> [String; 8] {
    let report = outcome.report.as_ref();
    let or = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mark = if outcome.wrong.is_empty() { " " } else { "!" };
    let code = |report: &Report| {
        let raw = report.raw?;
        Some(format!("{} {}", raw.name().unwrap_or("code"), raw.value()))
    };
    let ledger = &outcome.ledger;
    [
        mark.to_owned(),
        outcome.ending.name.to_owned(),
        or(report.map(cause)),
        or(report.and_then(code)),
        or(outcome.tcp_state().map(str::to_owned)),
        or(report.map(|report| report.retry.to_string().replace(" sent", ""))),
        or(report.and_then(|report| report.drain_end).map(kebab)),
        format!("{}/{}", ledger.acquired, ledger.released),
    ]
}

fn cause(report: &Report) -> String {
    match report.certainty {
        Certainty::Inferred => format!("~{}", report.cause.name()),
        Certainty::Certain => report.cause.name().to_owned(),
    }
}

/// What differs on this system, and why.
fn notes(
    out: &mut impl Write,
    outcomes: &[Vec<Outcome>],
    impossible: &[&'static Ending],
    shown: &Shown,
    paint: &Paint,
) -> io::Result<()> {
    writeln!(out)?;
    for outcome in outcomes.iter().filter_map(|runs| runs.first()) {
        let ending = outcome.ending;
        if let Some(why) = outcome.not_here {
            writeln!(out, "{} {}: not played, {why}", paint.dim("note:"), ending.name)?;
        } else if let Some(elsewhere) = ending.on(shown.here) {
            writeln!(out, "{} {}: {}", paint.dim("note:"), ending.name, elsewhere.why)?;
        }
    }
    for ending in impossible {
        let only: Vec<&str> = ending.only_on.iter().map(|system| system.name()).collect();
        let only = only.join(", ");
        writeln!(out, "{} {}: only on {only}, not played", paint.dim("note:"), ending.name)?;
    }
    if outcomes.iter().flatten().any(is_inferred) {
        writeln!(out, "{} ~ inferred from hints: no call said so", paint.dim("note:"))?;
    }
    Ok(())
}

fn is_inferred(outcome: &Outcome) -> bool {
    outcome.report.as_ref().is_some_and(|report| report.certainty == Certainty::Inferred)
}

fn sum(out: &mut impl Write, outcomes: &[Vec<Outcome>], shown: &Shown, paint: &Paint) -> io::Result<()> {
    let all = || outcomes.iter().flatten();
    let (total, right) = (all().count(), all().filter(|outcome| outcome.wrong.is_empty()).count());
    let once = all().filter(|outcome| outcome.ledger.is_once()).count();
    let line = format!(
        "{total} endings on {}: {right} as expected, {once} released exactly once; {:.1} s",
        shown.place(),
        shown.took.as_secs_f64()
    );
    writeln!(out, "{}", if right == total { paint.bold(&line) } else { paint.red(&line) })
}

/// The widths of the columns. One that is empty in every line is left out.
struct Columns([usize; 8]);

impl Columns {
    fn of(outcomes: &[Vec<Outcome>]) -> Self {
        let mut widths = [1, 6, 5, 4, 3, 5, 5, 4];
        let mut used = [false; 8];
        for cells in outcomes.iter().flatten().map(cells) {
            for ((width, used), cell) in widths.iter_mut().zip(&mut used).zip(&cells) {
                *width = cell.len().max(*width);
                *used |= cell != "-";
            }
        }
        for (width, used) in widths.iter_mut().zip(used) {
            if !used {
                *width = 0;
            }
        }
        Self(widths)
    }

    fn line(&self, cells: [&str; 8]) -> String {
        let mut line = String::new();
        for (&width, cell) in self.0.iter().zip(cells) {
            if width > 0 {
                line.push_str(&format!("{cell:width$} "));
            }
        }
        line.trim_end().to_owned()
    }
}

/// Colours, if there is somebody to see them.
#[derive(Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    fn new() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let understood = !cfg!(windows) || set("WT_SESSION") || set("TERM");
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(io::stdout().is_terminal() && !set("NO_COLOR") && understood && !dumb)
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn red(&self, text: &str) -> String {
        self.with("31", text)
    }
}
