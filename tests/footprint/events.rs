//! Allocations for each event: none.

use std::cell::RefCell;

use hangup::{Input, Key, Moment, OperationKey, Os, Outcome, Policy, RawCode, Settled, Table};
use hangup_testkit::{Fed, Personality, Rules, Step, Want, World};

use crate::counting::asked;

const CONNECTIONS: usize = 1_000;

/// SplitMix64: a failure has to come again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below a usize")
    }
}

struct Connection {
    key: Key,
    world: World,
    rights: [Option<OperationKey>; 5],
}

/// A thousand connections in one table, each with its world, that begin again when they have ended.
struct Load {
    rules: Rules,
    table: Table<u32, [u8; 16]>,
    connections: Vec<Connection>,
    random: Random,
    clock: Moment,
    /// Calls of the table, and allocations inside them.
    calls: u64,
    allocations: u64,
    /// How often each kind of call was made.
    kinds: [u64; 8],
}

impl Load {
    fn new(personality: Personality, spurious: bool) -> Self {
        let rules = Rules { spurious, ..Rules::faithful(personality) };
        let mut load = Self {
            rules,
            table: Table::new(personality.mechanism(), Policy::default()),
            connections: Vec::with_capacity(CONNECTIONS),
            random: Random(7),
            clock: Moment::EPOCH,
            calls: 0,
            allocations: 0,
            kinds: [0; 8],
        };
        for _ in 0..CONNECTIONS {
            let connection = load.begin();
            load.connections.push(connection);
        }
        load
    }

    /// A call of the table: whatever it allocates is counted.
    fn call<T>(&mut self, kind: usize, call: impl FnOnce(&mut Table<u32, [u8; 16]>) -> T) -> T {
        let before = asked().allocations;
        let result = call(&mut self.table);
        self.allocations += asked().allocations - before;
        self.calls += 1;
        self.kinds[kind] += 1;
        result
    }

    fn begin(&mut self) -> Connection {
        let births = World::births(&self.rules);
        let world = births[self.random.below(births.len())];
        let (connects, now) = (world.life.phase().is_connecting(), self.clock);
        // The policy of the table is that of the first births.
        let key = self.call(0, |table| {
            let vacant = table.vacant().expect("not full");
            if connects { vacant.connect(7, now) } else { vacant.accept(7, now) }
        });
        let world = World { life: self.table.life(key).expect("it has begun"), ..world };
        Connection { key, world, rights: [const { None }; 5] }
    }

    /// One step of one connection.
    fn step(&mut self) {
        thread_local! {
            static STEPS: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
        }
        let at = self.random.below(CONNECTIONS);
        let mut steps = STEPS.take();
        self.connections[at].world.choices(&self.rules, &mut steps);
        let step = steps[self.random.below(steps.len())];
        STEPS.set(steps);
        let mut fed = Vec::new();
        let world = self.connections[at].world;
        let next = world.apply_recorded(&self.rules, step, &mut fed).expect("the worlds are in order");
        if step == Step::Adapter(Want::Release) {
            let (key, now) = (self.connections[at].key, self.clock);
            let released = self.call(1, |table| table.release(key, now)).expect("it has ended");
            assert_eq!(released.resources, 7);
            self.connections[at] = self.begin();
            return;
        }
        for one in fed {
            self.feed(at, one);
        }
        self.connections[at].world = next;
        // One byte was sent, and one was held: the table draws its conclusion, and the world is told.
        let life = self.table.life(self.connections[at].key).expect("it is there");
        if life != next.life {
            let output = Step::Application(hangup_testkit::Act::Command(hangup::Command::Output(0)));
            let told = next.apply(&self.rules, output).expect("the worlds are in order");
            assert_eq!(life, told.life, "after {step}");
            self.connections[at].world = told;
        }
    }

