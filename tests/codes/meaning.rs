//! What the codes say: the faults, their codes on each system, and the codes with a history.

use std::collections::BTreeSet;

use hangup::{Fault, Os, RawCode};

use crate::facts;

/// The faults that a system has no code for. `Other` has none anywhere.
fn has_no_code(fault: Fault, os: Os) -> bool {
    let of_windows = matches!(fault, Fault::NameDeleted | Fault::GracefulDisconnect);
    let of_streams = fault == Fault::WaitExpired;
    fault == Fault::Other
        || (of_windows && os != Os::Windows)
        || (of_streams && matches!(os, Os::FreeBsd | Os::DragonFly | Os::OpenBsd))
}

#[test]
fn every_fault_has_a_code_where_it_exists() {
    for os in Os::ALL {
        for fault in Fault::ALL {
            assert_eq!(fault.typical(*os).is_none(), has_no_code(*fault, *os), "{fault:?} on {os}");
        }
    }
}

#[test]
fn a_typical_code_means_its_fault() {
    for os in Os::ALL {
        for fault in Fault::ALL {
            if let Some(number) = fault.typical(*os) {
                let code = RawCode::native(*os, number);
                assert_eq!(code.fault(), *fault, "{code} on {os}");
                assert!(code.name().is_some(), "{code} on {os}");
            }
        }
    }
}

#[test]
fn the_usual_code_is_the_typical_one() {
    let usual = [
        (Fault::Reset, "ECONNRESET", "WSAECONNRESET"),
        (Fault::BrokenPipe, "EPIPE", "ERROR_BROKEN_PIPE"),
        (Fault::Aborted, "ECONNABORTED", "WSAECONNABORTED"),
        (Fault::TimedOut, "ETIMEDOUT", "WSAETIMEDOUT"),
        (Fault::KeepAliveFailed, "ENETRESET", "WSAENETRESET"),
        (Fault::Refused, "ECONNREFUSED", "WSAECONNREFUSED"),
        (Fault::Unreachable, "EHOSTUNREACH", "WSAEHOSTUNREACH"),
        (Fault::NotConnected, "ENOTCONN", "WSAENOTCONN"),
        (Fault::ShutDown, "ESHUTDOWN", "WSAESHUTDOWN"),
        (Fault::InProgress, "EINPROGRESS", "ERROR_IO_PENDING"),
        (Fault::WouldBlock, "EAGAIN", "WSAEWOULDBLOCK"),
        (Fault::Interrupted, "EINTR", "WSAEINTR"),
        (Fault::Cancelled, "ECANCELED", "ERROR_OPERATION_ABORTED"),
        (Fault::NoBuffers, "ENOBUFS", "WSAENOBUFS"),
        (Fault::ProcessLimit, "EMFILE", "WSAEMFILE"),
        (Fault::BadDescriptor, "EBADF", "WSAENOTSOCK"),
        (Fault::Invalid, "EINVAL", "WSAEINVAL"),
        (Fault::NotFound, "ENOENT", "ERROR_NOT_FOUND"),
    ];
    for os in Os::ALL {
        for (fault, errno, windows) in usual {
            let name = fault.typical(*os).and_then(|number| RawCode::native(*os, number).name());
            assert_eq!(name, Some(if *os == Os::Windows { windows } else { errno }), "{os}");
        }
    }
}

/// One name says the same thing on every system. `EPROTOTYPE` does not: from a send on an Apple system it is
/// the end of the connection.
#[test]
fn a_name_means_one_thing() {
    let linux: BTreeSet<_> = facts::of("linux").iter().map(meaning).collect();
    for (space, os) in facts::SYSTEMS {
        for fact in facts::of(space) {
            let (name, fault) = meaning(&fact);
            if let Some((_, there)) = linux.iter().find(|(other, _)| *other == name) {
                let differs = name == "EPROTOTYPE" && *os == Os::Apple;
                assert_eq!(fault != *there, differs, "{name} on {os}");
            }
        }
    }
    assert_eq!(RawCode::native(Os::Apple, 41).fault(), Fault::Reset);
    assert_eq!(RawCode::native(Os::Linux, 91).fault(), Fault::Unsupported);
}

fn meaning(fact: &facts::Fact) -> (&'static str, Fault) {
    (fact.name, fact.code().map_or(Fault::Other, RawCode::fault))
}

