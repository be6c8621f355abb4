//! Operations in flight: the buffer goes with the submit and comes back with the last notification, once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a surprise is a failure"
)]
#![allow(unused_must_use, reason = "a script asks for the wants when it is interested in them")]

use hangup::{
    Answer, Audit, Cancels, Close, Command, Deadline, Fault, Input, InputError, Key, Mechanism, Moment, More,
    Operation, OperationKey, Os, Outcome, Owed, Phase, Plan, Policy, RawCode, Settled, Table, Wants,
};

type Net = Table<(), Vec<u8>>;

const NOW: Moment = Moment::EPOCH;

fn ring() -> (Net, Key) {
    let mut net = Table::new(Mechanism::Ring, Policy::default());
    let key = net.vacant().unwrap().accept((), NOW);
    (net, key)
}

fn lend(net: &mut Net, key: Key, operation: Operation, owed: Owed) -> OperationKey {
    net.lend(key, operation, owed, Some(vec![7; 16]), NOW).unwrap()
}

/// Lends, and the call returns: the kernel has it. What the kernel keeps is a number.
fn submit(net: &mut Net, key: Key, operation: Operation, owed: Owed) -> u64 {
    let operation = lend(net, key, operation, owed);
    match net.taken(operation, NOW).unwrap() {
        Settled::InFlight { operation, .. } => operation.into_user_data(),
        Settled::Done { .. } => panic!("nothing has completed yet"),
    }
}

fn complete(net: &mut Net, user_data: u64, answer: Answer, more: More) -> Settled<Vec<u8>> {
    let operation = net.operation(user_data).unwrap();
    net.complete(operation, answer, more, NOW).unwrap()
}

fn is_back(settled: Settled<Vec<u8>>) -> bool {
    match settled {
        Settled::Done { buffer, .. } => buffer == Some(vec![7; 16]),
        Settled::InFlight { .. } => false,
    }
}

fn command(net: &mut Net, key: Key, command: Command) -> Wants {
    net.input(key, Input::Command(command), NOW).unwrap()
}

fn counts(audit: Audit) -> (u64, u64) {
    (audit.lent, audit.returned)
}

#[test]
fn a_buffer_comes_back_with_the_completion() {
    let (mut net, key) = ring();
    let data = submit(&mut net, key, Operation::Receive, Owed::One);
    assert_eq!(counts(net.audit()), (1, 0));
    assert_eq!(net.audit().with_the_os(), 1);
    assert!(is_back(complete(&mut net, data, Answer::Received(16), More::Last)));
    assert_eq!(counts(net.audit()), (1, 1));
    // The number is good once.
    assert!(matches!(net.operation(data), Err(InputError::Stale(stale)) if stale == key));
    assert_eq!(net.audit().stale, 1);
}

#[test]
fn an_immediate_failure_comes_in_by_the_same_door() {
    let (mut net, key) = ring();
    let operation = lend(&mut net, key, Operation::Receive, Owed::One);
    let settled = net.returned(operation, Answer::ReceiveFailed(Fault::Reset), NOW).unwrap();
    assert!(is_back(settled));
    assert_eq!(net.life(key).unwrap().phase(), Phase::Ending);
    assert_eq!(net.wants(key).unwrap().release, Some(Close::Plain));
}

/// On a completion port another worker may be quicker than the call.
#[test]
fn a_completion_before_the_call_returns_keeps_the_buffer() {
    let mut net: Net = Table::new(Mechanism::Port, Policy::default());
    let key = net.vacant().unwrap().accept((), NOW);
    let caller = lend(&mut net, key, Operation::Receive, Owed::One);
    let early = complete(&mut net, caller.user_data(), Answer::Received(5), More::Last);
    assert!(!is_back(early), "the call is still out");
    assert!(is_back(net.taken(caller, NOW).unwrap()));
}

