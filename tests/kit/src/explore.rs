//! Every state of the world, to the fixpoint: not a depth, not a sample.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use hangup::{Deadline, Hint, Life, Phase};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::oracle::Violation;
use crate::step::{KernelStep, Outside, Step, Want};
use crate::world::{Rules, World};

/// What an exploration found.
#[derive(Debug)]
pub struct Exploration {
    /// How many states can be reached.
    pub states: usize,
    /// How many steps lead from one to another.
    pub transitions: usize,
    /// How many steps the farthest state is away.
    pub diameter: u32,
    /// Every state, in the order of discovery.
    worlds: Vec<World>,
}

/// The shortest way to a broken promise.
#[derive(Debug)]
pub struct Failure {
    /// What is broken.
    pub violation: Violation,
    /// How to get there from a birth.
    pub script: Vec<Step>,
    /// The world in which it shows, before the last step.
    pub world: Box<World>,
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        writeln!(f, "{}, after {} steps:", self.violation, self.script.len())?;
        for step in &self.script {
            writeln!(f, "  {step}")?;
        }
        write!(f, "  in {:?}", self.world.life)
    }
}

/// How a step may be used by the liveness check: what goes on by itself, and what only may happen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Help {
    /// The kernel owes it, the adapter wants it, or a clock brings it.
    None,
    /// Somebody would have to do something.
    Needed,
}

const fn help(step: Step) -> Help {
    match step {
        // These depend on the peer.
        Step::Adapter(Want::Acknowledged) | Step::Expire(Deadline::DrainBudget) => Help::Needed,
        Step::Kernel(_) | Step::Adapter(_) | Step::Expire(_) => Help::None,
        Step::Outside(_) | Step::Application(_) | Step::Spurious(_) => Help::Needed,
    }
}

/// Explores every world that can be reached from `births`, and checks each.
///
/// # Errors
///
/// The shortest script that breaks a promise.
pub fn explore(rules: &Rules) -> Result<Exploration, Box<Failure>> {
    explore_with(rules, |_, _, _| ())
}

/// As [`explore`], showing every transition to `visit`.
///
/// # Errors
///
/// The shortest script that breaks a promise.
pub fn explore_with(
    rules: &Rules,
    mut visit: impl FnMut(&World, Step, &World),
) -> Result<Exploration, Box<Failure>> {
    let mut search = Search::default();
    for birth in World::births(rules) {
        search.discover(birth, None);
    }
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(&world) = search.worlds.get(at) {
        let is_new = search.lives.insert(world.life);
        world.check(rules, is_new).map_err(|violation| search.failure(violation, at, None))?;
        world.choices(rules, &mut steps);
        for &step in &steps {
            let next =
                world.apply(rules, step).map_err(|violation| search.failure(violation, at, Some(step)))?;
            visit(&world, step, &next);
            search.transitions += 1;
            let to = search.discover(next, Some((at, step)));
            if help(step) == Help::None {
                search.unaided.push((at as u32, to as u32));
            }
        }
        at += 1;
    }
    if !rules.spurious {
        search.check_liveness()?;
        search.check_spin(rules)?;
    }
    Ok(Exploration {
        states: search.worlds.len(),
        transitions: search.transitions,
        diameter: search.diameter(),
        worlds: search.worlds,
    })
}

impl Exploration {
    /// Every state that was reached.
    #[must_use]
    pub fn worlds(&self) -> &[World] {
        &self.worlds
    }
}

/// To which worlds a wakeup leads, by the numbers of worlds.
type Turns = HashMap<u32, Vec<u32>, BuildHasherDefault<FxHasher>>;

#[derive(Default)]
struct Search {
    worlds: Vec<World>,
    /// How each world was first reached.
    parents: Vec<Option<(u32, Step)>>,
    /// The numbers of all worlds, found by what the worlds are.
    index: HashTable<u32>,
    /// The machine's states: what is a matter of these alone is checked once for each.
    lives: HashSet<Life, BuildHasherDefault<FxHasher>>,
    transitions: usize,
    /// Steps that need nobody's help.
    unaided: Vec<(u32, u32)>,
}

