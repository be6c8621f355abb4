//! The flags of the program.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use hangup_polling::Trigger;
use thiserror::Error;

use super::http::Limits;
use super::{Config, Style, UnitError, units};
use crate::net::Backend;

/// What `--help` prints.
pub const HELP: &str = "\
serve: a server that says why each of its connections ended

usage: serve [OPTION]...

  --listen ADDRESS        where to listen (127.0.0.1:7777; port 0: any)
  --backend BACKEND       the adapter: polling; on Windows iocp; on Linux uring, uring-multishot (polling)
  --workers N             threads, each with a loop of its own (1)
  --mode MODE             echo, discard or http (echo)
  --trigger TRIGGER       level, oneshot or edge (level; oneshot where that does not exist)
  --reports STYLE         what to print for each connection that has ended: none, text or json (none)

limits:
  --max-connections N     over all workers; further ones are told so, and closed (10000)
  --max-head SIZE         of an HTTP request (8KiB)
  --max-body SIZE         of an HTTP request (1MiB)
  --answer SIZE           the least content of an HTTP answer (0)

deadlines (250ms, 5s, 2m, 1h):
  --connect TIME          to connect; for completeness, since this program only accepts (10s)
  --idle TIME             of silence in both directions, or `never` (1m)
  --stall TIME            without the peer taking output (30s)
  --half-closed TIME      of silence after one half has ended (1m)
  --drain-total TIME      for a closing connection as a whole (30s)
  --drain-idle TIME       of silence of the peer, while its input is discarded (5s)
  --drain-budget SIZE     of input to discard (128MiB)
  --grace TIME            for requests under way when the program is told to end (10s)

  --help                  print this
  --version               print the version

Interrupt (Ctrl-C) or SIGTERM: stop accepting, finish what is under way, close everything in order, print a
summary to stderr, exit with 0. A second one: reset every connection, exit with 130.
A flag that is wrong: exit with 2. Anything else that is wrong: exit with 1.

--reports json: one object a line on stdout, with these fields, all of them always there:
  key           name of the connection, hexadecimal; never used again
  peer          address of the peer, or null if it had reset before it was accepted, and nobody told
  cause         why it ended, one of:
                peer-finished peer-reset reset-after-fin local-stack-aborted local-close local-abort
                local-error truncated protocol shed timed-out-idle timed-out-stall timed-out-half-closed
                timed-out-transport timed-out-keepalive unknown
  certainty     certain or inferred
  raw_name      name of the system's error code that decided it, or null
  raw_number    its number, or null
  plan          how it was closed: finish, flush, linger, abort, or null
  drain_end     how closing it went, or null: peer-finished acknowledged total-deadline idle-deadline
                budget stalled failed
  duration_ms   from accept to close
  received      bytes received, the discarded ones included
  sent          bytes handed to the system
  discarded     bytes received and thrown away while closing
  unsent        bytes that the system never took
  retry         never-sent, maybe-sent or sent: whether the peer may have acted on what was sent
  log           the last events, a letter each; see the documentation of hangup::Log
";

/// What the program is to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Serve.
    Serve(Box<Options>),
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

/// Everything that the flags say.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What to do with connections.
    pub mode: Mode,
    /// What to print for each connection that has ended.
    pub reports: Style,
    /// Limits and deadlines.
    pub config: Config,
    /// What an HTTP client may send.
    pub http: Limits,
    /// The least content of an HTTP answer, in bytes.
    pub answer: usize,
}

/// What to do with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Send everything back.
    Echo,
    /// Forget everything.
    Discard,
    /// Answer HTTP requests.
    Http,
}

/// The flags are wrong.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// Not a flag, a value where none belongs, or none where one belongs.
    #[error(transparent)]
    Syntax(#[from] lexopt::Error),
    /// The value is not one of those that there are.
    #[error("{flag} {value:?}: it is not one of {choices}")]
    Choice {
        /// The flag.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What there is.
        choices: &'static str,
    },
    /// The value is not understood.
    #[error("{flag} {value:?}: {reason}")]
    Value {
        /// The flag.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7777)),
            mode: Mode::Echo,
            reports: Style::None,
            config: Config::default(),
            http: Limits::default(),
            answer: 0,
        }
    }
}

