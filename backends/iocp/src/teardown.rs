//! The end of the driver itself: nothing that the OS has is given free.

use std::time::{Duration, Instant};

use hangup::{Audit, Command, Key, Plan};

use crate::driver::{Core, Driver};

/// How long the OS has, to give back what was cancelled.
const PATIENCE: Duration = Duration::from_secs(2);

impl<S> Driver<S> {
    /// Ends everything, as dropping the driver does, and tells how that went: what is still
    /// [with the OS](Audit::with_the_os) then is leaked, and never freed.
    #[must_use]
    pub fn shut_down(mut self) -> Audit {
        self.core.tear_down();
        self.core.table.audit()
    }
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        self.core.tear_down();
    }
}

impl Core {
    /// The door is closed, all connections are aborted, and what is in flight is cancelled and reaped.
    fn tear_down(&mut self) {
        self.stop_listening();
        let keys: Vec<Key> = self.table.keys().collect();
        for key in keys {
            if let Ok(socket) = self.table.get_mut(key) {
                // The application has no turn any more.
                socket.news.loss = false;
            }
            self.command(key, Command::Close(Plan::Abort));
            self.settle(key);
        }
        let began = Instant::now();
        while self.table.audit().with_the_os() + self.acceptor.in_flight() > 0 {
            let left = PATIENCE.saturating_sub(began.elapsed());
            if left.is_zero() || self.reap(left).is_err() {
                // What is left is leaked: by the table, and by each flight.
                return;
            }
        }
    }
}
