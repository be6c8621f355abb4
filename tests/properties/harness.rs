//! A table, the worlds of its connections, and second opinions on everything that it says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hangup::{Answer, Command, Input, Key, Life, Moment, Operation, Outcome, Plan, Wants};
use hangup_testkit::{Act, Fed, Held, Rules, Step, Want, World};

use crate::ledger::{Ledger, Place};
use crate::misuse;
use crate::script::{Happening, Setup, Side, passing};
use crate::subject::Subject;
use crate::tally::{Books, Seen, Tally};
use crate::timetable::Timetable;

/// Nothing, or what is wrong.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// Ends a check with a message if a condition does not hold.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}
pub(crate) use ensure;

/// A table, and everything that is known about it.
#[derive(Debug)]
pub(crate) struct Harness {
    pub(crate) rules: Rules,
    pub(crate) setup: Setup,
    pub(crate) table: Subject,
    /// Another table, whose places and generations are alike.
    pub(crate) other: Subject,
    pub(crate) other_key: Key,
    pub(crate) connections: BTreeMap<usize, Connection>,
    pub(crate) dead: Vec<misuse::Dead>,
    /// Every key there ever was.
    pub(crate) keys: BTreeSet<Key>,
    /// What time it is.
    pub(crate) clock: Moment,
    /// The latest moment that the table was told, by any method.
    pub(crate) told: Moment,
    /// The latest moment that it was told by somebody who looked at the deadlines.
    pub(crate) looked: Moment,
    pub(crate) ledger: Ledger,
    pub(crate) books: Books,
    pub(crate) timetable: Timetable,
    pub(crate) seen: Seen,
}

/// One connection, as the script knows it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) key: Key,
    pub(crate) world: World,
    pub(crate) resource: usize,
    pub(crate) tally: Tally,
    /// In the order of [`Operation::WITH_SLOT`].
    pub(crate) operations: [Option<InFlight>; 5],
    /// Numbers of operations that were answered.
    pub(crate) answered: Vec<(Operation, u64)>,
    /// Second rights to answer operations that were answered.
    pub(crate) rights: Vec<hangup::OperationKey>,
}

/// An operation that the OS has.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) user_data: u64,
    /// The right to answer, if the script kept it and not the number.
    pub(crate) right: Option<hangup::OperationKey>,
    pub(crate) buffer: Option<usize>,
}

impl Harness {
    pub(crate) fn new(setup: Setup) -> Self {
        let mechanism = setup.personality.mechanism();
        let make = || Subject::new(setup.form, setup.compact, mechanism, setup.policy);
        let ledger = Ledger::default();
        let mut other = make();
        let vacant = other.vacant().expect("an empty table is not full");
        let other_key = vacant.accept(ledger.thing(Place::Ours), Moment::EPOCH);
        Self {
            rules: Rules { spurious: setup.spurious, ..Rules::faithful(setup.personality) },
            setup,
            table: make(),
            other,
            other_key,
            connections: BTreeMap::new(),
            dead: Vec::new(),
            keys: BTreeSet::new(),
            clock: Moment::EPOCH,
            told: Moment::EPOCH,
            looked: Moment::EPOCH,
            ledger,
            books: Books::default(),
            timetable: Timetable::default(),
            seen: Seen::default(),
        }
    }

    /// The numbers of the connections that live.
    pub(crate) fn live(&self) -> Vec<usize> {
        self.connections.keys().copied().collect()
    }

    pub(crate) fn choices(&self, number: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(connection) = self.connections.get(&number) {
            connection.world.choices(&self.rules, &mut steps);
        }
        steps
    }

    /// Lets something happen, and compares everything with everything.
    pub(crate) fn happen(&mut self, happening: Happening) -> Checked {
        match happening {
            Happening::Begin(number, side) => self.begin(number, side)?,
            Happening::Step(number, step, bytes) => self.step(number, step, bytes)?,
            Happening::Says(number, bytes) => self.says(number, bytes)?,
            Happening::Clock(millis) => {
                self.clock = Moment::from_millis(self.clock.as_millis() + millis);
                self.expire(self.clock)?;
            }
            Happening::Later(millis) => {
                self.clock = Moment::from_millis(self.clock.as_millis() + millis);
            }
            Happening::Behind(millis) => {
                self.expire(Moment::from_millis(self.clock.as_millis().saturating_sub(millis)))?;
            }
            Happening::Drain(plan) => self.drain(plan)?,
            Happening::Misuse(misuse, victim, manner) => self.misuse(misuse, victim, manner)?,
        }
        self.check_all()
    }

