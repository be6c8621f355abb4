//! Buffers that a multishot receive chooses from.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use hangup::{Buffer, Pool};
use io_uring::Submitter;

/// The one group there is.
pub(crate) const GROUP: u16 = 0;

/// A page of entries, two words each: the address; then length, number, and in the first entry of all the tail.
///
/// The kernel wants them to begin at a page of its own. Those have 4 KiB on x86, and up to 64 KiB elsewhere.
#[repr(C, align(65536))]
struct Page([AtomicU64; WORDS]);

const WORDS: usize = 8192;

/// The ring of buffers that is shared with the kernel. The kernel only reads it, up to the tail.
///
/// A buffer that was chosen goes to the connection as it is, and a fresh one takes its place: the ring runs dry only
/// when more arrives at once than it has entries.
pub(crate) struct BufferRing {
    pages: Box<[Page]>,
    entries: u16,
    tail: u16,
    /// The buffers that the kernel has, by their numbers.
    held: Vec<Option<Buffer>>,
}

impl BufferRing {
    /// `entries` is a power of two.
    pub(crate) fn new(entries: u16, pool: &mut Pool) -> Self {
        let pages = (usize::from(entries) * 2).div_ceil(WORDS);
        let page = || Page([const { AtomicU64::new(0) }; WORDS]);
        let mut ring = Self {
            pages: (0..pages).map(|_| page()).collect(),
            entries,
            tail: 0,
            held: (0..entries).map(|_| None).collect(),
        };
        for number in 0..entries {
            ring.add(number, pool.take());
        }
        ring
    }

    pub(super) fn register(&self, submitter: &Submitter<'_>) -> io::Result<()> {
        let address = self.pages.as_ptr() as u64;
        // SAFETY: I02. The pages are on the heap, aligned to a page, as long as `entries` say, and of atomics, so that the
        // kernel may read them at any time; so are the buffers that they name. `Ring` owns all of them from here on, and
        // frees them when `down` has seen that nothing is owed, or never.
        unsafe { submitter.register_buf_ring_with_flags(address, self.entries, GROUP, 0) }
    }

    /// The buffer that a completion has filled with `count` bytes.
    pub(crate) fn take(&mut self, number: u16, count: usize, pool: &mut Pool) -> Option<Buffer> {
        let mut buffer = self.held.get_mut(usize::from(number))?.take()?;
        buffer.filled(count);
        self.add(number, pool.take());
        Some(buffer)
    }

    /// How many buffers the kernel has.
    pub(crate) fn held(&self) -> usize {
        self.held.iter().flatten().count()
    }

    fn add(&mut self, number: u16, mut buffer: Buffer) {
        let at = usize::from(self.tail % self.entries) * 2;
        let room = buffer.spare();
        let address = room.as_mut_ptr() as u64;
        let length = u32::try_from(room.len()).unwrap_or(u32::MAX);
        if let Some(place) = self.held.get_mut(usize::from(number)) {
            *place = Some(buffer);
        }
        // The tail shares its word with the first entry, and is what makes the new entry valid.
        let tail = if at == 0 { self.tail } else { 0 };
        self.store(at, address, Ordering::Relaxed);
        self.store(at + 1, pack(length, number, tail), Ordering::Relaxed);
        self.tail = self.tail.wrapping_add(1);
        let first = self.load(1);
        self.store(1, with_tail(first, self.tail), Ordering::Release);
    }

    fn store(&self, word: usize, value: u64, ordering: Ordering) {
        if let Some(word) = self.pages.get(word / WORDS).and_then(|page| page.0.get(word % WORDS)) {
            word.store(value, ordering);
        }
    }

    fn load(&self, word: usize) -> u64 {
        let word = self.pages.get(word / WORDS).and_then(|page| page.0.get(word % WORDS));
        word.map_or(0, |word| word.load(Ordering::Relaxed))
    }
}

/// `len: u32, bid: u16, resv: u16`, as they are in memory.
fn pack(length: u32, number: u16, tail: u16) -> u64 {
    let [a, b, c, d] = length.to_ne_bytes();
    let [e, f] = number.to_ne_bytes();
    let [g, h] = tail.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

fn with_tail(word: u64, tail: u16) -> u64 {
    let [a, b, c, d, e, f, _, _] = word.to_ne_bytes();
    let [g, h] = tail.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

#[test]
fn an_entry_has_its_parts_in_place() {
    let word = with_tail(pack(16_384, 7, 0), 9).to_ne_bytes();
    assert_eq!(word[..4], 16_384_u32.to_ne_bytes());
    assert_eq!(word[4..6], 7_u16.to_ne_bytes());
    assert_eq!(word[6..], 9_u16.to_ne_bytes());
}

#[test]
fn a_chosen_buffer_is_replaced() {
    let mut pool = Pool::new(64, 8);
    let mut ring = BufferRing::new(4, &mut pool);
    assert_eq!((ring.held(), pool.out()), (4, 4));
    assert_eq!(ring.take(2, 5, &mut pool).map(|buffer| buffer.len()), Some(5));
    assert!(ring.take(9, 5, &mut pool).is_none(), "there is no such number");
    assert_eq!((ring.held(), pool.out(), ring.tail), (4, 5, 5));
}