impl Search {
    fn discover(&mut self, world: World, from: Option<(usize, Step)>) -> usize {
        let Self { worlds, parents, index, .. } = self;
        let same = |&at: &u32| worlds[at as usize] == world;
        match index.entry(hash(&world), same, |&at| hash(&worlds[at as usize])) {
            Entry::Occupied(known) => *known.get() as usize,
            Entry::Vacant(new) => {
                let at = worlds.len();
                new.insert(u32::try_from(at).expect("fewer than 4 billion worlds"));
                worlds.push(world);
                parents.push(from.map(|(parent, step)| (parent as u32, step)));
                at
            }
        }
    }

    fn find(&self, world: &World) -> Option<u32> {
        self.index.find(hash(world), |&at| self.worlds[at as usize] == *world).copied()
    }

    fn script(&self, mut at: usize) -> Vec<Step> {
        let mut script = Vec::new();
        while let Some((parent, step)) = self.parents[at] {
            script.push(step);
            at = parent as usize;
        }
        script.reverse();
        script
    }

    fn diameter(&self) -> u32 {
        let mut depths = vec![0_u32; self.worlds.len()];
        for (at, parent) in self.parents.iter().enumerate() {
            if let Some((parent, _)) = parent {
                depths[at] = depths[*parent as usize] + 1;
            }
        }
        depths.into_iter().max().unwrap_or(0)
    }

    fn failure(&self, violation: Violation, at: usize, last: Option<Step>) -> Box<Failure> {
        let mut script = self.script(at);
        script.extend(last);
        Box::new(Failure { violation, script, world: Box::new(self.worlds[at]) })
    }

    /// From every state in which closing has begun, release is reached although the application does nothing
    /// more and the peer is silent.
    fn check_liveness(&self) -> Result<(), Box<Failure>> {
        let ends = self.reaches_release();
        for (at, world) in self.worlds.iter().enumerate() {
            let life = world.life;
            let began = life.plan().is_some()
                || life.receive_half().is_over()
                || life.send_half().is_over()
                || life.phase().is_connecting()
                || life.phase() == Phase::Ending;
            if began && !ends[at] {
                return Err(self.failure(Violation::Stuck, at, None));
            }
        }
        Ok(())
    }

    /// Which worlds reach release without help: found from the end backwards.
    fn reaches_release(&self) -> Vec<bool> {
        let count = self.worlds.len();
        // The steps that lead to each world, one after the other; where each world's begin.
        let mut begins = vec![0_u32; count + 1];
        for &(_, to) in &self.unaided {
            begins[to as usize + 1] += 1;
        }
        for at in 0..count {
            begins[at + 1] += begins[at];
        }
        let mut fill = begins.clone();
        let mut sources = vec![0_u32; self.unaided.len()];
        for &(from, to) in &self.unaided {
            let place = &mut fill[to as usize];
            sources[*place as usize] = from;
            *place += 1;
        }
        let mut ends: Vec<bool> =
            self.worlds.iter().map(|world| world.life.phase() == Phase::Released).collect();
        let mut queue: Vec<u32> = (0..count as u32).filter(|&at| ends[at as usize]).collect();
        while let Some(at) = queue.pop() {
            let (first, last) = (begins[at as usize], begins[at as usize + 1]);
            for &from in &sources[first as usize..last as usize] {
                if !ends[from as usize] {
                    ends[from as usize] = true;
                    queue.push(from);
                }
            }
        }
        ends
    }

    /// No wakeup leaves everything as it was, and no cycle of wakeups does, when the application does its
    /// part.
    fn check_spin(&self, rules: &Rules) -> Result<(), Box<Failure>> {
        // A turn is: the poller's event, then the application and the adapter do all they can.
        let mut turns = Turns::default();
        for (at, world) in self.worlds.iter().enumerate() {
            for hint in world.kernel.events(rules.personality) {
                if !world.is_quiescent(rules) {
                    break;
                }
                let Some(to) = self.find(&world.turn(rules, hint)) else { continue };
                if to as usize == at {
                    let event = Step::Kernel(KernelStep::Event(hint));
                    return Err(self.failure(Violation::Spin, at, Some(event)));
                }
                turns.entry(at as u32).or_default().push(to);
            }
        }
        self.check_cycles(&turns)
    }