#[test]
fn one_of_a_kind_and_only_when_wanted() {
    let (mut net, key) = ring();
    let receive = submit(&mut net, key, Operation::Receive, Owed::One);
    let refused = net.lend(key, Operation::Receive, Owed::One, Some(vec![1]), NOW).unwrap_err();
    assert!(matches!(refused.error, InputError::Refused(_)));
    assert_eq!(refused.buffer, Some(vec![1]), "the buffer is not lost");
    assert!(net.lend(key, Operation::Send, Owed::One, Some(vec![2]), NOW).is_err(), "there is no output");
    assert!(
        net.lend(key, Operation::Inquire, Owed::One, Some(vec![3]), NOW).is_err(),
        "nothing is lent for it"
    );
    assert!(net.lend(key, Operation::Watch, Owed::Both, None, NOW).is_err(), "only a send owes both");
    assert_eq!(counts(net.audit()), (1, 0));
    assert!(is_back(complete(&mut net, receive, Answer::EndOfStream, More::Last)));
}

#[test]
fn zero_copy_is_in_flight_until_the_second_notification() {
    for reordered in [false, true] {
        let (mut net, key) = ring();
        command(&mut net, key, Command::Output(16));
        let send = submit(&mut net, key, Operation::Send, Owed::Both);
        let result = (Answer::Sent(16), More::Follows);
        let notification = (Answer::Notified, More::Last);
        let (first, second) = if reordered { (notification, result) } else { (result, notification) };
        assert!(!is_back(complete(&mut net, send, first.0, first.1)));
        assert!(is_back(complete(&mut net, send, second.0, second.1)));
        assert!(net.operation(send).is_err());
    }
    // Failed, and it owes the notification all the same.
    let (mut net, key) = ring();
    command(&mut net, key, Command::Output(16));
    let send = submit(&mut net, key, Operation::Send, Owed::Both);
    assert!(!is_back(complete(&mut net, send, Answer::SendFailed(Fault::Reset), More::Follows)));
    assert!(is_back(complete(&mut net, send, Answer::Notified, More::Last)));
    // Failed without having begun: nothing follows.
    let (mut net, key) = ring();
    command(&mut net, key, Command::Output(16));
    let send = submit(&mut net, key, Operation::Send, Owed::Both);
    assert!(is_back(complete(&mut net, send, Answer::SendFailed(Fault::Reset), More::Last)));
}

#[test]
fn multishot_is_in_flight_until_its_last() {
    let (mut net, key) = ring();
    let receive = submit(&mut net, key, Operation::Receive, Owed::Stream);
    for _ in 0..3 {
        assert!(!is_back(complete(&mut net, receive, Answer::Received(4), More::Follows)));
    }
    // Out of buffers: the operation is over, the connection is not.
    assert!(is_back(complete(&mut net, receive, Answer::ReceiveFailed(Fault::NoBuffers), More::Last)));
    assert!(net.wants(key).unwrap().receive, "and again");
}

#[test]
fn cancel_is_a_request() {
    let (mut net, key) = ring();
    let receive = submit(&mut net, key, Operation::Receive, Owed::One);
    let wants = command(&mut net, key, Command::Close(Plan::Abort));
    assert_eq!(wants.cancel, Cancels { receive: true, ..Cancels::default() });
    assert_eq!(wants.release, None);
    let cancelling = Input::Outcome(Outcome::Cancelling(Operation::Receive));
    let wants = net.input(key, cancelling, NOW).unwrap();
    assert!(wants.cancel.is_empty(), "once");
    assert!(net.input(key, cancelling, NOW).is_err());
    // It comes too late: what was received is counted.
    assert!(is_back(complete(&mut net, receive, Answer::Received(5), More::Last)));
    assert_eq!(net.wants(key).unwrap().release, None, "the request itself is not answered");
    let answered = Input::Outcome(Outcome::CancelAnswered(Operation::Receive));
    assert_eq!(net.input(key, answered, NOW).unwrap().release, Some(Close::Reset));
    let released = net.release(key, NOW).unwrap();
    assert_eq!(released.report.received, 5);
}

/// A cancel that runs before the submitting call returns would find nothing.
#[test]
fn nothing_is_cancelled_before_its_call_returns() {
    let (mut net, key) = ring();
    let caller = lend(&mut net, key, Operation::Receive, Owed::One);
    assert!(command(&mut net, key, Command::Close(Plan::Abort)).cancel.is_empty());
    match net.taken(caller, NOW).unwrap() {
        Settled::InFlight { wants, .. } => assert!(wants.cancel.receive),
        Settled::Done { .. } => panic!("it is in flight"),
    }
}

