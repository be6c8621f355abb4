//! Closing plans other than a long linger: flush, abort, and what follows what.

use hangup::{Blame, Cause, DrainEnd, Plan, Retry, SendHalf};
use hangup_testkit::peer::{Act, How, Wiring};

use super::{got_all, got_reset, millis};
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{CLOSED, certain};
use crate::running::Setup;

const ABORTED: &[crate::expect::End] = &[certain(Cause::LocalAbort)];

pub(super) const CASES: &[Case] = &[
    Case::new("closing/flush_to_a_slow_reader", flush_to_a_slow_reader, &[CLOSED]),
    Case::new("closing/flush_meets_input", flush_meets_input, &[CLOSED]),
    Case::new(
        "closing/flush_with_silent_peer",
        flush_with_silent_peer,
        &[certain(Cause::LocalClose).drained(DrainEnd::TotalDeadline)],
    ),
    Case::new("closing/abort", abort, ABORTED),
    Case::new("closing/abort_with_output", abort_with_output, ABORTED),
    Case::new("closing/abort_with_input_unread", abort_with_input_unread, ABORTED),
    Case::new("closing/escalation", escalation, &[certain(Cause::LocalClose).drained(DrainEnd::Failed)]),
    Case::new("closing/weaker_plan_changes_nothing", weaker_plan_changes_nothing, &[CLOSED]),
    Case::new("closing/close_twice", close_twice, &[CLOSED]),
    Case::new(
        "closing/reset_during_flush",
        reset_during_flush,
        &[certain(Cause::LocalClose).drained(DrainEnd::Failed)],
    ),
    Case::new("closing/blame", blame, &[certain(Cause::Protocol).drained(DrainEnd::PeerFinished)]),
];

/// All bytes arrive, and then the FIN.
fn flush_to_a_slow_reader(stage: &Stage) {
    let count = 600_000;
    let setup = stage.setup(Behaviour::greeting(count, Some(Plan::Flush)));
    let we = stage.start(Setup { send_buffer: Some(16 * 1024), ..setup });
    let wiring = Wiring { receive_buffer: Some(16 * 1024), ..stage.wiring() };
    let mut peer = stage.wired(&we, wiring);
    we.until(0, "a send that would block", |seen| seen.blocked);
    assert_eq!(we.life(0).send_half(), SendHalf::FinQueued);
    got_all(&peer.act(Act::ReadSlowly { piece: 16 * 1024, pause: millis(1) }), stage.seed + 1, count as u64);
    peer.act(Act::Close);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!((ended.report.sent, ended.report.unsent), (count as u64, 0));
    assert_eq!(ended.report.plan, Some(Plan::Flush));
    we.stop();
}

/// A peer that still talks gets the answer whole, and no reset.
fn flush_meets_input(stage: &Stage) {
    let we = stage.serve(Behaviour::answer(10, 1000, Some(Plan::Flush)));
    let mut peer = stage.peer(&we);
    peer.play([Act::Send(10), Act::Read(1000), Act::Send(5000), Act::Finish]);
    let end = peer.act(Act::ReadToEnd);
    assert_eq!(end.how, How::End, "{:?}", peer.history());
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.plan, Some(Plan::Linger));
    assert_eq!((ended.report.received, ended.report.discarded), (5010, 5000));
    we.stop();
}

/// A flush has an end too.
fn flush_with_silent_peer(stage: &Stage) {
    let mut setup = stage.setup(Behaviour::greeting(100, Some(Plan::Flush)));
    setup.policy.drain_total = millis(80);
    let we = stage.start(setup);
    let mut peer = stage.peer(&we);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert!(ended.report.duration >= millis(80), "{}", ended.report);
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, 100);
    we.stop();
}

fn abort(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peer = stage.peer(&we);
    we.with(0, |conn, _| conn.close(Plan::Abort)).unwrap();
    got_reset(&peer.act(Act::ReadToEnd));
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!((ended.report.plan, ended.report.retry), (Some(Plan::Abort), Retry::NeverSent));
    we.stop();
}

