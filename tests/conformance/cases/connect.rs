//! Connects: each ends in exactly one verdict.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use hangup::{Cause, Phase, Plan, Retry, Timeout};
use hangup_testkit::peer::{Act, Doorway, How, Line, Peer, Wiring};

use super::{LATE, got_all, millis, we_got};
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{CLEAN, RESET, RESET_HINTED, certain};

pub(super) const CASES: &[Case] = &[
    Case::new("connect/data_both_ways", data_both_ways, &[CLEAN]),
    Case::new(
        "connect/output_and_fin_before_verdict",
        output_and_fin_before_verdict,
        &[certain(Cause::LocalClose)],
    ),
    Case::new("connect/refused", refused, &[certain(Cause::Refused)]),
    Case::new("connect/impossible_address", impossible_address, &[certain(Cause::Unreachable)]),
    Case::new("connect/reset_before_verdict", reset_before_verdict, &[RESET])
        .windows(&[RESET_HINTED], &[RESET], "no pending error, and no name of the peer either")
        .ports(&[CLEAN], &[RESET], LATE),
    Case::new("connect/finished_before_verdict", finished_before_verdict, &[CLEAN]),
    Case::new("connect/deadline", deadline, &[certain(Cause::TimedOut(Timeout::Connect))]),
    Case::new("connect/close_before_verdict", close_before_verdict, &[certain(Cause::LocalClose)]),
    Case::new("connect/abort_before_verdict", abort_before_verdict, &[certain(Cause::LocalAbort)]),
];

fn doorway(stage: &Stage) -> Doorway {
    Doorway::open(16, &stage.wiring()).expect("a port to listen on")
}

fn data_both_ways(stage: &Stage) {
    let (we, door) = (stage.serve(Behaviour::READER), doorway(stage));
    we.connect(door.address(), Behaviour { at_end: Some(Plan::Flush), ..Behaviour::greeting(1000, None) });
    let mut peer = Peer::on(door.accept().expect("our connect"));
    let seen = peer.act(Act::Read(1000));
    assert_eq!((seen.how, seen.digest), (How::Done, super::digest(stage.seed + 1, 1000)));
    peer.play([Act::Send(5000), Act::Finish]);
    assert_eq!(peer.act(Act::ReadToEnd).how, How::End);
    stage.judge(&we.ended(0));
    we_got(&we.seen(0), stage.seed, 5000);
    we.stop();
}

fn output_and_fin_before_verdict(stage: &Stage) {
    let (we, door) = (stage.serve(Behaviour::READER), doorway(stage));
    we.connect(door.address(), Behaviour::greeting(70_000, Some(Plan::Finish)));
    let mut peer = Peer::on(door.accept().expect("our connect"));
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, 70_000);
    peer.play([Act::Send(5), Act::Close]);
    let ended = we.ended(0);
    stage.judge(&ended);
    we_got(&we.seen(0), stage.seed, 5);
    assert_eq!((ended.report.sent, ended.report.unsent), (70_000, 0));
    we.stop();
}

fn refused(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    we.connect(nobody.expect("a port that is free again"), Behaviour::greeting(10, None));
    let ended = we.ended(0);
    stage.judge(&ended);
    let report = ended.report;
    // If another worker has heard of the refusal already, there is nobody to write to.
    let unsent = if stage.has_others() { report.unsent } else { 10 };
    assert_eq!((report.sent, report.unsent, report.retry), (0, unsent, Retry::NeverSent));
    assert!(report.raw.is_some(), "no code is kept: {report}");
    we.stop();
}

/// The connect fails at once, and takes the same way out.
fn impossible_address(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    we.connect(SocketAddr::from(([255, 255, 255, 255], 9)), Behaviour::READER);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert!(ended.report.raw.is_some(), "no code is kept: {}", ended.report);
    let audit = we.stop();
    assert_eq!((audit.acquired, audit.released), (1, 1));
}

/// Connects, lets the other side act, and only then lets the loop look.
fn behind_its_back(stage: &Stage, behaviour: Behaviour, acts: &'static [Act]) -> crate::running::Running {
    let (we, door) = (stage.serve(Behaviour::READER), doorway(stage));
    let line = Arc::new(Mutex::new(None::<Line>));
    let kept = Arc::clone(&line);
    we.hands(move |hands| {
        hands.connect(door.address(), behaviour).expect("a socket to connect with");
        let mut line = door.accept().expect("our connect");
        line.play(acts.iter().copied());
        *kept.lock().unwrap() = Some(line);
    });
    we.ended(0);
    drop(line);
    we
}

fn reset_before_verdict(stage: &Stage) {
    let we = behind_its_back(stage, Behaviour::ECHO, &[Act::Reset]);
    stage.judge(&we.ended(0));
    assert!(!we.seen(0).end || stage.is_port(), "a reset was taken for an end of stream");
    we.stop();
}

fn finished_before_verdict(stage: &Stage) {
    let we = behind_its_back(stage, Behaviour::POLITE, &[Act::Send(5), Act::Finish]);
    stage.judge(&we.ended(0));
    we_got(&we.seen(0), stage.seed, 5);
    we.stop();
}

/// A listener whose backlog is full does not answer.
fn deadline(stage: &Stage) {
    let door = Doorway::open(1, &stage.wiring()).expect("a port to listen on");
    let impatient = Wiring { patience: millis(150), ..stage.wiring() };
    let full: Vec<Line> = (0..16).map_while(|_| Line::connect(door.address(), &impatient).ok()).collect();
    assert!(full.len() < 16, "a backlog of 1 took {} connections", full.len());
    let mut setup = stage.setup(Behaviour::READER);
    setup.policy.connect = millis(150);
    let we = stage.start(setup);
    we.connect(door.address(), Behaviour::greeting(10, None));
    let ended = we.ended(0);
    stage.judge(&ended);
    assert!(ended.report.duration >= millis(150), "{}", ended.report);
    assert_eq!(ended.report.retry, Retry::NeverSent);
    we.stop();
}

fn close_before_verdict(stage: &Stage) {
    let we = closed_at_once(stage, Plan::Flush);
    let ended = we.ended(0);
    stage.judge(&ended);
    assert_eq!(ended.report.sent, 0);
    we.stop();
}

fn abort_before_verdict(stage: &Stage) {
    let we = closed_at_once(stage, Plan::Abort);
    stage.judge(&we.ended(0));
    we.stop();
}

fn closed_at_once(stage: &Stage, plan: Plan) -> crate::running::Running {
    let (we, door) = (stage.serve(Behaviour::READER), doorway(stage));
    let address = door.address();
    let phase = we.hands(move |hands| {
        let number = hands.connect(address, Behaviour::READER).expect("a socket to connect with");
        hands.with(number, |conn, _| {
            let phase = conn.life().unwrap().phase();
            conn.close(plan);
            phase
        })
    });
    assert!(phase.is_ok_and(Phase::is_connecting), "{phase:?}");
    // Whatever the other side gets, it is over, and it was given nothing. Windows may give it nobody at all.
    match door.accept() {
        Ok(mut line) => {
            let seen = line.act(Act::ReadToEnd);
            assert!(seen.bytes == 0 && !seen.is_overdue(), "{seen:?}");
        }
        Err(_) if cfg!(windows) => {}
        Err(error) => panic!("nobody came: {error}"),
    }
    we
}
