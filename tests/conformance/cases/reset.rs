//! The peer resets, and no FIN of its was seen.

use hangup::{Cause, Plan};
use hangup_testkit::peer::{Act, Line, Peer, Wiring, digest};

use super::{LATE, got_all, millis, we_got};
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{CLEAN, End, RESET, RESET_HINTED, certain};
use crate::running::Setup;

const MUTE: &str = "the reset is swallowed: no call names it, only the event's abort flag tells";
const HINTED: &[End] = &[RESET_HINTED];
const NAMED: &[End] = &[RESET];

pub(super) const CASES: &[Case] = &[
    Case::new("reset/idle", idle, NAMED).windows(HINTED, NAMED, MUTE),
    Case::new("reset/with_input_unread", with_input_unread, NAMED)
        .windows(HINTED, NAMED, MUTE)
        .ports(&[CLEAN], NAMED, LATE),
    Case::new("reset/by_close_with_unread", by_close_with_unread, NAMED).windows(HINTED, NAMED, MUTE),
    Case::new("reset/while_send_is_blocked", while_send_is_blocked, NAMED),
    Case::new("reset/while_paused", while_paused, NAMED).windows(HINTED, NAMED, MUTE),
    Case::new("reset/found_after_resume", found_after_resume, NAMED).windows(HINTED, NAMED, MUTE),
    Case::new("reset/right_after_accept", right_after_accept, NAMED)
        .windows(HINTED, NAMED, MUTE)
        .ports(&[RESET, CLEAN], &[], LATE),
    Case::new("reset/before_accept", before_accept, NAMED).windows(
        &[],
        HINTED,
        "the accept fails (10057; 10054 on Windows), so there is no connection to report",
    )
    .ports(&[CLEAN], NAMED, LATE),
    Case::new("reset/in_mid_stream", in_mid_stream, NAMED).windows(
        &[CLEAN, RESET_HINTED],
        NAMED,
        "the reset is swallowed, and a receive made before the event is looked at returns 0, as after a FIN",
    )
    .ports(&[CLEAN, RESET], &[], LATE),
    Case::new("reset/while_echoing", while_echoing, NAMED).windows(
        &[RESET, RESET_HINTED, CLEAN],
        &[],
        "as above; a send that comes first is told 10054",
    )
    .ports(
        &[RESET, CLEAN, certain(Cause::ResetAfterFin)],
        &[],
        "a receive that is posted after the reset returns 0 under Wine; a send, before or after it, is told 10054",
    ),
    Case::new("reset/after_our_fin", after_our_fin, NAMED).windows(HINTED, NAMED, MUTE),
];

fn idle(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    stage.peer(&we).act(Act::Reset);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!((ended.report.received, ended.report.sent), (0, 0));
    assert!(ended.report.raw.is_some() || cfg!(windows), "no code is kept");
    we.stop();
}

/// What came before the reset is still there, except on a real Windows, which throws it away.
fn with_input_unread(stage: &Stage) {
    let we = stage.serve(Behaviour { at_end: Some(Plan::Flush), ..Behaviour::PAUSED });
    stage.peer(&we).play([Act::Send(1000), Act::Reset]);
    we.with(0, |conn, _| conn.resume()).unwrap();
    stage.judge(&we.ended(0));
    let seen = we.seen(0);
    if cfg!(windows) {
        assert_eq!(seen.digest.get(), digest(stage.seed, seen.received));
    } else {
        we_got(&seen, stage.seed, 1000);
    }
    assert!(!seen.end || stage.is_port(), "a reset was taken for an end of stream");
    we.stop();
}

fn by_close_with_unread(stage: &Stage) {
    let we = stage.serve(Behaviour::greeting(100, None));
    stage.peer(&we).act(Act::CloseUnread);
    stage.judge(&we.ended(0));
    we.stop();
}

