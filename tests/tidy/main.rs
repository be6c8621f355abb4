//! The repository keeps its own rules: those that no compiler and no lint looks after.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: a surprise is a failure")]

use std::fs;
use std::path::{Path, PathBuf};

/// A soft limit is 400 lines; beyond this a file is two.
const LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every file of the repository that a person wrote, as a path from the root, with its text.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let root = root();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                // A clone or a work tree inside of this one is not of this one.
                let other = path.join(".git").exists();
                if !other && !["target", ".git", "mutants.out"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = fs::read_to_string(&path).unwrap();
                let from_root = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                found.push((from_root, text));
            }
        }
    }
    assert!(!found.is_empty(), "there are files that end with {endings:?}");
    found.sort();
    found
}

fn complain(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn files_are_small() {
    let long = files(&[".rs"]).into_iter().filter(|(_, text)| text.lines().count() > LINES);
    complain(long.map(|(path, text)| format!("{path}: {} lines", text.lines().count())).collect());
}

/// I06 and the rest of what `unsafe` rests on can only be reviewed if it has one address.
#[test]
fn unsafe_is_in_os_only() {
    let mut complaints = Vec::new();
    let mut blocks = 0;
    for (path, text) in files(&[".rs"]) {
        let in_os = path.starts_with("backends/") && path.contains("/src/os/");
        for (at, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let words = ["unsafe {", "unsafe fn", "unsafe impl"];
            if words
                .iter()
                .any(|word| code.trim_start().starts_with(word) || code.contains(&format!("= {word}")))
            {
                blocks += usize::from(in_os);
                // The counting allocator of one test, and this line.
                if !in_os && !path.starts_with("tests/footprint/") {
                    complaints.push(format!("{path}:{}: {}", at + 1, line.trim()));
                }
            }
        }
    }
    complain(complaints);
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(architecture.contains(&format!("there are {blocks} blocks")), "there are {blocks} blocks");
}

/// The core is deaf and blind.
#[test]
fn the_core_does_nothing_by_itself() {
    let forbidden =
        ["std::time", "Instant::now", "println!", "eprintln!", "std::net", "std::thread", "use std::"];
    let mut complaints = Vec::new();
    for (path, text) in files(&[".rs"]) {
        // Behind features: the locks of the table for several workers, and the observer of a trace.
        let is_apart = ["core/src/shared/sync.rs", "core/src/trace.rs"].contains(&path.as_str());
        if path.starts_with("core/src/") && !is_apart {
            for word in forbidden {
                let uses =
                    text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(word));
                if uses {
                    complaints.push(format!("{path}: {word}"));
                }
            }
        }
    }
    complain(complaints);
    let manifest = fs::read_to_string(root().join("core/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split('[').next().unwrap();
    let names: Vec<&str> = dependencies
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|n| !n.is_empty())
        .collect();
    assert_eq!(names, ["slab", "thiserror"]);
}

/// Every transition is in one file, and it has no wildcard arm.
#[test]
fn the_transition_file_has_no_wildcard_arm() {
    let text = fs::read_to_string(root().join("core/src/life/transition.rs")).unwrap();
    let wildcard = text.lines().position(|line| {
        let arm = line.trim_start();
        arm.starts_with("_ =>") || arm.starts_with("_ if") || arm.starts_with("(_, _) =>")
    });
    assert_eq!(wildcard.map(|at| at + 1), None);
}

/// A command that a document names exists, and a file that it links to does too.
#[test]
fn documents_are_true() {
    let mut complaints = Vec::new();
    let recipes = fs::read_to_string(root().join("justfile")).unwrap();
    for (path, text) in files(&[".md"]) {
        let folder = root().join(&path).parent().unwrap().to_path_buf();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            let outside = target.starts_with("http") || target.is_empty();
            if !outside && !folder.join(target).exists() {
                complaints.push(format!("{path}: links to {target}, which is not there"));
            }
        }
        for recipe in text.split("`just ").skip(1).filter_map(|rest| rest.split(['`', ' ']).next()) {
            if !recipes.lines().any(|line| line.split([' ', ':']).next() == Some(recipe)) {
                complaints.push(format!("{path}: there is no recipe {recipe}"));
            }
        }
    }
    complain(complaints);
}

/// The suites that CONTRIBUTING names are all there are, and the README's commands are those of the gate.
#[test]
fn every_suite_is_named() {
    let contributing = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let manifest = fs::read_to_string(root().join("tests/Cargo.toml")).unwrap();
    for suite in manifest.split("[[test]]").skip(1) {
        let name = suite.split("name = \"").nth(1).unwrap().split('"').next().unwrap();
        assert!(contributing.contains(&format!("--test {name}")), "CONTRIBUTING does not name {name}");
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let steps = fs::read_to_string(root().join(".ci/steps")).unwrap();
    for (command, step) in [
        ("cargo run --release --example lab", "cargo run --release --locked --example lab"),
        ("cargo test --workspace", "cargo test --workspace --locked"),
    ] {
        assert!(readme.contains(command) && steps.contains(step), "{command}");
    }
}

/// No path of anybody's machine, and nothing left for later without a word of why.
#[test]
fn nothing_is_left_lying_about() {
    // In two halves, so that this file does not complain of itself.
    let forbidden =
        [("/home", "/"), ("/Users", "/"), ("/tmp", "/bash"), ("todo", "!("), ("FIX", "ME"), ("XX", "X:")];
    let mut complaints = Vec::new();
    for (path, text) in files(&[".rs", ".md", ".toml", ".yml", "justfile", "steps", "settings", "install"]) {
        for (first, second) in forbidden {
            if text.contains(&format!("{first}{second}")) {
                complaints.push(format!("{path}: {first}{second}"));
            }
        }
    }
    complain(complaints);
}
