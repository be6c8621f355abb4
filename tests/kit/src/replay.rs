//! Is what a real kernel did something that the simulated one can do?
//!
//! A trace is what an adapter told the machine about one connection. The simulation decides by itself what the kernel,
//! the peer and the application do; here it is asked whether *any* of its choices gives that trace. So all worlds are
//! kept that may be behind what was told so far: those that choices lead to which tell the machine nothing are added, and
//! of all choices that tell it something, those are followed that tell it what is in the trace, and leave it with the
//! life that is in the trace. If no world is left, the personality is wrong about the system, or the adapter is.
//!
//! # What is taken for the same
//!
//! Amounts, as the machine does: the simulation's `Received(1)`, `Sent(1)` and `Output(1)` stand for any that are not 0, and
//! `Sent(1)` for 0 as well; so bytes that are counted twice, or not at all, are found elsewhere.
//! [`Personality::as_modelled`] says which faults of a system one of the simulation's stands for; why a registration failed
//! is not looked at. Nothing else: the order of inputs, hints, whether an answer came at once or later, whether more
//! follows, and the life after each are compared.
//!
//! The application may do whatever it likes, and a deadline that is armed may pass: those two are not compared with
//! anything.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use hangup::{Answer, Command, Fault, Input, Life, Outcome};

use crate::record::Fed;
use crate::{Personality, Rules, Step, World};

/// An input that the machine has taken, and the life that came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Told {
    /// The input.
    pub input: Input,
    /// The life after it.
    pub after: Life,
}

/// Checks traces against one personality. What it has found out about one trace it knows for the next.
#[derive(Debug)]
pub struct Replay {
    rules: Rules,
    /// What can happen in each world that was looked at.
    ways: HashMap<World, Arc<Ways>>,
    /// The sets of worlds that can be behind the same trace.
    sets: Vec<Set>,
    numbers: HashMap<Vec<Node>, usize>,
    births: HashMap<Life, usize>,
}

/// A trace that the personality cannot give.
#[derive(Debug)]
pub struct Misfit {
    /// The personality.
    pub personality: Personality,
    /// Which of the inputs it is, from 0. `None`: it cannot be born so.
    pub position: Option<usize>,
    /// What came before it, the last few.
    pub last: Vec<Input>,
    /// The life that it met.
    pub before: Life,
    /// The input, and the life after it.
    pub told: Option<Told>,
    /// What the machine could have been told instead.
    pub allowed: Vec<String>,
    /// A few of the worlds that it could have been.
    pub worlds: Vec<World>,
}

/// What can happen in a world.
#[derive(Debug, Default)]
struct Ways {
    /// Worlds that are reached without a word to the machine.
    silent: Vec<World>,
    /// What else may come, and where it leads.
    telling: Vec<(Told, Node)>,
}

/// A world, and what a step that leads there still has to tell: some steps tell two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Node {
    world: World,
    rest: Option<Told>,
}

#[derive(Debug)]
struct Set {
    nodes: Vec<Node>,
    /// The sets that were reached from here.
    known: HashMap<Told, usize>,
}

/// How many of the inputs before a misfit are shown.
const SHOWN: usize = 12;

impl Replay {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(personality: Personality) -> Self {
        Self {
            rules: Rules { in_full: true, ..Rules::faithful(personality) },
            ways: HashMap::new(),
            sets: Vec::new(),
            numbers: HashMap::new(),
            births: HashMap::new(),
        }
    }