    /// The time, for a call that the table accepts.
    pub(crate) fn tell(&mut self) -> Moment {
        self.told = self.told.max(self.clock);
        self.clock
    }

    fn begin(&mut self, number: usize, side: Side) -> Checked {
        let connects = side == Side::Connects;
        let now = self.tell();
        let vacant = self.table.vacant().map_err(|full| full.to_string())?;
        let key = vacant.key();
        let resource = self.ledger.thing(Place::Table);
        let resource_number = resource.number();
        let begun = if connects { vacant.connect(resource, now) } else { vacant.accept(resource, now) };
        ensure!(begun == key, "{key:?} was promised, and {begun:?} came");
        ensure!(self.keys.insert(key), "{key:?} is used a second time");
        self.books.acquired += 1;
        let (mechanism, policy) = (self.setup.personality.mechanism(), self.setup.policy.on_peer_finish);
        let life =
            if connects { Life::connecting(mechanism, policy) } else { Life::accepted(mechanism, policy) };
        let world = World::births(&self.rules)
            .into_iter()
            .find(|world| world.life == life)
            .ok_or("no world begins like this")?;
        self.timetable.moved(number, life, None, &self.setup.policy, self.told);
        let connection = Connection {
            key,
            world,
            resource: resource_number,
            tally: Tally::new(self.told),
            operations: Default::default(),
            answered: Vec::new(),
            rights: Vec::new(),
        };
        self.seen.note(if connects { "connect" } else { "accept" });
        self.connections.insert(number, connection);
        Ok(())
    }

    /// Does in the world what the step says, and tells the table what the machine was told there.
    pub(crate) fn step(&mut self, number: usize, step: Step, bytes: usize) -> Checked {
        let Some(connection) = self.connections.get(&number) else {
            return Err(format!("there is no connection {number}"));
        };
        let mut fed = Vec::new();
        let next = connection
            .world
            .apply_recorded(&self.rules, step, &mut fed)
            .map_err(|violation| format!("{step} on {number}: {violation}"))?;
        self.note(step);
        if step == Step::Adapter(Want::Release) {
            return self.release(number);
        }
        self.os_has(number, &next);
        let mut follow_up = None;
        for &one in &fed {
            ensure!(follow_up.is_none(), "{one:?} comes after what follows from counts");
            follow_up = self.feed(number, one, bytes)?;
        }
        self.set_world(number, next);
        self.follow(number, follow_up)
    }

    /// What the table concluded from counts, the world is told.
    fn follow(&mut self, number: usize, follow_up: Option<Input>) -> Checked {
        let step = match follow_up {
            None => return Ok(()),
            Some(Input::Command(command)) => Step::Application(Act::Command(command)),
            Some(Input::Expired(deadline)) => passing(deadline),
            Some(other) => return Err(format!("{other:?} does not follow from counts")),
        };
        self.seen.note(if follow_up.is_some_and(|input| matches!(input, Input::Command(_))) {
            "follow-up: all output sent"
        } else {
            "follow-up: budget used up"
        });
        let world = self.connections[&number].world;
        let next = world.apply(&self.rules, step).map_err(|violation| format!("{step}: {violation}"))?;
        self.set_world(number, next);
        Ok(())
    }

