//! The table of errno numbers, all systems side by side.
//!
//! Which names: POSIX.1-2024 and the manual pages of socket, accept, connect, recv, send, sendfile, shutdown,
//! getsockopt, getpeername and close on each system; epoll_ctl(2) and io_uring_enter(2); kqueue(2);
//! port_create(3C). Which numbers, by column: Linux `asm-generic/errno-base.h` and `asm-generic/errno.h`;
//! MIPS and SPARC the `asm/errno.h` of each; Apple `bsd/sys/errno.h` of XNU; FreeBSD, DragonFly, NetBSD,
//! OpenBSD and illumos `sys/errno.h`. The same numbers are in the libc crate, with which the tests compare
//! them.

use super::{Known, Os};
use crate::Fault;

/// A name, what it says, and its number on each system in the order of [`number`]; 0 where there is none.
///
/// In the order of `Fault`, and within one fault the most usual name first: [`typical`] takes the first. On
/// one system a number stands in one row only.
type Row = (&'static str, Fault, [i16; 9]);

/// The row of a number. Called on the failing path only, so a walk through the table is quick enough.
pub(super) fn lookup(os: Os, code: i32) -> Option<Known> {
    ROWS.iter()
        .find(|(_, _, numbers)| number(os, *numbers) == Some(code))
        .map(|&(name, fault, _)| Known { name, fault })
}

/// The number of the first name that says this.
pub(super) fn typical(fault: Fault, os: Os) -> Option<i32> {
    ROWS.iter().filter(|row| row.1 == fault).find_map(|row| number(os, row.2))
}

fn number(os: Os, numbers: [i16; 9]) -> Option<i32> {
    let [linux, mips, sparc, apple, freebsd, dragonfly, netbsd, openbsd, illumos] = numbers;
    let number = match os {
        Os::Linux => linux,
        Os::LinuxMips => mips,
        Os::LinuxSparc => sparc,
        Os::Apple => apple,
        Os::FreeBsd => freebsd,
        Os::DragonFly => dragonfly,
        Os::NetBsd => netbsd,
        Os::OpenBsd => openbsd,
        Os::Illumos => illumos,
        Os::Windows => 0,
    };
    (number != 0).then_some(i32::from(number))
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    //                                              linux  mips sparc apple  free  dfly   net  open illum
    ("ECONNRESET",      Fault::Reset,               [ 104,  131,   54,   54,   54,   54,   54,   54,  131]),
    // A race in the Apple kernel, from a send on a connection that is being torn down (libuv#3413).
    ("EPROTOTYPE",      Fault::Reset,               [   0,    0,    0,   41,    0,    0,    0,    0,    0]),
    ("EPIPE",           Fault::BrokenPipe,          [  32,   32,   32,   32,   32,   32,   32,   32,   32]),
    ("ECONNABORTED",    Fault::Aborted,             [ 103,  130,   53,   53,   53,   53,   53,   53,  130]),
    ("ETIMEDOUT",       Fault::TimedOut,            [ 110,  145,   60,   60,   60,   60,   60,   60,  145]),
    ("ENETRESET",       Fault::KeepAliveFailed,     [ 102,  129,   52,   52,   52,   52,   52,   52,  129]),
    ("ECONNREFUSED",    Fault::Refused,             [ 111,  146,   61,   61,   61,   61,   61,   61,  146]),
    ("EHOSTUNREACH",    Fault::Unreachable,         [ 113,  148,   65,   65,   65,   65,   65,   65,  148]),
    ("ENETUNREACH",     Fault::Unreachable,         [ 101,  128,   51,   51,   51,   51,   51,   51,  128]),
    ("EHOSTDOWN",       Fault::Unreachable,         [ 112,  147,   64,   64,   64,   64,   64,   64,  147]),
    // ICMP "source host isolated".
    ("ENONET",          Fault::Unreachable,         [  64,   64,   80,    0,    0,    0,    0,    0,   64]),
    ("ENETDOWN",        Fault::NetworkDown,         [ 100,  127,   50,   50,   50,   50,   50,   50,  127]),
    ("EPROTO",          Fault::Protocol,            [  71,   71,   86,  100,   92,   92,   96,   95,   71]),
    // ICMP "protocol unreachable".
    ("ENOPROTOOPT",     Fault::Protocol,            [  92,   99,   42,   42,   42,   42,   42,   42,   99]),
    // Kernel TLS; STREAMS.
    ("EBADMSG",         Fault::Protocol,            [  74,   77,   76,   94,   89,   89,   88,   92,   77]),
    // OpenBSD: IPsec refused the packet.
    ("EIPSEC",          Fault::Protocol,            [   0,    0,    0,    0,    0,    0,    0,   82,    0]),
    ("EACCES",          Fault::PermissionDenied,    [  13,   13,   13,   13,   13,   13,   13,   13,   13]),
    ("EPERM",           Fault::PermissionDenied,    [   1,    1,    1,    1,    1,    1,    1,    1,    1]),
    // Capsicum.
    ("ENOTCAPABLE",     Fault::PermissionDenied,    [   0,    0,    0,  107,   93,    0,    0,    0,    0]),
    ("ECAPMODE",        Fault::PermissionDenied,    [   0,    0,    0,    0,   94,    0,    0,    0,    0]),
    ("EOPNOTSUPP",      Fault::Unsupported,         [  95,  122,   45,  102,   45,   45,   45,   45,  122]),
    // 0 where it is the same number as EOPNOTSUPP.
    ("ENOTSUP",         Fault::Unsupported,         [   0,    0,    0,   45,    0,    0,   86,   91,   48]),
    ("EPROTONOSUPPORT", Fault::Unsupported,         [  93,  120,   43,   43,   43,   43,   43,   43,  120]),
    ("EAFNOSUPPORT",    Fault::Unsupported,         [  97,  124,   47,   47,   47,   47,   47,   47,  124]),
    ("ESOCKTNOSUPPORT", Fault::Unsupported,         [  94,  121,   44,   44,   44,   44,   44,   44,  121]),
    ("EPFNOSUPPORT",    Fault::Unsupported,         [  96,  123,   46,   46,   46,   46,   46,   46,  123]),
    ("EPROTOTYPE",      Fault::Unsupported,         [  91,   98,   41,    0,   41,   41,   41,   41,   98]),
    ("ENOSYS",          Fault::Unsupported,         [  38,   89,   90,   78,   78,   78,   78,   78,   89]),
    ("ENOTTY",          Fault::Unsupported,         [  25,   25,   25,   25,   25,   25,   25,   25,   25]),
    ("ENOTCONN",        Fault::NotConnected,        [ 107,  134,   57,   57,   57,   57,   57,   57,  134]),
    ("EDESTADDRREQ",    Fault::NotConnected,        [  89,   96,   39,   39,   39,   39,   39,   39,   96]),
    ("EISCONN",         Fault::AlreadyConnected,    [ 106,  133,   56,   56,   56,   56,   56,   56,  133]),
    ("ESHUTDOWN",       Fault::ShutDown,            [ 108,  143,   58,   58,   58,   58,   58,   58,  143]),
    ("EINPROGRESS",     Fault::InProgress,          [ 115,  150,   36,   36,   36,   36,   36,   36,  150]),
    // Also io_uring: found, but too late to cancel.
    ("EALREADY",        Fault::InProgress,          [ 114,  149,   37,   37,   37,   37,   37,   37,  149]),
    // EWOULDBLOCK is the same number everywhere.
    ("EAGAIN",          Fault::WouldBlock,          [  11,   11,   11,   35,   35,   35,   35,   35,   11]),
    ("EINTR",           Fault::Interrupted,         [   4,    4,    4,    4,    4,    4,    4,    4,    4]),
    ("ERESTART",        Fault::Interrupted,         [  85,   91,  116,    0,    0,    0,    0,    0,   91]),
    // io_uring timeouts, port_get on illumos.
    ("ETIME",           Fault::WaitExpired,         [  62,   62,   73,  101,    0,    0,   92,    0,   62]),
    ("ECANCELED",       Fault::Cancelled,           [ 125,  158,  127,   89,   85,   85,   87,   88,   47]),
    // Also io_uring: the pool of provided buffers is empty, and the connection lives.
    ("ENOBUFS",         Fault::NoBuffers,           [ 105,  132,   55,   55,   55,   55,   55,   55,  132]),
    ("ENOMEM",          Fault::NoBuffers,           [  12,   12,   12,   12,   12,   12,   12,   12,   12]),
    ("ENOSR",           Fault::NoBuffers,           [  63,   63,   74,   98,    0,    0,   90,    0,   63]),
    ("EQFULL",          Fault::NoBuffers,           [   0,    0,    0,  106,    0,    0,    0,    0,    0]),
    ("EMFILE",          Fault::ProcessLimit,        [  24,   24,   24,   24,   24,   24,   24,   24,   24]),
    // Descriptors in flight in messages count against the limit.
    ("ETOOMANYREFS",    Fault::ProcessLimit,        [ 109,  144,   59,   59,   59,   59,   59,   59,  144]),
    ("ENFILE",          Fault::SystemLimit,         [  23,   23,   23,   23,   23,   23,   23,   23,   23]),
    // epoll_ctl: the limit on watches. close(2) on a file system, with EDQUOT.
    ("ENOSPC",          Fault::SystemLimit,         [  28,   28,   28,   28,   28,   28,   28,   28,   28]),
    ("EDQUOT",          Fault::SystemLimit,         [ 122, 1133,   69,   69,   69,   69,   69,   69,   49]),
    // io_uring: reap completions first.
    ("EBUSY",           Fault::Busy,                [  16,   16,   16,   16,   16,   16,   16,   16,   16]),
    ("EADDRINUSE",      Fault::AddressInUse,        [  98,  125,   48,   48,   48,   48,   48,   48,  125]),
    ("EADDRNOTAVAIL",   Fault::AddressNotAvailable, [  99,  126,   49,   49,   49,   49,   49,   49,  126]),
    ("EMSGSIZE",        Fault::MessageTooLong,      [  90,   97,   40,   40,   40,   40,   40,   40,   97]),
    ("EBADF",           Fault::BadDescriptor,       [   9,    9,    9,    9,    9,    9,    9,    9,    9]),
    ("ENOTSOCK",        Fault::BadDescriptor,       [  88,   95,   38,   38,   38,   38,   38,   38,   95]),
    // A ring or a port in the wrong state.
    ("EBADFD",          Fault::BadDescriptor,       [  77,   81,   93,    0,    0,    0,    0,    0,   81]),
    ("EINVAL",          Fault::Invalid,             [  22,   22,   22,   22,   22,   22,   22,   22,   22]),
    ("EFAULT",          Fault::Invalid,             [  14,   14,   14,   14,   14,   14,   14,   14,   14]),
    ("E2BIG",           Fault::Invalid,             [   7,    7,    7,    7,    7,    7,    7,    7,    7]),
    ("EDOM",            Fault::Invalid,             [  33,   33,   33,   33,   33,   33,   33,   33,   33]),
    ("ERANGE",          Fault::Invalid,             [  34,   34,   34,   34,   34,   34,   34,   34,   34]),
    ("EOVERFLOW",       Fault::Invalid,             [  75,   79,   92,   84,   84,   84,   84,   87,   79]),
    ("ESPIPE",          Fault::Invalid,             [  29,   29,   29,   29,   29,   29,   29,   29,   29]),
    // epoll_ctl: instances that watch each other. With the next two: paths of local sockets.
    ("ELOOP",           Fault::Invalid,             [  40,   90,   62,   62,   62,   62,   62,   62,   90]),
    ("ENAMETOOLONG",    Fault::Invalid,             [  36,   78,   63,   63,   63,   63,   63,   63,   78]),
    ("ENOTDIR",         Fault::Invalid,             [  20,   20,   20,   20,   20,   20,   20,   20,   20]),
    ("EEXIST",          Fault::AlreadyExists,       [  17,   17,   17,   17,   17,   17,   17,   17,   17]),
    ("ENOENT",          Fault::NotFound,            [   2,    2,    2,    2,    2,    2,    2,    2,    2]),
    // kevent.
    ("ESRCH",           Fault::NotFound,            [   3,    3,    3,    3,    3,    3,    3,    3,    3]),
    ("EIO",             Fault::Io,                  [   5,    5,    5,    5,    5,    5,    5,    5,    5]),
    ("ENXIO",           Fault::Io,                  [   6,    6,    6,    6,    6,    6,    6,    6,    6]),
    ("ENODEV",          Fault::Io,                  [  19,   19,   19,   19,   19,   19,   19,   19,   19]),
    ("ENOLINK",         Fault::Io,                  [  67,   67,   82,   97,   91,   91,   95,    0,   67]),
    // io_uring: the thread that polls the ring is dead.
    ("EOWNERDEAD",      Fault::Io,                  [ 130,  165,  132,  105,   96,   95,   97,   94,   58]),
    // io_uring: completions were lost.
    ("EBADR",           Fault::Io,                  [  53,   51,  103,    0,    0,    0,    0,    0,   51]),
];
