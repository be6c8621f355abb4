//! The only `unsafe` of this package, and what differs by system.

mod evidence;

use std::io;
use std::net::TcpStream;

use polling::{Event, PollMode, Poller};

pub use self::evidence::{Evidence, TcpState};

/// Registers a stream. It must be deleted before it is closed.
pub(crate) fn add(poller: &Poller, stream: &TcpStream, interest: Event, mode: PollMode) -> io::Result<()> {
    // SAFETY: I06, one owner of the descriptor and deletion before close. The only caller is
    // `socket::Socket`, which owns the stream from here on, lends it out by reference only, and
    // deletes the registration in both of its ways out: `deregister` and `drop`.
    unsafe { poller.add_with_mode(stream, interest, mode) }
}

/// Registers a listener. As [`add`]; the only caller is `acceptor::Acceptor`, which deletes it in `drop`.
pub(crate) fn add_listener(
    poller: &Poller,
    listener: &std::net::TcpListener,
    interest: Event,
    mode: PollMode,
) -> io::Result<()> {
    // SAFETY: I06, as above: `Acceptor` owns the listener and deletes the registration before it drops it.
    unsafe { poller.add_with_mode(listener, interest, mode) }
}

/// Brings the loop back from `wait`, although nothing has happened at the OS: on Windows by a packet on the
/// completion port that carries the token, elsewhere by a notification.
///
/// It may fail, and nothing depends on it: what is to be done is in the driver's list, and
/// [`Driver::timeout`](crate::Driver::timeout) says "at once" while the list is not empty.
pub(crate) fn come_back(poller: &Poller, token: usize) -> io::Result<()> {
    #[cfg(windows)]
    {
        use polling::os::iocp::{CompletionPacket, PollerIocpExt};
        poller.post(CompletionPacket::new(Event::none(token)))
    }
    #[cfg(not(windows))]
    {
        let _token = token;
        poller.notify()
    }
}

/// Linux keeps an error flag on a healthy connection until its error queue has been read once.
pub(crate) fn read_error_queue(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    {
        use rustix::net::{RecvFlags, recv};
        let mut nothing = [0_u8; 1];
        // Bounded: each turn takes one message, and a router that goes on complaining is heard again later.
        for _ in 0..16 {
            if recv(stream, &mut nothing, RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT).is_err() {
                break;
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _stream = stream;
}
