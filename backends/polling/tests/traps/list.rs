//! What brings the loop back for a connection that no event will announce is, on Windows, a packet on the
//! completion port. It may fail to be posted, and whoever drains the port may lose it. Nothing depends on it:
//! what is to be done is in a list, and `timeout` is zero while the list is not empty.

use std::io::{Read, Write};
use std::time::Duration;

use hangup::Cause;

use super::{Loop, policy, reset};

#[test]
fn a_lost_packet_loses_nothing() {
    let mut own = Loop::new(policy());
    let (_, mut peer) = own.connection();
    peer.write_all(b"hello").unwrap();
    reset(peer);

    // The handler leaves the input where it is. There will be no event any more.
    let mut offered = 0;
    while own.net.timeout() != Some(Duration::ZERO) {
        for event in own.wait(Duration::from_secs(10)) {
            offered += u32::from(own.net.guard(&event).is_some());
        }
    }
    assert_eq!(offered, 1);
    for _ in 0..3 {
        // The packet, if there is one, is taken and thrown away.
        own.wait(Duration::ZERO);
        assert_eq!(own.net.timeout(), Some(Duration::ZERO), "the loop would sleep");
    }

    let mut buffer = [0; 100];
    let mut conn = own.net.again().expect("it was not forgotten");
    while conn.io.read(&mut buffer).is_ok() {}
    drop(conn);
    assert!(own.net.is_empty());
    own.wait(Duration::ZERO);
    assert_eq!(own.net.timeout(), Some(Duration::ZERO), "a report waits");
    assert_eq!(own.net.ended().expect("the report").report.cause, Cause::PeerReset);
    assert!(own.net.ended().is_none() && own.net.again().is_none());
    assert_eq!(own.net.timeout(), None, "nothing is left to do");
}
