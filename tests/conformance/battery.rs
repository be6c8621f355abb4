//! Runs the cases on a subject.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use hangup::{Mechanism, Policy};
use hangup_testkit::peer::{Peer, Wiring};

use crate::app::{Behaviour, Ended, Page};
use crate::cases;
use crate::expect::{End, Expected, Windows, list};
use crate::running::{Running, Setup};
use crate::subject::Subject;
use crate::traces;

/// Names one case, to run it alone: also how a case that must not share its process gets one of its own.
const ONE_CASE: &str = "CONFORMANCE_CASE";
/// The seed of all content and of all chances.
const SEED: &str = "CONFORMANCE_SEED";

/// One case: a function with a name, and what is expected of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Stage),
    pub(crate) expected: Expected,
    /// The only system that can run it, and why.
    pub(crate) only_on: Option<(&'static str, &'static str)>,
    /// Why it needs a process of its own.
    pub(crate) alone: Option<&'static str>,
}

impl Case {
    pub(crate) const fn new(name: &'static str, run: fn(&Stage), linux: &'static [End]) -> Self {
        Self {
            name,
            run,
            expected: Expected { linux, windows: None, ports: None },
            only_on: None,
            alone: None,
        }
    }

    /// Where Windows differs, and why. `documented`: what a real one is said to do, which nobody has run.
    pub(crate) const fn windows(
        self,
        wine: &'static [End],
        documented: &'static [End],
        why: &'static str,
    ) -> Self {
        let windows = Some(Windows { wine, documented, why });
        Self { expected: Expected { windows, ..self.expected }, ..self }
    }

    /// Where a completion port differs, and why.
    pub(crate) const fn ports(
        self,
        wine: &'static [End],
        documented: &'static [End],
        why: &'static str,
    ) -> Self {
        let ports = Some(Windows { wine, documented, why });
        Self { expected: Expected { ports, ..self.expected }, ..self }
    }

    pub(crate) const fn only_on(self, system: &'static str, why: &'static str) -> Self {
        Self { only_on: Some((system, why)), ..self }
    }

    pub(crate) const fn alone(self, why: &'static str) -> Self {
        Self { alone: Some(why), ..self }
    }

    fn is_possible(&self) -> bool {
        self.only_on.is_none_or(|(system, _)| system == env::consts::OS)
    }
}

/// What a case runs on.
pub(crate) struct Stage {
    subject: &'static dyn Subject,
    case: &'static Case,
    pub(crate) seed: u64,
    /// The pages of the loops that the case has started, for the message of a failure.
    pages: Mutex<Vec<Arc<Page>>>,
}

impl Stage {
    /// A setup in which no deadline passes by accident.
    pub(crate) fn setup(&self, behaviour: Behaviour) -> Setup {
        let long = Duration::from_secs(60);
        let policy = Policy {
            connect: long,
            idle: None,
            stall: long,
            half_closed: long,
            drain_total: long,
            drain_idle: long,
            ..Policy::default()
        };
        Setup { policy, behaviour, send_buffer: None, backlog: 128, accepts: true, seed: self.seed + 1 }
    }

    pub(crate) fn start(&self, setup: Setup) -> Running {
        let running = Running::start(self.subject, setup).expect("the loop begins");
        lock(&self.pages).push(running.page());
        running
    }

    /// A loop whose connections do this.
    pub(crate) fn serve(&self, behaviour: Behaviour) -> Running {
        self.start(self.setup(behaviour))
    }

    /// A peer that is connected to the loop, as its next connection.
    pub(crate) fn peer(&self, running: &Running) -> Peer {
        self.wired(running, self.wiring())
    }

    pub(crate) fn wired(&self, running: &Running, wiring: Wiring) -> Peer {
        let before = running.count();
        let peer = Peer::connect(running.address(), &wiring).expect("the loop can be connected to");
        running.arrived(before + 1);
        if self.completes() {
            // Its first receive is in flight then, as a poller would be watching.
            running.hands(|_| ());
        }
        peer
    }

    pub(crate) fn wiring(&self) -> Wiring {
        Wiring { seed: self.seed, ..Wiring::default() }
    }

    /// Whether a connection has ended as expected.
    pub(crate) fn judge(&self, ended: &Ended) {
        let end = End::of(&ended.report);
        lock(&SEEN).entry((self.subject.name(), self.case.name)).or_default().insert(end.to_string());
        assert!(
            self.case.expected.accepts(self.subject.mechanism(), end),
            "not expected: {}\nexpected: {}",
            end,
            self.expected()
        );
    }

    /// The same, of something that came while the loop stood still: if other workers went on beside it, one of them
    /// has heard of it, and the end may be the one of a loop that did not stand still.
    pub(crate) fn judge_held(&self, ended: &Ended, otherwise: End) {
        if !self.has_others() || End::of(&ended.report) != otherwise {
            self.judge(ended);
        }
    }

    /// Whether other workers go on while the loop is between two of its steps.
    pub(crate) fn has_others(&self) -> bool {
        !self.subject.is_alone()
    }

    fn expected(&self) -> String {
        let other = self.case.expected.other(self.subject.mechanism());
        list(other.map_or(self.case.expected.linux, |other| other.wine))
    }

    /// Whether operations are submitted and complete by themselves.
    pub(crate) fn completes(&self) -> bool {
        !self.subject.mechanism().is_readiness()
    }

