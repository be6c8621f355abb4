//! A life, a simulated kernel and an application: everything that can happen to one connection.

use hangup::{
    Answer, Cause, Close, Command, DrainEnd, Fault, Hint, Input, Life, More, OnPeerFinish, Operation,
    Outcome, Owed, Phase, Plan, Slot, Wants,
};

use crate::kernel::{Answered, Held, Kernel, Pending, Stage};
use crate::sabotage::Sabotage;
use crate::step::{Act, Amount, KernelStep, Outside, Step, Want};
use crate::{Personality, Violation};

/// What is held fixed while worlds are explored.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How the operating system reports.
    pub personality: Personality,
    /// Whether hints may be false. The machine must stay safe; nobody promises that it gets anywhere.
    pub spurious: bool,
    /// The deliberate fault, if there is one.
    pub sabotage: Option<Sabotage>,
    /// Whether things happen too that cannot matter to the machine: commands that nothing comes of, and in which words
    /// the kernel settles what it owes when the connection has ended. The exploration can do without them; what is
    /// compared with real kernels cannot.
    pub in_full: bool,
}

impl Rules {
    /// Everything is as the system does it.
    #[must_use]
    pub const fn faithful(personality: Personality) -> Self {
        Self { personality, spurious: false, sabotage: None, in_full: false }
    }
}

/// A state of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// The machine's state.
    pub life: Life,
    /// Everything below it.
    pub kernel: Kernel,
    /// Whether the application holds output that the kernel has not taken.
    pub output: bool,
    /// How often the resources were released.
    pub released: u8,
    /// Whether the machine was told of an abort before it had read an end of stream.
    pub told: bool,
}

impl World {
    /// Every world that a connection can begin in. A deliberate fault has to show in half of them.
    #[must_use]
    pub fn births(rules: &Rules) -> Vec<Self> {
        let mechanism = rules.personality.mechanism();
        let mut births = Vec::new();
        let policies = if rules.sabotage.is_some() { &OnPeerFinish::ALL[..1] } else { OnPeerFinish::ALL };
        for &policy in policies {
            for (life, kernel) in [
                (Life::accepted(mechanism, policy), Kernel::accepted()),
                (Life::connecting(mechanism, policy), Kernel::fresh()),
            ] {
                births.push(Self { life, kernel, output: false, released: 0, told: false });
            }
        }
        births
    }

    /// What the adapter believes is wanted.
    pub fn wants(&self, rules: &Rules) -> Wants {
        let wants = self.life.wants();
        rules.sabotage.map_or(wants, |sabotage| sabotage.wants(self.life, wants))
    }
}

// -------------------------------------------------------------------------------------------------------
// Applying a step.
// -------------------------------------------------------------------------------------------------------

impl World {
    /// The world after `step`.
    ///
    /// # Errors
    ///
    /// The promise that the step broke.
    pub fn apply(&self, rules: &Rules, step: Step) -> Result<Self, Violation> {
        let mut next = *self;
        match step {
            Step::Outside(outside) => next.outside(rules, outside),
            Step::Kernel(kernel) => next.kernel_step(rules, kernel)?,
            Step::Adapter(want) => next.perform(rules, want)?,
            Step::Application(act) => next.application(rules, act)?,
            Step::Expire(deadline) => next.fact(rules, Input::Expired(deadline))?,
            Step::Spurious(hint) => {
                next.offer(rules, Input::Hint(hint))?;
            }
        }
        next.forget_kept();
        if !rules.in_full && !rules.personality.is_readiness() && next.life.phase() == Phase::Ending {
            next.kernel.forget_words();
            if self.life.phase() == Phase::Ending {
                // Whether the cause is true has been looked at when it ended.
                next.kernel.forget_the_connection();
                next.told = false;
            }
        }
        Ok(next)
    }

