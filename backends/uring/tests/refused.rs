//! A kernel that refuses io_uring, or a part of it: the constructor says what is missing, and nothing is left over.
//!
//! The refusal is the kernel's own: a filter of system calls, in a thread of its own, since it cannot be taken off.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test: a surprise is a failed test")]

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;

use hangup::Policy;
use hangup_uring::{Driver, Options, RingError, Shots};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// A call, by its number and that of what it is to do, fails with this error.
struct Refusal {
    call: i64,
    what: Option<u64>,
    error: i32,
}

const SETUP: i64 = libc::SYS_io_uring_setup;
const REGISTER: i64 = libc::SYS_io_uring_register;
/// Numbers of `io_uring_register`.
const PROBE: u64 = 8;
const BUFFERS: u64 = 22;

impl Refusal {
    fn begin(&self) {
        let rules = match self.what {
            None => Vec::new(),
            Some(what) => {
                let is = SeccompCmpOp::Eq;
                let condition = SeccompCondition::new(1, SeccompCmpArgLen::Dword, is, what).unwrap();
                vec![SeccompRule::new(vec![condition]).unwrap()]
            }
        };
        let rules: BTreeMap<_, _> = [(self.call, rules)].into();
        let refuse = SeccompAction::Errno(u32::try_from(self.error).unwrap());
        let machine = std::env::consts::ARCH.try_into().unwrap();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, machine).unwrap();
        let program: BpfProgram = filter.try_into().unwrap();
        seccompiler::apply_filter(&program).unwrap();
    }
}

/// What the constructor says under that refusal, if it does not work.
fn constructed(refusal: Refusal, options: Options) -> Option<RingError> {
    // Descriptors are counted, and those are the process's.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let constructing = thread::spawn(move || {
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = descriptors();
        refusal.begin();
        let error = Driver::<()>::with_options(Policy::default(), options).err();
        assert_eq!(descriptors(), before, "descriptors are left over");
        error
    });
    constructing.join().unwrap()
}

fn multishot() -> Options {
    Options { receive: Shots::Multishot, ..Options::default() }
}

#[test]
fn a_kernel_without_io_uring() {
    let missing = Refusal { call: SETUP, what: None, error: libc::ENOSYS };
    assert!(matches!(constructed(missing, Options::default()), Some(RingError::Missing)));
    for error in [libc::EPERM, libc::EACCES] {
        let forbidden = Refusal { call: SETUP, what: None, error };
        assert!(matches!(constructed(forbidden, Options::default()), Some(RingError::Forbidden)));
    }
    let full = Refusal { call: SETUP, what: None, error: libc::ENOMEM };
    assert!(matches!(constructed(full, Options::default()), Some(RingError::Os(_))));
}

#[test]
fn a_kernel_that_is_too_old() {
    let cannot_tell = || Refusal { call: REGISTER, what: Some(PROBE), error: libc::EINVAL };
    for options in [Options::default(), multishot()] {
        let refused = constructed(cannot_tell(), options);
        assert!(matches!(refused, Some(RingError::Lacks { what: "probe", .. })), "{refused:?}");
    }
    let no_buffers = || Refusal { call: REGISTER, what: Some(BUFFERS), error: libc::EINVAL };
    let refused = constructed(no_buffers(), multishot());
    assert!(
        matches!(refused, Some(RingError::Lacks { what: "ring of provided buffers", .. })),
        "{refused:?}"
    );
    // What nobody asks for may be missing.
    assert!(constructed(no_buffers(), Options::default()).is_none());
}
