//! The table of `NTSTATUS` values: what an overlapped operation leaves in `OVERLAPPED.Internal`, and an AFD
//! poll in its `IO_STATUS_BLOCK`.
//!
//! Numbers: `ntstatus.h`. Which of them Winsock operations end with, and how they read: the table by which
//! libuv turns them into Winsock codes (`src/win/winsock.c`), and `RtlNtStatusToDosError`, with which this
//! table agrees except where Win32 has only 64 or 59 to say.

use super::Known;
use crate::Fault;

/// A status, its name, and what it says. In the order of `Fault`.
type Row = (u32, &'static str, Fault);

/// The row of a status. Called on the failing path only, so a walk through the table is quick enough.
pub(super) fn lookup(status: u32) -> Option<Known> {
    ROWS.iter().find(|row| row.0 == status).map(|&(_, name, fault)| Known { name, fault })
}

/// The Win32 code inside a status of facility NTWIN32 with severity error (`NTSTATUS_FROM_WIN32`).
pub(super) fn win32(status: u32) -> Option<u32> {
    const FACILITY_NTWIN32: u32 = 0xC007_0000;
    (status & 0xFFFF_0000 == FACILITY_NTWIN32).then_some(status & 0xFFFF)
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (0xC000_020D, "STATUS_CONNECTION_RESET",           Fault::Reset),
    (0xC000_020C, "STATUS_CONNECTION_DISCONNECTED",    Fault::Reset),
    (0xC000_013C, "STATUS_REMOTE_DISCONNECT",          Fault::Reset),
    // libuv groups it with the resets.
    (0xC000_013E, "STATUS_LINK_FAILED",                Fault::Reset),
    (0xC000_014B, "STATUS_PIPE_BROKEN",                Fault::BrokenPipe),
    (0xC000_00B1, "STATUS_PIPE_CLOSING",               Fault::BrokenPipe),
    (0xC000_0241, "STATUS_CONNECTION_ABORTED",         Fault::Aborted),
    // Also after our own closesocket: our own flags are asked before any code.
    (0xC000_013B, "STATUS_LOCAL_DISCONNECT",           Fault::Aborted),
    (0xC000_020F, "STATUS_TRANSACTION_ABORTED",        Fault::Aborted),
    (0xC000_00B5, "STATUS_IO_TIMEOUT",                 Fault::TimedOut),
    (0xC000_013F, "STATUS_LINK_TIMEOUT",               Fault::TimedOut),
    // The words of Win32 code 64, and as ambiguous.
    (0xC000_00C9, "STATUS_NETWORK_NAME_DELETED",       Fault::NameDeleted),
    (0xC000_020B, "STATUS_ADDRESS_CLOSED",             Fault::NameDeleted),
    (0xC000_0237, "STATUS_GRACEFUL_DISCONNECT",        Fault::GracefulDisconnect),
    (0xC000_0011, "STATUS_END_OF_FILE",                Fault::GracefulDisconnect),
    (0xC000_0236, "STATUS_CONNECTION_REFUSED",         Fault::Refused),
    (0xC000_00BC, "STATUS_REMOTE_NOT_LISTENING",       Fault::Refused),
    // libuv, whose table serves UDP too, reads a reset here.
    (0xC000_023F, "STATUS_PORT_UNREACHABLE",           Fault::Refused),
    (0xC000_023D, "STATUS_HOST_UNREACHABLE",           Fault::Unreachable),
    (0xC000_023C, "STATUS_NETWORK_UNREACHABLE",        Fault::Unreachable),
    (0xC000_023E, "STATUS_PROTOCOL_UNREACHABLE",       Fault::Unreachable),
    (0xC000_A012, "STATUS_HOPLIMIT_EXCEEDED",          Fault::Unreachable),
    (0xC000_0350, "STATUS_HOST_DOWN",                  Fault::Unreachable),
    (0xC000_00BE, "STATUS_BAD_NETWORK_PATH",           Fault::Unreachable),
    (0xC000_00C3, "STATUS_INVALID_NETWORK_RESPONSE",   Fault::Protocol),
    (0xC000_0022, "STATUS_ACCESS_DENIED",              Fault::PermissionDenied),
    (0xC000_00CA, "STATUS_NETWORK_ACCESS_DENIED",      Fault::PermissionDenied),
    (0xC000_0061, "STATUS_PRIVILEGE_NOT_HELD",         Fault::PermissionDenied),
    (0xC000_00BB, "STATUS_NOT_SUPPORTED",              Fault::Unsupported),
    (0xC000_0002, "STATUS_NOT_IMPLEMENTED",            Fault::Unsupported),
    (0xC000_0010, "STATUS_INVALID_DEVICE_REQUEST",     Fault::Unsupported),
    (0xC000_0140, "STATUS_INVALID_CONNECTION",         Fault::NotConnected),
    (0xC000_023A, "STATUS_CONNECTION_INVALID",         Fault::NotConnected),
    (0xC000_0239, "STATUS_ADDRESS_NOT_ASSOCIATED",     Fault::NotConnected),
    (0xC000_023B, "STATUS_CONNECTION_ACTIVE",          Fault::AlreadyConnected),
    // A receive or send after our own shutdown.
    (0xC000_00B0, "STATUS_PIPE_DISCONNECTED",          Fault::ShutDown),
    (0x0000_0103, "STATUS_PENDING",                    Fault::InProgress),
    (0xC000_00A3, "STATUS_DEVICE_NOT_READY",           Fault::WouldBlock),
    (0xC000_00D0, "STATUS_REQUEST_NOT_ACCEPTED",       Fault::WouldBlock),
    (0x0000_00C0, "STATUS_USER_APC",                   Fault::Interrupted),
    (0xC000_022D, "STATUS_RETRY",                      Fault::Interrupted),
    // A wait, not a connection; positive, so a success to NT_SUCCESS.
    (0x0000_0102, "STATUS_TIMEOUT",                    Fault::WaitExpired),
    (0xC000_0120, "STATUS_CANCELLED",                  Fault::Cancelled),
    // The operation was in flight when its handle was closed.
    (0x8000_000A, "STATUS_HANDLES_CLOSED",             Fault::Cancelled),
    (0xC000_0240, "STATUS_REQUEST_ABORTED",            Fault::Cancelled),
    (0xC000_009A, "STATUS_INSUFFICIENT_RESOURCES",     Fault::NoBuffers),
    (0xC000_0017, "STATUS_NO_MEMORY",                  Fault::NoBuffers),
    (0xC000_0044, "STATUS_QUOTA_EXCEEDED",             Fault::NoBuffers),
    (0xC000_0007, "STATUS_PAGEFILE_QUOTA",             Fault::NoBuffers),
    (0xC000_012D, "STATUS_COMMITMENT_LIMIT",           Fault::NoBuffers),
    (0xC000_00A1, "STATUS_WORKING_SET_QUOTA",          Fault::NoBuffers),
    (0xC000_011F, "STATUS_TOO_MANY_OPENED_FILES",      Fault::ProcessLimit),
    (0xC000_0246, "STATUS_CONNECTION_COUNT_LIMIT",     Fault::SystemLimit),
    (0xC000_00BF, "STATUS_NETWORK_BUSY",               Fault::Busy),
    (0x8000_0011, "STATUS_DEVICE_BUSY",                Fault::Busy),
    (0xC000_020A, "STATUS_ADDRESS_ALREADY_EXISTS",     Fault::AddressInUse),
    (0xC000_0238, "STATUS_ADDRESS_ALREADY_ASSOCIATED", Fault::AddressInUse),
    (0xC000_00BD, "STATUS_DUPLICATE_NAME",             Fault::AddressInUse),
    (0xC000_0209, "STATUS_TOO_MANY_ADDRESSES",         Fault::AddressInUse),
    (0xC000_0043, "STATUS_SHARING_VIOLATION",          Fault::AddressInUse),
    (0xC000_0207, "STATUS_INVALID_ADDRESS_COMPONENT",  Fault::AddressNotAvailable),
    (0xC000_0141, "STATUS_INVALID_ADDRESS",            Fault::AddressNotAvailable),
    (0xC000_0018, "STATUS_CONFLICTING_ADDRESSES",      Fault::AddressNotAvailable),
    (0x8000_0005, "STATUS_BUFFER_OVERFLOW",            Fault::MessageTooLong),
    (0xC000_0206, "STATUS_INVALID_BUFFER_SIZE",        Fault::MessageTooLong),
    (0xC000_0008, "STATUS_INVALID_HANDLE",             Fault::BadDescriptor),
    (0xC000_0024, "STATUS_OBJECT_TYPE_MISMATCH",       Fault::BadDescriptor),
    (0xC000_0128, "STATUS_FILE_CLOSED",                Fault::BadDescriptor),
    (0xC000_000D, "STATUS_INVALID_PARAMETER",          Fault::Invalid),
    (0xC000_0005, "STATUS_ACCESS_VIOLATION",           Fault::Invalid),
    (0xC000_0023, "STATUS_BUFFER_TOO_SMALL",           Fault::Invalid),
    (0xC000_0035, "STATUS_OBJECT_NAME_COLLISION",      Fault::AlreadyExists),
    (0xC000_0225, "STATUS_NOT_FOUND",                  Fault::NotFound),
    (0xC000_0034, "STATUS_OBJECT_NAME_NOT_FOUND",      Fault::NotFound),
    (0xC000_003A, "STATUS_OBJECT_PATH_NOT_FOUND",      Fault::NotFound),
    (0xC000_000F, "STATUS_NO_SUCH_FILE",               Fault::NotFound),
    (0xC000_00C4, "STATUS_UNEXPECTED_NETWORK_ERROR",   Fault::Io),
    (0xC000_0185, "STATUS_IO_DEVICE_ERROR",            Fault::Io),
    (0xC000_0001, "STATUS_UNSUCCESSFUL",               Fault::Io),
    (0xC000_000E, "STATUS_NO_SUCH_DEVICE",             Fault::Io),
];
