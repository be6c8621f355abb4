//! Memory that the OS may hold: it does not move, and it is counted.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Deref;

/// Memory for one operation: what a receive fills, what a send takes from.
///
/// The bytes stay where they are while the value is moved, so it can go into a [`Table`](crate::Table) and out of it
/// while the OS has the address. Reading it as a slice gives what is filled and not consumed yet.
///
/// ```
/// use hangup::Buffer;
///
/// let mut buffer = Buffer::with_capacity(8);
/// assert_eq!(buffer.append(b"hello, world"), 8);
/// buffer.consume(2);
/// assert_eq!(&*buffer, b"llo, w");
/// assert_eq!(buffer.room(), 0);
/// ```
#[derive(Debug, Default)]
pub struct Buffer {
    /// All of it is initialised, so that no reader needs a promise.
    memory: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// Empty, with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { memory: vec![0; capacity], start: 0, end: 0 }
    }

    /// How many bytes it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// How many more bytes it can take.
    #[must_use]
    pub fn room(&self) -> usize {
        self.memory.len() - self.end
    }

    /// The room, for whoever fills it; then [`filled`](Self::filled) says how much of it was used.
    #[must_use]
    pub fn spare(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.end..).unwrap_or_default()
    }

    /// `count` bytes of the room have been filled. More than there is room for counts as all of it.
    pub fn filled(&mut self, count: usize) {
        self.end += count.min(self.room());
    }

    /// Copies in what fits. How much that was.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        if let (Some(to), Some(from)) = (self.spare().get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        self.filled(count);
        count
    }

    /// Forgets the first `count` bytes. More than there are counts as all of them.
    pub fn consume(&mut self, count: usize) {
        self.start += count.min(self.len());
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }
}

impl From<Vec<u8>> for Buffer {
    /// Full.
    fn from(memory: Vec<u8>) -> Self {
        Self { end: memory.len(), start: 0, memory }
    }
}

/// Buffers of one size that are used again.
///
/// A connection that waits for nothing holds none of them, so there need be only as many as there are operations in
/// flight.
///
/// ```
/// use hangup::Pool;
///
/// let mut pool = Pool::new(16 * 1024, 64);
/// let buffer = pool.take();
/// assert_eq!((buffer.capacity(), pool.out()), (16 * 1024, 1));
/// pool.give(buffer);
/// assert_eq!((pool.out(), pool.kept()), (0, 1));
/// ```
///
/// In debug builds a buffer that is kept is filled with a pattern, and the pattern is looked for when it is taken again:
/// an OS that wrote to memory which it should not have had any more is found, and no sanitizer sees what an OS writes.
#[derive(Debug)]
pub struct Pool {
    size: usize,
    keep: usize,
    free: Vec<Buffer>,
    taken: u64,
    given: u64,
}

/// What is in a buffer that nobody has, in debug builds.
const UNUSED: u8 = 0xA5;

impl Pool {
    /// Buffers of `size` bytes, of which at most `keep` are kept when they are not in use.
    #[must_use]
    pub const fn new(size: usize, keep: usize) -> Self {
        Self { size, keep, free: Vec::new(), taken: 0, given: 0 }
    }

    /// An empty buffer.
    ///
    /// # Panics
    ///
    /// In debug builds, if somebody has written to a buffer while it was kept here.
    pub fn take(&mut self) -> Buffer {
        self.taken += 1;
        let Some(buffer) = self.free.pop() else { return Buffer::with_capacity(self.size) };
        debug_assert!(
            buffer.memory.iter().all(|&byte| byte == UNUSED),
            "a buffer was written to after it had been given back"
        );
        buffer
    }

    /// Takes a buffer back that [`take`](Self::take) gave out.
    pub fn give(&mut self, mut buffer: Buffer) {
        self.given += 1;
        if self.free.len() < self.keep && buffer.capacity() == self.size {
            buffer.clear();
            if cfg!(debug_assertions) {
                buffer.memory.fill(UNUSED);
            }
            self.free.push(buffer);
        }
    }

    /// How many have been given out and have not come back.
    #[must_use]
    pub const fn out(&self) -> u64 {
        self.taken.saturating_sub(self.given)
    }

    /// How many are kept for the next who asks.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_where_they_are() {
        let mut buffer = Buffer::with_capacity(4);
        let address = buffer.spare().as_ptr();
        let mut moved = vec![buffer];
        let mut buffer = moved.remove(0);
        assert_eq!(buffer.spare().as_ptr(), address);
    }

    #[test]
    fn bytes_come_out_in_order() {
        let mut buffer = Buffer::with_capacity(4);
        assert_eq!((buffer.capacity(), buffer.room(), buffer.len()), (4, 4, 0));
        assert_eq!(buffer.append(b"ab"), 2);
        assert_eq!((buffer.room(), &*buffer), (2, &b"ab"[..]));
        buffer.spare().copy_from_slice(b"cd");
        buffer.filled(9);
        buffer.consume(1);
        assert_eq!((buffer.room(), &*buffer), (0, &b"bcd"[..]));
        buffer.consume(9);
        assert_eq!((buffer.room(), &*buffer), (4, &b""[..]), "all of the room is there again");
        buffer.append(b"x");
        buffer.clear();
        assert_eq!((buffer.room(), buffer.len()), (4, 0));
        assert_eq!(&*Buffer::from(b"full".to_vec()), b"full");
        assert_eq!(Buffer::from(b"full".to_vec()).room(), 0);
    }

    #[test]
    fn a_pool_keeps_what_is_of_use() {
        let mut pool = Pool::new(4, 2);
        let mut out: Vec<Buffer> = (0..3).map(|_| pool.take()).collect();
        assert_eq!((pool.out(), pool.kept()), (3, 0));
        for buffer in &mut out {
            buffer.append(b"old");
        }
        for buffer in out {
            pool.give(buffer);
        }
        assert_eq!((pool.out(), pool.kept()), (0, 2));
        assert!(pool.take().is_empty(), "what was in it is gone");
        pool.give(Buffer::with_capacity(5));
        assert_eq!((pool.out(), pool.kept()), (0, 1), "of another size");
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "a buffer was written to after it had been given back")]
    fn what_is_written_late_is_found() {
        let mut pool = Pool::new(4, 2);
        let buffer = pool.take();
        pool.give(buffer);
        pool.free.last_mut().unwrap().memory[3] = 0;
        let _late = pool.take();
    }
}
