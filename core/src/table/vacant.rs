//! A connection to come.

use super::entry::Entry;
use super::{Table, TableFull};
use crate::{Key, Life, Moment, trace};

/// A place in a table, and the key that its connection will have.
///
/// The key is known before the socket exists, so the socket can be registered under it. Dropping this changes
/// nothing.
#[derive(Debug)]
#[must_use = "nothing is in the table yet"]
pub struct Vacant<'a, S, B> {
    table: &'a mut Table<S, B>,
    place: u32,
    generation: u32,
}

impl<'a, S, B> Vacant<'a, S, B> {
    pub(super) fn find(table: &'a mut Table<S, B>) -> Result<Self, TableFull> {
        let place = u32::try_from(table.places.vacant_key()).map_err(|_| TableFull)?;
        if place >= table.layout.index_limit() {
            return Err(TableFull);
        }
        let generation = table.generations.get(place as usize).copied().unwrap_or(1);
        Ok(Self { table, place, generation })
    }

    /// The key of the connection to come.
    #[must_use]
    pub fn key(&self) -> Key {
        self.table.layout.key(self.place, self.generation, self.table.id)
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

    fn begin(self, life: Life, resources: S, now: Moment) -> Key {
        let key = self.key();
        let Self { table, place, generation } = self;
        let due_time = table.clock.tell(now, &table.wheel);
        let mut entry = Entry::new(generation, life, Some(resources), table.clock.told());
        let (none, nothing) = (crate::Deadlines::default(), super::Progress::Nothing);
        let due = entry.arm(none, life.deadlines(), nothing, &table.limits, due_time, table.wheel.now());
        table.places.insert(entry);
        if table.generations.len() <= place as usize {
            table.generations.push(generation);
        }
        if let Some(when) = due {
            table.wheel.file(&mut table.places, place, when);
        }
        table.audit.acquired += 1;
        trace::began(key, life);
        key
    }
}
