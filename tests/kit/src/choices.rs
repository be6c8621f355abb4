//! Everything that can happen next.

use hangup::{Command, Deadline, Hint, Operation, Phase, Plan, ReceiveHalf, SendHalf, Wants};

use crate::Personality;
use crate::kernel::{Held, Pending, Stage};
use crate::sabotage::Sabotage;
use crate::step::{Act, KernelStep, Outside, Step, Want};
use crate::world::{Rules, World};

/// Hints that are tried in any state: one flag each, and the combination that carries most weight.
const SPURIOUS: [Hint; 7] = [
    Hint::READABLE,
    Hint::WRITABLE,
    Hint::PEER_CLOSED,
    Hint::HANG_UP,
    Hint::ERROR,
    Hint::ABORT,
    Hint::HANG_UP.with(Hint::ERROR),
];

/// Commands that are tried in any state.
const COMMANDS: [Command; 9] = [
    Command::Output(1),
    Command::Output(0),
    Command::Pause,
    Command::Resume,
    Command::Close(Plan::Finish),
    Command::Close(Plan::Flush),
    Command::Close(Plan::Linger),
    Command::Close(Plan::Abort),
    Command::Blame(hangup::Blame::Truncated),
];

impl World {
    /// Every step that is possible, in a fixed order.
    pub fn choices(&self, rules: &Rules, steps: &mut Vec<Step>) {
        steps.clear();
        if self.life.phase() == Phase::Released {
            return;
        }
        self.urgent_choices(rules, steps);
        if !steps.is_empty() {
            return;
        }
        self.outside_choices(rules, steps);
        self.kernel_choices(rules, steps);
        self.adapter_choices(rules, steps);
        self.application_choices(rules, steps);
        let armed = self.life.deadlines();
        let disarmed = rules.sabotage.and_then(Sabotage::disarmed);
        for deadline in Deadline::ALL {
            // A budget is used up by bytes, and those come from the outside.
            if armed.contains(deadline) && disarmed != Some(deadline) {
                steps.push(Step::Expire(deadline));
            }
        }
        if rules.spurious && rules.personality.is_readiness() && self.life.phase().is_established() {
            steps.extend(SPURIOUS.map(Step::Spurious));
        }
    }

    fn outside_choices(&self, rules: &Rules, steps: &mut Vec<Step>) {
        let kernel = &self.kernel;
        let mut add = |condition: bool, step| {
            if condition {
                steps.push(Step::Outside(step));
            }
        };
        let up = kernel.stage == Stage::Up;
        let connecting = kernel.stage == Stage::Connecting;
        add(up && !kernel.fin && !kernel.inbox, Outside::PeerSends);
        add(up && !kernel.fin, Outside::PeerFinishes);
        add(up && !kernel.room, Outside::PeerReads);
        add(up && kernel.room && self.life.phase().is_established(), Outside::PeerStopsReading);
        add(up, Outside::PeerResets);
        add(up, Outside::StackGivesUp);
        add(up && kernel.error == Pending::Nothing, Outside::RouterComplains);
        add(
            kernel.stage == Stage::Dead
                && kernel.error != Pending::Nothing
                && rules.personality.forgets_errors(),
            Outside::ErrorIsForgotten,
        );
        add(connecting, Outside::ConnectSucceeds);
        add(connecting, Outside::ConnectIsRefused);
        let send = kernel.held(Operation::Send);
        add(matches!(send, Held::QueuedInUse(_) | Held::InUse), Outside::PeerAcknowledges);
    }

    /// What happens before anything else can: the kernel finishes what can go on, in any order, and a
    /// submission to a ring is taken at once. When the news gets through is another matter.
    fn urgent_choices(&self, rules: &Rules, steps: &mut Vec<Step>) {
        for (at, operation) in Operation::WITH_SLOT.into_iter().enumerate() {
            if matches!(self.kernel.held[at], Held::Parked) && self.can_complete(operation) {
                steps.push(Step::Kernel(KernelStep::Completes(operation)));
            }
            if self.life.slot(operation).calling && !rules.personality.completes_early() {
                steps.push(Step::Kernel(KernelStep::Returns(operation)));
            }
        }
    }

    fn kernel_choices(&self, rules: &Rules, steps: &mut Vec<Step>) {
        if self.kernel.event(rules.personality).is_some() {
            steps.push(Step::Kernel(KernelStep::Event));
        }
        for (at, operation) in Operation::WITH_SLOT.into_iter().enumerate() {
            let held = self.kernel.held[at];
            let calling = self.life.slot(operation).calling;
            let mut add = |condition: bool, step| {
                if condition {
                    steps.push(Step::Kernel(step));
                }
            };
            let queued = matches!(
                held,
                Held::Queued(_) | Held::QueuedInUse(_) | Held::QueuedBoth(_) | Held::ParkedWithResult
            );
            add(queued, KernelStep::Completion(operation));
            add(calling, KernelStep::Returns(operation));
            add(self.kernel.cancel_asked[at], KernelStep::CancelAnswer(operation));
        }
        let send = self.kernel.held(Operation::Send);
        if matches!(send, Held::NotificationQueued | Held::QueuedBoth(_)) {
            steps.push(Step::Kernel(KernelStep::Notification));
        }
    }