    fn set_world(&mut self, number: usize, world: World) {
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.world = world;
        }
    }

    /// Enters in the ledger which buffers the kernel holds now.
    fn os_has(&mut self, number: usize, next: &World) {
        let Some(connection) = self.connections.get(&number) else { return };
        for (operation, in_flight) in Operation::WITH_SLOT.into_iter().zip(&connection.operations) {
            if let Some(buffer) = in_flight.as_ref().and_then(|in_flight| in_flight.buffer) {
                let holds = next.kernel.held(operation) != Held::No || next.life.slot(operation).calling;
                self.ledger.set(buffer, if holds { Place::Os } else { Place::Ours });
            }
        }
    }

    /// Tells the table one thing that the machine was told. What must follow from counts.
    fn feed(&mut self, number: usize, fed: Fed, bytes: usize) -> Checked<Option<Input>> {
        let pending = self.connections[&number].tally.pending();
        let input = sized(fed.input, bytes, pending);
        let Some(after) = fed.after else {
            self.refused(number, input, fed.before)?;
            return Ok(None);
        };
        let (wants, code) = self.offer(number, input, fed.before, bytes)?;
        self.moved(number, fed.before, after, input, code, wants)
    }

    /// The table has accepted an input: everything is counted a second time, and compared.
    pub(crate) fn moved(
        &mut self,
        number: usize,
        before: Life,
        after: Life,
        input: Input,
        code: Option<hangup::RawCode>,
        wants: Wants,
    ) -> Checked<Option<Input>> {
        let policy = self.setup.policy;
        let connection = self.connections.get_mut(&number).ok_or("no such connection")?;
        let tally = &mut connection.tally;
        let follow_up = tally.count(before, after, input, code, &policy);
        self.timetable.moved(number, after, Some(input), &policy, self.told);
        let mut expected = after;
        if let Some(next) = follow_up {
            expected = after.step(next).map_err(|refused| refused.to_string())?;
            tally.count(after, expected, next, None, &policy);
            self.timetable.moved(number, expected, Some(next), &policy, self.told);
        }
        let life = self.table.life(connection.key).map_err(|error| error.to_string())?;
        ensure!(life == expected, "after {input:?} the table has\n  {life:?}, not\n  {expected:?}");
        ensure!(wants == expected.wants(), "after {input:?} the table wants {wants:?}");
        Ok(follow_up)
    }

    fn says(&mut self, number: usize, bytes: usize) -> Checked {
        let connection = self.connections.get(&number).ok_or("no such connection")?;
        let (world, pending) = (connection.world, connection.tally.pending());
        let command = Command::Output(bytes);
        let grows = u32::try_from(bytes).map_or(true, |bytes| bytes > pending);
        if world.life.send_half() == hangup::SendHalf::FinQueued && grows {
            self.seen.note("output refused: after the last word");
            return self.refused(number, Input::Command(command), world.life);
        }
        let step = Step::Application(Act::Command(Command::Output(bytes.min(1))));
        self.step(number, step, bytes)
    }

    /// Lets deadlines pass until the table has none left for this moment.
    fn expire(&mut self, now: Moment) -> Checked {
        self.told = self.told.max(now);
        let mut last = Moment::EPOCH;
        for _ in 0..10_000 {
            let Some((key, deadline, wants)) = self.table.expire(now) else {
                return self.check_expired(now);
            };
            let found = self.connections.iter().find(|(_, connection)| connection.key == key);
            let Some((&number, connection)) = found else {
                return Err(format!("{deadline} passed for {key:?}, which is not there"));
            };
            let before = connection.world;
            let Some(due) = self.timetable.due(number, deadline) else {
                return Err(format!("{deadline} passed on {number}, and is not armed"));
            };
            ensure!(due <= self.told, "{deadline} passed on {number} at {:?}, early: {due:?}", self.told);
            ensure!(
                self.timetable.next_of(number) == Some(due),
                "{deadline} passed on {number}, out of turn: {:?}",
                self.timetable
            );
            // What passed long ago, before a leap of the clock, may have no order.
            if now.since(self.looked) < Duration::from_secs(24 * 60 * 60) {
                ensure!(last <= due, "{deadline} passed on {number}, due {due:?}, after one due {last:?}");
            }
            last = due;
            self.seen.note(&format!("passed: {deadline}"));
            let next = before
                .apply(&self.rules, passing(deadline))
                .map_err(|violation| format!("{deadline} on {number}: {violation}"))?;
            let input = Input::Expired(deadline);
            let follow_up = self.moved(number, before.life, next.life, input, None, wants)?;
            ensure!(follow_up.is_none(), "{follow_up:?} follows from a deadline");
            self.set_world(number, next);
        }
        Err("deadlines pass without an end".to_owned())
    }

    fn check_expired(&mut self, now: Moment) -> Checked {
        self.looked = self.looked.max(now);
        if now < self.told {
            return Ok(());
        }
        let late = self.timetable.next().filter(|&due| due <= now);
        ensure!(late.is_none(), "a deadline has not passed at {now:?}: {:?}", self.timetable);
        let next = self.table.next_deadline();
        ensure!(next.is_none_or(|next| next > now), "at {now:?} the next deadline is still {next:?}");
        Ok(())
    }

    fn drain(&mut self, plan: Plan) -> Checked {
        let now = self.tell();
        let mut told = Vec::new();
        self.table.drain(plan, now, |key, wants| told.push((key, wants)));
        let step = Step::Application(Act::Command(Command::Close(plan)));
        for number in self.live() {
            let connection = &self.connections[&number];
            let (key, world) = (connection.key, connection.world);
            let place = told.iter().position(|&(other, _)| other == key);
            let Some((_, wants)) = place.map(|place| told.swap_remove(place)) else {
                return Err(format!("{number} was not told of the drain"));
            };
            let mut fed = Vec::new();
            let next =
                world.apply_recorded(&self.rules, step, &mut fed).map_err(|error| error.to_string())?;
            for one in fed {
                let after = one.after.ok_or("a close was refused")?;
                self.moved(number, one.before, after, one.input, None, wants)?;
            }
            self.set_world(number, next);
        }
        ensure!(told.is_empty(), "{told:?} were told of the drain, and are not there");
        self.seen.note("drain");
        Ok(())
    }

    /// Aborts everything that is left, and lets kernel and adapter do their part: nothing is left then.
    pub(crate) fn wind_down(&mut self) -> Checked {
        for number in self.live() {
            self.step(number, Step::Application(Act::Command(Command::Close(Plan::Abort))), 1)?;
            for _ in 0..100 {
                let steps = self.choices(number);
                // The adapter first: a level-triggered event would come for ever.
                let adapters = steps.iter().find(|step| matches!(step, Step::Adapter(_)));
                let kernels = || steps.iter().find(|step| matches!(step, Step::Kernel(_)));
                let Some(&step) = adapters.or_else(kernels) else { break };
                self.step(number, step, 1)?;
            }
            ensure!(!self.connections.contains_key(&number), "{number} was aborted, and does not end");
        }
        self.check_all()?;
        ensure!(self.table.is_empty() && self.table.audit().held() == 0, "the table is not empty");
        ensure!(self.table.audit().with_the_os() == 0, "buffers are with the OS: {:?}", self.table.audit());
        ensure!(self.ledger.count(Place::Os) + self.ledger.count(Place::Table) == 0, "something is left");
        Ok(())
    }

    /// Drops the table as it is: what the OS has is leaked, and everything else is dropped.
    pub(crate) fn drop_table(self) -> Checked<Seen> {
        let Self { table, other, ledger, connections, seen, .. } = self;
        let with_the_os = ledger.count(Place::Os);
        ensure!(table.audit().with_the_os() == with_the_os, "{:?}, not {with_the_os}", table.audit());
        ledger.table_is_dropped();
        drop((table, other, connections));
        ledger.check()?;
        let leaked = ledger.count(Place::Os);
        ensure!(leaked == with_the_os, "{with_the_os} buffers were with the OS, and {leaked} were leaked");
        ensure!(ledger.count(Place::Table) == 0, "resources were leaked");
        Ok(seen)
    }

    fn note(&mut self, step: Step) {
        self.seen.note(match step {
            Step::Outside(_) => "outside",
            Step::Kernel(_) => "kernel",
            Step::Adapter(_) => "adapter",
            Step::Application(_) => "application",
            Step::Expire(_) => "expire",
            Step::Spurious(_) => "spurious",
        });
    }
}

/// The input with a count of bytes, where the world only knows "some".
fn sized(input: Input, bytes: usize, pending: u32) -> Input {
    // Usually no more than there is, sometimes exactly that, and sometimes more.
    let pending = usize::try_from(pending).unwrap_or(usize::MAX);
    let taken = if pending == 0 || bytes == 1 << 20 { bytes } else { bytes.min(pending) };
    let answer = |answer| match answer {
        Answer::Received(1) => Answer::Received(bytes),
        Answer::Sent(1) => Answer::Sent(taken),
        other => other,
    };
    match input {
        Input::Outcome(Outcome::Immediate(given)) => Input::Outcome(Outcome::Immediate(answer(given))),
        Input::Outcome(Outcome::Completed(given, more)) => {
            Input::Outcome(Outcome::Completed(answer(given), more))
        }
        Input::Command(Command::Output(1)) => Input::Command(Command::Output(bytes)),
        other => other,
    }
}