    /// Offers an input that may be refused. Whether it was taken.
    pub(crate) fn offer(&mut self, rules: &Rules, input: Input) -> Result<bool, Violation> {
        let before = self.life;
        let stepped = match rules.sabotage {
            Some(sabotage) => sabotage.step(self.life, input),
            None => self.life.step(input),
        };
        crate::record::note(before, input, stepped.ok());
        let Ok(life) = stepped else { return Ok(false) };
        self.life = life;
        if let Input::Hint(hint) = input {
            self.told |= hint.contains(Hint::ABORT) && !before.receive_half().is_over();
        }
        let kept = before.cause().is_none() || before.cause() == life.cause();
        if !kept {
            return Err(Violation::CauseRevised(before.cause(), life.cause()));
        }
        if life.plan() < before.plan() {
            return Err(Violation::PlanWeakened(before.plan(), life.plan()));
        }
        match input {
            Input::Command(Command::Close(plan))
                if life.plan() < Some(plan) && life.phase() != Phase::Ending =>
            {
                Err(Violation::PlanWeakened(Some(plan), life.plan()))
            }
            _ => Ok(true),
        }
    }

    /// Feeds something that happened: it must not be refused.
    fn fact(&mut self, rules: &Rules, input: Input) -> Result<(), Violation> {
        if rules.sabotage.is_some_and(|sabotage| sabotage.loses(input)) {
            return Ok(());
        }
        if self.offer(rules, input)? { Ok(()) } else { Err(Violation::FactRefused(input)) }
    }

    fn outcome(&mut self, rules: &Rules, outcome: Outcome) -> Result<(), Violation> {
        self.fact(rules, Input::Outcome(outcome))
    }

    pub(crate) fn immediate(&mut self, rules: &Rules, answer: Answer) -> Result<(), Violation> {
        self.outcome(rules, Outcome::Immediate(answer))
    }

    fn outside(&mut self, rules: &Rules, outside: Outside) {
        let kernel = &mut self.kernel;
        match outside {
            Outside::PeerSends => kernel.inbox = true,
            Outside::PeerReads => kernel.room = true,
            Outside::PeerStopsReading => kernel.room = false,
            Outside::PeerFinishes => kernel.fin = true,
            Outside::PeerResets => kernel.die(rules.personality, Pending::Reset),
            Outside::StackGivesUp => kernel.die(rules.personality, Pending::TimedOut),
            Outside::RouterComplains => kernel.error = Pending::Soft,
            Outside::InputIsLost => kernel.inbox = false,
            Outside::ErrorIsForgotten => kernel.error = Pending::Nothing,
            Outside::ConnectSucceeds => kernel.stage = Stage::Up,
            Outside::ConnectIsRefused => {
                kernel.stage = Stage::ConnectFailed;
                kernel.error = Pending::Refused;
            }
            Outside::NoSocket => {
                kernel.stage = Stage::NoSocket;
                kernel.error = Pending::Local;
            }
            Outside::ConnectFindsNoWay => {
                kernel.stage = Stage::ConnectFailed;
                kernel.error = Pending::Soft;
            }
            Outside::PeerAcknowledges => self.memory_is_free(),
        }
        let silent =
            [Outside::ErrorIsForgotten, Outside::InputIsLost, Outside::PeerStopsReading].contains(&outside);
        if !silent {
            self.kernel.changed();
        }
        if self.kernel.stage == Stage::Dead {
            // What is in the network is not waited for any more.
            self.memory_is_free();
        }
    }

    /// The memory of a zero-copy send is not needed any more.
    fn memory_is_free(&mut self) {
        let held = match self.kernel.held(Operation::Send) {
            Held::QueuedInUse(answered) => Held::QueuedBoth(answered),
            Held::InUse => Held::NotificationQueued,
            other => other,
        };
        self.kernel.hold(Operation::Send, held);
    }

