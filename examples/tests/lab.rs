//! The program `lab`, as it was built.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hangup_examples::child::{Finished, Program};
use serde_json::Value;

fn lab(arguments: &[&str]) -> Finished {
    Program::start("lab", arguments).wait()
}

/// The objects that `--json` prints.
fn objects(finished: &Finished) -> Vec<Value> {
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    finished.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).expect(pointer)
}

fn number(object: &Value, pointer: &str) -> u64 {
    object.pointer(pointer).and_then(Value::as_u64).expect(pointer)
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).expect(pointer)
}

/// The adapters of this system, the first of which is the default.
const BACKENDS: &[&str] = if cfg!(target_os = "linux") {
    &["polling", "uring", "uring-multishot"]
} else if cfg!(windows) {
    &["polling", "iocp"]
} else {
    &["polling"]
};

#[test]
fn every_ending_has_the_cause_that_is_expected_and_is_released_once() {
    let folder = Folder::new("lab");
    let finished = lab(&["--json", "--svg", folder.0.to_str().unwrap()]);
    assert_expected(&objects(&finished), "polling", &folder);
}

/// The same endings, all of them, on each of the adapters.
#[test]
fn every_ending_is_played_on_every_adapter() {
    let names = |endings: &[Value]| -> BTreeSet<String> {
        endings.iter().map(|ending| text(ending, "/name").to_owned()).collect()
    };
    let played = BACKENDS.iter().map(|&backend| {
        let folder = Folder::new(backend);
        let finished = lab(&["--json", "--backend", backend, "--svg", folder.0.to_str().unwrap()]);
        let endings = objects(&finished);
        assert_expected(&endings, backend, &folder);
        names(&endings)
    });
    let played: Vec<BTreeSet<String>> = played.collect();
    assert!(played.windows(2).all(|two| two[0] == two[1]), "{played:?}");
}

fn assert_expected(endings: &[Value], backend: &str, folder: &Folder) {
    assert!(endings.len() >= 24, "{}", endings.len());
    let names: BTreeSet<&str> = endings.iter().map(|ending| text(ending, "/name")).collect();
    assert_eq!(names.len(), endings.len());
    for ending in endings {
        let name = text(ending, "/name");
        assert_eq!(text(ending, "/backend"), backend, "{name}");
        assert_eq!(ending.get("trigger").is_some_and(Value::is_string), backend == "polling", "{name}");
        assert!(list(ending, "/wrong").is_empty(), "{ending}");
        for count in ["acquired", "released", "reports", "states_made", "states_dropped"] {
            assert_eq!(number(ending, &format!("/ledger/{count}")), 1, "{name}: {count}");
        }
        assert!(is_expected(ending), "{ending}");
        assert!(list(ending, "/steps").len() >= 2, "{name}");
        let svg = std::fs::read_to_string(folder.0.join(name).with_extension("svg")).expect(name);
        assert_well_formed(name, &svg);
        assert!(svg.contains(text(ending, "/cause")), "{name}");
    }
}

fn is_expected(ending: &Value) -> bool {
    // On the other systems it comes from documents how sure a cause is.
    let is_measured = matches!(text(ending, "/system"), "Linux" | "Wine");
    list(ending, "/expected").iter().any(|one| {
        one.get("cause") == ending.get("cause")
            && (!is_measured || one.get("certainty") == ending.get("certainty"))
    })
}

/// What Linux says, said here once more: an expectation of the lab that is wrong must not hide.
#[test]
#[cfg(target_os = "linux")]
fn the_founding_reports_are_told_apart() {
    let endings = objects(&lab(&["--json", "--only", "report-1", "--only", "early-answer"]));
    let find = |name: &str| endings.iter().find(|ending| text(ending, "/name") == name).expect(name);
    for (name, cause, code) in [
        ("report-1-test-1", "peer-reset", "ECONNRESET"),
        ("report-1-test-2", "peer-reset", "ECONNRESET"),
        ("report-1-test-3", "reset-after-fin", "EPIPE"),
        ("report-1-test-4", "reset-after-fin", "EPIPE"),
    ] {
        let ending = find(name);
        assert_eq!(text(ending, "/cause"), cause, "{name}");
        assert_eq!(text(ending, "/certainty"), "certain", "{name}");
        assert_eq!(text(ending, "/code/name"), code, "{name}");
        // The only difference is whether the FIN was in before the RST.
        let fin = ending.pointer("/evidence/fin_arrived").and_then(Value::as_bool);
        assert_eq!(fin, Some(cause == "reset-after-fin"), "{name}");
    }
    let whole = number(find("early-answer-linger"), "/peer/received");
    assert_eq!(whole, number(find("early-answer-linger"), "/sent"));
    assert!(number(find("early-answer-abort"), "/peer/received") < whole);
}

