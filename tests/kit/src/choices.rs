//! Everything that can happen next.

use hangup::{
    Blame, Command, Deadline, Hint, Inquiry, More, Operation, Owed, Phase, Plan, ReceiveHalf, SendHalf, Wants,
};

use crate::Personality;
use crate::kernel::{Answered, Held, Pending, Stage};
use crate::sabotage::Sabotage;
use crate::step::{Act, Amount, KernelStep, Outside, Step, Want};
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
    Command::Blame(Blame::Truncated),
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
        if rules.personality.comes_back_by_event() && self.life.phase().is_established() {
            steps.push(Step::Spurious(Hint::NONE));
        }
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
        let send = kernel.held(Operation::Send);
        add(matches!(send, Held::QueuedInUse(_) | Held::InUse), Outside::PeerAcknowledges);
        if self.is_beyond_words(rules) {
            return;
        }
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
        let discards = rules.personality.reset_discards_input();
        add(kernel.stage == Stage::Dead && kernel.inbox && discards, Outside::InputIsLost);
        add(connecting, Outside::ConnectSucceeds);
        add(connecting, Outside::ConnectIsRefused);
        add(connecting, Outside::ConnectFindsNoWay);
        let born = hangup::Life::accepted(self.life.mechanism(), self.life.on_peer_finish());
        let untouched = self.life == born && *kernel == crate::Kernel::accepted();
        add(up && untouched && !rules.personality.is_readiness(), Outside::NoSocket);
    }

    /// Whether the connection has ended, and nothing that an operation says is of interest any more: so it is left out
    /// why it says so, and it may say it at any time.
    fn is_beyond_words(&self, rules: &Rules) -> bool {
        !rules.in_full && !rules.personality.is_readiness() && self.life.phase() == Phase::Ending
    }

    /// What happens before anything else can: the kernel finishes what can go on, in any order, and a
    /// submission to a ring is taken at once. When the news gets through is another matter. And of a connection
    /// that is lost an operation may learn late: then another has been given the error.
    fn urgent_choices(&self, rules: &Rules, steps: &mut Vec<Step>) {
        for (at, operation) in Operation::WITH_SLOT.into_iter().enumerate() {
            let parked = matches!(self.kernel.held[at], Held::Parked | Held::ParkedEmpty);
            let late = self.kernel.stage == Stage::Dead || self.is_beyond_words(rules);
            if parked && !late && self.can_complete(operation) {
                self.complete_choices(operation, steps);
            }
            if self.life.slot(operation).calling && !rules.personality.completes_early() {
                steps.push(Step::Kernel(KernelStep::Returns(operation)));
            }
        }
    }

    fn complete_choices(&self, operation: Operation, steps: &mut Vec<Step>) {
        steps.push(Step::Kernel(KernelStep::Completes(operation)));
        let announces = self.kernel.held(operation) == Held::ParkedEmpty;
        if operation == Operation::Receive && !announces && self.has_more() {
            steps.push(Step::Kernel(KernelStep::CompletesInPart));
        }
        // A multishot one has to find room for what it receives.
        let chooses = operation == Operation::Receive && self.life.slot(operation).owed == Owed::Stream;
        if chooses && self.kernel.inbox {
            steps.push(Step::Kernel(KernelStep::RunsOutOfBuffers));
        }
    }

    /// Whether a receive may leave something behind that nobody will add to.
    fn has_more(&self) -> bool {
        self.kernel.inbox && (self.kernel.fin || self.kernel.stage == Stage::Dead)
    }

    /// How much a receive may take.
    fn amounts(&self) -> impl Iterator<Item = Amount> + use<> {
        [(true, Amount::All), (self.has_more(), Amount::Part)]
            .into_iter()
            .filter_map(|(possible, amount)| possible.then_some(amount))
    }

    fn kernel_choices(&self, rules: &Rules, steps: &mut Vec<Step>) {
        let events = self.kernel.events(rules.personality);
        steps.extend(events.map(|hint| Step::Kernel(KernelStep::Event(hint))));
        for (at, operation) in Operation::WITH_SLOT.into_iter().enumerate() {
            let held = self.kernel.held[at];
            let calling = self.life.slot(operation).calling;
            let parked = matches!(held, Held::Parked | Held::ParkedEmpty);
            if self.is_beyond_words(rules) {
                if parked && operation != Operation::Watch {
                    steps.push(Step::Kernel(KernelStep::Completes(operation)));
                }
            } else if parked && self.kernel.stage == Stage::Dead && self.can_complete(operation) {
                self.complete_choices(operation, steps);
            }
            let mut add = |condition: bool, step| {
                if condition {
                    steps.push(Step::Kernel(step));
                }
            };
            let queued = matches!(
                held,
                Held::Queued(_) | Held::QueuedTold(_) | Held::QueuedInUse(_) | Held::QueuedBoth(_)
            );
            let waits = operation == Operation::Receive && self.waits_to_be_taken(rules);
            add(queued && !waits, KernelStep::Completion(operation));
            add(calling, KernelStep::Returns(operation));
            add(self.kernel.cancel_asked[at], KernelStep::CancelAnswer(operation));
        }
        let watch = self.kernel.held(Operation::Watch);
        let said_once = if self.is_beyond_words(rules) { 1 } else { usize::MAX };
        for hint in self.kernel.reports().take(said_once) {
            // What called it off may have come too late.
            if matches!(watch, Held::Parked | Held::Queued(Answered::Cancelled)) {
                if self.life.slot(Operation::Watch).owed == Owed::Stream {
                    steps.push(Step::Kernel(KernelStep::Report(hint, More::Follows)));
                }
                steps.push(Step::Kernel(KernelStep::Report(hint, More::Last)));
            }
        }
        if self.tells_error_ahead(rules) {
            steps.push(Step::Kernel(KernelStep::TellsError));
        }
        let send = self.kernel.held(Operation::Send);
        if matches!(send, Held::NotificationQueued | Held::QueuedBoth(_)) {
            steps.push(Step::Kernel(KernelStep::Notification));
        }
    }

    /// Whether a parked operation can go on.
    pub(crate) fn can_complete(&self, operation: Operation) -> bool {
        match operation {
            Operation::Connect => !matches!(self.kernel.stage, Stage::Fresh | Stage::Connecting),
            Operation::Receive => self.kernel.is_readable(),
            Operation::Send => self.kernel.is_writable() || self.kernel.fin_out,
            Operation::Shutdown => true,
            Operation::Watch => self.kernel.stage == Stage::NoSocket,
            _ => false,
        }
    }

    pub(crate) fn adapter_choices(&self, rules: &Rules, steps: &mut Vec<Step>) {
        let wants = self.wants(rules);
        let readiness = rules.personality.is_readiness();
        let mut add = |condition: bool, want| {
            if condition {
                steps.push(Step::Adapter(want));
            }
        };
        let submits = [
            (wants.connect && !readiness, Operation::Connect),
            (wants.receive && !readiness && !self.kernel.kept, Operation::Receive),
            (wants.send && !readiness, Operation::Send),
            (wants.watch || self.is_watched_too(rules), Operation::Watch),
            (wants.shutdown && !rules.personality.shuts_down_by_call(), Operation::Shutdown),
        ];
        for (wanted, operation) in submits {
            let answers = rules.personality.skips_on_success() && self.can_answer(operation);
            let ways = rules.personality.owes(operation);
            for &owed in ways.iter().take(if rules.in_full { ways.len() } else { 1 }) {
                add(wanted, Want::Submit(operation, owed));
            }
            let empty = operation == Operation::Receive && rules.personality.receives_nothing();
            add(wanted && empty, Want::SubmitEmpty);
            add(wanted && empty && answers && self.is_announced(), Want::SubmitEmptyAnswered);
            let fails = rules.personality.fails_at_once() && self.can_fail(operation);
            add(wanted && (answers || fails), Want::SubmitAnswered(operation));
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
        for amount in self.amounts() {
            add(readiness && wants.discard, Want::Discard(amount));
        }
        let asks = wants.inquire || self.life.inquiry() == Inquiry::Asking;
        add(wants.inquire && rules.personality.has_workers(), Want::ClaimInquire);
        add(asks, Want::Inquire);
        let tells = self.kernel.stage == Stage::Dead && self.kernel.error != Pending::Nothing;
        add(asks && tells && rules.personality.repeats_errors(), Want::InquireInVain);
        for amount in [Amount::All, Amount::Part] {
            add(!readiness && self.is_passed_over(), Want::PassOver(amount));
        }
        let calls = rules.personality.shuts_down_by_call();
        add(wants.shutdown && calls, Want::Shutdown);
        add(
            wants.shutdown && calls && rules.personality.has_workers(),
            Want::SubmitAnswered(Operation::Shutdown),
        );
        add(wants.sever, Want::Sever);
        let acknowledged = self.kernel.stage == Stage::Up && self.kernel.fin_out && !self.kernel.inbox;
        add(acknowledged && self.life.phase() == Phase::Closing, Want::Acknowledged);
        let cancel = [
            (wants.cancel.connect, Operation::Connect),
            (wants.cancel.receive || self.is_multishot_over(rules), Operation::Receive),
            (wants.cancel.send, Operation::Send),
            (wants.cancel.watch, Operation::Watch),
        ];
        // One after the other: in which order is the same to all.
        if let Some((_, operation)) = cancel.into_iter().find(|(wanted, _)| *wanted) {
            add(true, Want::Cancel(operation));
        }
        add(wants.deregister, Want::Deregister);
        add(wants.release.is_some(), Want::Release);
    }

    /// Whether the submitting call could give the result at once.
    fn can_answer(&self, operation: Operation) -> bool {
        !matches!(operation, Operation::Connect | Operation::Watch | Operation::Shutdown)
            && self.can_complete(operation)
    }

    /// Whether the submitting call could fail, as the connection is.
    fn can_fail(&self, operation: Operation) -> bool {
        let kernel = &self.kernel;
        let lost = matches!(kernel.stage, Stage::Dead | Stage::NoSocket);
        match operation {
            Operation::Connect => kernel.stage == Stage::Fresh,
            Operation::Receive => lost && !kernel.inbox && kernel.error != Pending::Nothing,
            Operation::Send => lost,
            _ => false,
        }
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
        if rules.in_full {
            let blames = Blame::ALL.map(Command::Blame);
            steps.extend(blames.map(|command| Step::Application(Act::Command(command))));
        }
        if self.can_be_taken(rules) {
            steps.push(Step::Application(Act::Takes(Amount::All)));
            if self.brings_bytes() {
                steps.push(Step::Application(Act::Takes(Amount::Part)));
            }
        }
        if rules.personality.is_readiness() && self.life.phase().is_established() {
            if matches!(self.life.receive_half(), ReceiveHalf::Open | ReceiveHalf::Ended)
                && self.life.phase() == Phase::Open
            {
                steps.extend(self.amounts().map(|amount| Step::Application(Act::Receives(amount))));
            }
            if self.life.send_half().has_output() || self.life.send_half() == SendHalf::Idle {
                steps.push(Step::Application(Act::Sends));
            }
        }
    }

    /// Leaves out what would change nothing, or what an application cannot do.
    fn is_sensible(&self, rules: &Rules, command: Command) -> bool {
        match command {
            _ if rules.in_full => true,
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
