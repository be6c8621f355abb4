//! The program `release_once`, as it was built.
#![cfg(any(target_os = "linux", windows))]

use std::time::Duration;

use hangup_examples::child::{Finished, Program};

/// It does real work, and others use the machine as well.
const PATIENCE: Duration = Duration::from_secs(120);

fn release_once(arguments: &[&str]) -> Finished {
    Program::start("release_once", arguments).wait_for(PATIENCE)
}

/// The numbers of the line that begins so, behind its words.
fn numbers(finished: &Finished, begins: &str) -> Vec<u64> {
    let line = finished.stdout.lines().find(|line| line.starts_with(begins)).expect(begins);
    let words = line.split_whitespace().map(|word| word.replace(',', ""));
    words.filter_map(|word| if word == "-" { Some(0) } else { word.parse().ok() }).collect()
}

/// The line below the one that begins so.
fn below<'a>(finished: &'a Finished, begins: &str, lines: usize) -> &'a str {
    let mut all = finished.stdout.lines().skip_while(|line| !line.starts_with(begins));
    all.nth(lines).expect(begins)
}

const SCENES: [&str; 5] =
    ["the peer finishes", "our half is shut down", "the peer has reset", "the peer resets", "we abort"];

#[test]
fn the_naive_loop_releases_twice_and_ours_once() {
    let finished = release_once(&["--connections", "2000"]);
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    let mut all = 0;
    for scene in SCENES {
        let [count, naive, ours] = numbers(&finished, scene)[..] else { panic!("{}", finished.stdout) };
        assert!(count > 300, "{scene}: {count}");
        assert_eq!(ours, 0, "{scene}");
        if scene == "the peer finishes" {
            assert_eq!(naive, 0, "without a failure there is one release");
        } else {
            assert!(naive >= count, "{scene}: {naive} of {count}");
        }
        all += count;
    }
    assert_eq!(all, 2000);
    let [acquired, released, double, _, lost] = numbers(&finished, "naive   ")[..] else {
        panic!("{}", finished.stdout)
    };
    assert_eq!((acquired, released - acquired, lost), (2000, double, 0));
    assert!(double >= 1200, "{double}");
    assert_eq!(numbers(&finished, "hangup-"), [2000, 2000, 0, 0, 0]);
    for (lines, what) in [(1, "sockets"), (2, "buffers")] {
        let line = below(&finished, "hangup-", lines);
        assert!(line.contains(what), "{line}");
        let [acquired, released, double, early, lost] = numbers(&finished, line)[..] else {
            panic!("{line}")
        };
        assert!(acquired >= 2000, "{line}");
        assert_eq!((released, double, early, lost), (acquired, 0, 0, 0), "{line}");
    }
    // The buffer of the receive, which the OS still had.
    let naive = below(&finished, "naive   ", 1);
    let [_, _, double, early, _] = numbers(&finished, naive)[..] else { panic!("{naive}") };
    assert!(double >= 1200 && early >= 1200, "{naive}");
}

#[test]
fn a_seed_makes_the_same_failures_again() {
    let scenes = |seed: &str| {
        let finished = release_once(&["--connections", "120", "--seed", seed]);
        assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
        SCENES.map(|scene| numbers(&finished, scene))
    };
    assert_eq!(scenes("7"), scenes("7"));
    assert_ne!(scenes("7"), scenes("8"));
}

/// One connection each: the exit code says whether the naive loop released something twice, which it does unless
/// nothing fails.
#[test]
fn without_a_double_release_it_is_no_demonstration() {
    let mut codes = Vec::new();
    for seed in 1..=12 {
        let finished = release_once(&["--connections", "1", "--seed", &seed.to_string()]);
        let fails = numbers(&finished, SCENES[0])[0] == 0;
        assert_eq!(finished.code, Some(i32::from(!fails)), "{}{}", finished.stdout, finished.stderr);
        assert_eq!(finished.stdout.contains("NOT AS IT SHOULD BE"), !fails, "{}", finished.stdout);
        codes.push(finished.code);
    }
    assert!(codes.contains(&Some(0)) && codes.contains(&Some(1)), "{codes:?}");
}

#[test]
fn a_wrong_command_line_is_told() {
    for (arguments, told) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["--connections", "0"], "--connections"),
        (&["--seed", "x"], "--seed"),
    ] {
        let finished = release_once(arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}");
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
    }
    let help = release_once(&["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.lines().all(|line| line.chars().count() <= 100), "{}", help.stdout);
}
