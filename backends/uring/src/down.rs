//! The end of the driver itself: door closed, everything aborted, what is owed reaped or leaked.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use hangup::{Mechanism, Plan, Table};

use crate::driver::Core;
use crate::options::Leftover;
use crate::os::entries;
use crate::perform::mark;

impl Core {
    /// Watches for the waker, if it is not being watched.
    pub(crate) fn watch_waker(&mut self) {
        if self.watches_waker || self.down.is_some() || !self.ring.has_room() {
            return;
        }
        let entry = entries::readable(entries::fd(&self.waker.as_fd()));
        self.watches_waker = self.ring.push(entry, mark::WAKER << mark::SHIFT);
    }

    /// Takes everything down. What has not come back by then is leaked.
    pub(crate) fn take_down(&mut self, limit: Duration) -> Leftover {
        if let Some(leftover) = self.down {
            return leftover;
        }
        let began = Instant::now();
        // The door is closed from here on: nothing is accepted, obeyed or watched for.
        self.mailbox.close();
        self.down = Some(Leftover { audit: self.table.audit(), leaked: 0 });
        self.tick();
        self.stop_accepting();
        let mut waker_cancelled = !self.watches_waker;
        self.close_all(Plan::Abort);
        loop {
            self.settle_all();
            if !waker_cancelled && self.ring.has_room() {
                let number = mark::WAKER << mark::SHIFT;
                waker_cancelled = self.ring.push(entries::cancel(number), mark::ASIDE << mark::SHIFT);
            }
            self.stop_accepting();
            let owed = self.table.len() + self.accepts() + usize::from(self.watches_waker);
            let left = limit.saturating_sub(began.elapsed());
            if owed == 0 || left.is_zero() {
                let leftover = Leftover { audit: self.table.audit(), leaked: owed };
                self.down = Some(leftover);
                if owed == 0 {
                    self.ring.free();
                } else {
                    self.leak();
                }
                return leftover;
            }
            if self.ring.wait(Some(left.min(Duration::from_millis(50)))).is_err() {
                // The ring itself is broken: wait for the deadline without it.
                std::thread::sleep(Duration::from_millis(1));
            }
            self.tick();
            self.reap();
        }
    }

    /// The kernel may still write to these buffers and has these descriptors: they are never given back.
    #[allow(clippy::mem_forget, reason = "I26: what is owed can never be reaped")]
    fn leak(&mut self) {
        let empty = Table::new(Mechanism::Ring, *self.table.policy());
        std::mem::forget(std::mem::replace(&mut self.table, empty));
        std::mem::forget(std::mem::take(&mut self.listeners));
        std::mem::forget(self.waker.clone());
    }
}
