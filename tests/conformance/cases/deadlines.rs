//! Every wait has an end, and none comes early.
//!
//! How long a wait lasted is only ever compared with the policy, from below: a busy machine may be late.

use hangup::{Cause, DrainEnd, Plan, Timeout};
use hangup_testkit::peer::{Act, Wiring};

use super::{got_all, got_reset, millis};
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{CLEAN, End, certain};
use crate::running::Setup;

const fn timed_out(timeout: Timeout) -> End {
    certain(Cause::TimedOut(timeout))
}

pub(super) const CASES: &[Case] = &[
    Case::new("deadlines/idle", idle, &[timed_out(Timeout::Idle).drained(DrainEnd::PeerFinished)]),
    Case::new(
        "deadlines/idle_is_renewed",
        idle_is_renewed,
        &[timed_out(Timeout::Idle).drained(DrainEnd::PeerFinished)],
    ),
    Case::new(
        "deadlines/idle_with_deaf_peer",
        idle_with_deaf_peer,
        &[timed_out(Timeout::Idle).drained(DrainEnd::IdleDeadline)],
    ),
    Case::new("deadlines/stall", stall, &[timed_out(Timeout::Stall)]),
    Case::new("deadlines/stall_is_renewed", stall_is_renewed, &[CLEAN]),
    Case::new("deadlines/half_closed_by_peer", half_closed_by_peer, &[timed_out(Timeout::HalfClosed)]),
    Case::new("deadlines/half_closed_by_us", half_closed_by_us, &[timed_out(Timeout::HalfClosed)]),
];

fn idle(stage: &Stage) {
    let mut setup = stage.setup(Behaviour::READER);
    setup.policy.idle = Some(millis(80));
    let we = stage.start(setup);
    let mut peer = stage.peer(&we);
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    peer.act(Act::Close);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.plan, Some(Plan::Linger), "silence is no crime: leave is taken in order");
    assert!(ended.report.duration >= millis(80), "{}", ended.report);
    we.stop();
}

fn idle_is_renewed(stage: &Stage) {
    let idle = millis(120);
    let mut setup = stage.setup(Behaviour::READER);
    setup.policy.idle = Some(idle);
    let we = stage.start(setup);
    let mut peer = stage.peer(&we);
    for _ in 0..10 {
        peer.begin(Act::Send(1));
        peer.begin(Act::Sleep(millis(20)));
    }
    peer.begin(Act::ReadToEnd);
    peer.begin(Act::Close);
    let ended = we.ended(0);
    stage.judge(&ended);
    // The last of ten bytes came after nine pauses. The clock of the deadlines has whole milliseconds.
    assert!(ended.report.duration + millis(2) >= millis(9 * 20) + idle, "{}", ended.report);
    we.stop();
}

fn idle_with_deaf_peer(stage: &Stage) {
    let mut setup = stage.setup(Behaviour::READER);
    (setup.policy.idle, setup.policy.drain_idle) = (Some(millis(60)), millis(60));
    let we = stage.start(setup);
    let _peer = stage.peer(&we);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert!(ended.report.duration >= millis(120), "{}", ended.report);
    we.stop();
}

fn stall(stage: &Stage) {
    let count = 4 << 20;
    let mut setup = stage.setup(Behaviour::greeting(count, None));
    setup.policy.stall = millis(100);
    let we = stage.start(Setup { send_buffer: Some(16 * 1024), ..setup });
    let wiring = Wiring { receive_buffer: Some(16 * 1024), ..stage.wiring() };
    let mut peer = stage.wired(&we, wiring);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.sent + ended.report.unsent, count as u64);
    assert!(ended.report.duration >= millis(100), "{}", ended.report);
    got_reset(&peer.act(Act::ReadToEnd));
    we.stop();
}

/// A slow peer is not one that has stalled.
fn stall_is_renewed(stage: &Stage) {
    let count = 400_000;
    let mut setup = stage.setup(Behaviour { at_end: Some(Plan::Flush), ..Behaviour::greeting(count, None) });
    setup.policy.stall = millis(1500);
    let we = stage.start(Setup { send_buffer: Some(8 * 1024), ..setup });
    let wiring = Wiring { receive_buffer: Some(8 * 1024), ..stage.wiring() };
    let mut peer = stage.wired(&we, wiring);
    peer.act(Act::Finish);
    got_all(&peer.act(Act::ReadSlowly { piece: 8 * 1024, pause: millis(5) }), stage.seed + 1, count as u64);
    stage.judge(&we.ended(0));
    we.stop();
}

fn half_closed_by_peer(stage: &Stage) {
    let mut setup = stage.setup(Behaviour::READER);
    setup.policy.half_closed = millis(80);
    let we = stage.start(setup);
    let mut peer = stage.peer(&we);
    peer.act(Act::Finish);
    got_reset(&peer.act(Act::ReadToEnd));
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.plan, Some(Plan::Abort));
    assert!(ended.report.duration >= millis(80), "{}", ended.report);
    we.stop();
}

fn half_closed_by_us(stage: &Stage) {
    let mut setup = stage.setup(Behaviour::greeting(100, Some(Plan::Finish)));
    setup.policy.half_closed = millis(80);
    let we = stage.start(setup);
    let mut peer = stage.peer(&we);
    let ended = we.ended(0);
    stage.judge(&ended);
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, 100);
    assert!(ended.report.duration >= millis(80), "{}", ended.report);
    we.stop();
}
