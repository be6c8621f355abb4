//! Provokes real endings of TCP connections on loopback and shows, for each one, what the peer did, what this
//! system reported at each call, and why the connection ended.
//!
//! ```text
//! cargo run --release --example lab -- [--verbose] [--only NAME] [--backend NAME] [--help]
//! ```
//!
//! | file | what is in it |
//! |---|---|
//! | `endings/` | the endings, each a script of a few lines |
//! | `ending` | what an ending is, and what is expected of it on which system |
//! | `stage` | the event loop with a driver on our side and the peer on the other |
//! | `turns` | waiting: the loop goes round until something holds |
//! | `application` | what our side does when there is something to do |
//! | `observe` | what the loop brings, and what the driver made of it |
//! | `questions` | what a script may ask |
//! | `peer`, `process` | the scripted peer, here or in a process of its own |
//! | `record`, `wire` | what happened, step by step; what went over the wire |
//! | `run` | plays the endings, several at a time, and judges them |
//! | `table`, `ladder`, `json`, `progress` | the ways to show it |
//! | `svg`, `ink` | the drawings, and the strokes they are made of |

mod application;
mod ending;
mod endings;
mod ink;
mod json;
mod ladder;
mod observe;
mod options;
mod peer;
mod process;
mod progress;
mod questions;
mod record;
mod run;
mod stage;
mod svg;
mod table;
mod turns;
mod wire;

use std::io::{self, Write};
use std::process::ExitCode;

use hangup_polling::Trigger;

use crate::ending::{Ending, Here, System};
use crate::options::Options;
use crate::progress::Progress;
use crate::run::Outcome;
use crate::stage::{PATIENT, Stage};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == process::AS_PEER) {
        // What it has to say it says by what becomes of its connection.
        drop(process::be_the_peer());
        return ExitCode::SUCCESS;
    }
    let options = match options::parse(lexopt::Parser::from_env()) {
        Ok(options) => options,
        Err(wrong) => return refuse(&wrong),
    };
    let chosen = match chosen(&options.only) {
        Ok(chosen) => chosen,
        Err(wrong) => return refuse(&wrong),
    };
    if let Some(trigger) = options.trigger.filter(|&trigger| !is_supported(trigger)) {
        return refuse(&format!("this system's poller has no trigger {trigger:?}"));
    }
    let here = Here {
        system: System::here(),
        backend: options.backend,
        trigger: options.trigger,
        workers: options.workers,
    };
    if let Err(error) = Stage::new(PATIENT, here) {
        return refuse(&format!("--backend {} cannot be played here: {error}", options.backend.name()));
    }
    match show(&options, here, &chosen) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever reads us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "lab: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn refuse(wrong: &str) -> ExitCode {
    drop(writeln!(io::stderr(), "lab: {wrong}\nTry: lab --help"));
    ExitCode::from(2)
}

fn is_supported(trigger: Trigger) -> bool {
    polling::Poller::new().is_ok_and(|poller| match trigger {
        Trigger::OneShot => true,
        Trigger::Level => poller.supports_level(),
        Trigger::Edge => poller.supports_edge(),
    })
}

/// The endings that the command line names.
fn chosen(only: &[String]) -> Result<Vec<&'static Ending>, String> {
    for prefix in only {
        if !endings::all().any(|ending| ending.name.starts_with(prefix.as_str())) {
            return Err(format!("there is no ending {prefix:?}; --list names them all"));
        }
    }
    Ok(endings::all()
        .filter(|ending| only.is_empty() || only.iter().any(|prefix| names(prefix, ending)))
        .collect())
}

/// The ending itself, or, if there is none of that name, those that begin so.
fn names(prefix: &str, ending: &Ending) -> bool {
    let exact = endings::all().any(|ending| ending.name == prefix);
    if exact { ending.name == prefix } else { ending.name.starts_with(prefix) }
}

/// Does what is asked for. Whether all was as expected.
fn show(options: &Options, here: Here, chosen: &[&'static Ending]) -> io::Result<bool> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    if options.help {
        out.write_all(options::HELP.as_bytes())?;
        return out.flush().map(|()| true);
    }
    if options.list {
        table::list(&mut out, chosen, here.system)?;
        return out.flush().map(|()| true);
    }
    if let Some(folder) = &options.svg {
        std::fs::create_dir_all(folder)?;
    }
    let (possible, impossible): (Vec<_>, Vec<_>) =
        chosen.iter().partition(|ending| ending.is_possible_on(here.system));
    let began = std::time::Instant::now();
    let mut progress = Progress::new(possible.len() * options.repeat);
    let outcomes = run::run(&possible, here, options.repeat, |outcome| {
        progress.over(outcome.ending.name);
    });
    progress.clear();
    let trigger = options.backend.is_readiness().then(|| trigger(options.trigger));
    let shown = table::Shown { here, trigger, took: began.elapsed() };
    if options.json {
        json::print(&mut out, &outcomes, &shown)?;
    } else {
        table::print(&mut out, &outcomes, &impossible, &shown, options)?;
    }
    if let Some(folder) = &options.svg {
        for outcome in outcomes.iter().filter_map(|runs| runs.first()) {
            let path = folder.join(outcome.ending.name).with_extension("svg");
            std::fs::write(path, svg::draw(outcome, &shown))?;
        }
    }
    out.flush()?;
    Ok(outcomes.iter().flatten().all(|outcome: &Outcome| outcome.wrong.is_empty()))
}

/// The trigger that the driver uses.
fn trigger(asked: Option<Trigger>) -> &'static str {
    match asked {
        Some(Trigger::Edge) => "edge",
        Some(Trigger::OneShot) => "oneshot",
        Some(Trigger::Level) => "level",
        None if is_supported(Trigger::Level) => "level",
        None => "oneshot",
    }
}
