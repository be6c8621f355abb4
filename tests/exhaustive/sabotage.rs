//! A check that cannot fail is none: each deliberate fault is found, and a shortest script shows it.

use hangup_testkit::{Rules, Sabotage, explore};

fn found(faults: &[Sabotage]) {
    for &sabotage in faults {
        let personality = sabotage.shows_on();
        match explore(&Rules { sabotage: Some(sabotage), ..Rules::faithful(personality) }) {
            Ok(found) => panic!("{sabotage:?} was not found in {} states of {personality}", found.states),
            Err(failure) => println!("{sabotage:?} on {personality}: {failure}\n"),
        }
    }
}

/// Half of them, so that two cores share the work.
#[test]
fn faults_are_found() {
    assert!(Sabotage::ALL.len() >= 20);
    found(&Sabotage::ALL[..Sabotage::ALL.len() / 2]);
}

#[test]
fn more_faults_are_found() {
    found(&Sabotage::ALL[Sabotage::ALL.len() / 2..]);
}
