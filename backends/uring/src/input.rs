//! What the kernel said, in the machine's words. Nothing is decided here.

use std::io;

use hangup::{Answer, Fault, Hint, RawCode};

use crate::os::entries;

/// Why an operation failed: the result of a completion is a negative errno.
pub(crate) fn fault(result: i32) -> (Fault, RawCode) {
    let code = RawCode::here(result.saturating_neg());
    (code.fault(), code)
}

/// The same as an error, for whoever reads or writes.
pub(crate) fn error(result: i32) -> io::Error {
    io::Error::from_raw_os_error(result.saturating_neg())
}

/// How many bytes. A negative result is none.
pub(crate) fn count(result: i32) -> usize {
    usize::try_from(result).unwrap_or(0)
}

/// Whether the fault says something about one operation only, so that the same is to be submitted again.
pub(crate) fn ends_operation_only(fault: Fault) -> bool {
    fault.is_transient() || fault.is_under_way() || fault.is_exhaustion() || fault == Fault::Cancelled
}

/// The answer of a receive into a buffer of length > 0.
pub(crate) fn received(result: i32) -> (Answer, Option<RawCode>) {
    match result {
        0 => (Answer::EndOfStream, None),
        1.. => (Answer::Received(count(result)), None),
        _ => {
            let (fault, code) = fault(result);
            (Answer::ReceiveFailed(fault), Some(code))
        }
    }
}

/// The answer of a send of a buffer of length > 0.
pub(crate) fn sent(result: i32) -> (Answer, Option<RawCode>) {
    match result {
        0.. => (Answer::Sent(count(result)), None),
        _ => {
            let (fault, code) = fault(result);
            (Answer::SendFailed(fault), Some(code))
        }
    }
}

/// The answer of a connect.
pub(crate) fn connected(result: i32) -> (Answer, Option<RawCode>) {
    match result {
        0.. => (Answer::Connected, None),
        _ => {
            let (fault, code) = fault(result);
            (Answer::ConnectFailed(fault), Some(code))
        }
    }
}

/// The answer of a shutdown.
pub(crate) fn shut_down(result: i32) -> (Answer, Option<RawCode>) {
    match result {
        0.. => (Answer::ShutDown, None),
        _ => {
            let (fault, code) = fault(result);
            (Answer::ShutdownFailed(fault), Some(code))
        }
    }
}

/// What a watch says: the flags of `poll`.
pub(crate) fn watched(result: i32) -> (Answer, Option<RawCode>) {
    let Ok(flags) = u32::try_from(result) else {
        let (fault, code) = fault(result);
        return (Answer::WatchFailed(fault), Some(code));
    };
    let has = |flag| flags & flag != 0;
    let hint = Hint::PEER_CLOSED
        .when(has(entries::PEER_CLOSED))
        .with(Hint::HANG_UP.when(has(entries::HANG_UP)))
        .with(Hint::ERROR.when(has(entries::ERROR)));
    (Answer::Watched(hint), None)
}

/// The answer to the question for the pending error.
pub(crate) fn inquired(pending: io::Result<Option<io::Error>>) -> (Answer, Option<RawCode>) {
    match pending.ok().flatten().and_then(|error| error.raw_os_error()) {
        Some(code) => {
            let code = RawCode::here(code);
            (Answer::PendingError(code.fault()), Some(code))
        }
        None => (Answer::NoError, None),
    }
}
