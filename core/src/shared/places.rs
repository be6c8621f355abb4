//! All places of a table. They are found without a lock, and do not move.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::place::Place;
use super::sync::{Mutex, OnceLock, lock};
use crate::Life;

/// The first block has so many places, and each further one twice as many.
const FIRST: u32 = if cfg!(loom) { 2 } else { 64 };

/// Enough for every place that a key can name.
const BLOCKS: usize = 29 - FIRST.ilog2() as usize;

#[derive(Debug)]
pub(super) struct Places<S, B> {
    blocks: [Block<S, B>; BLOCKS],
    vacancies: Mutex<Vacancies>,
}

/// Made when the first of its places is taken.
type Block<S, B> = OnceLock<Box<[Place<S, B>]>>;

#[derive(Debug, Default)]
struct Vacancies {
    free: Vec<u32>,
    /// Places that have been taken at least once.
    used: u32,
}

impl<S, B> Places<S, B> {
    pub(super) fn new() -> Self {
        Self {
            blocks: core::array::from_fn(|_| OnceLock::new()),
            vacancies: Mutex::new(Vacancies { free: Vec::new(), used: 0 }),
        }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Place<S, B>> {
        let (block, offset) = locate(number)?;
        self.blocks.get(block)?.get()?.get(offset)
    }

    /// A place for the caller alone, and its number.
    pub(super) fn take(&self, limit: u32, life: Life) -> Option<(u32, &Place<S, B>)> {
        let mut vacancies = lock(&self.vacancies);
        let number = match vacancies.free.pop() {
            Some(number) => number,
            None if vacancies.used < limit => {
                vacancies.used += 1;
                vacancies.used - 1
            }
            None => return None,
        };
        let (block, offset) = locate(number)?;
        let size = FIRST << block;
        let places = self.blocks.get(block)?.get_or_init(|| (0..size).map(|_| Place::new(life)).collect());
        places.get(offset).map(|place| (number, place))
    }

    /// The place may be taken again.
    pub(super) fn give(&self, number: u32) {
        lock(&self.vacancies).free.push(number);
    }

    /// Every place that has been taken at least once.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Place<S, B>)> {
        let used = lock(&self.vacancies).used;
        (0..used).filter_map(|number| self.get(number).map(|place| (number, place)))
    }
}

/// The block of a place, and where in the block it is.
fn locate(number: u32) -> Option<(usize, usize)> {
    let at = number.checked_add(FIRST)?;
    let block = at.ilog2() - FIRST.ilog2();
    Some((block as usize, (at - (FIRST << block)) as usize))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::key::KeyLayout;

    #[test]
    fn blocks_follow_on_each_other() {
        let mut expected = (0, 0);
        for number in 0..100_000 {
            assert_eq!(locate(number), Some(expected), "{number}");
            let size = (FIRST as usize) << expected.0;
            expected = if expected.1 + 1 < size { (expected.0, expected.1 + 1) } else { (expected.0 + 1, 0) };
        }
        let (block, _) = locate(KeyLayout::WIDE.index_limit() - 1).unwrap();
        assert_eq!(block, BLOCKS - 1, "the last block is the last that is needed");
    }
}
