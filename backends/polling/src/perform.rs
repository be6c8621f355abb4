//! What the machine wants, as calls. What a call says goes back in at once.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hangup::{
    Answer, Cancels, Close, Hint, Input, Key, Life, Outcome, Phase, RawCode, ReceiveHalf, SendHalf, Wants,
};
use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};

use crate::driver::{Core, Done, Trigger, Work};
use crate::input;
use crate::os;
use crate::socket::{Interest, Socket};

/// How many receives a discarding connection may make in a row before others have their turn.
const DISCARDS: usize = 8;

/// A nonblocking socket of the peer's address family.
pub(crate) fn new_socket(peer: SocketAddr) -> io::Result<RawSocket> {
    let socket = RawSocket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Core {
    /// Feeds what a call said. Whether the machine took it.
    pub(crate) fn answer(&mut self, key: Key, answer: Answer, code: Option<RawCode>) -> bool {
        let input = Input::Outcome(Outcome::Immediate(answer));
        match code {
            Some(code) => self.table.input_with_code(key, input, code, self.now).is_ok(),
            None => self.table.input(key, input, self.now).is_ok(),
        }
    }

    /// Feeds an event, performs what follows from it, and tells what is left for the application.
    pub(crate) fn event(&mut self, key: Key, hint: Hint) -> Option<Work> {
        let before = self.table.life(key).ok();
        // What is wanted now is asked for below, when it is performed.
        let _wants = self.table.input(key, Input::Hint(hint), self.now).ok()?;
        if self.trigger == Trigger::OneShot {
            if let Ok(socket) = self.table.get_mut(key) {
                socket.armed = Interest::default();
            }
        }
        let was_connecting = before.is_some_and(|life| life.phase().is_connecting());
        self.prepare(key, hint, was_connecting)
    }

    /// The next connection of the list that has something to do, and has not had its turn in this round.
    pub(crate) fn next_again(&mut self) -> Option<(Key, Work)> {
        while let Some(turns) = self.turns.checked_sub(1) {
            self.turns = turns;
            let key = self.again.pop_front()?;
            // It may have ended since; that is no use of a stale key by anybody.
            if self.table.life(key).is_err() {
                continue;
            }
            if let Ok(socket) = self.table.get_mut(key) {
                socket.again = false;
                if let Some(work) = self.prepare(key, Hint::NONE, false) {
                    return Some((key, work));
                }
            }
        }
        None
    }

    fn prepare(&mut self, key: Key, hint: Hint, was_connecting: bool) -> Option<Work> {
        self.look(key, hint);
        let life = self.table.life(key).ok()?;
        let mut work = work(life, hint, was_connecting);
        work.writable |= self.tell_of_loss(key, life);
        if work.is_nothing() {
            self.settle(key);
            return None;
        }
        Some(work)
    }

    /// Whether the application waits to write, and in vain: it gets one turn to find out. It may have paused because
    /// of that very output, and would find out by reading otherwise.
    fn tell_of_loss(&mut self, key: Key, life: Life) -> bool {
        if life.send_half() != SendHalf::Failed || life.phase() != Phase::Open {
            return false;
        }
        let Ok(socket) = self.table.get_mut(key) else { return false };
        let waits = socket.held.is_blocked || socket.held.bytes > 0;
        waits && !std::mem::replace(&mut socket.held.is_told, true)
    }

    /// What comes before the application is told: verdicts, and input that is not for it.
    fn look(&mut self, key: Key, hint: Hint) {
        let Ok(wants) = self.table.wants(key) else { return };
        if wants.confirm {
            self.confirm(key, hint);
        }
        if wants.inquire {
            self.inquire(key, hint);
        }
        let Ok(wants) = self.table.wants(key) else { return };
        if wants.discard && (hint.contains(Hint::READABLE) || wants.receive_now) {
            self.discard(key);
        }
    }

    /// Performs everything that is wanted, until there is nothing left. A connection that has ended is
    /// released.
    pub(crate) fn settle(&mut self, key: Key) {
        // Each round performs at least one want, and a performed want is gone.
        while let Ok(wants) = self.table.wants(key) {
            let Wants {
                connect: _,
                confirm,
                register,
                receive,
                send,
                receive_now,
                send_now,
                discard: _,
                watch: _,
                inquire,
                shutdown,
                sever: _,
                cancel,
                deregister,
                release,
            } = wants;
            debug_assert_eq!(cancel, Cancels::default(), "readiness leaves nothing in flight");
            if confirm {
                self.confirm(key, Hint::NONE);
            } else if register {
                self.register(key);
            } else if inquire {
                self.inquire(key, Hint::NONE);
            } else if shutdown {
                self.shut_down(key);
            } else if deregister {
                self.deregister(key);
            } else if let Some(close) = release {
                return self.release(key, close);
            } else if self.watch(key, receive, send) {
                if receive_now || send_now {
                    self.come_again(key);
                }
                return;
            }
        }
    }

    fn confirm(&mut self, key: Key, hint: Hint) {
        let Some(stream) = self.stream(key) else { return };
        let (answer, code) = input::connect_ended(stream.take_error(), stream.peer_addr().map(drop), hint);
        self.answer(key, answer, code);
    }

    /// Asks for the pending error, as its only owner.
    fn inquire(&mut self, key: Key, hint: Hint) {
        let Some(stream) = self.stream(key) else { return };
        let (answer, code) = input::inquired(stream.take_error());
        if answer == Answer::NoError && hint.contains(Hint::ERROR) && !hint.contains(Hint::HANG_UP) {
            os::read_error_queue(stream);
        }
        self.answer(key, answer, code);
    }

    /// Asks for the pending error if the machine wants that now.
    pub(crate) fn ask_if_wanted(&mut self, key: Key) {
        if self.table.wants(key).is_ok_and(|wants| wants.inquire) {
            self.inquire(key, Hint::NONE);
        }
    }

    fn register(&mut self, key: Key) {
        let Ok(life) = self.table.life(key) else { return };
        // With the interest that will be wanted then: one call instead of two.
        let registered = Input::Outcome(Outcome::Immediate(Answer::Registered));
        let wants = life.step(registered).map(Life::wants).unwrap_or_default();
        // Edges are remembered, so both directions are asked for once and for all.
        let both = self.trigger == Trigger::Edge;
        let interest = Interest { read: wants.receive || both, write: wants.send || both, asked: true };
        let (token, mode) = (self.table.token(key), self.trigger.mode());
        let poller = Arc::clone(&self.poller);
        let Ok(socket) = self.table.get_mut(key) else { return };
        let (answer, code) = match socket.register(&poller, token, interest, mode) {
            Ok(()) => (Answer::Registered, None),
            Err(error) => {
                let (fault, code) = input::fault(&error);
                (Answer::RegisterFailed(fault), code)
            }
        };
        self.answer(key, answer, code);
    }

    /// Brings the poller's interest in line. `false`: it could not be done, and there is more to perform.
    fn watch(&mut self, key: Key, read: bool, write: bool) -> bool {
        let token = self.table.token(key);
        let trigger = self.trigger;
        let Ok(life) = self.table.life(key) else { return true };
        if life.registration() != hangup::Registration::Present || trigger == Trigger::Edge {
            return true;
        }
        let interest = Interest { read, write, asked: true };
        let Ok(socket) = self.table.get_mut(key) else { return true };
        if socket.armed == interest {
            return true;
        }
        match socket.watch(token, interest, trigger.mode()) {
            Ok(()) => true,
            Err(error) => {
                let (fault, code) = input::fault(&error);
                self.answer(key, Answer::WatchFailed(fault), code);
                false
            }
        }
    }

    fn shut_down(&mut self, key: Key) {
        let Some(stream) = self.stream(key) else { return };
        let (answer, code) = input::shut_down(&stream.shutdown(Shutdown::Write));
        self.answer(key, answer, code);
    }

    fn deregister(&mut self, key: Key) {
        if let Ok(socket) = self.table.get_mut(key) {
            socket.deregister();
        }
        self.answer(key, Answer::Deregistered, None);
    }

    /// The one place where a connection is given back and its descriptor closed.
    fn release(&mut self, key: Key, close: Close) {
        let Ok(released) = self.table.release(key, self.now) else { return };
        let socket: Socket = released.resources;
        let mut report = released.report;
        if report.unsent > 0 && !socket.held.is_exact {
            report.unsent = socket.held.bytes as u64;
        }
        if close == Close::Reset {
            // If it fails, the close is a plain one: nothing else could be done about it.
            drop(SockRef::from(socket.stream()).set_linger(Some(Duration::ZERO)));
        }
        self.done.push_back(Done { key, state: socket.state, report });
        drop(socket);
    }

    /// Reads and forgets, so that no reset overtakes our last output.
    fn discard(&mut self, key: Key) {
        for _ in 0..DISCARDS {
            let Ok(socket) = self.table.get(key) else { return };
            let (answer, code) = input::received(&socket.stream().read(&mut self.scratch));
            let goes_on = matches!(answer, Answer::Received(_));
            self.answer(key, answer, code);
            let discarding =
                self.table.life(key).is_ok_and(|life| life.receive_half() == ReceiveHalf::Discarding);
            if !goes_on || !discarding {
                return;
            }
        }
    }

    /// Puts a connection on the list, and brings the loop back.
    fn come_again(&mut self, key: Key) {
        let token = self.table.token(key);
        let Ok(socket) = self.table.get_mut(key) else { return };
        if socket.again {
            return;
        }
        socket.again = true;
        let first = self.again.is_empty();
        self.again.push_back(key);
        if first {
            // If this fails, the list is there all the same, and `timeout` says "at once".
            drop(os::come_back(&self.poller, token));
        }
    }

    pub(crate) fn stream(&self, key: Key) -> Option<&TcpStream> {
        self.table.get(key).ok().map(Socket::stream)
    }
}

/// What an event, or what is remembered, leaves for the application.
fn work(life: Life, hint: Hint, was_connecting: bool) -> Work {
    if !life.phase().is_established() {
        return Work::default();
    }
    let wants = life.wants();
    let looks = hint.contains(Hint::READABLE) || hint.is_alarming() || wants.receive_now;
    Work {
        readable: looks && life.receive_half() == ReceiveHalf::Open,
        writable: (hint.contains(Hint::WRITABLE) || wants.send_now) && life.send_half().has_output(),
        connected: was_connecting && life.phase() == Phase::Open,
    }
}