    /// How many worlds were looked at, and how many sets of them.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.ways.len(), self.sets.len())
    }

    /// Whether a connection that began with `birth` can be told this. It need not have ended.
    ///
    /// # Errors
    ///
    /// The first input that it cannot be told.
    pub fn check(&mut self, birth: Life, trace: &[Told]) -> Result<(), Box<Misfit>> {
        let Some(mut at) = self.born(birth) else { return Err(self.misfit(None, birth, trace, None)) };
        for position in 0..trace.len() {
            match self.follow(at, modelled(self.rules.personality, trace[position])) {
                Some(next) => at = next,
                None => return Err(self.misfit(Some(at), birth, trace, Some(position))),
            }
        }
        Ok(())
    }

    fn born(&mut self, birth: Life) -> Option<usize> {
        if let Some(&at) = self.births.get(&birth) {
            return Some(at);
        }
        let worlds = World::births(&self.rules).into_iter().filter(|world| world.life == birth);
        let nodes = worlds.map(|world| Node { world, rest: None }).collect();
        let at = self.number(nodes)?;
        self.births.insert(birth, at);
        Some(at)
    }

    fn follow(&mut self, at: usize, told: Told) -> Option<usize> {
        if let Some(&next) = self.sets[at].known.get(&told) {
            return Some(next);
        }
        let mut reached = HashSet::new();
        for node in self.sets[at].nodes.clone() {
            match node.rest {
                Some(rest) if rest == told => {
                    reached.insert(Node { rest: None, ..node });
                }
                Some(_) => {}
                None => {
                    let ways = self.ways(&node.world);
                    let matching = ways.telling.iter().filter(|(other, _)| *other == told);
                    reached.extend(matching.map(|&(_, node)| node));
                }
            }
        }
        let next = self.number(reached)?;
        self.sets[at].known.insert(told, next);
        Some(next)
    }

    /// The number of the set of these worlds, and of all that they become without a word. `None`: it is empty.
    fn number(&mut self, mut nodes: HashSet<Node>) -> Option<usize> {
        let mut open: Vec<World> =
            nodes.iter().filter(|node| node.rest.is_none()).map(|node| node.world).collect();
        while let Some(world) = open.pop() {
            for &world in &self.ways(&world).silent {
                if nodes.insert(Node { world, rest: None }) {
                    open.push(world);
                }
            }
        }
        if nodes.is_empty() {
            return None;
        }
        let mut nodes: Vec<Node> = nodes.into_iter().collect();
        nodes.sort_by_cached_key(crate::explore::hash);
        if let Some(&number) = self.numbers.get(&nodes) {
            return Some(number);
        }
        self.numbers.insert(nodes.clone(), self.sets.len());
        self.sets.push(Set { nodes, known: HashMap::new() });
        Some(self.sets.len() - 1)
    }

    fn ways(&mut self, world: &World) -> Arc<Ways> {
        if let Some(ways) = self.ways.get(world) {
            return Arc::clone(ways);
        }
        let ways = Arc::new(Ways::of(world, &self.rules));
        self.ways.insert(*world, Arc::clone(&ways));
        ways
    }

    #[cold]
    fn misfit(
        &mut self,
        at: Option<usize>,
        birth: Life,
        trace: &[Told],
        position: Option<usize>,
    ) -> Box<Misfit> {
        let taken = &trace[..position.unwrap_or(0)];
        let nodes = at.map(|at| self.sets[at].nodes.clone()).unwrap_or_default();
        let mut allowed = BTreeSet::new();
        for node in &nodes {
            match node.rest {
                Some(rest) => drop(allowed.insert(format!("{:?}", rest.input))),
                None => allowed.extend(
                    self.ways(&node.world).telling.iter().map(|(told, _)| format!("{:?}", told.input)),
                ),
            }
        }
        Box::new(Misfit {
            personality: self.rules.personality,
            position,
            last: taken[taken.len().saturating_sub(SHOWN)..].iter().map(|told| told.input).collect(),
            before: taken.last().map_or(birth, |told| told.after),
            told: position.map(|position| trace[position]),
            allowed: allowed.into_iter().collect(),
            worlds: nodes.iter().take(3).map(|node| node.world).collect(),
        })
    }
}

impl Ways {
    fn of(world: &World, rules: &Rules) -> Self {
        let mut ways = Self::default();
        let (mut steps, mut fed) = (Vec::<Step>::new(), Vec::<Fed>::new());
        world.choices(rules, &mut steps);
        for step in steps {
            // A step that breaks a promise is none that anybody may take.
            let Ok(next) = world.apply_recorded(rules, step, &mut fed) else { continue };
            let mut told = fed.iter().filter_map(|fed| Some(Told { input: fed.input, after: fed.after? }));
            match (told.next(), told.next(), told.next()) {
                (None, _, _) if next != *world => ways.silent.push(next),
                (None, _, _) => {}
                (Some(first), rest, None) => ways.telling.push((first, Node { world: next, rest })),
                (_, _, Some(third)) => panic!("{step} tells three things, the last {third:?}"),
            }
        }
        ways
    }
}

/// What stands for it in the simulation.
fn modelled(personality: Personality, told: Told) -> Told {
    let answer = |answer| match answer {
        Answer::Received(1..) => Answer::Received(1),
        // Wine completes a send that is blocked with 0 when the peer finishes. To the machine that is a send like others.
        Answer::Sent(_) => Answer::Sent(1),
        // Why it could not be registered is nothing that the machine looks at.
        Answer::RegisterFailed(_) => Answer::RegisterFailed(Fault::SystemLimit),
        Answer::WatchFailed(fault) => Answer::WatchFailed(personality.as_modelled(fault)),
        Answer::ReceiveFailed(fault) => Answer::ReceiveFailed(personality.as_modelled(fault)),
        Answer::SendFailed(fault) => Answer::SendFailed(personality.as_modelled(fault)),
        Answer::ConnectFailed(fault) => Answer::ConnectFailed(personality.as_modelled(fault)),
        Answer::ShutdownFailed(fault) => Answer::ShutdownFailed(personality.as_modelled(fault)),
        Answer::PendingError(fault) => Answer::PendingError(personality.as_modelled(fault)),
        other => other,
    };
    let input = match told.input {
        Input::Command(Command::Output(1..)) => Input::Command(Command::Output(1)),
        Input::Outcome(Outcome::Immediate(said)) => Input::Outcome(Outcome::Immediate(answer(said))),
        Input::Outcome(Outcome::Completed(said, more)) => {
            Input::Outcome(Outcome::Completed(answer(said), more))
        }
        other => other,
    };
    Told { input, ..told }
}

impl core::fmt::Display for Misfit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (Some(position), Some(told)) = (self.position, self.told) else {
            return write!(f, "{}: nothing is born as {:?}", self.personality, self.before);
        };
        writeln!(f, "{} does not do this: input {position}, {:?}", self.personality, told.input)?;
        writeln!(f, "  before it: {:?}", self.last)?;
        writeln!(f, "  from {:?}", self.before)?;
        writeln!(f, "    to {:?}", told.after)?;
        writeln!(f, "  instead:")?;
        for allowed in &self.allowed {
            writeln!(f, "    {allowed}")?;
        }
        for world in &self.worlds {
            writeln!(f, "  in {:?}, output {}", world.kernel, world.output)?;
        }
        Ok(())
    }
}
