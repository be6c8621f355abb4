//! Listeners that survive what their clients do, and what this host runs out of.

use std::collections::VecDeque;
use std::io;
use std::net::{TcpListener, TcpStream};

use hangup::{AcceptJudge, AcceptVerdict, Fault, Moment, More};
use socket2::{Domain, Socket, Type};

use crate::driver::Core;
use crate::input;
use crate::options::Shots;
use crate::os::ring::Completion;
use crate::os::{self, entries};
use crate::perform::mark;

/// How many streams may wait for the application before a multishot accept is called off.
const WAITING: usize = 64;

/// A listener of the driver's.
///
/// One connection's trouble never ends it, and running out of descriptors neither ends it nor makes it spin: it holds
/// one descriptor in reserve, gives it up to take the next client off the queue and close it, and then pauses.
#[derive(Debug)]
pub(crate) struct Listener {
    /// `None` once it is closed.
    listener: Option<TcpListener>,
    judge: AcceptJudge,
    state: State,
    /// Not before this moment.
    paused: Option<Moment>,
    /// Streams that the application has not fetched.
    ready: VecDeque<TcpStream>,
    /// Why it will never accept again, until the application has been told.
    broken: Option<io::Error>,
    /// A descriptor to give up when there is no other.
    reserve: Option<Socket>,
}

/// What the ring has of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing.
    Idle,
    /// An accept.
    Accepting,
    /// An accept with the last descriptor: it is to be closed when the pause begins.
    Shedding(Moment),
    /// An accept, and a request to cancel it.
    Cancelling,
    /// The same, and then it is over.
    Closing,
    /// It is broken, or nobody else is let in.
    Over,
}

impl Listener {
    pub(crate) fn new(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(false)?;
        Ok(Self {
            listener: Some(listener),
            judge: AcceptJudge::default(),
            state: State::Idle,
            paused: None,
            ready: VecDeque::new(),
            broken: None,
            reserve: reserve(),
        })
    }

    /// Until when it pauses.
    pub(crate) const fn paused(&self) -> Option<Moment> {
        self.paused
    }

    /// Judges an accept that gave nothing.
    fn failed(&mut self, fault: Fault, result: i32, now: Moment) {
        self.state = State::Idle;
        match self.judge.failed(fault, now) {
            // A ring has nobody waiting either way: the next accept waits for somebody.
            AcceptVerdict::Wait | AcceptVerdict::RetryNow => {}
            AcceptVerdict::BackOffUntil(until) => self.paused = Some(until),
            AcceptVerdict::ShedOne(until) => match self.reserve.take() {
                // The next accept has its number.
                Some(_spare) => self.state = State::Shedding(until),
                None => {
                    self.reserve = reserve();
                    self.paused = Some(until);
                }
            },
            AcceptVerdict::Fatal => {
                self.broken = Some(input::error(result));
                self.state = State::Over;
            }
        }
    }

    /// Nothing of it is with the ring any more.
    fn close(&mut self) {
        self.state = State::Over;
        self.paused = None;
        self.listener = None;
        self.reserve = None;
        self.ready.clear();
    }

    fn accepted(&mut self, stream: TcpStream) {
        if let State::Shedding(until) = self.state {
            self.state = State::Idle;
            self.reserve = reserve();
            if self.reserve.is_none() {
                // Better than to let it wait for an answer that does not come.
                drop(stream);
                self.reserve = reserve();
                self.paused = Some(until);
                return;
            }
        }
        self.judge.accepted();
        self.ready.push_back(stream);
    }
}

impl Core {
    /// The next stream that was accepted.
    pub(crate) fn next_incoming(&mut self) -> io::Result<Option<TcpStream>> {
        for listener in &mut self.listeners {
            if let Some(stream) = listener.ready.pop_front() {
                return Ok(Some(stream));
            }
            if let Some(error) = listener.broken.take() {
                listener.close();
                return Err(error);
            }
        }
        Ok(None)
    }

    /// Has the ring accept, or calls off what it accepts with.
    pub(crate) fn set_accepting(&mut self, accepts: bool) {
        self.accepts = accepts;
        for number in 0..self.listeners.len() {
            let state = self.listeners.get(number).map(|listener| listener.state);
            if !accepts && state == Some(State::Accepting) {
                self.cancel_accept(number, State::Cancelling);
            }
        }
    }

