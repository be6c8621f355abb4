//! Every number has an answer, and it prints.

use hangup::{Fault, Os, RawCode, Space};

use crate::facts;

fn has_an_answer(code: RawCode, number: u32) {
    let printed = code.to_string();
    match code.name() {
        Some(name) => {
            assert_ne!(code.fault(), Fault::Other, "{printed}");
            assert!(printed.starts_with(name), "{printed}");
        }
        None => assert_eq!(code.fault(), Fault::Other, "{printed}"),
    }
    let kept = if code.space() == Space::NtStatus {
        format!("0x{number:08X}")
    } else if code.space() == Space::Native(Os::Windows) {
        number.to_string()
    } else {
        code.value().to_string()
    };
    assert!(printed.contains(&kept), "{printed} does not show {kept}");
}

#[test]
fn every_number_of_every_system_has_an_answer() {
    let edges = [i32::MIN, i32::MIN + 1, i32::MAX - 1, i32::MAX, 65_535, 65_536, 65_536 + 104];
    for os in Os::ALL {
        for number in (-200..20_000).chain(edges) {
            has_an_answer(RawCode::native(*os, number), number as u32);
        }
    }
}

#[test]
fn every_status_and_its_neighbours_have_an_answer() {
    for fact in facts::of("ntstatus") {
        for status in [fact.number.wrapping_sub(1), fact.number, fact.number.wrapping_add(1)] {
            has_an_answer(RawCode::nt_status(status), status);
        }
    }
    for status in [u32::MIN, u32::MAX, 0x7FFF_FFFF, 0x8000_0000, 0xC006_FFFF, 0xC008_0000] {
        has_an_answer(RawCode::nt_status(status), status);
    }
}

#[test]
fn success_is_no_fault() {
    for os in Os::ALL {
        assert_eq!(RawCode::native(*os, 0).fault(), Fault::Other, "{os}");
        assert_eq!(RawCode::native(*os, 0).name(), None, "{os}");
    }
    assert_eq!(RawCode::nt_status(0).fault(), Fault::Other);
}

#[test]
fn the_number_is_kept() {
    for number in [i32::MIN, -1, 0, 104, 4711, i32::MAX] {
        assert_eq!(RawCode::here(number).value(), number);
        for os in Os::ALL {
            let code = RawCode::native(*os, number);
            assert_eq!((code.space(), code.value()), (Space::Native(*os), number));
        }
    }
    let status = RawCode::nt_status(0xC000_020D);
    assert_eq!((status.space(), status.value()), (Space::NtStatus, 0xC000_020D_u32 as i32));
}

#[test]
fn here_is_the_system_of_this_host() {
    let expected = Os::HERE.map_or(Space::Unknown, Space::Native);
    assert_eq!(RawCode::here(1).space(), expected);
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    assert_eq!(Os::HERE, Some(Os::Linux));
    #[cfg(target_os = "macos")]
    assert_eq!(Os::HERE, Some(Os::Apple));
    #[cfg(target_os = "freebsd")]
    assert_eq!(Os::HERE, Some(Os::FreeBsd));
    #[cfg(windows)]
    assert_eq!(Os::HERE, Some(Os::Windows));
}

#[test]
fn a_code_prints_its_name_and_its_number() {
    let printed = [
        (RawCode::native(Os::Linux, 104), "ECONNRESET (104)"),
        (RawCode::native(Os::Apple, 54), "ECONNRESET (54)"),
        (RawCode::native(Os::Windows, 10_054), "WSAECONNRESET (10054)"),
        (RawCode::native(Os::Windows, 64), "ERROR_NETNAME_DELETED (64)"),
        (RawCode::nt_status(0xC000_020D), "STATUS_CONNECTION_RESET (0xC000020D)"),
        (RawCode::nt_status(0x103), "STATUS_PENDING (0x00000103)"),
        (RawCode::native(Os::FreeBsd, 4711), "errno 4711"),
        (RawCode::native(Os::Linux, -1), "errno -1"),
        (RawCode::native(Os::Windows, 4711), "Windows error 4711"),
        (RawCode::native(Os::Windows, -1), "Windows error 4294967295"),
        (RawCode::nt_status(0xC0FF_EE00), "NTSTATUS 0xC0FFEE00"),
        (RawCode::nt_status(0), "NTSTATUS 0x00000000"),
    ];
    for (code, text) in printed {
        assert_eq!(code.to_string(), text);
    }
}

#[test]
fn a_code_is_small() {
    assert_eq!(size_of::<RawCode>(), 8);
    assert_eq!(size_of::<Option<RawCode>>(), 8);
    assert_eq!(size_of::<Fault>(), 1);
}
