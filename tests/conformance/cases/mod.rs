//! The cases, by group.

mod accept;
mod closing;
mod connect;
mod deadlines;
mod drain;
mod linger;
mod orderly;
mod pressure;
mod reset;
mod reset_after_fin;
mod stale;

use std::time::Duration;

use hangup::{Life, Memory, SendHalf};
use hangup_testkit::peer::{How, Seen, digest};

use crate::app::Observed;
use crate::battery::Case;

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let groups = [
        orderly::CASES,
        reset::CASES,
        reset_after_fin::CASES,
        closing::CASES,
        linger::CASES,
        deadlines::CASES,
        connect::CASES,
        accept::CASES,
        stale::CASES,
        pressure::CASES,
        drain::CASES,
    ];
    groups.into_iter().flatten()
}

/// Why a port under Wine may take a reset for an end.
const LATE: &str = "a receive that is posted after the reset returns 0 under Wine, and 10054 on Windows";

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The peer read `count` bytes of the content of `seed` and then an orderly end.
#[track_caller]
fn got_all(seen: &Seen, seed: u64, count: u64) {
    assert_eq!((seen.how, seen.bytes), (How::End, count), "{seen:?}");
    assert_eq!(seen.digest, digest(seed, count), "other bytes came: {seen:?}");
}

/// The peer was told that the connection is lost. Under Wine a reset reads as an end.
#[track_caller]
fn got_reset(seen: &Seen) {
    assert!(seen.is_failed() || cfg!(windows) && seen.how == How::End, "no reset: {seen:?}");
}

/// Whether the loss was noticed: a failed half where some call named it, else what the event said.
fn over_at_the_os(life: Life) -> bool {
    life.send_half() == SendHalf::Failed || life.memory().contains(Memory::HUNG_UP)
}

/// We read `count` bytes of the content of `seed`.
#[track_caller]
fn we_got(seen: &Observed, seed: u64, count: u64) {
    assert_eq!(seen.received, count, "{seen}");
    assert_eq!(seen.digest.get(), digest(seed, count), "other bytes came: {seen:?}");
}
