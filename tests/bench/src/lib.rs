//! What an event costs: a table, and beside it what servers write by hand, each with the same load.
//!
//! The connections by hand do the least that any server does: find the entry, see whether it is still the same
//! connection, count what was received, note when. They know no halves, no plans, no causes and no deadlines.

#![allow(clippy::missing_panics_doc, reason = "a benchmark: a surprise ends it")]

use std::collections::HashMap;

use hangup::{Answer, Input, Key, Mechanism, Moment, Outcome, Policy, Table};
use slab::Slab;

/// How many connections a table has.
pub const SIZES: [usize; 3] = [10, 10_000, 1_000_000];

/// What one received event is, for a table.
#[must_use]
pub const fn received(count: usize) -> Input {
    Input::Outcome(Outcome::Immediate(Answer::Received(count)))
}

/// A table of connections that are registered and idle, and their keys.
#[must_use]
pub fn table(count: usize, policy: Policy) -> (Table<u64>, Vec<Key>) {
    let mut table = Table::new(Mechanism::Level, policy);
    let registered = Input::Outcome(Outcome::Immediate(Answer::Registered));
    let keys = (0..count as u64)
        .map(|number| {
            let key = table.vacant().expect("not full").accept(number, Moment::EPOCH);
            table.input(key, registered, Moment::EPOCH).map(|_| key).expect("it is wanted")
        })
        .collect();
    (table, keys)
}

/// A connection as it is written by hand: as large as an entry of a table.
#[derive(Clone, Debug)]
pub struct Plain {
    generation: u32,
    received: u64,
    last: u64,
    rest: [u64; 5],
}

impl Plain {
    const fn new(generation: u32) -> Self {
        Self { generation, received: 0, last: 0, rest: [0; 5] }
    }

    const fn receive(&mut self, count: usize, now: u64) -> u64 {
        self.received += count as u64;
        self.last = now;
        self.received + self.rest[0]
    }
}

/// Connections in a slab, and tokens with a generation.
#[derive(Debug)]
pub struct ByHand {
    places: Slab<Plain>,
}

impl ByHand {
    /// So many connections, and their tokens.
    #[must_use]
    pub fn new(count: usize) -> (Self, Vec<u64>) {
        let mut places = Slab::new();
        let tokens = (0..count).map(|_| 1 << 32 | places.insert(Plain::new(1)) as u64).collect();
        (Self { places }, tokens)
    }

    /// Something was received.
    #[inline]
    pub fn receive(&mut self, token: u64, count: usize, now: u64) -> Option<u64> {
        let place = usize::try_from(token & 0xffff_ffff).ok()?;
        let plain = self.places.get_mut(place)?;
        (u64::from(plain.generation) == token >> 32).then(|| plain.receive(count, now))
    }
}

/// Connections in a map from tokens.
#[derive(Debug)]
pub struct InMap {
    places: HashMap<usize, Plain>,
}

impl InMap {
    /// So many connections, and their tokens.
    #[must_use]
    pub fn new(count: usize) -> (Self, Vec<usize>) {
        let tokens: Vec<usize> = (0..count).collect();
        (Self { places: tokens.iter().map(|&token| (token, Plain::new(1))).collect() }, tokens)
    }

    /// Something was received.
    #[inline]
    pub fn receive(&mut self, token: usize, count: usize, now: u64) -> Option<u64> {
        self.places.get_mut(&token).map(|plain| plain.receive(count, now))
    }
}

/// All of `things` in an order that no cache foresees, and that is the same every time.
#[must_use]
pub fn shuffled<T>(mut things: Vec<T>) -> Vec<T> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for at in (1..things.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        things.swap(at, usize::try_from(state % (at as u64 + 1)).expect("below a usize"));
    }
    things
}
