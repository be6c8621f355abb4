//! What the workers of one port have in common.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hangup::shared::Table;
use hangup::{Buffer, Key, Moment, Report};
use slab::Slab;

use crate::acceptor::Acceptor;
use crate::options::Options;
use crate::os::Flight;
use crate::socket::{Buffers, Socket, Stock};
use crate::waker::Bell;

/// How many buffers are kept that nobody uses.
const KEPT: usize = 256;

/// Everything of a port but the application's states.
///
/// Locks are taken in this order, and each is held for a few assignments, and calls that do not wait: that of a
/// connection (the table's, around [`Shared::socket`]), then the table's own, then that of the buffers. That of the
/// listeners, of the crew and of the bell are taken by themselves.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) table: Table<Socket, Flight>,
    pub(crate) options: Options,
    pub(crate) acceptor: Mutex<Acceptor>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) crew: Mutex<Crew>,
    buffers: Mutex<Buffers>,
    epoch: Instant,
}

/// How many workers there are, and what those have left behind who are gone.
#[derive(Debug)]
pub(crate) struct Crew {
    pub(crate) workers: usize,
    pub(crate) left: Lists,
}

/// What one worker has yet to do.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Connections with something to do for the application.
    pub(crate) ready: VecDeque<Key>,
    /// Connections that want something for which the OS had no room just now.
    pub(crate) later: Vec<Key>,
    /// Connections that had as many rounds in a row as one may have.
    pub(crate) soon: Vec<Key>,
    /// Connections that have ended and whose reports have not been fetched.
    pub(crate) done: VecDeque<Done>,
}

#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) key: Key,
    pub(crate) state: usize,
    pub(crate) report: Report,
}

/// Locks. Whatever panicked inside, what is behind these locks is whole between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// For one worker.
    pub(crate) fn new(table: Table<Socket, Flight>, options: Options, bell: Bell) -> Self {
        Self {
            table,
            options,
            acceptor: Mutex::default(),
            bell: Arc::new(bell),
            crew: Mutex::new(Crew { workers: 1, left: Lists::default() }),
            buffers: Mutex::new(Buffers::new(options.buffer_size, KEPT)),
            epoch: Instant::now(),
        }
    }

    /// Lets the closure have what a connection owns. `None` if it has been released.
    ///
    /// It may feed the connection, and must not release it or come here again.
    pub(crate) fn socket<R>(&self, key: Key, change: impl FnOnce(&mut Socket) -> R) -> Option<R> {
        // Asked first, because the table counts who comes too late, and it is no mistake to.
        self.table.life(key).ok()?;
        self.table.with_mut(key, change).ok()
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Moment {
        Moment::since_epoch(self.epoch.elapsed())
    }

    pub(crate) fn buffer(&self) -> Buffer {
        lock(&self.buffers).take()
    }

    pub(crate) fn give(&self, buffer: Buffer) {
        lock(&self.buffers).give(buffer);
    }

    pub(crate) fn buffers(&self) -> MutexGuard<'_, Buffers> {
        lock(&self.buffers)
    }

    pub(crate) fn stock(&self) -> Stock {
        lock(&self.buffers).stock()
    }
}

impl Lists {
    /// Whether something is to be done at once.
    pub(crate) fn is_urgent(&self) -> bool {
        !(self.ready.is_empty() && self.soon.is_empty() && self.done.is_empty())
    }

    /// Takes over what another has left behind.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.ready.append(&mut other.ready);
        self.later.append(&mut other.later);
        self.soon.append(&mut other.soon);
        self.done.append(&mut other.done);
    }
}

/// The application's states, each in its place or with the worker that has the connection's turn.
#[derive(Debug)]
pub(crate) struct States<S>(Mutex<Slab<Option<Box<S>>>>);

impl<S> States<S> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Slab::new()))
    }

    pub(crate) fn insert(&self, state: S) -> usize {
        lock(&self.0).insert(Some(Box::new(state)))
    }

    /// For a turn.
    pub(crate) fn take(&self, place: usize) -> Option<Box<S>> {
        lock(&self.0).get_mut(place)?.take()
    }

    /// After the turn.
    pub(crate) fn put(&self, place: usize, state: Box<S>) {
        if let Some(vacant) = lock(&self.0).get_mut(place) {
            *vacant = Some(state);
        }
    }

    /// For good.
    pub(crate) fn remove(&self, place: usize) -> Option<Box<S>> {
        lock(&self.0).try_remove(place)?
    }
}
