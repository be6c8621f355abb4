//! A listener that survives what its clients do, and what this host runs out of.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hangup::{AcceptJudge, AcceptVerdict, Moment};
use polling::{Event, PollMode, Poller};
use socket2::{Domain, Socket, Type};

use crate::{input, os};

/// A registered listener.
///
/// One connection's trouble never ends it, and running out of descriptors neither ends it nor makes it spin:
/// it holds one descriptor in reserve, gives it up to take the next client off the queue and close it, and
/// then pauses. While it pauses, [`Acceptor::timeout`] says how long.
#[derive(Debug)]
pub struct Acceptor {
    poller: Arc<Poller>,
    listener: TcpListener,
    key: usize,
    judge: AcceptJudge,
    epoch: Instant,
    /// Not before this moment.
    paused: Option<Moment>,
    /// Whether somebody may be waiting.
    ready: bool,
    /// A descriptor to give up when there is no other.
    reserve: Option<Socket>,
}

impl Acceptor {
    /// Registers a listener under a key of the application's choice. Any key below 2^20 is never a key of a
    /// [`Driver`](crate::Driver).
    ///
    /// # Errors
    ///
    /// If the listener cannot be made nonblocking, or the poller refuses it.
    pub fn new(poller: Arc<Poller>, listener: TcpListener, key: usize) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        os::add_listener(&poller, &listener, Event::readable(key), PollMode::Oneshot)?;
        Ok(Self {
            poller,
            listener,
            key,
            judge: AcceptJudge::default(),
            epoch: Instant::now(),
            paused: None,
            ready: false,
            reserve: reserve(),
        })
    }

    /// The listener, for its address.
    #[must_use]
    pub const fn listener(&self) -> &TcpListener {
        &self.listener
    }

    /// Takes note of an event. Whether it was the listener's.
    pub fn event(&mut self, event: &Event) -> bool {
        let mine = event.key == self.key;
        self.ready |= mine;
        mine
    }

    /// The next connection that waits. Ask until it is `None`, once a round: without an event, and while the
    /// listener pauses, that costs nothing.
    ///
    /// # Errors
    ///
    /// Only if the listener itself is broken.
    pub fn accept(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        if let Some(until) = self.paused {
            if self.now() < until {
                return Ok(None);
            }
            self.paused = None;
            self.ready = true;
            self.refill();
        }
        if !self.ready {
            return Ok(None);
        }
        loop {
            let error = match self.listener.accept() {
                Ok(accepted) => {
                    self.judge.accepted();
                    return Ok(Some(accepted));
                }
                Err(error) => error,
            };
            let (fault, _) = input::fault(&error);
            match self.judge.failed(fault, self.now()) {
                AcceptVerdict::RetryNow => {}
                AcceptVerdict::Wait => {
                    self.ready = false;
                    if let Err(error) = self.poller.modify(&self.listener, Event::readable(self.key)) {
                        // Nobody would be announced: look again a little later, without an event.
                        let (fault, _) = input::fault(&error);
                        return match self.judge.failed(fault, self.now()) {
                            AcceptVerdict::Fatal => Err(error),
                            AcceptVerdict::BackOffUntil(until) | AcceptVerdict::ShedOne(until) => {
                                Ok(self.pause(until))
                            }
                            AcceptVerdict::RetryNow | AcceptVerdict::Wait => {
                                Ok(self.pause(self.now() + Duration::from_millis(10)))
                            }
                        };
                    }
                    return Ok(None);
                }
                AcceptVerdict::BackOffUntil(until) => return Ok(self.pause(until)),
                AcceptVerdict::ShedOne(until) => {
                    self.shed();
                    return Ok(self.pause(until));
                }
                AcceptVerdict::Fatal => return Err(error),
            }
        }
    }

    /// How long until a paused listener is to be asked again. `None`: it does not pause.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.paused.map(|until| until.since(self.now()))
    }

    fn pause<T>(&mut self, until: Moment) -> Option<T> {
        self.paused = Some(until);
        None
    }

    /// Gives the reserve up, takes one client off the queue and hangs up on it: better than to let it wait for
    /// an answer that does not come.
    fn shed(&mut self) {
        if let Some(spare) = self.reserve.take() {
            drop(spare);
            drop(self.listener.accept());
            self.refill();
        }
    }

    /// Somebody else may have been quicker to take the descriptor; then there will be one another time.
    fn refill(&mut self) {
        if self.reserve.is_none() {
            self.reserve = reserve();
        }
    }

    fn now(&self) -> Moment {
        Moment::since_epoch(self.epoch.elapsed())
    }
}

/// A socket that is good for nothing but its descriptor.
fn reserve() -> Option<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM, None).ok()
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        // The registration goes before the descriptor, always. If it is gone already, so much the better.
        drop(self.poller.delete(&self.listener));
    }
}
