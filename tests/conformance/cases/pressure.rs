//! Nobody spins, nobody is forgotten, nothing is left behind.
//!
//! Spinning is told by counting rounds of the loop: a loop that waits goes round a few times, one that spins
//! thousands of times, however fast the machine is.

use std::thread;

use hangup::{Cause, DrainEnd, Phase, Plan};
use hangup_testkit::peer::{Act, Doorway, How, Line, Wiring};

use super::{got_all, millis, we_got};
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{CLEAN, End, RESET, RESET_HINTED, certain, inferred};
use crate::running::{Running, Setup};

/// Whatever the chances of `many_short_lives` bring.
const ANY: &[End] = &[
    CLEAN,
    // We had read the FIN and were closing when the reset came: the first cause stays.
    certain(Cause::PeerFinished).drained(DrainEnd::Failed),
    RESET,
    certain(Cause::ResetAfterFin),
    inferred(Cause::ResetAfterFin),
];
const ANY_ON_WINDOWS: &[End] = &[
    CLEAN,
    certain(Cause::PeerFinished).drained(DrainEnd::Failed),
    RESET,
    RESET_HINTED,
    certain(Cause::ResetAfterFin),
    inferred(Cause::ResetAfterFin),
];

pub(super) const CASES: &[Case] = &[
    Case::new("pressure/paused_and_finished", paused_and_finished, &[CLEAN]),
    Case::new("pressure/paused_and_reset", paused_and_reset, &[RESET])
        .windows(
            &[RESET_HINTED],
            &[RESET],
            "the reset is swallowed: no call names it, only the event's abort flag tells",
        )
        .ports(
            &[CLEAN],
            &[RESET],
            "input is here already, so nothing is in flight that could tell; the next receive does, as above",
        ),
    Case::new("pressure/paused_with_input", paused_with_input, &[CLEAN]),
    Case::new("pressure/blocked_output", blocked_output, &[CLEAN]),
    Case::new("pressure/half_closed_both_idle", half_closed_both_idle, &[CLEAN]),
    Case::new("pressure/handler_that_does_not_read", handler_that_does_not_read, &[CLEAN])
        .alone("a loop that does not come back must not slow the others down"),
    Case::new("pressure/handler_that_does_not_read_a_reset", handler_that_does_not_read_a_reset, &[CLEAN])
        .alone("a loop that does not come back must not slow the others down"),
    Case::new("pressure/many_at_once", many_at_once, &[CLEAN]),
    Case::new("pressure/many_short_lives", many_short_lives, ANY)
        .windows(ANY_ON_WINDOWS, &[], "a reset is told by the event's abort flag")
        .alone("it counts the descriptors of the process"),
];

/// Nothing happens, and so the loop stands still.
fn stands_still(we: &Running) {
    let before = we.rounds();
    thread::sleep(millis(100));
    let rounds = we.rounds() - before;
    assert!(rounds <= 20, "{rounds} rounds with nothing to do");
}

fn paused_and_finished(stage: &Stage) {
    let we = stage.serve(Behaviour { at_end: Some(Plan::Flush), ..Behaviour::PAUSED });
    let mut peer = stage.peer(&we);
    peer.play([Act::Send(1000), Act::Finish]);
    stands_still(&we);
    assert_eq!(we.seen(0).received, 0);
    we.with(0, |conn, _| conn.resume()).unwrap();
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    stage.judge(&we.ended(0));
    we_got(&we.seen(0), stage.seed, 1000);
    assert!(we.seen(0).end);
    we.stop();
}

fn paused_and_reset(stage: &Stage) {
    let we = stage.serve(Behaviour { at_end: Some(Plan::Flush), ..Behaviour::PAUSED });
    let mut peer = stage.peer(&we);
    peer.act(Act::Send(1000));
    stands_still(&we);
    peer.act(Act::Reset);
    stands_still(&we);
    let noticed = super::over_at_the_os(we.life(0));
    assert!(noticed || stage.is_port(), "the reset was not noticed: {:?}", we.life(0));
    stands_still(&we);
    we.with(0, |conn, _| conn.resume()).unwrap();
    stage.judge(&we.ended(0));
    let seen = we.seen(0);
    assert!(cfg!(windows) || seen.received == 1000, "{seen:?}");
    assert!(!seen.end && seen.read_error.is_some() || stage.is_port(), "{seen:?}");
    we.stop();
}

fn paused_with_input(stage: &Stage) {
    let we = stage.serve(Behaviour { at_end: Some(Plan::Flush), ..Behaviour::PAUSED });
    let mut peer = stage.peer(&we);
    peer.act(Act::Send(1000));
    stands_still(&we);
    for _ in 0..3 {
        we.with(0, |conn, _| (conn.resume(), conn.pause())).unwrap();
    }
    stands_still(&we);
    we.with(0, |conn, _| conn.resume()).unwrap();
    we.until(0, "the input", |seen| seen.received == 1000);
    peer.act(Act::Close);
    stage.judge(&we.ended(0));
    we.stop();
}

fn blocked_output(stage: &Stage) {
    let count = 4 << 20;
    let setup = stage.setup(Behaviour { at_end: Some(Plan::Flush), ..Behaviour::greeting(count, None) });
    let we = stage.start(Setup { send_buffer: Some(16 * 1024), ..setup });
    let wiring = Wiring { receive_buffer: Some(16 * 1024), ..stage.wiring() };
    let mut peer = stage.wired(&we, wiring);
    we.until(0, "a send that would block", |seen| seen.blocked);
    stands_still(&we);
    peer.act(Act::Finish);
    we.until(0, "the end of the peer's stream", |seen| seen.end);
    stands_still(&we);
    got_all(&peer.act(Act::ReadToEnd), stage.seed + 1, count as u64);
    stage.judge(&we.ended(0));
    we.stop();
}

