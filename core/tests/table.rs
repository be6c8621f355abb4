//! Many lives: keys, deadlines, release, the audit, reports.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a surprise is a failure"
)]
#![allow(unused_must_use, reason = "a script asks for the wants when it is interested in them")]

use std::time::Duration;

use hangup::{
    Answer, Audit, Cause, Close, Command, Deadline, DrainEnd, Fault, Input, InputError, Key, Mechanism,
    Moment, Os, Outcome, Phase, Plan, Policy, RawCode, ReleaseError, Retry, Table,
};

type Net = Table<u32>;

const NOW: Moment = Moment::EPOCH;
const SECOND: Duration = Duration::from_secs(1);

fn net() -> Net {
    let policy = Policy { idle: Some(SECOND * 60), stall: SECOND * 30, ..Policy::default() };
    Table::new(Mechanism::Level, policy)
}

fn said(answer: Answer) -> Input {
    Input::Outcome(Outcome::Immediate(answer))
}

fn close(plan: Plan) -> Input {
    Input::Command(Command::Close(plan))
}

fn open(net: &mut Net, resources: u32, now: Moment) -> Key {
    let key = net.vacant().unwrap().accept(resources, now);
    net.input(key, said(Answer::Registered), now).unwrap();
    key
}

fn reset(net: &mut Net, key: Key, now: Moment) {
    net.input(key, said(Answer::ReceiveFailed(Fault::Reset)), now).unwrap();
    net.input(key, said(Answer::Deregistered), now).unwrap();
}

fn expired(net: &mut Net, now: Moment) -> Vec<(Key, Deadline)> {
    std::iter::from_fn(|| net.expire(now)).map(|(key, deadline, _)| (key, deadline)).collect()
}

#[test]
fn the_key_is_known_before_the_socket() {
    let mut net = net();
    let vacant = net.vacant().unwrap();
    let promised = vacant.key();
    drop(vacant);
    assert!(matches!(net.life(promised), Err(InputError::Stale(_))), "nothing is there yet");
    let vacant = net.vacant().unwrap();
    assert_eq!(vacant.key(), promised, "and nothing was used up");
    assert_eq!(vacant.connect(1, NOW), promised);
    assert_eq!(net.life(promised).unwrap().phase(), Phase::ConnectDue);
    assert_eq!((net.len(), net.is_empty()), (1, false));
}

#[test]
fn keys_of_the_dead_and_of_others_change_nothing() {
    let (mut net, mut other) = (net(), net());
    let old = open(&mut net, 1, NOW);
    reset(&mut net, old, NOW);
    assert_eq!(net.release(old, NOW).unwrap().resources, 1);
    let new = open(&mut net, 2, NOW);
    let foreign = open(&mut other, 3, NOW);
    let (life, audit) = (net.life(new).unwrap(), net.audit());
    for (key, is_foreign) in [(old, false), (foreign, true)] {
        assert_eq!((key.is_of(net.id()), key.is_of(other.id())), (!is_foreign, is_foreign));
        let error = net.input(key, close(Plan::Abort), NOW).unwrap_err();
        assert_eq!(matches!(error, InputError::Foreign(_)), is_foreign, "{error}");
        assert!(net.release(key, NOW).is_err());
        assert!(net.get(key).is_err() && net.get_mut(key).is_err() && net.wants(key).is_err());
        assert!(net.pending(key).is_err() && net.code(key).is_err());
    }
    assert_eq!(net.life(new).unwrap(), life);
    assert_eq!(net.get(new).unwrap(), &2);
    let counted = net.audit();
    assert_eq!((counted.stale - audit.stale, counted.foreign - audit.foreign), (3, 3));
    assert_eq!((counted.acquired, counted.released), (audit.acquired, audit.released));
}

/// Every count, and each into its own.
#[test]
fn audits_of_several_tables_are_added() {
    let mut each = Audit::default();
    each.acquired = 1;
    each.released = 20;
    each.lent = 300;
    each.returned = 4_000;
    each.stale = 50_000;
    each.foreign = 600_000;
    each.refused = 7_000_000;
    each.retired = 80_000_000;
    let mut sum = Audit::default();
    sum += each;
    assert_eq!(sum, each);
    sum += each;
    assert_eq!(
        (
            sum.acquired,
            sum.released,
            sum.lent,
            sum.returned,
            sum.stale,
            sum.foreign,
            sum.refused,
            sum.retired
        ),
        (2, 40, 600, 8_000, 100_000, 1_200_000, 14_000_000, 160_000_000)
    );
}

