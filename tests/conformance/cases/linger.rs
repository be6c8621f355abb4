//! Answers that are given before the request was read: the lingering close, and each of its limits.

use hangup::{Cause, DrainEnd, Plan, Policy};
use hangup_testkit::peer::{Act, How, Wiring};

use super::{got_all, millis};
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{CLOSED, End, certain};
use crate::running::Setup;

const fn given_up(end: DrainEnd) -> End {
    certain(Cause::LocalClose).drained(end)
}

pub(super) const CASES: &[Case] = &[
    Case::new("linger/early_answer", early_answer, &[CLOSED]),
    Case::new("linger/early_answer_to_a_half_reader", early_answer_to_a_half_reader, &[CLOSED]),
    Case::new("linger/budget", budget, &[given_up(DrainEnd::Budget)]),
    Case::new("linger/idle", idle, &[given_up(DrainEnd::IdleDeadline)]),
    Case::new("linger/total", total, &[given_up(DrainEnd::TotalDeadline)]),
    Case::new("linger/stalled", stalled, &[given_up(DrainEnd::Stalled)]),
    Case::new("linger/reset_on_the_way", reset_on_the_way, &[given_up(DrainEnd::Failed)]).windows(
        &[CLOSED, given_up(DrainEnd::Failed)],
        &[],
        "the reset is swallowed, and a receive made before the event is looked at returns 0, as after a FIN",
    )
    .ports(&[given_up(DrainEnd::Failed), CLOSED], &[], super::LATE),
    Case::new("linger/with_output_after_budget", with_output_after_budget, &[given_up(DrainEnd::Budget)]),
];

const EVERYTHING: usize = 8 << 20;

fn endless(most: usize) -> Act {
    Act::SendUntilItFails { most, piece: 64 * 1024, pause: millis(0) }
}

/// The peer writes 8 MiB before it reads a byte; the answer came after 512. It arrives whole.
fn early_answer(stage: &Stage) {
    let answer = 64 * 1024;
    let we = stage.serve(Behaviour { piece: 512, ..Behaviour::answer(512, answer, Some(Plan::Linger)) });
    let mut peer = stage.peer(&we);
    let sent = peer.act(endless(EVERYTHING));
    assert_eq!((sent.how, sent.bytes), (How::Done, EVERYTHING as u64), "a reset overtook the answer");
    peer.act(Act::Finish);
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, answer as u64);
    let ended = we.ended(0);
    stage.judge(&ended);
    let read = we.seen(0).received;
    assert_eq!(ended.report.received, EVERYTHING as u64);
    assert_eq!(ended.report.discarded, EVERYTHING as u64 - read);
    assert_eq!((ended.report.sent, ended.report.unsent), (answer as u64, 0));
    we.stop();
}

/// The answer does not fit the buffers, and the peer reads it while it writes on.
fn early_answer_to_a_half_reader(stage: &Stage) {
    let answer = 1 << 20;
    let setup = stage.setup(Behaviour { piece: 512, ..Behaviour::answer(512, answer, Some(Plan::Linger)) });
    let we = stage.start(Setup { send_buffer: Some(16 * 1024), ..setup });
    let mut peer = stage.peer(&we);
    for _ in 0..16 {
        assert_eq!(peer.act(Act::Send(EVERYTHING / 16)).how, How::Done);
        assert_eq!(peer.act(Act::Read(answer / 16)).how, How::Done);
    }
    peer.act(Act::Finish);
    let end = peer.act(Act::ReadToEnd);
    assert_eq!((end.how, end.digest), (How::End, super::digest(stage.seed + 1, answer as u64)));
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.received, EVERYTHING as u64);
    we.stop();
}