    fn kernel_step(&mut self, rules: &Rules, step: KernelStep) -> Result<(), Violation> {
        match step {
            KernelStep::Event(hint) => self.event(rules, hint),
            KernelStep::Completes(operation) => {
                self.completes(rules, operation);
                Ok(())
            }
            KernelStep::Completion(operation) => self.completion(rules, operation),
            KernelStep::CompletesInPart => {
                self.completes(rules, Operation::Receive);
                self.kernel.inbox = true;
                Ok(())
            }
            KernelStep::Report(hint, more) => {
                if more == More::Last {
                    self.kernel.hold(Operation::Watch, Held::No);
                }
                self.outcome(rules, Outcome::Completed(Answer::Watched(hint), more))
            }
            KernelStep::RunsOutOfBuffers => {
                self.kernel.hold(Operation::Receive, Held::Queued(Answered::NoBuffers));
                Ok(())
            }
            KernelStep::TellsError => self.tell_error(rules),
            KernelStep::Notification => {
                let held = match self.kernel.held(Operation::Send) {
                    Held::QueuedBoth(answered) => Held::Queued(answered),
                    _ => Held::No,
                };
                self.kernel.hold(Operation::Send, held);
                self.outcome(rules, Outcome::Completed(Answer::Notified, More::Last))
            }
            KernelStep::Returns(operation) => match self.kernel.held(operation) {
                Held::Answering(answered) => {
                    self.kernel.hold(operation, Held::No);
                    let answer = self.answer(rules, operation, answered);
                    self.immediate(rules, answer)?;
                    if answered == Answered::Ready { self.fetch(rules) } else { Ok(()) }
                }
                _ => self.outcome(rules, Outcome::Pending(operation)),
            },
            KernelStep::CancelAnswer(operation) => {
                self.kernel.cancel_asked[crate::kernel::place(operation)] = false;
                self.outcome(rules, Outcome::CancelAnswered(operation))
            }
        }
    }

    fn event(&mut self, rules: &Rules, hint: Hint) -> Result<(), Violation> {
        self.kernel.edge = false;
        self.kernel.armed = false;
        if rules.sabotage == Some(Sabotage::LoseEvent) {
            return Ok(());
        }
        // Late events are refused, and that is all.
        self.offer(rules, Input::Hint(hint)).map(|_| ())
    }

    /// The kernel finishes an operation that was parked, and queues its completion.
    fn completes(&mut self, rules: &Rules, operation: Operation) {
        if !rules.in_full && self.life.phase() == Phase::Ending {
            // Whatever it says.
            let held = if self.is_long(operation) && operation == Operation::Send {
                Held::QueuedInUse(Answered::Cancelled)
            } else {
                Held::Queued(Answered::Cancelled)
            };
            return self.kernel.hold(operation, held);
        }
        let long = self.is_long(operation);
        if self.kernel.held(operation) == Held::ParkedEmpty && self.is_announced() {
            return self.kernel.hold(operation, Held::Queued(Answered::Ready));
        }
        let answered = self.perform_in_kernel(rules, operation);
        let held = match (operation, answered) {
            (Operation::Receive, Answered::Done) if long => {
                self.kernel.kept = true;
                Held::Parked
            }
            (Operation::Send, Answered::Done) if long => Held::QueuedInUse(answered),
            // A zero-copy send that failed owes its notification all the same.
            (Operation::Send, Answered::Failed(_)) if long => Held::QueuedBoth(answered),
            _ => Held::Queued(answered),
        };
        self.kernel.hold(operation, held);
    }

    fn is_long(&self, operation: Operation) -> bool {
        matches!(self.life.slot(operation).owed, Owed::Stream | Owed::Both)
    }

