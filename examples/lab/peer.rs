//! The scripted peer: plain blocking sockets, one act at a time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use hangup_polling::os::Evidence;
use socket2::SockRef;

use crate::process::Process;
use crate::record::{GONE, Said, Side};
use crate::wire::{Segment, Wire};

/// What the peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Accepts our connection.
    Accept,
    Write(usize),
    /// Writes at most so much, without waiting.
    Pour(usize),
    /// Reads until it has so much, or the end.
    Read(usize),
    /// Reads at most so much, without waiting.
    Sip(usize),
    ReadToEnd,
    /// `shutdown(WR)`.
    Finish,
    Close,
    /// Close with linger 0.
    Reset,
    /// The peer's process exits.
    Exit,
    /// The peer's process is killed.
    Kill,
}

/// Where the peer lives.
#[derive(Debug, Default)]
pub(crate) enum Place {
    #[default]
    Nowhere,
    Listening(TcpListener),
    Here(TcpStream),
    Process(Process),
}

/// The peer.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) place: Place,
    /// Bytes it has received.
    pub(crate) received: u64,
    /// What its last read said, unless that was "would block".
    pub(crate) last_read: Option<Said>,
    /// Whether its last write failed.
    pub(crate) cannot_write: bool,
    closed: bool,
}

/// No peer waits longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

impl Peer {
    /// A peer in this process.
    pub(crate) fn here(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { place: Place::Here(stream), ..Self::default() })
    }

    pub(crate) fn listening(listener: TcpListener) -> Self {
        Self { place: Place::Listening(listener), ..Self::default() }
    }

    pub(crate) fn process(process: Process) -> Self {
        Self { place: Place::Process(process), ..Self::default() }
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        match &self.place {
            Place::Listening(listener) => listener.local_addr(),
            Place::Here(stream) => stream.local_addr(),
            Place::Process(process) => Ok(process.address()),
            Place::Nowhere => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The state of its socket, where the system tells.
    pub(crate) fn state(&self) -> Option<&'static str> {
        match &self.place {
            Place::Here(stream) => Evidence::of(stream).map(|evidence| evidence.state.name()),
            Place::Nowhere if self.closed => Some(GONE),
            Place::Nowhere | Place::Listening(_) | Place::Process(_) => None,
        }
    }

    /// Performs an act. What it said, and what it put on the wire.
    pub(crate) fn act(&mut self, act: Act, wire: &mut Wire) -> io::Result<(Said, Vec<Segment>)> {
        let none = Vec::new();
        match act {
            Act::Accept => self.accept().map(|()| (Said::Done, none)),
            Act::Write(count) => self.write(count, false, wire),
            Act::Pour(count) => self.write(count, true, wire),
            Act::Read(count) => self.read(count, false, wire).map(|said| (said, none)),
            Act::Sip(count) => self.read(count, true, wire).map(|said| (said, none)),
            Act::ReadToEnd => self.read_to_end(wire).map(|said| (said, none)),
            Act::Finish => {
                self.stream()?.shutdown(Shutdown::Write)?;
                Ok((Said::Done, wire.finish(Side::Peer)))
            }
            Act::Close => {
                self.stream()?;
                Ok((Said::Done, self.gone(false, wire)))
            }
            Act::Reset => {
                SockRef::from(self.stream()?).set_linger(Some(Duration::ZERO))?;
                Ok((Said::Done, self.gone(true, wire)))
            }
            Act::Exit => {
                self.take_process()?.exit()?;
                Ok((Said::Done, self.gone(false, wire)))
            }
            Act::Kill => {
                self.take_process()?.kill()?;
                Ok((Said::Done, self.gone(false, wire)))
            }
        }
    }

    fn stream(&self) -> io::Result<&TcpStream> {
        match &self.place {
            Place::Here(stream) => Ok(stream),
            Place::Nowhere | Place::Listening(_) | Place::Process(_) => {
                Err(io::ErrorKind::NotConnected.into())
            }
        }
    }

    fn take_process(&mut self) -> io::Result<Process> {
        match std::mem::take(&mut self.place) {
            Place::Process(process) => Ok(process),
            Place::Nowhere | Place::Listening(_) | Place::Here(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn gone(&mut self, reset: bool, wire: &mut Wire) -> Vec<Segment> {
        self.place = Place::Nowhere;
        self.closed = true;
        wire.close(Side::Peer, reset)
    }

    fn accept(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Process(process) => process.order("accept"),
            Place::Listening(listener) => {
                let stream = listener.accept()?.0;
                let received = self.received;
                *self = Self { received, ..Self::here(stream)? };
                Ok(())
            }
            Place::Nowhere | Place::Here(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// A peer that cannot write any more goes on with its script.
    fn write(&mut self, count: usize, later: bool, wire: &mut Wire) -> io::Result<(Said, Vec<Segment>)> {
        let mut stream = self.stream()?;
        stream.set_nonblocking(later)?;
        let result = stream.write(&vec![b'p'; count]);
        stream.set_nonblocking(false)?;
        let said = Said::counted(&result, false);
        let sent = result.map_or(0, |count| count as u64);
        self.cannot_write = said.is_failure();
        Ok((said, wire.send(Side::Peer, sent)))
    }

    /// Until it has so much, or cannot go on.
    fn read(&mut self, count: usize, later: bool, wire: &mut Wire) -> io::Result<Said> {
        if let Place::Process(process) = &mut self.place {
            process.order(&format!("read {count}"))?;
            self.has_read(count as u64, wire);
            return Ok(Said::Bytes(count as u64));
        }
        let mut sum = 0;
        loop {
            let said = self.receive(count - sum, later)?;
            let Said::Bytes(more) = said else { return Ok(said) };
            self.has_read(more, wire);
            sum = usize::try_from(more).map_or(count, |more| (sum + more).min(count));
            if sum == count || later {
                return Ok(Said::Bytes(sum as u64));
            }
        }
    }

    /// Everything, and then what ended it.
    fn read_to_end(&mut self, wire: &mut Wire) -> io::Result<Said> {
        let mut sum = 0;
        loop {
            let said = self.receive(64 * 1024, false)?;
            let Said::Bytes(count) = said else {
                return Ok(Said::Text(format!("{sum}, then {said}")));
            };
            self.has_read(count, wire);
            sum += count;
        }
    }

    /// One call.
    fn receive(&mut self, count: usize, later: bool) -> io::Result<Said> {
        let mut stream = self.stream()?;
        stream.set_nonblocking(later)?;
        let said = Said::counted(&stream.read(&mut vec![0; count]), true);
        stream.set_nonblocking(false)?;
        if said != Said::WouldBlock {
            self.last_read = Some(said.clone());
        }
        Ok(said)
    }

    fn has_read(&mut self, count: u64, wire: &mut Wire) {
        self.received += count;
        wire.read(Side::Peer, count);
    }
}
