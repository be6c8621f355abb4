//! What a client does, step by step.

use std::time::Duration;

/// The whole plan of one client.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) steps: Vec<Step>,
    /// What is to come back.
    pub(super) check: Check,
    /// Whether the client misbehaves, so that any error is fair.
    pub(super) is_forgiving: bool,
    /// Whether the server is to feel it soon when the client does not read.
    pub(super) has_small_window: bool,
}

/// One step. A script that runs out of steps closes.
#[derive(Debug)]
pub(super) enum Step {
    /// Send and receive.
    Talk(Talk),
    /// Do nothing, not even notice anything.
    Wait(Duration),
    /// Shut the send half down.
    Finish,
    /// Close, whatever has not been read.
    Close,
    /// Close so that a reset goes out.
    Reset,
}

/// Send and receive, until something.
pub(super) struct Talk {
    /// What to send first.
    pub(super) head: Vec<u8>,
    /// So many bytes of the pattern to send after that.
    pub(super) filler: u64,
    pub(super) reading: Reading,
    pub(super) until: Until,
    /// Go on after this time, reached or not.
    pub(super) limit: Option<Duration>,
}

/// How to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Not at all.
    No,
    /// As soon as possible.
    Eager,
    /// So many bytes at a time, with a pause between.
    Slow(usize, Duration),
}

/// When a talk is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Everything is sent.
    Sent,
    /// Everything that was ever sent has come back.
    Echoed,
    /// There is something to read.
    Readable,
    /// So many answers have come, from the beginning.
    Answers(usize),
    /// The end of the stream.
    End,
}

/// What is to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Anything.
    Nothing,
    /// What was sent, byte for byte, and up to the end of the stream all of it.
    Echo,
    /// So many whole answers of this status, and nothing else.
    Answers(usize, u16),
}

impl Talk {
    /// Sends `bytes` of the pattern.
    pub(super) const fn pattern(bytes: u64, reading: Reading, until: Until) -> Step {
        Step::Talk(Self { head: Vec::new(), filler: bytes, reading, until, limit: None })
    }

    /// Sends a text.
    pub(super) fn text(text: &str, until: Until) -> Step {
        Self::bytes(text.as_bytes().to_vec(), 0, until)
    }

    /// Sends bytes, and then some of the pattern.
    pub(super) const fn bytes(head: Vec<u8>, filler: u64, until: Until) -> Step {
        Step::Talk(Self { head, filler, reading: Reading::Eager, until, limit: None })
    }

    /// Reads up to the end of the stream.
    pub(super) const fn end() -> Step {
        Self::pattern(0, Reading::Eager, Until::End)
    }

    /// As [`Talk::end`], but gives up after a while.
    pub(super) const fn end_within(limit: Duration) -> Step {
        let limit = Some(limit);
        Step::Talk(Self { head: Vec::new(), filler: 0, reading: Reading::Eager, until: Until::End, limit })
    }
}

impl std::fmt::Debug for Talk {
    /// What is left to send, without the bytes themselves.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let left = self.head.len() as u64 + self.filler;
        write!(f, "Talk({left} B left, reading {:?}, until {:?})", self.reading, self.until)
    }
}
