//! The table for several workers: the same machine, the same rules, and every method takes `&self`.
//!
//! Needs the feature `std`, for the locks.
//!
//! # Do you need it?
//!
//! Usually not. One [table](crate::Table) for each worker, and a queue of `(Key, Command)` to each of the others, is
//! simpler and faster: nothing is shared but the queue, and a connection stays in one processor's caches. A worker on
//! an epoll, a kqueue or a ring of its own has its own connections anyway:
//!
//! ```
//! use std::sync::Arc;
//!
//! use hangup::shared::Mailbox;
//! use hangup::{Command, Input, Mechanism, Moment, Plan, Policy, Table};
//!
//! let mut table: Table<&str> = Table::new(Mechanism::Ring, Policy::default());
//! let mailbox = Arc::new(Mailbox::new(table.id()));
//! let key = table.vacant()?.accept("the socket", Moment::EPOCH);
//!
//! // Any other worker: it has the key, and says what it wants. The first has to wake the loop, by an eventfd or the like.
//! let others = Arc::clone(&mailbox);
//! let wakes = std::thread::spawn(move || others.put(key, Command::Close(Plan::Abort))).join().unwrap()?;
//! assert!(wakes);
//!
//! // The worker that has the connection, once in each turn of its loop. A stale key is no error: it was over before.
//! for (key, command) in mailbox.take() {
//!     if let Ok(wants) = table.input(key, Input::Command(command), Moment::EPOCH) {
//!         assert!(wants.release.is_some());
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What needs this table is one queue that several workers take from: a completion port. There the completions of one
//! connection come to any worker, at the same time, and before the call that submitted the operation has returned.
//!
//! # The contract, beyond that of [`crate::Table`]
//!
//! [`Wants`] are what is to be done *as far as the worker knows*. Another worker may be doing it. So a want is claimed
//! before it is performed, and whose claim is accepted performs it:
//!
//! | want | claim |
//! |---|---|
//! | `connect`, `receive`, `send`, `watch`, `shutdown` as operations | [`Table::lend`], with a buffer or without |
//! | `register`, `deregister`, `inquire` | [`Outcome::Submitting`] |
//! | `cancel` | [`Outcome::Cancelling`] |
//! | `release` | [`Table::release`] |
//! | `sever` | none: severing twice does no harm, and is refused once |
//! | `confirm` | none: it is of pollers, whose one-shot event one worker gets |
//!
//! While a claim is out, the connection is not released, so what the call needs (the descriptor) may be copied out of
//! [`Table::with`] before the call.
//!
//! The application reports [`Command::Output`] as an amount, not as an increment; so whoever queues output, and
//! whoever reports that some was sent, does so with the lock of the application's queue held.
//!
//! # What holds
//!
//! * Every input moves the life by one compare-exchange around [`Life::step`], so all inputs of a connection have an
//!   order, and each found the connection as the one before it had left it.
//! * One release is accepted. Whoever made it has the resources, moved out, and nobody else is using them.
//! * The report is complete: every accepted input is counted in it, and its log has their order.
//! * A key never reaches another connection. See `place.rs` for why.
//! * Nothing is freed, and no buffer comes back, while the OS owes anything for it.
//! * [`Audit`] is exact when no worker is inside a call; at any other moment each count is right by itself, and never
//!   is more released than acquired, or more returned than lent.
//!
//! There are four locks, each held for a few assignments: one of each place for what is written down beside the life,
//! one of each place for its resources, one of the table for vacant places, one of the table for deadlines. Only the
//! closures of [`Table::with`], [`Table::with_mut`] and [`Table::with_lent`] run inside one; each says what they must
//! not do there.
//!
//! # Example
//!
//! Two workers tell of the same end, and one of them gets the socket:
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//!
//! use hangup::shared::Table;
//! use hangup::{Command, Input, Mechanism, Moment, Plan, Policy};
//!
//! let table: Table<&str> = Table::new(Mechanism::Port, Policy::default());
//! let key = table.vacant()?.accept("the socket", Moment::EPOCH);
//! let released = AtomicU32::new(0);
//! std::thread::scope(|scope| {
//!     for _ in 0..2 {
//!         scope.spawn(|| {
//!             let close = Input::Command(Command::Close(Plan::Abort));
//!             // The slower one may find the key stale; that is no error.
//!             let Ok(wants) = table.input(key, close, Moment::EPOCH) else { return };
//!             if wants.release.is_some() && table.release(key, Moment::EPOCH).is_ok() {
//!                 released.fetch_add(1, Ordering::Relaxed);
//!             }
//!         });
//!     }
//! });
//! assert_eq!(released.into_inner(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ask;
mod books;
mod lent;
mod mailbox;
mod place;
mod places;
mod sync;
mod tally;
mod timers;
mod vacant;

