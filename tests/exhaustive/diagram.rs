//! The state diagram of the documents, drawn from the rows: phases and the two halves, and every arrow that can
//! be taken. What leads along an arrow stands in the legend under its number.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use hangup_testkit::rows::Rows;

use crate::explored::all_lives;

const WIDTH: f64 = 1120.0;
const MARGIN: f64 = 40.0;
const BOX: (f64, f64) = (118.0, 38.0);
const LEGEND_LINE: f64 = 17.0;

struct Panel {
    title: &'static str,
    component: &'static str,
    /// From left to right. What is over stands on the right.
    nodes: &'static [&'static str],
    /// Those drawn as over.
    over: &'static [&'static str],
}

const PANELS: [Panel; 3] = [
    Panel {
        title: "The connection",
        component: "phase",
        nodes: &["ConnectDue", "Connecting", "ConnectHinted", "Open", "Closing", "Ending", "Released"],
        over: &["Released"],
    },
    Panel {
        title: "The receive half",
        component: "receive-half",
        nodes: &["Open", "Paused", "Discarding", "Ended", "Failed", "Shut"],
        over: &["Ended", "Failed", "Shut"],
    },
    Panel {
        title: "The send half",
        component: "send-half",
        nodes: &["Idle", "Queued", "FinQueued", "FinDue", "FinSent", "Failed", "Shut"],
        over: &["FinSent", "Failed", "Shut"],
    },
];

#[test]
fn diagram_is_fresh() {
    let rows = Rows::of(&all_lives());
    let svg = draw(&rows);
    crate::compare("docs/life.svg", include_str!("../../docs/life.svg"), &svg);
    // A package cannot reach out of its folder: the crate page has a copy.
    crate::compare("core/src/life/diagram.svg", include_str!("../../core/src/life/diagram.svg"), &svg);
}

fn draw(rows: &Rows) -> String {
    let mut body = String::new();
    let mut top = 20.0;
    for panel in &PANELS {
        top = draw_panel(&mut body, panel, &rows.arrows(panel.component), top);
    }
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg id="life-diagram" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img" aria-label="State diagram of a connection's life">"#
    );
    svg.push_str(STYLE);
    svg.push_str(&body);
    svg.push_str("</svg>\n");
    svg
}

const STYLE: &str = r#"<!-- Generated from the rows of the exhaustive suite: see CONTRIBUTING.md. Do not edit. -->
<style>
  #life-diagram { background: #ffffff; font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
  #life-diagram .title { font-size: 17px; font-weight: 600; fill: #1f2933; }
  #life-diagram .node { fill: #e8f0fb; stroke: #3867a8; stroke-width: 1.4; }
  #life-diagram .over { fill: #f3efe6; stroke: #8a6d3b; }
  #life-diagram .name { font-size: 14px; fill: #1f2933; text-anchor: middle; }
  #life-diagram .arrow { fill: none; stroke: #6b7785; stroke-width: 1.2; }
  #life-diagram .head { fill: #6b7785; }
  #life-diagram .badge { fill: #ffffff; stroke: #6b7785; }
  #life-diagram .number { font-size: 11px; fill: #1f2933; text-anchor: middle; }
  #life-diagram .legend { font-size: 12.5px; fill: #3d4852; }
  #life-diagram .from { font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    #life-diagram { background: #14181d; }
    #life-diagram :is(.title, .name, .number) { fill: #e4e9ef; }
    #life-diagram .node { fill: #1d2f47; stroke: #79a7e3; }
    #life-diagram .over { fill: #352c1b; stroke: #cdaa6a; }
    #life-diagram .arrow { stroke: #93a1b0; } #life-diagram .head { fill: #93a1b0; }
    #life-diagram .badge { fill: #14181d; stroke: #93a1b0; }
    #life-diagram .legend { fill: #b9c4d0; }
  }
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>
"#;

type Arrows = BTreeMap<(String, String), BTreeSet<String>>;