fn budget(stage: &Stage) {
    let mut setup = stage.setup(Behaviour::answer(512, 1000, Some(Plan::Linger)));
    setup.policy.drain_budget = 256 * 1024;
    let we = stage.start(setup);
    let mut peer = stage.peer(&we);
    let sent = peer.act(endless(usize::MAX));
    assert!(sent.is_failed(), "{sent:?}");
    let ended = we.ended(0);
    stage.judge(&ended);
    let discarded = ended.report.discarded;
    assert!(discarded > 256 * 1024, "given up too early: {}", ended.report);
    assert!(discarded < 2 * 256 * 1024, "a budget of 256 KiB, and {discarded} bytes were taken");
    we.stop();
}

fn idle(stage: &Stage) {
    let mut setup = stage.setup(Behaviour::answer(512, 1000, Some(Plan::Linger)));
    setup.policy.drain_idle = millis(80);
    let we = stage.start(setup);
    let mut peer = stage.peer(&we);
    peer.act(Act::Send(600));
    let ended = we.ended(0);
    stage.judge(&ended);
    assert!(ended.report.duration >= millis(80), "{}", ended.report);
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, 1000);
    we.stop();
}

/// A peer that drips renews the idle deadline, and not the total one.
fn total(stage: &Stage) {
    let mut setup = stage.setup(Behaviour::answer(1, 1000, Some(Plan::Linger)));
    setup.policy = Policy { drain_total: millis(200), drain_idle: millis(10_000), ..setup.policy };
    let we = stage.start(setup);
    let mut peer = stage.peer(&we);
    peer.begin(Act::SendUntilItFails { most: 20_000, piece: 1, pause: millis(2) });
    let ended = we.ended(0);
    stage.judge(&ended);
    assert!(ended.report.duration >= millis(200), "{}", ended.report);
    assert!(ended.report.discarded > 0, "{}", ended.report);
    assert!(peer.seen().is_failed(), "the peer was not stopped");
    we.stop();
}

/// The peer does not take the answer.
fn stalled(stage: &Stage) {
    let count = 4 << 20;
    let mut setup = stage.setup(Behaviour::answer(1, count, Some(Plan::Linger)));
    setup.policy.stall = millis(100);
    let we = stage.start(Setup { send_buffer: Some(16 * 1024), ..setup });
    let wiring = Wiring { receive_buffer: Some(16 * 1024), ..stage.wiring() };
    let mut peer = stage.wired(&we, wiring);
    peer.act(Act::Send(1));
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.plan, Some(Plan::Abort), "what does not flush is aborted");
    assert_eq!(ended.report.sent + ended.report.unsent, count as u64);
    super::got_reset(&peer.act(Act::ReadToEnd));
    we.stop();
}

fn reset_on_the_way(stage: &Stage) {
    let we = stage.serve(Behaviour::answer(1, 1000, Some(Plan::Linger)));
    let mut peer = stage.peer(&we);
    peer.act(Act::Send(1));
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, 1000);
    peer.play([Act::Send(500), Act::Reset]);
    stage.judge(&we.ended(0));
    we.stop();
}

/// The budget is used up before the output is out: what is still to be written is written.
fn with_output_after_budget(stage: &Stage) {
    let count = 600_000;
    let mut setup = stage.setup(Behaviour::answer(1, count, Some(Plan::Linger)));
    setup.policy.drain_budget = 10_000;
    let we = stage.start(Setup { send_buffer: Some(16 * 1024), ..setup });
    let wiring = Wiring { receive_buffer: Some(16 * 1024), ..stage.wiring() };
    let mut peer = stage.wired(&we, wiring);
    peer.act(Act::Send(1));
    we.until(0, "a send that would block", |seen| seen.blocked);
    peer.act(Act::Send(20_000));
    while we.life(0).drain_end().is_none() && we.rounds() < 1000 {
        we.hands(|_| ());
    }
    let end = peer.act(Act::Read(count));
    assert_eq!((end.how, end.bytes), (How::Done, count as u64));
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!((ended.report.sent, ended.report.unsent), (count as u64, 0));
    we.stop();
}
