//! The control state of one connection, and the one function that moves it.
//!
//! | file | what is in it |
//! |---|---|
//! | `state` | the components of a life |
//! | `slot` | what the OS owes for each kind of operation |
//! | `input` | what can happen |
//! | `transition` | **every transition, as rows** |
//! | `moves` | what rows are made of |
//! | `wants` | what is to be done now: a function of the life alone |
//! | `field` | where each component is in the word |

pub(crate) mod field;
mod input;
mod moves;
mod slot;
mod state;
mod transition;
mod wants;

use self::field::{Field, extract, insert};
pub use self::input::{Answer, Command, Hint, Input, More, Outcome};
pub use self::slot::{Cancel, Operation, Owed, Slot};
pub use self::state::{Inquiry, Mechanism, Memory, OnPeerFinish, Phase, ReceiveHalf, Registration, SendHalf};
pub use self::wants::{Cancels, Close, Wants};
use crate::cause::FinSeen;
use crate::{Cause, Certainty, Deadline, Deadlines, DrainEnd, Plan};

/// The control state of one connection: a small value, in one word.
///
/// A life does no I/O, knows no clock and holds no resource. It is moved by [`Life::step`], one
/// [`Input`] at a time, and says at any time what is to be done now ([`Life::wants`]) and which waits
/// are to be bounded ([`Life::deadlines`]). Byte counts, points in time, the event log and the resources
/// are kept beside it, in the [`Table`](crate::Table), so the set of lives is finite and small.
///
/// ```
/// use hangup::{Answer, Close, Command, Input, Life, Mechanism, OnPeerFinish, Outcome, Plan};
///
/// let said = |answer| Input::Outcome(Outcome::Immediate(answer));
/// let mut life = Life::accepted(Mechanism::Level, OnPeerFinish::KeepSending);
/// assert!(life.wants().register);
///
/// for input in [
///     said(Answer::Registered),
///     said(Answer::EndOfStream),                // the peer has finished ...
///     Input::Command(Command::Close(Plan::Flush)),
///     said(Answer::ShutDown),                   // ... and so have we
///     said(Answer::Deregistered),
/// ] {
///     life = life.step(input)?;
/// }
/// assert_eq!(life.wants().release, Some(Close::Plain));
/// # Ok::<(), hangup::Refused>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life(u64);

impl Life {
    /// A connection that was accepted: established from the first moment.
    #[must_use]
    pub fn accepted(mechanism: Mechanism, on_peer_finish: OnPeerFinish) -> Self {
        Self::connecting(mechanism, on_peer_finish).with(Phase::Open)
    }

    /// A connection that we are about to make.
    #[must_use]
    pub fn connecting(mechanism: Mechanism, on_peer_finish: OnPeerFinish) -> Self {
        Self(0).with(mechanism).with(on_peer_finish).with(Phase::ConnectDue)
    }

    /// The life after `input`.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the input has no row in this state: it came late, twice, or at the wrong time.
    /// Nothing has changed then.
    #[inline]
    pub fn step(self, input: Input) -> Result<Self, Refused> {
        transition::step(self, input).ok_or(Refused { input, life: self })
    }

    /// The word. [`Life::from_bits`] gives the same life back.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The life that a word stands for, `None` if the word stands for none.
    ///
    /// Every component is checked by itself; that a life can be *reached* is not checked.
    #[must_use]
    pub fn from_bits(bits: u64) -> Option<Self> {
        fn valid<F: Field>(word: u64) -> bool {
            F::is_valid(extract(word, F::SHIFT, F::WIDTH))
        }
        let components = [
            valid::<Mechanism>,
            valid::<OnPeerFinish>,
            valid::<Phase>,
            valid::<ReceiveHalf>,
            valid::<SendHalf>,
            valid::<Option<Plan>>,
            valid::<Option<Cause>>,
            valid::<Certainty>,
            valid::<Option<DrainEnd>>,
            valid::<Registration>,
            valid::<Inquiry>,
            valid::<Memory>,
        ];
        let valid = bits >> Self::BITS == 0
            && components.iter().all(|valid| valid(bits))
            && Operation::WITH_SLOT.iter().all(|&operation| Slot::is_valid(bits, operation));
        valid.then_some(Self(bits))
    }