use self::books::{Books, answered, concerns_books};
pub use self::mailbox::{Mailbox, RemoteError};
use self::place::{Place, row};
use self::places::Places;
#[cfg(loom)]
pub use self::sync::fault;
use self::sync::lock;
use self::tally::{Tally, Told};
use self::timers::Timers;
pub use self::vacant::Vacant;
#[cfg(doc)]
use crate::Audit;
use crate::key::{KeyLayout, TableId};
use crate::table::{follow_up, is_too_late, next_id};
use crate::{
    Answer, Command, Deadline, Input, InputError, Key, Life, Mechanism, Moment, Operation, Outcome, Phase,
    Plan, Policy, RawCode, Refused, ReleaseError, Released, Wants, trace,
};

/// The connections of several workers.
///
/// As [`crate::Table`], whose documentation says what each method is for; what is different is said in the
/// [module](self). `Send` and `Sync` if `S` and `B` are `Send`.
pub struct Table<S, B = ()> {
    places: Places<S, B>,
    timers: Timers,
    told: Told,
    tally: Tally,
    policy: Policy,
    mechanism: Mechanism,
    layout: KeyLayout,
    id: TableId,
}

/// A worker inside a place: as long as this lives, the connection there is the one of the key.
struct Inside<'a, S, B> {
    table: &'a Table<S, B>,
    place: &'a Place<S, B>,
    key: Key,
}

impl<S, B> Drop for Inside<'_, S, B> {
    fn drop(&mut self) {
        if self.place.leave() {
            self.table.vacate(self.place, self.key);
        }
    }
}

/// Why an input was not a matter of one compare-exchange.
enum Stop {
    ForBooks,
    For(InputError),
}

impl<S, B> Table<S, B> {
    /// An empty table. Where a `usize` has 32 bits, this is [`Table::compact`].
    #[must_use]
    pub fn new(mechanism: Mechanism, policy: Policy) -> Self {
        let layout = if usize::BITS < 64 { KeyLayout::COMPACT } else { KeyLayout::WIDE };
        Self::with_layout(mechanism, policy, layout)
    }

    /// An empty table whose tokens fit 32 bits, as [`crate::Table::compact`].
    #[must_use]
    pub fn compact(mechanism: Mechanism, policy: Policy) -> Self {
        Self::with_layout(mechanism, policy, KeyLayout::COMPACT)
    }

    fn with_layout(mechanism: Mechanism, policy: Policy, layout: KeyLayout) -> Self {
        Self {
            places: Places::new(),
            timers: Timers::new(),
            told: Told::default(),
            tally: Tally::default(),
            policy,
            mechanism,
            layout,
            id: next_id(),
        }
    }

