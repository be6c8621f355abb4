//! One submission for each kind of operation. Making one is harmless; handing it over is `ring`'s part.

use std::os::fd::{AsFd, AsRawFd};

use hangup::Buffer;
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use socket2::SockAddr;

/// What a watch reports: the end of either direction, and errors.
pub(crate) const PEER_CLOSED: u32 = libc::POLLRDHUP as u32;
pub(crate) const HANG_UP: u32 = libc::POLLHUP as u32;
pub(crate) const ERROR: u32 = libc::POLLERR as u32;

/// A descriptor, to be named in a submission.
pub(crate) fn fd(of: &impl AsFd) -> types::Fd {
    types::Fd(of.as_fd().as_raw_fd())
}

/// More than this is not asked for in one go. The kernel has 32 bits for it, and a limit below that.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX).min(1 << 30)
}

pub(crate) fn connect(socket: types::Fd, peer: &SockAddr) -> Entry {
    opcode::Connect::new(socket, peer.as_ptr().cast(), peer.len()).build()
}

pub(crate) fn receive(socket: types::Fd, buffer: &mut Buffer) -> Entry {
    let room = buffer.spare();
    opcode::Recv::new(socket, room.as_mut_ptr(), length(room.len())).build()
}

pub(crate) fn receive_multishot(socket: types::Fd, group: u16) -> Entry {
    opcode::RecvMulti::new(socket, group).build()
}

pub(crate) fn send(socket: types::Fd, buffer: &Buffer) -> Entry {
    opcode::Send::new(socket, buffer.as_ptr(), length(buffer.len())).flags(libc::MSG_NOSIGNAL).build()
}

pub(crate) fn send_zero_copy(socket: types::Fd, buffer: &Buffer) -> Entry {
    opcode::SendZc::new(socket, buffer.as_ptr(), length(buffer.len())).flags(libc::MSG_NOSIGNAL).build()
}

/// Multishot, since one shot completes at once after an end of stream: the kernel always adds `POLLRDHUP`.
pub(crate) fn watch(socket: types::Fd) -> Entry {
    opcode::PollAdd::new(socket, PEER_CLOSED | HANG_UP | ERROR).multi(true).build()
}

pub(crate) fn readable(of: types::Fd) -> Entry {
    opcode::PollAdd::new(of, libc::POLLIN as u32).build()
}

pub(crate) fn shutdown(socket: types::Fd) -> Entry {
    opcode::Shutdown::new(socket, libc::SHUT_WR).build()
}

pub(crate) fn accept(listener: types::Fd) -> Entry {
    let nowhere = std::ptr::null_mut();
    opcode::Accept::new(listener, nowhere, nowhere.cast()).flags(libc::SOCK_CLOEXEC).build()
}

pub(crate) fn accept_multishot(listener: types::Fd) -> Entry {
    opcode::AcceptMulti::new(listener).flags(libc::SOCK_CLOEXEC).build()
}

/// By user data only: a number of a descriptor may be somebody else's by now.
pub(crate) fn cancel(user_data: u64) -> Entry {
    opcode::AsyncCancel::new(user_data).build()
}
