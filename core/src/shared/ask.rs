//! What can be asked of a table, which changes nothing.

use alloc::vec::Vec;

use super::sync::lock;
use super::{Books, Table};
use crate::key::KeyLayout;
use crate::{Audit, InputError, Key, Life, Moment, Phase, Policy, RawCode, Wants};

impl<S, B> Table<S, B> {
    /// What is to be done now, as far as this worker can know. Takes no lock.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn wants(&self, key: Key) -> Result<Wants, InputError> {
        self.life(key).map(Life::wants)
    }

    /// The state of a connection. Takes no lock.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn life(&self, key: Key) -> Result<Life, InputError> {
        let life = self.enter(key)?.place.life();
        if life.phase() == Phase::Released { Err(InputError::Stale(key)) } else { Ok(life) }
    }

    /// The code of the OS that decided why the connection ends, if one did and the table was told.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn code(&self, key: Key) -> Result<Option<RawCode>, InputError> {
        self.read(key, |books| books.entry.raw())
    }

    /// Output that the application holds and the OS has not taken, as far as the table was told, in bytes.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn pending(&self, key: Key) -> Result<u32, InputError> {
        self.read(key, |books| books.entry.pending())
    }

    fn read<R>(&self, key: Key, read: impl FnOnce(&Books<B>) -> R) -> Result<R, InputError> {
        let inside = self.enter(key)?;
        let books = lock(&inside.place.books);
        // Under the lock nobody releases it.
        if inside.place.life().phase() == Phase::Released {
            return Err(InputError::Stale(key));
        }
        Ok(read(&books))
    }

    /// Lets the closure see what the connection owns. One worker at a time, and not while it is being released.
    ///
    /// The closure may use other connections, and feed this one; it must not release it or ask for what it owns.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign.
    pub fn with<R>(&self, key: Key, see: impl FnOnce(&S) -> R) -> Result<R, InputError> {
        let inside = self.enter(key)?;
        let resources = lock(&inside.place.resources);
        resources.as_ref().map(see).ok_or(InputError::Stale(key))
    }

    /// As [`Table::with`], for the closure to change.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the key is stale or foreign. It is counted.
    pub fn with_mut<R>(&self, key: Key, change: impl FnOnce(&mut S) -> R) -> Result<R, InputError> {
        let inside = self.enter(key).map_err(|error| self.tally.turn_away(error))?;
        let mut resources = lock(&inside.place.resources);
        resources.as_mut().map(change).ok_or_else(|| self.tally.turn_away(InputError::Stale(key)))
    }

    /// When [`Table::expire`] will have something to do, as [`crate::Table::next_deadline`].
    ///
    /// A worker that waits until then does not hear of a deadline that another arms meanwhile. It is enough that every
    /// worker asks before it waits: the one that armed the deadline is awake for it.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// The keys of all connections. One that begins or ends meanwhile may be in it or not.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        let tenants = self.places.iter().filter(|(_, place)| place.life().phase() != Phase::Released);
        let tenants = tenants.filter_map(|(number, place)| place.tenant().map(|tenant| (number, tenant)));
        tenants.map(|(number, generation)| self.layout.key(number, generation, self.id)).collect()
    }

    /// The limits of every wait.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tally.audit().held()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What has come in, what has gone out, and what was turned away.
    #[must_use]
    pub fn audit(&self) -> Audit {
        self.tally.audit()
    }

    /// The key as a token of the poller or the port. Never 0 and never all ones.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "a compact key has 32 bits")]
    pub fn token(&self, key: Key) -> usize {
        match self.layout {
            KeyLayout::WIDE => key.to_bits() as usize,
            layout => layout.place(key) as usize,
        }
    }

    /// The key of a token that [`Table::token`] made.
    #[must_use]
    pub fn key(&self, token: usize) -> Key {
        match self.layout {
            KeyLayout::WIDE => Key::from_bits(token as u64),
            layout => layout.key_of_place(token as u64, self.id),
        }
    }
}
