//! The wheel of deadlines, against a table of times that is searched: 100,000 operations for each policy.
//!
//! To file is to arm a deadline, to renew is to receive or send, to remove is to pause or to release.

use std::collections::BTreeMap;
use std::time::Duration;

use hangup::{Answer, Command, Deadline, Input, Key, Mechanism, Moment, Outcome, Plan, Policy, Table};

use crate::timetable::Timetable;

const OPERATIONS: u32 = 100_000;
const MOST_CONNECTIONS: usize = 100;
const DAY: u64 = 24 * 60 * 60 * 1_000;

/// Milliseconds: on both sides of where a level of the wheel ends, and the extremes.
const DURATIONS: [u64; 14] =
    [0, 1, 2, 63, 64, 65, 4_095, 4_096, 4_097, 262_144, 16_777_216, 1_073_741_824, 24 * DAY, 100 * DAY];

/// SplitMix64: a failure has to come again with the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }
}

struct Filing {
    table: Table<usize>,
    policy: Policy,
    random: Random,
    connections: BTreeMap<usize, Key>,
    begun: usize,
    clock: Moment,
    timetable: Timetable,
    fired: u64,
}

impl Filing {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut duration = || Duration::from_millis(DURATIONS[random.below(DURATIONS.len())]);
        let policy = Policy {
            connect: duration(),
            idle: Some(duration()),
            stall: duration(),
            half_closed: duration(),
            drain_total: duration(),
            drain_idle: duration(),
            ..Policy::default()
        };
        Self {
            table: Table::new(Mechanism::Level, policy),
            policy,
            random,
            connections: BTreeMap::new(),
            begun: 0,
            clock: Moment::EPOCH,
            timetable: Timetable::default(),
            fired: 0,
        }
    }

    fn operate(&mut self) {
        let count = self.connections.len();
        let at = self.random.below(count.max(1));
        let Some((&number, &key)) = self.connections.iter().nth(at) else { return self.begin() };
        let said = |answer| Input::Outcome(Outcome::Immediate(answer));
        match self.random.below(20) {
            0..3 if count < MOST_CONNECTIONS => self.begin(),
            0..4 => self.remove(number, key),
            4..8 => self.feed(number, key, said(Answer::Received(1))),
            8..10 => self.feed(number, key, said(Answer::Sent(1))),
            10 => self.feed(number, key, Input::Command(Command::Output(1_000_000))),
            11 => self.feed(number, key, Input::Command(Command::Pause)),
            12 | 13 => self.feed(number, key, Input::Command(Command::Resume)),
            14 => self.feed(number, key, said(Answer::EndOfStream)),
            15 => self.feed(number, key, Input::Command(Command::Close(Plan::Linger))),
            16 => self.feed(number, key, said(Answer::ShutDown)),
            17 => self.feed(number, key, said(Answer::Connected)),
            _ => self.pass_time(),
        }
    }

    fn begin(&mut self) {
        let number = self.begun;
        self.begun += 1;
        let vacant = self.table.vacant().expect("not full");
        let key = if self.random.below(3) == 0 {
            vacant.connect(number, self.clock)
        } else {
            vacant.accept(number, self.clock)
        };
        self.connections.insert(number, key);
        self.time(number, key, None);
    }

    fn feed(&mut self, number: usize, key: Key, input: Input) {
        if self.table.input(key, input, self.clock).is_ok() {
            self.time(number, key, Some(input));
        }
    }

    fn time(&mut self, number: usize, key: Key, input: Option<Input>) {
        let life = self.table.life(key).expect("it is there");
        self.timetable.moved(number, life, input, &self.policy, self.clock);
    }

    fn remove(&mut self, number: usize, key: Key) {
        let abort = Input::Command(Command::Close(Plan::Abort));
        let _wants = self.table.input(key, abort, self.clock).expect("an abort is always taken");
        let released = self.table.release(key, self.clock).expect("nothing is with the OS");
        assert_eq!(released.resources, number);
        self.connections.remove(&number);
        self.timetable.forget(number);
    }

    fn pass_time(&mut self) {
        let most = 1 << self.random.below(31);
        self.clock = Moment::from_millis(self.clock.as_millis() + self.random.next() % most);
        let mut last = Moment::EPOCH;
        while let Some((key, deadline, _)) = self.table.expire(self.clock) {
            let number = *self.table.get(key).expect("it is there");
            let due = self.timetable.due(number, deadline);
            let due = due.unwrap_or_else(|| panic!("{deadline} of {number} is not armed"));
            assert!(due <= self.clock, "{deadline} of {number} is early: {due:?} at {:?}", self.clock);
            assert_eq!(self.timetable.next_of(number), Some(due), "{deadline} of {number} is out of turn");
            assert!(last <= due, "{deadline} of {number} is out of order");
            last = due;
            self.fired += 1;
            self.time(number, key, Some(Input::Expired(deadline)));
        }
        let late = self.timetable.next().filter(|&due| due <= self.clock);
        assert_eq!(late, None, "late at {:?}: {:?}", self.clock, self.timetable);
        let next = self.table.next_deadline();
        assert!(next.is_none_or(|next| next > self.clock), "{next:?} at {:?} is no progress", self.clock);
    }

    fn check_next(&self) {
        if let Some(next) = self.timetable.next() {
            let said = self.table.next_deadline();
            assert!(said.is_some_and(|said| said <= next), "{said:?} is later than {next:?}");
        }
    }
}

#[test]
fn a_hundred_thousand_deadlines_pass_when_they_should() {
    let mut fired = 0;
    for seed in 0..10 {
        let mut filing = Filing::new(seed);
        println!("seed {seed}: {:?}", filing.policy);
        for operation in 0..OPERATIONS {
            filing.operate();
            if operation % 8 == 0 {
                filing.check_next();
            }
        }
        fired += filing.fired;
    }
    println!("{fired} deadlines passed");
    assert!(fired > 100_000, "{fired}");
}

/// A deadline passes in the very millisecond, wherever the clock begins and however it is asked.
#[test]
fn a_deadline_passes_in_its_millisecond() {
    for start in [0, 1, 63, 64, 4_095, (1 << 30) - 1, (1 << 32) - 5, (1 << 36) - 1, 1_700_000_000_000] {
        for duration in DURATIONS.into_iter().filter(|&duration| duration > 0 && duration <= 24 * DAY) {
            let connect = Duration::from_millis(duration);
            let mut table: Table<()> = Table::new(Mechanism::Level, Policy { connect, ..Policy::default() });
            assert!(table.expire(Moment::from_millis(start)).is_none());
            let key = table.vacant().expect("not full").connect((), Moment::from_millis(start));
            let mut asked = 0;
            // Asked only when the table says so, as an event loop does.
            while let Some(next) = table.next_deadline() {
                assert!(
                    next.as_millis() <= start + duration,
                    "{next:?} is too late for {start} + {duration}"
                );
                match table.expire(next) {
                    Some((passed, deadline, _)) => {
                        assert_eq!((passed, deadline), (key, Deadline::Connect));
                        assert_eq!(next.as_millis(), start + duration);
                        break;
                    }
                    None => asked += 1,
                }
            }
            assert!(asked <= 6, "asked {asked} times in vain for {start} + {duration}");
            assert!(table.expire(Moment::from_millis(start + 2 * duration)).is_none());
        }
    }
}
