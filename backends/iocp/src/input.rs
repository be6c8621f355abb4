//! What the OS said, in the machine's words. Nothing is decided here.

use std::io;

use hangup::{Answer, Fault, RawCode};

use crate::os::Landing;

/// An answer, and the code that its fault was made from.
pub(crate) type Said = (Answer, Option<RawCode>);

/// Why a call failed: the fault for the machine, the code for the report.
pub(crate) fn fault(error: &io::Error) -> (Fault, Option<RawCode>) {
    match error.raw_os_error() {
        Some(code) => {
            let code = RawCode::here(code);
            (code.fault(), Some(code))
        }
        None => (Fault::Other, None),
    }
}

/// The answer of a receive. Without room, it says only that there is something to receive.
pub(crate) fn received(landing: Landing, had_room: bool) -> Said {
    match landing {
        Landing::Done(0) if had_room => (Answer::EndOfStream, None),
        Landing::Done(count) => (Answer::Received(count), None),
        // Winsock has a number for the orderly end, for protocols other than TCP.
        Landing::Failed(code, _) if code.fault() == Fault::GracefulDisconnect => (Answer::EndOfStream, None),
        Landing::Failed(code, _) => (Answer::ReceiveFailed(code.fault()), Some(code)),
    }
}

/// The answer of a receive that was made at once, behind one without room.
pub(crate) fn fetched(result: &io::Result<usize>) -> Said {
    match result {
        Ok(0) => (Answer::EndOfStream, None),
        Ok(count) => (Answer::Received(*count), None),
        Err(error) => match fault(error) {
            (Fault::WouldBlock, _) => (Answer::ReceiveBlocked, None),
            (Fault::GracefulDisconnect, _) => (Answer::EndOfStream, None),
            (fault, code) => (Answer::ReceiveFailed(fault), code),
        },
    }
}

/// The answer of a send.
pub(crate) fn sent(landing: Landing) -> Said {
    match landing {
        Landing::Done(count) => (Answer::Sent(count), None),
        Landing::Failed(code, _) => (Answer::SendFailed(code.fault()), Some(code)),
    }
}

/// The answer of a connect, once the socket has been told of it.
pub(crate) fn connected(landing: Landing, told: impl FnOnce() -> io::Result<()>) -> Said {
    match landing {
        Landing::Failed(code, _) => (Answer::ConnectFailed(code.fault()), Some(code)),
        Landing::Done(_) => match told() {
            Ok(()) => (Answer::Connected, None),
            Err(error) => {
                let (fault, code) = fault(&error);
                (Answer::ConnectFailed(fault), code)
            }
        },
    }
}

/// The answer to the question for the pending error.
pub(crate) fn inquired(pending: io::Result<Option<io::Error>>) -> Said {
    match pending {
        Ok(Some(error)) => {
            let (fault, code) = fault(&error);
            (Answer::PendingError(fault), code)
        }
        Ok(None) | Err(_) => (Answer::NoError, None),
    }
}

/// The answer of `shutdown`.
pub(crate) fn shut_down(result: &io::Result<()>) -> Said {
    match result {
        Ok(()) => (Answer::ShutDown, None),
        Err(error) => {
            let (fault, code) = fault(error);
            (Answer::ShutdownFailed(fault), code)
        }
    }
}
