//! The table for several workers, with one: what is different from the other table. What is alike is shown by the
//! random scripts, which run on both.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: a surprise is a failure")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use hangup::shared::{Mailbox, RemoteError, Table};
use hangup::{
    Answer, Cause, Close, Command, Deadline, Input, InputError, Key, Mechanism, Moment, More, Operation, Os,
    Outcome, Owed, Phase, Plan, Policy, RawCode, ReleaseError, Settled,
};

type Net = Table<u32, Vec<u8>>;

const NOW: Moment = Moment::EPOCH;
const SECOND: Duration = Duration::from_secs(1);

fn net() -> Net {
    Table::new(Mechanism::Port, Policy::default())
}

const fn close(plan: Plan) -> Input {
    Input::Command(Command::Close(plan))
}

fn said(answer: Answer) -> Input {
    Input::Outcome(Outcome::Immediate(answer))
}

fn end(net: &Net, key: Key) -> u32 {
    assert!(net.input(key, close(Plan::Abort), NOW).unwrap().release.is_some());
    net.release(key, NOW).unwrap().resources
}

#[test]
fn it_goes_to_other_threads() {
    fn is_shared<T: Send + Sync>() {}
    // A cell may be sent, and not shared: so the closures of `with` run one at a time.
    is_shared::<Table<std::cell::Cell<u32>, std::cell::Cell<u32>>>();
}

#[test]
fn a_place_is_promised_to_one() {
    let net = net();
    let (first, second) = (net.vacant().unwrap(), net.vacant().unwrap());
    assert_ne!(first.key(), second.key());
    let promised = second.key();
    assert!(format!("{second:?}").contains("key"));
    assert!(matches!(net.life(promised), Err(InputError::Stale(_))), "nothing is there yet");
    drop(second);
    assert_eq!(net.vacant().unwrap().key(), promised, "and nothing was used up");
    assert_eq!(net.connect(7, NOW).unwrap(), promised);
    assert_eq!(net.life(promised).unwrap().phase(), Phase::ConnectDue);
    let key = first.accept(8, NOW);
    assert_eq!(net.keys(), [key, promised]);
    assert_eq!((net.len(), net.is_empty()), (2, false));
    assert!(format!("{net:?}").contains("acquired: 2"));
}

#[test]
fn keys_of_the_dead_and_of_others_change_nothing() {
    let (net, other) = (net(), net());
    let old = net.accept(1, NOW).unwrap();
    assert_eq!(end(&net, old), 1);
    let new = net.accept(2, NOW).unwrap();
    let foreign = other.accept(3, NOW).unwrap();
    let (life, before) = (net.life(new).unwrap(), net.audit());
    for (key, is_foreign) in [(old, false), (foreign, true)] {
        let error = net.input(key, close(Plan::Abort), NOW).unwrap_err();
        assert_eq!(matches!(error, InputError::Foreign(_)), is_foreign, "{error}");
        assert!(net.release(key, NOW).is_err() && net.with_mut(key, |_| ()).is_err());
        assert!(net.with(key, |_| ()).is_err() && net.wants(key).is_err());
        assert!(net.pending(key).is_err() && net.code(key).is_err());
    }
    assert_eq!(net.life(new), Ok(life));
    assert_eq!(net.with(new, |&resources| resources), Ok(2));
    let after = net.audit();
    assert_eq!((after.stale - before.stale, after.foreign - before.foreign), (3, 3));
    assert_eq!((after.acquired, after.released), (2, 1));
}

#[test]
fn release_is_refused_until_everything_is_back() {
    let net = net();
    let key = net.accept(1, NOW).unwrap();
    assert!(matches!(net.release(key, NOW), Err(ReleaseError::NotYet(_))));
    assert!(net.input(key, said(Answer::Released), NOW).is_err(), "nobody would have the resources");
    let right = net.lend(key, Operation::Receive, Owed::One, Some(vec![0; 4]), NOW).unwrap();
    let number = right.user_data();
    assert!(net.input(key, close(Plan::Abort), NOW).unwrap().release.is_none());
    let pending = Input::Outcome(Outcome::Pending(Operation::Receive));
    for answer in [said(Answer::Received(1)), said(Answer::ReceiveBlocked), pending] {
        let refused = net.input(key, answer, NOW);
        assert!(matches!(refused, Err(InputError::Refused(_))), "{answer:?} would lose the buffer");
    }
    // Another worker has the completion before the call has returned to this one.
    let other = net.operation(number).unwrap();
    assert_eq!(net.with_lent(&other, |buffer| buffer.len()), Some(4));
    let Ok(Settled::InFlight { operation, wants }) =
        net.complete(other, Answer::Received(4), More::Last, NOW)
    else {
        panic!("the call is out")
    };
    assert!(wants.release.is_none());
    let Ok(Settled::Done { buffer, wants }) = net.taken(right, NOW) else { panic!("nothing is owed") };
    assert_eq!((buffer, wants.release), (Some(vec![0; 4]), Some(Close::Reset)));
    assert_eq!(net.with_lent(&operation, |_| ()), None);
    assert!(net.complete(operation, Answer::Received(4), More::Last, NOW).is_err(), "answered");
    let released = net.release(key, NOW + SECOND).unwrap();
    assert_eq!((released.close, released.report.cause), (Close::Reset, Cause::LocalAbort));
    assert_eq!(released.report.duration, SECOND);
    assert!(matches!(net.release(key, NOW), Err(ReleaseError::Stale(_))));
    assert_eq!((net.audit().held(), net.audit().with_the_os()), (0, 0));
}

