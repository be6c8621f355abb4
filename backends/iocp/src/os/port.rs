//! The completion port.

use std::io;
use std::os::windows::io::{AsRawHandle, AsRawSocket, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr;
use std::time::Duration;

use hangup::RawCode;
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, WAIT_TIMEOUT};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatusEx, OVERLAPPED, OVERLAPPED_ENTRY,
    PostQueuedCompletionStatus,
};

use super::{flight, handle};

/// A completion port of our own. Nothing goes through it but what an [`Armed`](super::Armed) has submitted, and
/// marks without an `OVERLAPPED`.
#[derive(Debug)]
pub(crate) struct Port {
    handle: OwnedHandle,
}

/// How an operation went, by its packet. Never by the port's `GetLastError`, in which four different ends are 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landing {
    /// It was done: so many bytes.
    Done(usize),
    /// It failed, after so many bytes.
    Failed(RawCode, usize),
}

/// What came out of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A packet with an `OVERLAPPED`: the operation of this number is over, well or badly.
    Landed(u64, Landing),
    /// A packet without: somebody wanted the loop to come back.
    Woken,
}

/// How many packets are taken at a time, at most.
pub(crate) const BATCH: usize = 128;

/// How many workers the port lets run at the same time. How many there are is the application's business; and whoever
/// sleeps must be brought back by a packet also if as many run as there are processors (see `waker`).
const UNLIMITED: u32 = i32::MAX as u32;

impl Port {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointer goes in; a new port comes back, or null.
        let handle = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, UNLIMITED) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: I06, one owner: the handle has just been made, and nobody else has it.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle as RawHandle) };
        Ok(Self { handle })
    }

    /// Lets the packets of a socket come to this port.
    pub(crate) fn associate(&self, socket: &impl AsRawSocket) -> io::Result<()> {
        // SAFETY: I06: both handles are borrowed from their owners for the call. No pointer goes in.
        let same = unsafe { CreateIoCompletionPort(handle(socket.as_raw_socket()), self.raw(), 0, 0) };
        if same.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Takes what has come, `most` at most, or waits for it. Nothing came in time: nothing is added.
    ///
    /// # Errors
    ///
    /// A wait that failed, which says nothing about any operation.
    pub(crate) fn wait(
        &self,
        limit: Option<Duration>,
        most: usize,
        events: &mut Vec<Event>,
    ) -> io::Result<usize> {
        let mut entries = [OVERLAPPED_ENTRY::default(); BATCH];
        let mut count = 0;
        #[allow(clippy::cast_possible_truncation, reason = "it is 128")]
        // SAFETY: the handle is open; the array has room for so many entries, and is written to during the call.
        let taken = unsafe {
            GetQueuedCompletionStatusEx(
                self.raw(),
                entries.as_mut_ptr(),
                most.clamp(1, BATCH) as u32,
                &raw mut count,
                millis(limit),
                0,
            )
        } != 0;
        if !taken {
            let error = io::Error::last_os_error();
            let nothing = error.raw_os_error() == Some(WAIT_TIMEOUT as i32);
            return if nothing { Ok(0) } else { Err(error) };
        }
        let entries = entries.iter().take(count as usize);
        events.extend(entries.map(|entry| {
            if entry.lpOverlapped.is_null() {
                return Event::Woken;
            }
            // SAFETY: the contract of `landed`: it has just come out of this port, which is private to this
            // package, as are the sockets that are associated with it; all of their operations were `Armed`.
            let (user_data, landing) = unsafe { flight::landed(entry.lpOverlapped) };
            Event::Landed(user_data, landing)
        }));
        Ok(count as usize)
    }

    /// Brings one of those back who wait, from any thread.
    pub(crate) fn wake(&self) -> io::Result<()> {
        self.post(ptr::null())
    }

    fn post(&self, overlapped: *const OVERLAPPED) -> io::Result<()> {
        // SAFETY: the handle is open. The OS does not look at what the address points to; this package does when the
        // packet comes, and then the contract of `landed` has to hold: it is null, or that of an `Armed`.
        let posted = unsafe { PostQueuedCompletionStatus(self.raw(), 0, 0, overlapped) } != 0;
        if posted { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Posts the packet of an operation, as the OS would, while the call is out.
    #[cfg(test)]
    pub(crate) fn post_packet(&self, armed: &super::Armed) {
        assert!(self.post(armed.overlapped()).is_ok());
    }

    fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle() as HANDLE
    }

    /// A handle that is no port, for a wait that fails.
    #[cfg(test)]
    pub(crate) fn impostor(handle: OwnedHandle) -> Self {
        Self { handle }
    }
}

/// Rounded up: to come back a little early and find nothing would be a turn for nothing.
fn millis(limit: Option<Duration>) -> u32 {
    const FOR_EVER: u32 = u32::MAX;
    let Some(limit) = limit else { return FOR_EVER };
    let millis = limit.as_nanos().div_ceil(1_000_000);
    u32::try_from(millis).unwrap_or(FOR_EVER).min(FOR_EVER - 1)
}
