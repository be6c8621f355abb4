//! What an adapter for completions has received, and the application has not taken yet.
//!
//! The kernel is ahead of the application, so something has to lie somewhere. On a port the machine hears at once that
//! something came, and how much when it is taken. On a ring it hears of the whole receive when it is taken, and only of an
//! error at once, as if it had been asked for.

use hangup::{Answer, Cancel, Input, Memory, More, Operation, Outcome, Owed, Phase, ReceiveHalf};

use crate::kernel::{Answered, Held, Pending};
use crate::step::Amount;
use crate::world::{Rules, World};
use crate::{Personality, Violation};

impl World {
    /// Whether what is received is for the application.
    pub(crate) fn keeps(&self) -> bool {
        self.life.phase().is_established()
            && matches!(self.life.receive_half(), ReceiveHalf::Open | ReceiveHalf::Paused)
    }

    /// Whether the completion of the receive is told when the application comes to it, and not now.
    pub(crate) fn waits_to_be_taken(&self, rules: &Rules) -> bool {
        is_ring(rules.personality) && self.is_in_the_inbox() && (self.kernel.kept || self.keeps())
    }

    /// Whether the completion says something of the connection, and not of the operation only.
    fn is_in_the_inbox(&self) -> bool {
        matches!(
            self.kernel.held(Operation::Receive),
            Held::Queued(Answered::Done | Answered::End | Answered::Failed(_)) | Held::QueuedTold(_)
        )
    }

    /// Whether an error is known that the application has not come to.
    pub(crate) fn tells_error_ahead(&self, rules: &Rules) -> bool {
        let failed = matches!(self.kernel.held(Operation::Receive), Held::Queued(Answered::Failed(_)));
        is_ring(rules.personality) && failed && self.keeps()
    }

    /// Whether there is something for the application to take.
    pub(crate) fn can_be_taken(&self, rules: &Rules) -> bool {
        let held = self.kernel.held(Operation::Receive);
        let untold = matches!(held, Held::Queued(Answered::Failed(_)));
        let here = self.kernel.kept && self.can_tell_kept();
        let next = is_ring(rules.personality) && !self.kernel.kept && self.is_in_the_inbox() && !untold;
        rules.personality.keeps_input() && self.keeps() && (here || next)
    }

    /// Whether what comes next is bytes, of which some may be left.
    pub(crate) fn brings_bytes(&self) -> bool {
        self.kernel.kept || self.kernel.held(Operation::Receive) == Held::Queued(Answered::Done)
    }

    /// Whether the adapter has bytes that nobody is going to take.
    pub(crate) fn is_passed_over(&self) -> bool {
        self.kernel.kept && !self.keeps() && self.can_tell_kept()
    }

    /// Bytes are told by the receive that goes on, or, if there is none, as if a call had just been made.
    fn can_tell_kept(&self) -> bool {
        let slot = self.life.slot(Operation::Receive);
        slot.is_idle() || slot.owed == Owed::Stream && !slot.calling
    }

    /// The application takes what comes next, or the adapter throws it away.
    pub(crate) fn take(&mut self, rules: &Rules, amount: Amount) -> Result<(), Violation> {
        let rest = amount == Amount::Part;
        if !self.kernel.kept {
            self.completion(rules, Operation::Receive)?;
            self.kernel.kept = rest;
            return Ok(());
        }
        self.kernel.kept = rest;
        let received = Answer::Received(1);
        let outcome = match self.life.slot(Operation::Receive).owed {
            Owed::Stream => Outcome::Completed(received, More::Follows),
            _ => Outcome::Immediate(received),
        };
        self.offer(rules, Input::Outcome(outcome)).map(|_| ())
    }

    /// Behind a receive without room: what is there is received by a call.
    pub(crate) fn fetch(&mut self, rules: &Rules) -> Result<(), Violation> {
        let slot = self.life.slot(Operation::Receive);
        if !self.life.phase().is_established() || self.life.receive_half().is_over() || !slot.is_idle() {
            // If the call that submitted it is still out, the next receive will tell.
            return Ok(());
        }
        match self.kernel.receive(rules.personality) {
            Answer::Received(_) if self.keeps() => {
                self.kernel.kept = true;
                Ok(())
            }
            answer => self.immediate(rules, answer),
        }
    }

    /// What a receive says that has brought bytes, on a port: how many they are is told when they are taken.
    pub(crate) fn received(&mut self, rules: &Rules) -> Answer {
        let kept = rules.personality.tells_of_kept_input() && self.keeps();
        self.kernel.kept |= kept;
        Answer::Received(usize::from(!kept))
    }

    /// What nobody will ever take, and what no operation answers for, is gone.
    pub(crate) fn forget_kept(&mut self) {
        let over =
            self.life.receive_half().is_over() || !matches!(self.life.phase(), Phase::Open | Phase::Closing);
        if over && self.life.slot(Operation::Receive).is_idle() {
            self.kernel.kept = false;
        }
    }

    /// Whether a connection on a ring is watched although it is being read: nothing is received while the application
    /// leaves its input lying, and a multishot receive may miss the end.
    pub(crate) fn is_watched_too(&self, rules: &Rules) -> bool {
        let life = self.life;
        let reads = matches!(life.receive_half(), ReceiveHalf::Open | ReceiveHalf::Discarding);
        let blind =
            self.kernel.kept || self.is_in_the_inbox() || life.slot(Operation::Receive).owed == Owed::Stream;
        is_ring(rules.personality)
            && life.phase().is_established()
            && reads
            && blind
            && !life.memory().contains(Memory::HUNG_UP)
            && life.slot(Operation::Watch).is_idle()
    }

    /// Whether a multishot receive may be called off: nobody wants what it brings, or not so much of it.
    pub(crate) fn is_multishot_over(&self, rules: &Rules) -> bool {
        let slot = self.life.slot(Operation::Receive);
        is_ring(rules.personality)
            && slot.owed == Owed::Stream
            && !slot.calling
            && slot.cancel == Cancel::No
            && self.life.phase().is_established()
    }

    /// Whether a receive without room has something to announce, and not to fail: an end as well, however it came about.
    pub(crate) fn is_announced(&self) -> bool {
        self.kernel.is_readable() && (self.kernel.inbox || self.kernel.error == Pending::Nothing)
    }
}

fn is_ring(personality: Personality) -> bool {
    personality.keeps_input() && !personality.tells_of_kept_input()
}