#[test]
fn release_is_refused_until_everything_is_back() {
    let mut net = net();
    let key = open(&mut net, 1, NOW);
    assert!(matches!(net.release(key, NOW), Err(ReleaseError::NotYet(_))));
    net.input(key, close(Plan::Abort), NOW).unwrap();
    let refused = net.release(key, NOW).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "not releasable yet: phase Ending, registration Present, 0 notifications owed"
    );
    net.input(key, said(Answer::Deregistered), NOW).unwrap();
    let released = net.release(key, NOW).unwrap();
    assert_eq!((released.resources, released.close), (1, Close::Reset));
    assert!(matches!(net.release(key, NOW), Err(ReleaseError::Stale(_))));
    assert_eq!((net.audit().acquired, net.audit().released, net.audit().held()), (1, 1, 0));
}

#[test]
fn output_is_counted_and_the_fin_waits_for_it() {
    let mut net = net();
    let key = open(&mut net, 1, NOW);
    let output = |bytes| Input::Command(Command::Output(bytes));
    net.input(key, output(100), NOW).unwrap();
    net.input(key, close(Plan::Finish), NOW).unwrap();
    assert!(net.input(key, output(101), NOW).is_err(), "no more after the last word");
    assert!(!net.input(key, said(Answer::Sent(60)), NOW).unwrap().shutdown);
    assert_eq!(net.pending(key).unwrap(), 40);
    assert!(net.input(key, said(Answer::Sent(40)), NOW).unwrap().shutdown, "the last byte was sent");
    net.input(key, said(Answer::ShutDown), NOW).unwrap();
    assert!(net.input(key, output(1), NOW).is_err());
    assert_eq!(net.audit().refused, 2);
}

#[test]
fn deadlines_pass_when_they_should() {
    let mut net = net();
    let start = Moment::from_millis(5_000);
    let (first, second) = (open(&mut net, 1, start), open(&mut net, 2, start + SECOND));
    assert!(net.next_deadline().unwrap() <= start + SECOND * 60);
    // Traffic renews the idle deadline, in either direction.
    net.input(first, said(Answer::Received(1)), start + SECOND * 10).unwrap();
    net.input(first, said(Answer::Sent(1)), start + SECOND * 20).unwrap();
    assert_eq!(expired(&mut net, start + (SECOND * 61 - Duration::from_millis(1))), []);
    assert_eq!(expired(&mut net, start + SECOND * 61), [(second, Deadline::Idle)]);
    // It takes leave in order, and that has an end too.
    assert_eq!(net.life(second).unwrap().phase(), Phase::Closing);
    net.input(second, said(Answer::ShutDown), start + SECOND * 61).unwrap();
    assert_eq!(expired(&mut net, start + SECOND * 66), [(second, Deadline::DrainIdle)]);
    assert_eq!(expired(&mut net, start + SECOND * 80), [(first, Deadline::Idle)]);
    // The peer renews the idle deadline of the drain, not the total.
    net.input(first, said(Answer::ShutDown), start + SECOND * 80).unwrap();
    for second in (80..110).step_by(4) {
        assert_eq!(expired(&mut net, start + SECOND * second), []);
        net.input(first, said(Answer::Received(1)), start + SECOND * second).unwrap();
    }
    assert_eq!(expired(&mut net, start + SECOND * 110), [(first, Deadline::DrainTotal)]);
    assert_eq!(net.life(first).unwrap().drain_end(), Some(DrainEnd::TotalDeadline));
}

#[test]
fn a_nearer_deadline_overtakes() {
    let mut net = net();
    let key = open(&mut net, 1, NOW);
    net.input(key, Input::Command(Command::Output(9)), NOW + SECOND).unwrap();
    net.input(key, said(Answer::Sent(3)), NOW + SECOND * 5).unwrap();
    assert_eq!(expired(&mut net, NOW + SECOND * 34), []);
    assert_eq!(expired(&mut net, NOW + SECOND * 35), [(key, Deadline::Stall)]);
    assert_eq!(net.life(key).unwrap().cause(), Some(Cause::TimedOut(hangup::Timeout::Stall)));
}

#[test]
fn idleness_can_be_allowed() {
    let mut net: Net = Table::new(Mechanism::Level, Policy { idle: None, ..Policy::default() });
    let key = open(&mut net, 1, NOW);
    assert_eq!(net.next_deadline(), None);
    assert_eq!(expired(&mut net, NOW + SECOND * 100_000), []);
    net.input(key, said(Answer::EndOfStream), NOW + SECOND * 100_000).unwrap();
    assert_eq!(expired(&mut net, NOW + SECOND * 100_060), [(key, Deadline::HalfClosed)]);
}

