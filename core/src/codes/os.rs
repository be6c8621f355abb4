//! The operating systems, and which one this is.

use core::fmt;

/// An operating system, as a numbering of error codes.
///
/// Linux counts three times: MIPS and SPARC took their numbers from other systems (`ECONNRESET` is 104, 131
/// and 54), and a table of the usual numbers would read them as something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Os {
    /// Linux and Android, with the generic numbers.
    Linux,
    /// Linux on MIPS.
    LinuxMips,
    /// Linux on SPARC.
    LinuxSparc,
    /// macOS, iOS and the other systems built on XNU.
    Apple,
    /// FreeBSD.
    FreeBsd,
    /// DragonFly BSD.
    DragonFly,
    /// NetBSD.
    NetBsd,
    /// OpenBSD.
    OpenBsd,
    /// illumos and Solaris.
    Illumos,
    /// Windows: Winsock and Win32 codes, which share one space.
    Windows,
}

impl Os {
    /// Every system, in declaration order.
    pub const ALL: &'static [Self] = &[
        Self::Linux,
        Self::LinuxMips,
        Self::LinuxSparc,
        Self::Apple,
        Self::FreeBsd,
        Self::DragonFly,
        Self::NetBsd,
        Self::OpenBsd,
        Self::Illumos,
        Self::Windows,
    ];

    /// The system this was compiled for; `None` if its numbers are in no table here.
    pub const HERE: Option<Self> = here();
}

/// Chooses by `cfg!`, not `#[cfg]`: every line is compiled and linted on every system.
const fn here() -> Option<Os> {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        linux()
    } else if cfg!(target_vendor = "apple") {
        Some(Os::Apple)
    } else if cfg!(target_os = "freebsd") {
        Some(Os::FreeBsd)
    } else if cfg!(target_os = "dragonfly") {
        Some(Os::DragonFly)
    } else if cfg!(target_os = "netbsd") {
        Some(Os::NetBsd)
    } else if cfg!(target_os = "openbsd") {
        Some(Os::OpenBsd)
    } else if cfg!(any(target_os = "illumos", target_os = "solaris")) {
        Some(Os::Illumos)
    } else if cfg!(windows) {
        Some(Os::Windows)
    } else {
        None
    }
}

/// Names the architectures with the generic numbers instead of the exceptions: Alpha and PA-RISC have numbers
/// of their own as well, and a wrong table is worse than none.
const fn linux() -> Option<Os> {
    if cfg!(any(
        target_arch = "mips",
        target_arch = "mips32r6",
        target_arch = "mips64",
        target_arch = "mips64r6"
    )) {
        Some(Os::LinuxMips)
    } else if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
        Some(Os::LinuxSparc)
    } else if cfg!(any(
        target_arch = "x86",
        target_arch = "x86_64",
        target_arch = "arm",
        target_arch = "aarch64",
        target_arch = "riscv32",
        target_arch = "riscv64",
        target_arch = "powerpc",
        target_arch = "powerpc64",
        target_arch = "s390x",
        target_arch = "loongarch64",
        target_arch = "m68k",
        target_arch = "csky",
        target_arch = "hexagon"
    )) {
        Some(Os::Linux)
    } else {
        None
    }
}

impl fmt::Display for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linux => "Linux",
            Self::LinuxMips => "Linux (MIPS)",
            Self::LinuxSparc => "Linux (SPARC)",
            Self::Apple => "Apple",
            Self::FreeBsd => "FreeBSD",
            Self::DragonFly => "DragonFly BSD",
            Self::NetBsd => "NetBSD",
            Self::OpenBsd => "OpenBSD",
            Self::Illumos => "illumos",
            Self::Windows => "Windows",
        })
    }
}
