//! The application that runs on a subject: one small state for each connection, with a behaviour that a case
//! chooses, and a page on which it notes what it saw.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hangup::{Key, Life, Plan, ReceiveHalf, Report};
use hangup_testkit::peer::{Content, Digest};

use crate::running::{Deferred, Hands};
use crate::subject::Connection;

/// What a connection of ours does by itself. Everything else is done to it by the case.
#[derive(Clone)]
pub(crate) struct Behaviour {
    /// Whether it begins paused.
    pub(crate) paused: bool,
    /// Whether it sends back what it receives.
    pub(crate) echo: bool,
    /// Bytes that it sends before it has received any.
    pub(crate) greeting: usize,
    /// After so many bytes received, it sends so many.
    pub(crate) answer: Option<(u64, usize)>,
    /// What it does as soon as greeting or answer are queued.
    pub(crate) then: Option<Plan>,
    /// What it does when the peer has finished.
    pub(crate) at_end: Option<Plan>,
    /// How many bytes a read asks for, and how many reads it makes before it returns to the loop.
    pub(crate) piece: usize,
    pub(crate) reads: usize,
    /// What the loop does behind the first input of whichever connection comes first.
    pub(crate) first_input: Option<Deferred>,
}

impl Behaviour {
    /// Reads everything; nothing else.
    pub(crate) const READER: Self = Self {
        paused: false,
        echo: false,
        greeting: 0,
        answer: None,
        then: None,
        at_end: None,
        piece: 16 * 1024,
        reads: usize::MAX,
        first_input: None,
    };
    /// Reads everything, and takes leave when the peer has.
    pub(crate) const POLITE: Self = Self { at_end: Some(Plan::Flush), ..Self::READER };
    /// Sends back what it receives, and takes leave when the peer has.
    pub(crate) const ECHO: Self = Self { echo: true, ..Self::POLITE };
    /// Does not read.
    pub(crate) const PAUSED: Self = Self { paused: true, ..Self::READER };

    /// Sends so many bytes first.
    pub(crate) const fn greeting(bytes: usize, then: Option<Plan>) -> Self {
        Self { greeting: bytes, then, ..Self::READER }
    }

    /// Sends `bytes` when it has received `after`.
    pub(crate) const fn answer(after: u64, bytes: usize, then: Option<Plan>) -> Self {
        Self { answer: Some((after, bytes)), then, ..Self::READER }
    }
}

/// What was seen of one connection, by its handler and by the loop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) turns: u64,
    pub(crate) received: u64,
    pub(crate) digest: Digest,
    pub(crate) sent: u64,
    /// A read returned 0.
    pub(crate) end: bool,
    /// A write would have blocked.
    pub(crate) blocked: bool,
    pub(crate) read_error: Option<ErrorKind>,
    pub(crate) write_error: Option<ErrorKind>,
    pub(crate) ended: Option<Ended>,
}

/// A connection that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) report: Report,
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ended {
            Some(ended) => write!(f, "{}", ended.report)?,
            None => write!(f, "not ended; received {} B, sent {} B", self.received, self.sent)?,
        }
        write!(f, "; {} turns, end: {}, blocked: {}", self.turns, self.end, self.blocked)?;
        write!(f, ", errors: {:?}, {:?}", self.read_error, self.write_error)
    }
}

/// What all connections of one loop note, by their numbers: in the order in which they began.
#[derive(Default)]
pub(crate) struct Page {
    lines: Mutex<Vec<Observed>>,
    changed: Condvar,
    /// The keys of all that have begun, for their traces.
    keys: Mutex<Vec<Key>>,
    /// How often the loop has gone round.
    rounds: AtomicU64,
}

impl Page {
    pub(crate) fn lines(&self) -> MutexGuard<'_, Vec<Observed>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    pub(crate) fn round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The table has a new connection.
    pub(crate) fn key(&self, key: Key) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
    }

    /// A line for a new connection.
    pub(crate) fn begin(&self) -> usize {
        let mut lines = self.lines();
        lines.push(Observed::default());
        self.changed.notify_all();
        lines.len() - 1
    }

    pub(crate) fn note(&self, number: usize, note: impl FnOnce(&mut Observed)) {
        note(&mut self.lines()[number]);
        self.changed.notify_all();
    }

    /// Waits until `done` says so. Whether it did, before the patience was at its end.
    pub(crate) fn wait(&self, patience: Duration, mut done: impl FnMut(&[Observed]) -> bool) -> bool {
        let lines = self.lines();
        let (_lines, waited) = self
            .changed
            .wait_timeout_while(lines, patience, |lines| !done(lines))
            .unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }
}