/// 10053 and 10054, and their kin.
#[test]
fn the_ends_of_a_connection_on_windows() {
    let codes = [
        (10_054, Fault::Reset),
        (10_053, Fault::Aborted),
        (1236, Fault::Aborted),
        (10_052, Fault::KeepAliveFailed),
        (10_060, Fault::TimedOut),
        (121, Fault::TimedOut),
        (10_058, Fault::ShutDown),
        (995, Fault::Cancelled),
        (258, Fault::WaitExpired),
        (1168, Fault::NotFound),
    ];
    for (number, fault) in codes {
        assert_eq!(RawCode::native(Os::Windows, number).fault(), fault, "{number}");
    }
}

/// `OVERLAPPED.Internal`, as measured and documented.
#[test]
fn the_statuses_of_an_operation() {
    let statuses = [
        (0xC000_020D, Fault::Reset),
        (0xC000_020C, Fault::Reset),
        (0xC000_013C, Fault::Reset),
        (0xC000_013B, Fault::Aborted),
        (0xC000_0241, Fault::Aborted),
        (0xC000_00B5, Fault::TimedOut),
        (0xC000_0236, Fault::Refused),
        (0xC000_023C, Fault::Unreachable),
        (0xC000_023D, Fault::Unreachable),
        (0xC000_023F, Fault::Refused),
        (0xC000_0120, Fault::Cancelled),
        (0xC000_0240, Fault::Cancelled),
        (0x8000_000A, Fault::Cancelled),
        (0xC000_0140, Fault::NotConnected),
        (0xC000_00B0, Fault::ShutDown),
        (0xC000_009A, Fault::NoBuffers),
        (0xC000_0017, Fault::NoBuffers),
        (0xC000_0008, Fault::BadDescriptor),
        (0x0000_0103, Fault::InProgress),
        (0x0000_0102, Fault::WaitExpired),
    ];
    for (status, fault) in statuses {
        assert_eq!(RawCode::nt_status(status).fault(), fault, "{status:08X}");
    }
}

/// A completion port says the same as the status, or less: 64 for the ends of a connection, 59 for everything
/// that its translation knows no better name for, and nothing for a few.
#[test]
fn a_port_says_no_more_than_the_status() {
    let mut hidden = BTreeSet::new();
    for fact in facts::of("port") {
        let status = facts::of("ntstatus").into_iter().find(|status| status.name == fact.name);
        let status = status.and_then(facts::Fact::code).expect(fact.name).fault();
        let port = i32::try_from(fact.number).map(|number| RawCode::native(Os::Windows, number));
        match fact.number {
            64 => _ = hidden.insert(status),
            59 | 317 | 737 => {}
            _ => assert_eq!(port.map(RawCode::fault), Ok(status), "{fact:?}"),
        }
    }
    assert_eq!(hidden, BTreeSet::from([Fault::Reset, Fault::Aborted, Fault::NameDeleted]));
}

#[test]
fn a_win32_code_inside_a_status_is_read() {
    for (status, fault) in [
        (0xC007_2746, Fault::Reset),
        (0xC007_0005, Fault::PermissionDenied),
        (0xC007_FFFF, Fault::Other),
        // Success and information are no errors, and 0x80072746 is a result of COM.
        (0x0007_2746, Fault::Other),
        (0x4007_2746, Fault::Other),
        (0x8007_2746, Fault::Other),
    ] {
        assert_eq!(RawCode::nt_status(status).fault(), fault, "{status:08X}");
        assert_eq!(RawCode::nt_status(status).name(), None, "{status:08X}");
    }
}

#[test]
fn linux_numbers_are_read_by_architecture() {
    for (os, reset) in [(Os::Linux, 104), (Os::LinuxMips, 131), (Os::LinuxSparc, 54)] {
        assert_eq!(Fault::Reset.typical(os), Some(reset));
    }
    // What MIPS calls ECONNABORTED nobody else calls anything.
    assert_eq!(RawCode::native(Os::LinuxMips, 130).fault(), Fault::Aborted);
    assert_eq!(RawCode::native(Os::LinuxSparc, 104).name(), None);
}

