//! A connection to come.

use super::Table;
use super::sync::lock;
use crate::{Key, Life, Moment, TableFull, trace};

/// A place in a table, and the key that its connection will have. Until then the place is nobody else's.
///
/// Dropping this gives the place back.
#[must_use = "nothing is in the table yet"]
pub struct Vacant<'a, S, B> {
    table: &'a Table<S, B>,
    number: u32,
    key: Key,
    given_up: bool,
}

impl<S, B> Table<S, B> {
    /// The place of a connection to come. Its key is known before its socket exists.
    ///
    /// # Errors
    ///
    /// [`TableFull`] if every place that a key can name is taken or retired.
    pub fn vacant(&self) -> Result<Vacant<'_, S, B>, TableFull> {
        let limit = self.layout.index_limit();
        let nobody = Life::accepted(self.mechanism, self.policy.on_peer_finish);
        let (number, place) = self.places.take(limit, nobody).ok_or(TableFull)?;
        let key = self.layout.key(number, place.generation() + 1, self.id);
        Ok(Vacant { table: self, number, key, given_up: true })
    }

    /// Takes in a connection that was accepted. If the table is full, `resources` are dropped; to keep them, ask for a
    /// [vacant](Self::vacant) place first.
    ///
    /// # Errors
    ///
    /// [`TableFull`] if every place that a key can name is taken or retired.
    pub fn accept(&self, resources: S, now: Moment) -> Result<Key, TableFull> {
        self.vacant().map(|vacant| vacant.accept(resources, now))
    }

    /// Takes in a connection that is to be made. As [`Table::accept`].
    ///
    /// # Errors
    ///
    /// [`TableFull`] if every place that a key can name is taken or retired.
    pub fn connect(&self, resources: S, now: Moment) -> Result<Key, TableFull> {
        self.vacant().map(|vacant| vacant.connect(resources, now))
    }
}

impl<S, B> Vacant<'_, S, B> {
    /// The key of the connection to come.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.key
    }

    /// Takes in a connection that was accepted.
    pub fn accept(self, resources: S, now: Moment) -> Key {
        let life = Life::accepted(self.table.mechanism, self.table.policy.on_peer_finish);
        self.begin(life, resources, now)
    }

    /// Takes in a connection that is to be made.
    pub fn connect(self, resources: S, now: Moment) -> Key {
        let life = Life::connecting(self.table.mechanism, self.table.policy.on_peer_finish);
        self.begin(life, resources, now)
    }

    fn begin(mut self, life: Life, resources: S, now: Moment) -> Key {
        let (table, number, key) = (self.table, self.number, self.key);
        let Some(place) = table.places.get(number) else { return key };
        self.given_up = false;
        let now = table.told.tell(now);
        // Whoever uses the key before this returns waits at the books.
        let mut books = lock(&place.books);
        books.begin(life, &table.policy, now);
        place.prepare(life, resources);
        table.tally.acquired.add(true);
        trace::began(key, life);
        place.open(table.layout.generation(key));
        table.file(place, key, &mut books);
        key
    }
}

impl<S, B> Drop for Vacant<'_, S, B> {
    fn drop(&mut self) {
        if self.given_up {
            self.table.places.give(self.number);
        }
    }
}

impl<S, B> core::fmt::Debug for Vacant<'_, S, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vacant").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::key::KeyLayout;
    use crate::{Command, Input, InputError, Mechanism, Plan, Policy};

    /// Two places of three generations each, and then the table is full for ever.
    #[test]
    fn places_are_retired_one_by_one() {
        let layout = KeyLayout { index_bits: 1, generation_bits: 2 };
        let table: Table<u32> = Table::with_layout(Mechanism::Port, Policy::default(), layout);
        let mut keys = Vec::new();
        for number in 0..6 {
            assert_eq!(table.audit().retired, u64::from(number) / 3);
            let key = table.accept(number, Moment::EPOCH).unwrap();
            let close = Input::Command(Command::Close(Plan::Abort));
            assert!(table.input(key, close, Moment::EPOCH).unwrap().release.is_some());
            assert_eq!(table.release(key, Moment::EPOCH).unwrap().resources, number);
            keys.push(key);
        }
        assert_eq!(table.audit().retired, 2);
        assert_eq!(table.vacant().err(), Some(TableFull));
        assert!((table.is_empty(), table.keys().len()) == (true, 0));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 6, "no key was given twice");
        for key in keys {
            assert_eq!(table.life(key), Err(InputError::Stale(key)));
        }
    }

    /// While somebody is inside, the place is not used again, though its connection is over.
    #[test]
    fn a_place_waits_for_whoever_is_inside() {
        let table: Table<u32> = Table::new(Mechanism::Port, Policy::default());
        let old = table.accept(1, Moment::EPOCH).unwrap();
        let inside = table.enter(old).ok().unwrap();
        let close = Input::Command(Command::Close(Plan::Abort));
        assert!(table.input(old, close, Moment::EPOCH).unwrap().release.is_some());
        assert_eq!(table.release(old, Moment::EPOCH).unwrap().resources, 1);
        assert!(table.input(old, close, Moment::EPOCH).is_err() && table.pending(old).is_err());
        let beside = table.accept(2, Moment::EPOCH).unwrap();
        assert_ne!(table.layout.index(beside), table.layout.index(old));
        drop(inside);
        let next = table.accept(3, Moment::EPOCH).unwrap();
        assert_eq!(table.layout.index(next), table.layout.index(old));
        assert_ne!(next, old);
    }
}
