//! One operation's memory: the `OVERLAPPED`, the buffer, and the number that says whose they are.

use std::io;
use std::mem::size_of;
use std::net::SocketAddr;
use std::os::windows::io::RawSocket;
use std::ptr::{self, NonNull};

use hangup::{Buffer, RawCode};
use socket2::SockAddr;
use windows_sys::Win32::Foundation::ERROR_IO_PENDING;
use windows_sys::Win32::Networking::WinSock::{AcceptEx, SOCKADDR_STORAGE, WSABUF, WSARecv, WSASend};
use windows_sys::Win32::System::IO::{CancelIoEx, OVERLAPPED};

use super::port::Landing;
use super::socket::connect_ex;
use super::{handle, winsock};

/// The memory of one operation, in an allocation of its own. The OS has its address from the call until the packet.
#[repr(C)]
struct Block {
    /// First, so that its address is that of the block.
    overlapped: OVERLAPPED,
    /// Whose operation it is, for whoever takes the packet.
    user_data: u64,
    /// Whether a packet is owed: the OS may write to `overlapped` and to the buffer's bytes.
    owed: bool,
    buffer: Buffer,
}

/// A [`Block`], owned. While a packet is owed it cannot be submitted again, gives no buffer out, and if it is
/// dropped then, the block is leaked: memory that is lost is better than memory that somebody else writes to.
#[derive(Debug)]
pub(crate) struct Flight {
    block: NonNull<Block>,
}

/// What a submitting call said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    /// The OS has it, and a packet will come.
    Pending,
    /// It was done at once, so many bytes, and no packet comes.
    Done(usize),
    /// It failed at once, and no packet comes.
    Failed(RawCode),
}

/// What goes to the OS: pointers into a block that is owed from here on.
struct Armed {
    overlapped: *mut OVERLAPPED,
    bytes: WSABUF,
}

// SAFETY: it is the one owner of what it points to, like a box. Operations on a socket that belongs to a port are not
// bound to the thread that submitted them.
unsafe impl Send for Flight {}

impl Flight {
    /// With nothing in it.
    pub(crate) fn new() -> Self {
        let overlapped = OVERLAPPED::default();
        let block = Block { overlapped, user_data: 0, owed: false, buffer: Buffer::default() };
        Self { block: NonNull::from(Box::leak(Box::new(block))) }
    }

    /// Receives into the room of `buffer`. Without room it is told when there is something to receive.
    pub(crate) fn receive(
        &mut self,
        socket: RawSocket,
        user_data: u64,
        buffer: Buffer,
        skips: bool,
    ) -> Submitted {
        let Some(armed) = self.arm(user_data, buffer, Part::Room) else { return IN_USE };
        let (mut count, mut flags) = (0, 0);
        // SAFETY: I02, memory that the OS has stays until its packet has come. `armed` points into a block that
        // is marked as owed, so this type neither frees, nor reads, nor submits it before `landed` has been
        // called with the packet, or `ended_at_once` because none comes. The OS copies the `WSABUF` in the call.
        let failed = unsafe {
            WSARecv(
                winsock(socket),
                &raw const armed.bytes,
                1,
                &raw mut count,
                &raw mut flags,
                armed.overlapped,
                None,
            )
        } != 0;
        self.submitted(failed, count, skips)
    }

    /// Sends what is in `buffer`.
    pub(crate) fn send(
        &mut self,
        socket: RawSocket,
        user_data: u64,
        buffer: Buffer,
        skips: bool,
    ) -> Submitted {
        let Some(armed) = self.arm(user_data, buffer, Part::Filled) else { return IN_USE };
        let mut count = 0;
        // SAFETY: I02, as in `receive`. The OS reads the bytes and does not write them.
        let failed = unsafe {
            WSASend(winsock(socket), &raw const armed.bytes, 1, &raw mut count, 0, armed.overlapped, None)
        } != 0;
        self.submitted(failed, count, skips)
    }

    /// Connects a socket that is bound.
    pub(crate) fn connect(
        &mut self,
        socket: RawSocket,
        user_data: u64,
        peer: SocketAddr,
        skips: bool,
    ) -> Submitted {
        let connect = match connect_ex(socket) {
            Ok(connect) => connect,
            Err(error) => return Submitted::Failed(code_of(&error)),
        };
        let Some(armed) = self.arm(user_data, Buffer::default(), Part::Room) else { return IN_USE };
        let (peer, mut count) = (SockAddr::from(peer), 0);
        // SAFETY: I02, as in `receive`. The function is the provider's own, asked for under its name; the address
        // is valid for its length, and needed during the call only.
        let succeeded = unsafe {
            connect(
                winsock(socket),
                peer.as_ptr().cast(),
                peer.len(),
                ptr::null(),
                0,
                &raw mut count,
                armed.overlapped,
            )
        } != 0;
        self.submitted(!succeeded, 0, skips)
    }

    /// Accepts the next connection of `listener` into `socket`, which is neither bound nor connected.
    pub(crate) fn accept(
        &mut self,
        listener: RawSocket,
        socket: RawSocket,
        user_data: u64,
        skips: bool,
    ) -> Submitted {
        let addresses = Buffer::with_capacity(2 * ADDRESS as usize);
        let Some(armed) = self.arm(user_data, addresses, Part::Room) else { return IN_USE };
        let mut count = 0;
        // SAFETY: I02, as in `receive`. The buffer has room for both addresses, of which the lengths are those
        // that the function asks for, and no data is received with them.
        let succeeded = unsafe {
            AcceptEx(
                winsock(listener),
                winsock(socket),
                armed.bytes.buf.cast(),
                0,
                ADDRESS,
                ADDRESS,
                &raw mut count,
                armed.overlapped,
            )
        } != 0;
        self.submitted(!succeeded, 0, skips)
    }

