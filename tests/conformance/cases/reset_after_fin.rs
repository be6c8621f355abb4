//! The peer had finished, and then reset us: on Windows 10053, and often because we wrote.

use hangup::Cause;
use hangup_testkit::peer::Act;

use super::{digest, millis, we_got};
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{HALF_CLOSED, RESET, RESET_HINTED, certain, inferred};
use crate::running::Running;

pub(super) const CASES: &[Case] = &[
    Case::new("reset_after_fin/because_we_wrote", because_we_wrote, &[certain(Cause::ResetAfterFin)])
        .windows(
            &[inferred(Cause::ResetAfterFin), certain(Cause::ResetAfterFin)],
            &[],
            "there is no 10053: the event's abort flag after an end of stream tells, or the next send with 10054",
        ),
    Case::new("reset_after_fin/by_itself", by_itself, &[certain(Cause::ResetAfterFin)]).windows(
        &[inferred(Cause::ResetAfterFin)],
        &[certain(Cause::ResetAfterFin)],
        "as above",
    )
    .ports(&[HALF_CLOSED], &[], BLIND),
    Case::new("reset_after_fin/both_unread", both_unread, &[inferred(Cause::ResetAfterFin)]).windows(
        &[RESET_HINTED],
        &[inferred(Cause::ResetAfterFin)],
        "the event shows only the abort, so that the FIN before it cannot be known; Linux has EPIPE for it",
    )
    .ports(&[HALF_CLOSED], &[RESET, inferred(Cause::LocalStackAborted)], BLIND),
];

const BLIND: &str =
    "after the end of the stream nothing is in flight that could tell; a deadline ends the wait";

/// A loop that ends the wait of a half-closed connection soon, where nothing else does.
fn serve(stage: &Stage, behaviour: Behaviour) -> Running {
    let mut setup = stage.setup(behaviour);
    if stage.is_port() {
        setup.policy.half_closed = millis(100);
    }
    stage.start(setup)
}

/// The peer closes, we do not care and write: the first write is answered by a reset.
fn because_we_wrote(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peer = stage.peer(&we);
    peer.play([Act::Send(5), Act::Close]);
    we.until(0, "the end of the peer's stream", |seen| seen.end);
    while we.with(0, |conn, app| app.say(conn, 100)).is_ok() && we.rounds() < 10_000 {}
    let ended = we.ended(0);
    stage.judge(&ended);
    assert!(ended.report.sent >= 100, "{}", ended.report);
    we_got(&we.seen(0), stage.seed, 5);
    we.stop();
}

/// The same order without a word from us.
fn by_itself(stage: &Stage) {
    let we = serve(stage, Behaviour::READER);
    let mut peer = stage.peer(&we);
    peer.act(Act::Finish);
    we.until(0, "the end of the peer's stream", |seen| seen.end);
    peer.act(Act::Reset);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.sent, 0);
    we.stop();
}

/// Data, FIN and reset are all there before we look.
fn both_unread(stage: &Stage) {
    let we = serve(stage, Behaviour::PAUSED);
    let mut peer = stage.peer(&we);
    let held = we.hold();
    peer.play([Act::Send(5), Act::Finish, Act::Reset]);
    drop(held);
    we.with(0, |conn, _| conn.resume()).unwrap();
    stage.judge(&we.ended(0));
    let seen = we.seen(0);
    if cfg!(windows) {
        assert_eq!(seen.digest.get(), digest(stage.seed, seen.received));
    } else {
        we_got(&seen, stage.seed, 5);
    }
    we.stop();
}
