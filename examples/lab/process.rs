//! A peer in a process of its own, so that it can be killed: this very program, started with an argument
//! that no help text mentions.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The argument.
pub(crate) const AS_PEER: &str = "--as-peer";

/// A running peer. It listens, and does what it is told: `accept`, `read N`, `exit`. When our end of its
/// standard input is gone, so is it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Process {
    pub(crate) fn start() -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(AS_PEER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut answers = BufReader::new(answers);
        let mut port = String::new();
        answers.read_line(&mut port)?;
        let port: u16 = port.trim().parse().map_err(io::Error::other)?;
        Ok(Self { child, orders, answers, address: (Ipv4Addr::LOCALHOST, port).into() })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has it do something, and waits until it is done.
    pub(crate) fn order(&mut self, order: &str) -> io::Result<()> {
        writeln!(self.orders, "{order}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        if answer.trim() == order { Ok(()) } else { Err(io::Error::other(answer)) }
    }

    /// Tells it to exit by itself.
    pub(crate) fn exit(mut self) -> io::Result<()> {
        writeln!(self.orders, "exit")?;
        self.child.wait().map(drop)
    }

    /// Kills it: `SIGKILL`, or `TerminateProcess`.
    pub(crate) fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Over already, as a rule.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the child does.
pub(crate) fn be_the_peer() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut out = io::stdout();
    writeln!(out, "{}", listener.local_addr()?.port())?;
    let mut stream = None;
    for order in io::stdin().lines() {
        let order = order?;
        let mut words = order.split_whitespace();
        match (words.next(), words.next().and_then(|count| count.parse().ok()), &mut stream) {
            (Some("accept"), None, stream) => *stream = Some(listener.accept()?.0),
            (Some("read"), Some(count), Some(stream)) => stream.read_exact(&mut vec![0; count])?,
            // The stack closes the sockets, not we.
            (Some("exit"), ..) => std::process::exit(0),
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        writeln!(out, "{order}")?;
    }
    Ok(())
}
