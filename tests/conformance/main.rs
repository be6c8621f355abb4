//! One battery for every adapter, on real sockets.
//!
//! A case is a function with a name in `cases`; an adapter is a [`subject::Subject`] in a file of its own. What a
//! connection's report has to say is data beside the case, for Linux and, where it differs, for Windows with
//! the reason: `windows.md` is that table.
//!
//! ```text
//! cargo test -p hangup-tests --test conformance
//! CONFORMANCE_CASE=reset/idle cargo test -p hangup-tests --test conformance polling_level
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::missing_panics_doc,
    reason = "a test: a surprise is a failed test"
)]

mod app;
mod battery;
mod cases;
mod expect;
#[cfg(windows)]
mod iocp;
mod polling;
mod running;
mod subject;
mod traces;
#[cfg(target_os = "linux")]
mod uring;

use hangup_polling::Trigger;
#[cfg(target_os = "linux")]
use hangup_testkit::Personality;

use crate::polling::Polling;

#[test]
fn polling_level() {
    static SUBJECT: Polling = Polling { name: "polling, level", trigger: Trigger::Level };
    battery::run(&SUBJECT, "polling_level");
}

#[test]
fn polling_one_shot() {
    static SUBJECT: Polling = Polling { name: "polling, one-shot", trigger: Trigger::OneShot };
    battery::run(&SUBJECT, "polling_one_shot");
}

#[test]
fn polling_edge() {
    static SUBJECT: Polling = Polling { name: "polling, edge", trigger: Trigger::Edge };
    battery::run(&SUBJECT, "polling_edge");
}

#[cfg(target_os = "linux")]
#[test]
fn uring_single_shot() {
    static SUBJECT: uring::Uring = uring::Uring {
        name: "uring, single-shot",
        personality: Personality::Uring,
        options: uring::single_shot,
    };
    battery::run(&SUBJECT, "uring_single_shot");
}

#[cfg(target_os = "linux")]
#[test]
fn uring_multishot() {
    static SUBJECT: uring::Uring = uring::Uring {
        name: "uring, multishot",
        personality: Personality::UringMultishot,
        options: uring::multishot,
    };
    battery::run(&SUBJECT, "uring_multishot");
}

#[cfg(target_os = "linux")]
#[test]
fn uring_zero_copy() {
    static SUBJECT: uring::Uring = uring::Uring {
        name: "uring, zero-copy",
        personality: Personality::UringZeroCopy,
        options: uring::zero_copy,
    };
    battery::run(&SUBJECT, "uring_zero_copy");
}

#[cfg(windows)]
#[test]
fn iocp() {
    static SUBJECT: iocp::Iocp =
        iocp::Iocp { name: "iocp", skip_on_success: false, zero_byte_receives: false, beside: false };
    battery::run(&SUBJECT, "iocp");
}

#[cfg(windows)]
#[test]
fn iocp_skip() {
    static SUBJECT: iocp::Iocp =
        iocp::Iocp { name: "iocp, skip", skip_on_success: true, zero_byte_receives: false, beside: false };
    battery::run(&SUBJECT, "iocp_skip");
}

#[cfg(windows)]
#[test]
fn iocp_zero_byte() {
    static SUBJECT: iocp::Iocp = iocp::Iocp {
        name: "iocp, zero-byte receives",
        skip_on_success: true,
        zero_byte_receives: true,
        beside: false,
    };
    battery::run(&SUBJECT, "iocp_zero_byte");
}

#[cfg(windows)]
#[test]
fn iocp_two_workers() {
    static SUBJECT: iocp::Iocp = iocp::Iocp {
        name: "iocp, two workers",
        skip_on_success: false,
        zero_byte_receives: false,
        beside: true,
    };
    battery::run(&SUBJECT, "iocp_two_workers");
}

/// The page says what the cases say. To write it anew: `CONFORMANCE_WRITE=1`.
#[test]
fn windows_page() {
    let table = battery::windows_table();
    println!("{table}");
    let page = include_str!("windows.md").replace('\r', "");
    let (preface, _) = page.split_once("\nReadiness, which").expect("the page has a table");
    let right = format!("{preface}\n{table}");
    if std::env::var_os("CONFORMANCE_WRITE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/windows.md");
        return std::fs::write(path, &right).expect("the page can be written");
    }
    assert!(page == right, "windows.md is not what the cases say: CONFORMANCE_WRITE=1 writes it");
}