/// The peer's FIN has been read, ours is not sent: level-triggered, the end stays readable for ever.
fn half_closed_both_idle(stage: &Stage) {
    let we = stage.serve(Behaviour::READER);
    let mut peer = stage.peer(&we);
    peer.act(Act::Finish);
    we.until(0, "the end of the peer's stream", |seen| seen.end);
    stands_still(&we);
    we.with(0, |conn, _| conn.close(Plan::Flush)).unwrap();
    got_all(&peer.act(Act::ReadToEnd), 0, 0);
    stage.judge(&we.ended(0));
    we.stop();
}

/// A handler that has no use for its input just now, and did not pause, costs rounds, and nobody else's service.
fn handler_that_does_not_read(stage: &Stage) {
    beside_one_that_does_not_read(stage, &[Act::Send(1000)]);
}

/// The same when there will be no event any more to say so.
fn handler_that_does_not_read_a_reset(stage: &Stage) {
    beside_one_that_does_not_read(stage, &[Act::Send(1000), Act::Reset]);
}

fn beside_one_that_does_not_read(stage: &Stage, acts: &[Act]) {
    let we = stage.serve(Behaviour::ECHO);
    let door = Doorway::open(16, &stage.wiring()).expect("a port to listen on");
    we.connect(door.address(), Behaviour { reads: 0, ..Behaviour::READER });
    let mut ignored = door.accept().expect("our connect");
    while we.life(0).phase() != Phase::Open {
        we.hands(|_| ());
    }
    ignored.play(acts.iter().copied());

    let impatient = Wiring { patience: millis(2000), ..stage.wiring() };
    let mut other = Line::connect(we.address(), &impatient).expect("the backlog has room");
    other.play([Act::Send(100), Act::Finish]);
    got_all(&other.act(Act::ReadToEnd), stage.seed, 100);
    stage.judge(&we.ended(1));
    we.with(0, |conn, _| conn.close(Plan::Abort)).unwrap();
    we.all_ended();
    we.stop();
}

fn many_at_once(stage: &Stage) {
    let we = stage.serve(Behaviour { piece: 3000, reads: 2, ..Behaviour::ECHO });
    let mut peers: Vec<_> = (0..32)
        .map(|number| stage.wired(&we, Wiring { seed: stage.seed + number, ..stage.wiring() }))
        .collect();
    for _ in 0..4 {
        for peer in &mut peers {
            peer.begin(Act::Send(20_000));
            peer.begin(Act::Read(20_000));
        }
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        let all: Vec<_> = (0..8).map(|_| peer.seen()).collect();
        let seed = stage.seed + number as u64;
        assert!(all.iter().all(|seen| seen.how == How::Done), "{all:?}");
        assert_eq!(all[7].digest, hangup_testkit::peer::digest(seed, 80_000), "streams were mixed up");
        peer.act(Act::Close);
    }
    for ended in we.all_ended() {
        stage.judge(&ended);
        assert_eq!((ended.report.received, ended.report.sent), (80_000, 80_000));
    }
    we.stop();
}

/// 1,000 connections, four at a time, each with an ending by chance.
fn many_short_lives(stage: &Stage) {
    const WORKERS: u64 = 4;
    const EACH: u64 = 250;
    let start = descriptors();
    let we = stage.serve(Behaviour { answer: Some((300, 2000)), ..Behaviour::ECHO });
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (address, seed, wiring) = (we.address(), stage.seed, stage.wiring());
            scope.spawn(move || {
                let mut chance = Chance(seed * 1000 + worker + 1);
                for _ in 0..EACH {
                    let mut line = Line::connect(address, &wiring).expect("somebody listens");
                    line.play(chance.ending());
                }
            });
        }
    });
    // Connections are accepted in order: when the last is served, all have been.
    let mut last = Line::connect(we.address(), &stage.wiring()).expect("somebody listens");
    last.play([Act::Send(5), Act::Finish, Act::ReadToEnd, Act::Close]);
    let ends = we.all_ended();
    for ended in &ends {
        stage.judge(ended);
    }
    // Windows does not hand out what was reset before it was accepted.
    assert!(ends.len() as u64 == WORKERS * EACH + 1 || cfg!(windows), "{} connections", ends.len());
    let audit = we.stop();
    assert_eq!(audit.acquired, audit.released);
    assert!(descriptors() <= start, "{} descriptors at first, {} at last", start, descriptors());
}

/// How many descriptors this process has. Where it cannot be told, always 0.
fn descriptors() -> usize {
    // Wine would show somebody else's.
    if cfg!(target_os = "linux") { std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) } else { 0 }
}

struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn ending(&mut self) -> Vec<Act> {
        let size = usize::try_from(self.next(600)).unwrap();
        let mut acts = vec![Act::Send(size)];
        acts.extend(match self.next(6) {
            0 => vec![Act::Close],
            1 => vec![Act::Reset],
            2 => vec![Act::Finish, Act::ReadToEnd, Act::Close],
            3 => vec![Act::Read(size / 2), Act::Close],
            4 => vec![Act::Finish, Act::Reset],
            _ => vec![Act::Sleep(millis(1)), Act::Close],
        });
        acts
    }
}
