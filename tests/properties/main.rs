//! Properties of whole tables: many connections, places used again, keys of the dead, a clock that jumps.
//!
//! A script drives the same world as the exhaustive suite, one for each connection, and tells a table everything
//! that each machine was told. After every happening the table is compared with the worlds (`harness`), with a
//! second count of everything (`tally`), with a naive timetable (`timetable`) and with a book of where every
//! resource and every buffer is (`ledger`). One script in two runs on the table for several workers (`subject`).
//!
//! How many scripts: 4,096, or what `PROPTEST_CASES` says.
//!
//! Regressions are kept twice. The seed of a failure is written to `regressions/`, which is committed; it is
//! found again as long as numbers mean the same happenings (`script`). The script that the failure prints is
//! pasted into `regressions.rs` as a test with a name, and that one lasts.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test: a surprise is a failure, and what is not listed is not expected"
)]

mod alphabet;
mod harness;
mod ledger;
mod misuse;
mod offers;
mod regressions;
mod retire;
mod script;
mod subject;
mod tables;
mod tally;
mod timetable;
mod wheel;

use proptest::test_runner::{Config, FileFailurePersistence};

/// The settings of every random test, with the file of its failures.
fn config(file: &str) -> Config {
    let path = format!("{}/properties/regressions/{file}", env!("CARGO_MANIFEST_DIR"));
    // Asked once for each test of this process.
    let path: &'static str = path.leak();
    let from_environment = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { from_environment.cases } else { 4_096 };
    Config {
        cases,
        // Scripts are shortened as what they mean, not as numbers (`tables`).
        max_shrink_iters: 0,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(path))),
        ..from_environment
    }
}