    /// Goes inside the place of the key's connection.
    fn enter(&self, key: Key) -> Result<Inside<'_, S, B>, InputError> {
        if !key.is_of(self.id) || !self.layout.fits(key) {
            return Err(InputError::Foreign(key));
        }
        let place =
            self.places.get(self.layout.index(key)).filter(|place| place.enter(self.layout.generation(key)));
        let place = place.ok_or(InputError::Stale(key))?;
        Ok(Inside { table: self, place, key })
    }

    /// Nobody is inside any more: the place is free for another connection, or retired if its generations are used
    /// up.
    fn vacate(&self, place: &Place<S, B>, key: Key) {
        if place.generation() < self.layout.last_generation() {
            self.places.give(self.layout.index(key));
        } else {
            self.tally.retired.add(true);
        }
    }

    /// Feeds one happening. What is to be done now.
    ///
    /// # Errors
    ///
    /// As [`crate::Table::input`].
    pub fn input(&self, key: Key, input: Input, now: Moment) -> Result<Wants, InputError> {
        self.feed(key, input, None, now).map(Life::wants).map_err(|error| self.tally.turn_away(error))
    }

    /// As [`Table::input`], with the code of the OS that the input's fault was made from.
    ///
    /// # Errors
    ///
    /// As [`Table::input`].
    pub fn input_with_code(
        &self,
        key: Key,
        input: Input,
        code: RawCode,
        now: Moment,
    ) -> Result<Wants, InputError> {
        self.feed(key, input, Some(code), now).map(Life::wants).map_err(|error| self.tally.turn_away(error))
    }

    fn feed(&self, key: Key, input: Input, code: Option<RawCode>, now: Moment) -> Result<Life, InputError> {
        let inside = self.enter(key)?;
        if answered(input) == Some(Operation::Release) {
            return Err(inside.refuse(input));
        }
        let alone = inside.place.step(|before| {
            let after = row(key, before, input).map_err(Stop::For)?;
            // Lines of a trace have their order from the lock of the books.
            let needs_books = concerns_books(before, after, input) || trace::is_observed();
            if needs_books { Err(Stop::ForBooks) } else { Ok(after) }
        });
        match alone {
            // A code is kept if it comes with a decision, and each of those concerns the books.
            Ok((_, after)) => {
                self.told.tell(now);
                Ok(after)
            }
            Err(Stop::For(error)) => Err(error),
            Err(Stop::ForBooks) => {
                let mut books = lock(&inside.place.books);
                if answered(input).is_some_and(|operation| books.has_lent(operation)) {
                    return Err(inside.refuse(input));
                }
                inside.write(&mut books, input, code, now).map(|(_, last)| last)
            }
        }
    }

    /// Takes out what a connection owns, once, with the report. Its key is stale from here on.
    ///
    /// Waits for workers that are inside [`Table::with`] on this key.
    ///
    /// # Errors
    ///
    /// As [`crate::Table::release`]. [`ReleaseError::Stale`] is what all get but the one that has it.
    pub fn release(&self, key: Key, now: Moment) -> Result<Released<S>, ReleaseError> {
        let inside = self.enter(key).map_err(|error| self.tally.turn_away(error))?;
        let mut books = lock(&inside.place.books);
        let released = Input::Outcome(Outcome::Immediate(Answer::Released));
        let (before, after) = match inside.place.step(|before| row(key, before, released)) {
            Ok(stepped) => stepped,
            Err(refused @ InputError::Refused(_)) => return Err(refused.into()),
            Err(error) => return Err(self.tally.turn_away(error).into()),
        };
        trace::taken(key, before, released, after);
        // From here on, this is the only worker that is doing anything with the connection.
        books.entry.life = before;
        let report = books.entry.report(self.told.tell(now));
        if let Some(when) = books.filed.take() {
            self.timers.remove((when, self.layout.index(key), self.layout.generation(key)));
        }
        drop(books);
        let resources = lock(&inside.place.resources).take();
        self.tally.released.add(true);
        // The connection itself leaves. This worker is still inside, so it is not the last.
        inside.place.leave();
        match (before.wants().release, resources) {
            (Some(close), Some(resources)) => Ok(Released { resources, close, report }),
            (None, _) | (_, None) => Err(ReleaseError::Stale(key)),
        }
    }

    /// Lets the next deadline pass that has come by `now`, as [`crate::Table::expire`]. Several workers may call it at
    /// the same time; each deadline passes once.
    pub fn expire(&self, now: Moment) -> Option<(Key, Deadline, Wants)> {
        let now = self.told.tell(now);
        while let Some((when, number, generation)) = self.timers.pop(now) {
            let key = self.layout.key(number, generation, self.id);
            let Ok(inside) = self.enter(key) else { continue };
            let mut books = lock(&inside.place.books);
            // If another worker has filed it for an earlier moment meanwhile, it comes up by that.
            if books.filed != Some(when) {
                continue;
            }
            books.filed = None;
            let armed = inside.place.life().deadlines();
            let Some((deadline, due)) = books.dues.next(armed, &self.policy) else { continue };
            if due <= when {
                if let Ok((_, life)) = inside.write(&mut books, Input::Expired(deadline), None, now) {
                    return Some((key, deadline, life.wants()));
                }
            }
            // It was renewed since.
            self.file(inside.place, key, &mut books);
        }
        None
    }

    /// Files a connection for its next deadline, if that is earlier than where it is filed.
    fn file(&self, place: &Place<S, B>, key: Key, books: &mut Books<B>) {
        let armed = place.life().deadlines();
        let Some((_, due)) = books.dues.next(armed, &self.policy) else { return };
        if books.filed.is_none_or(|filed| due < filed) {
            self.timers.file(books.filed, (due, self.layout.index(key), self.layout.generation(key)));
            books.filed = Some(due);
        }
    }

    /// Closes every connection according to `plan`, and tells what each wants now. A connection that begins meanwhile
    /// may be missed: stop accepting first.
    pub fn drain(&self, plan: Plan, now: Moment, mut each: impl FnMut(Key, Wants)) {
        for key in self.keys() {
            if let Ok(wants) = self.input(key, Input::Command(Command::Close(plan)), now) {
                each(key, wants);
            }
        }
    }
}

impl<S, B> Inside<'_, S, B> {
    /// Moves the life by an input that has something to write, and writes it. The lock of the books is held, so
    /// whoever else has something to write comes before or after; the compare-exchange is for those who have not.
    /// The life that it moved to, and the one after what follows from counts has been fed too.
    fn write(
        &self,
        books: &mut Books<B>,
        input: Input,
        code: Option<RawCode>,
        now: Moment,
    ) -> Result<(Life, Life), InputError> {
        let Table { told, policy, .. } = self.table;
        let (before, after) = self.place.step(|before| {
            let after = row(self.key, before, input)?;
            let late = is_too_late(before, books.entry.pending(), input);
            if late { Err(InputError::Refused(Refused { input, life: before })) } else { Ok(after) }
        })?;
        trace::taken(self.key, before, input, after);
        let now = told.tell(now);
        books.write((before, after), input, code, policy, now);
        let following = follow_up(&books.entry, policy, input);
        if let Some(Ok((_, last))) = following.map(|input| self.write(books, input, None, now)) {
            return Ok((after, last));
        }
        self.table.file(self.place, self.key, books);
        Ok((after, after))
    }

    fn refuse(&self, input: Input) -> InputError {
        let life = self.place.life();
        if life.phase() == Phase::Released {
            return InputError::Stale(self.key);
        }
        Refused { input, life }.into()
    }
}

impl<S, B> core::fmt::Debug for Table<S, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Table").field("audit", &self.audit()).field("policy", &self.policy).finish()
    }
}
