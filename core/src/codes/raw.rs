//! A code together with the space its number belongs to.

use core::fmt;

use super::{Known, Os, errno, ntstatus, windows};
use crate::Fault;

/// The space of numbers that a code belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Space {
    /// The error numbers of an operating system: errno, or on Windows what `GetLastError` and
    /// `WSAGetLastError` return.
    Native(Os),
    /// What the Windows kernel says, in `OVERLAPPED.Internal` or an `IO_STATUS_BLOCK`.
    NtStatus,
    /// The error numbers of a system that has no table here.
    Unknown,
}

/// An error code as the operating system gave it: the number, and the space it belongs to.
///
/// Kept beside a cause for people and logs; it prints as a name and a number. What it means is
/// [`fault`](RawCode::fault). 8 bytes, no allocation, and no number is refused: one that is in no table keeps
/// its value and is [`Fault::Other`]. 0 is no error in any space, and in no table either.
///
/// An operation on a completion port has two codes. Take the status, [`RawCode::nt_status`]: the port's own
/// `GetLastError` folds a reset, a disconnect and our own close into 64, a failed link and a missing
/// connection into 59.
///
/// ```
/// use hangup::{Fault, Os, RawCode};
///
/// let port = RawCode::native(Os::Windows, 64);
/// let status = RawCode::nt_status(0xC000_020D);
/// assert_eq!(port.fault(), Fault::NameDeleted);
/// assert_eq!(status.fault(), Fault::Reset);
/// assert_eq!(status.to_string(), "STATUS_CONNECTION_RESET (0xC000020D)");
/// assert_eq!(RawCode::native(Os::Linux, 4711).to_string(), "errno 4711");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawCode {
    space: Space,
    value: i32,
}

impl RawCode {
    /// A code of the given system: errno, or on Windows a Winsock or Win32 code.
    ///
    /// io_uring reports errors as negative results, kqueue in an unsigned field: pass the positive number.
    #[must_use]
    pub const fn native(os: Os, code: i32) -> Self {
        Self { space: Space::Native(os), value: code }
    }

    /// A status of the Windows kernel.
    #[must_use]
    pub const fn nt_status(status: u32) -> Self {
        Self { space: Space::NtStatus, value: status as i32 }
    }

    /// A code of the system this runs on: what `std::io::Error::raw_os_error` gives.
    #[must_use]
    pub const fn here(code: i32) -> Self {
        match Os::HERE {
            Some(os) => Self::native(os, code),
            None => Self { space: Space::Unknown, value: code },
        }
    }

    /// What [`RawCode::space`] and [`RawCode::value`] took apart.
    pub(crate) const fn in_space(space: Space, value: i32) -> Self {
        Self { space, value }
    }

    /// The space that the number belongs to.
    #[must_use]
    pub const fn space(self) -> Space {
        self.space
    }

    /// The number. For a status and for a Win32 code the same 32 bits, read as signed.
    #[must_use]
    pub const fn value(self) -> i32 {
        self.value
    }

    /// What the code says. [`Fault::Other`] if it is in no table.
    #[must_use]
    pub fn fault(self) -> Fault {
        self.known().or_else(|| self.wrapped()).map_or(Fault::Other, |known| known.fault)
    }

    /// What the headers call the code, if it is in a table.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.known().map(|known| known.name)
    }

    const fn bits(self) -> u32 {
        self.value as u32
    }

    fn known(self) -> Option<Known> {
        match self.space {
            Space::Native(Os::Windows) => windows::lookup(self.bits()),
            Space::Native(os) => errno::lookup(os, self.value),
            Space::NtStatus => ntstatus::lookup(self.bits()),
            Space::Unknown => None,
        }
    }

    /// A Win32 code that came as a status, as some drivers send it.
    fn wrapped(self) -> Option<Known> {
        match self.space {
            Space::NtStatus => ntstatus::win32(self.bits()).and_then(windows::lookup),
            Space::Native(_) | Space::Unknown => None,
        }
    }
}

impl fmt::Display for RawCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { space, value } = *self;
        match (space, self.name()) {
            (Space::NtStatus, Some(name)) => write!(f, "{name} ({:#010X})", self.bits()),
            (Space::NtStatus, None) => write!(f, "NTSTATUS {:#010X}", self.bits()),
            (Space::Native(_) | Space::Unknown, Some(name)) => write!(f, "{name} ({value})"),
            (Space::Native(Os::Windows), None) => write!(f, "Windows error {}", self.bits()),
            (Space::Native(_), None) => write!(f, "errno {value}"),
            (Space::Unknown, None) => write!(f, "system error {value}"),
        }
    }
}

impl Fault {
    /// A number that means this fault on the given system, the most usual one if there are several; `None` if
    /// the system has none. [`RawCode::native`] turns it back. For tests and simulators.
    #[must_use]
    pub fn typical(self, os: Os) -> Option<i32> {
        match os {
            Os::Windows => windows::typical(self),
            Os::Linux
            | Os::LinuxMips
            | Os::LinuxSparc
            | Os::Apple
            | Os::FreeBsd
            | Os::DragonFly
            | Os::NetBsd
            | Os::OpenBsd
            | Os::Illumos => errno::typical(self, os),
        }
    }
}
