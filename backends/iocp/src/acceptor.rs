//! Listeners that survive what their clients do, and what this host runs out of.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::windows::io::AsRawSocket;
use std::sync::Arc;

use hangup::{AcceptJudge, AcceptVerdict, Moment};
use slab::Slab;
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use crate::driver::{Core, Driver};
use crate::input;
use crate::os::{self, Flight, IN_USE, Landing, Submitted};
use crate::shared::lock;
use crate::socket::Flights;

/// How many accepts a listener has in flight, and how many accepted streams wait here: the rest of them wait in the
/// backlog, where a full one tells clients to come later.
const POSTED: usize = 16;

/// A number with this mark is that of an accept.
const MARK: u64 = 1 << 60;

/// The place of the accept that a number is of; `None` if it is another operation's.
pub(crate) fn place(user_data: u64) -> Option<usize> {
    if user_data & MARK == 0 { None } else { usize::try_from(user_data & !MARK).ok() }
}

/// The listeners of one port. Behind a lock of its own: the calls that submit an accept are made with it held, so
/// whoever has the packet waits until the call has returned.
#[derive(Debug, Default)]
pub(crate) struct Acceptor {
    listeners: Slab<Listener>,
    accepts: Slab<Accept>,
    incoming: VecDeque<Incoming>,
    broken: VecDeque<io::Error>,
    /// How much was ever put into the two lists.
    arrivals: u64,
    /// How much of that all workers have been brought back for.
    called: u64,
}

#[derive(Debug)]
struct Listener {
    /// Shared with the accepts in flight, the last of which closes it. `None`: no more are to be posted.
    door: Option<Arc<TcpListener>>,
    skips: bool,
    judge: AcceptJudge,
    /// Not before this moment.
    paused: Option<Moment>,
    /// Accepts in flight, and streams that wait.
    busy: usize,
}

/// An accept in flight: its memory and its sockets stay until its packet has come.
#[derive(Debug)]
struct Accept {
    listener: usize,
    door: Arc<TcpListener>,
    flight: Flight,
    socket: RawSocket,
}

#[derive(Debug)]
struct Incoming {
    listener: usize,
    stream: TcpStream,
    peer: SocketAddr,
}

impl<S> Driver<S> {
    /// Accepts from a listener from here on, a few ahead. What comes is fetched with [`incoming`](Self::incoming), on
    /// any worker.
    ///
    /// # Errors
    ///
    /// If the listener cannot be associated with the port: it has one already.
    pub fn listen(&mut self, listener: TcpListener) -> io::Result<()> {
        self.end_turn();
        self.core.listen(listener)
    }

    /// The next stream that has come, for [`accept`](Self::accept), and who it is from. Ask until it is `None`, once a
    /// round. What one worker leaves here, the others are brought back for, once.
    ///
    /// One connection's trouble is never an error here, and running out of something makes the listener pause.
    ///
    /// # Errors
    ///
    /// Only if a listener itself is broken; it is closed then. One worker hears of it.
    pub fn incoming(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        self.end_turn();
        let Core { shared, flights, now, .. } = &mut self.core;
        lock(&shared.acceptor).next_incoming(flights, *now)
    }

    /// Closes all listeners. Streams that have come already can still be fetched.
    pub fn stop_listening(&mut self) {
        self.end_turn();
        self.core.stop_listening();
    }
}

impl Core {
    fn listen(&mut self, listener: TcpListener) -> io::Result<()> {
        let Self { shared, flights, now, .. } = self;
        self.port.associate(&listener)?;
        let skips = shared.options.skip_on_success && os::set_skip_on_success(&listener).is_ok();
        lock(&shared.acceptor).listen(listener, skips, flights, *now);
        Ok(())
    }

    /// Lets listeners go on that have paused long enough.
    pub(crate) fn resume_accepting(&mut self) {
        let Self { shared, flights, now, .. } = self;
        lock(&shared.acceptor).resume(flights, *now);
    }

    /// The packet of an accept has come.
    pub(crate) fn accept_landed(&mut self, place: usize, landing: Landing) {
        let Self { shared, flights, now, .. } = self;
        lock(&shared.acceptor).landed(place, landing, flights, *now);
    }

    pub(crate) fn stop_listening(&mut self) {
        lock(&self.shared.acceptor).stop();
    }
}

impl Acceptor {
    /// How much there has been to fetch.
    pub(crate) const fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Whether something was left here by a worker that knows of it, and the others have not been brought back for it.
    /// Asked once for each arrival.
    pub(crate) fn is_left(&mut self) -> bool {
        let is_here = !(self.incoming.is_empty() && self.broken.is_empty());
        std::mem::replace(&mut self.called, self.arrivals) != self.arrivals && is_here
    }

    /// When a listener that pauses goes on.
    pub(crate) fn resumes(&self) -> Option<Moment> {
        self.listeners.iter().filter_map(|(_, listener)| listener.paused).min()
    }

    /// How many accepts the OS has.
    pub(crate) fn in_flight(&self) -> usize {
        self.accepts.len()
    }

    fn listen(&mut self, listener: TcpListener, skips: bool, flights: &mut Flights, now: Moment) {
        let (door, judge) = (Some(Arc::new(listener)), AcceptJudge::default());
        let at = self.listeners.insert(Listener { door, skips, judge, paused: None, busy: 0 });
        self.post_accepts(at, flights, now);
    }

