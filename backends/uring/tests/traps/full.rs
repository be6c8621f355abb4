//! Queues that are full and buffers that run out: what is wanted stays wanted, and nothing is lost.

use super::*;
use std::thread;

/// So many peers at a time send so many bytes each, and get them back.
fn served(options: Options, peers: usize, bytes: usize) -> hangup_uring::Counts {
    let mut net = Loop::new(options, patient());
    let address = net.address;
    let peers: Vec<_> = (0..peers)
        .map(|number| {
            thread::spawn(move || {
                let content: Vec<u8> =
                    (0..bytes).map(|at| u8::try_from((at * 7 + number) % 251).unwrap()).collect();
                let mut peer = TcpStream::connect(address).unwrap();
                peer.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut writer = peer.try_clone().unwrap();
                let sent = content.clone();
                let writing = thread::spawn(move || {
                    writer.write_all(&sent).unwrap();
                    writer.shutdown(std::net::Shutdown::Write).unwrap();
                });
                let mut got = Vec::new();
                peer.read_to_end(&mut got).unwrap();
                writing.join().unwrap();
                assert!(got == content, "{} of {bytes} bytes came back, or other ones", got.len());
            })
        })
        .collect();
    let count = peers.len();
    net.until("all to be served", |net| net.ended.len() == count);
    for peer in peers {
        peer.join().unwrap();
    }
    for (_, report) in &net.ended {
        assert_eq!(report.cause, hangup::Cause::PeerFinished, "{report}");
        assert_eq!((report.received, report.sent), (bytes as u64, bytes as u64));
    }
    net.is_clean();
    let counts = net.net.counts();
    println!("{counts:?}");
    counts
}

#[test]
fn a_submission_queue_of_four_serves_a_hundred() {
    let _alone = alone();
    for options in [single(), multishot(), zero_copy()] {
        let counts = served(Options { entries: 4, ..options }, 100, 40_000);
        assert!(counts.full > 0, "it was never full: {counts:?}");
        assert_eq!(counts.notifications > 0, options.zero_copy.is_some(), "{counts:?}");
    }
}

#[test]
fn a_completion_queue_of_four_loses_nothing() {
    let _alone = alone();
    for options in [single(), multishot(), zero_copy()] {
        let counts = served(Options { entries: 4, completions: 4, ..options }, 100, 40_000);
        assert!(counts.overflows > 0, "it never overflowed: {counts:?}");
    }
}

#[test]
fn two_buffers_are_enough_for_a_hundred() {
    let _alone = alone();
    let counts = served(Options { buffers: 2, buffer_size: 1000, ..multishot() }, 100, 40_000);
    assert!(counts.no_buffers > 0, "there was always one: {counts:?}");
}

/// One place in each queue, one buffer of a few bytes, and output of one byte.
#[test]
fn the_smallest_ring_serves() {
    let _alone = alone();
    for options in [single(), multishot()] {
        let small =
            Options { entries: 1, completions: 1, buffers: 1, buffer_size: 7, output: 1, keep: 0, ..options };
        served(small, 3, 500);
    }
}

/// More than 32 buffers at once, which is as many as the kernel fills before it does something else.
#[test]
fn many_small_buffers_at_once() {
    let _alone = alone();
    let options = Options { buffer_size: 2048, buffers: 1024, output: 1 << 20, ..multishot() };
    let counts = served(options, 4, 2_000_000);
    assert!(counts.completed > counts.submitted + 1000, "they were received singly: {counts:?}");
}

/// A handler that has no use for its input holds the next receive back, and the kernel holds the peer back.
#[test]
fn input_that_nobody_reads_is_bounded() {
    let _alone = alone();
    for options in [single(), multishot()] {
        let mut net = Loop { silent: true, ..Loop::new(options, patient()) };
        let (key, mut peer) = net.connection();
        peer.set_nonblocking(true).unwrap();
        let bytes = vec![7; 64 * 1024];
        for _ in 0..200 {
            drop(peer.write(&bytes));
            net.net.wait(Some(Duration::from_millis(1))).unwrap();
            // Its turn comes, and it does nothing with it.
            while net.net.next().is_some() {}
        }
        let counts = net.net.counts();
        let most = (options.output / options.buffer_size + 2) as u64 + u64::from(options.buffers) / 4;
        assert!(counts.buffers <= most, "{counts:?}");
        reset(peer);
        net.until("the end", |net| net.net.get(key).is_err());
        net.is_clean();
    }
}