    fn perform_in_kernel(&mut self, rules: &Rules, operation: Operation) -> Answered {
        let pending = self.kernel.error;
        match operation {
            Operation::Receive => match self.kernel.receive(rules.personality) {
                Answer::Received(_) => Answered::Done,
                Answer::ReceiveFailed(_) => Answered::Failed(pending),
                _ => Answered::End,
            },
            Operation::Send => match self.kernel.send(rules.personality) {
                Answer::SendFailed(_) if pending == Pending::Nothing => Answered::Failed(Pending::Pipe),
                Answer::SendFailed(_) => Answered::Failed(pending),
                _ => Answered::Done,
            },
            Operation::Shutdown => match self.kernel.shut_down() {
                Answer::ShutDown => Answered::Done,
                _ => Answered::Failed(Pending::Reset),
            },
            // The call itself finds no way.
            Operation::Connect if self.kernel.stage == Stage::Fresh => Answered::Failed(Pending::Soft),
            Operation::Connect if self.kernel.stage == Stage::ConnectFailed => {
                self.kernel.error = Pending::Nothing;
                Answered::Failed(pending)
            }
            Operation::Watch => Answered::Failed(pending),
            _ => Answered::Done,
        }
    }

    /// A completion is taken from the queue.
    pub(crate) fn completion(&mut self, rules: &Rules, operation: Operation) -> Result<(), Violation> {
        let (answered, rest, more) = match self.kernel.held(operation) {
            Held::Queued(answered) => {
                let owed = self.life.slot(operation).owed;
                // Reordered: the notification was first, so the result still says that one follows.
                let more = if owed == Owed::Result { More::Follows } else { More::Last };
                (answered, Held::No, more)
            }
            Held::QueuedInUse(answered) => (answered, Held::InUse, More::Follows),
            Held::QueuedBoth(answered) => (answered, Held::NotificationQueued, More::Follows),
            Held::QueuedTold(answered) => (answered, Held::No, More::Last),
            _ => return Ok(()),
        };
        self.kernel.hold(operation, rest);
        let answer = self.answer(rules, operation, answered);
        self.outcome(rules, Outcome::Completed(answer, more))?;
        if answered == Answered::Ready { self.fetch(rules) } else { Ok(()) }
    }

    /// The error of a receive is told as if it had been asked for. The receive itself stays as it is.
    fn tell_error(&mut self, rules: &Rules) -> Result<(), Violation> {
        let Held::Queued(answered) = self.kernel.held(Operation::Receive) else { return Ok(()) };
        self.kernel.hold(Operation::Receive, Held::QueuedTold(answered));
        match self.answer(rules, Operation::Receive, answered) {
            Answer::ReceiveFailed(fault) => self.immediate(rules, Answer::PendingError(fault)),
            _ => Ok(()),
        }
    }

    fn answer(&mut self, rules: &Rules, operation: Operation, answered: Answered) -> Answer {
        let fault = match answered {
            Answered::Done | Answered::End | Answered::Ready => Fault::Other,
            Answered::Failed(Pending::Reset) => Fault::Reset,
            Answered::Failed(Pending::Pipe | Pending::Nothing) => Fault::BrokenPipe,
            Answered::Failed(Pending::TimedOut) => Fault::TimedOut,
            Answered::Failed(Pending::Soft) => Fault::Unreachable,
            Answered::Failed(Pending::Refused) => Fault::Refused,
            Answered::Failed(Pending::Local) => Fault::BadDescriptor,
            Answered::Cancelled => Fault::Cancelled,
            Answered::NoBuffers => Fault::NoBuffers,
        };
        match (operation, answered) {
            (Operation::Connect, Answered::Done) => Answer::Connected,
            (Operation::Connect, _) => Answer::ConnectFailed(fault),
            (Operation::Receive, Answered::Done) => self.received(rules),
            (Operation::Receive, Answered::Ready) => Answer::Received(0),
            (Operation::Receive, Answered::End) => Answer::EndOfStream,
            (Operation::Receive, _) => Answer::ReceiveFailed(fault),
            (Operation::Send, Answered::Done) => Answer::Sent(1),
            (Operation::Send, _) => Answer::SendFailed(fault),
            (Operation::Watch, _) => Answer::WatchFailed(fault),
            (Operation::Shutdown, Answered::Done) => Answer::ShutDown,
            (Operation::Shutdown, _) => Answer::ShutdownFailed(Fault::NotConnected),
            _ => unreachable!("{operation:?} has no slot under {}", rules.personality),
        }
    }

