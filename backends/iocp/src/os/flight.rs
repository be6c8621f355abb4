//! One operation's memory: the `OVERLAPPED`, the buffer, and the number that says whose they are.

use std::io;
use std::mem::size_of;
use std::net::SocketAddr;
use std::os::windows::io::RawSocket;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, Ordering};

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
    /// Who else has it: [`CALLING`], [`OWED`]. Without a mark it is its owner's alone.
    ///
    /// The packet may come to another worker before the submitting call has returned. Each of the two takes back its
    /// own mark, as the last that it does to the block (release), and the owner looks for both (acquire).
    away: AtomicU8,
    buffer: Buffer,
}

/// The submitting call has not returned: it may read `overlapped`, and has yet to take back this mark.
const CALLING: u8 = 1;
/// A packet is owed: the OS may write to `overlapped` and to the buffer's bytes.
const OWED: u8 = 2;

/// A [`Block`], owned. While it has a mark it cannot be submitted again, gives no buffer out, and if it is dropped
/// then, the block is leaked: memory that is lost is better than memory that somebody else writes to.
#[derive(Debug)]
pub(crate) struct Flight {
    block: NonNull<Block>,
}

/// A [`Flight`] that is about to be submitted, by one call and once. The block has both marks, so it stays where it is
/// whatever becomes of its owner. If no call is made, it stays for ever.
#[must_use = "its memory is lost if no call is made"]
pub(crate) struct Armed {
    block: NonNull<Block>,
    bytes: WSABUF,
}

/// What a submitting call said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    /// The OS has it, and a packet will come; or has come already.
    Pending,
    /// It was done at once, so many bytes, and no packet comes.
    Done(usize),
    /// It failed at once, and no packet comes.
    Failed(RawCode),
}

/// Which part of a buffer goes to the OS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// What it has room for, to be written.
    Room,
    /// What is in it, to be read.
    Filled,
}

// SAFETY: it is the one owner of what it points to, like a box. Operations on a socket that belongs to a port are not
// bound to the thread that submitted them.
unsafe impl Send for Flight {}

impl Flight {
    /// With nothing in it.
    pub(crate) fn new() -> Self {
        let overlapped = OVERLAPPED::default();
        let block = Block { overlapped, user_data: 0, away: AtomicU8::new(0), buffer: Buffer::default() };
        Self { block: NonNull::from(Box::leak(Box::new(block))) }
    }

    /// What an accept asks for.
    pub(crate) fn arm_for_accept(&mut self, user_data: u64) -> Option<Armed> {
        self.arm(user_data, Buffer::with_capacity(2 * ADDRESS as usize), Part::Room)
    }

    /// Makes it ready for a call. `None` if the OS, or a call, has it already.
    pub(crate) fn arm(&mut self, user_data: u64, buffer: Buffer, part: Part) -> Option<Armed> {
        let address = self.block;
        let block = self.ours()?;
        block.overlapped = OVERLAPPED::default();
        block.user_data = user_data;
        block.buffer = buffer;
        // Nobody else looks before the OS, or the table, has made it known.
        *block.away.get_mut() = CALLING | OWED;
        let (start, length) = match part {
            Part::Room => {
                let room = block.buffer.spare();
                (room.as_mut_ptr(), room.len())
            }
            Part::Filled => (block.buffer.as_ptr().cast_mut(), block.buffer.len()),
        };
        let len = u32::try_from(length).unwrap_or(u32::MAX);
        Some(Armed { block: address, bytes: WSABUF { len, buf: start } })
    }

    /// Asks the OS to cancel this operation and no other. Whatever it says: the packet comes.
    pub(crate) fn cancel(&self, socket: RawSocket) {
        let overlapped: *const OVERLAPPED = self.block.as_ptr().cast_const().cast();
        // SAFETY: I10, a cancel is a request. The address only names the operation; nothing is read or written by
        // it, and an operation that is over by now is simply not found. It cannot name another one meanwhile: the
        // owner is borrowed, so the block is not armed anew.
        let _found = unsafe { CancelIoEx(handle(socket), overlapped) };
    }

    /// How the operation went, by its packet. `None` while the OS or the call has it.
    pub(crate) fn landing(&mut self) -> Option<Landing> {
        self.ours().map(|block| landing(&block.overlapped))
    }

    /// The buffer, with the bytes that a receive has filled. `None` while the OS or the call has it.
    pub(crate) fn take(&mut self, filled: usize) -> Option<Buffer> {
        let mut buffer = std::mem::take(&mut self.ours()?.buffer);
        buffer.filled(filled);
        Some(buffer)
    }

    /// The block, if nobody else has anything of it.
    fn ours(&mut self) -> Option<&mut Block> {
        // SAFETY: the block is alive as long as this owner is. The marks are atomic and no part that the OS writes
        // to, and no reference to the whole is made for reading them.
        let away = unsafe { &(*self.block.as_ptr()).away };
        if away.load(Ordering::Acquire) != 0 {
            return None;
        }
        // SAFETY: I02: no packet is owed, so the OS has no pointer into it; no call is out, so no `Armed` has one;
        // and `&mut self` is the only owner.
        let block = unsafe { self.block.as_mut() };
        Some(block)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.ours().is_some() {
            // SAFETY: I02 and I07: neither OS nor call has anything of it. It came out of a box in `new`, and this is
            // its only owner.
            let block = unsafe { Box::from_raw(self.block.as_ptr()) };
            drop(block);
        }
    }
}

