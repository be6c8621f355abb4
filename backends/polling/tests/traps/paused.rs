//! polling 3.11, Windows: a socket without any interest is polled for an abort all the same, the abort is
//! filtered out, and it is polled again, inside one `wait`: half a processor, and no event. The driver asks for
//! the interrupt always, so the reset of a connection that nobody reads is an event; and it deregisters what is
//! over, because level-triggered that event would come for ever.

use std::time::{Duration, Instant};

use hangup::{Cause, Registration};

use super::{Loop, policy, reset};

/// What the calling thread has used of the processor. In ticks of 10 ms on Linux.
#[cfg(target_os = "linux")]
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // The name of the program is in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// Windows tells it only to those who call it by hand. What cannot spin is shown there by the registration.
#[cfg(not(target_os = "linux"))]
const fn processor_time() -> Duration {
    Duration::ZERO
}

/// Goes round for a while. How many rounds, and which part of the time the processor was used.
fn go_round(own: &mut Loop, time: Duration) -> (u32, f64) {
    let (began, used) = (Instant::now(), processor_time());
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
    (rounds, (processor_time() - used).as_secs_f64() / began.elapsed().as_secs_f64())
}

/// What is measured grows when the processor is used.
#[cfg(target_os = "linux")]
#[test]
fn processor_time_is_measured() {
    let (began, before) = (Instant::now(), processor_time());
    while processor_time() == before {
        assert!(began.elapsed() < Duration::from_secs(20), "it stands still at {before:?}");
    }
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
#[cfg_attr(
    windows,
    ignore = "an abort that SO_ERROR does not name leaves a paused connection without any deadline"
)]
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
