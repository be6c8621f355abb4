//! A peer that does what a script says, on real loopback sockets, and tells what it saw.
//!
//! The sockets block, and nothing of `hangup` is used here: this is the other end, as the world has it. A
//! [`Line`] does one [`Act`] after the other where it is called; a [`Peer`] does them in a thread of its own,
//! so that a test can be both ends at once; a [`Doorway`] is a peer that is connected to.
//!
//! ```
//! use hangup_testkit::peer::{Act, Doorway, How, Peer, Wiring};
//!
//! let doorway = Doorway::open(1, &Wiring::default())?;
//! let mut client = Peer::connect(doorway.address(), &Wiring::default())?;
//! let mut server = Peer::on(doorway.accept()?);
//!
//! client.play([Act::Send(5), Act::Finish]);
//! let seen = server.act(Act::ReadToEnd);
//! assert_eq!((seen.how, seen.bytes), (How::End, 5));
//! # Ok::<(), std::io::Error>(())
//! ```

mod content;
mod doorway;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

pub use self::content::{Content, Digest, digest};
pub use self::doorway::Doorway;

/// How a peer's socket is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// Which content it sends.
    pub seed: u64,
    /// The receive buffer, set before the connection exists, so that the window is small from the start.
    pub receive_buffer: Option<usize>,
    /// The send buffer.
    pub send_buffer: Option<usize>,
    /// How long one call may take. A script that hangs is a failed test, not a test that hangs.
    pub patience: Duration,
}

impl Default for Wiring {
    fn default() -> Self {
        Self { seed: 0, receive_buffer: None, send_buffer: None, patience: Duration::from_secs(20) }
    }
}

impl Wiring {
    fn socket(&self) -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        Ok(socket)
    }
}

/// One thing that a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send so many bytes, the next ones of its content.
    Send(usize),
    /// Send until it fails, or so many bytes are sent, with a pause after each of the pieces.
    SendUntilItFails {
        /// Bytes in all.
        most: usize,
        /// Bytes in a piece.
        piece: usize,
        /// What to sleep after a piece.
        pause: Duration,
    },
    /// Read so many bytes, or to the end.
    Read(usize),
    /// Read to the end.
    ReadToEnd,
    /// Read to the end, sleeping after each piece.
    ReadSlowly {
        /// Bytes in a piece.
        piece: usize,
        /// What to sleep after a piece.
        pause: Duration,
    },
    /// Do nothing.
    Sleep(Duration),
    /// Shut the send half down.
    Finish,
    /// Close the descriptor, whatever has not been read.
    Close,
    /// Wait until there is something to read, and close without having read it: a reset goes out.
    CloseUnread,
    /// Close so that a reset goes out.
    Reset,
}

/// How an act went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As it was asked for.
    Done,
    /// The end of the stream.
    End,
    /// A call failed.
    Failed(ErrorKind, Option<i32>),
    /// There was no socket any more.
    Closed,
}

/// What a peer saw of one act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it did.
    pub act: Act,
    /// Bytes sent or received by this act.
    pub bytes: u64,
    /// Digest of everything received so far, from the first byte: see [`digest`].
    pub digest: u64,
    /// How it went.
    pub how: How,
}

impl Seen {
    /// Whether the peer was told that the connection is lost: a reset, or what an OS makes of one.
    #[must_use]
    pub const fn is_failed(&self) -> bool {
        matches!(self.how, How::Failed(kind, _) if !matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// Whether the peer lost its patience, and nothing had happened.
    #[must_use]
    pub const fn is_overdue(&self) -> bool {
        matches!(self.how, How::Failed(ErrorKind::WouldBlock | ErrorKind::TimedOut, _))
    }
}

/// One end of a connection, without a thread: each act is done where it is called.
#[derive(Debug)]
pub struct Line {
    stream: Option<TcpStream>,
    local: SocketAddr,
    content: Content,
    digest: Digest,
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    ///
    /// What the OS said, or that it took longer than the patience.
    pub fn connect(peer: SocketAddr, wiring: &Wiring) -> io::Result<Self> {
        let socket = wiring.socket()?;
        if let Err(error) = socket.connect_timeout(&peer.into(), wiring.patience) {
            // A listener that accepts and closes at once makes Wine's poll say "hung up", without an error, before the
            // connect has been looked at. It was made all the same.
            if error.raw_os_error().is_some() || socket.peer_addr().is_err() {
                return Err(error);
            }
        }
        Self::new(socket.into(), wiring)
    }

    fn new(stream: TcpStream, wiring: &Wiring) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(wiring.patience))?;
        stream.set_write_timeout(Some(wiring.patience))?;
        let unspecified = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Ok(Self {
            local: stream.local_addr().unwrap_or(unspecified),
            stream: Some(stream),
            content: Content::of(wiring.seed),
            digest: Digest::default(),
        })
    }

