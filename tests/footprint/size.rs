//! Bytes for each connection.

use hangup::{Hint, Input, InputError, Key, Life, Log, Mechanism, Moment, OperationKey, Policy, RawCode};
use hangup::{Slot, Table, Wants};

use crate::counting::asked;

#[test]
fn small_things_are_small() {
    assert_eq!(size_of::<Life>(), 8, "a life is one word");
    assert_eq!(size_of::<Key>(), 8, "a key is one word");
    assert_eq!(size_of::<Log>(), 6, "8 events of 6 bits");
    assert_eq!(size_of::<Slot>(), 3);
    assert_eq!(size_of::<Hint>(), 1);
    assert_eq!(size_of::<RawCode>(), 8);
    assert_eq!(size_of::<Moment>(), 8);
    assert!(size_of::<OperationKey>() <= 16, "{}", size_of::<OperationKey>());
    assert!(size_of::<Wants>() <= 24, "{}", size_of::<Wants>());
    assert!(size_of::<Input>() <= 24, "{}", size_of::<Input>());
    assert!(size_of::<Result<Wants, InputError>>() <= 48, "{}", size_of::<Result<Wants, InputError>>());
    // The lists of the wheel are in it, so it belongs behind a pointer.
    assert!(size_of::<Table<()>>() <= 2 * 1_024, "{}", size_of::<Table<()>>());
}

/// The bytes that a table of `S` takes from the allocator for `count` idle connections, and how many places that
/// makes room for.
fn bytes<S>(count: usize, mut resource: impl FnMut() -> S) -> (i64, i64) {
    let before = asked();
    let mut table: Table<S> = Table::new(Mechanism::Level, Policy::default());
    for _ in 0..count {
        table.vacant().expect("not full").accept(resource(), Moment::EPOCH);
    }
    assert_eq!(table.len(), count);
    let bytes = asked().bytes - before.bytes;
    drop(table);
    assert_eq!(asked().bytes, before.bytes, "not everything was given back");
    // Memory grows by doubling, so it is there for as many places as the next power of two.
    (bytes, count.next_power_of_two() as i64)
}

#[test]
fn an_idle_connection_takes_68_bytes() {
    for count in [1_024, 65_536, 100_000, 131_072] {
        let (bytes, room) = bytes(count, || ());
        let each = bytes / room;
        println!("{count} idle connections: {bytes} bytes, for {room} places {each} each");
        assert_eq!(bytes % room, 0, "{bytes} bytes for {room} places");
        assert!(each <= 64 + 4, "{each} bytes for a connection");
    }
}

/// A socket and a pointer of the application's own.
#[test]
fn what_a_connection_owns_comes_on_top() {
    let (bytes, room) = bytes(65_536, || (7_i32, None::<Box<u8>>));
    let each = bytes / room;
    println!("with 16 bytes of the application's own: {each} each");
    assert!(each <= 64 + 4 + 16 + 8, "{each} bytes for a connection");
}

/// Places are used again: a thousand times as many connections take no more memory.
#[test]
fn memory_is_for_those_that_are_there() {
    let mut table: Table<()> = Table::new(Mechanism::Level, Policy::default());
    let mut cycle = |count: usize| {
        let keys: Vec<Key> =
            (0..count).map(|_| table.vacant().expect("not full").accept((), Moment::EPOCH)).collect();
        for key in keys {
            let abort = Input::Command(hangup::Command::Close(hangup::Plan::Abort));
            assert!(table.input(key, abort, Moment::EPOCH).is_ok());
            assert!(table.release(key, Moment::EPOCH).is_ok());
        }
    };
    cycle(1_024);
    let before = asked().bytes;
    for _ in 0..1_000 {
        cycle(1_024);
    }
    assert_eq!(asked().bytes, before);
}
