//! The command line.

use lexopt::prelude::{Long, Short, ValueExt};

/// What to do.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) connections: usize,
    pub(crate) seed: u64,
    pub(crate) help: bool,
}

pub(crate) const HELP: &str = "\
Ends many connections under failures at the call and failed completions, twice: with a naive loop
on completions that releases where it notices a failure, and with hangup. Prints how often each of
them released what it had.

Usage: release_once [OPTIONS]

  --connections N    how many connections each (100000)
  --seed N           what decides which failures come, and in which order (1)
  -h, --help         print this

DOUBLE: released again. EARLY: a buffer released while the OS had it. LOST: never released.

Exit status: 0 if hangup has none of the three and the naive loop has double releases, 1 if not, or
if something else fails, 2 if the command line is wrong or this system has no completions.
";

/// More than that have no address of their own to connect to.
const MOST: u64 = 10_000_000;

/// Parses the command line. `Err`: what is wrong with it.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Options, String> {
    let mut options = Options { connections: 100_000, seed: 1, help: false };
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Long("connections") => {
                let count = number(&mut parser, "--connections", 1..=MOST)?;
                options.connections = usize::try_from(count).map_err(|error| error.to_string())?;
            }
            Long("seed") => options.seed = number(&mut parser, "--seed", 0..=u64::MAX)?,
            Short('h') | Long("help") => options.help = true,
            other @ (Short(_) | Long(_) | lexopt::Arg::Value(_)) => {
                return Err(other.unexpected().to_string());
            }
        }
    }
    Ok(options)
}

fn number(
    parser: &mut lexopt::Parser,
    flag: &str,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, String> {
    let text = parser.value().and_then(|value| value.string()).map_err(|error| error.to_string())?;
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("{flag} takes a number from {} to {}, not {text:?}", range.start(), range.end())),
    }
}