/// Every code that Linux makes of an ICMP or ICMPv6 error and shows to TCP.
#[test]
fn icmp_is_soft() {
    let icmp = [
        "ENETUNREACH",
        "EHOSTUNREACH",
        "ENOPROTOOPT",
        "ECONNREFUSED",
        "EOPNOTSUPP",
        "EHOSTDOWN",
        "ENONET",
        "EACCES",
        "EPROTO",
    ];
    for fact in facts::of("linux") {
        let (name, fault) = meaning(&fact);
        assert!(fault.is_soft() || !icmp.contains(&name), "{name}");
    }
    for name in ["ETIMEDOUT", "ECONNRESET", "EPIPE", "ECONNABORTED", "ENOBUFS", "EAGAIN", "ENOTCONN"] {
        let fact = facts::of("linux").into_iter().find(|fact| fact.name == name).expect(name);
        assert!(!meaning(&fact).1.is_soft(), "{name}");
    }
}

#[test]
fn a_fault_is_of_one_kind_at_most() {
    for fault in Fault::ALL {
        let kinds = [
            fault.is_transient(),
            fault.is_under_way(),
            fault.is_exhaustion(),
            fault.is_soft(),
            fault.proves_end(),
        ];
        assert!(kinds.iter().filter(|is| **is).count() <= 1, "{fault:?}");
        let passing = fault.is_transient() || fault.is_under_way() || fault.is_exhaustion();
        assert!(!(passing && fault.spares_listener()), "{fault:?}");
    }
}

#[test]
fn the_kinds_hold_what_they_say() {
    let all =
        |is: fn(Fault) -> bool| Fault::ALL.iter().copied().filter(|fault| is(*fault)).collect::<Vec<_>>();
    assert_eq!(all(Fault::is_transient), [Fault::WouldBlock, Fault::Interrupted, Fault::WaitExpired]);
    assert_eq!(all(Fault::is_under_way), [Fault::InProgress]);
    assert_eq!(
        all(Fault::is_exhaustion),
        [Fault::NoBuffers, Fault::ProcessLimit, Fault::SystemLimit, Fault::Busy]
    );
    assert_eq!(
        all(Fault::is_soft),
        [
            Fault::Refused,
            Fault::Unreachable,
            Fault::NetworkDown,
            Fault::Protocol,
            Fault::PermissionDenied,
            Fault::Unsupported
        ]
    );
    assert_eq!(
        all(Fault::proves_end),
        [
            Fault::Reset,
            Fault::BrokenPipe,
            Fault::Aborted,
            Fault::TimedOut,
            Fault::KeepAliveFailed,
            Fault::NameDeleted
        ]
    );
    let spares = all(Fault::spares_listener);
    for fault in Fault::ALL {
        let other = matches!(fault, Fault::NotConnected | Fault::GracefulDisconnect);
        assert_eq!(spares.contains(fault), fault.is_soft() || fault.proves_end() || other, "{fault:?}");
    }
}

/// What accept may say of one connection that is gone: Linux, the BSDs, Windows and its completion port,
/// Wine.
#[test]
fn one_dead_connection_does_not_end_a_listener() {
    let codes = [
        (Os::Linux, 113),
        (Os::Linux, 1),
        (Os::FreeBsd, 53),
        (Os::Windows, 10_054),
        (Os::Windows, 64),
        (Os::Windows, 10_057),
    ];
    for (os, number) in codes {
        let code = RawCode::native(os, number);
        assert!(code.fault().spares_listener(), "{code} on {os}");
    }
    for (os, number) in [(Os::Linux, 9), (Os::Linux, 22), (Os::Linux, 24), (Os::Windows, 10_038)] {
        let code = RawCode::native(os, number);
        assert!(!code.fault().spares_listener(), "{code} on {os}");
    }
}

#[test]
fn every_fault_is_listed_once_and_prints_in_one_line() {
    assert!(Fault::ALL.windows(2).all(|pair| pair.first() < pair.last()));
    let texts: BTreeSet<_> = Fault::ALL.iter().map(Fault::to_string).collect();
    assert_eq!(texts.len(), Fault::ALL.len());
    for text in texts {
        assert!(!text.ends_with('.'), "{text}");
        assert_eq!(text, text.to_lowercase());
        assert!(text.is_ascii() && !text.is_empty());
    }
}

#[test]
fn every_system_prints_its_own_name() {
    let names: BTreeSet<_> = Os::ALL.iter().map(Os::to_string).collect();
    assert_eq!(names.len(), Os::ALL.len());
}
