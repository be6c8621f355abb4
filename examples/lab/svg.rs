//! The ladder of an ending as a drawing: time runs down, the peer's calls and states on the left, ours on the
//! right, and between the two lifelines what went over the wire.

use hangup::Certainty;

use crate::ink::{arrow, capital, escape, grouped, line, put, text, wrap};
use crate::record::{GONE, Kind, Side, Step};
use crate::run::Outcome;
use crate::table::{Shown, kebab};
use crate::wire::{Packet, Segment};

const WIDTH: i32 = 1092;
const MARGIN: i32 = 32;
/// The lifelines.
const PEER: i32 = 400;
const OURS: i32 = 628;
/// The bands of the TCP states, between the texts and the lifelines.
const BAND: i32 = 98;
const BAND_GAP: i32 = 12;
/// Where the texts end (the peer's) and begin (ours).
const PEER_TEXT: i32 = PEER - BAND_GAP - BAND - 12;
const OUR_TEXT: i32 = OURS + BAND_GAP + BAND + 14;
const TOP: i32 = 148;
const LINE: i32 = 18;
const ROW: i32 = 28;
/// How far a segment falls while it travels.
const FALL: i32 = 14;
/// A pause that is worth showing, in milliseconds.
const PAUSE: f64 = 5.0;

/// Draws it.
pub(crate) fn draw(outcome: &Outcome, shown: &Shown) -> String {
    let reset = |segment: &Segment| segment.packet == Packet::Rst;
    let was_reset = outcome.steps.iter().any(|step| step.segments.iter().any(reset));
    let mut drawing = Drawing { was_reset, ..Drawing::default() };
    let mut y = TOP;
    let mut before = 0.0;
    let mut tops = Vec::new();
    for step in &outcome.steps {
        let at = step.at.as_secs_f64() * 1000.0;
        if at - before > PAUSE {
            drawing.pause(y, at - before);
            y += ROW;
        }
        before = at.max(before);
        tops.push(y);
        y += drawing.step(step, y);
    }
    drawing.arrows(&outcome.steps, &tops);
    let bottom = y + 6;
    let mut lives = String::new();
    lifeline(&mut lives, PEER, &drawing.peer_states, bottom);
    lifeline(&mut lives, OURS, &drawing.our_states, bottom);
    drawing.bands(bottom);
    let height = bottom + 148;
    let mut svg = String::new();
    head(&mut svg, outcome, shown, height);
    svg.push_str(&lives);
    svg.push_str(&drawing.back);
    svg.push_str(&drawing.front);
    caption(&mut svg, outcome, bottom + 24);
    svg.push_str("</svg>\n");
    svg
}

