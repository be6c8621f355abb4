//! The command line, and the text that explains it and the JSON.

use std::num::NonZeroUsize;

use hangup_examples::net::Backend;
use hangup_polling::Trigger;
use lexopt::prelude::{Long, Short, ValueExt};

/// What to do.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) verbose: bool,
    pub(crate) json: bool,
    pub(crate) list: bool,
    pub(crate) svg: Option<std::path::PathBuf>,
    pub(crate) only: Vec<String>,
    pub(crate) repeat: usize,
    pub(crate) backend: Backend,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) workers: NonZeroUsize,
    pub(crate) help: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            verbose: false,
            json: false,
            list: false,
            svg: None,
            only: Vec::new(),
            repeat: 1,
            backend: Backend::default(),
            trigger: None,
            workers: NonZeroUsize::MIN,
            help: false,
        }
    }
}

pub(crate) const HELP: &str = "\
Provokes real endings of TCP connections on loopback, with a scripted peer, and shows for each one
what this system reported and why the connection ended.

Usage: lab [OPTIONS]

  --list             name the endings and what happens in each, and do nothing
  --only NAME        only this ending, or all whose name begins so; may be repeated
  --repeat N         play each ending N times and count the distinct outcomes
  --backend NAME     the adapter on our side: polling; on Linux uring, uring-multishot; on Windows iocp
                     (default: polling)
  --workers N        so many workers of one port, which take turns; with --backend iocp (default: 1)
  --trigger HOW      how the poller reports readiness: level, oneshot or edge; with --backend polling
                     (default: level, or oneshot where that does not exist; edge: not on Windows)
  --verbose          add a ladder to each ending: calls, events, segments and TCP states in time
  --json             print one JSON object per ending instead of the table
  --svg DIR          draw each ladder into DIR/NAME.svg
                     (with --repeat, the ladder is that of the first time)
  -h, --help         print this

Table: CAUSE is why the connection ended, with ~ if it was inferred from hints because the call
that would have said so is mute here. CODE is the system's number for it. TCP is the state in which
our socket was last seen, where the system tells. RETRY: whether the peer may have acted on what we
sent. DRAIN: how the wait inside a closing plan ended. ONCE: sockets taken in / given back.
In a ladder, CLOSED also stands for TIME-WAIT, which Linux keeps apart from the descriptor. What
goes over the wire is concluded from the calls of both sides, and not captured. On completions a
write is what the adapter has taken, and a turn is what it has the application look at.
Colours are used on a terminal, unless NO_COLOR is set.

JSON, one object per line and ending:
  name, group, title  which ending                system           where it was played
  backend             on which adapter            trigger          of readiness, or null
  cause, certainty    why it ended, and how sure  code             {name, value} or null
  plan, drain_end     the closing plan            retry            never-sent, maybe-sent or sent
  received, discarded, sent, unsent               bytes on our side
  log                 the last 8 things, as letters (see the documentation of hangup::Log)
  evidence            {state, bytes_received, bytes_acknowledged, fin_arrived} or null
  peer                {received, end}: what the peer got, and what its last read said
  ledger              {acquired, released, reports, states_made, states_dropped, stale, refused}
  steps               [{at_us, side, kind, what, said, times, segments, peer_state, our_state,
                      notes}]
  expected            [{cause, certainty}]: any of these is right here
  differs             why something else is expected here, or null
  wrong               what is not as expected: empty if all is well
  runs, outcomes      with --repeat: how often, and [{count, cause, certainty, code, drain_end}];
                      the other fields are those of the first run

Exit status: 0 if every cause is as expected and every resource was released exactly once, 1 if not,
2 if the command line is wrong.
";

/// Parses the command line. `Err`: what is wrong with it.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Long("verbose") => options.verbose = true,
            Long("json") => options.json = true,
            Long("list") => options.list = true,
            Long("svg") => options.svg = Some(value(&mut parser)?.into()),
            Long("only") => options.only.push(text(&mut parser)?),
            Long("repeat") => options.repeat = repeat(&text(&mut parser)?)?,
            Long("backend") => options.backend = backend(&text(&mut parser)?)?,
            Long("workers") => options.workers = workers(&text(&mut parser)?)?,
            Long("trigger") => options.trigger = Some(trigger(&text(&mut parser)?)?),
            Short('h') | Long("help") => options.help = true,
            other @ (Short(_) | Long(_) | lexopt::Arg::Value(_)) => {
                return Err(other.unexpected().to_string());
            }
        }
    }
    if options.json && options.verbose {
        return Err("--json has everything that --verbose adds: use one of them".to_owned());
    }
    if options.trigger.is_some() && !options.backend.is_readiness() {
        let name = options.backend.name();
        return Err(format!("--trigger is for --backend polling: {name} is told of completions"));
    }
    if options.workers > NonZeroUsize::MIN && !options.backend.shares() {
        let name = options.backend.name();
        return Err(format!(
            "--workers is for --backend iocp: with {name} each worker has its own connections"
        ));
    }
    Ok(options)
}

fn value(parser: &mut lexopt::Parser) -> Result<std::ffi::OsString, String> {
    parser.value().map_err(|error| error.to_string())
}

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    value(parser)?.string().map_err(|error| error.to_string())
}

fn repeat(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(times @ 1..=100_000) => Ok(times),
        Ok(_) | Err(_) => Err(format!("--repeat takes a number from 1 to 100000, not {text:?}")),
    }
}

fn workers(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse() {
        Ok(number @ 1..=64) => Ok(NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)),
        Ok(_) | Err(_) => Err(format!("--workers takes a number from 1 to 64, not {text:?}")),
    }
}

fn backend(text: &str) -> Result<Backend, String> {
    let found = Backend::NAMES.iter().find(|(name, _)| *name == text);
    found.map(|&(_, backend)| backend).ok_or_else(|| {
        let names: Vec<&str> = Backend::NAMES.iter().map(|&(name, _)| name).collect();
        format!("--backend takes {}, not {text:?}", names.join(", "))
    })
}

fn trigger(text: &str) -> Result<Trigger, String> {
    match text {
        "level" => Ok(Trigger::Level),
        "oneshot" => Ok(Trigger::OneShot),
        "edge" => Ok(Trigger::Edge),
        other => Err(format!("--trigger takes level, oneshot or edge, not {other:?}")),
    }
}
