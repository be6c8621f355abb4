//! The simulated kernel, and behind it the network and the peer.
//!
//! It answers calls the way the real ones do, as far as the order of answers goes: data before the end,
//! one error for one asker, an end that stays. What it may do by itself is listed by
//! [`World::choices`](crate::World::choices).

use hangup::{Answer, Fault, Hint, Operation};

use crate::Personality;

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// No connect was made.
    Fresh,
    /// A connect is on its way.
    Connecting,
    /// The connect failed; the error is pending.
    ConnectFailed,
    /// Established.
    Up,
    /// Reset, timed out or severed. Buffered input may still be readable.
    Dead,
    /// It is no socket at all: every call fails.
    NoSocket,
    /// It has ended, however that was: nothing that the kernel says of it is of interest any more.
    Over,
}

/// The error that is pending on the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pending {
    /// None.
    Nothing,
    /// `ECONNRESET`.
    Reset,
    /// `EPIPE`: reset after FIN, on Linux.
    Pipe,
    /// `ETIMEDOUT`.
    TimedOut,
    /// `EHOSTUNREACH` from a router, on a connection that lives.
    Soft,
    /// `ECONNREFUSED` from a connect.
    Refused,
    /// `EBADF`: it is no socket.
    Local,
}

impl Pending {
    const fn fault(self) -> Option<Fault> {
        match self {
            Self::Nothing => None,
            Self::Reset => Some(Fault::Reset),
            Self::Pipe => Some(Fault::BrokenPipe),
            Self::TimedOut => Some(Fault::TimedOut),
            Self::Soft => Some(Fault::Unreachable),
            Self::Refused => Some(Fault::Refused),
            Self::Local => Some(Fault::BadDescriptor),
        }
    }
}

/// Where an operation is that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Held {
    /// The kernel does not have it.
    No,
    /// The submitting call will give this answer when it returns.
    Answering(Answered),
    /// It waits in the kernel.
    Parked,
    /// A receive without room: it waits until there is something to receive.
    ParkedEmpty,
    /// Its completion is in the queue.
    Queued(Answered),
    /// The error that its completion brings has been told ahead.
    QueuedTold(Answered),
    /// Zero copy: the result is in the queue, and the memory is still in use.
    QueuedInUse(Answered),
    /// Zero copy: the result and the notification are in the queue.
    QueuedBoth(Answered),
    /// Zero copy: the result was taken, the memory is still in use.
    InUse,
    /// Zero copy: the result was taken, the notification is in the queue.
    NotificationQueued,
}

impl Held {
    /// Whether the kernel, or its queue, still has something of the operation.
    #[must_use]
    pub fn is_owed(self) -> bool {
        !matches!(self, Self::No | Self::Answering(_))
    }
}

/// The result of an operation, before it is an [`Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answered {
    /// It did what it was for: connected, received, sent, shut down, reported a hang-up.
    Done,
    /// A receive returned 0.
    End,
    /// A receive without room has found that there is something.
    Ready,
    /// It failed with the error that was pending, or with this one.
    Failed(Pending),
    /// It was cancelled.
    Cancelled,
    /// There was no buffer, or no room in a queue. The connection is as it was.
    NoBuffers,
}

/// Operating system, network and peer, for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// How far the connection has come.
    pub stage: Stage,
    /// Whether received bytes wait to be read.
    pub inbox: bool,
    /// Whether the adapter has received bytes that the application has not taken.
    pub kept: bool,
    /// Whether the peer's FIN has arrived (behind what is in the inbox).
    pub fin: bool,
    /// The pending error.
    pub error: Pending,
    /// Whether the send buffer has room.
    pub room: bool,
    /// Whether our FIN is out.
    pub fin_out: bool,
    /// Whether the socket is registered with the poller.
    pub registered: bool,
    /// Whether the poller watches for readable.
    pub watch_read: bool,
    /// Whether the poller watches for writable.
    pub watch_write: bool,
    /// One-shot: whether the interest is armed at all.
    pub armed: bool,
    /// Edge-triggered: whether something happened since the last report.
    pub edge: bool,
    /// The operations that the kernel has, in the order of [`Operation::WITH_SLOT`].
    pub held: [Held; 5],
    /// Requests to cancel that are not answered yet, in the same order.
    pub cancel_asked: [bool; 5],
    /// How often the descriptor was closed. More than 1 is a disaster.
    pub closed: u8,
}

