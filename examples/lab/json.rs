//! One JSON object per ending. The fields are described in the help text; their names do not change.

use std::io::{self, Write};

use hangup::{Cause, Certainty, RawCode};

use crate::record::{Kind, Side, Step};
use crate::run::Outcome;
use crate::table::{Shown, group_of, kebab};
use crate::wire::Packet;

/// Prints all, a line each.
pub(crate) fn print(out: &mut impl Write, outcomes: &[Vec<Outcome>], shown: &Shown) -> io::Result<()> {
    for runs in outcomes {
        let Some(first) = runs.first() else { continue };
        let mut object = ending(first, shown);
        if runs.len() > 1 {
            object.field("runs", Json::from(runs.len() as u64));
            object.field("outcomes", Json::List(crate::table::distinct(runs).map(counted).collect()));
        }
        writeln!(out, "{}", Json::Object(object))?;
    }
    Ok(())
}

fn ending(outcome: &Outcome, shown: &Shown) -> Object {
    let ending = outcome.ending;
    let report = outcome.report.as_ref();
    let mut object = Object::default();
    object.field("name", Json::from(ending.name));
    object.field("group", Json::from(group_of(ending)));
    object.field("title", Json::from(ending.title));
    object.field("system", Json::from(shown.here.system.name()));
    object.field("backend", Json::from(shown.here.backend.name()));
    object.field("trigger", Json::option(shown.trigger));
    object.field("cause", Json::option(report.map(|report| report.cause.name())));
    object.field("certainty", Json::option(report.map(|report| kebab(report.certainty))));
    object.field("code", Json::option(report.and_then(|report| report.raw).map(code)));
    object.field("plan", Json::option(report.and_then(|report| report.plan).map(kebab)));
    object.field("drain_end", Json::option(report.and_then(|report| report.drain_end).map(kebab)));
    object.field("retry", Json::option(report.map(|report| kebab(report.retry))));
    for (name, count) in [
        ("received", report.map(|report| report.received)),
        ("discarded", report.map(|report| report.discarded)),
        ("sent", report.map(|report| report.sent)),
        ("unsent", report.map(|report| report.unsent)),
    ] {
        object.field(name, Json::option(count));
    }
    object.field("log", Json::option(report.map(|report| report.log.to_string())));
    object.field("evidence", evidence(outcome));
    object.field("peer", peer(outcome));
    object.field("ledger", ledger(outcome));
    object.field("steps", Json::List(outcome.steps.iter().map(step).collect()));
    let accepts = ending.accepts(shown.here).into_iter().map(expected).collect();
    object.field("expected", Json::List(accepts));
    object.field("differs", Json::option(ending.on(shown.here).map(|elsewhere| elsewhere.why)));
    object.field("wrong", Json::List(outcome.wrong.iter().map(|wrong| Json::from(wrong.as_str())).collect()));
    object
}

fn evidence(outcome: &Outcome) -> Json {
    let Some(evidence) = outcome.evidence else { return Json::Null };
    let mut object = Object::default();
    object.field("state", Json::from(evidence.state.name()));
    object.field("bytes_received", Json::from(evidence.bytes_received));
    object.field("bytes_acknowledged", Json::from(evidence.bytes_acknowledged));
    object.field("fin_arrived", Json::option(outcome.fin_arrived));
    Json::Object(object)
}

fn peer(outcome: &Outcome) -> Json {
    let mut object = Object::default();
    object.field("received", Json::from(outcome.peer_received));
    object.field("end", Json::option(outcome.peer_end.as_ref().map(ToString::to_string)));
    Json::Object(object)
}

fn ledger(outcome: &Outcome) -> Json {
    let ledger = &outcome.ledger;
    let mut object = Object::default();
    object.field("acquired", Json::from(ledger.acquired));
    object.field("released", Json::from(ledger.released));
    object.field("reports", Json::from(ledger.reports as u64));
    object.field("states_made", Json::from(u64::from(ledger.made)));
    object.field("states_dropped", Json::from(u64::from(ledger.dropped_in_all)));
    object.field("stale", Json::from(ledger.stale));
    object.field("refused", Json::from(ledger.refused));
    Json::Object(object)
}

fn step(step: &Step) -> Json {
    let mut object = Object::default();
    object.field("at_us", Json::from(u64::try_from(step.at.as_micros()).unwrap_or(u64::MAX)));
    object.field(
        "side",
        Json::from(match step.side {
            Side::Peer => "peer",
            Side::Us => "us",
        }),
    );
    object.field(
        "kind",
        Json::from(match step.kind {
            Kind::Call => "call",
            Kind::Event => "event",
            Kind::Driver => "driver",
            Kind::Deadline => "deadline",
        }),
    );
    object.field("what", Json::from(step.what.as_str()));
    object.field("said", Json::from(step.said.to_string()));
    object.field("times", Json::from(u64::from(step.times)));
    let segments = step.segments.iter().map(|segment| {
        let mut object = Object::default();
        let from = if segment.from == Side::Peer { "peer" } else { "us" };
        object.field("from", Json::from(from));
        object.field("packet", Json::from(segment.name()));
        if let Packet::Data(count) = segment.packet {
            object.field("bytes", Json::from(count));
        }
        Json::Object(object)
    });
    object.field("segments", Json::List(segments.collect()));
    object.field("peer_state", Json::option(step.peer_state));
    object.field("our_state", Json::option(step.our_state));
    object.field("notes", Json::List(step.notes.iter().map(|note| Json::from(note.as_str())).collect()));
    Json::Object(object)
}

fn expected((cause, certainty): (Cause, Certainty)) -> Json {
    let mut object = Object::default();
    object.field("cause", Json::from(cause.name()));
    object.field("certainty", Json::from(kebab(certainty)));
    Json::Object(object)
}

fn code(code: RawCode) -> Json {
    let mut object = Object::default();
    object.field("name", Json::option(code.name()));
    object.field("value", Json::Number(i64::from(code.value())));
    Json::Object(object)
}

fn counted((count, outcome): (usize, &Outcome)) -> Json {
    let report = outcome.report.as_ref();
    let mut object = Object::default();
    object.field("count", Json::from(count as u64));
    object.field("cause", Json::option(report.map(|report| report.cause.name())));
    object.field("certainty", Json::option(report.map(|report| kebab(report.certainty))));
    object.field("code", Json::option(report.and_then(|report| report.raw).map(code)));
    object.field("drain_end", Json::option(report.and_then(|report| report.drain_end).map(kebab)));
    Json::Object(object)
}

/// A JSON value, with the fields of objects in the order in which they were added.
enum Json {
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Json>),
    Object(Object),
}

#[derive(Default)]
struct Object(Vec<(&'static str, Json)>);

impl Object {
    fn field(&mut self, name: &'static str, value: Json) {
        self.0.push((name, value));
    }
}

impl Json {
    fn option(value: Option<impl Into<Self>>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Number(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => text(f, value),
            Self::List(list) => {
                f.write_str("[")?;
                for (at, value) in list.iter().enumerate() {
                    write!(f, "{}{value}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Object(Object(fields)) => {
                f.write_str("{")?;
                for (at, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}\"{name}\":{value}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

fn text(f: &mut std::fmt::Formatter<'_>, value: &str) -> std::fmt::Result {
    f.write_str("\"")?;
    for letter in value.chars() {
        match letter {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            control if control < ' ' => write!(f, "\\u{:04x}", u32::from(control))?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}