/// Reads the flags; the program's name is not among them.
///
/// # Errors
///
/// [`OptionsError`] for the first flag that is wrong.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, OptionsError> {
    use lexopt::Arg::{Long, Short};

    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        let Options { config, http, .. } = &mut options;
        let policy = &mut config.policy;
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("version") => return Ok(Command::Version),
            Long("listen") => options.listen = given(&mut parser, "--listen")?.parsed()?,
            Long("backend") => config.backend = backend(given(&mut parser, "--backend")?)?,
            Long("workers") => config.workers = given(&mut parser, "--workers")?.parsed()?,
            Long("mode") => options.mode = mode(given(&mut parser, "--mode")?)?,
            Long("trigger") => config.trigger = Some(trigger(given(&mut parser, "--trigger")?)?),
            Long("reports") => options.reports = style(given(&mut parser, "--reports")?)?,
            Long("max-connections") => {
                config.max_connections = given(&mut parser, "--max-connections")?.parsed()?;
            }
            Long("max-head") => http.head = given(&mut parser, "--max-head")?.count()?,
            Long("max-body") => http.body = given(&mut parser, "--max-body")?.count()?,
            Long("answer") => options.answer = given(&mut parser, "--answer")?.count()?,
            Long("connect") => policy.connect = given(&mut parser, "--connect")?.duration()?,
            Long("idle") => policy.idle = given(&mut parser, "--idle")?.duration_or_never()?,
            Long("stall") => policy.stall = given(&mut parser, "--stall")?.duration()?,
            Long("half-closed") => policy.half_closed = given(&mut parser, "--half-closed")?.duration()?,
            Long("drain-total") => policy.drain_total = given(&mut parser, "--drain-total")?.duration()?,
            Long("drain-idle") => policy.drain_idle = given(&mut parser, "--drain-idle")?.duration()?,
            Long("drain-budget") => policy.drain_budget = given(&mut parser, "--drain-budget")?.count()?,
            Long("grace") => config.grace = given(&mut parser, "--grace")?.duration()?,
            Long(_) | Short(_) | lexopt::Arg::Value(_) => return Err(argument.unexpected().into()),
        }
    }
    Ok(Command::Serve(Box::new(options)))
}

fn mode(given: Given) -> Result<Mode, OptionsError> {
    let modes = [("echo", Mode::Echo), ("discard", Mode::Discard), ("http", Mode::Http)];
    given.choice("echo, discard, http", &modes)
}

fn backend(given: Given) -> Result<Backend, OptionsError> {
    given.choice("polling, iocp, uring, uring-multishot", &Backend::NAMES)
}

fn trigger(given: Given) -> Result<Trigger, OptionsError> {
    let triggers = [("level", Trigger::Level), ("oneshot", Trigger::OneShot), ("edge", Trigger::Edge)];
    given.choice("level, oneshot, edge", &triggers)
}

fn style(given: Given) -> Result<Style, OptionsError> {
    let styles = [("none", Style::None), ("text", Style::Text), ("json", Style::Json)];
    given.choice("none, text, json", &styles)
}

fn given(parser: &mut lexopt::Parser, flag: &'static str) -> Result<Given, OptionsError> {
    let value = parser.value()?.into_string().map_err(lexopt::Error::NonUnicodeValue)?;
    Ok(Given { flag, value })
}

/// A flag with its value.
struct Given {
    flag: &'static str,
    value: String,
}

