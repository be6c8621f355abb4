//! What the OS knows about a connection, beside what its calls return. Optional, and without privileges.

use std::net::TcpStream;

/// The state of a TCP connection, as RFC 9293 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are those of RFC 9293")]
#[non_exhaustive]
pub enum TcpState {
    Established,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Closed,
    CloseWait,
    LastAck,
    Listen,
    Closing,
}

impl TcpState {
    /// From the number that Linux uses (`net/tcp_states.h`).
    #[must_use]
    pub const fn from_linux(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            _ => return None,
        })
    }

    /// The name in capital letters, with hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::TimeWait => "TIME-WAIT",
            Self::Closed => "CLOSED",
            Self::CloseWait => "CLOSE-WAIT",
            Self::LastAck => "LAST-ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
        }
    }
}

impl std::fmt::Display for TcpState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What `TCP_INFO` says. On Linux; elsewhere there is none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// The state of the connection.
    pub state: TcpState,
    /// Bytes received, the peer's FIN counted as one.
    pub bytes_received: u64,
    /// Bytes that the peer's stack has acknowledged; on the connecting side our SYN counts as one.
    pub bytes_acknowledged: u64,
}

impl Evidence {
    /// Asks about a stream. It may be dead already: the descriptor still knows.
    #[must_use]
    pub fn of(stream: &TcpStream) -> Option<Self> {
        linux::tcp_info(stream)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::{MaybeUninit, size_of};
    use std::net::TcpStream;
    use std::os::fd::AsRawFd;

    use super::{Evidence, TcpState};

    pub(super) fn tcp_info(stream: &TcpStream) -> Option<Evidence> {
        let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
        let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
        // SAFETY: the descriptor is open for as long as `stream` is borrowed; `info` is writable memory of
        // `length` bytes, and the kernel writes no more than that.
        let result = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if result != 0 {
            return None;
        }
        // SAFETY: all fields are integers, so the zeroes that were there before are valid values too; an
        // older kernel that writes fewer bytes leaves those.
        let info = unsafe { info.assume_init() };
        Some(Evidence {
            state: TcpState::from_linux(info.tcpi_state)?,
            bytes_received: info.tcpi_bytes_received,
            bytes_acknowledged: info.tcpi_bytes_acked,
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    pub(super) fn tcp_info(_stream: &std::net::TcpStream) -> Option<super::Evidence> {
        None
    }
}