    /// The life of a word that [`Life::to_bits`] gave.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) const fn from_own_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// How many bits of the word are used.
    pub const BITS: u32 = 62;

    /// The components in the word: name, lowest bit, number of bits. For whoever reads a life out of a
    /// core dump, and for tests that tamper with one.
    pub const LAYOUT: [(&'static str, u32, u32); 17] = {
        const fn place<F: Field>(name: &'static str) -> (&'static str, u32, u32) {
            (name, F::SHIFT, F::WIDTH)
        }
        [
            place::<Mechanism>("mechanism"),
            place::<OnPeerFinish>("on-peer-finish"),
            place::<Phase>("phase"),
            place::<ReceiveHalf>("receive-half"),
            place::<SendHalf>("send-half"),
            place::<Plan>("plan"),
            place::<Cause>("cause"),
            place::<Certainty>("certainty"),
            place::<DrainEnd>("drain-end"),
            place::<Registration>("registration"),
            place::<Inquiry>("inquiry"),
            place::<Memory>("memory"),
            Slot::PLACES[0],
            Slot::PLACES[1],
            Slot::PLACES[2],
            Slot::PLACES[3],
            Slot::PLACES[4],
        ]
    };

    #[inline]
    fn get<F: Field>(self) -> F {
        F::from_bits(extract(self.0, F::SHIFT, F::WIDTH))
    }

    #[inline]
    fn with<F: Field>(self, component: F) -> Self {
        Self(insert(self.0, F::SHIFT, F::WIDTH, component.to_bits()))
    }

    /// How the adapter's OS mechanism reports.
    #[must_use]
    #[inline]
    pub fn mechanism(self) -> Mechanism {
        self.get()
    }

    /// What the peer's end of stream does to our half.
    #[must_use]
    #[inline]
    pub fn on_peer_finish(self) -> OnPeerFinish {
        self.get()
    }

    /// Where the connection as a whole is.
    #[must_use]
    #[inline]
    pub fn phase(self) -> Phase {
        self.get()
    }

    /// The direction from the peer to us.
    #[must_use]
    #[inline]
    pub fn receive_half(self) -> ReceiveHalf {
        self.get()
    }

    /// The direction from us to the peer.
    #[must_use]
    #[inline]
    pub fn send_half(self) -> SendHalf {
        self.get()
    }

    /// The strongest closing plan so far.
    #[must_use]
    #[inline]
    pub fn plan(self) -> Option<Plan> {
        self.get()
    }

    /// Why the connection ends, once that is decided.
    #[must_use]
    #[inline]
    pub fn cause(self) -> Option<Cause> {
        self.get()
    }

    /// How sure [`Life::cause`] is.
    #[must_use]
    pub fn certainty(self) -> Certainty {
        self.get()
    }

    /// How a graceful closing plan ended.
    #[must_use]
    #[inline]
    pub fn drain_end(self) -> Option<DrainEnd> {
        self.get()
    }

    /// The registration with the poller.
    #[must_use]
    #[inline]
    pub fn registration(self) -> Registration {
        self.get()
    }

    /// Whether the OS is to be asked for a pending error.
    #[must_use]
    #[inline]
    pub fn inquiry(self) -> Inquiry {
        self.get()
    }

    /// What hints have said.
    #[must_use]
    #[inline]
    pub fn memory(self) -> Memory {
        self.get()
    }

    /// What the OS owes for an operation. Operations without a slot are always idle.
    #[must_use]
    #[inline]
    pub fn slot(self, operation: Operation) -> Slot {
        Slot::read(self.0, operation)
    }

    #[inline]
    fn with_slot(self, operation: Operation, slot: Slot) -> Option<Self> {
        slot.write(self.0, operation).map(Self)
    }

    /// How many notifications the OS owes, at least.
    #[must_use]
    pub fn owed(self) -> u8 {
        Operation::WITH_SLOT.iter().map(|&operation| self.slot(operation).owed.count()).sum()
    }

    /// Whether the resources may be given back: both halves over, nothing in flight, not registered,
    /// no worker inside a call on the socket.
    #[must_use]
    pub fn is_releasable(self) -> bool {
        self.phase() == Phase::Ending
            && matches!(self.registration(), Registration::Missing | Registration::Gone)
            && self.inquiry() != Inquiry::Asking
            && Operation::WITH_SLOT.iter().all(|&operation| self.slot(operation).is_idle())
    }

    /// Which waits are to be bounded now.
    #[must_use]
    #[inline]
    pub fn deadlines(self) -> Deadlines {
        let (receive, send) = (self.receive_half(), self.send_half());
        let sends = || send.has_output() || self.slot(Operation::Send).waits_for_result();
        let stall = || (!send.is_over() && sends()).then_some(Deadline::Stall);
        match self.phase() {
            Phase::ConnectDue | Phase::Connecting | Phase::ConnectHinted => {
                Deadlines { whole: Some(Deadline::Connect), ..Deadlines::default() }
            }
            Phase::Open => {
                let over = receive.is_over() || send.is_over() || self.memory().contains(Memory::HUNG_UP);
                let whole = if over {
                    Some(Deadline::HalfClosed)
                } else {
                    (receive == ReceiveHalf::Open && !send.has_output()).then_some(Deadline::Idle)
                };
                Deadlines { whole, half: stall(), budget: false }
            }
            Phase::Closing => {
                let drains = self.is_discarding();
                let lingers = drains && send == SendHalf::FinSent && self.plan() == Some(Plan::Linger);
                let half = if lingers { Some(Deadline::DrainIdle) } else { stall() };
                Deadlines { whole: Some(Deadline::DrainTotal), half, budget: drains }
            }
            Phase::Ending if self.waits_for_notification_only() => {
                Deadlines { whole: Some(Deadline::DrainTotal), ..Deadlines::default() }
            }
            Phase::Ending | Phase::Released => Deadlines::default(),
        }
    }

    /// Whether nobody takes what is received.
    #[inline]
    pub(crate) fn is_unread(self) -> bool {
        self.is_discarding() || self.phase() == Phase::Ending
    }

    /// Whether what is received is forgotten, and counted against the budget.
    #[inline]
    pub(crate) fn is_discarding(self) -> bool {
        self.phase() == Phase::Closing && self.receive_half() == ReceiveHalf::Discarding
    }

    /// Whether a zero-copy send waits for the peer to acknowledge, with nothing to hurry it.
    fn waits_for_notification_only(self) -> bool {
        self.plan() != Some(Plan::Abort) && self.slot(Operation::Send).owed == Owed::Notification
    }

    /// What is known of the peer's FIN.
    fn fin_seen(self) -> FinSeen {
        if self.memory().contains(Memory::UNPROVEN) {
            FinSeen::Unproven
        } else if self.receive_half() == ReceiveHalf::Ended {
            FinSeen::Read
        } else if self.memory().contains(Memory::FIN_HINTED) {
            FinSeen::Hinted
        } else {
            FinSeen::No
        }
    }
}

impl core::fmt::Debug for Life {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut life = f.debug_struct("Life");
        life.field("mechanism", &self.mechanism())
            .field("on_peer_finish", &self.on_peer_finish())
            .field("phase", &self.phase())
            .field("receive", &self.receive_half())
            .field("send", &self.send_half())
            .field("plan", &self.plan())
            .field("cause", &self.cause())
            .field("certainty", &self.certainty())
            .field("drain_end", &self.drain_end())
            .field("registration", &self.registration())
            .field("inquiry", &self.inquiry())
            .field("memory", &self.memory());
        for operation in Operation::WITH_SLOT {
            let slot = self.slot(operation);
            if !slot.is_idle() {
                life.field("in_flight", &(operation, slot));
            }
        }
        life.finish()
    }
}

/// An input that has no row in the state it met. It changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "no row for {input:?}: phase {:?}, receive half {:?}, send half {:?}",
    life.phase(), life.receive_half(), life.send_half()
)]
#[non_exhaustive]
pub struct Refused {
    /// What came.
    pub input: Input,
    /// Where the connection was, and still is.
    pub life: Life,
}
