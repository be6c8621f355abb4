//! What workers meet at: locks, and words. The only file of the core that names `std`, beside that of the
//! trace.
//!
//! Under `cfg(loom)` they are loom's, which tries every order in which workers can meet, and the words can be given a
//! fault on purpose, to show that the tests would notice ([`fault`]).

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
pub(super) use loom::sync::{Mutex, MutexGuard};
pub(super) use std::sync::OnceLock;
use std::sync::PoisonError;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
pub(super) use std::sync::{Mutex, MutexGuard};

/// Locks. That somebody panicked inside does not matter: what is behind the table's own locks is whole between any
/// two statements, and what an application's closure leaves behind is the application's.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A word that workers change by compare-exchange.
///
/// Whoever changes it shows what it did before (release) and sees what those did who changed it earlier (acquire). So
/// a claim is a lock: what a worker did to the socket between its claim and its report is over for whoever acts on
/// that report. (Of the two words of a place either would do for that, since every input changes both.)
#[derive(Debug)]
pub(super) struct Word {
    bits: AtomicU64,
    #[cfg(loom)]
    name: &'static str,
}

#[cfg(not(loom))]
impl Word {
    pub(super) const fn new(bits: u64, _name: &'static str) -> Self {
        Self { bits: AtomicU64::new(bits) }
    }

    #[inline]
    pub(super) fn load(&self) -> u64 {
        self.bits.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn store(&self, bits: u64) {
        self.bits.store(bits, Ordering::Release);
    }

    /// Puts `to` in the place of `from`. What is there instead, if that has failed; it may fail for no reason.
    #[inline]
    pub(super) fn exchange(&self, from: u64, to: u64) -> Result<(), u64> {
        self.bits.compare_exchange_weak(from, to, Ordering::AcqRel, Ordering::Acquire).map(|_| ())
    }
}

#[cfg(loom)]
impl Word {
    pub(super) fn new(bits: u64, name: &'static str) -> Self {
        Self { bits: AtomicU64::new(bits), name }
    }

    pub(super) fn load(&self) -> u64 {
        self.bits.load(self.ordering(Ordering::Acquire))
    }

    pub(super) fn store(&self, bits: u64) {
        self.bits.store(bits, self.ordering(Ordering::Release));
    }

    pub(super) fn exchange(&self, from: u64, to: u64) -> Result<(), u64> {
        if fault::is_injected(fault::Fault::LostUpdate, self.name) {
            let there = self.load();
            if there != from {
                return Err(there);
            }
            self.store(to);
            return Ok(());
        }
        let (success, failure) = (self.ordering(Ordering::AcqRel), self.ordering(Ordering::Acquire));
        self.bits.compare_exchange(from, to, success, failure).map(|_| ())
    }

    fn ordering(&self, right: Ordering) -> Ordering {
        if fault::is_injected(fault::Fault::Relaxed, self.name) { Ordering::Relaxed } else { right }
    }
}

/// Faults on purpose, under loom only: a test that cannot fail shows nothing.
#[cfg(loom)]
pub mod fault {
    use core::cell::Cell;

    /// What is wrong with a word.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Fault {
        /// It is read and then written, as if nobody could come between.
        LostUpdate,
        /// It is changed without an ordering of what was done before and after.
        Relaxed,
    }

    std::thread_local! {
        static INJECTED: Cell<Option<(Fault, &'static [&'static str])>> = const { Cell::new(None) };
    }

    /// Gives the words of these names (`life`, `tenancy`) a fault in everything that `run` models.
    pub fn during(fault: Fault, names: &'static [&'static str], run: impl FnOnce()) {
        /// Also if `run` panics, which is what is hoped for.
        struct Mended;
        impl Drop for Mended {
            fn drop(&mut self) {
                INJECTED.with(|injected| injected.set(None));
            }
        }
        let _mended = Mended;
        INJECTED.with(|injected| injected.set(Some((fault, names))));
        run();
    }

    pub(super) fn is_injected(fault: Fault, name: &'static str) -> bool {
        let injected = INJECTED.with(Cell::get);
        injected.is_some_and(|(what, names)| what == fault && names.contains(&name))
    }
}
