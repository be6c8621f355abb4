//! What the adapter has to do now: a function of the life alone.

use super::slot::{Operation, Owed, Slot};
use super::state::{Inquiry, Memory, Phase, ReceiveHalf, Registration, SendHalf};
use super::{Life, Mechanism};
use crate::Plan;

/// Everything that is to be done now, and the whole truth: there is no queue behind it.
///
/// Take it apart with a pattern that names every field, so that the compiler tells when there is a new
/// one: a want that is skipped is a leak. What is done goes back in as an
/// [`Outcome`](super::Outcome), and then the want is gone; a want that could not be performed (a
/// submission queue was full) is simply still there the next time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[must_use = "an adapter that skips a want leaks"]
pub struct Wants {
    /// Submit the connect.
    pub connect: bool,
    /// Fetch the verdict of a connect that is hinted to be over: the pending error, then the peer name.
    pub confirm: bool,
    /// Register the socket with the poller.
    pub register: bool,
    /// Readiness: watch for "readable". Completion: submit a receive.
    pub receive: bool,
    /// Readiness: watch for "writable" (the end of a connect included). Completion: submit a send.
    pub send: bool,
    /// Readiness: a receive would not block as far as known, and the OS will not say so again. Let the
    /// application receive without waiting for an event.
    pub receive_now: bool,
    /// Readiness: the same for a send.
    pub send_now: bool,
    /// What is received is discarded by the adapter; the application does not see it.
    pub discard: bool,
    /// Completion: submit a poll for the hang-up, since nothing else would report it.
    pub watch: bool,
    /// Ask the socket for its pending error, before anything else is called on it.
    pub inquire: bool,
    /// Shut the send half down.
    pub shutdown: bool,
    /// Sever the connection (without closing the descriptor), so that what is owed comes back.
    pub sever: bool,
    /// Ask the OS to cancel these operations.
    pub cancel: Cancels,
    /// Remove the registration from the poller.
    pub deregister: bool,
    /// Take the resources out and close the descriptor, this way. Nothing of the connection is with the
    /// OS any more.
    pub release: Option<Close>,
}

/// Operations to cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cancels {
    /// The connect.
    pub connect: bool,
    /// The receive.
    pub receive: bool,
    /// The send.
    pub send: bool,
    /// The watch for the hang-up.
    pub watch: bool,
}

impl Cancels {
    /// Whether there is nothing to cancel.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !(self.connect || self.receive || self.send || self.watch)
    }
}

/// How to close the descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Close {
    /// Close it: our FIN has been sent, or there is nobody to send one to.
    Plain,
    /// Close it so that a reset goes out (linger 0).
    Reset,
}

impl Life {
    /// What is to be done now.
    #[inline]
    pub fn wants(self) -> Wants {
        match self.phase() {
            Phase::ConnectDue | Phase::Connecting | Phase::ConnectHinted => self.wants_connecting(),
            Phase::Open | Phase::Closing => self.wants_established(),
            Phase::Ending => self.wants_ending(),
            Phase::Released => Wants::default(),
        }
    }

    #[inline]
    fn wants_connecting(self) -> Wants {
        let readiness = self.mechanism().is_readiness();
        let present = self.registration() == Registration::Present;
        Wants {
            connect: self.phase() == Phase::ConnectDue && self.slot(Operation::Connect).is_idle(),
            confirm: self.phase() == Phase::ConnectHinted,
            // Not before the connect: on Linux a socket that was never connected reports a hang-up.
            register: readiness && self.phase() != Phase::ConnectDue && self.is_unregistered(),
            send: readiness && self.phase() == Phase::Connecting && present,
            ..Wants::default()
        }
    }

    #[inline]
    fn wants_established(self) -> Wants {
        let (receive, send, memory) = (self.receive_half(), self.send_half(), self.memory());
        let readiness = self.mechanism().is_readiness();
        let hung_up = memory.contains(Memory::HUNG_UP);
        let reads = matches!(receive, ReceiveHalf::Open | ReceiveHalf::Discarding);
        let can_ask = |operation| match self.mechanism() {
            Mechanism::Level | Mechanism::Edge => self.registration() == Registration::Present && !hung_up,
            Mechanism::Port | Mechanism::Ring => self.slot(operation).is_idle(),
        };
        Wants {
            register: readiness && !hung_up && self.is_unregistered(),
            receive: reads && can_ask(Operation::Receive),
            send: send.has_output() && can_ask(Operation::Send),
            receive_now: reads && memory.contains(Memory::READABLE),
            send_now: send.has_output() && memory.contains(Memory::WRITABLE),
            discard: receive == ReceiveHalf::Discarding,
            watch: self.mechanism() == Mechanism::Ring
                && !reads
                && !hung_up
                && self.slot(Operation::Watch).is_idle(),
            inquire: self.inquiry() == Inquiry::Due,
            shutdown: send == SendHalf::FinDue && self.can_shut_down(),
            // What is over at the OS has nothing to report; level-triggered it would do so for ever.
            deregister: hung_up && self.registration() == Registration::Present,
            ..Wants::default()
        }
    }

    fn wants_ending(self) -> Wants {
        let cancel = |operation| self.slot(operation).can_cancel();
        let close = if self.plan() == Some(Plan::Abort) { Close::Reset } else { Close::Plain };
        Wants {
            sever: self.plan() == Some(Plan::Abort)
                && self.slot(Operation::Send).owed == Owed::Notification
                && !self.memory().contains(Memory::SEVERED),
            cancel: Cancels {
                connect: cancel(Operation::Connect),
                receive: cancel(Operation::Receive),
                send: cancel(Operation::Send),
                watch: cancel(Operation::Watch),
            },
            deregister: self.registration() == Registration::Present,
            release: self.is_releasable().then_some(close),
            ..Wants::default()
        }
    }

    fn is_unregistered(self) -> bool {
        self.registration() == Registration::Missing
    }

    /// The FIN goes behind everything that was sent. A zero-copy send that owes only its notification has
    /// handed its bytes over.
    #[inline]
    fn can_shut_down(self) -> bool {
        let send: Slot = self.slot(Operation::Send);
        self.slot(Operation::Shutdown).is_idle()
            && !send.calling
            && matches!(send.owed, Owed::Nothing | Owed::Notification)
    }
}