/// The place of an operation in the arrays.
#[must_use]
pub fn place(operation: Operation) -> usize {
    Operation::WITH_SLOT.iter().position(|&other| other == operation).expect("it has a slot")
}

impl Kernel {
    /// A socket that was accepted.
    #[must_use]
    pub const fn accepted() -> Self {
        Self {
            stage: Stage::Up,
            inbox: false,
            kept: false,
            fin: false,
            error: Pending::Nothing,
            room: true,
            fin_out: false,
            registered: false,
            watch_read: false,
            watch_write: false,
            armed: false,
            edge: false,
            held: [Held::No; 5],
            cancel_asked: [false; 5],
            closed: 0,
        }
    }

    /// A socket on which no connect was made.
    #[must_use]
    pub const fn fresh() -> Self {
        Self { stage: Stage::Fresh, ..Self::accepted() }
    }

    /// Where an operation is.
    #[must_use]
    pub fn held(&self, operation: Operation) -> Held {
        self.held[place(operation)]
    }

    /// Sets where an operation is.
    pub fn hold(&mut self, operation: Operation, held: Held) {
        self.held[place(operation)] = held;
    }

    /// Whether a receive would not block.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        match self.stage {
            Stage::Fresh | Stage::Connecting => false,
            Stage::ConnectFailed | Stage::Dead | Stage::NoSocket | Stage::Over => true,
            Stage::Up => self.inbox || self.fin,
        }
    }

    /// Whether a send would not block.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        match self.stage {
            Stage::Fresh | Stage::Connecting => false,
            Stage::ConnectFailed | Stage::Dead | Stage::NoSocket | Stage::Over => true,
            Stage::Up => self.room,
        }
    }

    /// Whether both directions are over.
    #[must_use]
    pub fn is_hung_up(&self) -> bool {
        match self.stage {
            Stage::Fresh | Stage::Connecting | Stage::NoSocket => false,
            Stage::ConnectFailed | Stage::Dead | Stage::Over => true,
            Stage::Up => self.fin && self.fin_out,
        }
    }

    /// The event that the poller would deliver now, if any.
    #[must_use]
    pub fn event(&self, personality: Personality) -> Option<Hint> {
        if !self.registered || personality.is_one_shot() && !self.armed {
            return None;
        }
        if personality.is_edge() && !self.edge {
            return None;
        }
        let read = self.watch_read && self.is_readable();
        let write = self.watch_write && self.is_writable();
        let lost = matches!(self.stage, Stage::Dead | Stage::ConnectFailed);
        let flags = match personality {
            Personality::Kqueue => {
                let ended = read && (self.fin || lost);
                let error = self.error != Pending::Nothing && (self.watch_read || self.watch_write);
                Hint::PEER_CLOSED.when(ended).with(Hint::ABORT.when(lost && error))
            }
            Personality::AfdOneShot => Hint::PEER_CLOSED
                .when(self.watch_read && self.fin && !lost)
                .with(Hint::ABORT.when(self.stage == Stage::Dead))
                .with(Hint::ERROR.when(self.stage == Stage::ConnectFailed)),
            Personality::EpollLevel
            | Personality::EpollOneShot
            | Personality::EpollEdge
            | Personality::Iocp
            | Personality::IocpSkip
            | Personality::IocpZeroByte
            | Personality::Uring
            | Personality::UringMultishot
            | Personality::UringZeroCopy => Hint::PEER_CLOSED
                .when(self.watch_read && (self.fin || lost))
                .with(Hint::HANG_UP.when(self.is_hung_up()))
                .with(Hint::ERROR.when(self.error != Pending::Nothing)),
        };
        let event = flags.with(Hint::READABLE.when(read)).with(Hint::WRITABLE.when(write));
        let reported = event != Hint::NONE;
        reported.then_some(event)
    }

    /// What the adapter may be told of that event: all of it, or what a library between passes on.
    pub fn events(&self, personality: Personality) -> impl Iterator<Item = Hint> + use<> {
        let whole = self.event(personality);
        let passed = whole.map(|hint| personality.as_polling_tells(hint)).filter(|&hint| Some(hint) != whole);
        whole.into_iter().chain(passed)
    }

    /// What a watch may report. A report waits in the queue, so it may be of a while ago: of the FIN alone after our
    /// own, of an error that somebody else has been given meanwhile.
    pub fn reports(&self) -> impl Iterator<Item = Hint> + use<> {
        let over = Hint::PEER_CLOSED.with(Hint::HANG_UP);
        let dead = matches!(self.stage, Stage::Dead | Stage::Over);
        let error = self.error != Pending::Nothing;
        let known = [
            (self.fin, Hint::PEER_CLOSED),
            (self.fin && error, Hint::PEER_CLOSED.with(Hint::ERROR)),
            (self.is_hung_up(), over),
            (dead || self.is_hung_up() && error, over.with(Hint::ERROR)),
            (error || dead, Hint::ERROR),
        ];
        known.into_iter().filter_map(|(is_so, hint)| is_so.then_some(hint))
    }

    /// What a change of the connection's state does to an edge-triggered registration.
    pub fn changed(&mut self) {
        self.edge = self.registered;
    }

    /// The peer, or the network, or the stack ends the connection at once.
    pub fn die(&mut self, personality: Personality, error: Pending) {
        self.stage = Stage::Dead;
        self.room = true;
        self.error = match error {
            Pending::Reset if self.fin && !personality.error_before_end() => Pending::Pipe,
            other => other,
        };
        self.changed();
    }

    /// Which words are in the queue does not matter any more, nor what might be said of the connection.
    pub fn forget_words(&mut self) {
        self.error = Pending::Nothing;
        self.room = true;
        for held in &mut self.held {
            *held = match *held {
                Held::Answering(_) => Held::Answering(Answered::Cancelled),
                Held::ParkedEmpty => Held::Parked,
                Held::Queued(_) | Held::QueuedTold(_) => Held::Queued(Answered::Cancelled),
                Held::QueuedInUse(_) => Held::QueuedInUse(Answered::Cancelled),
                Held::QueuedBoth(_) => Held::QueuedBoth(Answered::Cancelled),
                Held::No | Held::Parked | Held::InUse | Held::NotificationQueued => *held,
            };
        }
    }

    /// How the connection was does not matter any more, but for input that nobody has read.
    pub fn forget_the_connection(&mut self) {
        self.inbox &= matches!(self.stage, Stage::Up | Stage::Over);
        self.stage = Stage::Over;
        self.fin = false;
        self.fin_out = false;
    }

    /// Takes the pending error, as the one who asks first. Where whoever calls is told, it stays.
    pub fn take_error(&mut self, personality: Personality) -> Option<Fault> {
        let fault = self.error.fault();
        let stays = self.stage == Stage::Dead && personality.repeats_errors();
        if self.stage != Stage::NoSocket && !stays {
            self.error = Pending::Nothing;
        }
        fault
    }

    /// `recv` with a buffer of length > 0.
    pub fn receive(&mut self, personality: Personality) -> Answer {
        if self.inbox {
            self.inbox = false;
            return Answer::Received(1);
        }
        if self.fin && !personality.error_before_end() {
            return Answer::EndOfStream;
        }
        if let Some(fault) = self.take_error(personality) {
            return Answer::ReceiveFailed(fault);
        }
        if self.fin || self.stage == Stage::Dead { Answer::EndOfStream } else { Answer::ReceiveBlocked }
    }

    /// `send`. Whether it fills the send buffer is the caller's to decide.
    pub fn send(&mut self, personality: Personality) -> Answer {
        if let Some(fault) = self.take_error(personality) {
            return Answer::SendFailed(fault);
        }
        if self.stage == Stage::Dead || self.fin_out {
            return Answer::SendFailed(Fault::BrokenPipe);
        }
        if self.room { Answer::Sent(1) } else { Answer::SendBlocked }
    }

    /// `shutdown(SHUT_WR)`.
    pub fn shut_down(&mut self) -> Answer {
        if matches!(self.stage, Stage::Dead | Stage::NoSocket) {
            return Answer::ShutdownFailed(Fault::NotConnected);
        }
        self.fin_out = true;
        self.changed();
        Answer::ShutDown
    }
}