#[test]
fn the_clock_may_leap_and_may_not_go_back() {
    let mut net = net();
    let key = open(&mut net, 1, NOW);
    assert_eq!(expired(&mut net, NOW + SECOND * 3600 * 24 * 30), [(key, Deadline::Idle)]);
    // An earlier moment is taken for the latest that was told.
    let late = open(&mut net, 2, NOW);
    assert_eq!(expired(&mut net, NOW + SECOND * 120), []);
    let due = NOW + SECOND * (3600 * 24 * 30 + 60);
    assert!(expired(&mut net, due).contains(&(late, Deadline::Idle)));
}

#[test]
fn thousands_of_deadlines_pass_in_order() {
    let mut net = net();
    // Each connection had its last byte at a moment of its own, in no order.
    let mut due: Vec<(Moment, Key)> = Vec::new();
    let count = if cfg!(miri) { 100 } else { 5_000 };
    for number in 0..count {
        let key = open(&mut net, 0, NOW);
        due.push((Moment::from_millis(number * 7_919 % 50_000) + SECOND * 60, key));
    }
    let mut bytes = due.clone();
    bytes.sort();
    for (due, key) in bytes {
        let at = Moment::from_millis(due.as_millis() - 60_000);
        net.input(key, said(Answer::Received(1)), at).unwrap();
    }
    due.sort();
    let mut passed = Vec::new();
    let mut now = Moment::from_millis(50_000);
    while passed.len() < due.len() {
        let next = net.next_deadline().unwrap();
        now = now.max(next);
        for (key, deadline) in expired(&mut net, now) {
            if deadline == Deadline::Idle {
                passed.push((now, key));
            }
        }
    }
    passed.sort();
    assert_eq!(passed, due);
}

#[test]
fn a_drain_closes_everything() {
    let mut net = net();
    let keys: Vec<Key> = (0..10).map(|number| open(&mut net, number, NOW)).collect();
    let mut told = Vec::new();
    net.drain(Plan::Abort, NOW, |key, wants| {
        assert!(wants.deregister);
        told.push(key);
    });
    assert_eq!(told, keys);
    assert_eq!(net.keys().collect::<Vec<_>>(), keys);
    for key in keys {
        net.input(key, said(Answer::Deregistered), NOW).unwrap();
        drop(net.release(key, NOW).unwrap());
    }
    assert!(net.is_empty());
    assert_eq!(net.keys().count(), 0);
}

#[test]
fn the_budget_of_a_drain_is_counted_in_bytes() {
    let policy = Policy { drain_budget: 1000, ..Policy::default() };
    let mut net: Net = Table::new(Mechanism::Level, policy);
    let key = open(&mut net, 1, NOW);
    net.input(key, said(Answer::Received(5_000)), NOW).unwrap();
    net.input(key, close(Plan::Linger), NOW).unwrap();
    net.input(key, said(Answer::ShutDown), NOW).unwrap();
    net.input(key, said(Answer::Received(1000)), NOW).unwrap();
    assert_eq!(net.life(key).unwrap().phase(), Phase::Closing, "the budget is used, not exceeded");
    net.input(key, said(Answer::Received(1)), NOW).unwrap();
    net.input(key, said(Answer::Deregistered), NOW).unwrap();
    let report = net.release(key, NOW + SECOND).unwrap().report;
    assert_eq!(report.drain_end, Some(DrainEnd::Budget));
    assert_eq!((report.received, report.discarded), (6001, 1001));
}

