//! Waiting: the loop goes round until something holds.

use std::time::{Duration, Instant};

use hangup_polling::os::TcpState;

use crate::peer::Act;
use crate::stage::{PATIENCE, Stage, Trouble};

impl Stage {
    /// Runs the loop until something holds.
    pub(crate) fn turn_until(
        &mut self,
        what: &str,
        holds: impl Fn(&mut Self) -> bool,
    ) -> Result<(), Trouble> {
        self.turn_with(what, &[], holds)
    }

    /// The same, with the peer acting in every round. Like steps are put together.
    pub(crate) fn turn_with(
        &mut self,
        what: &str,
        acts: &[Act],
        holds: impl Fn(&mut Self) -> bool,
    ) -> Result<(), Trouble> {
        let begin = Instant::now();
        self.record.bulk(!acts.is_empty());
        while !holds(self) {
            if begin.elapsed() > PATIENCE {
                return Err(Trouble::Failed(format!("waited {PATIENCE:?} for this: {what}")));
            }
            for &act in acts {
                self.peer(act)?;
            }
            if acts.is_empty() {
                self.turn(Duration::from_millis(50))?;
            } else {
                // A peer at its leisure.
                std::thread::sleep(Duration::from_millis(1));
                self.turn(Duration::ZERO)?;
            }
        }
        self.record.bulk(false);
        Ok(())
    }

    /// Runs the loop until the connection has been released.
    pub(crate) fn turn_until_ended(&mut self) -> Result<(), Trouble> {
        self.turn_until("the end", Self::has_ended)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !self.reports.is_empty()
    }

    /// Runs the loop until what the peer has written has been read and discarded.
    pub(crate) fn turn_until_discarded(&mut self) -> Result<(), Trouble> {
        if self.here.backend.is_readiness() {
            return self.turn_until("the peer's data", |stage| stage.has_discarded() || stage.has_ended());
        }
        // A completion that goes nowhere is not told to anybody: it has come when nothing comes any more.
        for _ in 0..QUIET {
            self.turn(Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// Waits, without a look at the poller, until what the peer did has arrived: until our socket is in this
    /// state, or where the system does not tell, for a while.
    pub(crate) fn wait_for(&mut self, state: TcpState) -> Result<(), Trouble> {
        let begin = Instant::now();
        loop {
            match self.evidence() {
                None => {
                    std::thread::sleep(Duration::from_millis(60));
                    return Ok(());
                }
                Some(evidence) if evidence.state == state => return Ok(()),
                Some(_) if begin.elapsed() > PATIENCE => {
                    return Err(Trouble::Failed(format!("waited {PATIENCE:?} for the state {state}")));
                }
                Some(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// One round of the loop, as the documentation of the drivers describes it.
    fn turn(&mut self, at_most: Duration) -> Result<(), Trouble> {
        if self.here.backend.is_readiness() {
            self.wait(at_most)?;
            while let Some(event) = self.net.reported() {
                self.on_event(&event);
            }
            let Self { net, habits, record, .. } = self;
            while net.next(&mut |io, state| crate::application::serve(io, state, habits, record)) {}
        } else {
            self.wait_for_completions(at_most)?;
        }
        self.collect();
        Ok(())
    }

    /// On completions, a call of ours is handed over by the loop, and what has come is taken in by it. So that a script
    /// means the same there, the loop goes round once, without a turn for the application, before and after the call.
    pub(super) fn hand_over(&mut self) {
        if !self.here.backend.is_readiness() {
            // Were the loop broken, the next turn would say so.
            drop(self.net.wait(Some(Duration::ZERO)));
        }
    }
}

/// How many rounds without anything it takes to believe that nothing comes.
const QUIET: usize = 4;
