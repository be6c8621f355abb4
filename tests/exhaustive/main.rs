//! Every state that one connection can be in, under every operating system's way of reporting, to the fixpoint.
//!
//! [`explored`] holds what was found, and is where to begin; the other files look at it:
//!
//! * `counts`: how many states and transitions there are. They are pinned: a rule that silently does nothing
//!   changes them.
//! * `reached`: every phase, half, plan, cause, drain end, want and deadline was reached.
//! * `table`: every reachable row is in `core/src/life/table.txt`.
//! * `diagram`: `docs/life.svg` is drawn from the same rows.
//! * `sabotage`: each deliberate fault is found, with a shortest script.
//!
//! After an intended change of a rule: `HANGUP_BLESS=1 cargo test -p hangup-tests --test exhaustive`, and
//! read the diff.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "tests: a surprise is a failure, and the counts are to be seen"
)]

mod counts;
mod diagram;
mod explored;
mod reached;
mod sabotage;
mod table;

/// Whether generated files are to be written anew instead of compared.
fn bless() -> bool {
    std::env::var_os("HANGUP_BLESS").is_some()
}

/// Compares a generated file with the committed one, or writes it.
fn compare(path: &str, committed: &str, generated: &str) {
    if bless() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        std::fs::write(path, generated).unwrap();
        return;
    }
    let committed = committed.replace("\r\n", "\n");
    let differing = committed.lines().zip(generated.lines()).enumerate().find(|(_, (old, new))| old != new);
    if let Some((line, (old, new))) = differing {
        panic!(
            "{path} is stale from line {}:\n  committed: {old}\n  generated: {new}\n\
             If the change is intended: HANGUP_BLESS=1 cargo test -p hangup-tests --test exhaustive",
            line + 1
        );
    }
    assert_eq!(committed.len(), generated.len(), "{path} is stale: one of the two is longer");
}
