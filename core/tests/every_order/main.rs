//! Two workers and one connection, in every order in which they can meet. Run by `.ci/steps loom`.
//!
//! Each scenario is modelled with every placement of up to three preemptions, and with every value that the memory
//! model lets a worker read. The last tests give the table a fault, and demand that a scenario fails.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests: a surprise is a failure")]

mod world;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hangup::shared::fault::{Fault, during};
use hangup::shared::{Mailbox, RemoteError, Table};
use hangup::{
    Answer, Command, Deadline, Input, InputError, Mechanism, More, Operation, Owed, Plan, Policy, ReceiveHalf,
};
use loom::sync::atomic::AtomicU64;
use loom::sync::{Arc, Mutex};

use crate::world::{Buffer, NOW, Socket, World, close, meet, model, said};

fn completion_against_close() {
    model(|| {
        let world = World::new(Mechanism::Port);
        let number = world.submit(Operation::Receive);
        let world = meet(
            world,
            move |world| world.complete(number, Answer::Received(5)),
            |world| world.feed(close(Plan::Abort)),
        );
        world.ended(|cancelled| cancelled <= 1, 1);
    });
}

fn close_against_close() {
    model(|| {
        let world = World::new(Mechanism::Level);
        assert!(world.net.input(world.key, said(Answer::Registered), NOW).unwrap().receive);
        let abort = |world: &World| world.feed(close(Plan::Abort));
        meet(world, abort, abort).ended(|deregistered| deregistered == 1, 0);
    });
}

fn two_completions() {
    model(|| {
        let world = World::new(Mechanism::Port);
        assert!(world.net.input(world.key, Input::Command(Command::Output(5)), NOW).unwrap().send);
        let (receive, send) = (world.submit(Operation::Receive), world.submit(Operation::Send));
        assert!(world.net.input(world.key, close(Plan::Abort), NOW).unwrap().release.is_none());
        let world = meet(
            world,
            move |world| world.complete(receive, Answer::ReceiveFailed(hangup::Fault::Cancelled)),
            move |world| world.complete(send, Answer::Sent(5)),
        );
        world.ended(|cancelled| cancelled <= 1, 2);
    });
}

fn one_completion_twice() {
    model(|| {
        let world = World::new(Mechanism::Port);
        let number = world.submit(Operation::Receive);
        assert!(world.net.input(world.key, close(Plan::Abort), NOW).unwrap().cancel.receive);
        let complete = move |world: &World| {
            let failed = Answer::ReceiveFailed(hangup::Fault::Cancelled);
            let right = world.net.operation(number);
            if let Ok(settled) = right.and_then(|right| world.net.complete(right, failed, More::Last, NOW)) {
                world.settled(settled);
            }
        };
        let world = meet(world, complete, complete);
        assert_eq!(world.net.audit().stale, 1, "one came too late");
        world.ended(|cancelled| cancelled <= 1, 1);
    });
}

/// The OS may complete an operation as soon as it has its number, which is before the call has returned.
fn submit_against_close() {
    model(|| {
        let (os, world) = (Arc::new(Mutex::new(None)), World::new(Mechanism::Port));
        let has = os.clone();
        let submits = move |world: &World| {
            let buffer = Some(Buffer(world.freed.clone()));
            let Ok(right) = world.net.lend(world.key, Operation::Receive, Owed::One, buffer, NOW) else {
                return;
            };
            assert!(world.net.with_lent(&right, |_| ()).is_some());
            *has.lock().unwrap() = Some(right.user_data());
            world.settled(world.net.taken(right, NOW).unwrap());
        };
        let completes = |world: &World| {
            let number = os.lock().unwrap().take();
            number.into_iter().for_each(|number| world.complete(number, Answer::Received(5)));
        };
        let world = meet(world, submits, |world| {
            world.feed(close(Plan::Abort));
            completes(world);
        });
        completes(&world);
        let lent = u32::try_from(world.net.audit().lent).unwrap();
        // A buffer that was not lent has come back with the error.
        assert_eq!(world.freed.load(Relaxed), 1);
        world.ended(|cancelled| cancelled <= 1, lent);
    });
}

