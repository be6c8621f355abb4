//! What a socket has to be told, or asked, beside its operations.

use std::ffi::c_void;
use std::io;
use std::mem::{size_of, size_of_val};
use std::os::windows::io::{AsRawSocket, RawSocket};
use std::ptr;

use windows_sys::Win32::Networking::WinSock::{
    LPFN_CONNECTEX, SIO_GET_EXTENSION_FUNCTION_POINTER, SO_PROTOCOL_INFOW, SO_UPDATE_ACCEPT_CONTEXT,
    SO_UPDATE_CONNECT_CONTEXT, SOCKET, SOL_SOCKET, WSAID_CONNECTEX, WSAIoctl, WSAPROTOCOL_INFOW,
    XP1_IFS_HANDLES, getsockopt, setsockopt,
};
use windows_sys::Win32::Storage::FileSystem::SetFileCompletionNotificationModes;
use windows_sys::Win32::System::WindowsProgramming::{
    FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, FILE_SKIP_SET_EVENT_ON_HANDLE,
};

use super::{handle, winsock};

type ConnectEx = unsafe extern "system" fn(
    SOCKET,
    *const windows_sys::Win32::Networking::WinSock::SOCKADDR,
    i32,
    *const c_void,
    u32,
    *mut u32,
    *mut windows_sys::Win32::System::IO::OVERLAPPED,
) -> i32;

/// An operation that succeeds at once sends no packet from here on.
///
/// # Errors
///
/// If the socket's provider cannot do that. It then sends packets always.
pub(crate) fn set_skip_on_success(socket: &impl AsRawSocket) -> io::Result<()> {
    // A layered provider whose sockets are no handles of the kernel takes the call for a success, and then some packets
    // are never seen (Microsoft's KB 2568167). So it is asked first.
    if provider_flags(socket)? & XP1_IFS_HANDLES == 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    #[allow(clippy::cast_possible_truncation, reason = "two flags")]
    let modes = (FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE) as u8;
    // SAFETY: I06: the handle is borrowed from its owner for the call. No pointer goes in.
    let set = unsafe { SetFileCompletionNotificationModes(handle(socket.as_raw_socket()), modes) } != 0;
    if set { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What the provider of a socket says of itself.
fn provider_flags(socket: &impl AsRawSocket) -> io::Result<u32> {
    let mut provider = WSAPROTOCOL_INFOW::default();
    let mut length = i32::try_from(size_of_val(&provider)).unwrap_or_default();
    let socket = winsock(socket.as_raw_socket());
    // SAFETY: the structure is valid for its length, and written to during the call.
    let result = unsafe {
        getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, (&raw mut provider).cast(), &raw mut length)
    };
    if result == 0 { Ok(provider.dwServiceFlags1) } else { Err(io::Error::last_os_error()) }
}

/// Makes a socket that `AcceptEx` filled a full one: before that it has no name and cannot be shut down.
pub(crate) fn update_accept_context(socket: &impl AsRawSocket, listener: RawSocket) -> io::Result<()> {
    let listener = winsock(listener);
    let length = i32::try_from(size_of_val(&listener)).unwrap_or_default();
    let socket = winsock(socket.as_raw_socket());
    // SAFETY: the value is valid for its length, and copied in the call.
    let result = unsafe {
        setsockopt(socket, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (&raw const listener).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The same behind `ConnectEx`.
pub(crate) fn update_connect_context(socket: &impl AsRawSocket) -> io::Result<()> {
    let socket = winsock(socket.as_raw_socket());
    // SAFETY: no value goes in.
    let result = unsafe { setsockopt(socket, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, ptr::null(), 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `ConnectEx` is in no library; the provider of a socket is asked for it.
pub(super) fn connect_ex(socket: RawSocket) -> io::Result<ConnectEx> {
    let (name, mut function, mut count): (_, LPFN_CONNECTEX, u32) = (WSAID_CONNECTEX, None, 0);
    let size = |bytes| u32::try_from(bytes).unwrap_or_default();
    // SAFETY: both buffers are valid for their lengths during the call. Under this name a provider writes a
    // function of this type, or nothing.
    let result = unsafe {
        WSAIoctl(
            winsock(socket),
            SIO_GET_EXTENSION_FUNCTION_POINTER,
            (&raw const name).cast(),
            size(size_of_val(&name)),
            (&raw mut function).cast(),
            size(size_of::<LPFN_CONNECTEX>()),
            &raw mut count,
            ptr::null_mut(),
            None,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    function.ok_or_else(|| io::ErrorKind::Unsupported.into())
}