/// What the loop does behind a turn.
pub(crate) type Behind = Box<dyn FnOnce(&mut Hands<'_>) + Send>;

/// The application's state of one connection.
pub(crate) struct App {
    pub(crate) number: usize,
    behaviour: Behaviour,
    page: Arc<Page>,
    /// For the loop: what is to be done behind this turn.
    pub(crate) deferred: Vec<Behind>,
    content: Content,
    out: Vec<u8>,
    written: usize,
    answered: bool,
    /// Whether a read has told it that there is no more.
    told: bool,
}

impl App {
    pub(crate) fn new(behaviour: Behaviour, seed: u64, page: Arc<Page>) -> Self {
        Self {
            number: page.begin(),
            behaviour,
            page,
            deferred: Vec::new(),
            content: Content::of(seed),
            out: Vec::new(),
            written: 0,
            answered: false,
            told: false,
        }
    }

    /// Before the first event.
    pub(crate) fn begin(&mut self, conn: &mut dyn Connection) {
        if self.behaviour.paused {
            conn.pause();
        }
        match (self.behaviour.greeting, self.behaviour.answer, self.behaviour.then) {
            (0, None, Some(plan)) => conn.close(plan),
            (0, _, _) => {}
            (count, _, _) => self.say(conn, count),
        }
    }

    /// One turn: writes what is left, then reads and writes until one of the two would block.
    pub(crate) fn turn(&mut self, conn: &mut dyn Connection) {
        self.page.note(self.number, |seen| seen.turns += 1);
        self.flush(conn);
        for _ in 0..self.behaviour.reads {
            if !self.read(conn) {
                break;
            }
        }
    }

    /// Whether it may go on reading.
    fn read(&mut self, conn: &mut dyn Connection) -> bool {
        // Where operations complete by themselves, an end may be known before it has been read.
        let takes_input = match conn.life().map(Life::receive_half) {
            Some(ReceiveHalf::Open) => true,
            Some(ReceiveHalf::Ended | ReceiveHalf::Failed) => !self.told,
            _ => false,
        };
        if !takes_input {
            return false;
        }
        let mut buffer = vec![0; self.behaviour.piece];
        match conn.read(&mut buffer) {
            Ok(0) => {
                self.told = true;
                self.page.note(self.number, |seen| seen.end = true);
                if let Some(plan) = self.behaviour.at_end {
                    conn.close(plan);
                }
                false
            }
            Ok(count) => {
                self.received(conn, &buffer[..count]);
                true
            }
            Err(error) => {
                self.told |= !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted);
                self.failed(&error, |seen, kind| seen.read_error = Some(kind))
            }
        }
    }

    fn received(&mut self, conn: &mut dyn Connection, bytes: &[u8]) {
        let mut all = 0;
        self.page.note(self.number, |seen| {
            seen.received += bytes.len() as u64;
            seen.digest.add(bytes);
            all = seen.received;
        });
        if let Some(act) = self.behaviour.first_input.as_ref().and_then(|first| first.take()) {
            let number = self.number;
            self.deferred.push(Box::new(move |hands| act(hands, number)));
        }
        if self.behaviour.echo {
            self.out.extend_from_slice(bytes);
            self.flush(conn);
        }
        match self.behaviour.answer {
            Some((after, count)) if all >= after && !self.answered => {
                self.answered = true;
                self.say(conn, count);
            }
            _ => {}
        }
    }

    /// Queues output, writes what goes at once, and says what was to be said behind it.
    pub(crate) fn say(&mut self, conn: &mut dyn Connection, count: usize) {
        self.out.extend(self.content.take(count));
        self.flush(conn);
        if let Some(plan) = self.behaviour.then {
            conn.close(plan);
        }
    }

    /// The next bytes of its content, for a case that writes them itself.
    pub(crate) fn content(&mut self, count: usize) -> Vec<u8> {
        self.content.take(count)
    }

    fn flush(&mut self, conn: &mut dyn Connection) {
        while self.written < self.out.len() {
            match conn.write(&self.out[self.written..]) {
                Ok(count) => {
                    self.written += count;
                    self.page.note(self.number, |seen| seen.sent += count as u64);
                }
                Err(error) => {
                    if error.kind() == ErrorKind::WouldBlock {
                        self.page.note(self.number, |seen| seen.blocked = true);
                    }
                    if !self.failed(&error, |seen, kind| seen.write_error = Some(kind)) {
                        return;
                    }
                }
            }
        }
        self.out.clear();
        self.written = 0;
    }

    /// Notes an error. Whether the call is to be made again.
    fn failed(&self, error: &io::Error, note: impl FnOnce(&mut Observed, ErrorKind)) -> bool {
        if error.kind() == ErrorKind::Interrupted {
            return true;
        }
        if error.kind() != ErrorKind::WouldBlock {
            self.page.note(self.number, |seen| note(seen, error.kind()));
        }
        false
    }
}
