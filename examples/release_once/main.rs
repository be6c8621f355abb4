//! Report 2 as a running program: a loop on completions that releases where it notices a failure, and ours, under
//! the same failures. It counts what each of them releases, and how often.
//!
//! ```text
//! cargo run --release --example release_once [-- --connections N --seed N]
//! ```
//!
//! The report: when the call that submits an operation fails with something other than "pending", the code at the call
//! frees that operation's buffer and closes the connection. Another operation of the same connection is still with the
//! OS. Its completion comes back, failed or with zero bytes, and the completion handler does both again. Each of the
//! two places is right by itself.
//!
//! The failures are real ones, the same for both, in an order that a seed decides (`scene`). The naive loop (`naive`) is
//! one program for two systems:
//!
//! | | Linux, io_uring | Windows, a completion port |
//! |---|---|---|
//! | "at once" | A ring has no failure at the call: whatever goes wrong comes as a completion, but for a full queue. Programs on a ring that know of this cost try a nonblocking `send` first, as libuv does, and give the ring what would block. There the error arrives at the call, and the completion of the receive that the ring has comes later. | `WSASend` itself fails: 10054, 10058 |
//! | the failure is | `EPIPE` after a shutdown, `EPIPE` or `ECONNRESET` after a reset | `WSAESHUTDOWN`, `WSAECONNRESET` |
//! | "later" | the receive: 0, `ECONNRESET`, `ECANCELED` | the receive's packet: 0, 64, 995 |
//!
//! A second release is counted by a ledger instead of being done. The memory that the OS really has, and the descriptor,
//! belong to the driver crate below, which gives nothing free too early; what the naive loop frees and closes are its
//! tickets. Only where it closes a socket that the OS has an operation of, it asks for that operation to be cancelled:
//! that is what `closesocket` does.
//!
//! | file | what is in it |
//! |---|---|
//! | `scene` | what happens to a connection, and in which order |
//! | `stage` | the connections, their peers, and one batch after the other |
//! | `ledger` | what was acquired, lent and released, and how often |
//! | `naive` | the loop of the report |
//! | `ours` | the adapter |
//! | `table` | what came out |

#[cfg(any(target_os = "linux", windows))]
mod ledger;
#[cfg(any(target_os = "linux", windows))]
mod naive;
#[cfg(any(target_os = "linux", windows))]
mod options;
#[cfg(any(target_os = "linux", windows))]
mod ours;
#[cfg(any(target_os = "linux", windows))]
mod scene;
#[cfg(any(target_os = "linux", windows))]
mod stage;
#[cfg(any(target_os = "linux", windows))]
mod table;

use std::io::{self, Write};
use std::process::ExitCode;

#[cfg(any(target_os = "linux", windows))]
fn main() -> ExitCode {
    let options = match options::parse(lexopt::Parser::from_env()) {
        Ok(options) => options,
        Err(wrong) => {
            drop(writeln!(io::stderr(), "release_once: {wrong}\nTry: release_once --help"));
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(io::stderr(), "release_once: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether it came out as it should.
#[cfg(any(target_os = "linux", windows))]
fn run(options: &options::Options) -> io::Result<bool> {
    if options.help {
        io::stdout().write_all(options::HELP.as_bytes())?;
        return Ok(true);
    }
    let scenes = scene::schedule(options.seed, options.connections);
    let mut naive = naive::Naive::new()?;
    let naive_took = stage::play(&mut naive, &scenes)?;
    let naive = naive.finish();
    let before = descriptors();
    let mut ours = ours::Ours::new()?;
    let ours_took = stage::play(&mut ours, &scenes)?;
    let ours = ours.finish();
    let left_open = before.zip(descriptors()).map(|(before, after)| after.abs_diff(before));
    let result = table::Result { options, scenes: &scenes, naive, naive_took, ours, ours_took, left_open };
    result.print(&mut io::stdout().lock())?;
    Ok(result.is_right())
}

/// How many descriptors this process has, where the system tells: a count that is none of ours.
#[cfg(any(target_os = "linux", windows))]
fn descriptors() -> Option<u64> {
    let all = cfg!(target_os = "linux").then(|| std::fs::read_dir("/proc/self/fd").ok())??;
    Some(all.count() as u64)
}

#[cfg(not(any(target_os = "linux", windows)))]
fn main() -> ExitCode {
    drop(writeln!(io::stderr(), "release_once: there is neither io_uring nor a completion port here"));
    ExitCode::from(2)
}
