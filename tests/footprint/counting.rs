//! An allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Of this thread alone: the test harness allocates on others.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

/// The allocator of the system, and a count of what each thread asks it for.
pub(crate) struct Counting;

/// What a thread has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// How often.
    pub(crate) allocations: u64,
    /// Bytes that were allocated and not given back. Below 0 in a thread that gives back what others allocated.
    pub(crate) bytes: i64,
}

/// What this thread has asked for so far.
pub(crate) fn asked() -> Asked {
    Asked { allocations: ALLOCATIONS.get(), bytes: BYTES.get() }
}

fn count(allocations: u64, more: usize, less: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    BYTES.set(BYTES.get() + more as i64 - less as i64);
}

// SAFETY: every call goes to the system's allocator as it came, and its answer goes back as it is. The counters are
// cells of a thread, without a destructor and without an allocation of their own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: the caller's promises are the system's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: the caller's promises are the system's conditions.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        // SAFETY: the block came from the system, since all of them do.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        // SAFETY: the block came from the system, since all of them do.
        unsafe { System.realloc(block, layout, size) }
    }
}