fn while_send_is_blocked(stage: &Stage) {
    let count = 4 << 20;
    let setup = stage.setup(Behaviour::greeting(count, None));
    let we = stage.start(Setup { send_buffer: Some(16 * 1024), ..setup });
    let wiring = Wiring { receive_buffer: Some(16 * 1024), ..stage.wiring() };
    let mut peer = stage.wired(&we, wiring);
    we.until(0, "a send that would block", |seen| seen.blocked);
    // Some of it has gone out, also where a send is submitted first and made later.
    peer.act(Act::Read(1));
    peer.act(Act::Reset);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.sent + ended.report.unsent, count as u64);
    assert!(ended.report.unsent > 0 && ended.report.sent > 0, "{}", ended.report);
    we.stop();
}

/// Nobody reads, and still the reset is noticed; what ends the wait for the application is a deadline.
fn while_paused(stage: &Stage) {
    let mut setup = stage.setup(Behaviour::PAUSED);
    setup.policy.half_closed = millis(100);
    let we = stage.start(setup);
    stage.peer(&we).act(Act::Reset);
    stage.judge(&we.ended(0));
    assert!(!we.seen(0).end);
    we.stop();
}

fn found_after_resume(stage: &Stage) {
    let we = stage.serve(Behaviour::PAUSED);
    stage.peer(&we).act(Act::Reset);
    if stage.is_port() {
        // A receive is in flight, paused or not, and tells at once.
        stage.judge(&we.ended(0));
        we.stop();
        return;
    }
    while !super::over_at_the_os(we.life(0)) && we.rounds() < 1000 {
        we.hands(|_| ());
    }
    we.with(0, |conn, _| conn.resume()).unwrap();
    stage.judge(&we.ended(0));
    let seen = we.seen(0);
    assert!(seen.read_error.is_some() && !seen.end, "the application was not told: {seen:?}");
    we.stop();
}

fn right_after_accept(stage: &Stage) {
    let we = stage.serve(Behaviour::ECHO);
    for number in 0..20 {
        let mut line = Line::connect(we.address(), &stage.wiring()).expect("somebody listens");
        we.arrived(number + 1);
        line.act(Act::Reset);
        stage.judge(&we.ended(number));
    }
    we.stop();
}

/// The reset overtakes the accept.
fn before_accept(stage: &Stage) {
    let we = stage.start(Setup { accepts: false, ..stage.setup(Behaviour::ECHO) });
    let mut early = Peer::connect(we.address(), &stage.wiring()).expect("the backlog has room");
    early.act(Act::Reset);
    we.hands(|hands| hands.open_door());
    let mut other = Peer::connect(we.address(), &stage.wiring()).expect("somebody listens");
    other.play([Act::Send(100), Act::Finish]);
    got_all(&other.act(Act::ReadToEnd), stage.seed, 100);
    let ends = we.all_ended();
    for ended in ends.iter().filter(|ended| ended.report.received == 0) {
        stage.judge(ended);
    }
    assert_eq!(ends.len(), if cfg!(windows) { ends.len().max(1) } else { 2 });
    we.stop();
}

fn in_mid_stream(stage: &Stage) {
    let we = stage.serve(Behaviour { piece: 1000, ..Behaviour::POLITE });
    stage.peer(&we).play([Act::Send(300_000), Act::Reset]);
    let ended = we.ended(0);
    stage.judge(&ended);
    let seen = we.seen(0);
    assert!(seen.received <= 300_000 && (!seen.end || cfg!(windows)), "{seen}");
    assert_eq!(seen.digest.get(), digest(stage.seed, seen.received));
    assert_eq!(ended.report.received, seen.received);
    we.stop();
}

/// Sends and receives race for the one error: whoever gets it, the cause is the same.
fn while_echoing(stage: &Stage) {
    let we = stage.serve(Behaviour::ECHO);
    for number in 0..20 {
        let mut peer = stage.peer(&we);
        for _ in 0..number {
            peer.begin(Act::Send(700));
        }
        peer.begin(Act::Reset);
        stage.judge(&we.ended(number));
        assert!(!we.seen(number).end || cfg!(windows), "a reset was taken for an end of stream");
    }
    we.stop();
}

fn after_our_fin(stage: &Stage) {
    let we = stage.serve(Behaviour { then: Some(Plan::Finish), ..Behaviour::READER });
    let mut peer = stage.peer(&we);
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    peer.act(Act::Reset);
    stage.judge(&we.ended(0));
    we.stop();
}