/// What is drawn, in two layers, and the states seen so far.
#[derive(Default)]
struct Drawing {
    back: String,
    front: String,
    peer_states: Vec<(i32, &'static str)>,
    our_states: Vec<(i32, &'static str)>,
    /// The time that was last written.
    last_time: String,
    /// Whether there was a reset: then "closed" is not the quiet kind.
    was_reset: bool,
}

impl Drawing {
    /// Draws a step at `y`. How high it is.
    fn step(&mut self, step: &Step, y: i32) -> i32 {
        let middle = y + ROW / 2;
        changed(&mut self.peer_states, y, step.peer_state);
        changed(&mut self.our_states, y, step.our_state);
        let at = format!("{:.1} ms", step.at.as_secs_f64() * 1000.0);
        if step.times == 1 && at != self.last_time {
            text(&mut self.front, "time", MARGIN, middle + 4, "start", &at);
            self.last_time = at;
        }
        let (x, anchor, width) = match step.side {
            Side::Peer => (PEER_TEXT, "end", 27),
            Side::Us => (OUR_TEXT, "start", 40),
        };
        let mut lines: Vec<(&str, String)> = Vec::new();
        let failed = if step.said.is_failure() { "failed" } else { class(step.kind) };
        lines.extend(wrap(&step.text(), width).into_iter().map(|line| (failed, line)));
        for note in &step.notes {
            let class = if note.starts_with("cause") { "cause" } else { "note" };
            lines.extend(wrap(&format!("\u{2192} {note}"), width).into_iter().map(|line| (class, line)));
        }
        let mut line_y = middle + 4;
        for (class, line) in &lines {
            text(&mut self.front, class, x, line_y, anchor, line);
            line_y += LINE;
        }
        self.mark(step, middle);
        let lines = i32::try_from(lines.len()).unwrap_or(1);
        let segments = i32::try_from(step.segments.len()).unwrap_or(0);
        (ROW + (lines - 1) * LINE).max(segments * ROW)
    }

    /// The mark of a step on the lifeline of its side.
    fn mark(&mut self, step: &Step, y: i32) {
        let x = if step.side == Side::Peer { PEER } else { OURS };
        let shape = match step.kind {
            Kind::Call => format!(r#"<circle class="call" cx="{x}" cy="{y}" r="4"/>"#),
            Kind::Driver => format!(r#"<circle class="hollow" cx="{x}" cy="{y}" r="3.5"/>"#),
            Kind::Event => {
                let (left, right, up, down) = (x - 5, x + 5, y - 5, y + 5);
                format!(r#"<path class="event" d="M{x} {up}L{right} {y}L{x} {down}L{left} {y}Z"/>"#)
            }
            Kind::Deadline => {
                format!(r#"<rect class="event" x="{}" y="{}" width="8" height="8"/>"#, x - 4, y - 4)
            }
        };
        self.front.push_str(&shape);
        self.front.push('\n');
    }

    fn arrows(&mut self, steps: &[Step], tops: &[i32]) {
        for (at, (step, &top)) in steps.iter().zip(tops).enumerate() {
            let mut y = top + ROW / 2;
            for &segment in &step.segments {
                // Our FIN may wait behind data that the peer does not take: its state tells when it came.
                let arrival = steps.iter().skip(at).position(|step| has_our_fin(step.peer_state));
                let late = arrival.filter(|&later| later > 0 && is_ours(segment, Packet::Fin));
                let lands = late.and_then(|later| tops.get(at + later)).map_or(y + FALL, |&top| top + 8);
                self.arrow(segment, y, lands);
                y += ROW;
            }
        }
    }

    fn arrow(&mut self, segment: Segment, y: i32, lands: i32) {
        let class = segment_class(segment.packet);
        let (from, to, way) = match segment.from {
            Side::Peer => (PEER + 6, OURS - 6, 1),
            Side::Us => (OURS - 6, PEER + 6, -1),
        };
        let out = &mut self.back;
        if segment.packet == Packet::LostSyn {
            let (x, cross) = ((from + to) / 2 + way * 40, y + FALL * 2 / 3);
            line(out, class, (from, y), (x, cross));
            line(out, class, (x - 5, cross - 5), (x + 5, cross + 5));
            line(out, class, (x - 5, cross + 5), (x + 5, cross - 5));
        } else {
            arrow(out, class, (from, y), (to, lands));
        }
        // On a long way the label stands in the line, else above it.
        let above = if lands > y + FALL { -4 } else { 5 };
        let (x, label_y) = ((PEER + OURS) / 2, i32::midpoint(y, lands) - above);
        text(&mut self.front, &format!("{class} label"), x, label_y, "middle", &label(segment));
    }

    fn pause(&mut self, y: i32, millis: f64) {
        let middle = y + ROW / 2;
        for x in [PEER, OURS] {
            let (top, bottom) = (y + 2, y + ROW - 2);
            put(&mut self.back, &format!(r#"<path class="gap" d="M{x} {top}V{bottom}"/>"#));
        }
        let label = format!("{millis:.0} ms pass");
        text(&mut self.front, "pause", (PEER + OURS) / 2, middle + 4, "middle", &label);
    }

    fn bands(&mut self, bottom: i32) {
        let bands = [
            (PEER - BAND_GAP - BAND, std::mem::take(&mut self.peer_states)),
            (OURS + BAND_GAP, std::mem::take(&mut self.our_states)),
        ];
        for (x, states) in bands {
            let ends = states.iter().skip(1).map(|&(y, _)| y).chain([bottom]);
            for (&(y, state), end) in states.iter().zip(ends) {
                let class = state_class(state, self.was_reset);
                let height = end - y - 3;
                put(
                    &mut self.back,
                    &format!(
                        r#"<rect class="band {class}" x="{x}" y="{y}" width="{BAND}" height="{height}" rx="4"/>"#
                    ),
                );
                let name = if state == GONE { "closed" } else { state };
                text(&mut self.back, "state", x + BAND / 2, y + ROW / 2 + 3, "middle", name);
            }
        }
    }
}

/// Whether a state of the peer shows that it has our FIN.
fn has_our_fin(state: Option<&str>) -> bool {
    let before = ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"];
    state.is_none_or(|state| !before.contains(&state))
}

fn is_ours(segment: Segment, packet: Packet) -> bool {
    segment == Segment::new(Side::Us, packet)
}

/// Remembers a state from where it is new.
fn changed(states: &mut Vec<(i32, &'static str)>, y: i32, state: Option<&'static str>) {
    if let Some(state) = state
        && states.last().is_none_or(|&(_, last)| last != state)
    {
        states.push((y, state));
    }
}

fn head(svg: &mut String, outcome: &Outcome, shown: &Shown, height: i32) {
    let ending = outcome.ending;
    put(
        svg,
        &format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">"#
        ),
    );
    put(svg, &format!("<title>{}</title>", escape(&format!("{}: {}", ending.name, ending.title))));
    put(svg, &format!("<style>{STYLE}</style>"));
    let (width, inner) = (WIDTH - 1, height - 1);
    put(svg, &format!(r#"<rect class="card" x="0.5" y="0.5" width="{width}" height="{inner}" rx="10"/>"#));
    text(svg, "title", MARGIN, 44, "start", &capital(ending.title));
    let place = format!("{} \u{b7} {}", ending.name, shown.place());
    text(svg, "subtitle", MARGIN, 68, "start", &place);
    for (x, name) in [(PEER, "peer"), (OURS, "we")] {
        put(svg, &format!(r#"<rect class="head" x="{}" y="92" width="80" height="28" rx="6"/>"#, x - 40));
        text(svg, "name", x, 111, "middle", name);
    }
    let known = |state: fn(&Step) -> Option<&'static str>| {
        outcome.steps.iter().filter_map(state).any(|state| state != GONE)
    };
    if known(|step| step.peer_state) {
        text(svg, "column", PEER - BAND_GAP - BAND / 2, 137, "middle", "TCP state");
    }
    if known(|step| step.our_state) {
        text(svg, "column", OURS + BAND_GAP + BAND / 2, 137, "middle", "TCP state");
    }
    text(svg, "column", PEER_TEXT, 137, "end", "its calls");
    text(svg, "column", OUR_TEXT, 137, "start", "our calls, and what this system reported");
}

/// A lifeline, dashed from where the socket has been closed.
fn lifeline(svg: &mut String, x: i32, states: &[(i32, &'static str)], bottom: i32) {
    let gone = states.iter().find(|(_, state)| *state == GONE).map_or(bottom, |&(y, _)| y + ROW / 2);
    put(svg, &format!(r#"<path class="life" d="M{x} 120V{gone}"/>"#));
    put(svg, &format!(r#"<path class="life after" d="M{x} {gone}V{bottom}"/>"#));
}

/// Why it ended, and what else there is to say.
fn caption(svg: &mut String, outcome: &Outcome, y: i32) {
    let (left, width) = (MARGIN, WIDTH - 2 * MARGIN);
    put(svg, &format!(r#"<rect class="caption" x="{left}" y="{y}" width="{width}" height="84" rx="6"/>"#));
    put(svg, &format!(r#"<rect class="accent" x="{left}" y="{y}" width="5" height="84" rx="2"/>"#));
    let x = MARGIN + 22;
    let Some(report) = &outcome.report else {
        return text(svg, "verdict", x, y + 28, "start", "No report");
    };
    let code = report.raw.map(|raw| format!(": {raw}")).unwrap_or_default();
    let inferred = if report.certainty == Certainty::Inferred { " (inferred from hints)" } else { "" };
    text(
        svg,
        "verdict",
        x,
        y + 28,
        "start",
        &format!("{}{code}{inferred}", capital(&report.cause.to_string())),
    );
    let mut facts = vec![
        format!("cause {}", report.cause.name()),
        format!("received {}", grouped(report.received)),
        format!("sent {}", grouped(report.sent)),
        format!("retry: {}", report.retry),
    ];
    facts.extend(report.plan.map(|plan| format!("plan {plan}")));
    facts.extend(report.drain_end.map(|end| format!("drain {}", kebab(end))));
    facts.push(format!("log {}", report.log));
    text(svg, "facts", x, y + 50, "start", &facts.join(DOT));
    let ledger = &outcome.ledger;
    let mut last = vec![format!("sockets acquired {}, released {}", ledger.acquired, ledger.released)];
    last.extend(outcome.checks.iter().filter(|(_, holds)| *holds).map(|(what, _)| what.clone()));
    text(svg, "facts", x, y + 70, "start", &last.join(DOT));
    let legend = "\u{25cf} a call \u{b7} \u{25cb} a call of the driver \u{b7} \u{25c6} an event \u{b7} \u{25a0} a deadline";
    text(svg, "legend", WIDTH - MARGIN, y + 106, "end", legend);
}

const fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Call => "step",
        Kind::Driver => "driver",
        Kind::Event | Kind::Deadline => "told",
    }
}

const fn segment_class(packet: Packet) -> &'static str {
    match packet {
        Packet::Syn | Packet::LostSyn | Packet::SynAck => "syn",
        Packet::Data(_) => "data",
        Packet::Fin => "fin",
        Packet::Rst => "rst",
    }
}

fn state_class(state: &str, was_reset: bool) -> &'static str {
    match state {
        "ESTABLISHED" => "open",
        "SYN-SENT" | "SYN-RECEIVED" => "opening",
        "CLOSED" if was_reset => "dead",
        "CLOSED" => "over",
        GONE => "gone",
        _ => "closing",
    }
}

fn label(segment: Segment) -> String {
    match segment.packet {
        Packet::Data(count) => format!("data {}", grouped(count)),
        Packet::Syn | Packet::LostSyn | Packet::SynAck | Packet::Fin | Packet::Rst => segment.label(),
    }
}

/// Between two facts.
const DOT: &str = " \u{b7} ";

const STYLE: &str = include_str!("svg.css");
