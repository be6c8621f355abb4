//! Bytes that have come and have not been understood yet.

/// A queue of bytes, in one piece.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    /// What is before this has been consumed.
    start: usize,
    /// So many of the unread bytes have been looked at in vain.
    pub(super) seen: usize,
}

impl Input {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start.min(self.bytes.len()));
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// What has come since [`Input::seen`] was set.
    pub(super) fn unseen(&self) -> &[u8] {
        self.unread().get(self.seen..).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.unread().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unread().is_empty()
    }

    /// Whether there is nothing but line ends, which may stand before a request.
    pub(super) fn is_blank(&self) -> bool {
        self.unread().iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        self.seen = 0;
    }

    /// Consumes up to `count` bytes, and says how many.
    pub(super) fn consume_some(&mut self, count: u64) -> u64 {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.len());
        self.consume(count);
        count as u64
    }
}