#[test]
fn codes_are_kept() {
    let net = net();
    let key = net.accept(1, NOW).unwrap();
    let (right, code) = (
        net.lend(key, Operation::Receive, Owed::One, None, NOW).unwrap(),
        RawCode::native(Os::Windows, 10054),
    );
    let failed = Answer::ReceiveFailed(hangup::Fault::Reset);
    assert!(net.returned_with_code(right, failed, code, NOW).is_ok());
    assert_eq!(net.code(key), Ok(Some(code)));
    assert_eq!(net.release(key, NOW).unwrap().report.raw, Some(code));
    let key = net.accept(1, NOW).unwrap();
    let right = net.lend(key, Operation::Receive, Owed::One, None, NOW).unwrap();
    let again = net.operation(right.user_data()).unwrap();
    assert!(net.taken(right, NOW).is_ok());
    assert!(net.complete_with_code(again, failed, More::Last, code, NOW).is_ok());
    assert_eq!(net.code(key), Ok(Some(code)));
}

#[test]
fn a_closure_may_feed_its_own_connection() {
    let net = net();
    let key = net.accept(1, NOW).unwrap();
    let wants = net.with_mut(key, |resources| {
        *resources += 1;
        net.input(key, close(Plan::Abort), NOW).unwrap()
    });
    assert!(wants.unwrap().release.is_some());
    let panicked = catch_unwind(AssertUnwindSafe(|| net.with(key, |_| panic!("in the closure"))));
    assert!(panicked.is_err());
    assert_eq!(net.release(key, NOW).unwrap().resources, 2);
    assert!(net.is_empty(), "and nobody is stuck inside");
}

#[test]
fn places_are_found_and_used_again() {
    let net = net();
    let count = if cfg!(miri) { 100 } else { 1_000 };
    let keys: Vec<Key> = (0..count).map(|number| net.accept(number, NOW).unwrap()).collect();
    for (number, &key) in keys.iter().enumerate() {
        assert_eq!(net.with(key, |&resources| resources as usize), Ok(number));
        assert_eq!(net.key(net.token(key)), key);
    }
    assert_eq!(net.keys(), keys);
    let mut told = 0;
    net.drain(Plan::Abort, NOW, |_, wants| told += u32::from(wants.release.is_some()));
    assert_eq!(told, count);
    for &key in &keys {
        assert!(net.release(key, NOW).is_ok());
    }
    assert!(net.is_empty() && net.keys().is_empty());
    let again = net.accept(0, NOW).unwrap();
    assert!(!keys.contains(&again));
    assert_eq!(net.next_deadline().is_some(), net.policy().idle.is_some());
}

/// The first of a batch wakes; a key of another table is refused; nothing goes in after the door is closed.
#[test]
fn a_mailbox_is_of_one_table() {
    let mut tables = [(); 2].map(|()| hangup::Table::<()>::new(Mechanism::Ring, Policy::default()));
    let [ours, foreign] = tables.each_mut().map(|table| table.vacant().unwrap().accept((), NOW));
    let mailbox = Mailbox::new(tables[0].id());
    assert!(mailbox.owns(ours) && !mailbox.owns(foreign));
    assert_eq!(mailbox.put(foreign, Command::Pause), Err(RemoteError::Foreign(foreign)));
    assert!(mailbox.take().is_empty(), "what is refused is not in it");
    for _ in 0..2 {
        assert_eq!(mailbox.put(ours, Command::Pause), Ok(true));
        assert_eq!(mailbox.put(ours, Command::Resume), Ok(false));
        assert_eq!(mailbox.take(), [(ours, Command::Pause), (ours, Command::Resume)]);
    }
    assert_eq!(mailbox.put(ours, Command::Pause), Ok(true));
    mailbox.close();
    assert_eq!(mailbox.put(ours, Command::Pause), Err(RemoteError::Gone));
    assert!(mailbox.take().is_empty());
    assert_eq!(RemoteError::Gone.to_string(), "the driver is gone");
}

/// Every deadline passes once, whoever looks.
#[test]
fn deadlines_pass_once() {
    let net = net();
    let count = if cfg!(miri) { 10 } else { 1_000 };
    let keys: Vec<Key> = (0..count).map(|number| net.accept(number, NOW).unwrap()).collect();
    assert!(net.expire(NOW + SECOND * 59).is_none());
    let passed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((key, deadline, _)) = net.expire(NOW + SECOND * 60) {
                    assert_eq!(deadline, Deadline::Idle);
                    passed.lock().unwrap().push(key);
                }
            });
        }
    });
    let mut passed = passed.into_inner().unwrap();
    passed.sort();
    assert_eq!(passed, keys);
}
