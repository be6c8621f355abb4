//! Scripts: what can happen to a table, and how numbers from proptest become happenings.

use std::sync::LazyLock;
use std::time::Duration;

use hangup::{Command, Deadline, Input, OnPeerFinish, Operation, Plan, Policy};
use hangup_testkit::{Act, Outside, Personality, Step};

use crate::alphabet;
use crate::harness::Harness;
use crate::subject::Form;

/// What is fixed while a script runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) personality: Personality,
    /// Whether hints may be false.
    pub(crate) spurious: bool,
    /// Whether keys fit 32 bits.
    pub(crate) compact: bool,
    pub(crate) policy: Policy,
    /// The table of one worker, or of several.
    pub(crate) form: Form,
}

/// One happening. Connections are named by numbers, which are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// A connection is taken in.
    Begin(usize, Side),
    /// One step in the world of one connection. Where it moves bytes, so many.
    Step(usize, Step, usize),
    /// The application says how much output it holds.
    Says(usize, usize),
    /// So many milliseconds pass, and then all deadlines that have come.
    Clock(u64),
    /// So many milliseconds pass, and nobody has looked at the deadlines yet.
    Later(u64),
    /// Somebody looks at the deadlines with a clock that is so many milliseconds behind.
    Behind(u64),
    /// All connections are closed.
    Drain(Plan),
    /// Something is used that must not be: nothing may change.
    Misuse(Misuse, usize, usize),
}

/// How a connection is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// It was accepted.
    Accepts,
    /// It is to be made.
    Connects,
}

/// What must not be used. The two numbers of the happening pick the victim and the manner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misuse {
    /// An input that has no row.
    Untimely,
    /// A release before its time.
    TooEarly,
    /// A buffer is lent with an operation that is not wanted.
    Unwanted,
    /// A place is asked for and not used.
    Vacant,
    /// The key of a connection that was released.
    Dead,
    /// The key of another table.
    Foreign,
    /// The number of an operation that was answered.
    Answered,
    /// A second right to answer an operation that was answered, while another of its kind may be in flight.
    Twice,
    /// The right to answer one operation, with the answer of another.
    Another,
    /// The release is reported by hand.
    Released,
}

impl Misuse {
    const ALL: [Self; 10] = [
        Self::Untimely,
        Self::TooEarly,
        Self::Unwanted,
        Self::Vacant,
        Self::Dead,
        Self::Foreign,
        Self::Answered,
        Self::Twice,
        Self::Another,
        Self::Released,
    ];
}

const SIDES: [Side; 3] = [Side::Accepts, Side::Accepts, Side::Connects];

const SIZES: [usize; 8] = [1, 2, 100, 1_460, 65_536, 1 << 20, u32::MAX as usize, 5_000_000_000];

/// Milliseconds: the bounds of the wheel's lists, and what policies last.
const WAITS: [u64; 16] =
    [0, 1, 1, 2, 5, 40, 63, 64, 65, 1_000, 4_095, 4_096, 30_000, 60_000, 262_144, 16_777_300];

const DAY: u64 = 24 * 60 * 60 * 1_000;

static ALPHABET: LazyLock<Vec<Input>> = LazyLock::new(alphabet::all);

/// Any input.
pub(crate) fn untimely(number: usize) -> Input {
    ALPHABET[number % ALPHABET.len()]
}

/// A number from proptest, taken apart.
#[derive(Clone, Copy)]
struct Draw(u64);

impl Draw {
    fn take(&mut self, below: usize) -> usize {
        let taken = self.0 % below as u64;
        self.0 /= below as u64;
        usize::try_from(taken).expect("below a usize")
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.take(list.len())]
    }
}

