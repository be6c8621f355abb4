//! What was acquired, lent to the OS and released, and how often. A release that must not be is counted and goes
//! nowhere.

use crate::scene::Scene;

/// What is on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    Socket,
    Buffer,
    /// The application's state of a connection.
    State,
}

/// Names something on the ledger. It can be copied and kept, as a pointer can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(usize);

#[derive(Clone, Copy, Debug)]
struct Entry {
    thing: Thing,
    scene: Scene,
    lent: bool,
    released: bool,
    tally: Tally,
}

/// How often things were acquired and released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) acquired: u64,
    pub(crate) released: u64,
    /// Of the releases: those of what had been released already.
    pub(crate) double: u64,
    /// Of the releases: those of what was with the OS.
    pub(crate) early: u64,
    pub(crate) lost: u64,
}

impl Tally {
    pub(crate) const fn is_once(&self) -> bool {
        self.double == 0 && self.early == 0 && self.lost == 0
    }

    fn add(&mut self, other: Self) {
        self.acquired += other.acquired;
        self.released += other.released;
        self.double += other.double;
        self.early += other.early;
        self.lost += other.lost;
    }
}

/// The ledger of one program.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    pub(crate) fn acquire(&mut self, thing: Thing, scene: Scene) -> Ticket {
        let tally = Tally { acquired: 1, lost: 1, ..Tally::default() };
        self.entries.push(Entry { thing, scene, lent: false, released: false, tally });
        Ticket(self.entries.len() - 1)
    }

    /// The OS has it, or has given it back.
    pub(crate) fn lend(&mut self, ticket: Ticket, lent: bool) {
        if let Some(entry) = self.entries.get_mut(ticket.0) {
            entry.lent = lent;
        }
    }

    pub(crate) fn release(&mut self, ticket: Ticket) {
        let Some(Entry { lent, released, tally, .. }) = self.entries.get_mut(ticket.0) else { return };
        tally.released += 1;
        tally.double += u64::from(*released);
        tally.early += u64::from(*lent);
        tally.lost = 0;
        *released = true;
    }

    /// What is to be said of one kind of thing.
    pub(crate) fn of(&self, thing: Thing) -> Tally {
        self.sum(|entry| entry.thing == thing)
    }

    /// What is to be said of one scene.
    pub(crate) fn in_scene(&self, scene: Scene) -> Tally {
        self.sum(|entry| entry.scene == scene)
    }

    fn sum(&self, which: impl Fn(&Entry) -> bool) -> Tally {
        let mut sum = Tally::default();
        self.entries.iter().filter(|entry| which(entry)).for_each(|entry| sum.add(entry.tally));
        sum
    }
}