/// The call says at once that it failed, while the connection is being closed: the buffer comes back once.
fn failed_submit_against_close() {
    model(|| {
        let world = World::new(Mechanism::Port);
        let submits = |world: &World| {
            let buffer = Some(Buffer(world.freed.clone()));
            let Ok(right) = world.net.lend(world.key, Operation::Receive, Owed::One, buffer, NOW) else {
                return;
            };
            let failed = Answer::ReceiveFailed(hangup::Fault::Reset);
            world.settled(world.net.returned(right, failed, NOW).unwrap());
        };
        let world = meet(world, submits, |world| world.feed(close(Plan::Abort)));
        let lent = u32::try_from(world.net.audit().lent).unwrap();
        assert_eq!(world.freed.load(Relaxed), 1);
        world.ended(|cancelled| cancelled == 0, lent);
    });
}

/// What the connection owns is not taken out under somebody who uses it.
fn use_against_release() {
    model(|| {
        let world = World::new(Mechanism::Port);
        let uses = |world: &World| {
            let used = world.net.with(world.key, |socket| {
                world.descriptor.with_mut(|_| ());
                socket.0
            });
            assert!(matches!(used, Ok(1) | Err(InputError::Stale(_))));
        };
        let world = meet(world, uses, |world| world.feed(close(Plan::Abort)));
        world.ended(|performed| performed == 0, 0);
    });
}

/// The new connection in the place has the very life that the old one had.
fn stale_use_against_reuse() {
    model(|| {
        let world = World::new(Mechanism::Port);
        let life = world.net.life(world.key).unwrap();
        let reuses = move |world: &World| {
            world.feed(close(Plan::Abort));
            assert_eq!(world.released.load(Relaxed), 1);
            let key = world.net.accept(Socket(2), NOW).unwrap();
            assert_ne!(key, world.key);
            (key, life)
        };
        let new = std::sync::Arc::new(std::sync::Mutex::new(None));
        let set = new.clone();
        let world = meet(
            world,
            move |world| *set.lock().unwrap() = Some(reuses(world)),
            |world| {
                let _late = world.net.input(world.key, Input::Command(Command::Pause), NOW);
                let seen = world.net.with(world.key, |socket| socket.0);
                assert!(matches!(seen, Ok(1) | Err(InputError::Stale(_))), "never the next one's");
            },
        );
        let (key, life) = new.lock().unwrap().unwrap();
        assert_eq!(world.net.life(key), Ok(life), "the old key has not moved the new connection");
        assert_eq!(world.net.with(key, |socket| socket.0), Ok(2));
        assert_eq!((world.net.audit().acquired, world.net.audit().held()), (2, 1));
    });
}

/// A key may reach another worker by a way that orders nothing, such as a token in the OS.
fn a_key_by_way_of_the_os() {
    model(|| {
        let (os, world) = (Arc::new(AtomicU64::new(0)), World::new(Mechanism::Port));
        assert!(!world.net.input(world.key, Input::Command(Command::Pause), NOW).unwrap().receive);
        let has = os.clone();
        let begins = move |world: &World| {
            world.feed(close(Plan::Abort));
            let key = world.net.accept(Socket(2), NOW).unwrap();
            let token = u64::try_from(world.net.token(key)).unwrap();
            has.store(token, loom::sync::atomic::Ordering::Relaxed);
        };
        meet(world, begins, |world| match os.load(loom::sync::atomic::Ordering::Relaxed) {
            0 => {}
            token => {
                let key = world.net.key(usize::try_from(token).unwrap());
                if let Ok(life) = world.net.life(key) {
                    assert_eq!(life.receive_half(), ReceiveHalf::Open, "the life of the one before");
                }
            }
        });
    });
}