    fn next_incoming(
        &mut self,
        flights: &mut Flights,
        now: Moment,
    ) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        if let Some(error) = self.broken.pop_front() {
            return Err(error);
        }
        let Some(Incoming { listener, stream, peer }) = self.incoming.pop_front() else {
            return Ok(None);
        };
        self.idle(listener);
        self.post_accepts(listener, flights, now);
        Ok(Some((stream, peer)))
    }

    fn resume(&mut self, flights: &mut Flights, now: Moment) {
        if self.resumes().is_none_or(|until| until > now) {
            return;
        }
        let places: Vec<usize> = self.listeners.iter().map(|(at, _)| at).collect();
        for at in places {
            if let Some(listener) = self.listeners.get_mut(at) {
                listener.paused = listener.paused.filter(|&until| until > now);
            }
            self.post_accepts(at, flights, now);
        }
    }

    /// Posts as many accepts as are missing.
    fn post_accepts(&mut self, at: usize, flights: &mut Flights, now: Moment) {
        while let Some(listener) = self.listeners.get_mut(at) {
            let Some(door) = listener.door.clone() else { return };
            if listener.paused.is_some() || listener.busy >= POSTED {
                return;
            }
            match socket_for(&door) {
                Ok(socket) => {
                    let accept = Accept { listener: at, door, flight: flights.take(), socket };
                    self.post_accept(accept, flights, now);
                }
                Err(error) => self.accept_failed(at, error, now),
            }
        }
    }

    fn post_accept(&mut self, accept: Accept, flights: &mut Flights, now: Moment) {
        let Some(listener) = self.listeners.get_mut(accept.listener) else { return };
        listener.busy += 1;
        let entry = self.accepts.vacant_entry();
        let (place, user_data) = (entry.key(), MARK | entry.key() as u64);
        let accept = entry.insert(accept);
        let (door, raw) = (accept.door.as_raw_socket(), accept.socket.as_raw_socket());
        let armed = accept.flight.arm_for_accept(user_data);
        match armed.map_or(IN_USE, |armed| armed.accept(door, raw, listener.skips)) {
            Submitted::Pending => {}
            Submitted::Done(_) => drop(self.over(place, Landing::Done(0), flights, now)),
            Submitted::Failed(code) => drop(self.over(place, Landing::Failed(code, 0), flights, now)),
        }
    }

    fn landed(&mut self, place: usize, landing: Landing, flights: &mut Flights, now: Moment) {
        if let Some(at) = self.over(place, landing, flights, now) {
            self.post_accepts(at, flights, now);
        }
    }

    /// An accept is over: by its packet, or at once. Which listener's it was.
    fn over(&mut self, place: usize, landing: Landing, flights: &mut Flights, now: Moment) -> Option<usize> {
        let Accept { listener: at, door, mut flight, socket } = self.accepts.try_remove(place)?;
        drop(flight.take(0));
        flights.keep(flight);
        let listener = self.listeners.get_mut(at)?;
        let accepted = match landing {
            Landing::Done(_) => {
                let stream = TcpStream::from(socket);
                let told = os::update_accept_context(&stream, door.as_raw_socket());
                // One that was reset meanwhile has no peer's name.
                told.and_then(|()| stream.peer_addr()).map(|peer| Incoming { listener: at, stream, peer })
            }
            Landing::Failed(code, _) => {
                let number = code.fault().typical(hangup::Os::Windows).unwrap_or_else(|| code.value());
                Err(io::Error::from_raw_os_error(number))
            }
        };
        match accepted {
            Ok(incoming) => {
                listener.judge.accepted();
                self.incoming.push_back(incoming);
                self.arrivals += 1;
            }
            Err(error) => {
                self.idle(at);
                self.accept_failed(at, error, now);
            }
        }
        Some(at)
    }

    /// One accept, or one stream that waited, fewer. Behind the last of a door that is closed nothing is left.
    fn idle(&mut self, at: usize) {
        let Some(listener) = self.listeners.get_mut(at) else { return };
        listener.busy = listener.busy.saturating_sub(1);
        if listener.door.is_none() && listener.busy == 0 {
            drop(self.listeners.remove(at));
        }
    }

    fn accept_failed(&mut self, at: usize, error: io::Error, now: Moment) {
        let Some(listener) = self.listeners.get_mut(at) else { return };
        if listener.door.is_none() {
            return;
        }
        match listener.judge.failed(input::fault(&error).0, now) {
            AcceptVerdict::RetryNow | AcceptVerdict::Wait => {}
            // An accept in flight has its socket already, so there is none to give up: others are left in the
            // backlog until somebody goes.
            AcceptVerdict::BackOffUntil(until) | AcceptVerdict::ShedOne(until) => {
                listener.paused = Some(until);
            }
            AcceptVerdict::Fatal => {
                self.broken.push_back(error);
                self.arrivals += 1;
                self.close_listener(at);
            }
        }
    }

    fn stop(&mut self) {
        let places: Vec<usize> = self.listeners.iter().map(|(at, _)| at).collect();
        for at in places {
            self.close_listener(at);
        }
    }

    /// Cancels what is in flight; the last to come back closes the socket. Streams that wait are waited for by nothing
    /// but the listener's place here.
    fn close_listener(&mut self, at: usize) {
        let Some(listener) = self.listeners.get_mut(at) else { return };
        listener.door = None;
        listener.paused = None;
        if listener.busy == 0 {
            return drop(self.listeners.remove(at));
        }
        for (_, accept) in self.accepts.iter().filter(|(_, accept)| accept.listener == at) {
            accept.flight.cancel(accept.door.as_raw_socket());
        }
    }
}

/// A socket for an accept to fill: of the listener's family, neither bound nor connected.
fn socket_for(listener: &TcpListener) -> io::Result<RawSocket> {
    let domain = Domain::for_address(listener.local_addr()?);
    RawSocket::new(domain, Type::STREAM, Some(Protocol::TCP))
}