    /// Whether a parked operation can go on.
    pub(crate) fn can_complete(&self, operation: Operation) -> bool {
        match operation {
            Operation::Connect => {
                matches!(self.kernel.stage, Stage::Up | Stage::Dead | Stage::ConnectFailed)
            }
            Operation::Receive => self.kernel.is_readable(),
            Operation::Send => self.kernel.is_writable() || self.kernel.fin_out,
            Operation::Watch => self.kernel.is_hung_up(),
            Operation::Shutdown => true,
            _ => false,
        }
    }

    fn adapter_choices(&self, rules: &Rules, steps: &mut Vec<Step>) {
        let wants = self.wants(rules);
        let readiness = rules.personality.is_readiness();
        let mut add = |condition: bool, want| {
            if condition {
                steps.push(Step::Adapter(want));
            }
        };
        let submits = [
            (wants.connect && !readiness, Operation::Connect),
            (wants.receive && !readiness, Operation::Receive),
            (wants.send && !readiness, Operation::Send),
            (wants.watch, Operation::Watch),
            (wants.shutdown && !readiness, Operation::Shutdown),
        ];
        for (wanted, operation) in submits {
            let answers = rules.personality.skips_on_success() && self.can_answer(operation);
            let long = rules.personality.has_multishot()
                && matches!(operation, Operation::Receive | Operation::Send | Operation::Watch);
            add(wanted && !long, Want::Submit(operation));
            add(wanted && long, Want::SubmitLong(operation));
            add(wanted && answers, Want::SubmitAnswered(operation));
            add(wanted && operation != Operation::Shutdown, Want::SubmitRefused(operation));
        }
        add(wants.connect && readiness, Want::Connect);
        add(wants.connect && readiness, Want::ConnectAtOnce);
        add(wants.connect && readiness, Want::ConnectFails);
        add(wants.confirm, Want::Confirm);
        add(wants.register, Want::Register(true));
        add(wants.register, Want::Register(false));
        add(self.watches_differ(rules, wants), Want::Watch);
        add(self.watches_differ(rules, wants), Want::WatchFails);
        add(readiness && wants.discard, Want::Discard);
        add(wants.inquire, Want::Inquire);
        add(wants.shutdown && readiness, Want::Shutdown);
        add(wants.sever, Want::Sever);
        let acknowledged = self.kernel.stage == Stage::Up && self.kernel.fin_out && !self.kernel.inbox;
        add(acknowledged && self.life.phase() == Phase::Closing, Want::Acknowledged);
        let cancel = [
            (wants.cancel.connect, Operation::Connect),
            (wants.cancel.receive, Operation::Receive),
            (wants.cancel.send, Operation::Send),
            (wants.cancel.watch, Operation::Watch),
        ];
        for (wanted, operation) in cancel {
            add(wanted, Want::Cancel(operation));
        }
        add(wants.deregister, Want::Deregister);
        add(wants.release.is_some(), Want::Release);
    }

    /// Whether the submitting call could give the result at once.
    fn can_answer(&self, operation: Operation) -> bool {
        !matches!(operation, Operation::Connect | Operation::Watch | Operation::Shutdown)
            && self.can_complete(operation)
    }

    fn watches_differ(&self, rules: &Rules, wants: Wants) -> bool {
        let kernel = &self.kernel;
        if !kernel.registered || rules.personality.is_edge() {
            return false;
        }
        let differ = (kernel.watch_read, kernel.watch_write) != (wants.receive, wants.send);
        let disarmed =
            rules.personality.is_one_shot() && !kernel.armed && rules.sabotage != Some(Sabotage::ForgetToArm);
        differ || disarmed && self.life.phase() != Phase::Ending && !wants.deregister
    }

    fn application_choices(&self, rules: &Rules, steps: &mut Vec<Step>) {
        steps.extend(
            COMMANDS
                .into_iter()
                .filter(|&command| self.is_sensible(rules, command))
                .map(|command| Step::Application(Act::Command(command))),
        );
        if rules.personality.is_readiness() && self.life.phase().is_established() {
            if matches!(self.life.receive_half(), ReceiveHalf::Open | ReceiveHalf::Ended)
                && self.life.phase() == Phase::Open
            {
                steps.push(Step::Application(Act::Receives));
            }
            if self.life.send_half().has_output() || self.life.send_half() == SendHalf::Idle {
                steps.push(Step::Application(Act::Sends));
            }
        }
    }

    /// Leaves out what would change nothing, or what an application cannot do.
    fn is_sensible(&self, rules: &Rules, command: Command) -> bool {
        match command {
            // A cause that is set from outside moves nothing else: once is enough.
            Command::Blame(_) => rules.personality == Personality::EpollLevel && !rules.spurious,
            Command::Output(count) => {
                (count > 0) != self.output
                    && (count == 0 || !matches!(self.life.phase(), Phase::Closing | Phase::Ending))
            }
            _ => true,
        }
    }
}
