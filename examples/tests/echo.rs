//! The program `echo`, as it was built.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use hangup_examples::child::{PATIENCE, Program};

#[test]
fn what_it_receives_goes_back_and_the_end_has_a_reason() {
    let (echo, address) = Program::listen("echo", &["127.0.0.1:0"]);
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"hello").unwrap();
    let mut back = [0; 5];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"hello");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut back).unwrap(), 0);
    let report = echo.error_line();
    assert!(report.starts_with("the peer finished, flush: the peer finished, after "), "{report}");
    assert!(report.contains("received 5 B, sent 5 B ["), "{report}");
}

/// More than fits between the two: the server has to stop reading, and go on later.
#[test]
fn a_client_that_reads_late_gets_everything() {
    const LENGTH: usize = 16 << 20;
    let (echo, address) = Program::listen("echo", &["127.0.0.1:0"]);
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut sender = client.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        let noise: Vec<u8> = (0..=250).cycle().take(LENGTH).collect();
        sender.write_all(&noise).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
        noise
    });
    std::thread::sleep(Duration::from_millis(300));
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    assert!(back == sending.join().unwrap(), "{} of {LENGTH} B came back", back.len());
    let report = echo.error_line();
    assert!(report.contains(&format!("received {LENGTH} B, sent {LENGTH} B")), "{report}");
}

#[test]
#[cfg(unix)]
fn a_reset_is_told_from_a_finish() {
    let (echo, address) = Program::listen("echo", &["127.0.0.1:0"]);
    let client = TcpStream::connect(address).unwrap();
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let report = echo.error_line();
    assert!(report.starts_with("the peer reset the connection: ECONNRESET"), "{report}");
}

/// It had stopped reading because of the output: nobody would find the end by reading.
#[test]
fn a_reset_while_output_waits_is_found() {
    let (echo, address) = Program::listen("echo", &["127.0.0.1:0"]);
    let mut client = TcpStream::connect(address).unwrap();
    client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    // Until nothing goes in any more, because nothing comes out.
    while client.write(&[7; 64 * 1024]).is_ok() {}
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let report = echo.error_line();
    assert!(report.contains("reset") || cfg!(windows), "{report}");
}