    fn perform(&mut self, rules: &Rules, want: Want) -> Result<(), Violation> {
        match want {
            Want::Connect => {
                self.kernel.stage = Stage::Connecting;
                self.immediate(rules, Answer::ConnectBlocked)
            }
            Want::ConnectAtOnce => {
                self.kernel.stage = Stage::Up;
                self.immediate(rules, Answer::Connected)
            }
            Want::ConnectFails => self.immediate(rules, Answer::ConnectFailed(Fault::Unreachable)),
            Want::Confirm => self.confirm(rules),
            Want::Register(works) => self.register(rules, works),
            Want::Watch => {
                let wants = self.wants(rules);
                self.kernel.watch_read = wants.receive;
                self.kernel.watch_write = wants.send;
                self.kernel.armed |= rules.sabotage != Some(Sabotage::ForgetToArm);
                Ok(())
            }
            Want::WatchFails => self.immediate(rules, Answer::WatchFailed(Fault::NoBuffers)),
            Want::Submit(operation, owed) => self.submit(rules, operation, owed, Held::Parked),
            Want::SubmitEmpty => self.submit(rules, Operation::Receive, Owed::One, Held::ParkedEmpty),
            Want::SubmitEmptyAnswered => {
                self.submit(rules, Operation::Receive, Owed::One, Held::Answering(Answered::Ready))
            }
            Want::SubmitAnswered(operation) => {
                let answered = self.perform_in_kernel(rules, operation);
                self.submit(rules, operation, Owed::One, Held::Answering(answered))
            }
            Want::SubmitRefused(operation) => {
                self.submit(rules, operation, Owed::One, Held::Answering(Answered::NoBuffers))
            }
            Want::Discard(amount) => self.receive(rules, amount),
            Want::PassOver(amount) => self.take(rules, amount),
            Want::ClaimInquire => self.outcome(rules, Outcome::Submitting(Operation::Inquire, Owed::One)),
            Want::Inquire => {
                // What is no socket cannot be asked.
                let asked = self.kernel.stage != Stage::NoSocket;
                let error = if asked { self.kernel.take_error(rules.personality) } else { None };
                let answer = error.map_or(Answer::NoError, Answer::PendingError);
                self.immediate(rules, answer)
            }
            Want::InquireInVain => self.immediate(rules, Answer::NoError),
            Want::Acknowledged => {
                self.offer(rules, Input::Outcome(Outcome::Immediate(Answer::Acknowledged))).map(|_| ())
            }
            Want::Shutdown => {
                self.check_flushed()?;
                let answer = self.kernel.shut_down();
                self.immediate(rules, answer)
            }
            Want::Sever => {
                self.memory_is_free();
                self.immediate(rules, Answer::Severed)
            }
            Want::Cancel(operation) => self.cancel(rules, operation),
            Want::Deregister => {
                if !self.kernel.registered {
                    return Err(Violation::DeregisteredTwice);
                }
                self.kernel.registered = false;
                self.kernel.watch_read = false;
                self.kernel.watch_write = false;
                self.kernel.armed = false;
                self.kernel.edge = false;
                self.immediate(rules, Answer::Deregistered)
            }
            Want::Release => self.release(rules),
        }
    }

    fn confirm(&mut self, rules: &Rules) -> Result<(), Violation> {
        let stage = self.kernel.stage;
        let mut error = || self.kernel.take_error(rules.personality);
        let answer = match stage {
            Stage::Fresh | Stage::Connecting => Answer::ConnectBlocked,
            Stage::ConnectFailed => Answer::ConnectFailed(error().unwrap_or(Fault::Other)),
            Stage::Up => Answer::Connected,
            // Reset before anybody looked.
            Stage::Dead | Stage::NoSocket | Stage::Over => {
                Answer::ConnectFailed(error().unwrap_or(Fault::NotConnected))
            }
        };
        self.immediate(rules, answer)
    }

