//! Places that are used up.

use std::collections::BTreeSet;

use hangup::{Answer, Command, Deadline, Input, Key, Mechanism, Moment, Outcome, Plan, Policy, Table};

/// How often a place of a compact table is used.
const USES: u64 = 4_095;

const NOW: Moment = Moment::EPOCH;

fn begin(table: &mut Table<u64>, number: u64) -> Key {
    table.vacant().expect("the table is not full").accept(number, NOW)
}

fn end(table: &mut Table<u64>, key: Key) -> u64 {
    assert!(table.input(key, Input::Command(Command::Close(Plan::Abort)), NOW).is_ok(), "always taken");
    let released = table.release(key, NOW).expect("nothing is with the OS");
    released.resources
}

#[test]
fn a_place_is_retired_when_its_generations_are_used_up() {
    let mut table = Table::compact(Mechanism::Level, Policy::default());
    let mut keys = BTreeSet::new();
    let mut tokens = BTreeSet::new();
    for number in 1..=3 * USES {
        let key = begin(&mut table, number);
        let token = table.token(key);
        assert!(keys.insert(key) && tokens.insert(token), "{key:?} came twice");
        assert!(token != 0 && u32::try_from(token).is_ok(), "token {token:x}");
        assert_eq!(table.key(token), key);
        assert_eq!(end(&mut table, key), number);
        let audit = table.audit();
        assert_eq!((audit.acquired, audit.released), (number, number));
        assert_eq!(audit.retired, number / USES, "after {number} connections");
        assert_eq!((table.len(), table.keys().count()), (0, 0));
    }
    let stale = table.audit().stale;
    for &key in &keys {
        assert!(table.life(key).is_err() && table.get(key).is_err(), "{key:?} is there again");
        assert!(table.input(key, Input::Expired(Deadline::Idle), NOW).is_err());
        assert!(table.release(key, NOW).is_err());
    }
    assert_eq!(table.audit().stale - stale, 2 * 3 * USES);
    // A place that is retired has no deadline either.
    assert!(table.expire(Moment::from_millis(1 << 40)).is_none());
    assert_eq!(table.next_deadline(), None);
}

#[test]
fn a_place_of_an_ordinary_table_lasts_longer() {
    let mut table = Table::new(Mechanism::Level, Policy::default());
    for number in 0..2 * USES {
        let key = begin(&mut table, number);
        assert_eq!(end(&mut table, key), number);
    }
    assert_eq!(table.audit().retired, if usize::BITS < 64 { 2 } else { 0 });
}

/// The others go on while a place is retired between them.
#[test]
fn neighbours_of_a_retired_place_are_untouched() {
    let mut table = Table::compact(Mechanism::Level, Policy::default());
    let before = begin(&mut table, 1);
    let mut last = begin(&mut table, 2);
    let after = begin(&mut table, 3);
    for _ in 0..USES {
        end(&mut table, last);
        last = begin(&mut table, 2);
    }
    assert_eq!(table.audit().retired, 1);
    let received = Input::Outcome(Outcome::Immediate(Answer::Received(1)));
    for (key, number) in [(before, 1), (last, 2), (after, 3)] {
        assert_eq!(table.get(key), Ok(&number));
        assert!(table.input(key, received, NOW).is_ok());
    }
    assert_eq!(table.keys().collect::<Vec<_>>(), [before, after, last]);
}

#[test]
fn a_full_table_says_so_and_goes_on() {
    const MOST: u64 = 1 << 20;
    let policy = Policy { idle: None, ..Policy::default() };
    let mut table = Table::compact(Mechanism::Level, policy);
    let keys: Vec<Key> = (0..MOST).map(|number| begin(&mut table, number)).collect();
    assert!(table.vacant().is_err(), "no key is left");
    assert_eq!(table.len(), keys.len());
    let middle = keys[keys.len() / 2];
    assert_eq!(end(&mut table, middle), MOST / 2);
    let again = begin(&mut table, 7);
    assert!(table.vacant().is_err(), "no key is left");
    assert_ne!(again, middle);
    assert!(table.get(middle).is_err());
    assert_eq!(table.get(again), Ok(&7));
}
