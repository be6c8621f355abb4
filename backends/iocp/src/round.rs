//! One round of the loop: wait, take what has come, look at the clock.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use hangup::Moment;

use crate::driver::Core;
use crate::os::{BATCH, Event};
use crate::shared::lock;

/// How long it takes until something is tried again for which the OS had no room.
const LATER: Duration = Duration::from_millis(10);
/// How many batches a worker that is alone takes out of the port in one round, so that deadlines are looked at in
/// between.
const BATCHES: usize = 16;
/// How many packets one of several workers takes in one round, so that the others have something to do.
const SHARE: usize = 32;

impl Core {
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let is_alone = self.take_over();
        let limit = self.timeout(limit, is_alone);
        if is_alone {
            self.take(limit, BATCH, BATCHES)?
        } else {
            self.take(limit, SHARE, 1)?
        };
        // Somebody may have gone while this one waited, and rung the bell.
        self.take_over();
        self.tick();
        Ok(())
    }

    /// Takes over what a worker that is gone has left behind. Whether this is the only one.
    fn take_over(&mut self) -> bool {
        let mut crew = lock(&self.shared.crew);
        self.lists.append(std::mem::take(&mut crew.left));
        crew.workers == 1
    }

    /// Waits for packets, and takes those that have come: so many batches, each of `most`.
    fn take(&mut self, limit: Option<Duration>, most: usize, batches: usize) -> io::Result<()> {
        let Self { shared, port, heard, events, .. } = self;
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut limit = limit;
        loop {
            // Nobody lies down without having heard the bell.
            let sleeps = limit != Some(Duration::ZERO) && shared.bell.lie_down(heard);
            let known = events.len();
            let first = port.wait(if sleeps { limit } else { Some(Duration::ZERO) }, most, events);
            let is_called = sleeps && shared.bell.rise(heard);
            if first? == 0 {
                return Ok(());
            }
            let is_for_others = events.iter().skip(known).all(|event| *event == Event::Woken);
            if !sleeps || is_called || !is_for_others {
                break;
            }
            // It has heard the bell before. Whoever has not is runnable by now, and should come first.
            events.truncate(known);
            shared.bell.pass_on();
            thread::yield_now();
            limit = until.map(|until| until.saturating_duration_since(Instant::now())).or(limit);
        }
        for _ in 1..batches {
            if port.wait(Some(Duration::ZERO), most, events)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Waits for packets, and does nothing but take back what they bring.
    pub(crate) fn reap(&mut self, limit: Duration) -> io::Result<()> {
        self.take(Some(limit), BATCH, BATCHES)?;
        self.look();
        Ok(())
    }

    /// Looks at what has come out of the port.
    pub(crate) fn look(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event {
                Event::Landed(user_data, landing) => self.landed(user_data, landing),
                Event::Woken => self.shared.bell.pass_on(),
            }
        }
        self.events = events;
    }

    /// How long to wait: not at all if there is something to do.
    fn timeout(&mut self, limit: Option<Duration>, is_alone: bool) -> Option<Duration> {
        let mut acceptor = lock(&self.shared.acceptor);
        let (arrivals, resumes) = (acceptor.arrivals(), acceptor.resumes());
        // What has come in is announced to every worker once; whoever has no room leaves it where it is, and sleeps.
        let has_news = std::mem::replace(&mut self.arrivals, arrivals) != arrivals;
        let is_left = !has_news && !is_alone && acceptor.is_left();
        drop(acceptor);
        if is_left {
            // Those who slept when it came have not heard of it. If the OS has no memory for it, they come back by what
            // comes to them.
            drop(self.shared.bell.ring());
        }
        // A wait that failed half-way has left packets that are not looked at yet.
        if has_news || self.lists.is_urgent() || !self.events.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.shared.now();
        let until = |moment: Moment| moment.since(now);
        let later = (!self.lists.later.is_empty()).then_some(LATER);
        let deadline = self.shared.table.next_deadline().map(until);
        [limit, deadline, resumes.map(until), later].into_iter().flatten().min()
    }

    fn tick(&mut self) {
        self.now = self.shared.now();
        self.look();
        while let Some((key, _deadline, _wants)) = self.shared.table.expire(self.now) {
            self.settle(key);
        }
        let (soon, later) = (std::mem::take(&mut self.lists.soon), std::mem::take(&mut self.lists.later));
        for key in soon.into_iter().chain(later) {
            self.settle(key);
        }
        self.resume_accepting();
        self.turns = self.lists.ready.len();
    }
}
