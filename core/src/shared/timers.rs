//! The deadlines of all connections, in order, under one lock.
//!
//! A connection is in here at most once, at its earliest deadline or before it. Activity that renews a deadline, or
//! arms a later one, does not come here: when the moment comes, the connection is asked for its real deadline and is
//! filed again. So the lock is taken when a connection begins, ends, arms an earlier deadline, or comes up.

use alloc::collections::BTreeSet;

use super::sync::{Mutex, lock};
use crate::Moment;

/// When, which place, which generation of it.
type Filed = (Moment, u32, u32);

#[derive(Debug)]
pub(super) struct Timers(Mutex<BTreeSet<Filed>>);

impl Timers {
    pub(super) fn new() -> Self {
        Self(Mutex::new(BTreeSet::new()))
    }

    /// Files it, and no longer where it was filed before.
    pub(super) fn file(&self, before: Option<Moment>, (when, place, generation): Filed) {
        let mut filed = lock(&self.0);
        if let Some(before) = before {
            filed.remove(&(before, place, generation));
        }
        filed.insert((when, place, generation));
    }

    pub(super) fn remove(&self, filed: Filed) {
        lock(&self.0).remove(&filed);
    }

    /// The first whose moment has come. It is filed no longer.
    pub(super) fn pop(&self, now: Moment) -> Option<Filed> {
        let mut filed = lock(&self.0);
        filed.first().is_some_and(|&(when, ..)| when <= now).then(|| filed.pop_first())?
    }

    pub(super) fn next(&self) -> Option<Moment> {
        lock(&self.0).first().map(|&(when, ..)| when)
    }
}