fn abort_with_output(stage: &Stage) {
    let count = 4 << 20;
    let setup = stage.setup(Behaviour::greeting(count, None));
    let we = stage.start(Setup { send_buffer: Some(16 * 1024), ..setup });
    let wiring = Wiring { receive_buffer: Some(16 * 1024), ..stage.wiring() };
    let mut peer = stage.wired(&we, wiring);
    we.until(0, "a send that would block", |seen| seen.blocked);
    we.with(0, |conn, _| conn.close(Plan::Abort)).unwrap();
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.sent + ended.report.unsent, count as u64);
    assert!(ended.report.unsent > 0, "{}", ended.report);
    let end = peer.act(Act::ReadToEnd);
    got_reset(&end);
    assert!(end.bytes <= ended.report.sent, "more arrived than was sent: {end:?}");
    we.stop();
}

fn abort_with_input_unread(stage: &Stage) {
    let we = stage.serve(Behaviour::PAUSED);
    let mut peer = stage.peer(&we);
    peer.play([Act::Send(1000), Act::Finish]);
    we.with(0, |conn, _| conn.close(Plan::Abort)).unwrap();
    got_reset(&peer.act(Act::ReadToEnd));
    stage.judge(&we.ended(0));
    we.stop();
}

/// Flush, linger, abort: each is taken, and the cause is the first one's.
fn escalation(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peer = stage.peer(&we);
    let plans = we.with(0, |conn, _| {
        [Plan::Finish, Plan::Flush, Plan::Linger].map(|plan| {
            conn.close(plan);
            conn.life().unwrap().plan().unwrap()
        })
    });
    assert_eq!(plans, Ok([Plan::Finish, Plan::Flush, Plan::Linger]));
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    we.with(0, |conn, _| conn.close(Plan::Abort)).unwrap();
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.plan, Some(Plan::Abort));
    peer.act(Act::Send(1));
    assert!(!peer.act(Act::Send(1)).how.eq(&How::Done), "{:?}", peer.history());
    we.stop();
}

fn weaker_plan_changes_nothing(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peer = stage.peer(&we);
    let lives = we.with(0, |conn, _| {
        [Plan::Linger, Plan::Flush, Plan::Finish, Plan::Linger].map(|plan| {
            conn.close(plan);
            conn.life().unwrap()
        })
    });
    let lives = lives.unwrap();
    assert_eq!(lives, [lives[0]; 4]);
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    we.with(0, |conn, _| conn.close(Plan::Flush)).unwrap();
    peer.play([Act::Send(77), Act::Close]);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!((ended.report.plan, ended.report.discarded), (Some(Plan::Linger), 77));
    we.stop();
}

fn close_twice(stage: &Stage) {
    let we = stage.serve(Behaviour::greeting(3000, Some(Plan::Flush)));
    let mut peer = stage.peer(&we);
    for _ in 0..3 {
        we.with(0, |conn, _| conn.close(Plan::Flush)).unwrap();
    }
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, 3000);
    peer.act(Act::Close);
    stage.judge(&we.ended(0));
    we.stop();
}

fn reset_during_flush(stage: &Stage) {
    let count = 4 << 20;
    let setup = stage.setup(Behaviour::greeting(count, Some(Plan::Flush)));
    let we = stage.start(Setup { send_buffer: Some(16 * 1024), ..setup });
    let wiring = Wiring { receive_buffer: Some(16 * 1024), ..stage.wiring() };
    let mut peer = stage.wired(&we, wiring);
    we.until(0, "a send that would block", |seen| seen.blocked);
    peer.act(Act::Reset);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.sent + ended.report.unsent, count as u64);
    we.stop();
}

/// The application knows better.
fn blame(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peer = stage.peer(&we);
    we.with(0, |conn, _| {
        conn.blame(Blame::Protocol);
        conn.blame(Blame::Shed);
        conn.close(Plan::Linger);
    })
    .unwrap();
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    peer.act(Act::Close);
    stage.judge(&we.ended(0));
    we.stop();
}
