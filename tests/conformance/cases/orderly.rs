//! Ends in order, from both sides, and what is counted on the way.

use std::io::ErrorKind;

use hangup::{Cause, OnPeerFinish, Plan, Policy, ReceiveHalf, Retry, SendHalf};
use hangup_testkit::peer::{Act, How};

use super::{got_all, we_got};
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{CLEAN, CLOSED, certain};
use crate::running::Setup;

pub(super) const CASES: &[Case] = &[
    Case::new("orderly/fin_after_data", fin_after_data, &[CLEAN]),
    Case::new("orderly/fin_at_once", fin_at_once, &[CLEAN]),
    Case::new("orderly/fin_with_input_unread", fin_with_input_unread, &[CLOSED]),
    Case::new("orderly/peer_is_half_closed", peer_is_half_closed, &[CLEAN]),
    Case::new("orderly/we_are_half_closed", we_are_half_closed, &[certain(Cause::LocalClose)]),
    Case::new("orderly/both_at_once", both_at_once, &[CLOSED]),
    Case::new("orderly/finish_too", finish_too, &[certain(Cause::PeerFinished)]),
    Case::new("orderly/echo_both_ways", echo_both_ways, &[CLEAN]),
    Case::new("orderly/one_read_a_turn", one_read_a_turn, &[CLEAN]),
    Case::new("orderly/fin_waits_for_output", fin_waits_for_output, &[certain(Cause::LocalClose)]),
    Case::new("orderly/fin_after_output_is_given_up", fin_after_output_is_given_up, &[CLOSED]),
    Case::new("orderly/write_after_finish", write_after_finish, &[certain(Cause::LocalClose)]),
    Case::new("orderly/counters", counters, &[CLEAN]),
];

fn fin_after_data(stage: &Stage) {
    let we = stage.serve(Behaviour::POLITE);
    let mut peer = stage.peer(&we);
    peer.play([Act::Send(5), Act::Finish]);
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    let ended = we.ended(0);
    stage.judge(&ended);
    we_got(&we.seen(0), stage.seed, 5);
    assert_eq!((ended.report.receive_half, ended.report.send_half), (ReceiveHalf::Ended, SendHalf::FinSent));
    we.stop();
}

fn fin_at_once(stage: &Stage) {
    let we = stage.serve(Behaviour::POLITE);
    let mut peer = stage.peer(&we);
    peer.act(Act::Finish);
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.retry, Retry::NeverSent);
    we.stop();
}

/// A graceful close with input that nobody has read must not become a reset.
fn fin_with_input_unread(stage: &Stage) {
    let we = stage.serve(Behaviour::PAUSED);
    let mut peer = stage.peer(&we);
    peer.play([Act::Send(1000), Act::Finish]);
    we.with(0, |conn, _| conn.close(Plan::Flush)).unwrap();
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!((ended.report.received, ended.report.discarded), (1000, 1000));
    assert_eq!(ended.report.plan, Some(Plan::Linger), "a flush that meets input becomes a linger");
    we.stop();
}

fn peer_is_half_closed(stage: &Stage) {
    let answer = 1 << 20;
    let behaviour = Behaviour { at_end: Some(Plan::Flush), ..Behaviour::answer(10, answer, None) };
    let we = stage.start(Setup { send_buffer: Some(16 * 1024), ..stage.setup(behaviour) });
    let mut peer = stage.peer(&we);
    peer.play([Act::Send(10), Act::Finish]);
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, answer as u64);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!((ended.report.sent, ended.report.unsent), (answer as u64, 0));
    we.stop();
}

fn we_are_half_closed(stage: &Stage) {
    let we = stage.serve(Behaviour::greeting(100, Some(Plan::Finish)));
    let mut peer = stage.peer(&we);
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, 100);
    peer.play([Act::Send(100_000), Act::Close]);
    stage.judge(&we.ended(0));
    we_got(&we.seen(0), stage.seed, 100_000);
    we.stop();
}

/// The peer's FIN is in our queue, unseen, when we send ours.
fn both_at_once(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peer = stage.peer(&we);
    let held = we.hold();
    peer.act(Act::Finish);
    we.order(|hands| hands.with(0, |conn, _| conn.close(Plan::Flush)).unwrap());
    drop(held);
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    stage.judge_held(&we.ended(0), CLEAN);
    we.stop();
}

fn finish_too(stage: &Stage) {
    let mut setup = stage.setup(Behaviour { echo: true, ..Behaviour::READER });
    setup.policy = Policy { on_peer_finish: OnPeerFinish::FinishToo, ..setup.policy };
    let we = stage.start(setup);
    let mut peer = stage.peer(&we);
    peer.play([Act::Send(5000), Act::Finish]);
    got_all(&peer.act(Act::ReadToEnd), stage.seed, 5000);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.plan, Some(Plan::Finish));
    we.stop();
}