    /// Asks the OS to cancel this operation and no other. Whatever it says: the packet comes.
    pub(crate) fn cancel(&self, socket: RawSocket) {
        let overlapped: *const OVERLAPPED = self.block.as_ptr().cast_const().cast();
        // SAFETY: I10, a cancel is a request. The address only names the operation; nothing is read or written by
        // it, and an operation that is over by now is simply not found.
        let _found = unsafe { CancelIoEx(handle(socket), overlapped) };
    }

    /// The buffer, with the bytes that a receive has filled. `None` while the OS has it.
    pub(crate) fn take(&mut self, filled: usize) -> Option<Buffer> {
        let mut buffer = std::mem::take(&mut self.ours()?.buffer);
        buffer.filled(filled);
        Some(buffer)
    }

    /// Makes it the OS's. `None` if it is already.
    fn arm(&mut self, user_data: u64, buffer: Buffer, part: Part) -> Option<Armed> {
        let overlapped = self.block.as_ptr().cast();
        let block = self.ours()?;
        block.overlapped = OVERLAPPED::default();
        block.user_data = user_data;
        block.buffer = buffer;
        block.owed = true;
        let (start, length) = match part {
            Part::Room => {
                let room = block.buffer.spare();
                (room.as_mut_ptr(), room.len())
            }
            Part::Filled => (block.buffer.as_ptr().cast_mut(), block.buffer.len()),
        };
        let len = u32::try_from(length).unwrap_or(u32::MAX);
        Some(Armed { overlapped, bytes: WSABUF { len, buf: start } })
    }

    fn submitted(&mut self, failed: bool, count: u32, skips: bool) -> Submitted {
        if !failed && !skips {
            // Done, and a packet says so all the same.
            return Submitted::Pending;
        }
        if !failed {
            self.ended_at_once();
            return Submitted::Done(count as usize);
        }
        let code = code_of(&io::Error::last_os_error());
        if code == RawCode::here(ERROR_IO_PENDING as i32) {
            return Submitted::Pending;
        }
        self.ended_at_once();
        Submitted::Failed(code)
    }

    /// The call gave the answer by itself. "If the operation fails at once, no completion indication will occur"
    /// (the documents of `WSARecv`, `WSASend`, `AcceptEx`, `ConnectEx`), nor if it succeeds at once on a socket
    /// that skips the port.
    fn ended_at_once(&mut self) {
        // SAFETY: I03, a submit ends in one of three ways. The OS has said that it has nothing of this block, so it
        // is ours alone.
        let block = unsafe { self.block.as_mut() };
        block.owed = false;
    }

    /// The block, if the OS has nothing of it.
    fn ours(&mut self) -> Option<&mut Block> {
        // SAFETY: the block is alive as long as this owner is. The mark is not a part that the OS writes to, and no
        // reference to the whole is made for reading it.
        let owed = unsafe { (*self.block.as_ptr()).owed };
        if owed {
            return None;
        }
        // SAFETY: I02: no packet is owed, so the OS has no pointer into it, and `&mut self` is the only owner.
        let block = unsafe { self.block.as_mut() };
        Some(block)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.ours().is_some() {
            // SAFETY: I02 and I07: no packet is owed. It came out of a box in `new`, and this is its only owner.
            let block = unsafe { Box::from_raw(self.block.as_ptr()) };
            drop(block);
        }
    }
}

/// Takes note of a packet: the block that it is about is ours again.
///
/// # Safety
///
/// The pointer came out of a port with a packet, and everything that goes through that port was submitted by a
/// [`Flight`].
pub(super) unsafe fn landed(overlapped: *mut OVERLAPPED) -> (u64, Landing) {
    // SAFETY: I02: by the contract it points to the first field of a block that is marked as owed, and such a block
    // is not freed. This is the one packet that is owed for it, so the OS writes to it no more; and its owner does
    // not look at it before the mark is gone.
    let block = unsafe { &mut *overlapped.cast::<Block>() };
    block.owed = false;
    #[allow(clippy::cast_possible_truncation, reason = "a status has 32 bits, whatever the field has")]
    let status = block.overlapped.Internal as u32;
    let landing = if (status as i32) < 0 {
        Landing::Failed(RawCode::nt_status(status), block.overlapped.InternalHigh)
    } else {
        Landing::Done(block.overlapped.InternalHigh)
    };
    (block.user_data, landing)
}

/// Which part of a buffer goes to the OS.
enum Part {
    Room,
    Filled,
}

/// What `AcceptEx` asks for: 16 bytes more than the longest address. (It is 144.)
#[allow(clippy::cast_possible_truncation, reason = "it is 144")]
const ADDRESS: u32 = size_of::<SOCKADDR_STORAGE>() as u32 + 16;

/// A mistake of this package, and no harm done.
const IN_USE: Submitted = Submitted::Failed(RawCode::native(hangup::Os::Windows, 170));

fn code_of(error: &io::Error) -> RawCode {
    RawCode::here(error.raw_os_error().unwrap_or_default())
}
