//! The transition table as text: every row that can be reached.
//!
//! A row is what one input does to one *situation*: phase, halves, plan, and whatever else changes. It is not
//! written by hand: each life that an exploration has reached is offered each input there is, and what comes
//! out is listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use hangup::{
    Answer, Blame, Cancel, Command, Deadline, Fault, Hint, Input, Life, Memory, More, Operation, Outcome,
    Owed, Phase, Plan, ReceiveHalf, SendHalf, Slot,
};

/// An input, and what it is called in the tables.
#[derive(Clone, Debug)]
struct Letter {
    input: Input,
    /// In the table of situations: what was said, whichever way it came. `None`: it moves slots only.
    said: Option<String>,
    /// In the table of slots: which way it came, whatever was said.
    way: &'static str,
}

/// Every input, one of each kind that the machine can tell apart.
fn alphabet() -> Vec<Letter> {
    let mut letters = Vec::new();
    let mut add = |input, said, way| letters.push(Letter { input, said, way });
    for (name, hint) in hints() {
        add(Input::Hint(hint), Some(format!("hint {name}")), "");
    }
    for operation in Operation::ALL {
        let has_slot = Operation::WITH_SLOT.contains(&operation);
        for (owed, way) in [
            (Owed::One, "submitting, owes one"),
            (Owed::Stream, "submitting, owes a stream"),
            (Owed::Both, "submitting, owes both"),
        ] {
            let said = (!has_slot && owed == Owed::One).then(|| format!("submitting {operation:?}"));
            add(Input::Outcome(Outcome::Submitting(operation, owed)), said, way);
        }
        if has_slot {
            add(Input::Outcome(Outcome::Pending(operation)), None, "the call returned: taken");
            add(Input::Outcome(Outcome::Cancelling(operation)), None, "cancel asked");
            add(Input::Outcome(Outcome::CancelAnswered(operation)), None, "cancel answered");
        }
    }
    for answer in answers() {
        let said = Some(format!("{answer:?}"));
        let [at_once, last, follows] = if answer == Answer::Notified {
            ["", "notified", ""]
        } else {
            ["the call returned: answered", "completed, last", "completed, more follow"]
        };
        add(Input::Outcome(Outcome::Immediate(answer)), said.clone(), at_once);
        add(Input::Outcome(Outcome::Completed(answer, More::Last)), said.clone(), last);
        add(Input::Outcome(Outcome::Completed(answer, More::Follows)), said, follows);
    }
    for command in commands() {
        add(Input::Command(command), Some(format!("{command:?}")), "");
    }
    for deadline in Deadline::ALL {
        add(Input::Expired(deadline), Some(format!("expired {deadline}")), "");
    }
    letters
}

fn hints() -> Vec<(&'static str, Hint)> {
    let both = Hint::HANG_UP.with(Hint::ERROR);
    Hint::NAMES
        .into_iter()
        .map(|(hint, name)| (name, hint))
        .chain([(both, "hang-up and error")].map(|(h, n)| (n, h)))
        .collect()
}

/// One fault of each sort that a row can tell apart.
const FAULTS: [Fault; 9] = [
    Fault::Reset,
    Fault::BrokenPipe,
    Fault::TimedOut,
    Fault::Unreachable,
    Fault::Cancelled,
    Fault::NoBuffers,
    Fault::WouldBlock,
    Fault::NotConnected,
    Fault::Invalid,
];

fn answers() -> Vec<Answer> {
    let mut answers = vec![
        Answer::Registered,
        Answer::RegisterFailed(Fault::SystemLimit),
        Answer::Connected,
        Answer::ConnectBlocked,
        Answer::Received(1),
        Answer::Received(0),
        Answer::EndOfStream,
        Answer::ReceiveBlocked,
        Answer::Sent(1),
        Answer::SendBlocked,
        Answer::Notified,
        Answer::Watched(Hint::HANG_UP),
        Answer::NoError,
        Answer::ShutDown,
        Answer::Acknowledged,
        Answer::Severed,
        Answer::Deregistered,
        Answer::Released,
    ];
    for fault in FAULTS {
        answers.extend([
            Answer::ConnectFailed(fault),
            Answer::ReceiveFailed(fault),
            Answer::SendFailed(fault),
            Answer::WatchFailed(fault),
            Answer::PendingError(fault),
            Answer::ShutdownFailed(fault),
        ]);
    }
    answers
}