fn draw_panel(svg: &mut String, panel: &Panel, arrows: &Arrows, top: f64) -> f64 {
    let step = (WIDTH - 2.0 * MARGIN - BOX.0) / (panel.nodes.len() - 1) as f64;
    let place = |name: &str| {
        let at = panel.nodes.iter().position(|node| *node == name);
        at.unwrap_or_else(|| panic!("the diagram has no place for {name}"))
    };
    let middle = |at: usize| MARGIN + BOX.0 / 2.0 + at as f64 * step;
    let longest = arrows.keys().map(|(from, to)| place(to).saturating_sub(place(from))).max().unwrap_or(1);
    let backwards = arrows.keys().any(|(from, to)| place(to) < place(from));
    let line = top + 40.0 + 26.0 * longest as f64;
    let _ = writeln!(svg, r#"<text class="title" x="{MARGIN}" y="{}">{}</text>"#, top + 16.0, panel.title);

    let mut sorted: Vec<_> = arrows.iter().collect();
    sorted.sort_by_key(|((from, to), _)| (place(from), place(to)));
    let mut legend: Vec<Vec<String>> = Vec::new();
    for (at, ((from, to), inputs)) in sorted.iter().enumerate() {
        let (from_at, to_at) = (place(from), place(to));
        draw_arrow(svg, at + 1, (middle(from_at), from_at), (middle(to_at), to_at), line);
        let label = format!("{}  {from} → {to}", at + 1);
        let mut lines = wrap(&in_words(inputs), 76, label.chars().count() + 4);
        lines[0] = format!(r#"<tspan class="from">{label}</tspan>: {}"#, lines[0]);
        legend.push(lines);
    }
    let below = line + BOX.1 / 2.0 + if backwards { 58.0 } else { 28.0 };
    for (at, node) in panel.nodes.iter().enumerate() {
        let over = if panel.over.contains(node) { " over" } else { "" };
        let (left, upper) = (middle(at) - BOX.0 / 2.0, line - BOX.1 / 2.0);
        let _ = writeln!(
            svg,
            r#"<rect class="node{over}" x="{left}" y="{upper}" width="{}" height="{}" rx="9"/><text class="name" x="{}" y="{}">{node}</text>"#,
            BOX.0,
            BOX.1,
            middle(at),
            line + 5.0
        );
    }
    draw_legend(svg, &legend, below)
}

/// In two columns of about the same height. Where it ends.
fn draw_legend(svg: &mut String, legend: &[Vec<String>], top: f64) -> f64 {
    let total: usize = legend.iter().map(Vec::len).sum();
    let (mut column, mut row, mut rows) = (0, 0, 0);
    for entry in legend {
        if column == 0 && row >= total.div_ceil(2) {
            (column, row) = (1, 0);
        }
        for (at, text) in entry.iter().enumerate() {
            let indent = if at == 0 { 0.0 } else { 20.0 };
            let x = MARGIN + f64::from(column) * (WIDTH - MARGIN) / 2.0 + indent;
            let y = top + row as f64 * LEGEND_LINE;
            let _ = writeln!(svg, r#"<text class="legend" x="{x}" y="{y}">{text}</text>"#);
            row += 1;
        }
        rows = rows.max(row);
    }
    top + rows as f64 * LEGEND_LINE + 28.0
}

/// Neighbours are joined straight; others by an arc, above if it leads on, below if it leads back.
fn draw_arrow(svg: &mut String, number: usize, from: (f64, usize), to: (f64, usize), line: f64) {
    let ((from, from_at), (to, to_at)) = (from, to);
    let distance = to_at.abs_diff(from_at);
    let (path, x, y) = if to_at == from_at + 1 {
        let (left, right) = (from + BOX.0 / 2.0, to - BOX.0 / 2.0 - 2.0);
        (format!("M{left} {line} L{right} {line}"), f64::midpoint(left, right), line)
    } else {
        let up = if to_at > from_at { -1.0 } else { 1.0 };
        let edge = line + up * BOX.1 / 2.0;
        // Arcs leave on the right of the middle and arrive on the left, so that they do not share a point.
        let lean = 6.0 + 7.0 * distance as f64;
        let (start, end) = if up < 0.0 { (from + lean, to - lean) } else { (from - lean, to + lean) };
        let height = edge + up * (14.0 + 25.0 * distance as f64);
        let path = format!("M{start} {edge} C{start} {height} {end} {height} {end} {edge}");
        (path, f64::midpoint(start, end), edge + up * (14.0 + 25.0 * distance as f64) * 0.75)
    };
    let _ = writeln!(
        svg,
        r#"<path class="arrow" d="{path}" marker-end="url(#head)"/><circle class="badge" cx="{x}" cy="{y}" r="9"/><text class="number" x="{x}" y="{}">{number}</text>"#,
        y + 4.0
    );
}

/// Breaks `words` into lines of `width` characters, the first of which has `taken` less.
fn wrap(words: &str, width: usize, taken: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut room = width - taken;
    for word in words.split(' ') {
        if lines.last().is_some_and(|line| !line.is_empty() && line.len() + 1 + word.len() > room) {
            lines.push(String::new());
            room = width;
        }
        let line = lines.last_mut().unwrap();
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}

/// The sorts of inputs that lead along an arrow.
fn in_words(inputs: &BTreeSet<String>) -> String {
    let sorts: BTreeSet<&str> = inputs.iter().map(|input| sort(input)).collect();
    sorts.into_iter().collect::<Vec<_>>().join(", ")
}

fn sort(input: &str) -> &str {
    if let Some(deadline) = input.strip_prefix("expired ") {
        return match deadline {
            "connect" => "connect deadline",
            "idle" => "idle deadline",
            "stall" => "stall deadline",
            "half-closed" => "half-closed deadline",
            "drain budget" => "drain budget",
            _ => "drain deadline",
        };
    }
    match input.split('(').next().unwrap_or(input) {
        "Close" => match input {
            "Close(Finish)" => "finish",
            "Close(Flush)" => "flush",
            "Close(Linger)" => "linger",
            _ => "abort",
        },
        "Output" => {
            if input == "Output(0)" {
                "output all sent"
            } else {
                "output queued"
            }
        }
        hint if hint.starts_with("hint") => "a hint",
        "Watched" => "a hint",
        "Connected" => "connected",
        "ConnectBlocked" => "in progress",
        "ConnectFailed" => "connect failed",
        "Received" => "received",
        "EndOfStream" => "end of stream",
        "ReceiveFailed" => "receive failed",
        "SendFailed" => "send failed",
        "PendingError" => "pending error",
        "NoError" => "no error to be had",
        "WatchFailed" => "watch failed",
        "RegisterFailed" => "not registered",
        "ShutDown" => "FIN sent",
        "ShutdownFailed" => "shutdown failed",
        "Acknowledged" => "all acknowledged",
        "Pause" => "pause",
        "Resume" => "resume",
        "Released" => "released",
        _ => input,
    }
}
