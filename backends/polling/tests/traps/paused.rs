//! polling 3.11, Windows: a socket without any interest is polled for an abort all the same, the abort is
//! filtered out, and it is polled again, inside one `wait`: half a processor, and no event. The driver asks for
//! the interrupt always, so the reset of a connection that nobody reads is an event; and it deregisters what is
//! over, because level-triggered that event would come for ever.

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use hangup::{Cause, Registration};

use super::{Loop, policy, reset};

/// Goes round for a while. How many rounds, and which part of the time the processor was used.
fn go_round(own: &mut Loop, time: Duration) -> (u32, f64) {
    let (began, used) = (Instant::now(), ThreadTime::now());
    let mut rounds = 0;
    while began.elapsed() < time {
        for event in own.wait(Duration::from_millis(200)) {
            drop(own.net.guard(&event));
        }
        while let Some(conn) = own.net.again() {
            drop(conn);
        }
        rounds += 1;
    }
    (rounds, used.elapsed().as_secs_f64() / began.elapsed().as_secs_f64())
}

#[test]
fn a_reset_that_nobody_reads_does_not_spin() {
    let mut own = Loop::new(hangup::Policy { half_closed: Duration::from_secs(60), ..policy() });
    let (key, peer) = own.connection();
    own.net.get(key).unwrap().io.pause();
    go_round(&mut own, Duration::from_millis(50));
    reset(peer);
    let (rounds, part) = go_round(&mut own, Duration::from_millis(600));
    let life = own.net.get(key).unwrap().io.life().unwrap();
    assert_eq!(life.registration(), Registration::Gone, "`wait` is still polling it: no event came");
    assert!(rounds <= 30, "{rounds} rounds");
    assert!(part < 0.25, "the processor was used {:.0} % of the time", part * 100.0);
}

#[test]
fn a_reset_that_nobody_reads_is_reported() {
    let mut own = Loop::new(policy());
    let (key, peer) = own.connection();
    own.net.get(key).unwrap().io.pause();
    reset(peer);
    let mut ended = None;
    for _ in 0..200 {
        go_round(&mut own, Duration::from_millis(5));
        ended = own.net.ended();
        if ended.is_some() {
            break;
        }
    }
    assert_eq!(ended.expect("it has ended").report.cause, Cause::PeerReset);
}