impl Armed {
    /// Receives into the room of the buffer. Without room it is told when there is something to receive.
    pub(crate) fn receive(self, socket: RawSocket, skips: bool) -> Submitted {
        let (mut count, mut flags) = (0, 0);
        // SAFETY: I02, memory that the OS has stays until its packet has come. The block has both marks, so its owner
        // neither frees, nor reads, nor arms it before `landed` has taken back the one, or `returned` because no
        // packet comes, and `returned` the other: what the call looks up in the `OVERLAPPED` behind the packet's back
        // is there too. The OS copies the `WSABUF` in the call.
        let failed = unsafe {
            WSARecv(
                winsock(socket),
                &raw const self.bytes,
                1,
                &raw mut count,
                &raw mut flags,
                self.overlapped(),
                None,
            )
        } != 0;
        self.returned(failed, count, skips)
    }

    /// Sends what is in the buffer.
    pub(crate) fn send(self, socket: RawSocket, skips: bool) -> Submitted {
        let mut count = 0;
        // SAFETY: I02, as in `receive`. The OS reads the bytes and does not write them.
        let failed = unsafe {
            WSASend(winsock(socket), &raw const self.bytes, 1, &raw mut count, 0, self.overlapped(), None)
        } != 0;
        self.returned(failed, count, skips)
    }

    /// Connects a socket that is bound.
    pub(crate) fn connect(self, socket: RawSocket, peer: SocketAddr, skips: bool) -> Submitted {
        let connect = match connect_ex(socket) {
            Ok(connect) => connect,
            Err(error) => return self.ended(Submitted::Failed(code_of(&error))),
        };
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
                self.overlapped(),
            )
        } != 0;
        self.returned(!succeeded, 0, skips)
    }

    /// Accepts the next connection of `listener` into `socket`, which is neither bound nor connected. What was armed
    /// is [for an accept](Flight::arm_for_accept).
    pub(crate) fn accept(self, listener: RawSocket, socket: RawSocket, skips: bool) -> Submitted {
        let mut count = 0;
        if self.bytes.len < 2 * ADDRESS {
            return self.ended(IN_USE);
        }
        // SAFETY: I02, as in `receive`. The buffer has room for both addresses, of which the lengths are those
        // that the function asks for, and no data is received with them.
        let succeeded = unsafe {
            AcceptEx(
                winsock(listener),
                winsock(socket),
                self.bytes.buf.cast(),
                0,
                ADDRESS,
                ADDRESS,
                &raw mut count,
                self.overlapped(),
            )
        } != 0;
        self.returned(!succeeded, 0, skips)
    }

    /// The address that goes to the OS.
    pub(super) fn overlapped(&self) -> *mut OVERLAPPED {
        self.block.as_ptr().cast()
    }

    /// What the call said. "If the operation fails at once, no completion indication will occur" (the documents of
    /// `WSARecv`, `WSASend`, `AcceptEx`, `ConnectEx`), nor if it succeeds at once on a socket that skips the port.
    fn returned(self, failed: bool, count: u32, skips: bool) -> Submitted {
        let submitted = match (failed, skips) {
            // Done, and a packet says so all the same.
            (false, false) => Submitted::Pending,
            (false, true) => Submitted::Done(count as usize),
            (true, _) => {
                let code = code_of(&io::Error::last_os_error());
                let is_pending = code == RawCode::here(ERROR_IO_PENDING as i32);
                if is_pending { Submitted::Pending } else { Submitted::Failed(code) }
            }
        };
        self.ended(submitted)
    }

    /// Takes back the mark of the call, and the other one too if no packet comes.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "it is used up: the block may be anybody's from here on"
    )]
    pub(crate) fn ended(self, submitted: Submitted) -> Submitted {
        let over = if submitted == Submitted::Pending { CALLING } else { CALLING | OWED };
        // SAFETY: I03, a submit ends in one of three ways. As long as `CALLING` stands, the block is not freed, and
        // nobody has a reference to more than its marks; the OS has nothing of it if no packet comes, and does not
        // write to its marks if one does. After this it is not touched here.
        let away = unsafe { &(*self.block.as_ptr()).away };
        away.fetch_and(!over, Ordering::Release);
        submitted
    }
}

/// Takes note of a packet: the block that it is about is not the OS's any more.
///
/// # Safety
///
/// The pointer came out of a port with a packet, and everything that goes through that port was submitted by an
/// [`Armed`].
pub(super) unsafe fn landed(overlapped: *mut OVERLAPPED) -> (u64, Landing) {
    // SAFETY: I02: by the contract it points to the first field of a block that is marked as owed, and such a block
    // is neither freed nor changed by its owner. This is the one packet that is owed for it, so the OS writes to it no
    // more. The call that submitted it may not have returned: it reads at most, and changes but the marks.
    let block = unsafe { &*overlapped.cast::<Block>() };
    let landed = (block.user_data, landing(&block.overlapped));
    block.away.fetch_and(!OWED, Ordering::Release);
    landed
}

/// How an operation went that is over.
fn landing(overlapped: &OVERLAPPED) -> Landing {
    #[allow(clippy::cast_possible_truncation, reason = "a status has 32 bits, whatever the field has")]
    let status = overlapped.Internal as u32;
    if (status as i32) < 0 {
        Landing::Failed(RawCode::nt_status(status), overlapped.InternalHigh)
    } else {
        Landing::Done(overlapped.InternalHigh)
    }
}

/// What `AcceptEx` asks for: 16 bytes more than the longest address. (It is 144.)
#[allow(clippy::cast_possible_truncation, reason = "it is 144")]
const ADDRESS: u32 = size_of::<SOCKADDR_STORAGE>() as u32 + 16;

/// Memory that somebody else has was to be submitted. A mistake of this package, and no harm done.
pub(crate) const IN_USE: Submitted = Submitted::Failed(RawCode::native(hangup::Os::Windows, 170));

fn code_of(error: &io::Error) -> RawCode {
    RawCode::here(error.raw_os_error().unwrap_or_default())
}