    fn feed(&mut self, at: usize, fed: Fed) {
        let (key, now, input) = (self.connections[at].key, self.clock, fed.input);
        let slot = |operation| hangup::Operation::WITH_SLOT.iter().position(|&other| other == operation);
        let Input::Outcome(outcome) = input else { return self.plain(key, fed) };
        let operation = match outcome {
            // A claim of what lends nothing.
            Outcome::Submitting(operation, _) if slot(operation).is_none() => return self.plain(key, fed),
            Outcome::Submitting(operation, _) | Outcome::Pending(operation) => operation,
            Outcome::Immediate(answer) if fed.before.slot(answer.operation()).calling => answer.operation(),
            Outcome::Completed(answer, _) => answer.operation(),
            Outcome::Immediate(_) | Outcome::Cancelling(_) | Outcome::CancelAnswered(_) => {
                return self.plain(key, fed);
            }
        };
        let place = slot(operation).expect("it has a slot");
        if let Outcome::Submitting(operation, owed) = outcome {
            let right = self.call(2, |table| table.lend(key, operation, owed, Some([0; 16]), now));
            self.connections[at].rights[place] = Some(right.expect("it is wanted"));
            return;
        }
        let right = self.connections[at].rights[place].take().expect("it is in flight");
        let user_data = right.into_user_data();
        let settled = self.call(3, |table| {
            let right = table.operation(user_data).expect("it is in flight");
            match outcome {
                Outcome::Completed(answer, more) => table.complete(right, answer, more, now),
                Outcome::Immediate(answer) => table.returned(right, answer, now),
                Outcome::Pending(_)
                | Outcome::Submitting(..)
                | Outcome::Cancelling(_)
                | Outcome::CancelAnswered(_) => table.taken(right, now),
            }
        });
        match settled.expect("it is a fact") {
            Settled::InFlight { operation, .. } => self.connections[at].rights[place] = Some(operation),
            Settled::Done { buffer, .. } => assert_eq!(buffer, Some([0; 16])),
        }
    }

    fn plain(&mut self, key: Key, fed: Fed) {
        let now = self.clock;
        let code = RawCode::native(Os::Linux, 104);
        let kind = if fed.after.is_some() { 4 } else { 5 };
        let result = self.call(kind, |table| table.input_with_code(key, fed.input, code, now));
        assert_eq!(result.is_ok(), fed.after.is_some(), "{fed:?}");
    }

    /// Time passes, and with it deadlines. What they are about is left to its world.
    fn pass_time(&mut self) {
        self.clock = Moment::from_millis(self.clock.as_millis() + self.random.below(500) as u64);
        let now = self.clock;
        while let Some((key, deadline, _)) = self.call(6, |table| table.expire(now)) {
            let at = self.connections.iter().position(|connection| connection.key == key);
            let connection = &mut self.connections[at.expect("it is there")];
            connection.world =
                connection.world.apply(&self.rules, Step::Expire(deadline)).expect("the worlds are in order");
        }
    }

    fn ask(&mut self) {
        let key = self.connections[self.random.below(CONNECTIONS)].key;
        self.call(7, |table| {
            assert!(table.wants(key).is_ok() && table.pending(key).is_ok() && table.get_mut(key).is_ok());
            table.next_deadline()
        });
    }

    fn run(&mut self, steps: u64) {
        for step in 0..steps {
            self.step();
            if step % 64 == 0 {
                self.pass_time();
                self.ask();
            }
        }
    }
}

#[test]
fn no_event_allocates() {
    let mut calls = 0;
    let mut kinds = [0; 8];
    for personality in Personality::ALL {
        let mut load = Load::new(personality, personality.is_readiness());
        // Warm: every place has lent, and as many have been there at once as ever will.
        load.run(60_000);
        (load.calls, load.allocations, load.kinds) = (0, 0, [0; 8]);
        load.run(60_000);
        println!("{personality:20} {:>7} calls of the table, {} allocations", load.calls, load.allocations);
        assert_eq!(load.allocations, 0, "{personality}: {:?}", load.kinds);
        calls += load.calls;
        kinds.iter_mut().zip(load.kinds).for_each(|(sum, more)| *sum += more);
    }
    println!("{calls} calls in all; begin, release, lend, answer, input, refused, expire, ask: {kinds:?}");
    assert!(calls > 300_000, "{calls}");
    assert!(kinds.iter().all(|&count| count > 1_000), "{kinds:?}");
}