    /// Whether nothing reports on a connection but its own operations.
    pub(crate) fn is_port(&self) -> bool {
        self.subject.mechanism() == Mechanism::Port
    }
}

/// How the cases have ended here, by subject and case.
static SEEN: Mutex<Seen> = Mutex::new(BTreeMap::new());
type Seen = BTreeMap<(&'static str, &'static str), BTreeSet<String>>;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs all cases on a subject. `test` is the name of the test that calls this.
pub(crate) fn run(subject: &'static dyn Subject, test: &str) {
    if !subject.is_supported() {
        return println!("{}: this system cannot run it", subject.name());
    }
    traces::observe();
    if let Ok(name) = env::var(ONE_CASE) {
        let case = cases::all().find(|case| case.name == name).expect("a case of that name");
        return report(subject, run_here(subject, case).into_iter().collect());
    }
    let together: Vec<_> = cases::all().filter(|case| case.is_possible() && case.alone.is_none()).collect();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    // Starting Winsock in several threads at once can fail in Wine.
    let workers = if cfg!(windows) { 1 } else { 6 };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(&case) = together.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failure = run_here(subject, case);
                    lock(&failures).extend(failure);
                }
            });
        }
    });
    let alone = cases::all().filter(|case| case.is_possible() && case.alone.is_some());
    let mut failures = lock(&failures).split_off(0);
    failures.extend(alone.filter_map(|case| run_alone(subject, case, test)));
    for case in cases::all().filter(|case| !case.is_possible()) {
        let why = case.only_on.map_or("", |(_, why)| why);
        println!("{}: {} not run here: {why}", subject.name(), case.name);
    }
    report(subject, failures);
}

/// Runs a case; what there is to say if it fails.
fn run_here(subject: &'static dyn Subject, case: &'static Case) -> Option<String> {
    let seed = env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let stage = Stage { subject, case, seed, pages: Mutex::default() };
    let panic = catch_unwind(AssertUnwindSafe(|| (case.run)(&stage))).err();
    let keys: Vec<_> = lock(&stage.pages).iter().flat_map(|page| page.keys()).collect();
    let misfits = traces::misfits(subject, &keys);
    let said = panic.as_ref().map(|panic| {
        panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref().copied()).unwrap_or("?")
    });
    if said.is_none() && misfits.is_empty() {
        return None;
    }
    let said = said.unwrap_or("the trace of a connection is none of the model's");
    let mut message = format!("{}, {}, seed {seed}: {said}\n{misfits}", case.name, subject.name());
    for (at, page) in lock(&stage.pages).iter().enumerate() {
        writeln!(message, "  loop {at}, {} rounds", page.rounds()).expect("memory");
        for (number, seen) in page.lines().iter().enumerate() {
            writeln!(message, "    connection {number}: {seen}").expect("memory");
        }
    }
    Some(message)
}

fn run_alone(subject: &'static dyn Subject, case: &'static Case, test: &str) -> Option<String> {
    let program = env::current_exe().expect("this program has a name");
    let child =
        Command::new(program).args(["--exact", test, "--nocapture"]).env(ONE_CASE, case.name).output();
    match child {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            let told = |line: &&str| line.contains(case.name) || line.contains(" replayed as ");
            said.lines().filter(told).for_each(|line| println!("{}", line.trim()));
            None
        }
        Ok(output) => Some(format!(
            "{}, {}, in a process of its own:\n{}{}",
            case.name,
            subject.name(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        )),
        Err(error) => Some(format!("{}: no process of its own: {error}", case.name)),
    }
}

fn report(subject: &dyn Subject, failures: Vec<String>) {
    traces::report(subject, env::var(ONE_CASE).is_err());
    println!("{}: ends that differ by system, or vary", subject.name());
    let seen = lock(&SEEN);
    for case in cases::all() {
        let Some(ends) = seen.get(&(subject.name(), case.name)) else { continue };
        let ends = ends.iter().cloned().collect::<Vec<_>>().join("; ");
        let linux = list(case.expected.linux);
        if case.expected.other(subject.mechanism()).is_some() || ends != linux {
            println!("  {}: {ends} (Linux: {linux})", case.name);
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n\n{}", failures.len(), failures.join("\n"));
}

/// The tables in `windows.md`, made from the cases.
pub(crate) fn windows_table() -> String {
    let mut page = String::from("Readiness, which on Windows is AFD's:\n\n");
    differences(&mut page, |expected| expected.windows);
    page.push_str("\nCompletions, by a port of our own:\n\n");
    differences(&mut page, |expected| expected.ports);
    page.push_str("\nNot run on every system:\n\n| case | only on | why |\n|---|---|---|\n");
    for case in cases::all() {
        if let Some((system, why)) = case.only_on {
            writeln!(page, "| {} | {system} | {why} |", case.name).expect("memory");
        }
    }
    page
}

fn differences(page: &mut String, other: impl Fn(&Expected) -> Option<Windows>) {
    page.push_str("| case | Linux | Wine | also accepted on Windows | why |\n|---|---|---|---|---|\n");
    for case in cases::all() {
        if let Some(windows) = other(&case.expected) {
            let also = if windows.documented.is_empty() { String::new() } else { list(windows.documented) };
            let (linux, wine) = (list(case.expected.linux), list(windows.wine));
            writeln!(page, "| {} | {linux} | {wine} | {also} | {} |", case.name, windows.why)
                .expect("memory");
        }
    }
}