/// What a worker did between claim and report is over for whoever releases.
fn claim_against_release() {
    model(|| {
        let world = World::new(Mechanism::Level);
        assert!(world.net.input(world.key, said(Answer::Registered), NOW).unwrap().receive);
        assert!(world.net.input(world.key, close(Plan::Abort), NOW).unwrap().deregister);
        let world = meet(world, |world| world.perform(world.net.wants(world.key).unwrap()), World::release);
        world.ended(|deregistered| deregistered == 1, 0);
    });
}

fn renewal_against_expiry() {
    model(|| {
        let (idle, stall) = (Duration::from_millis(10), Duration::from_millis(5));
        let mut world = World::new(Mechanism::Port);
        world.net = Table::new(Mechanism::Port, Policy { idle: Some(idle), stall, ..Policy::default() });
        world.key = world.net.accept(Socket(1), NOW).unwrap();
        let world = meet(
            world,
            move |world| {
                let passed = world.net.expire(NOW + idle).map(|(_, deadline, _)| deadline);
                assert!(matches!(passed, None | Some(Deadline::Idle | Deadline::Stall)));
            },
            |world| {
                let _wants = world.net.input(world.key, Input::Command(Command::Output(9)), NOW);
            },
        );
        let armed = world.net.life(world.key).unwrap().deadlines();
        let is_armed = armed.whole.is_some() || armed.half.is_some();
        assert!(!is_armed || world.net.next_deadline().is_some(), "no armed deadline is forgotten");
        world.feed(close(Plan::Abort));
        assert_eq!(world.net.next_deadline(), None, "and none outlives its connection");
    });
}

/// A wake for each batch, so no command waits for one that never comes; and none after the door is closed.
fn commands_against_taking() {
    model(|| {
        let mut table: hangup::Table<()> = hangup::Table::new(Mechanism::Ring, Policy::default());
        let key = table.vacant().unwrap().accept((), NOW);
        let mailbox = Arc::new(Mailbox::new(table.id()));
        let others = Arc::clone(&mailbox);
        let put = move |mailbox: &Mailbox, command| mailbox.put(key, command).unwrap();
        let other = loom::thread::spawn(move || {
            let first = put(&others, Command::Pause);
            (first, put(&others, Command::Resume))
        });
        let during = mailbox.take();
        let (first, second) = other.join().unwrap();
        let after = mailbox.take();
        let batches = [&during, &after].iter().filter(|batch| !batch.is_empty()).count();
        assert_eq!(usize::from(first) + usize::from(second), batches, "one wake for each batch");
        assert_eq!([during, after].concat(), [(key, Command::Pause), (key, Command::Resume)]);
        mailbox.close();
        assert_eq!(mailbox.put(key, Command::Pause), Err(RemoteError::Gone));
    });
}

macro_rules! every_order {
    ($($scenario:ident),+ $(,)?) => {
        mod holds {
            $(#[test] fn $scenario() { super::$scenario(); })+
        }
    };
}

every_order!(
    completion_against_close,
    close_against_close,
    two_completions,
    one_completion_twice,
    submit_against_close,
    failed_submit_against_close,
    use_against_release,
    stale_use_against_reuse,
    a_key_by_way_of_the_os,
    claim_against_release,
    renewal_against_expiry,
    commands_against_taking,
);

/// Deliberate faults: a scenario must fail.
mod finds {
    use super::*;

    #[test]
    #[should_panic = "released once"]
    fn a_lost_update_of_the_life() {
        during(Fault::LostUpdate, &["life"], close_against_close);
    }

    #[test]
    #[should_panic]
    fn a_lost_update_of_who_is_inside() {
        during(Fault::LostUpdate, &["tenancy"], stale_use_against_reuse);
    }

    #[test]
    #[should_panic = "the life of the one before"]
    fn a_tenancy_that_orders_nothing() {
        during(Fault::Relaxed, &["tenancy"], a_key_by_way_of_the_os);
    }

    #[test]
    #[should_panic = "Causality violation"]
    fn claims_that_order_nothing() {
        during(Fault::Relaxed, &["life", "tenancy"], claim_against_release);
    }
}
