//! Deadlines of all connections in O(1): a hierarchical timing wheel of intrusive lists.
//!
//! Six levels of 64 lists; a list of level 0 spans a millisecond, one of the next level 64 times as much. A
//! place is in at most one list, at the earliest of its deadlines or before that. Activity that *renews* a
//! deadline writes a number in the entry and leaves the wheel alone: when the list comes up, the entry is
//! asked for its real deadline and filed again. So an event costs nothing here, and a connection is touched
//! once a period, not once an event.

use slab::Slab;

use super::entry::Entry;
use crate::Moment;

const LEVELS: usize = 6;
const LISTS_PER_LEVEL: usize = 64;
/// The list of places whose moment has come and that have not been handed out yet.
const DUE: usize = LEVELS * LISTS_PER_LEVEL;
/// The largest distance that the top level can tell apart.
const SPAN: u64 = 1 << (6 * LEVELS);

/// The end of a list.
const NOWHERE: u32 = u32::MAX;
/// In `Link::before`, the mark of a list's first place; the number of the list is in the other bits.
const FIRST: u32 = 1 << 31;

/// The neighbours of a place in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    before: u32,
    after: u32,
}

impl Link {
    /// In no list.
    pub(super) const LOOSE: Self = Self { before: NOWHERE, after: NOWHERE };

    fn is_loose(self) -> bool {
        self.before == NOWHERE
    }
}

/// The lists.
#[derive(Debug)]
pub(super) struct Wheel {
    /// The first place of each list.
    heads: [u32; DUE + 1],
    /// Which lists of a level are not empty, a bit each.
    occupied: [u64; LEVELS],
    /// Up to here every list has been emptied.
    elapsed: u64,
}

impl Wheel {
    pub(super) const fn new() -> Self {
        Self { heads: [NOWHERE; DUE + 1], occupied: [0; LEVELS], elapsed: 0 }
    }

    /// The moment up to which it has gone through.
    pub(super) const fn now(&self) -> Moment {
        Moment::from_millis(self.elapsed)
    }

    /// Files `place` so that it comes up at `when`, or a little before; moves it if it is filed already.
    pub(super) fn file<S>(&mut self, places: &mut Slab<Entry<S>>, place: u32, when: Moment) {
        self.remove(places, place);
        let list = self.list_for(when.as_millis());
        self.push(places, place, list);
    }

    /// Takes `place` out, if it is in.
    pub(super) fn remove<S>(&mut self, places: &mut Slab<Entry<S>>, place: u32) {
        let Some(link) = link(places, place).filter(|link| !link.is_loose()) else { return };
        if link.before & FIRST != 0 {
            self.set_head(link.before & !FIRST, link.after);
        } else if let Some(before) = link_mut(places, link.before) {
            before.after = link.after;
        }
        if let Some(after) = link_mut(places, link.after) {
            after.before = link.before;
        }
        if let Some(link) = link_mut(places, place) {
            *link = Link::LOOSE;
        }
    }

    /// The next place whose list has come up by `now`. It is in no list any more.
    pub(super) fn pop<S>(&mut self, places: &mut Slab<Entry<S>>, now: Moment) -> Option<u32> {
        loop {
            let place = self.head(DUE);
            if place != NOWHERE {
                self.remove(places, place);
                return Some(place);
            }
            let Some((level, list, when)) = self.next_list().filter(|(.., when)| *when <= now.as_millis())
            else {
                self.elapsed = self.elapsed.max(now.as_millis());
                return None;
            };
            self.elapsed = self.elapsed.max(when);
            self.come_up(places, level, list);
        }
    }

    /// When [`Wheel::pop`] will have something to look at. The deadline itself may be later.
    pub(super) fn next(&self) -> Option<Moment> {
        if self.head(DUE) != NOWHERE {
            return Some(self.now());
        }
        self.next_list().map(|(.., when)| Moment::from_millis(when))
    }

    /// Moves a whole list to the due ones: the first is handed out, the rest behind it. A place of a higher
    /// level is filed again by its owner, who knows its real deadline.
    fn come_up<S>(&mut self, places: &mut Slab<Entry<S>>, level: usize, list: usize) {
        let from = level * LISTS_PER_LEVEL + list;
        loop {
            let place = self.head(from);
            if place == NOWHERE {
                break;
            }
            self.remove(places, place);
            self.push(places, place, DUE);
        }
    }

    /// The list that comes up first: level, number in the level, moment. A lower level always comes first.
    fn next_list(&self) -> Option<(usize, usize, u64)> {
        self.occupied.iter().enumerate().find_map(|(level, &occupied)| {
            if occupied == 0 {
                return None;
            }
            let shift = 6 * level;
            let at = (self.elapsed >> shift) & 63;
            let ahead = occupied.rotate_right(small(at)).trailing_zeros();
            let list = (at + u64::from(ahead)) & 63;
            let turn = self.elapsed >> (shift + 6);
            let turn = if list < at { turn + 1 } else { turn };
            Some((level, small(list) as usize, (turn << 6 | list) << shift))
        })
    }

    fn list_for(&self, when: u64) -> usize {
        if when <= self.elapsed {
            return DUE;
        }
        let when = when.min(self.elapsed + SPAN - 1);
        let differing = (self.elapsed ^ when) | 63;
        let level = ((63 - differing.leading_zeros() as usize) / 6).min(LEVELS - 1);
        level * LISTS_PER_LEVEL + small((when >> (6 * level)) & 63) as usize
    }

    fn push<S>(&mut self, places: &mut Slab<Entry<S>>, place: u32, list: usize) {
        let first = self.head(list);
        let number = small(list as u64);
        if let Some(after) = link_mut(places, first) {
            after.before = place;
        }
        if let Some(link) = link_mut(places, place) {
            *link = Link { before: FIRST | number, after: first };
        }
        self.set_head(number, place);
    }

    fn head(&self, list: usize) -> u32 {
        self.heads.get(list).copied().unwrap_or(NOWHERE)
    }

    fn set_head(&mut self, list: u32, place: u32) {
        let list = list as usize;
        if let Some(head) = self.heads.get_mut(list) {
            *head = place;
        }
        if let Some(occupied) = self.occupied.get_mut(list / LISTS_PER_LEVEL) {
            let bit = 1 << (list % LISTS_PER_LEVEL);
            *occupied = if place == NOWHERE { *occupied & !bit } else { *occupied | bit };
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "numbers of lists, below 400")]
const fn small(number: u64) -> u32 {
    number as u32
}

fn link<S>(places: &Slab<Entry<S>>, place: u32) -> Option<Link> {
    places.get(place as usize).map(|entry| entry.link)
}

fn link_mut<S>(places: &mut Slab<Entry<S>>, place: u32) -> Option<&mut Link> {
    places.get_mut(place as usize).map(|entry| &mut entry.link)
}
