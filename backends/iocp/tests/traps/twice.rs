//! When WSASend fails at once, the usual code frees the buffer and closes the socket; when the packet of the receive
//! that was in flight says the same, it does both again. Here both come in, and one place releases.

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use hangup::{Cause, Fault, Plan, Space};
use socket2::{Domain, Socket, Type};

use super::{connection, driver, ended, reset, settled, ways};

/// The failed packet of the receive is in the port when the send fails at once.
#[test]
fn a_send_that_fails_at_once_beside_a_receive_that_failed() {
    for options in ways() {
        let mut net = driver(options);
        for _ in 0..50 {
            let (key, peer) = connection(&mut net);
            reset(peer);
            sleep(Duration::from_millis(2));
            let mut conn = net.get(key).unwrap();
            conn.io.write_all(b"is anybody there?").unwrap();
            drop(conn);
            assert_eq!(net.audit().with_the_os(), 1, "the send is back at once, and the receive is owed");
            let ended = ended(&mut net);
            assert_eq!((ended.key, ended.report.cause), (key, Cause::PeerReset), "{}", ended.report);
            settled(&mut net);
        }
        assert_eq!(net.audit().released, 50);
    }
}

/// The same in the other order: the failed receive has been looked at, and the connection waits for its last turn.
#[test]
fn a_write_after_the_loss_is_told() {
    for options in ways() {
        let mut net = driver(options);
        let (key, peer) = connection(&mut net);
        reset(peer);
        net.wait(Some(Duration::from_secs(10))).unwrap();
        let mut conn = net.next().expect("the last turn");
        assert_eq!(conn.io.key(), key);
        let error = conn.io.write(b"is anybody there?").err().map(|error| error.kind());
        assert_eq!(error, Some(std::io::ErrorKind::ConnectionReset));
        drop(conn);
        assert_eq!(ended(&mut net).report.cause, Cause::PeerReset);
        settled(&mut net);
    }
}

/// No packet will come for it, and none is needed: nothing has to be posted for the buffer to come back.
#[test]
fn a_receive_that_fails_at_once_needs_no_packet() {
    for options in ways() {
        let mut net = driver(options);
        let unconnected = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        net.accept(TcpStream::from(unconnected), ()).unwrap();
        let audit = net.audit();
        assert_eq!((audit.lent, audit.returned), (1, 1), "it is back already");
        let ended = ended(&mut net);
        assert_eq!(ended.report.raw.map(|code| code.fault()), Some(Fault::NotConnected));
        settled(&mut net);
    }
}

/// The status of the operation is kept, not what the port makes of it: 64 could be our own close as well.
#[test]
fn a_receive_that_fails_later_keeps_its_status() {
    for options in ways() {
        let mut net = driver(options);
        let (_, peer) = connection(&mut net);
        reset(peer);
        let ended = ended(&mut net);
        let code = ended.report.raw.expect("a code");
        assert_eq!((code.space(), code.fault()), (Space::NtStatus, Fault::Reset), "{code}");
        settled(&mut net);
    }
}

/// A connect that fails, later or at once, gives back what it had, once.
#[test]
fn a_connect_that_fails() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (peer, cause) in
        [(nobody, Cause::Refused), ("255.255.255.255:9".parse().unwrap(), Cause::Unreachable)]
    {
        for options in ways() {
            let mut net = driver(options);
            net.connect(peer, ()).unwrap();
            assert_eq!(ended(&mut net).report.cause, cause);
            settled(&mut net);
        }
    }
}

/// The application aborts while the failed packet is on its way.
#[test]
fn an_abort_beside_a_receive_that_failed() {
    for options in ways() {
        let mut net = driver(options);
        for _ in 0..20 {
            let (key, peer) = connection(&mut net);
            reset(peer);
            sleep(Duration::from_millis(2));
            net.get(key).unwrap().io.close(Plan::Abort);
            let ended = ended(&mut net);
            assert_eq!((ended.key, ended.report.cause), (key, Cause::LocalAbort));
            settled(&mut net);
        }
    }
}
