//! The table of Winsock and Win32 codes, which share one space: `WSAGetLastError` is `GetLastError`.
//!
//! Which codes: what Microsoft documents for socket, WSARecv, WSASend, AcceptEx, ConnectEx, shutdown,
//! closesocket, getsockopt, CancelIoEx, GetQueuedCompletionStatus(Ex) and DeviceIoControl, and what
//! `RtlNtStatusToDosError` makes of the statuses in `ntstatus`, because that is what a completion port puts
//! into `GetLastError`. Numbers: `winerror.h` and `winsock2.h`. Codes of name resolution and service lookup
//! are left out.

use super::Known;
use crate::Fault;

/// A number, its name, and what it says.
///
/// In the order of `Fault`, and within one fault the most usual name first: [`typical`] takes the first.
type Row = (u32, &'static str, Fault);

/// The row of a number. Called on the failing path only, so a walk through the table is quick enough.
pub(super) fn lookup(code: u32) -> Option<Known> {
    ROWS.iter().find(|row| row.0 == code).map(|&(_, name, fault)| Known { name, fault })
}

/// The number of the first name that says this.
pub(super) fn typical(fault: Fault) -> Option<i32> {
    ROWS.iter().find(|row| row.2 == fault).and_then(|row| i32::try_from(row.0).ok())
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (10054, "WSAECONNRESET",                     Fault::Reset),
    (  109, "ERROR_BROKEN_PIPE",                 Fault::BrokenPipe),
    // What a completion port makes of STATUS_PIPE_CLOSING.
    (  232, "ERROR_NO_DATA",                     Fault::BrokenPipe),
    (10053, "WSAECONNABORTED",                   Fault::Aborted),
    ( 1236, "ERROR_CONNECTION_ABORTED",          Fault::Aborted),
    (10060, "WSAETIMEDOUT",                      Fault::TimedOut),
    // What a completion port makes of STATUS_IO_TIMEOUT.
    (  121, "ERROR_SEM_TIMEOUT",                 Fault::TimedOut),
    (10052, "WSAENETRESET",                      Fault::KeepAliveFailed),
    // Six statuses end here, our own close among them: decode the NTSTATUS instead.
    (   64, "ERROR_NETNAME_DELETED",             Fault::NameDeleted),
    (10101, "WSAEDISCON",                        Fault::GracefulDisconnect),
    ( 1226, "ERROR_GRACEFUL_DISCONNECT",         Fault::GracefulDisconnect),
    (   38, "ERROR_HANDLE_EOF",                  Fault::GracefulDisconnect),
    (10061, "WSAECONNREFUSED",                   Fault::Refused),
    ( 1225, "ERROR_CONNECTION_REFUSED",          Fault::Refused),
    ( 1234, "ERROR_PORT_UNREACHABLE",            Fault::Refused),
    (   51, "ERROR_REM_NOT_LIST",                Fault::Refused),
    (10065, "WSAEHOSTUNREACH",                   Fault::Unreachable),
    (10051, "WSAENETUNREACH",                    Fault::Unreachable),
    (10064, "WSAEHOSTDOWN",                      Fault::Unreachable),
    ( 1231, "ERROR_NETWORK_UNREACHABLE",         Fault::Unreachable),
    ( 1232, "ERROR_HOST_UNREACHABLE",            Fault::Unreachable),
    ( 1233, "ERROR_PROTOCOL_UNREACHABLE",        Fault::Unreachable),
    ( 1256, "ERROR_HOST_DOWN",                   Fault::Unreachable),
    (   53, "ERROR_BAD_NETPATH",                 Fault::Unreachable),
    (10050, "WSAENETDOWN",                       Fault::NetworkDown),
    (10091, "WSASYSNOTREADY",                    Fault::NetworkDown),
    ( 1222, "ERROR_NO_NETWORK",                  Fault::NetworkDown),
    (10042, "WSAENOPROTOOPT",                    Fault::Protocol),
    (   58, "ERROR_BAD_NET_RESP",                Fault::Protocol),
    (10013, "WSAEACCES",                         Fault::PermissionDenied),
    (    5, "ERROR_ACCESS_DENIED",               Fault::PermissionDenied),
    (   65, "ERROR_NETWORK_ACCESS_DENIED",       Fault::PermissionDenied),
    ( 1314, "ERROR_PRIVILEGE_NOT_HELD",          Fault::PermissionDenied),
    (10045, "WSAEOPNOTSUPP",                     Fault::Unsupported),
    (10043, "WSAEPROTONOSUPPORT",                Fault::Unsupported),
    (10047, "WSAEAFNOSUPPORT",                   Fault::Unsupported),
    (10044, "WSAESOCKTNOSUPPORT",                Fault::Unsupported),
    (10046, "WSAEPFNOSUPPORT",                   Fault::Unsupported),
    (10041, "WSAEPROTOTYPE",                     Fault::Unsupported),
    (10092, "WSAVERNOTSUPPORTED",                Fault::Unsupported),
    (   50, "ERROR_NOT_SUPPORTED",               Fault::Unsupported),
    (    1, "ERROR_INVALID_FUNCTION",            Fault::Unsupported),
    (  120, "ERROR_CALL_NOT_IMPLEMENTED",        Fault::Unsupported),
    (10057, "WSAENOTCONN",                       Fault::NotConnected),
    (10039, "WSAEDESTADDRREQ",                   Fault::NotConnected),
    ( 1229, "ERROR_CONNECTION_INVALID",          Fault::NotConnected),
    ( 1228, "ERROR_ADDRESS_NOT_ASSOCIATED",      Fault::NotConnected),
    ( 2250, "ERROR_NOT_CONNECTED",               Fault::NotConnected),
    (10056, "WSAEISCONN",                        Fault::AlreadyConnected),
    ( 1230, "ERROR_CONNECTION_ACTIVE",           Fault::AlreadyConnected),
    (10058, "WSAESHUTDOWN",                      Fault::ShutDown),
    // What a completion port makes of WSAESHUTDOWN.
    (  233, "ERROR_PIPE_NOT_CONNECTED",          Fault::ShutDown),
    (  997, "ERROR_IO_PENDING",                  Fault::InProgress),
    // GetOverlappedResult on an operation that is still in flight.
    (  996, "ERROR_IO_INCOMPLETE",               Fault::InProgress),
    (10036, "WSAEINPROGRESS",                    Fault::InProgress),
    (10037, "WSAEALREADY",                       Fault::InProgress),
    (10035, "WSAEWOULDBLOCK",                    Fault::WouldBlock),
    (   21, "ERROR_NOT_READY",                   Fault::WouldBlock),
    (   71, "ERROR_REQ_NOT_ACCEP",               Fault::WouldBlock),
    (10004, "WSAEINTR",                          Fault::Interrupted),
    // An alertable wait was interrupted by a call queued to the thread.
    (  192, "WAIT_IO_COMPLETION",                Fault::Interrupted),
    ( 1237, "ERROR_RETRY",                       Fault::Interrupted),
    // GetQueuedCompletionStatus with no packet.
    (  258, "WAIT_TIMEOUT",                      Fault::WaitExpired),
    ( 1460, "ERROR_TIMEOUT",                     Fault::WaitExpired),
    (  995, "ERROR_OPERATION_ABORTED",           Fault::Cancelled),
    // The operation was in flight when its handle was closed.
    (  676, "ERROR_HANDLES_CLOSED",              Fault::Cancelled),
    // The completion port was closed while a thread waited on it.
    (  735, "ERROR_ABANDONED_WAIT_0",            Fault::Cancelled),
    ( 1223, "ERROR_CANCELLED",                   Fault::Cancelled),
    ( 1235, "ERROR_REQUEST_ABORTED",             Fault::Cancelled),
    (10103, "WSAECANCELLED",                     Fault::Cancelled),
    (10111, "WSA_E_CANCELLED",                   Fault::Cancelled),
    (10055, "WSAENOBUFS",                        Fault::NoBuffers),
    (10069, "WSAEDQUOT",                         Fault::NoBuffers),
    (    8, "ERROR_NOT_ENOUGH_MEMORY",           Fault::NoBuffers),
    (   14, "ERROR_OUTOFMEMORY",                 Fault::NoBuffers),
    ( 1450, "ERROR_NO_SYSTEM_RESOURCES",         Fault::NoBuffers),
    ( 1451, "ERROR_NONPAGED_SYSTEM_RESOURCES",   Fault::NoBuffers),
    ( 1452, "ERROR_PAGED_SYSTEM_RESOURCES",      Fault::NoBuffers),
    ( 1453, "ERROR_WORKING_SET_QUOTA",           Fault::NoBuffers),
    ( 1454, "ERROR_PAGEFILE_QUOTA",              Fault::NoBuffers),
    ( 1455, "ERROR_COMMITMENT_LIMIT",            Fault::NoBuffers),
    ( 1816, "ERROR_NOT_ENOUGH_QUOTA",            Fault::NoBuffers),
    (10024, "WSAEMFILE",                         Fault::ProcessLimit),
    (10067, "WSAEPROCLIM",                       Fault::ProcessLimit),
    (    4, "ERROR_TOO_MANY_OPEN_FILES",         Fault::ProcessLimit),
    ( 1238, "ERROR_CONNECTION_COUNT_LIMIT",      Fault::SystemLimit),
    (10068, "WSAEUSERS",                         Fault::SystemLimit),
    (  170, "ERROR_BUSY",                        Fault::Busy),
    (   54, "ERROR_NETWORK_BUSY",                Fault::Busy),
    (10048, "WSAEADDRINUSE",                     Fault::AddressInUse),
    ( 1227, "ERROR_ADDRESS_ALREADY_ASSOCIATED",  Fault::AddressInUse),
    // ConnectEx: the pair of addresses is still in TIME_WAIT.
    (   52, "ERROR_DUP_NAME",                    Fault::AddressInUse),
    (   68, "ERROR_TOO_MANY_NAMES",              Fault::AddressInUse),
    (   32, "ERROR_SHARING_VIOLATION",           Fault::AddressInUse),
    (10049, "WSAEADDRNOTAVAIL",                  Fault::AddressNotAvailable),
    ( 1214, "ERROR_INVALID_NETNAME",             Fault::AddressNotAvailable),
    (  487, "ERROR_INVALID_ADDRESS",             Fault::AddressNotAvailable),
    (10040, "WSAEMSGSIZE",                       Fault::MessageTooLong),
    (  234, "ERROR_MORE_DATA",                   Fault::MessageTooLong),
    ( 1784, "ERROR_INVALID_USER_BUFFER",         Fault::MessageTooLong),
    (10038, "WSAENOTSOCK",                       Fault::BadDescriptor),
    (10009, "WSAEBADF",                          Fault::BadDescriptor),
    (    6, "ERROR_INVALID_HANDLE",              Fault::BadDescriptor),
    (10022, "WSAEINVAL",                         Fault::Invalid),
    (10014, "WSAEFAULT",                         Fault::Invalid),
    (10062, "WSAELOOP",                          Fault::Invalid),
    (10063, "WSAENAMETOOLONG",                   Fault::Invalid),
    (10093, "WSANOTINITIALISED",                 Fault::Invalid),
    (   87, "ERROR_INVALID_PARAMETER",           Fault::Invalid),
    (  122, "ERROR_INSUFFICIENT_BUFFER",         Fault::Invalid),
    (  998, "ERROR_NOACCESS",                    Fault::Invalid),
    (  183, "ERROR_ALREADY_EXISTS",              Fault::AlreadyExists),
    (   80, "ERROR_FILE_EXISTS",                 Fault::AlreadyExists),
    ( 1168, "ERROR_NOT_FOUND",                   Fault::NotFound),
    (    2, "ERROR_FILE_NOT_FOUND",              Fault::NotFound),
    (    3, "ERROR_PATH_NOT_FOUND",              Fault::NotFound),
    ( 1117, "ERROR_IO_DEVICE",                   Fault::Io),
    // Like 64 a catch-all: a failed link, a link timeout and "not connected" end here too.
    (   59, "ERROR_UNEXP_NET_ERR",               Fault::Io),
    (   31, "ERROR_GEN_FAILURE",                 Fault::Io),
    (   55, "ERROR_DEV_NOT_EXIST",               Fault::Io),
    (   57, "ERROR_ADAP_HDW_ERR",                Fault::Io),
    (  433, "ERROR_NO_SUCH_DEVICE",              Fault::Io),
    (10107, "WSASYSCALLFAILURE",                 Fault::Io),
    // A socket provider is broken or missing.
    (10104, "WSAEINVALIDPROCTABLE",              Fault::Io),
    (10105, "WSAEINVALIDPROVIDER",               Fault::Io),
    (10106, "WSAEPROVIDERFAILEDINIT",            Fault::Io),
];
