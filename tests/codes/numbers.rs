//! Every number in every column, against the file of facts and against the headers of this host.

use std::collections::{BTreeMap, BTreeSet};

use hangup::{Os, RawCode};

use crate::facts::{self, Fact, SYSTEMS};

/// The numbers that are searched for names which the file does not have.
const SEARCHED: std::ops::Range<i32> = -200..20_000;

#[test]
fn every_fact_is_in_the_table() {
    for fact in facts::all() {
        if let Some(code) = fact.code() {
            assert_eq!(code.name(), Some(fact.name), "{fact:?}");
        }
    }
}

#[test]
fn every_named_number_is_a_fact() {
    for (space, os) in SYSTEMS {
        let facts: BTreeSet<_> = facts::of(space).iter().map(|fact| (fact.number, fact.name)).collect();
        let named: BTreeSet<_> = SEARCHED
            .filter_map(|number| Some((number, RawCode::native(*os, number).name()?)))
            .map(|(number, name)| (u32::try_from(number).expect("no code is negative"), name))
            .collect();
        assert_eq!(named, facts, "{space}");
    }
}

/// The statuses that the table may name lie in the first 0x400 of each severity, and in the facility of
/// TCP/IP.
#[test]
fn every_named_status_is_a_fact() {
    let facts: BTreeSet<_> = facts::of("ntstatus").iter().map(|fact| (fact.number, fact.name)).collect();
    let searched = [0x0000_0000_u32, 0x4000_0000, 0x8000_0000, 0xC000_0000, 0xC000_A000];
    let named: BTreeSet<_> = searched
        .into_iter()
        .flat_map(|first| first..first + 0x1000)
        .filter_map(|status| Some((status, RawCode::nt_status(status).name()?)))
        .collect();
    assert_eq!(named, facts);
}

#[test]
fn a_name_stands_for_one_number_in_a_space() {
    let mut numbers = BTreeMap::new();
    for Fact { space, name, number } in facts::all() {
        let before = numbers.insert((space, name), number);
        assert_eq!(before, None, "{space} {name}");
    }
}

#[test]
fn every_system_has_facts() {
    assert_eq!(SYSTEMS.iter().map(|(_, os)| *os).collect::<Vec<_>>(), Os::ALL);
    for (space, _) in SYSTEMS {
        assert!(facts::of(space).len() > 60, "{space}");
    }
}

/// On this host the headers themselves can be asked.
#[cfg(target_os = "linux")]
#[test]
fn the_headers_of_this_host_agree() {
    /// Each name with the number that libc has for it.
    macro_rules! libc_numbers {
        ($($name:ident)*) => { [$((stringify!($name), libc::$name)),*] };
    }
    let headers = libc_numbers! {
        ECONNRESET EPIPE ECONNABORTED ETIMEDOUT ENETRESET ECONNREFUSED EHOSTUNREACH ENETUNREACH EHOSTDOWN
        ENONET ENETDOWN EPROTO ENOPROTOOPT EBADMSG EACCES EPERM EOPNOTSUPP EPROTONOSUPPORT EAFNOSUPPORT
        ESOCKTNOSUPPORT EPFNOSUPPORT EPROTOTYPE ENOSYS ENOTTY ENOTCONN EDESTADDRREQ EISCONN ESHUTDOWN
        EINPROGRESS EALREADY EAGAIN EINTR ERESTART ETIME ECANCELED ENOBUFS ENOMEM ENOSR EMFILE ETOOMANYREFS
        ENFILE ENOSPC EDQUOT EBUSY EADDRINUSE EADDRNOTAVAIL EMSGSIZE EBADF ENOTSOCK EBADFD EINVAL EFAULT
        E2BIG EDOM ERANGE EOVERFLOW ESPIPE ELOOP ENAMETOOLONG ENOTDIR EEXIST ENOENT ESRCH EIO ENXIO ENODEV
        ENOLINK EOWNERDEAD EBADR
    };
    for (name, number) in headers {
        assert_eq!(RawCode::here(number).name(), Some(name), "{number}");
    }
    let asked: BTreeSet<_> = headers.iter().map(|(name, _)| *name).collect();
    let known: BTreeSet<_> = facts::of("linux").iter().map(|fact| fact.name).collect();
    assert_eq!(asked, known, "a name of the table was not asked for");
    assert_eq!(libc::EWOULDBLOCK, libc::EAGAIN);
    assert_eq!(libc::ENOTSUP, libc::EOPNOTSUPP);
}
