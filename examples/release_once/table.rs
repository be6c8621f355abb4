//! What came out.

use std::io::{self, Write};
use std::sync::PoisonError;
use std::time::Duration;

use crate::ledger::{Tally, Thing};
use crate::options::Options;
use crate::scene::Scene;
use crate::{naive, ours};

/// What came out.
#[derive(Debug)]
pub(crate) struct Result<'a> {
    pub(crate) options: &'a Options,
    pub(crate) scenes: &'a [Scene],
    pub(crate) naive: naive::Remains,
    pub(crate) naive_took: Duration,
    pub(crate) ours: ours::Remains,
    pub(crate) ours_took: Duration,
    /// Descriptors that were open after ours had gone and not before it began, or the other way round, where the
    /// system tells. The adapter's audit says what it believes; this is what is so.
    pub(crate) left_open: Option<u64>,
}

impl Result<'_> {
    /// Whether ours released everything once, and the naive loop did not.
    pub(crate) fn is_right(&self) -> bool {
        let naive = [Thing::Socket, Thing::Buffer].map(|thing| self.naive.ledger.of(thing));
        let all = self.rows().iter().filter(|row| row.ours).all(|row| row.tally.is_once());
        all && self.ours.in_use == 0
            && self.left_open.is_none_or(|left| left == 0)
            && self.state().acquired == self.scenes.len() as u64
            && naive.iter().all(|tally| tally.double > 0)
    }

    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Options { connections, seed, .. } = self.options;
        let on = if cfg!(windows) { "a completion port" } else { "io_uring" };
        writeln!(
            out,
            "release_once: {} connections each, seed {seed}, on {on}\n",
            digits(*connections as u64)
        )?;
        self.scenes(out)?;
        let [first, second, third, fourth, fifth, sixth] = COLUMNS;
        writeln!(out, "\n{first:14}{second:8}{third:>12}{fourth:>12}{fifth:>12}{sixth:>10}{:>8}", "LOST")?;
        for Row { program, what, has_early, tally, .. } in self.rows() {
            let Tally { acquired, released, double, early, lost } = tally;
            let [acquired, released, double, lost] = [acquired, released, double, lost].map(digits);
            let early = if has_early { digits(early) } else { "-".to_owned() };
            writeln!(
                out,
                "{program:14}{what:8}{acquired:>12}{released:>12}{double:>12}{early:>10}{lost:>8}"
            )?;
        }
        self.notes(out)
    }

    fn scenes(&self, out: &mut impl Write) -> io::Result<()> {
        let [naive, ours] = ["NAIVE", "OURS"].map(|name| format!("DOUBLE, {name}"));
        writeln!(out, "{:44}{:>12}{naive:>15}{ours:>14}", "WHAT HAPPENS TO A CONNECTION", "CONNECTIONS")?;
        let held = self.ours.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        for scene in Scene::ALL {
            let count = self.scenes.iter().filter(|&&one| one == scene).count() as u64;
            let double = [self.naive.ledger.in_scene(scene).double, held.in_scene(scene).double];
            let [count, naive, ours] = [count, double[0], double[1]].map(digits);
            writeln!(out, "{:44}{count:>12}{naive:>15}{ours:>14}", scene.title())?;
        }
        Ok(())
    }

    fn notes(&self, out: &mut impl Write) -> io::Result<()> {
        let naive = &self.naive;
        let [at_once, later] = [naive.failed_at_once, naive.failed_later].map(digits);
        let took = self.naive_took.as_secs_f64();
        writeln!(
            out,
            "\nnaive: operations that failed at the call {at_once}, later (or with zero) {later}; {took:.1} s"
        )?;
        let causes = self.ours.causes.iter().map(|(cause, &count)| format!("{cause} {}", digits(count)));
        let causes: Vec<String> = causes.collect();
        let took = self.ours_took.as_secs_f64();
        writeln!(out, "{}: why they ended: {}; {took:.1} s", ours::NAME, causes.join(", "))?;
        writeln!(out, "{}: buffers in use at the end: {}", ours::NAME, self.ours.in_use)?;
        if let Some(left) = self.left_open {
            writeln!(out, "{}: descriptors too many, or too few, at the end: {left}", ours::NAME)?;
        }
        let verdict = if self.is_right() {
            "Ours released everything once. The naive loop did not."
        } else {
            "NOT AS IT SHOULD BE: ours must show no double, early or lost release, the naive loop double ones."
        };
        writeln!(out, "\n{verdict}")
    }

    fn state(&self) -> Tally {
        self.ours.ledger.lock().unwrap_or_else(PoisonError::into_inner).of(Thing::State)
    }

    fn rows(&self) -> [Row; 5] {
        let naive = |program, what, thing| Row {
            program,
            what,
            ours: false,
            has_early: thing == Thing::Buffer,
            tally: self.naive.ledger.of(thing),
        };
        let ours =
            |program, what, tally| Row { program, what, ours: true, has_early: what == "buffers", tally };
        [
            naive("naive", "sockets", Thing::Socket),
            naive("", "buffers", Thing::Buffer),
            ours(ours::NAME, "states", self.state()),
            ours("", "sockets", self.ours.sockets),
            ours("", "buffers", self.ours.buffers),
        ]
    }
}

const COLUMNS: [&str; 6] = ["PROGRAM", "WHAT", "ACQUIRED", "RELEASED", "DOUBLE", "EARLY"];

/// A line of the lower table.
#[derive(Debug)]
struct Row {
    program: &'static str,
    what: &'static str,
    ours: bool,
    /// Whether it is lent to the OS at all.
    has_early: bool,
    tally: Tally,
}

/// A number with its thousands apart.
fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut text = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