/// A ring tells the same causes with the same codes. Only how sure they are may differ: where the application has not
/// taken the end of the stream before the error is known.
#[test]
#[cfg(target_os = "linux")]
fn the_founding_reports_are_told_apart_on_a_ring() {
    for backend in ["uring", "uring-multishot"] {
        let endings = objects(&lab(&["--json", "--backend", backend, "--only", "report-1"]));
        let told: Vec<[&str; 4]> = endings
            .iter()
            .map(|ending| ["/name", "/cause", "/code/name", "/certainty"].map(|what| text(ending, what)))
            .collect();
        assert_eq!(
            told,
            [
                ["report-1-test-1", "peer-reset", "ECONNRESET", "certain"],
                ["report-1-test-2", "peer-reset", "ECONNRESET", "certain"],
                ["report-1-test-3", "reset-after-fin", "EPIPE", "inferred"],
                ["report-1-test-4", "reset-after-fin", "EPIPE", "inferred"],
            ],
            "{backend}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn tcp_states_are_seen_where_the_system_tells() {
    let endings = objects(&lab(&["--json", "--only", "simultaneous-close", "--only", "fin"]));
    let states: BTreeSet<&str> = endings
        .iter()
        .flat_map(|ending| list(ending, "/steps"))
        .filter_map(|step| step.get("our_state")?.as_str())
        .collect();
    for state in ["ESTABLISHED", "CLOSE-WAIT", "FIN-WAIT-1", "CLOSING"] {
        assert!(states.contains(state), "{state}: {states:?}");
    }
}

#[test]
fn every_trigger_of_this_system_gives_the_same_causes() {
    let causes = |trigger| -> Vec<(String, String)> {
        let finished = lab(&["--json", "--only", "rst-while", "--only", "half-close", "--trigger", trigger]);
        let endings = objects(&finished);
        assert!(endings.iter().all(|ending| text(ending, "/trigger") == trigger));
        let pair = |one| (text(one, "/name").to_owned(), text(one, "/cause").to_owned());
        endings.iter().map(pair).collect()
    };
    assert_eq!(causes("level"), causes("oneshot"));
    if cfg!(windows) {
        let refused = lab(&["--trigger", "edge"]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains("Edge"), "{}", refused.stderr);
    } else {
        assert_eq!(causes("level"), causes("edge"));
    }
}

#[test]
fn repeated_endings_are_counted_by_outcome() {
    let endings = objects(&lab(&["--json", "--only", "refused", "--only", "abort", "--repeat", "5"]));
    assert_eq!(endings.len(), 2, "a name that is whole means one ending");
    for ending in &endings {
        assert_eq!(number(ending, "/runs"), 5);
        let counts = list(ending, "/outcomes").iter().map(|outcome| number(outcome, "/count"));
        assert_eq!(counts.sum::<u64>(), 5);
    }
}

#[test]
fn the_table_has_a_line_for_each_ending() {
    let listed = lab(&["--list", "--only", "drain"]);
    assert_eq!(listed.code, Some(0));
    let names: Vec<&str> =
        listed.stdout.lines().filter(|line| line.starts_with("  ")).map(first_word).collect();
    assert!(names.contains(&"drain-idle"), "{}", listed.stdout);
    let shown = lab(&["--only", "drain"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stdout);
    for name in names {
        let lines = shown.stdout.lines().filter(|line| first_word(line) == name).count();
        assert_eq!(lines, 1, "{name}: {}", shown.stdout);
    }
    assert!(shown.stdout.lines().all(|line| line.chars().count() <= 100), "{}", shown.stdout);
    assert!(!shown.stdout.contains('\x1b'), "colours are for terminals");
    let ladder = lab(&["--verbose", "--only", "drain-idle"]);
    assert!(ladder.stdout.contains("FIN -----|"), "{}", ladder.stdout);
    assert!(ladder.stdout.contains("drain idle deadline: passed"), "{}", ladder.stdout);
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or("")
}

#[test]
fn a_wrong_command_line_is_told_and_nothing_is_played() {
    for (arguments, told) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["--only", "no-such-ending"], "no-such-ending"),
        (&["--only"], "--only"),
        (&["--repeat", "0"], "--repeat takes a number"),
        (&["--repeat", "often"], "often"),
        (&["--trigger", "happy"], "level, oneshot or edge"),
        (&["--json", "--verbose"], "--json"),
        (&["--backend", "select"], "polling, iocp, uring, uring-multishot"),
        (&["--backend", BACKENDS.last().unwrap(), "--trigger", "sometimes"], "level, oneshot or edge"),
        (&["--workers", "0"], "--workers takes a number"),
        (&["--workers", "2"], "--workers is for --backend iocp"),
        (&["unexpected"], "unexpected"),
    ] {
        let finished = lab(arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}");
        assert!(finished.stderr.contains(told), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains("--help"), "{arguments:?}: {}", finished.stderr);
        assert_eq!(finished.stdout, "", "{arguments:?}");
    }
}

#[test]
#[cfg(any(target_os = "linux", windows))]
fn an_adapter_that_is_not_here_and_a_trigger_that_is_none_are_told() {
    let elsewhere = if cfg!(windows) { "uring" } else { "iocp" };
    let finished = lab(&["--backend", elsewhere]);
    assert_eq!(finished.code, Some(2));
    let told = format!("--backend {elsewhere} cannot be played here");
    assert!(finished.stderr.contains(&told), "{}", finished.stderr);
    for backend in BACKENDS.iter().filter(|&&backend| backend != "polling") {
        let finished = lab(&["--backend", backend, "--trigger", "oneshot"]);
        assert_eq!(finished.code, Some(2));
        assert!(finished.stderr.contains("--trigger is for --backend polling"), "{}", finished.stderr);
        assert_eq!(finished.stdout, "");
    }
}

/// What one worker takes from the port another may have to finish.
#[test]
#[cfg(windows)]
fn every_ending_is_the_same_with_several_workers() {
    let folder = Folder::new("workers");
    let endings =
        objects(&lab(&["--json", "--backend=iocp", "--workers=3", "--svg", folder.0.to_str().unwrap()]));
    assert_expected(&endings, "iocp", &folder);
}

#[test]
fn the_help_names_every_flag() {
    let help = lab(&["--help"]);
    assert_eq!(help.code, Some(0));
    let flags = [
        "--list",
        "--only",
        "--repeat",
        "--backend",
        "--workers",
        "--trigger",
        "--verbose",
        "--json",
        "--svg",
        "--help",
    ];
    for flag in flags {
        assert!(help.stdout.contains(flag), "{flag}");
    }
}

/// A folder for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hangup-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What is opened is closed, in order; attributes are quoted; no bare `&` or `<`.
fn assert_well_formed(name: &str, svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some((before, after)) = rest.split_once('<') {
        assert_text(name, before, !open.is_empty());
        let (tag, after) = after.split_once('>').expect(name);
        rest = after;
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{name}");
            continue;
        }
        let inner = tag.strip_suffix('/').unwrap_or(tag);
        let (element, attributes) = inner.split_once(' ').unwrap_or((inner, ""));
        assert!(element.chars().all(|letter| letter.is_ascii_lowercase()), "{name}: <{tag}>");
        assert!(!attributes.contains('<'), "{name}: <{tag}>");
        let quotes: Vec<&str> = attributes.split('"').collect();
        assert_eq!(quotes.len() % 2, 1, "{name}: a quote is missing in <{tag}>");
        for equals in quotes.iter().step_by(2).take(quotes.len() / 2) {
            assert!(equals.ends_with('=') && equals.trim().len() > 1, "{name}: <{tag}>");
        }
        if inner.len() == tag.len() {
            open.push(element);
        }
    }
    assert!(open.is_empty(), "{name}: {open:?} not closed");
    assert_eq!(rest.trim(), "", "{name}");
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{name}");
}

fn assert_text(name: &str, text: &str, inside: bool) {
    assert!(inside || text.trim().is_empty(), "{name}: {text}");
    for entity in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;"].iter().any(|known| entity.starts_with(known));
        assert!(known, "{name}: &{entity}");
    }
}