#[test]
fn reports() {
    let mut net = net();
    let key = open(&mut net, 1, NOW);
    net.input(key, said(Answer::Received(5)), NOW).unwrap();
    net.input(key, Input::Command(Command::Output(800)), NOW).unwrap();
    net.input(key, said(Answer::Sent(500)), NOW).unwrap();
    net.input(key, said(Answer::SendBlocked), NOW).unwrap();
    let failed = said(Answer::ReceiveFailed(Fault::Reset));
    net.input_with_code(key, failed, RawCode::native(Os::Linux, 104), NOW).unwrap();
    assert_eq!(net.code(key).unwrap().map(RawCode::value), Some(104));
    net.input(key, said(Answer::Deregistered), NOW).unwrap();
    let later = NOW + Duration::from_millis(1204);
    let report = net.release(key, later).unwrap().report;
    assert_eq!(
        report.to_string(),
        "the peer reset the connection: ECONNRESET (104), after 1.204s; received 5 B, sent 500 B, 300 B unsent \
         [rQsbx]"
    );
    assert_eq!(report.retry, Retry::MaybeSent);
    assert_eq!(report.retry.to_string(), "maybe sent");

    let key = open(&mut net, 1, later);
    net.input(key, Input::Hint(hangup::Hint::ABORT), later).unwrap();
    net.input(key, said(Answer::NoError), later).unwrap();
    net.input(key, said(Answer::EndOfStream), later).unwrap();
    net.input(key, said(Answer::Deregistered), later).unwrap();
    let report = net.release(key, later + SECOND).unwrap().report;
    assert_eq!(
        report.to_string(),
        "the peer reset the connection (inferred), after 1s; received 0 B, sent 0 B [aof]"
    );
    assert_eq!(report.retry, Retry::NeverSent);

    let last = later + SECOND;
    let key = open(&mut net, 1, last);
    net.input(key, said(Answer::Sent(7)), last).unwrap();
    net.input(key, close(Plan::Linger), last).unwrap();
    net.input(key, said(Answer::ShutDown), last).unwrap();
    net.input(key, said(Answer::Received(9)), last).unwrap();
    net.input(key, said(Answer::Acknowledged), last).unwrap();
    net.input(key, said(Answer::Deregistered), last).unwrap();
    let report = net.release(key, last + SECOND).unwrap().report;
    assert_eq!(
        report.to_string(),
        "we closed, linger: the peer acknowledged everything, after 1s; received 9 B, sent 7 B, discarded 9 B \
         [s3Frk]"
    );
    assert_eq!(report.retry, Retry::Sent);
}

/// The code that is kept is the one that decided something, not the one that came last.
#[test]
fn the_first_code_is_kept() {
    let mut net = net();
    let key = open(&mut net, 1, NOW);
    let code = |number| RawCode::native(Os::Linux, number);
    let soft = said(Answer::SendFailed(Fault::Unreachable));
    net.input_with_code(key, soft, code(113), NOW).unwrap();
    assert_eq!(net.code(key).unwrap(), None, "it decided nothing");
    let failed = said(Answer::SendFailed(Fault::TimedOut));
    net.input_with_code(key, failed, code(110), NOW).unwrap();
    let again = said(Answer::ReceiveFailed(Fault::Reset));
    net.input_with_code(key, again, code(104), NOW).unwrap();
    assert_eq!(net.code(key).unwrap(), Some(code(110)));
    net.input(key, said(Answer::Deregistered), NOW).unwrap();
    assert_eq!(net.release(key, NOW).unwrap().report.raw, Some(code(110)));
    // A status of Windows keeps its space.
    let key = open(&mut net, 1, NOW);
    let status = RawCode::nt_status(0xC000_020D);
    net.input_with_code(key, again, status, NOW).unwrap();
    assert_eq!(net.code(key).unwrap(), Some(status));
}

#[test]
fn tokens_are_keys() {
    for mut net in [net(), Table::compact(Mechanism::Level, Policy::default())] {
        let keys: Vec<Key> = (0..100).map(|number| open(&mut net, number, NOW)).collect();
        for &key in &keys {
            let token = net.token(key);
            assert_eq!(net.key(token), key);
            assert!(token != 0 && token != usize::MAX);
            assert!(token >= 1 << 20, "small numbers are the application's own");
        }
        for token in [0, 1, 4711, usize::MAX] {
            assert!(net.life(net.key(token)).is_err());
        }
    }
    let mut compact: Net = Table::compact(Mechanism::Level, Policy::default());
    let key = open(&mut compact, 1, NOW);
    assert!(u32::try_from(compact.token(key)).is_ok());
    assert!(matches!(compact.life(net().key(usize::MAX)), Err(InputError::Foreign(_))));
}

#[test]
#[cfg_attr(miri, ignore = "the same with fewer generations is a unit test of the table")]
fn a_place_that_is_used_up_is_retired() {
    let mut net: Net = Table::compact(Mechanism::Level, Policy::default());
    let mut first = None;
    let mut last = None;
    for number in 0..4095 {
        let key = open(&mut net, number, NOW);
        first.get_or_insert(key);
        last = Some(key);
        reset(&mut net, key, NOW);
        assert_eq!(net.release(key, NOW).unwrap().resources, number);
        assert_eq!(net.audit().retired, u64::from(number == 4094));
    }
    let next = open(&mut net, 5000, NOW);
    assert_eq!((net.len(), net.keys().count()), (1, 1));
    assert_ne!(Some(next), first);
    for key in [first.unwrap(), last.unwrap()] {
        assert!(matches!(net.life(key), Err(InputError::Stale(_))));
        assert!(net.release(key, NOW).is_err());
    }
    assert_eq!(net.get(next).unwrap(), &5000);
}
