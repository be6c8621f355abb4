//! One round of the loop: wait, take what has come, look at the clock.

use std::io;
use std::time::Duration;

use hangup::Moment;

use crate::driver::Core;
use crate::os::Event;

/// How long it takes until something is tried again for which the OS had no room.
const LATER: Duration = Duration::from_millis(10);
/// How many batches are taken out of the port in one round, so that deadlines are looked at in between.
const BATCHES: usize = 16;

impl Core {
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let limit = self.timeout(limit);
        self.take(limit)?;
        self.tick();
        Ok(())
    }

    /// Waits for packets, and takes all that have come.
    fn take(&mut self, mut limit: Option<Duration>) -> io::Result<()> {
        for _ in 0..BATCHES {
            if self.port.wait(limit, &mut self.events)? == 0 {
                break;
            }
            limit = Some(Duration::ZERO);
        }
        Ok(())
    }

    /// Waits for packets, and does nothing but take back what they bring.
    pub(crate) fn reap(&mut self, limit: Duration) -> io::Result<()> {
        self.take(Some(limit))?;
        self.look();
        Ok(())
    }

    fn look(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event {
                Event::Landed(user_data, landing) => self.landed(user_data, landing),
                Event::Woken => {}
            }
        }
        self.events = events;
    }

    /// How long to wait: not at all if there is something to do.
    fn timeout(&self, limit: Option<Duration>) -> Option<Duration> {
        if !self.ready.is_empty()
            || !self.done.is_empty()
            || self.acceptor.has_news()
            || !self.soon.is_empty()
        {
            return Some(Duration::ZERO);
        }
        let now = Moment::since_epoch(self.epoch.elapsed());
        let until = |moment: Moment| moment.since(now);
        let later = (!self.later.is_empty()).then_some(LATER);
        let deadline = self.table.next_deadline().map(until);
        [limit, deadline, self.acceptor.resumes().map(until), later].into_iter().flatten().min()
    }

    fn tick(&mut self) {
        self.now = Moment::since_epoch(self.epoch.elapsed());
        self.look();
        while let Some((key, _deadline, _wants)) = self.table.expire(self.now) {
            self.settle(key);
        }
        for key in std::mem::take(&mut self.soon).into_iter().chain(std::mem::take(&mut self.later)) {
            self.settle(key);
        }
        self.resume_accepting();
        self.turns = self.ready.len();
    }
}