/// A silent peer holds the memory of a zero-copy send; a deadline and a want of its own bring it back.
#[test]
fn a_silent_peer_is_severed() {
    let (mut net, key) = ring();
    command(&mut net, key, Command::Output(16));
    let send = submit(&mut net, key, Operation::Send, Owed::Both);
    assert!(!is_back(complete(&mut net, send, Answer::Sent(16), More::Follows)));
    let said = |answer| Input::Outcome(Outcome::Immediate(answer));
    net.input(key, said(Answer::EndOfStream), NOW).unwrap();
    let wants = command(&mut net, key, Command::Close(Plan::Flush));
    assert!(wants.shutdown, "the FIN goes behind what was handed over");
    net.input(key, said(Answer::ShutDown), NOW).unwrap();
    assert_eq!(net.life(key).unwrap().phase(), Phase::Ending);
    let later = NOW + Policy::default().drain_total;
    let (expired, deadline, wants) = net.expire(later).unwrap();
    assert_eq!((expired, deadline), (key, Deadline::DrainTotal));
    assert!(wants.sever && wants.release.is_none());
    let wants = net.input(key, said(Answer::Severed), later).unwrap();
    assert!(!wants.sever);
    let operation = net.operation(send).unwrap();
    match net.complete(operation, Answer::Notified, More::Last, later).unwrap() {
        Settled::Done { buffer, wants } => {
            assert!(buffer.is_some());
            assert_eq!(wants.release, Some(Close::Reset));
        }
        Settled::InFlight { .. } => panic!("nothing is owed"),
    }
}

#[test]
fn a_shutdown_may_be_an_operation_too() {
    let (mut net, key) = ring();
    let wants = command(&mut net, key, Command::Close(Plan::Finish));
    assert!(wants.shutdown);
    let shutdown = net.lend(key, Operation::Shutdown, Owed::One, None, NOW).unwrap();
    assert!(!net.wants(key).unwrap().shutdown, "one is enough");
    let data = match net.taken(shutdown, NOW).unwrap() {
        Settled::InFlight { operation, .. } => operation.into_user_data(),
        Settled::Done { .. } => panic!("it is in flight"),
    };
    let settled = complete(&mut net, data, Answer::ShutDown, More::Last);
    assert!(matches!(settled, Settled::Done { buffer: None, .. }));
}

#[test]
fn a_paused_or_half_closed_connection_is_watched() {
    let (mut net, key) = ring();
    assert!(!net.wants(key).unwrap().watch);
    let wants = command(&mut net, key, Command::Pause);
    assert!(wants.watch && !wants.receive);
    let watch = submit(&mut net, key, Operation::Watch, Owed::Stream);
    let hung_up = hangup::Hint::HANG_UP.with(hangup::Hint::ERROR);
    let settled = complete(&mut net, watch, Answer::Watched(hung_up), More::Follows);
    assert!(matches!(settled, Settled::InFlight { wants, .. } if wants.inquire));
}

/// A number names one submission: not the next of its kind, not the next connection of the place.
#[test]
fn numbers_of_the_past_are_stale() {
    let (mut net, key) = ring();
    let first = submit(&mut net, key, Operation::Receive, Owed::One);
    assert!(is_back(complete(&mut net, first, Answer::Received(1), More::Last)));
    let second = submit(&mut net, key, Operation::Receive, Owed::One);
    assert_ne!(first, second);
    assert!(net.operation(first).is_err());
    let settled = complete(&mut net, second, Answer::ReceiveFailed(Fault::Reset), More::Last);
    assert!(is_back(settled));
    net.release(key, NOW).unwrap();
    let next = net.vacant().unwrap().accept((), NOW);
    assert_ne!(next, key);
    let third = submit(&mut net, next, Operation::Receive, Owed::One);
    assert!(net.operation(second).is_err());
    assert!(net.operation(u64::MAX).is_err());
    assert!(net.operation(0).is_err());
    assert!(is_back(complete(&mut net, third, Answer::Received(1), More::Last)));
}

