//! The codes of the operating systems: what they are called and what they say.
//!
//! | file | what |
//! |---|---|
//! | `os` | the operating systems, and which one this is |
//! | `raw` | a code together with the space its number belongs to |
//! | `errno` | the table of errno numbers, all systems side by side |
//! | `windows` | the table of Winsock and Win32 codes, which share one space |
//! | `ntstatus` | the table of `NTSTATUS` values |
//!
//! The tables hold what the calls of a connection's life may return: socket, connect, accept, receive, send,
//! shutdown, close, `SO_ERROR`, peer name, and what is asked of epoll, kqueue, io_uring, event ports,
//! completion ports and AFD. All of them answer for every number: what is in no table is
//! [`Fault::Other`](crate::Fault), and the number is kept.

mod errno;
mod ntstatus;
mod os;
mod raw;
mod windows;

pub use os::Os;
pub use raw::{RawCode, Space};

/// What a table knows of a number.
#[derive(Clone, Copy)]
struct Known {
    name: &'static str,
    fault: crate::Fault,
}
