//! The only `unsafe` of this package.
//!
//! | file | what is in it |
//! |---|---|
//! | `port` | the completion port, and the packets that come out of it |
//! | `flight` | one operation's memory, and the calls that hand it to the OS |
//! | `socket` | what else a socket has to be told |
//!
//! What it rests on is kept here, by types, and does not depend on the rest of the package being right: memory that
//! the OS has is neither freed, nor lent a second time, nor looked at, until its packet has come and the call that
//! submitted it has returned, on whichever worker either happens.

mod flight;
mod port;
mod socket;

pub(crate) use self::flight::{Armed, Flight, IN_USE, Part, Submitted};
pub(crate) use self::port::{BATCH, Event, Landing, Port};
pub(crate) use self::socket::{set_skip_on_success, update_accept_context, update_connect_context};

use std::os::windows::io::RawSocket;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Networking::WinSock::SOCKET;

/// A socket in the words of Winsock.
#[allow(clippy::cast_possible_truncation, reason = "std keeps in 64 bits what is as wide as a pointer")]
fn winsock(socket: RawSocket) -> SOCKET {
    socket as SOCKET
}

/// A socket in the words of the kernel.
#[allow(clippy::cast_possible_truncation, reason = "as above")]
fn handle(socket: RawSocket) -> HANDLE {
    socket as usize as HANDLE
}
