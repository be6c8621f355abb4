//! The ladder of an ending as text: time runs down, the peer is on the left, we are on the right.

use std::io::{self, Write};

use crate::record::{Side, Step};
use crate::run::Outcome;
use crate::table::Paint;
use crate::wire::{Packet, Segment};

const PEER: usize = 20;
const STATE: usize = 12;
const WIRE: usize = 18;
const OURS: usize = 27;
/// The lines below the ladder.
const LAST: usize = 92;

/// Prints the ladder.
pub(crate) fn print(out: &mut impl Write, outcome: &Outcome, paint: &Paint) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "      {}", outcome.ending.title)?;
    let head = line("ms", "PEER", "TCP", "", "TCP", "US");
    writeln!(out, "{}", paint.dim(&head))?;
    let (mut peer_before, mut ours_before) = (None, None);
    for step in &outcome.steps {
        let peer_state = step.peer_state.filter(|_| step.peer_state != peer_before);
        let our_state = step.our_state.filter(|_| step.our_state != ours_before);
        (peer_before, ours_before) = (step.peer_state, step.our_state);
        for row in rows(step, peer_state.unwrap_or(""), our_state.unwrap_or("")) {
            writeln!(out, "{row}")?;
        }
    }
    if let Some(report) = &outcome.report {
        for line in wrap(&report.to_string(), LAST) {
            writeln!(out, "      {}", paint.bold(&line))?;
        }
    }
    for (what, holds) in &outcome.checks {
        writeln!(out, "      {} {what}", if *holds { "holds:" } else { "DOES NOT HOLD:" })?;
    }
    writeln!(out)
}

/// The lines of one step.
fn rows(step: &Step, peer_state: &str, our_state: &str) -> Vec<String> {
    let (mut peer, mut ours) = match step.side {
        Side::Peer => (wrap(&step.text(), PEER), Vec::new()),
        Side::Us => (Vec::new(), wrap(&step.text(), OURS)),
    };
    let notes = if step.side == Side::Peer { &mut peer } else { &mut ours };
    let width = if step.side == Side::Peer { PEER } else { OURS };
    for note in &step.notes {
        notes.extend(wrap(&format!("> {note}"), width));
    }
    let arrows: Vec<String> = step.segments.iter().map(|&segment| arrow(segment)).collect();
    let height = peer.len().max(ours.len()).max(arrows.len());
    // What was put together has no one time.
    let at = if step.times > 1 { String::new() } else { format!("{:.1}", step.at.as_secs_f64() * 1000.0) };
    let nothing = format!("|{}|", " ".repeat(WIRE - 2));
    (0..height)
        .map(|row| {
            let first = |text| if row == 0 { text } else { "" };
            let cell = |list: &[String]| list.get(row).cloned().unwrap_or_default();
            let wire = arrows.get(row).unwrap_or(&nothing);
            line(first(&at), &cell(&peer), first(peer_state), wire, first(our_state), &cell(&ours))
        })
        .collect()
}

fn line(at: &str, peer: &str, peer_state: &str, wire: &str, our_state: &str, ours: &str) -> String {
    format!("{at:>6} {peer:PEER$} {peer_state:>STATE$} {wire:WIRE$} {our_state:STATE$} {ours}")
        .trim_end()
        .to_owned()
}

/// `|--- FIN ------->|`
fn arrow(segment: Segment) -> String {
    let label = format!(" {} ", segment.label());
    let shaft = WIRE - 3;
    match (segment.from, segment.packet) {
        (Side::Peer, _) => format!("|{label:-^shaft$}>|"),
        (Side::Us, Packet::LostSyn) => format!("| x{label:-^width$}|", width = shaft - 1),
        (Side::Us, _) => format!("|<{label:-^shaft$}|"),
    }
}

/// Breaks a text at blanks. The lines after the first are indented.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
