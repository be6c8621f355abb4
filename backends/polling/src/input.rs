//! What the OS said, in the machine's words. Nothing is decided here.

use std::io;

use hangup::{Answer, Fault, Hint, RawCode};
use polling::Event;

/// An event's flags.
///
/// What polling passes on differs by system, and so does what a connection can see while it is paused:
///
/// | system | reset while paused | peer's FIN while paused |
/// |---|---|---|
/// | epoll | `is_interrupt` and `is_err` | no: polling does not ask for `EPOLLRDHUP` |
/// | AFD (Windows) | `is_interrupt`, which is AFD's `ABORT` | no |
/// | kqueue | no: polling drops `EV_EOF` and its error | no |
pub(crate) fn hint(event: &Event) -> Hint {
    let over = if cfg!(windows) { Hint::ABORT } else { Hint::HANG_UP };
    Hint::READABLE
        .when(event.readable)
        .with(Hint::WRITABLE.when(event.writable))
        .with(over.when(event.is_interrupt()))
        .with(Hint::ERROR.when(event.is_err() == Some(true)))
}

/// Why a call failed: the fault for the machine, the code for the report.
pub(crate) fn fault(error: &io::Error) -> (Fault, Option<RawCode>) {
    match error.raw_os_error() {
        Some(code) => {
            let code = RawCode::here(code);
            (code.fault(), Some(code))
        }
        None => (fault_of_kind(error.kind()), None),
    }
}

/// For errors that no OS call made.
#[allow(clippy::wildcard_enum_match_arm, reason = "the rest has no fault of its own")]
fn fault_of_kind(kind: io::ErrorKind) -> Fault {
    match kind {
        io::ErrorKind::WouldBlock => Fault::WouldBlock,
        io::ErrorKind::Interrupted => Fault::Interrupted,
        io::ErrorKind::NotFound => Fault::NotFound,
        io::ErrorKind::AlreadyExists => Fault::AlreadyExists,
        io::ErrorKind::InvalidInput => Fault::Invalid,
        io::ErrorKind::Unsupported => Fault::Unsupported,
        _ => Fault::Other,
    }
}

/// The answer of a receive into a buffer of length > 0.
pub(crate) fn received(result: &io::Result<usize>) -> (Answer, Option<RawCode>) {
    match result {
        Ok(0) => (Answer::EndOfStream, None),
        Ok(count) => (Answer::Received(*count), None),
        Err(error) => match fault(error) {
            (Fault::WouldBlock, _) => (Answer::ReceiveBlocked, None),
            // Winsock has a number for the orderly end, for protocols other than TCP.
            (Fault::GracefulDisconnect, _) => (Answer::EndOfStream, None),
            (fault, code) => (Answer::ReceiveFailed(fault), code),
        },
    }
}

/// The answer of a send of a buffer of length > 0.
pub(crate) fn sent(result: &io::Result<usize>) -> (Answer, Option<RawCode>) {
    match result {
        Ok(count) => (Answer::Sent(*count), None),
        Err(error) => match fault(error) {
            (Fault::WouldBlock, _) => (Answer::SendBlocked, None),
            (fault, code) => (Answer::SendFailed(fault), code),
        },
    }
}

/// The answer of a nonblocking connect.
pub(crate) fn connect_begun(result: &io::Result<()>) -> (Answer, Option<RawCode>) {
    match result {
        Ok(()) => (Answer::Connected, None),
        Err(error) => match fault(error) {
            // Under way; on Windows that is called "would block".
            (Fault::InProgress | Fault::WouldBlock | Fault::Interrupted, _) => (Answer::ConnectBlocked, None),
            (fault, code) => (Answer::ConnectFailed(fault), code),
        },
    }
}

/// The verdict on a connect: no pending error *and* a peer's name mean that it succeeded. With neither it is still
/// under way, unless the event that asks for the verdict speaks of an end: AFD takes the error of a connection
/// that was reset right after it was made, and leaves the flag.
pub(crate) fn connect_ended(
    pending: io::Result<Option<io::Error>>,
    named: io::Result<()>,
    hint: Hint,
) -> (Answer, Option<RawCode>) {
    match (pending, named) {
        (Ok(Some(error)) | Err(error), _) => {
            let (fault, code) = fault(&error);
            (Answer::ConnectFailed(fault), code)
        }
        (Ok(None), Ok(())) => (Answer::Connected, None),
        (Ok(None), Err(error)) if hint.is_alarming() => (Answer::ConnectFailed(fault(&error).0), None),
        (Ok(None), Err(_)) => (Answer::ConnectBlocked, None),
    }
}

/// The answer to the question for the pending error.
pub(crate) fn inquired(pending: io::Result<Option<io::Error>>) -> (Answer, Option<RawCode>) {
    match pending {
        Ok(Some(error)) => {
            let (fault, code) = fault(&error);
            (Answer::PendingError(fault), code)
        }
        Ok(None) | Err(_) => (Answer::NoError, None),
    }
}

/// The answer of `shutdown`.
pub(crate) fn shut_down(result: &io::Result<()>) -> (Answer, Option<RawCode>) {
    match result {
        Ok(()) => (Answer::ShutDown, None),
        Err(error) => {
            let (fault, code) = fault(error);
            (Answer::ShutdownFailed(fault), code)
        }
    }
}