    /// Lets the ring accept where it may: not while a listener pauses, and not while streams wait to be fetched.
    pub(crate) fn accept_more(&mut self) {
        for number in 0..self.listeners.len() {
            let Some(listener) = self.listeners.get_mut(number) else { return };
            if listener.paused.is_some_and(|until| until <= self.now) {
                listener.paused = None;
            }
            let may = self.accepts && listener.paused.is_none() && listener.ready.is_empty();
            if may && listener.state == State::Idle && self.begin_accept(number, self.options.accept) {
                self.set_state(number, State::Accepting);
            }
        }
    }

    fn begin_accept(&mut self, number: usize, shots: Shots) -> bool {
        if self.down.is_some() || !self.ring.has_room() {
            return false;
        }
        let listener = self.listeners.get(number).and_then(|listener| listener.listener.as_ref());
        let Some(fd) = listener.map(entries::fd) else { return false };
        let entry = match shots {
            Shots::Single => entries::accept(fd),
            Shots::Multishot => entries::accept_multishot(fd),
        };
        self.counts.submitted += 1;
        self.ring.push(entry, user_data(number))
    }

    /// An accept has said something.
    pub(crate) fn accept_completed(&mut self, number: u64, completion: Completion) {
        let Ok(number) = usize::try_from(number) else { return };
        let stream = (completion.result >= 0).then(|| TcpStream::from(os::accepted(completion.result)));
        let (down, now) = (self.down.is_some(), self.now);
        let Some(listener) = self.listeners.get_mut(number) else { return };
        let before = listener.state;
        let down = down || matches!(before, State::Closing | State::Over);
        match stream {
            // Nobody is there to have it any more.
            Some(stream) if down => drop(stream),
            Some(stream) => listener.accepted(stream),
            None => {
                let (fault, _) = input::fault(completion.result);
                let asked_for = matches!(before, State::Cancelling) && fault == Fault::Cancelled;
                if !asked_for && !down {
                    listener.failed(fault, completion.result, now);
                }
            }
        }
        if completion.more() == More::Follows {
            if listener.ready.len() >= WAITING && listener.state == State::Accepting {
                self.cancel_accept(number, State::Cancelling);
            }
            return;
        }
        match listener.state {
            State::Accepting | State::Cancelling => listener.state = State::Idle,
            State::Closing => listener.close(),
            State::Shedding(_) if down => listener.state = State::Idle,
            State::Idle | State::Shedding(_) | State::Over => {}
        }
        if let (State::Shedding(_), false) = (listener.state, matches!(before, State::Shedding(_))) {
            if !self.begin_accept(number, Shots::Single) {
                self.set_state(number, State::Idle);
            }
        }
    }

    fn cancel_accept(&mut self, number: usize, then: State) {
        if self.ring.has_room() {
            let cancel = entries::cancel(user_data(number));
            if self.ring.push(cancel, mark::ASIDE << mark::SHIFT) {
                self.set_state(number, then);
            }
        }
    }

    /// Calls all accepts off, and closes the listeners when they have come back. What they bring on the way is closed.
    pub(crate) fn stop_accepting(&mut self) {
        for number in 0..self.listeners.len() {
            let Some(listener) = self.listeners.get_mut(number) else { return };
            listener.ready.clear();
            match listener.state {
                State::Accepting | State::Shedding(_) => self.cancel_accept(number, State::Closing),
                State::Cancelling => listener.state = State::Closing,
                State::Idle => listener.close(),
                State::Closing | State::Over => {}
            }
        }
        self.closes_door = self.listeners.iter().any(|listener| !matches!(listener.state, State::Over));
    }

    /// How many accepts are with the ring. One that is being called off may still bring somebody.
    pub(crate) fn accepts(&self) -> usize {
        let in_flight = |state| match state {
            State::Accepting | State::Shedding(_) | State::Cancelling | State::Closing => true,
            State::Idle | State::Over => false,
        };
        self.listeners.iter().filter(|listener| in_flight(listener.state)).count()
    }

    fn set_state(&mut self, number: usize, state: State) {
        if let Some(listener) = self.listeners.get_mut(number) {
            listener.state = state;
        }
    }
}

fn user_data(number: usize) -> u64 {
    mark::ACCEPT << mark::SHIFT | number as u64
}

/// A socket that is good for nothing but its descriptor.
fn reserve() -> Option<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM, None).ok()
}