/// What the kernel may still write to is not freed.
#[test]
fn a_table_that_is_dropped_leaks_what_is_lent() {
    #[derive(Debug)]
    struct Buffer(std::rc::Rc<std::cell::Cell<u32>>);
    impl Drop for Buffer {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = std::rc::Rc::default();
    let mut net: Table<(), Buffer> = Table::new(Mechanism::Ring, Policy::default());
    let keys: Vec<Key> = (0..2).map(|_| net.vacant().unwrap().accept((), NOW)).collect();
    for &key in &keys {
        let buffer = Some(Buffer(std::rc::Rc::clone(&drops)));
        let operation = net.lend(key, Operation::Receive, Owed::One, buffer, NOW).unwrap();
        if key == keys[0] {
            drop(net.returned(operation, Answer::Received(1), NOW).unwrap());
        } else {
            operation.into_user_data();
        }
    }
    assert_eq!(drops.get(), 1, "one came back");
    drop(net);
    assert_eq!(drops.get(), 1, "the other is with the OS for ever");
}

#[test]
fn the_address_of_a_lent_buffer_is_for_the_adapter() {
    let (mut net, key) = ring();
    let operation = lend(&mut net, key, Operation::Receive, Owed::One);
    assert_eq!(operation.key(), key);
    assert_eq!(operation.operation(), Operation::Receive);
    let before = net.lent_mut(&operation).unwrap().as_ptr();
    let others: Vec<Key> = (0..100).map(|_| net.vacant().unwrap().accept((), NOW)).collect();
    for key in others {
        submit(&mut net, key, Operation::Receive, Owed::One);
    }
    assert_eq!(net.lent_mut(&operation).unwrap().as_ptr(), before, "growing the table moves no buffer");
    assert!(is_back(net.returned(operation, Answer::ReceiveFailed(Fault::NoBuffers), NOW).unwrap()));
}

/// The code comes with the answer, by both doors, and the one that decided is kept.
#[test]
fn the_code_of_an_operation_is_kept() {
    let reset = RawCode::native(Os::Linux, 104);
    for at_once in [false, true] {
        let (mut net, key) = ring();
        let failed = Answer::ReceiveFailed(reset.fault());
        let settled = if at_once {
            let operation = lend(&mut net, key, Operation::Receive, Owed::One);
            net.returned_with_code(operation, failed, reset, NOW)
        } else {
            let data = submit(&mut net, key, Operation::Receive, Owed::One);
            let operation = net.operation(data).unwrap();
            net.complete_with_code(operation, failed, More::Last, reset, NOW)
        };
        assert!(is_back(settled.unwrap()));
        assert_eq!(net.code(key), Ok(Some(reset)));
        assert_eq!(net.release(key, NOW).unwrap().report.raw, Some(reset));
    }
}

/// What was lent is answered by its own doors only: the other one could not give the buffer back.
#[test]
fn a_buffer_comes_back_by_its_own_door() {
    let (mut net, key) = ring();
    let output = Input::Command(Command::Output(4));
    net.input(key, output, NOW).unwrap();
    let send = submit(&mut net, key, Operation::Send, Owed::One);
    let answer = Answer::Sent(4);
    for outcome in [
        Outcome::Completed(answer, More::Last),
        Outcome::Immediate(answer),
        Outcome::Pending(Operation::Send),
    ] {
        let before = net.life(key);
        assert!(
            matches!(net.input(key, Input::Outcome(outcome), NOW), Err(InputError::Refused(_))),
            "{outcome:?}"
        );
        assert_eq!(net.life(key), before);
    }
    assert_eq!(net.audit().refused, 3);
    // Another kind of operation is not kept from its own door by it.
    let asked = Input::Hint(hangup::Hint::HANG_UP);
    net.input(key, asked, NOW).unwrap();
    net.input(key, Input::Outcome(Outcome::Immediate(Answer::NoError)), NOW).unwrap();
    // Nor is one that lent nothing.
    let receive = net.lend(key, Operation::Receive, Owed::One, None, NOW).unwrap();
    assert!(net.lent_mut(&receive).is_none());
    net.input(key, Input::Outcome(Outcome::Pending(Operation::Receive)), NOW).unwrap();
    net.input(key, Input::Outcome(Outcome::Completed(Answer::Received(1), More::Last)), NOW).unwrap();
    assert!(is_back(complete(&mut net, send, answer, More::Last)));
}
