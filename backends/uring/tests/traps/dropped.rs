//! A driver that goes while the kernel has its buffers: nothing is freed under an operation, and nothing is left.

use super::*;

/// Everything that can be in flight.
fn busy(options: Options) -> (Loop, Vec<TcpStream>, Vec<TcpListener>) {
    let mut net = Loop::new(options, patient());
    let mut peers = Vec::new();
    for number in 0..20 {
        let (key, mut peer) = net.connection();
        let Guard { mut io, .. } = net.net.get(key).unwrap();
        match number % 4 {
            // A send that blocks.
            0 => while io.write(&[7; 64 * 1024]).is_ok() {},
            1 => io.pause(),
            // Bytes that nobody has taken.
            2 => {
                io.pause();
                peer.write_all(b"12345").unwrap();
            }
            _ => io.close(Plan::Linger),
        }
        drop(io);
        peers.push(peer);
    }
    // A connect that nobody answers.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    for _ in 0..4 {
        net.net.connect(address, Echo::default()).unwrap();
    }
    for _ in 0..5 {
        net.round(Duration::from_millis(5));
    }
    (net, peers, vec![full.into()])
}

fn every() -> [Options; 3] {
    [single(), multishot(), zero_copy()]
}

#[test]
fn everything_comes_back() {
    let _alone = alone();
    let start = descriptors();
    for options in every() {
        let (net, mut peers, full) = busy(options);
        assert!(net.net.audit().with_the_os() > 0 || options.receive == Shots::Multishot);
        let leftover = net.net.shut_down(Duration::from_secs(10));
        assert_eq!((leftover.leaked, leftover.audit.held(), leftover.audit.with_the_os()), (0, 0, 0));
        for peer in &mut peers {
            peer.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut sink = Vec::new();
            let end = peer.read_to_end(&mut sink);
            assert!(!end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "it outlived its driver");
        }
        drop((peers, full));
        assert!(descriptors() <= start, "{start} descriptors at first, {} at last", descriptors());
    }
}

#[test]
fn dropping_is_enough() {
    let _alone = alone();
    let start = descriptors();
    for options in every() {
        let begin = Instant::now();
        let everything = busy(options);
        drop(everything);
        assert!(begin.elapsed() < PATIENCE);
        assert!(descriptors() <= start, "{start} descriptors at first, {} at last", descriptors());
    }
}

/// Without time to wait, what is owed is leaked, and said so.
#[test]
fn what_does_not_come_back_is_leaked() {
    let _alone = alone();
    let (net, _peers, _full) = busy(single());
    let leftover = net.net.shut_down(Duration::ZERO);
    assert!(leftover.leaked > 0, "{leftover:?}");
    assert!(leftover.audit.held() > 0, "{leftover:?}");
}

/// A client that comes while the accept is being called off is not forgotten: its descriptor is closed.
#[test]
fn an_accept_on_the_way_is_closed() {
    let _alone = alone();
    let start = descriptors();
    for time in 0..200 {
        let options = if time % 2 == 0 { single() } else { multishot() };
        let mut net = Loop::new(options, patient());
        net.round(Duration::ZERO);
        let peer = TcpStream::connect(net.address).unwrap();
        let leftover = net.net.shut_down(Duration::from_secs(10));
        assert_eq!(leftover.leaked, 0);
        drop(peer);
    }
    assert!(descriptors() <= start, "{start} descriptors at first, {} at last", descriptors());
}

/// The same when the driver has nothing else to wait for: the waker has just brought it back, and is not watched.
#[test]
fn an_accept_alone_is_waited_for() {
    let _alone = alone();
    let start = descriptors();
    for time in 0..100 {
        let options = if time % 2 == 0 { single() } else { multishot() };
        let mut net = Loop::new(options, patient());
        net.round(Duration::ZERO);
        net.net.waker().wake();
        net.net.wait(Some(PATIENCE)).unwrap();
        let address = net.address;
        let mut peer = TcpStream::connect(address).unwrap();
        if time % 4 < 2 {
            net.net.stop_listening();
        }
        assert_eq!(net.net.shut_down(Duration::from_secs(10)).leaked, 0);
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let end = peer.read(&mut [0; 8]);
        assert!(!end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "it outlived its driver");
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    assert!(descriptors() <= start, "{start} descriptors at first, {} at last", descriptors());
}

#[test]
fn the_longest_limit_is_one() {
    let _alone = alone();
    let mut net = Loop::new(single(), patient());
    let (_, _peer) = net.connection();
    assert_eq!(net.net.shut_down(Duration::MAX).leaked, 0);
}

/// Nobody else is let in, and who is in goes on.
#[test]
fn the_door_can_be_closed() {
    let _alone = alone();
    for options in [single(), multishot()] {
        let mut net = Loop::new(options, patient());
        let (key, mut peer) = net.connection();
        net.net.stop_listening();
        for _ in 0..3 {
            net.round(Duration::from_millis(5));
        }
        assert_eq!(TcpStream::connect(net.address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        peer.write_all(b"12345").unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        net.until("the end", |net| net.net.get(key).is_err());
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"12345");
        net.net.stop_listening();
        net.is_clean();
    }
}

/// A server that is full lets them wait.
#[test]
fn accepting_can_be_stopped_for_a_while() {
    let _alone = alone();
    for options in [single(), multishot()] {
        let mut net = Loop::new(options, patient());
        net.round(Duration::ZERO);
        net.net.set_accepting(false);
        for _ in 0..3 {
            net.round(Duration::from_millis(5));
        }
        let peers: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(net.address).unwrap()).collect();
        for _ in 0..3 {
            net.round(Duration::from_millis(5));
        }
        assert_eq!(net.net.len(), 0, "somebody was let in");
        net.net.set_accepting(true);
        net.until("all of them", |net| net.net.len() == peers.len());
        assert_eq!(net.net.shut_down(PATIENCE).leaked, 0);
    }
}

/// The kernel calls off what a thread has submitted when that thread ends. Another one goes on with it.
#[test]
fn what_a_thread_has_begun_another_ends() {
    let _alone = alone();
    for options in every() {
        let begun = std::thread::spawn(move || {
            let mut net = Loop::new(options, patient());
            let (key, peer) = net.connection();
            for _ in 0..3 {
                net.round(Duration::ZERO);
            }
            (net, key, peer)
        });
        let (mut net, key, mut peer) = begun.join().unwrap();
        peer.write_all(b"12345").unwrap();
        let other = TcpStream::connect(net.address).unwrap();
        net.until("the other", |net| net.net.len() == 2);
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        net.until("the end", |net| net.net.get(key).is_err());
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"12345");
        reset(other);
        net.until("the end", |net| net.net.is_empty());
        net.is_clean();
    }
}
