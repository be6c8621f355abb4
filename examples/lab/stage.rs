//! The stage of one ending: an event loop with a driver on our side, a scripted peer on the other, and a
//! record of everything that either of them does or observes.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hangup::{Audit, Key, Life, OnPeerFinish, Policy, Report};
use hangup_polling::os::{Evidence, TcpState};
use hangup_polling::{Driver, Trigger};
use polling::{Events, Poller};
use socket2::{Domain, SockRef, Socket, Type};

use crate::application::{Habits, Held};
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
const PATIENCE: Duration = Duration::from_secs(10);

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
}

impl Buffers {
    fn set(self, socket: SockRef<'_>) -> io::Result<()> {
        if self == Self::Small {
            socket.set_send_buffer_size(16 * 1024)?;
            socket.set_recv_buffer_size(16 * 1024)?;
        }
        Ok(())
    }
}

pub(crate) struct Stage {
    poller: Arc<Poller>,
    pub(super) net: Driver<Held>,
    events: Events,
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
    pub(crate) fn new(policy: Policy, trigger: Option<Trigger>) -> io::Result<Self> {
        let poller = Arc::new(Poller::new()?);
        let net = match trigger {
            Some(trigger) => Driver::with_trigger(Arc::clone(&poller), policy, trigger)?,
            None => Driver::new(Arc::clone(&poller), policy),
        };
        Ok(Self {
            poller,
            net,
            events: Events::new(),
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
        buffers.set(SockRef::from(&listener))?;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        buffers.set(SockRef::from(&socket))?;
        socket.connect(&listener.local_addr()?.into())?;
        self.peer = Peer::here(socket.into())?;
        self.sample();
        let segments = vec![Segment::new(Side::Peer, Packet::Syn), Segment::new(Side::Us, Packet::SynAck)];
        self.record.push(Side::Peer, Kind::Call, "connect", Said::Done, segments);
        Ok(listener)
    }

    /// We take in a stream that was accepted.
    pub(crate) fn take_in(&mut self, stream: TcpStream, buffers: Buffers) -> Result<(), Trouble> {
        buffers.set(SockRef::from(&stream))?;
        self.tick();
        let held = self.hold();
        let key = self.net.accept(stream, held).map_err(|error| Trouble::Failed(error.to_string()))?;
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
        self.tick();
        self.record.wire.open(&packets);
        let held = self.hold();
        let key = self.net.connect(to, held).map_err(|error| Trouble::Failed(error.to_string()))?;
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

    // -- Waiting ------------------------------------------------------------------------------------

    /// Runs the loop until something holds.
    pub(crate) fn turn_until(
        &mut self,
        what: &str,
        holds: impl Fn(&mut Self) -> bool,
    ) -> Result<(), Trouble> {
        self.turn_with(what, &[], holds)
    }

    /// The same, with the peer acting in every round. Like steps are put together.
    pub(crate) fn turn_with(
        &mut self,
        what: &str,
        acts: &[Act],
        holds: impl Fn(&mut Self) -> bool,
    ) -> Result<(), Trouble> {
        let begin = Instant::now();
        self.record.bulk(!acts.is_empty());
        while !holds(self) {
            if begin.elapsed() > PATIENCE {
                return Err(Trouble::Failed(format!("waited {PATIENCE:?} for this: {what}")));
            }
            for &act in acts {
                self.peer(act)?;
            }
            if acts.is_empty() {
                self.turn(Duration::from_millis(50))?;
            } else {
                // A peer at its leisure.
                std::thread::sleep(Duration::from_millis(1));
                self.turn(Duration::ZERO)?;
            }
        }
        self.record.bulk(false);
        Ok(())
    }

    /// Runs the loop until the connection has been released.
    pub(crate) fn turn_until_ended(&mut self) -> Result<(), Trouble> {
        self.turn_until("the end", Self::has_ended)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !self.reports.is_empty()
    }

    /// Waits, without a look at the poller, until what the peer did has arrived: until our socket is in this
    /// state, or where the system does not tell, for a while.
    pub(crate) fn wait_for(&mut self, state: TcpState) -> Result<(), Trouble> {
        let begin = Instant::now();
        loop {
            match self.evidence() {
                None => {
                    std::thread::sleep(Duration::from_millis(60));
                    return Ok(());
                }
                Some(evidence) if evidence.state == state => return Ok(()),
                Some(_) if begin.elapsed() > PATIENCE => {
                    return Err(Trouble::Failed(format!("waited {PATIENCE:?} for the state {state}")));
                }
                Some(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// One round of the loop, as the driver's documentation describes it.
    fn turn(&mut self, at_most: Duration) -> Result<(), Trouble> {
        let timeout = self.net.timeout().map_or(at_most, |timeout| timeout.min(at_most));
        self.events.clear();
        self.poller.wait(&mut self.events, Some(timeout))?;
        self.tick();
        let events: Vec<polling::Event> = self.events.iter().collect();
        for event in events {
            self.on_event(&event);
        }
        while let Some(guard) = self.net.again() {
            crate::application::serve(guard, &self.habits, &mut self.record);
        }
        self.collect();
        Ok(())
    }

    // -- Looking ------------------------------------------------------------------------------------

    pub(crate) fn life(&mut self) -> Option<Life> {
        self.net.get(self.key?).ok()?.io.life()
    }

    pub(crate) fn evidence(&mut self) -> Option<Evidence> {
        let guard = self.net.get(self.key?).ok()?;
        guard.io.stream().and_then(Evidence::of)
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