fn commands() -> Vec<Command> {
    let mut commands = vec![Command::Output(1), Command::Output(0), Command::Pause, Command::Resume];
    commands.extend(Plan::ALL.iter().map(|&plan| Command::Close(plan)));
    commands.push(Command::Blame(Blame::Truncated));
    commands
}

/// What can become of one component, over all lives of a situation.
type Changes = BTreeMap<&'static str, BTreeSet<String>>;

/// The transition table: what each input does in each situation, for a set of lives.
#[derive(Debug, Default)]
pub struct Rows(BTreeMap<(Situation, usize), Changes>);

/// What the rows are sorted by: phase, receive half, send half.
type Situation = (Phase, ReceiveHalf, SendHalf);

impl Rows {
    /// Offers every input to every life.
    #[must_use]
    pub fn of(lives: &BTreeSet<Life>) -> Self {
        let alphabet = alphabet();
        let names = names();
        let said: Vec<Option<usize>> = alphabet
            .iter()
            .map(|letter| names.iter().position(|name| Some(name) == letter.said.as_ref()))
            .collect();
        // First as bits, so that each distinct change is put into words once.
        let mut changes: BTreeSet<(Situation, usize, u64, u64)> = BTreeSet::new();
        let shown = Life::LAYOUT
            .into_iter()
            .filter(|(name, ..)| SHOWN.contains(name))
            .fold(0, |mask, (_, shift, width)| mask | ((1 << width) - 1) << shift);
        for &life in lives {
            let situation = (life.phase(), life.receive_half(), life.send_half());
            for (letter, at) in alphabet.iter().zip(&said) {
                if let (Some(at), Ok(next)) = (*at, life.step(letter.input)) {
                    changes.insert((situation, at, life.to_bits() & shown, next.to_bits() & shown));
                }
            }
        }
        let mut rows = Self::default();
        for (situation, at, before, after) in changes {
            let change = rows.0.entry((situation, at)).or_default();
            let before = Life::from_bits(before).expect("components of a life");
            let after = Life::from_bits(after).expect("components of a life");
            describe(before, after, change);
        }
        rows
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// As text, sorted by situation. Inputs that do the same share a line.
    #[must_use]
    pub fn text(&self) -> String {
        let names = names();
        let mut situations: BTreeMap<Situation, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
        for ((situation, at), changes) in &self.0 {
            let effects = situations.entry(*situation).or_default();
            effects.entry(in_words(changes)).or_default().push(*at);
        }
        let mut text = String::new();
        for ((phase, receive, send), effects) in situations {
            let _ = writeln!(text, "\n{phase:?}, receive half {receive:?}, send half {send:?}");
            let mut lines: Vec<(Vec<usize>, String)> = effects.into_iter().map(|(e, at)| (at, e)).collect();
            lines.sort();
            for (at, effect) in lines {
                let inputs: Vec<&str> = at.into_iter().map(|at| names[at].as_str()).collect();
                let _ = writeln!(text, "    {}\n        {effect}", inputs.join(", "));
            }
        }
        text
    }

    /// The arrows of a state diagram: from each value of a component to each other, and the inputs that lead
    /// there.
    #[must_use]
    pub fn arrows(&self, component: &str) -> BTreeMap<(String, String), BTreeSet<String>> {
        let names = names();
        let mut arrows: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for (((phase, receive, send), at), changes) in &self.0 {
            let from = match component {
                "phase" => format!("{phase:?}"),
                "receive-half" => format!("{receive:?}"),
                _ => format!("{send:?}"),
            };
            for to in changes.get(component).into_iter().flatten().filter(|to| *to != SAME) {
                arrows.entry((from.clone(), to.clone())).or_default().insert(names[*at].clone());
            }
        }
        arrows
    }
}

/// What inputs are called in the table of situations, each name once.
fn names() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in alphabet().into_iter().filter_map(|letter| letter.said) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn in_words(changes: &Changes) -> String {
    let changed = changes.iter().filter(|(_, values)| values.iter().any(|value| value != SAME));
    let words: Vec<String> = changed
        .map(|(component, values)| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            format!("{component} {}", values.join(" or "))
        })
        .collect();
    if words.is_empty() { "nothing changes".to_owned() } else { words.join("; ") }
}

