//! A request to cancel is only a request: what the operation had done before is not lost.

use super::*;

/// The receive has completed when it is cancelled: what it has brought is counted, and its buffer comes back.
#[test]
fn a_cancel_that_comes_too_late() {
    let _alone = alone();
    for options in [single(), multishot()] {
        let mut net = Loop::new(options, patient());
        let mut lost = 0;
        for _ in 0..100 {
            let (key, mut peer) = net.connection();
            net.round(Duration::ZERO);
            peer.write_all(b"12345").unwrap();
            // The completion is there, or about to be; nobody has looked.
            net.net.get(key).unwrap().io.close(Plan::Abort);
            net.until("the end", |net| net.net.get(key).is_err());
            let (ended, report) = net.ended.pop().unwrap();
            assert_eq!(ended, key);
            assert_eq!(report.cause, hangup::Cause::LocalAbort, "{report}");
            assert!([0, 5].contains(&report.received), "{report}");
            lost += usize::from(report.received == 5);
        }
        println!("{lost} of 100 were too late, {:?}", net.net.counts());
        assert!(lost > 0, "none came too late");
        net.is_clean();
    }
}

/// A connect that is cancelled, whether it had succeeded or not.
#[test]
fn a_connect_that_is_called_off() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut net = Loop::new(single(), patient());
    for plan in [Plan::Flush, Plan::Abort] {
        let key = net.net.connect(listener.local_addr().unwrap(), Echo::default()).unwrap();
        net.net.get(key).unwrap().io.close(plan);
        net.until("the end", |net| net.net.get(key).is_err());
    }
    assert_eq!(net.ended.len(), 2);
    net.is_clean();
}

/// A zero-copy send whose peer neither reads nor acknowledges holds its memory, until the connection is severed.
#[test]
fn memory_of_a_silent_peer_comes_back() {
    let _alone = alone();
    let policy = Policy { stall: Duration::from_millis(200), ..patient() };
    let mut net = Loop::new(zero_copy(), policy);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(8 * 1024).unwrap();
    let key = net.net.connect(listener.local_addr().unwrap(), Echo::default()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    let begin = Instant::now();
    let piece = [7; 64 * 1024];
    while net.net.get(key).is_ok() {
        net.net.wait(Some(Duration::from_millis(50))).unwrap();
        while let Some(Guard { mut io, .. }) = net.net.next() {
            while io.write(&piece).is_ok() {}
        }
        assert!(begin.elapsed() < PATIENCE, "it does not end: {:?}", net.net.counts());
    }
    let report = net.net.ended().unwrap().report;
    assert_eq!(report.cause, hangup::Cause::TimedOut(hangup::Timeout::Stall), "{report}");
    let counts = net.net.counts();
    println!("{report}\n{counts:?}");
    assert!(counts.notifications > 0 && counts.severed == 1, "{counts:?}");
    net.is_clean();
    drop(peer);
}

/// The longest wait is one: it does not end at once, which would keep the loop busy.
#[test]
fn a_wait_without_an_end() {
    let _alone = alone();
    let mut net: Driver<()> = Driver::new(patient()).unwrap();
    for limit in [Duration::MAX, Duration::from_secs(1 << 63)] {
        let waker = net.waker();
        let (sender, woken) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            sender.send(()).unwrap();
            waker.wake();
        });
        net.wait(Some(limit)).unwrap();
        assert!(woken.try_recv().is_ok(), "nobody has woken it, and it did not wait");
        thread.join().unwrap();
    }
}

#[test]
fn another_thread_brings_the_loop_back() {
    let _alone = alone();
    let mut net = Loop::new(single(), patient());
    for _ in 0..10 {
        let waker = net.net.waker();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            waker.wake();
        });
        let begin = Instant::now();
        net.net.wait(Some(PATIENCE)).unwrap();
        assert!(begin.elapsed() < PATIENCE, "nobody woke it");
        thread.join().unwrap();
        // It may have been woken and not yet noticed why; what is left of it is not for the next round.
        net.net.wait(Some(Duration::from_millis(1))).unwrap();
    }
}