    /// Its own address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.local
    }

    /// Does one thing.
    pub fn act(&mut self, act: Act) -> Seen {
        let (bytes, how) = match act {
            Act::Send(count) => self.send(count, count, Duration::ZERO),
            Act::SendUntilItFails { most, piece, pause } => self.send(most, piece, pause),
            Act::Read(count) => self.read(count as u64, 64 * 1024, Duration::ZERO),
            Act::ReadToEnd => self.read(u64::MAX, 64 * 1024, Duration::ZERO),
            Act::ReadSlowly { piece, pause } => self.read(u64::MAX, piece, pause),
            Act::Sleep(time) => {
                thread::sleep(time);
                (0, How::Done)
            }
            Act::Finish => match &self.stream {
                Some(stream) => (0, done(stream.shutdown(Shutdown::Write))),
                None => (0, How::Closed),
            },
            Act::Close => (0, self.close()),
            Act::CloseUnread => {
                let waited = self.stream.as_ref().map(|stream| stream.peek(&mut [0; 1]).map(drop));
                let how = waited.map_or(How::Closed, done);
                self.close();
                (0, how)
            }
            Act::Reset => match self.stream.take() {
                Some(stream) => (0, done(SockRef::from(&stream).set_linger(Some(Duration::ZERO)))),
                None => (0, How::Closed),
            },
        };
        Seen { act, bytes, digest: self.digest.get(), how }
    }

    /// Does one thing after the other.
    pub fn play(&mut self, acts: impl IntoIterator<Item = Act>) -> Vec<Seen> {
        acts.into_iter().map(|act| self.act(act)).collect()
    }

    fn close(&mut self) -> How {
        match self.stream.take() {
            Some(_) => How::Done,
            None => How::Closed,
        }
    }

    fn send(&mut self, most: usize, piece: usize, pause: Duration) -> (u64, How) {
        let Some(stream) = &mut self.stream else { return (0, How::Closed) };
        let mut sent = 0;
        while sent < most {
            // What a failed call did not take is not sent again: the content may go on after a gap, but
            // after a failure nothing is sent at all.
            let bytes = self.content.take(piece.clamp(1, 64 * 1024).min(most - sent));
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                match stream.write(rest) {
                    Ok(count) => {
                        sent += count;
                        rest = rest.get(count..).unwrap_or_default();
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return (sent as u64, failed(&error)),
                }
            }
            if !pause.is_zero() {
                thread::sleep(pause);
            }
        }
        (sent as u64, How::Done)
    }

    fn read(&mut self, most: u64, piece: usize, pause: Duration) -> (u64, How) {
        let Some(stream) = &mut self.stream else { return (0, How::Closed) };
        let mut buffer = vec![0; piece.max(1)];
        let mut received = 0;
        while received < most {
            let part = buffer.len().min(usize::try_from(most - received).unwrap_or(usize::MAX));
            match stream.read(&mut buffer[..part]) {
                Ok(0) => return (received, How::End),
                Ok(count) => {
                    received += count as u64;
                    self.digest.add(&buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return (received, failed(&error)),
            }
            if !pause.is_zero() {
                thread::sleep(pause);
            }
        }
        (received, How::Done)
    }
}

fn done(result: io::Result<()>) -> How {
    result.map_or_else(|error| failed(&error), |()| How::Done)
}

fn failed(error: &io::Error) -> How {
    How::Failed(error.kind(), error.raw_os_error())
}

/// A [`Line`] in a thread of its own.
///
/// Dropping it closes the line, once the acts that were begun are over.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    acts: Sender<Act>,
    seen: Receiver<Seen>,
    /// Begun, and not asked for.
    begun: VecDeque<Act>,
    /// Everything that was asked for: the script, with what came of it.
    history: Vec<Seen>,
}

impl Peer {
    /// Connects, and goes to its thread.
    ///
    /// # Errors
    ///
    /// As [`Line::connect`].
    pub fn connect(peer: SocketAddr, wiring: &Wiring) -> io::Result<Self> {
        Line::connect(peer, wiring).map(Self::on)
    }

    /// Puts a line in a thread.
    #[must_use]
    pub fn on(mut line: Line) -> Self {
        let (acts, todo) = channel::<Act>();
        let (tell, seen) = channel();
        let address = line.address();
        thread::spawn(move || {
            for act in todo {
                if tell.send(line.act(act)).is_err() {
                    break;
                }
            }
        });
        Self { address, acts, seen, begun: VecDeque::new(), history: Vec::new() }
    }

    /// Its own address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does one thing, and waits for what comes of it.
    pub fn act(&mut self, act: Act) -> Seen {
        self.begin(act);
        self.seen()
    }

    /// Does one thing after the other, and waits for what comes of them.
    pub fn play(&mut self, acts: impl IntoIterator<Item = Act>) -> Vec<Seen> {
        acts.into_iter().map(|act| self.act(act)).collect()
    }

    /// Begins one thing, after those that were begun before, and does not wait.
    pub fn begin(&mut self, act: Act) {
        self.begun.push_back(act);
        // A thread that is gone is found out when it is asked.
        let _gone = self.acts.send(act);
    }

    /// What came of the oldest act that was begun and not asked for.
    pub fn seen(&mut self) -> Seen {
        let act = self.begun.pop_front().unwrap_or(Act::Sleep(Duration::ZERO));
        let gone = Seen { act, bytes: 0, digest: 0, how: How::Closed };
        let seen = self.seen.recv().unwrap_or(gone);
        self.history.push(seen);
        seen
    }

    /// Everything it did and saw.
    #[must_use]
    pub fn history(&self) -> &[Seen] {
        &self.history
    }
}