    /// No turns lead in a circle.
    fn check_cycles(&self, turns: &Turns) -> Result<(), Box<Failure>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Seen {
            OnTheWay,
            Done,
        }
        let mut seen: HashMap<u32, Seen, BuildHasherDefault<FxHasher>> = HashMap::default();
        for &start in turns.keys() {
            // The way from there, each with the turns that are still to be tried.
            let mut way: Vec<(u32, &[u32])> = Vec::new();
            let mut next = Some(start);
            loop {
                match next.take() {
                    Some(at) => match seen.get(&at) {
                        Some(Seen::OnTheWay) => return Err(self.failure(Violation::Spin, at as usize, None)),
                        Some(Seen::Done) => {}
                        None => {
                            seen.insert(at, Seen::OnTheWay);
                            way.push((at, turns.get(&at).map_or(&[], Vec::as_slice)));
                        }
                    },
                    None => match way.last_mut() {
                        Some((_, [first, rest @ ..])) => {
                            next = Some(*first);
                            way.last_mut().expect("it is there").1 = rest;
                        }
                        Some(&mut (at, [])) => {
                            seen.insert(at, Seen::Done);
                            way.pop();
                        }
                        None => break,
                    },
                }
            }
        }
        Ok(())
    }
}

impl World {
    fn adapter_steps(&self, rules: &Rules, steps: &mut Vec<Step>) {
        let mut all = Vec::new();
        self.choices(rules, &mut all);
        steps.extend(all.into_iter().filter(|step| {
            matches!(step, Step::Adapter(want) if !matches!(want, crate::Want::Discard(_) | crate::Want::Acknowledged))
        }));
    }

    /// Whether the adapter has done everything that is wanted.
    fn is_quiescent(&self, rules: &Rules) -> bool {
        let mut steps = Vec::new();
        self.adapter_steps(rules, &mut steps);
        let wants = self.wants(rules);
        steps.is_empty() && !wants.receive_now && !wants.send_now
    }

    /// One wakeup: the event, then the application reads and writes once each if it was told to, and the
    /// adapter performs what is wanted until there is nothing left.
    fn turn(&self, rules: &Rules, hint: Hint) -> Self {
        let mut world = *self;
        let let_happen = |world: &mut Self, step| {
            if let Ok(next) = world.apply(rules, step) {
                *world = next;
            }
        };
        let_happen(&mut world, Step::Kernel(KernelStep::Event(hint)));
        for _ in 0..32 {
            let mut choices = Vec::new();
            world.choices(rules, &mut choices);
            let wants = world.wants(rules);
            let reads = hint.intersects(hangup::Hint::READABLE) || wants.receive_now;
            let writes = hint.intersects(hangup::Hint::WRITABLE) || wants.send_now;
            let next = choices.into_iter().find(|step| match step {
                Step::Adapter(crate::Want::Acknowledged | crate::Want::Register(false)) => false,
                Step::Adapter(crate::Want::Discard(_)) => world.kernel.is_readable() && reads,
                Step::Adapter(_) => true,
                Step::Application(crate::Act::Receives(_)) => {
                    reads
                        && world.kernel.is_readable()
                        && world.life.receive_half() == hangup::ReceiveHalf::Open
                }
                Step::Application(crate::Act::Sends) => {
                    writes
                        && world.output
                        && world.kernel.is_writable()
                        && world.kernel.stage != crate::Stage::Up
                }
                _ => false,
            });
            match next {
                Some(step) => let_happen(&mut world, step),
                None => break,
            }
        }
        // A level-triggered event that says "writable" to somebody with output: he writes.
        if world.output && hint.contains(hangup::Hint::WRITABLE) && world.kernel.stage == crate::Stage::Up {
            let_happen(&mut world, Step::Outside(Outside::PeerStopsReading));
        }
        world
    }
}

pub(crate) fn hash(what: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The hash function of the Rust compiler: fast on small keys, and the keys are not hostile.
#[derive(Default)]
struct FxHasher(u64);

impl FxHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x51_7c_c1_b7_27_22_0a_95);
    }
}

impl Hasher for FxHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }
    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }
    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }
    fn write_usize(&mut self, value: usize) {
        self.add(value as u64);
    }
    fn write_isize(&mut self, value: isize) {
        self.add(value as u64);
    }
    fn finish(&self) -> u64 {
        // The high bits are good, and the table wants good bits at both ends.
        self.0.rotate_left(26)
    }
}
