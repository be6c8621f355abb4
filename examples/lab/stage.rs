//! The stage of one ending: an event loop with a driver on our side, a scripted peer on the other, and a
//! record of everything that either of them does or observes.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hangup::{Audit, Key, Life, OnPeerFinish, Policy, Report};
use hangup_examples::net::{InTurn, Net};
use hangup_polling::os::Evidence;
use socket2::{Domain, SockRef, Socket, Type};

use crate::application::{Habits, Held};
use crate::ending::Here;
use crate::peer::{Act, Peer};
use crate::record::{Kind, Record, Said, Side};
use crate::wire::{Packet, Segment};

/// Limits that do not pass while a script runs.
pub(crate) const PATIENT: Policy = Policy {
    on_peer_finish: OnPeerFinish::KeepSending,
    connect: LONG,
    idle: Some(LONG),
    stall: LONG,
    half_closed: LONG,
    drain_total: LONG,
    drain_idle: LONG,
    drain_budget: 1 << 30,
};
const LONG: Duration = Duration::from_secs(60);

/// A script that waits longer than this for something has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Why a script could not be played to its end.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Something that it relies on did not happen.
    Failed(String),
    /// What it needs cannot be had on this system.
    NotHere(&'static str),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failed(format!("a call of the script itself failed: {error}"))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(what) => f.write_str(what),
            Self::NotHere(why) => f.write_str(why),
        }
    }
}

/// Sizes of the kernel's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Buffers {
    Usual,
    /// So small that a peer that does not read is soon felt.
    Small,
    /// Only the peer's are small: our stack takes what it does not.
    SmallPeer,
}

impl Buffers {
    fn set(self, socket: SockRef<'_>, side: Side) -> io::Result<()> {
        if self == Self::Small || self == Self::SmallPeer && side == Side::Peer {
            socket.set_send_buffer_size(16 * 1024)?;
            socket.set_recv_buffer_size(16 * 1024)?;
        }
        Ok(())
    }
}

pub(crate) struct Stage {
    pub(super) here: Here,
    pub(super) net: Box<dyn Net<Held>>,
    pub(super) key: Option<Key>,
    pub(crate) peer: Peer,
    pub(super) record: Record,
    pub(super) habits: Habits,
    /// The application's states that have been dropped.
    drops: Arc<AtomicU32>,
    made: u32,
    pub(super) reports: Vec<Report>,
    pub(super) checks: Vec<(String, bool)>,
    /// Sockets that keep a listener's queue full.
    crowd: Vec<Socket>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("record", &self.record).finish_non_exhaustive()
    }
}

/// What is left of a stage.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) record: Record,
    pub(crate) reports: Vec<Report>,
    pub(crate) audit: Audit,
    pub(crate) made: u32,
    pub(crate) dropped: u32,
    /// Goes on counting after the driver is gone.
    pub(crate) drops: Arc<AtomicU32>,
    pub(crate) checks: Vec<(String, bool)>,
    pub(crate) peer: Peer,
}

impl Stage {
    pub(crate) fn new(policy: Policy, here: Here) -> io::Result<Self> {
        // The script itself accepts: there is no door to the loop.
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut net: Box<dyn Net<Held>> = if here.workers == NonZeroUsize::MIN {
            here.backend.start(here.trigger, policy, true, door)?
        } else {
            Box::new(InTurn::start(here.backend, here.workers, policy, door)?)
        };
        net.close_door();
        Ok(Self {
            here,
            net,
            key: None,
            peer: Peer::default(),
            record: Record::new(),
            habits: Habits::default(),
            drops: Arc::default(),
            made: 0,
            reports: Vec::new(),
            checks: Vec::new(),
            crowd: Vec::new(),
        })
    }

    /// Takes the stage down. What the ledger says is read before: what is still open is closed here.
    pub(crate) fn strike(self) -> Remains {
        Remains {
            audit: self.net.audit(),
            dropped: self.drops.load(Ordering::Relaxed),
            record: self.record,
            reports: self.reports,
            made: self.made,
            drops: self.drops,
            checks: self.checks,
            peer: self.peer,
        }
    }

    // -- Beginnings ---------------------------------------------------------------------------------

    /// The peer connects, and we accept.
    pub(crate) fn accept(&mut self, buffers: Buffers) -> Result<(), Trouble> {
        let listener = self.knock(buffers)?;
        let (stream, _) = listener.accept()?;
        self.take_in(stream, buffers)
    }

