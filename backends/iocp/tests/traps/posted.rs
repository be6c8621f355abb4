//! Closing a socket while a receive is posted turns a graceful close into a reset. So what is posted is cancelled and
//! reaped first.

use std::io::{Read, Write};
use std::time::Duration;

use hangup::{Cause, DrainEnd, Plan};

use super::{connection, driver, ended, settled, ways};

/// The drain gives up while a receive is posted; the peer has all of the answer, and an orderly end.
#[test]
fn a_graceful_close_with_a_receive_posted_does_not_reset() {
    for options in ways() {
        for plan in [Plan::Flush, Plan::Linger] {
            let mut net = driver(options);
            let (key, mut peer) = connection(&mut net);
            let mut conn = net.get(key).unwrap();
            conn.io.write_all(b"the answer").unwrap();
            conn.io.close(plan);
            drop(conn);
            let ended = ended(&mut net);
            assert_eq!(ended.report.cause, Cause::LocalClose);
            assert_eq!(ended.report.drain_end, Some(DrainEnd::TotalDeadline), "{}", ended.report);
            settled(&mut net);
            let mut answer = String::new();
            peer.read_to_string(&mut answer).expect("an orderly end");
            assert_eq!(answer, "the answer");
        }
    }
}

/// The number of a closed socket is given again at once. What was posted on the old one must not land on the new.
#[test]
fn nothing_of_an_old_socket_lands_on_a_new_one() {
    for options in ways() {
        let mut net = driver(options);
        for round in 0..50_u8 {
            let (old, peer) = connection(&mut net);
            net.get(old).unwrap().io.close(Plan::Abort);
            assert_eq!(ended(&mut net).key, old);
            drop(peer);
            let (new, mut peer) = connection(&mut net);
            peer.write_all(&[round; 9]).unwrap();
            net.wait(Some(Duration::from_secs(10))).unwrap();
            let mut conn = net.next().expect("input");
            let mut bytes = [0; 100];
            assert_eq!((conn.io.key(), conn.io.read(&mut bytes).unwrap()), (new, 9));
            assert_eq!(bytes[..9], [round; 9]);
            conn.io.close(Plan::Abort);
            drop(conn);
            assert_eq!(ended(&mut net).key, new);
        }
        settled(&mut net);
    }
}
