//! One place for a connection, and who is inside.

use super::books::Books;
use super::sync::{Mutex, Word, lock};
use crate::{Input, InputError, Key, Life, Phase};

/// Memory for one connection at a time. It is never freed before the table is.
#[derive(Debug)]
pub(super) struct Place<S, B> {
    /// Which generation of the place this is, and how many are inside: the connection itself counts as one, and every
    /// worker that uses its key.
    ///
    /// In one word, because that is what makes a mistake about the connection impossible: the generation changes only
    /// when nobody is inside, and whoever goes in does so by a compare-exchange that holds for both numbers. So a
    /// worker that has checked its key keeps *this* connection, and its life word, until it leaves. The life word
    /// alone could not tell: the next connection in the place may well have the same life.
    tenancy: Word,
    life: Word,
    /// What is written down beside the life. See [`Books`].
    pub(super) books: Mutex<Books<B>>,
    pub(super) resources: Mutex<Option<S>>,
}

// Where locks are futexes. Three cache lines with what a connection owns, if that is small.
#[cfg(all(target_os = "linux", target_pointer_width = "64", not(loom)))]
const _: () = assert!(size_of::<Place<(), ()>>() <= 152);

const GENERATION_SHIFT: u32 = 32;

const fn inside(tenancy: u64) -> u64 {
    tenancy & ((1 << GENERATION_SHIFT) - 1)
}

#[allow(clippy::cast_possible_truncation, reason = "32 bits are left")]
const fn generation(tenancy: u64) -> u32 {
    (tenancy >> GENERATION_SHIFT) as u32
}

impl<S, B> Place<S, B> {
    /// Nobody has been here yet.
    pub(super) fn new(life: Life) -> Self {
        Self {
            tenancy: Word::new(0, "tenancy"),
            life: Word::new(life.to_bits(), "life"),
            books: Mutex::new(Books::new(life)),
            resources: Mutex::new(None),
        }
    }

    /// The last generation that began here.
    pub(super) fn generation(&self) -> u32 {
        generation(self.tenancy.load())
    }

    /// The generation that is here now.
    pub(super) fn tenant(&self) -> Option<u32> {
        let tenancy = self.tenancy.load();
        (inside(tenancy) > 0).then_some(generation(tenancy))
    }

    /// Sets the life of a connection to come. Only for whoever has the place to itself.
    pub(super) fn prepare(&self, life: Life, resources: S) {
        self.life.store(life.to_bits());
        *lock(&self.resources) = Some(resources);
    }

    /// The connection begins: from here on its key is good.
    pub(super) fn open(&self, generation: u32) {
        self.tenancy.store(u64::from(generation) << GENERATION_SHIFT | 1);
    }

    /// Goes inside, if that generation is here. Whoever does so has to leave.
    pub(super) fn enter(&self, wanted: u32) -> bool {
        let mut tenancy = self.tenancy.load();
        while inside(tenancy) > 0 && generation(tenancy) == wanted {
            match self.tenancy.exchange(tenancy, tenancy + 1) {
                Ok(()) => return true,
                Err(now) => tenancy = now,
            }
        }
        false
    }

    /// Leaves. Whether that was the last who was inside; then the place is the caller's.
    pub(super) fn leave(&self) -> bool {
        let mut tenancy = self.tenancy.load();
        loop {
            match self.tenancy.exchange(tenancy, tenancy - 1) {
                Ok(()) => return inside(tenancy) == 1,
                Err(now) => tenancy = now,
            }
        }
    }

    pub(super) fn life(&self) -> Life {
        Life::from_own_bits(self.life.load())
    }

    /// Moves the life. `row` says to where, and is asked again if another worker came first. What the life was, and
    /// what it is.
    pub(super) fn step<E>(&self, mut row: impl FnMut(Life) -> Result<Life, E>) -> Result<(Life, Life), E> {
        let mut bits = self.life.load();
        loop {
            let before = Life::from_own_bits(bits);
            let after = row(before)?;
            match self.life.exchange(bits, after.to_bits()) {
                Ok(()) => return Ok((before, after)),
                Err(now) => bits = now,
            }
        }
    }
}

/// The life after `input`. A connection that has been released takes no input.
pub(super) fn row(key: Key, before: Life, input: Input) -> Result<Life, InputError> {
    if before.phase() == Phase::Released {
        return Err(InputError::Stale(key));
    }
    before.step(input).map_err(InputError::from)
}
