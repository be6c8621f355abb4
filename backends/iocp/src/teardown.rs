//! The end of a worker, and of the port itself: nothing that the OS has is given free.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hangup::{Audit, Command, Plan};

use crate::driver::{Core, Driver};
use crate::shared::lock;

/// How long the OS has, to give back what was cancelled.
const PATIENCE: Duration = Duration::from_secs(2);

impl<S> Driver<S> {
    /// Ends everything, as dropping the driver does, and tells how that went: what is still
    /// [with the OS](Audit::with_the_os) then is leaked, and never freed. If there are other workers, they have
    /// everything from here on, and nothing is ended.
    #[must_use]
    pub fn shut_down(mut self) -> Audit {
        self.end_turn();
        self.core.leave();
        self.core.shared.table.audit()
    }
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        self.end_turn();
        self.core.leave();
    }
}

impl Core {
    /// One more worker of the same port.
    pub(crate) fn another(&self) -> Self {
        lock(&self.shared.crew).workers += 1;
        Self::new(Arc::clone(&self.shared), Arc::clone(&self.port))
    }

    /// It is one worker no more. What it has yet to do is left to the others; the last one takes everything down.
    fn leave(&mut self) {
        if std::mem::replace(&mut self.has_left, true) {
            return;
        }
        // What it has taken out of the port nobody else will.
        self.look();
        let mut crew = lock(&self.shared.crew);
        crew.workers -= 1;
        if crew.workers == 0 {
            drop(crew);
            return self.tear_down();
        }
        crew.left.append(std::mem::take(&mut self.lists));
        drop(crew);
        // They may sleep, and this one may have been the only one to know of a deadline. If the OS has no memory for
        // it, they come back by what comes to them.
        drop(self.shared.bell.ring());
    }

    /// The door is closed, all connections are aborted, and what is in flight is cancelled and reaped.
    fn tear_down(&mut self) {
        self.stop_listening();
        for key in self.shared.table.keys() {
            // The application has no turn any more.
            self.shared.socket(key, |socket| socket.news.loss = false);
            let _over = self.command(key, Command::Close(Plan::Abort));
            self.settle(key);
        }
        let began = Instant::now();
        while self.is_with_the_os() {
            let left = PATIENCE.saturating_sub(began.elapsed());
            if left.is_zero() || self.reap(left).is_err() {
                // What is left is leaked: by the table, and by each flight.
                return;
            }
        }
    }

    fn is_with_the_os(&self) -> bool {
        self.shared.table.audit().with_the_os() + lock(&self.shared.acceptor).in_flight() > 0
    }
}