/// The components whose changes are shown. Slots have a table of their own, and follow it in every phase.
const SHOWN: [&str; 9] =
    ["phase", "receive-half", "send-half", "plan", "cause", "drain-end", "registration", "inquiry", "memory"];

/// The value of a component that did not change.
const SAME: &str = "kept";

fn describe(before: Life, after: Life, changes: &mut Changes) {
    let mut add = |name: &'static str, before: String, after: String| {
        let value = if before == after { SAME.to_owned() } else { after };
        changes.entry(name).or_default().insert(value);
    };
    let show = |value: &dyn std::fmt::Debug| format!("{value:?}");
    let show_plan = |life: Life| life.plan().map_or_else(|| "none".to_owned(), |plan| plan.to_string());
    let show_cause = |life: Life| life.cause().map_or("none", hangup::Cause::name).to_owned();
    add("phase", show(&before.phase()), show(&after.phase()));
    add("receive-half", show(&before.receive_half()), show(&after.receive_half()));
    add("send-half", show(&before.send_half()), show(&after.send_half()));
    add("plan", show_plan(before), show_plan(after));
    add("cause", show_cause(before), show_cause(after));
    add("drain-end", show(&before.drain_end()), show(&after.drain_end()));
    add("registration", show(&before.registration()), show(&after.registration()));
    if after.phase() == Phase::Ending && before.phase() != Phase::Ending {
        // What was remembered is of no use to a connection that is ending.
        return;
    }
    add("inquiry", show(&before.inquiry()), show(&after.inquiry()));
    for (one, name) in Memory::NAMES {
        let (had, has) = (before.memory().contains(one), after.memory().contains(one));
        add(name, had.to_string(), if has { "true".to_owned() } else { "false".to_owned() });
    }
}

/// The table of one slot: everything that can become of it, as text.
#[must_use]
pub fn slot_rows(lives: &BTreeSet<Life>) -> String {
    let alphabet = alphabet();
    let mut rows: BTreeMap<(Operation, String, &str), BTreeSet<String>> = BTreeMap::new();
    for &life in lives {
        for letter in alphabet.iter().filter(|letter| !letter.way.is_empty()) {
            let Ok(next) = life.step(letter.input) else { continue };
            for operation in Operation::WITH_SLOT {
                let (before, after) = (life.slot(operation), next.slot(operation));
                if before != after {
                    let row = (operation, show_slot(before), letter.way);
                    rows.entry(row).or_default().insert(show_slot(after));
                }
            }
        }
    }
    let mut text = String::new();
    for ((operation, before, input), after) in rows {
        let after: Vec<String> = after.into_iter().collect();
        let operation = format!("{operation:?}");
        let _ = writeln!(text, "  {operation:<9}{before:<38} {input:<28} {}", after.join(" or "));
    }
    text
}

fn show_slot(slot: Slot) -> String {
    if slot.is_idle() {
        return "idle".to_owned();
    }
    let calling = if slot.calling { ", call out" } else { "" };
    let cancel = match slot.cancel {
        Cancel::No => "",
        Cancel::Asked => ", cancel asked",
        Cancel::Answered => ", cancel answered",
    };
    format!("owes {:?}{calling}{cancel}", slot.owed)
}