fn echo_both_ways(stage: &Stage) {
    let count = 1 << 20;
    let we = stage.serve(Behaviour::ECHO);
    let mut peer = stage.peer(&we);
    for _ in 0..16 {
        peer.play([Act::Send(count / 16), Act::Read(count / 16)]);
    }
    peer.act(Act::Finish);
    let end = peer.act(Act::ReadToEnd);
    assert_eq!((end.how, end.digest), (How::End, hangup_testkit::peer::digest(stage.seed, count as u64)));
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!((ended.report.received, ended.report.sent), (count as u64, count as u64));
    we.stop();
}

/// A handler that leaves input behind is called again, also where readiness is told only once.
fn one_read_a_turn(stage: &Stage) {
    let we = stage.serve(Behaviour { reads: 1, piece: 1000, ..Behaviour::POLITE });
    let mut peer = stage.peer(&we);
    peer.play([Act::Send(100_000), Act::Finish]);
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    stage.judge(&we.ended(0));
    let seen = we.seen(0);
    we_got(&seen, stage.seed, 100_000);
    assert!(seen.turns >= 100, "{} turns", seen.turns);
    we.stop();
}

/// Output that is only announced holds the FIN back.
fn fin_waits_for_output(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peer = stage.peer(&we);
    let halves = we.with(0, |conn, app| {
        let half = |conn: &dyn crate::subject::Connection| conn.life().unwrap().send_half();
        conn.output(10_000).unwrap();
        conn.close(Plan::Finish);
        let announced = half(conn);
        assert!(conn.output(10_001).is_err(), "output grew after the last word");
        let mut bytes = app.content(10_000);
        let rest = bytes.split_off(4000);
        assert_eq!(conn.write(&bytes).unwrap(), 4000);
        let between = half(conn);
        assert_eq!(conn.write(&rest).unwrap(), 6000);
        [announced, between, half(conn)]
    });
    // What was written is sent at once, or when the operation has completed.
    let written = if stage.completes() { SendHalf::FinQueued } else { SendHalf::FinDue };
    assert_eq!(halves, Ok([SendHalf::FinQueued, SendHalf::FinQueued, written]));
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, 10_000);
    peer.act(Act::Close);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!((ended.report.sent, ended.report.unsent), (10_000, 0));
    we.stop();
}

fn fin_after_output_is_given_up(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peer = stage.peer(&we);
    we.with(0, |conn, app| {
        conn.output(10_000).unwrap();
        conn.close(Plan::Flush);
        assert_eq!(conn.write(&app.content(4000)).unwrap(), 4000);
        conn.output(0).unwrap();
    })
    .unwrap();
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, 4000);
    peer.act(Act::Close);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!((ended.report.sent, ended.report.unsent), (4000, 0));
    we.stop();
}

fn write_after_finish(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peer = stage.peer(&we);
    let errors = we.with(0, |conn, _| {
        conn.close(Plan::Finish);
        let written = conn.write(b"too late").map_err(|error| error.kind());
        (written, conn.output(8).map_err(|error| error.kind()))
    });
    assert_eq!(errors, Ok((Err(ErrorKind::BrokenPipe), Err(ErrorKind::BrokenPipe))));
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    let later = we.with(0, |conn, _| conn.write(b"too late").map_err(|error| error.kind()));
    assert_eq!(later, Ok(Err(ErrorKind::BrokenPipe)));
    peer.play([Act::Send(5), Act::Close]);
    let ended = we.ended(0);
    stage.judge(&ended);
    we_got(&we.seen(0), stage.seed, 5);
    assert_eq!((ended.report.sent, ended.report.unsent, ended.report.retry), (0, 0, Retry::NeverSent));
    we.stop();
}

fn counters(stage: &Stage) {
    let we = stage.serve(Behaviour { at_end: Some(Plan::Flush), ..Behaviour::answer(2500, 2000, None) });
    let mut peer = stage.peer(&we);
    peer.play([Act::Send(1000), Act::Send(1500)]);
    peer.play([Act::Read(2000), Act::Send(500), Act::Finish, Act::ReadToEnd]);
    let ended = we.ended(0);
    stage.judge(&ended);
    let report = &ended.report;
    assert_eq!((report.received, report.discarded, report.sent, report.unsent), (3000, 0, 2000, 0));
    assert_eq!(report.retry, Retry::MaybeSent);
    assert_eq!(report.raw, None);
    let audit = we.stop();
    assert_eq!((audit.acquired, audit.released), (1, 1));
}
