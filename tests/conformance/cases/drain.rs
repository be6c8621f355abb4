//! The end of the whole server: drained, dropped, or refused by the OS.

use hangup::{Cause, DrainEnd, Plan};
use hangup_testkit::peer::{Act, How, Peer};

use super::{got_all, got_reset, millis};
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{CLEAN, CLOSED, certain};

pub(super) const CASES: &[Case] = &[
    Case::new("drain/flush_all", flush_all, &[CLOSED]),
    Case::new("drain/abort_all", abort_all, &[certain(Cause::LocalAbort)]),
    Case::new(
        "drain/linger_then_abort",
        linger_then_abort,
        &[certain(Cause::LocalClose).drained(DrainEnd::Failed)],
    ),
    Case::new("drain/dropped_with_live_connections", dropped_with_live_connections, &[CLEAN]),
    Case::new("drain/register_fails", register_fails, &[certain(Cause::LocalError)])
        .only_on("linux", "a descriptor that is no socket passes for a stream until epoll refuses it"),
];

fn crowd(stage: &Stage, we: &crate::running::Running) -> Vec<Peer> {
    (0..20).map(|_| stage.peer(we)).collect()
}

fn flush_all(stage: &Stage) {
    let we = stage.serve(Behaviour::greeting(1000, None));
    let mut peers = crowd(stage, &we);
    we.hands(|hands| hands.engine.drain(Plan::Flush));
    for peer in &mut peers {
        got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, 1000);
        peer.act(Act::Close);
    }
    for ended in we.all_ended() {
        stage.judge(&ended);
    }
    let audit = we.stop();
    assert_eq!((audit.acquired, audit.released), (20, 20));
}

fn abort_all(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peers = crowd(stage, &we);
    we.hands(|hands| hands.engine.drain(Plan::Abort));
    for peer in &mut peers {
        got_reset(&peer.act(Act::ReadToEnd));
    }
    for ended in we.all_ended() {
        stage.judge(&ended);
    }
    we.stop();
}

/// Drained in peace first, and then no longer.
fn linger_then_abort(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peers = crowd(stage, &we);
    we.hands(|hands| hands.engine.drain(Plan::Linger));
    for peer in &mut peers {
        got_all(&peer.act(Act::ReadToEnd), 0, 0);
    }
    we.hands(|hands| hands.engine.drain(Plan::Abort));
    for ended in we.all_ended() {
        stage.judge(&ended);
    }
    we.stop();
}

/// Whatever holds the connections is dropped: they are closed, and the OS queue goes on serving others.
fn dropped_with_live_connections(stage: &Stage) {
    let we = stage.serve(Behaviour::ECHO);
    let mut peers = crowd(stage, &we);
    peers[0].play([Act::Send(10), Act::Read(10)]);
    we.hands(|hands| hands.engine.begin_anew()).expect("the queue is still good");
    for peer in &mut peers {
        let end = peer.act(Act::ReadToEnd);
        assert!(end.how == How::End || end.is_failed(), "a connection outlived its owner: {end:?}");
    }
    let mut other = stage.peer(&we);
    other.play([Act::Send(100), Act::Finish]);
    got_all(&other.act(Act::ReadToEnd), stage.seed, 100);
    stage.judge(&we.ended(20));
    let before = we.rounds();
    std::thread::sleep(millis(50));
    assert!(we.rounds() - before <= 20, "the dropped connections make the loop spin");
    let audit = we.abandon();
    assert_eq!((audit.acquired, audit.released), (1, 1));
}

#[cfg(target_os = "linux")]
fn register_fails(stage: &Stage) {
    use std::net::TcpStream;
    use std::os::fd::OwnedFd;

    let we = stage.serve(Behaviour::READER);
    let program = std::env::current_exe().expect("this program has a name");
    let file = std::fs::File::open(program).expect("this program is a file");
    let number = we.hands(move |hands| hands.take_in(TcpStream::from(OwnedFd::from(file))));
    let ended = we.ended(number.expect("nobody looks at the descriptor yet"));
    stage.judge(&ended);
    assert!(ended.report.raw.is_some(), "no code is kept: {}", ended.report);
    let audit = we.stop();
    assert_eq!((audit.acquired, audit.released), (1, 1));
}

#[cfg(not(target_os = "linux"))]
fn register_fails(_stage: &Stage) {}