    fn register(&mut self, rules: &Rules, works: bool) -> Result<(), Violation> {
        if !works {
            return self.immediate(rules, Answer::RegisterFailed(Fault::SystemLimit));
        }
        self.kernel.registered = true;
        self.kernel.armed = true;
        self.kernel.edge = true;
        self.kernel.watch_read = rules.personality.is_edge();
        self.kernel.watch_write = rules.personality.is_edge();
        self.immediate(rules, Answer::Registered)
    }

    fn submit(
        &mut self,
        rules: &Rules,
        operation: Operation,
        owed: Owed,
        held: Held,
    ) -> Result<(), Violation> {
        if operation == Operation::Shutdown {
            self.check_flushed()?;
        }
        if operation == Operation::Connect && held == Held::Parked {
            self.kernel.stage = Stage::Connecting;
        }
        self.kernel.hold(operation, held);
        self.outcome(rules, Outcome::Submitting(operation, owed))
    }

    fn cancel(&mut self, rules: &Rules, operation: Operation) -> Result<(), Violation> {
        let held = match self.kernel.held(operation) {
            Held::Parked | Held::ParkedEmpty => Held::Queued(Answered::Cancelled),
            other => other,
        };
        self.kernel.hold(operation, held);
        self.kernel.cancel_asked[crate::kernel::place(operation)] = true;
        self.outcome(rules, Outcome::Cancelling(operation))
    }

    fn check_flushed(&self) -> Result<(), Violation> {
        if self.output { Err(Violation::FinBeforeFlush) } else { Ok(()) }
    }

    fn release(&mut self, rules: &Rules) -> Result<(), Violation> {
        let close = self.wants(rules).release;
        if self.kernel.held.iter().any(|held| held.is_owed()) || self.kernel.cancel_asked.contains(&true) {
            return Err(Violation::ReleasedWhileOwed);
        }
        if self.kernel.registered {
            return Err(Violation::ClosedWhileRegistered);
        }
        let orderly = matches!(self.life.cause(), Some(Cause::LocalClose | Cause::PeerFinished))
            && (self.life.drain_end() == Some(DrainEnd::PeerFinished)
                || matches!(self.life.plan(), None | Some(Plan::Finish)));
        let unread = self.kernel.inbox && matches!(self.kernel.stage, Stage::Up | Stage::Over);
        if close == Some(Close::Plain) && orderly && unread {
            return Err(Violation::UnreadInput);
        }
        self.released += 1;
        self.kernel.closed += 1;
        if self.released > 1 {
            return Err(Violation::ReleasedTwice);
        }
        self.immediate(rules, Answer::Released)
    }

    fn application(&mut self, rules: &Rules, act: Act) -> Result<(), Violation> {
        match act {
            Act::Command(command) => {
                let taken = self.offer(rules, Input::Command(command))?;
                if let (Command::Output(count), true) = (command, taken) {
                    self.output = count > 0;
                }
                Ok(())
            }
            Act::Receives(amount) => self.receive(rules, amount),
            Act::Takes(amount) => self.take(rules, amount),
            Act::Sends => {
                let answer = self.kernel.send(rules.personality);
                self.immediate(rules, answer)
            }
        }
    }

    fn receive(&mut self, rules: &Rules, amount: Amount) -> Result<(), Violation> {
        let answer = self.kernel.receive(rules.personality);
        self.kernel.inbox |= amount == Amount::Part;
        self.immediate(rules, answer)
    }

    /// The slot of an operation, in words of the machine.
    #[must_use]
    pub fn slot(&self, operation: Operation) -> Slot {
        self.life.slot(operation)
    }
}
