//! The smallest server: what it receives goes back, and each connection ends with a line that says why.
//! Run it with `cargo run --release --example echo [ADDRESS]`.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use hangup::{Plan, Policy};
use hangup_polling::{Acceptor, Driver, Guard};
use polling::{Events, Poller};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:7777".to_owned());
    let poller = Arc::new(Poller::new()?);
    let mut acceptor = Acceptor::new(Arc::clone(&poller), std::net::TcpListener::bind(address)?, 0)?;
    eprintln!("listening on {}", acceptor.listener().local_addr()?);
    let mut net = Driver::new(Arc::clone(&poller), Policy::default());
    let mut events = Events::new();
    loop {
        events.clear();
        poller.wait(&mut events, [net.timeout(), acceptor.timeout()].into_iter().flatten().min())?;
        net.tick();
        for event in events.iter() {
            if !acceptor.event(&event) {
                net.guard(&event).into_iter().for_each(echo);
            }
        }
        while let Some(conn) = net.again() {
            echo(conn);
        }
        while let Some((stream, _peer)) = acceptor.accept()? {
            drop(net.accept(stream, Vec::new()));
        }
        while let Some(ended) = net.ended() {
            eprintln!("{}", ended.report);
        }
    }
}

/// Writes what is left from last time, then reads and writes until one of the two would block.
fn echo(Guard { mut io, state: left }: Guard<'_, Vec<u8>>) {
    let mut buffer = [0; 4096];
    loop {
        while !left.is_empty() {
            match io.write(left) {
                Ok(count) => drop(left.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return io.pause(), // we are called again
                Err(_) => return io.close(Plan::Flush), // it is lost: there is nothing to wait for
            }
        }
        io.resume();
        match io.read(&mut buffer) {
            Ok(0) => return io.close(Plan::Flush),
            Ok(count) => left.extend(buffer.iter().take(count)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return, // it would block, or has ended: the report will tell
        }
    }
}
