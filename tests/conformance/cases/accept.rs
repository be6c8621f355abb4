//! Listeners survive what their clients do, and what the host runs out of.

use hangup_testkit::peer::{Act, Peer};

use super::got_all;
use crate::app::Behaviour;
use crate::battery::{Case, Stage};
use crate::expect::{CLEAN, RESET, RESET_HINTED};
use crate::running::{Running, Setup};

pub(super) const CASES: &[Case] = &[
    Case::new("accept/burst", burst, &[CLEAN]),
    Case::new("accept/storm_of_resets", storm_of_resets, &[CLEAN, RESET]).windows(
        &[CLEAN, RESET_HINTED],
        &[RESET],
        "a connection that was reset before it was accepted never comes into being; one after it is only hinted",
    ),
    Case::new("accept/no_descriptors_left", no_descriptors_left, &[CLEAN])
        .only_on(
            "linux",
            "the limit on descriptors is set with setrlimit; Winsock has none that could be lowered",
        )
        .alone("a limit on descriptors holds for the whole process"),
];

fn served(stage: &Stage, we: &Running) {
    let mut peer = Peer::connect(we.address(), &stage.wiring()).expect("somebody listens");
    peer.play([Act::Send(100), Act::Finish]);
    got_all(&peer.act(Act::ReadToEnd), stage.seed, 100);
}

fn burst(stage: &Stage) {
    let we = stage.serve(Behaviour::ECHO);
    let mut peers: Vec<Peer> =
        (0..64).map(|_| Peer::connect(we.address(), &stage.wiring()).expect("somebody listens")).collect();
    for peer in &mut peers {
        peer.begin(Act::Send(2000));
        peer.begin(Act::Finish);
        peer.begin(Act::ReadToEnd);
    }
    for peer in &mut peers {
        let [_, _, end] = [peer.seen(), peer.seen(), peer.seen()];
        got_all(&end, stage.seed, 2000);
    }
    we.arrived(64);
    for ended in we.all_ended() {
        stage.judge(&ended);
    }
    we.stop();
}

/// Connections that are gone before they are accepted do not take the listener with them.
fn storm_of_resets(stage: &Stage) {
    let we = stage.start(Setup { accepts: false, ..stage.setup(Behaviour::ECHO) });
    for _ in 0..3 {
        for _ in 0..30 {
            let mut peer = Peer::connect(we.address(), &stage.wiring()).expect("the backlog has room");
            peer.act(Act::Reset);
        }
        we.hands(|hands| hands.open_door());
        served(stage, &we);
    }
    for ended in we.all_ended() {
        stage.judge(&ended);
    }
    if cfg!(target_os = "linux") {
        assert_eq!(we.count(), 93);
    }
    we.stop();
}

#[cfg(target_os = "linux")]
fn no_descriptors_left(stage: &Stage) {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let we = stage.start(Setup { accepts: false, ..stage.setup(Behaviour::ECHO) });
    let waiting = 12;
    let mut peers: Vec<Peer> = (0..waiting)
        .map(|_| Peer::connect(we.address(), &stage.wiring()).expect("the backlog has room"))
        .collect();
    for peer in &mut peers {
        peer.begin(Act::Send(100));
        peer.begin(Act::Finish);
        peer.begin(Act::ReadToEnd);
    }
    // From now on nobody gets a descriptor: the lowest free one is beyond the limit.
    let before = getrlimit(Resource::Nofile);
    // Asked several times: a thread that has just begun may hold one for a moment, to count the processors.
    let lowest_free = || {
        std::thread::sleep(super::millis(3));
        let file = std::fs::File::open("/dev/null").expect("a descriptor");
        u64::try_from(std::os::fd::AsRawFd::as_raw_fd(&file)).expect("it is not negative")
    };
    let lowest_free = (0..5).map(|_| lowest_free()).min().expect("there are five");
    let limit = rustix::process::Rlimit { current: Some(lowest_free), ..before };
    setrlimit(Resource::Nofile, limit).expect("a limit may be lowered");
    let rounds = we.rounds();
    we.hands(|hands| hands.open_door());
    std::thread::sleep(super::millis(150));
    let rounds = we.rounds() - rounds;
    setrlimit(Resource::Nofile, before).expect("and raised again");
    assert!((1..=30).contains(&rounds), "{rounds} rounds without a descriptor");

    let (mut echoed, mut shed) = (0, 0);
    for peer in &mut peers {
        let [_, _, end] = [peer.seen(), peer.seen(), peer.seen()];
        assert!(!end.is_overdue(), "neither served nor shed: {end:?}");
        if end.bytes == 0 {
            shed += 1;
        } else {
            got_all(&end, stage.seed, 100);
            echoed += 1;
        }
    }
    assert!(echoed > 0 && shed > 0 && echoed + shed == waiting, "{echoed} echoed, {shed} shed");
    served(stage, &we);
    assert_eq!(we.count(), echoed + 1);
    for ended in we.all_ended() {
        stage.judge(&ended);
    }
    we.stop();
}

#[cfg(not(target_os = "linux"))]
fn no_descriptors_left(_stage: &Stage) {}
