//! One happening in the world of one connection.

use hangup::{Command, Deadline, Hint, More, Operation, Owed};

/// One happening. [`World::choices`](crate::World::choices) lists those that are possible, and
/// [`World::apply`](crate::World::apply) lets one happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The network, the peer or the stack does something.
    Outside(Outside),
    /// The kernel does something that it owes: it goes on without anybody's help.
    Kernel(KernelStep),
    /// The adapter performs something that is wanted.
    Adapter(Want),
    /// The application does something.
    Application(Act),
    /// A deadline passes.
    Expire(Deadline),
    /// The OS hints at something that is not so.
    Spurious(Hint),
}

/// What the outside may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outside {
    /// Bytes arrive.
    PeerSends,
    /// The peer reads, and room comes free in the send buffer.
    PeerReads,
    /// The send buffer is full.
    PeerStopsReading,
    /// The peer's FIN arrives.
    PeerFinishes,
    /// A reset arrives.
    PeerResets,
    /// The stack gives up: retransmissions without an answer.
    StackGivesUp,
    /// A router says that an earlier packet did not get through.
    RouterComplains,
    /// What was received before the reset is thrown away.
    InputIsLost,
    /// The OS forgets the pending error.
    ErrorIsForgotten,
    /// The connect succeeds.
    ConnectSucceeds,
    /// The connect is refused.
    ConnectIsRefused,
    /// The descriptor turns out to be no socket.
    NoSocket,
    /// The connect finds no way to the peer.
    ConnectFindsNoWay,
    /// The peer's stack acknowledges everything, and the memory of a zero-copy send is free.
    PeerAcknowledges,
}

/// What the kernel owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KernelStep {
    /// The poller reports what is so, in these words.
    Event(Hint),
    /// An operation that can go on does, and its completion is queued.
    Completes(Operation),
    /// A completion is taken from the queue.
    Completion(Operation),
    /// The watch reports this; whether it goes on.
    Report(Hint, More),
    /// As `Completes` of a receive, and there is more where that came from.
    CompletesInPart,
    /// A multishot receive finds no buffer for what is there.
    RunsOutOfBuffers,
    /// The adapter tells of the error of a receive that the application has not come to yet.
    TellsError,
    /// The notification of a zero-copy send is taken from the queue.
    Notification,
    /// A submitting call returns.
    Returns(Operation),
    /// A request to cancel is answered.
    CancelAnswer(Operation),
}

/// What the adapter performs: one entry for each field of [`Wants`](hangup::Wants), and for each way
/// that the call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// A nonblocking connect, which is then in progress.
    Connect,
    /// A nonblocking connect that succeeds at once.
    ConnectAtOnce,
    /// A connect that fails at once: no route.
    ConnectFails,
    /// Fetch the verdict of a connect.
    Confirm,
    /// Register with the poller; `true`: it works.
    Register(bool),
    /// Tell the poller what to watch for.
    Watch,
    /// Tell it, and it fails, for want of memory.
    WatchFails,
    /// Submit an operation that the kernel takes, and that owes this.
    Submit(Operation, Owed),
    /// Submit a receive without room.
    SubmitEmpty,
    /// Submit a receive without room, and the call says that there is something.
    SubmitEmptyAnswered,
    /// Submit an operation that is answered by the call.
    SubmitAnswered(Operation),
    /// Submit an operation that is refused by the call, for want of buffers.
    SubmitRefused(Operation),
    /// Receive and discard.
    Discard(Amount),
    /// Discard what was received before.
    PassOver(Amount),
    /// Claim the question for the pending error, before it is asked.
    ClaimInquire,
    /// Ask for the pending error.
    Inquire,
    /// Ask, and be told that there is none, though calls will be given it.
    InquireInVain,
    /// Ask whether everything is acknowledged; it is.
    Acknowledged,
    /// Shut the send half down.
    Shutdown,
    /// Sever the connection.
    Sever,
    /// Ask the OS to cancel an operation.
    Cancel(Operation),
    /// Remove the registration.
    Deregister,
    /// Take the resources out and close.
    Release,
}

/// How much of what is there is received, or taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Amount {
    /// All of it.
    All,
    /// A part.
    Part,
}

/// What the application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// A command.
    Command(Command),
    /// Readiness: it calls receive.
    Receives(Amount),
    /// Readiness: it calls send.
    Sends,
    /// Completion: it takes what was received.
    Takes(Amount),
}

impl core::fmt::Display for Step {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Outside(step) => write!(f, "outside: {step:?}"),
            Self::Kernel(step) => write!(f, "kernel: {step:?}"),
            Self::Adapter(want) => write!(f, "adapter: {want:?}"),
            Self::Application(act) => write!(f, "application: {act:?}"),
            Self::Expire(deadline) => write!(f, "clock: {deadline}"),
            Self::Spurious(hint) => write!(f, "spurious: {hint:?}"),
        }
    }
}