impl Setup {
    /// The setup that a number stands for.
    pub(crate) fn draw(number: u64) -> Self {
        let mut draw = Draw(number);
        let personality = draw.of(&Personality::ALL);
        let spurious = draw.take(4) == 3 && personality.is_readiness();
        let compact = draw.take(2) == 1;
        let mut duration = || {
            let long = draw.take(3) > 0;
            Duration::from_micros(if long {
                draw.of(&[60_000_000, 5_000_000, 3_600_000_000])
            } else {
                draw.of(&[0, 1_000, 1_500, 40_000, 64_000, 65_000])
            })
        };
        let (connect, stall, half_closed) = (duration(), duration(), duration());
        let (drain_total, drain_idle) = (duration(), duration());
        let on_peer_finish = draw.of(OnPeerFinish::ALL);
        let idle = draw.of(&[
            Some(Duration::from_secs(60)),
            None,
            Some(Duration::from_millis(20)),
            Some(Policy::LONGEST),
            Some(Duration::from_secs(100 * 24 * 60 * 60)),
        ]);
        let drain_budget = draw.of(&[1 << 20, 0, 1, 3_000, u32::MAX]);
        let form = draw.of(&[Form::Alone, Form::Shared]);
        Self {
            personality,
            spurious,
            compact,
            policy: Policy {
                on_peer_finish,
                connect,
                idle,
                stall,
                half_closed,
                drain_total,
                drain_idle,
                drain_budget,
            },
            form,
        }
    }
}

impl Harness {
    /// The happening that a number stands for, in the present state.
    pub(crate) fn choose(&mut self, number: u64) -> Happening {
        let mut draw = Draw(number);
        let kind = draw.take(100);
        let live = self.live();
        let Some(&connection) = live.get(draw.take(live.len().max(1))) else {
            return Happening::Begin(self.keys.len(), draw.of(&SIDES));
        };
        match kind {
            0..5 if live.len() < 16 => Happening::Begin(self.keys.len(), draw.of(&SIDES)),
            5..10 => Happening::Clock(draw.of(&WAITS[..9])),
            10 | 11 => Happening::Clock(draw.of(&WAITS)),
            12 if draw.take(4) == 0 => Happening::Clock((1 + draw.take(2_000) as u64) * DAY),
            13 | 14 => Happening::Later(draw.of(&WAITS[..12])),
            15 => Happening::Behind(draw.of(&WAITS)),
            16 if draw.take(20) == 0 => Happening::Drain(draw.of(Plan::ALL)),
            17..20 => Happening::Says(connection, draw.of(&SIZES)),
            20..28 => Happening::Misuse(draw.of(&Misuse::ALL), draw.take(1 << 10), draw.take(1 << 16)),
            _ => {
                let size = draw.of(&SIZES);
                match self.choose_step(connection, &mut draw) {
                    Some(step) => Happening::Step(connection, step, size),
                    None => Happening::Clock(1),
                }
            }
        }
    }

    /// Whether it can happen in the present state: a script from which something was cut is still a script.
    pub(crate) fn is_possible(&self, happening: Happening) -> bool {
        match happening {
            Happening::Begin(number, _) => !self.connections.contains_key(&number),
            Happening::Step(number, step, _) => self.choices(number).contains(&step),
            Happening::Says(number, _) => self.connections.contains_key(&number),
            _ => true,
        }
    }

    /// A step that is possible. Calamities, and ends, are rarer than they are in a list of all steps.
    fn choose_step(&mut self, connection: usize, draw: &mut Draw) -> Option<Step> {
        let mut steps = self.choices(connection);
        steps.retain(|step| !matches!(step, Step::Expire(_)));
        let rank = |step: &Step| match step {
            Step::Kernel(_) => 0,
            Step::Adapter(_) => 1,
            Step::Outside(Outside::PeerResets | Outside::StackGivesUp | Outside::ConnectIsRefused) => 4,
            Step::Application(Act::Command(Command::Close(_))) => 4,
            Step::Application(Act::Command(Command::Blame(_))) | Step::Spurious(_) => 4,
            Step::Outside(_) => 2,
            Step::Application(_) => 3,
            Step::Expire(_) => unreachable!("the clock brings them"),
        };
        let favoured = match draw.take(32) {
            0..12 => 0,
            12..20 => 1,
            20..25 => 2,
            25..31 => 3,
            _ => 4,
        };
        if steps.iter().any(|step| rank(step) == favoured) {
            steps.retain(|step| rank(step) == favoured);
        }
        (!steps.is_empty()).then(|| draw.of(&steps))
    }
}

/// The step that lets a deadline pass.
pub(crate) const fn passing(deadline: Deadline) -> Step {
    Step::Expire(deadline)
}

/// The operations that lend buffers.
pub(crate) fn operation(number: usize) -> Operation {
    Operation::ALL[number % Operation::ALL.len()]
}