impl Given {
    fn choice<T: Copy>(self, choices: &'static str, all: &[(&str, T)]) -> Result<T, OptionsError> {
        let Self { flag, value } = self;
        match all.iter().find(|(name, _)| *name == value) {
            Some(&(_, chosen)) => Ok(chosen),
            None => Err(OptionsError::Choice { flag, value, choices }),
        }
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(self) -> Result<T, OptionsError> {
        self.value.parse().map_err(|error: T::Err| self.wrong(error.to_string()))
    }

    fn duration(self) -> Result<Duration, OptionsError> {
        units::duration(&self.value).map_err(|error| self.unit(error))
    }

    fn duration_or_never(self) -> Result<Option<Duration>, OptionsError> {
        if self.value == "never" { Ok(None) } else { self.duration().map(Some) }
    }

    fn count<T: TryFrom<u64>>(self) -> Result<T, OptionsError> {
        let size = units::size(&self.value).map_err(|error| self.unit(error))?;
        T::try_from(size).map_err(|_| self.unit(UnitError::TooLarge))
    }

    fn unit(&self, error: UnitError) -> OptionsError {
        self.wrong(error.to_string())
    }

    fn wrong(&self, reason: String) -> OptionsError {
        OptionsError::Value { flag: self.flag, value: self.value.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Result<Options, String> {
        match parse(arguments.iter().map(OsString::from)) {
            Ok(Command::Serve(options)) => Ok(*options),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn every_flag_of_the_help_is_there_and_has_its_effect() {
        let options = options(&[
            "--listen=[::1]:80",
            "--backend=polling",
            "--workers=3",
            "--mode=http",
            "--trigger=edge",
            "--reports=json",
            "--max-connections=7",
            "--max-head=1KiB",
            "--max-body=2MiB",
            "--answer=3",
            "--connect=4ms",
            "--idle=never",
            "--stall=5s",
            "--half-closed=6m",
            "--drain-total=7h",
            "--drain-idle=8s",
            "--drain-budget=9B",
            "--grace",
            "10s",
        ]);
        let Options { listen, mode, reports, config, http, answer } = options.unwrap();
        assert_eq!(listen, "[::1]:80".parse().unwrap());
        assert_eq!((mode, reports, answer), (Mode::Http, Style::Json, 3));
        assert_eq!(http, Limits { head: 1024, body: 2 << 20 });
        assert_eq!((config.trigger, config.max_connections), (Some(Trigger::Edge), 7));
        assert_eq!(config.workers.get(), 3);
        let policy = config.policy;
        let seconds = Duration::from_secs;
        assert_eq!((policy.connect, policy.idle), (Duration::from_millis(4), None));
        assert_eq!((policy.stall, policy.half_closed), (seconds(5), seconds(360)));
        assert_eq!((policy.drain_total, policy.drain_idle), (seconds(25200), seconds(8)));
        assert_eq!((policy.drain_budget, config.grace), (9, seconds(10)));
        let flags = HELP.lines().filter(|line| line.starts_with("  --")).count();
        assert_eq!(flags, 18 + 2, "18 with a value, help and version");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (arguments, message) in [
            (&["--nonsense"][..], "invalid option '--nonsense'"),
            (&["stray"], "unexpected argument \"stray\""),
            (&["--listen"], "missing argument for option '--listen'"),
            (&["--help=no"], "Help"),
            (&["--mode", "gopher"], "--mode \"gopher\": it is not one of echo, discard, http"),
            (&["--idle", "5"], "--idle \"5\": the unit is not one of ms, s, m, h"),
            (&["--drain-budget", "4GiB"], "--drain-budget \"4GiB\": it is too large"),
            (&["--max-connections", "-1"], "--max-connections \"-1\": invalid digit found in string"),
            (&["--workers", "0"], "--workers \"0\": number would be zero for non-zero type"),
            (&["--listen", "here"], "--listen \"here\": invalid socket address syntax"),
            (&["--help"], "Help"),
            (&["--version", "--nonsense"], "Version"),
        ] {
            assert_eq!(options(arguments).unwrap_err(), message, "{arguments:?}");
        }
    }
}
