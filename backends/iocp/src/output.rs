//! Output: what waits to be sent, and what the application holds back.

use std::collections::VecDeque;

use hangup::Buffer;

use crate::socket::Buffers;

/// What was written and not yet sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Output {
    queue: VecDeque<Buffer>,
    /// Bytes in the queue.
    queued: usize,
    /// Bytes that the OS has, and has not told of.
    lent: usize,
}

impl Output {
    /// How many bytes there are, with those that the OS has.
    pub(crate) const fn len(&self) -> usize {
        self.queued + self.lent
    }

    /// Copies in.
    pub(crate) fn write(&mut self, bytes: &[u8], buffers: &mut Buffers) {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            if self.queue.back().is_none_or(|last| last.room() == 0) {
                self.queue.push_back(buffers.take());
            }
            let count = self.queue.back_mut().map_or(0, |last| last.append(rest));
            if count == 0 {
                break;
            }
            written += count;
        }
        self.queued += written;
    }

    /// Puts a whole buffer behind the rest.
    pub(crate) fn push(&mut self, buffer: Buffer) {
        self.queued += buffer.len();
        self.queue.push_back(buffer);
    }

    /// The next buffer to be sent. It counts until it is [`sent`](Self::sent).
    pub(crate) fn lend(&mut self) -> Option<Buffer> {
        let buffer = self.queue.pop_front()?;
        self.queued -= buffer.len();
        self.lent = buffer.len();
        Some(buffer)
    }

    /// So much of what the OS has was sent. The buffer may come back later.
    pub(crate) const fn sent(&mut self, count: usize) {
        self.lent = self.lent.saturating_sub(count);
    }

    /// The buffer is back, and so much of it was sent: the rest is the next to be sent.
    pub(crate) fn back(&mut self, mut buffer: Buffer, count: usize, buffers: &mut Buffers) {
        self.lent = 0;
        buffer.consume(count);
        if buffer.is_empty() {
            buffers.give(buffer);
        } else {
            self.queued += buffer.len();
            self.queue.push_front(buffer);
        }
    }

    /// Everything that is not with the OS.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Buffer> + '_ {
        self.queued = 0;
        self.queue.drain(..)
    }
}

/// Output that the application holds and has not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// So much: the application said so itself, or it is nothing.
    Known(usize),
    /// What writes left over. There may be more behind it that no write was tried with: the output has an end when a
    /// turn does in which the last write took everything.
    Open {
        at_least: usize,
        /// Whether the last write left something over.
        is_blocked: bool,
    },
}

impl Held {
    /// Whether there is something to wait for.
    pub(crate) const fn waits(self) -> bool {
        !matches!(self, Self::Known(0))
    }

    /// How much it is, as far as it is known.
    pub(crate) const fn at_least(self) -> usize {
        match self {
            Self::Known(bytes) | Self::Open { at_least: bytes, .. } => bytes,
        }
    }

    /// What is held after a write that was offered `length` bytes and took so many of them.
    pub(crate) fn after(self, length: usize, taken: usize) -> Self {
        let is_blocked = taken < length;
        match self {
            Self::Known(0) if !is_blocked => self,
            Self::Known(0) => Self::Open { at_least: length - taken, is_blocked },
            Self::Known(bytes) if is_blocked => Self::Known(bytes.max(length) - taken),
            Self::Known(bytes) => Self::Known(bytes.saturating_sub(taken)),
            Self::Open { at_least, .. } => {
                let at_least = at_least.saturating_sub(taken).max(length - taken);
                Self::Open { at_least, is_blocked }
            }
        }
    }

    /// What is held when a turn ends.
    pub(crate) const fn at_the_end(self) -> Self {
        match self {
            Self::Open { is_blocked: false, .. } => Self::Known(0),
            Self::Open { is_blocked: true, .. } | Self::Known(_) => self,
        }
    }

    /// All output, if so much waits to be sent. What has no end yet is more than any write will take.
    pub(crate) const fn all(self, waiting: usize) -> usize {
        match self {
            Self::Known(bytes) => waiting.saturating_add(bytes),
            Self::Open { .. } => usize::MAX,
        }
    }
}
