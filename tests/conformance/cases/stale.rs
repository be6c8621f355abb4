//! Keys outlive their connections, numbers are reused, and nothing comes of either.

use std::sync::mpsc::channel;

use hangup::{Cause, InputError, Plan};
use hangup_testkit::peer::{Act, Doorway, How};

use super::we_got;
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{CLEAN, certain};
use crate::running::{Deferred, PATIENCE};

pub(super) const CASES: &[Case] = &[
    Case::new("stale/key_of_an_ended_connection", key_of_an_ended_connection, &[CLEAN]),
    Case::new("stale/key_of_another_loop", key_of_another_loop, &[CLEAN]),
    Case::new("stale/keys_are_not_reused", keys_are_not_reused, &[CLEAN]),
    Case::new(
        "stale/number_reused_within_a_batch",
        number_reused_within_a_batch,
        &[CLEAN, certain(Cause::LocalAbort)],
    )
    .alone("the numbers of descriptors are the process's"),
];

fn key_of_an_ended_connection(stage: &Stage) {
    let we = stage.serve(Behaviour::POLITE);
    stage.peer(&we).act(Act::Close);
    stage.judge(&we.ended(0));
    let before = we.hands(|hands| hands.engine.audit().stale);
    let refused = we.with(0, |conn, _| conn.close(Plan::Abort));
    assert!(matches!(refused, Err(InputError::Stale(_))), "{refused:?}");
    let audit = we.stop();
    assert_eq!(audit.stale, before + 1, "a stale key is counted");
}

fn key_of_another_loop(stage: &Stage) {
    let (we, other) = (stage.serve(Behaviour::POLITE), stage.serve(Behaviour::POLITE));
    let (mut peer, mut others) = (stage.peer(&we), stage.peer(&other));
    let key = we.hands(|hands| hands.key(0));
    let refused = other.hands(move |hands| hands.engine.with(key, &mut |conn, _| conn.close(Plan::Abort)));
    assert!(matches!(refused, Err(InputError::Foreign(_))), "{refused:?}");
    peer.act(Act::Close);
    others.act(Act::Close);
    stage.judge(&we.ended(0));
    stage.judge(&other.ended(0));
    we.stop();
    assert_eq!(other.abandon().foreign, 1, "a foreign key is counted");
}

fn keys_are_not_reused(stage: &Stage) {
    let we = stage.serve(Behaviour::POLITE);
    for number in 0..50 {
        stage.peer(&we).act(Act::Close);
        stage.judge(&we.ended(number));
    }
    let keys = we.hands(|hands| (0..50).map(|number| hands.key(number)).collect::<Vec<_>>());
    let different: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(different.len(), 50);
    we.stop();
}

/// Two connections are ready in one batch. The handler of whichever comes first aborts the other, whose
/// number goes to a new connection before its event is looked at.
fn number_reused_within_a_batch(stage: &Stage) {
    let door = Doorway::open(16, &stage.wiring()).expect("a port to listen on");
    let ((tell, told), address) = (channel(), door.address());
    let deferred = Deferred::new(move |hands, first| {
        let other = 1 - first;
        let old = hands.with(other, |conn, _| {
            conn.close(Plan::Abort);
            conn.descriptor()
        });
        let new = hands.connect(address, Behaviour::POLITE).expect("a socket to connect with");
        let new = hands.with(new, |conn, _| conn.descriptor());
        tell.send((old.unwrap(), new.unwrap())).unwrap();
    });
    let we = stage.serve(Behaviour { first_input: Some(deferred), ..Behaviour::POLITE });
    let (mut one, mut two) = (stage.peer(&we), stage.peer(&we));
    let held = we.hold();
    one.act(Act::Send(5));
    two.act(Act::Send(5));
    drop(held);

    let (old, new) = told.recv_timeout(PATIENCE).expect("one of the two is first");
    // While something is parked with the OS, the descriptor stays open and its number taken.
    let may_differ = cfg!(windows) || stage.completes();
    assert!(old.is_some() && (old == new || may_differ), "the number was not reused: {old:?}, {new:?}");
    let mut line = door.accept().expect("our connect");
    line.play([Act::Send(9), Act::Finish]);
    let end = line.act(Act::ReadToEnd);
    assert_eq!(end.how, How::End, "the new connection was hit by an event of the old one");
    one.act(Act::Close);
    two.act(Act::Close);
    for ended in we.all_ended() {
        stage.judge(&ended);
    }
    we_got(&we.seen(2), stage.seed, 9);
    let received: Vec<u64> = (0..2).map(|number| we.seen(number).received).collect();
    assert!(received == [5, 0] || received == [0, 5], "{received:?}");
    let audit = we.stop();
    // Where it completes, it was owed, and its connection waited for it.
    assert!(
        audit.stale >= 1 || stage.completes(),
        "the event of the old connection was not counted: {audit:?}"
    );
}
