//! The ring: the only `unsafe` of this package, and what is there to make it safe.
//!
//! | file | what is in it |
//! |---|---|
//! | `ring` | the two queues, and what the kernel must be able to do |
//! | `entries` | one submission for each kind of operation |
//! | `buffers` | buffers that a multishot receive chooses from |
//! | `waker` | bringing the loop back from another thread |

pub(crate) mod buffers;
pub(crate) mod entries;
pub(crate) mod ring;
pub(crate) mod waker;

use std::io;
use std::net::TcpStream;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The descriptor that an accept has brought, as the one owner of it.
pub(crate) fn accepted(number: RawFd) -> OwnedFd {
    // SAFETY: I06, one owner of a descriptor. The number is the result of an accept that succeeded, which the kernel
    // gives once; the only caller is `acceptor`, for each such completion once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Ends a connection without closing its descriptor: what the kernel holds of it is given up, and what it owes
/// comes back. Measured: a parked receive and the notification of a zero-copy send complete at once.
pub(crate) fn sever(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::connect_unspec(stream)?)
}