    /// The peer connects, and we have not accepted yet.
    pub(crate) fn knock(&mut self, buffers: Buffers) -> Result<TcpListener, Trouble> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        buffers.set(SockRef::from(&listener), Side::Us)?;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        buffers.set(SockRef::from(&socket), Side::Peer)?;
        socket.connect(&listener.local_addr()?.into())?;
        self.peer = Peer::here(socket.into())?;
        self.sample();
        let segments = vec![Segment::new(Side::Peer, Packet::Syn), Segment::new(Side::Us, Packet::SynAck)];
        self.record.push(Side::Peer, Kind::Call, "connect", Said::Done, segments);
        Ok(listener)
    }

    /// We take in a stream that was accepted.
    pub(crate) fn take_in(&mut self, stream: TcpStream, buffers: Buffers) -> Result<(), Trouble> {
        buffers.set(SockRef::from(&stream), Side::Us)?;
        self.tick()?;
        let held = self.hold();
        let key = self.net.accept(stream, held)?;
        self.born(key, "accept", Said::Done, Vec::new());
        Ok(())
    }

    /// The peer listens, and we are connected; the peer has not accepted yet.
    pub(crate) fn connect(&mut self) -> Result<(), Trouble> {
        self.peer = Peer::listening(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
        self.connect_to_peer()
    }

    /// The same, and the peer is a process of its own.
    pub(crate) fn connect_to_process(&mut self) -> Result<(), Trouble> {
        self.peer = Peer::process(crate::process::Process::start()?);
        self.connect_to_peer()
    }

    fn connect_to_peer(&mut self) -> Result<(), Trouble> {
        let packets = [Segment::new(Side::Us, Packet::Syn), Segment::new(Side::Peer, Packet::SynAck)];
        self.begin_connect(self.peer.address()?, packets.to_vec())?;
        self.turn_until("connected", |stage| stage.life().is_none_or(|life| !life.phase().is_connecting()))
    }

    /// Begins a connect, and does not wait for it.
    pub(crate) fn begin_connect(&mut self, to: SocketAddr, packets: Vec<Segment>) -> Result<(), Trouble> {
        // A loop that turns has looked at the clock.
        self.tick()?;
        self.record.wire.open(&packets);
        let held = self.hold();
        let key = self.net.connect(to, held)?;
        self.born(key, "connect", Said::Text("in progress".to_owned()), packets);
        Ok(())
    }

    /// An address at which connects are neither answered nor refused: the queue of its listener is full.
    pub(crate) fn crowded(&mut self) -> Result<SocketAddr, Trouble> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        listener.listen(1)?;
        let address = listener.local_addr()?;
        self.crowd.push(listener);
        for _ in 0..64 {
            let one = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            let refused = one.connect_timeout(&address, Duration::from_millis(60));
            self.crowd.push(one);
            if refused.is_err() {
                let address = address.as_socket().ok_or_else(no_address)?;
                return Ok(address);
            }
        }
        Err(Trouble::NotHere("the queue of a listener does not become full"))
    }

    /// An address at which nobody listens, and which nobody can take meanwhile.
    pub(crate) fn deserted(&mut self) -> Result<SocketAddr, Trouble> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket().ok_or_else(no_address)?;
        self.crowd.push(socket);
        Ok(address)
    }

    fn hold(&mut self) -> Held {
        self.made += 1;
        Held::new(Arc::clone(&self.drops))
    }

    fn born(&mut self, key: Key, what: &str, said: Said, segments: Vec<Segment>) {
        self.key = Some(key);
        self.sample();
        self.record.push(Side::Us, Kind::Call, what, said, segments);
        self.follow();
    }

    // -- The peer -----------------------------------------------------------------------------------

    pub(crate) fn peer(&mut self, act: Act) -> Result<(), Trouble> {
        let (said, segments) = self.peer.act(act, &mut self.record.wire)?;
        if said == Said::WouldBlock {
            return Ok(());
        }
        self.sample();
        self.record.push(Side::Peer, Kind::Call, name(act), said, segments);
        Ok(())
    }

    // -- Looking ------------------------------------------------------------------------------------

    pub(crate) fn life(&mut self) -> Option<Life> {
        let mut life = None;
        self.net.with(self.key?, &mut |io, _| life = io.life());
        life
    }

    pub(crate) fn evidence(&mut self) -> Option<Evidence> {
        let mut evidence = None;
        self.net.with(self.key?, &mut |io, _| evidence = io.stream().and_then(Evidence::of));
        evidence
    }

    /// Looks at both sockets.
    pub(super) fn sample(&mut self) {
        let evidence = self.evidence();
        self.record.we_are(evidence);
        self.record.peer_is(self.peer.state());
    }

    pub(super) fn follow(&mut self) {
        let life = self.life();
        self.record.follow(life);
    }
}

fn no_address() -> io::Error {
    io::ErrorKind::InvalidInput.into()
}

const fn name(act: Act) -> &'static str {
    match act {
        Act::Accept => "accept",
        Act::Write(_) | Act::Pour(_) => "write",
        Act::Read(_) | Act::Sip(_) => "read",
        Act::ReadToEnd => "read to end",
        Act::Finish => "shutdown(WR)",
        Act::Close => "close",
        Act::Reset => "close, linger 0",
        Act::Exit => "the process exits",
        Act::Kill => "the process is killed",
    }
}
