//! What the machine wants, as submissions. What a call says goes back in at once.

use std::net::TcpStream;
use std::time::Duration;

use hangup::{
    Answer, Buffer, Cancel, Cancels, Close, Command, Fault, Input, Key, Life, Memory, Operation, Outcome,
    Owed, Plan, RawCode, ReceiveHalf, SendHalf, Settled, Wants,
};
use io_uring::squeue::Entry;
use io_uring::types::Fd;
use rustix::net::RecvFlags;
use socket2::SockRef;

use crate::driver::{Core, Done};
use crate::input;
use crate::options::Shots;
use crate::os::buffers::GROUP;
use crate::os::{self, entries};
use crate::socket::Socket;

/// The marks of a completion's number that are the adapter's own: the four highest bits.
pub(crate) mod mark {
    pub(crate) const SHIFT: u32 = 60;
    /// An operation of a connection.
    pub(crate) const OPERATION: u64 = 0;
    /// A request to cancel one: with its number.
    pub(crate) const CANCEL: u64 = 1;
    /// An accept: with the number of the listener.
    pub(crate) const ACCEPT: u64 = 2;
    /// The watch of the waker.
    pub(crate) const WAKER: u64 = 3;
    /// A request whose answer is of no interest.
    pub(crate) const ASIDE: u64 = 4;
}

/// How often a connection that is about to be closed is asked for input that is in the way.
const SWEEPS: usize = 32;

/// How an attempt to perform something went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is done, and something else may be wanted now.
    Done,
    /// The queue has no room. What is wanted stays wanted.
    Later,
    /// There is nothing to do.
    Nothing,
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

    /// Performs everything that is wanted, until there is nothing left. A connection that has ended is released.
    pub(crate) fn settle(&mut self, key: Key) {
        loop {
            self.pass_over(key);
            let Ok(life) = self.table.life(key) else { return };
            let Wants {
                connect,
                confirm: _,
                register: _,
                receive,
                send,
                receive_now: _,
                send_now: _,
                discard: _,
                watch,
                inquire,
                shutdown,
                sever,
                cancel,
                deregister: _,
                release,
            } = life.wants();
            let (has_input, has_output) = self.holds(key);
            let step = if connect {
                self.connect(key)
            } else if inquire {
                self.inquire(key);
                Step::Done
            } else if sever {
                self.sever(key)
            } else if !cancel.is_empty() {
                self.cancel_all(key, cancel)
            } else if self.is_multishot_over(key, life) {
                self.cancel(key, Operation::Receive)
            } else if shutdown {
                self.shut_down(key)
            } else if send && has_output {
                self.send(key)
            } else if watch || self.is_watched_too(life, has_input) {
                self.watch(key)
            } else if receive && !has_input {
                self.receive(key)
            } else if let Some(close) = release {
                return self.release(key, close);
            } else {
                Step::Nothing
            };
            match step {
                Step::Done => {}
                Step::Later => return self.settle_later(key),
                Step::Nothing => return,
            }
        }
    }

    /// Performs what is wanted when the loop waits the next time.
    pub(crate) fn settle_later(&mut self, key: Key) {
        let Ok(socket) = self.table.get_mut(key) else { return };
        if !socket.unsettled {
            socket.unsettled = true;
            self.unsettled.push_back(key);
        }
    }

    pub(crate) fn settle_all(&mut self) {
        for _ in 0..self.unsettled.len() {
            let Some(key) = self.unsettled.pop_front() else { return };
            // It may have ended since; that is no use of a stale key by anybody.
            if self.table.life(key).is_ok() {
                if let Ok(socket) = self.table.get_mut(key) {
                    socket.unsettled = false;
                }
                self.settle(key);
                self.announce(key);
            }
        }
    }

    /// Lets the deadlines pass that have come.
    pub(crate) fn expire(&mut self) {
        while let Some((key, _deadline, _wants)) = self.table.expire(self.now) {
            self.settle(key);
            self.announce(key);
        }
    }

    pub(crate) fn close_all(&mut self, plan: Plan) {
        let keys: Vec<Key> = self.table.keys().collect();
        for key in keys {
            self.command(key, Command::Close(plan));
            self.settle(key);
        }
    }

    /// Whether there is input that the application has not taken, and output that can be submitted.
    fn holds(&self, key: Key) -> (bool, bool) {
        self.table
            .get(key)
            .map_or((false, false), |socket| (!socket.inbox.is_empty(), !socket.outbox.is_empty()))
    }

    /// Lends what an operation needs, and submits it.
    fn submit(
        &mut self,
        key: Key,
        operation: Operation,
        owed: Owed,
        buffer: Option<Buffer>,
        entry: impl FnOnce(Fd, Option<&mut Buffer>) -> Entry,
    ) -> Step {
        let lent = match self.table.lend(key, operation, owed, buffer, self.now) {
            Ok(lent) => lent,
            Err(refused) => {
                self.get_back(key, operation, refused.buffer);
                return Step::Nothing;
            }
        };
        let entry = match self.table.get(key).map(|socket| entries::fd(socket.stream())) {
            Ok(fd) => Some(entry(fd, self.table.lent_mut(&lent))),
            Err(_) => None,
        };
        let number = lent.user_data();
        let pushed = entry.is_some_and(|entry| self.ring.push(entry, number));
        if let (true, Ok(socket)) = (pushed, self.table.get_mut(key)) {
            socket.remember(&lent);
        }
        let settled = if pushed {
            self.counts.submitted += 1;
            self.table.taken(lent, self.now)
        } else {
            self.table.returned(lent, refused(operation), self.now)
        };
        if let Ok(Settled::Done { buffer, .. }) = settled {
            self.get_back(key, operation, buffer);
        }
        if pushed { Step::Done } else { Step::Later }
    }

    /// A buffer that was to go to the kernel and did not.
    fn get_back(&mut self, key: Key, operation: Operation, buffer: Option<Buffer>) {
        let Some(buffer) = buffer else { return };
        match self.table.get_mut(key) {
            Ok(socket) if operation == Operation::Send => {
                socket.outbox.back(buffer);
            }
            _ => self.give(buffer),
        }
    }

    fn connect(&mut self, key: Key) -> Step {
        if !self.ring.has_room() {
            return Step::Later;
        }
        let Ok(socket) = self.table.get(key) else { return Step::Nothing };
        let Some(peer) = &socket.peer else { return Step::Nothing };
        let entry = entries::connect(entries::fd(socket.stream()), peer);
        self.submit(key, Operation::Connect, Owed::One, None, |_, _| entry)
    }

    fn receive(&mut self, key: Key) -> Step {
        if !self.ring.has_room() {
            return Step::Later;
        }
        let Ok(socket) = self.table.get_mut(key) else { return Step::Nothing };
        let once = std::mem::take(&mut socket.single_once);
        let single = socket.single || once || self.options.receive == Shots::Single;
        let discards = self.table.life(key).is_ok_and(|life| life.receive_half() == ReceiveHalf::Discarding);
        if !single && !discards {
            return self.submit(key, Operation::Receive, Owed::Stream, None, |fd, _| {
                entries::receive_multishot(fd, GROUP)
            });
        }
        let buffer = self.pool.take();
        self.submit(key, Operation::Receive, Owed::One, Some(buffer), |fd, buffer| {
            entries::receive(fd, buffer.unwrap_or(&mut Buffer::default()))
        })
    }

    fn send(&mut self, key: Key) -> Step {
        if !self.ring.has_room() {
            return Step::Later;
        }
        let Ok(socket) = self.table.get_mut(key) else { return Step::Nothing };
        let copies = socket.copies;
        let Some(buffer) = socket.outbox.pop() else { return Step::Nothing };
        let zero_copy = !copies && self.options.zero_copy.is_some_and(|least| buffer.len() >= least);
        let owed = if zero_copy { Owed::Both } else { Owed::One };
        self.submit(key, Operation::Send, owed, Some(buffer), |fd, buffer| {
            let nothing = Buffer::default();
            let buffer = buffer.map_or(&nothing, |buffer| &*buffer);
            if zero_copy { entries::send_zero_copy(fd, buffer) } else { entries::send(fd, buffer) }
        })
    }

    fn watch(&mut self, key: Key) -> Step {
        if !self.ring.has_room() {
            return Step::Later;
        }
        self.submit(key, Operation::Watch, Owed::Stream, None, |fd, _| entries::watch(fd))
    }

    fn shut_down(&mut self, key: Key) -> Step {
        if !self.ring.has_room() {
            return Step::Later;
        }
        self.submit(key, Operation::Shutdown, Owed::One, None, |fd, _| entries::shutdown(fd))
    }

    /// Asks for the pending error, as its only owner.
    pub(crate) fn inquire(&mut self, key: Key) {
        let Some(stream) = self.stream(key) else { return };
        let (answer, code) = input::inquired(stream.take_error());
        self.answer(key, answer, code);
    }

    fn sever(&mut self, key: Key) -> Step {
        let Some(stream) = self.stream(key) else { return Step::Nothing };
        // If it fails the connection is gone already, and what is owed comes back by itself.
        drop(os::sever(stream));
        self.counts.severed += 1;
        self.answer(key, Answer::Severed, None);
        Step::Done
    }

    fn cancel_all(&mut self, key: Key, cancel: Cancels) -> Step {
        let Cancels { connect, receive, send, watch } = cancel;
        let all = [
            (connect, Operation::Connect),
            (receive, Operation::Receive),
            (send, Operation::Send),
            (watch, Operation::Watch),
        ];
        for (wanted, operation) in all {
            if wanted && self.cancel(key, operation) == Step::Later {
                return Step::Later;
            }
        }
        Step::Done
    }

    fn cancel(&mut self, key: Key, operation: Operation) -> Step {
        if !self.ring.has_room() {
            return Step::Later;
        }
        let Ok(socket) = self.table.get(key) else { return Step::Nothing };
        let number = socket.number(operation);
        let cancelling = Input::Outcome(Outcome::Cancelling(operation));
        if self.table.input(key, cancelling, self.now).is_err() {
            return Step::Nothing;
        }
        self.counts.submitted += 1;
        if !self.ring.push(entries::cancel(number), number | mark::CANCEL << mark::SHIFT) {
            // There was room. Should it be gone, the request counts as answered: nothing came of it.
            let answered = Input::Outcome(Outcome::CancelAnswered(operation));
            let _wants = self.table.input(key, answered, self.now);
        }
        Step::Done
    }

    /// Whether a multishot receive is to be called off: nobody wants what it brings, or the end is near.
    fn is_multishot_over(&self, key: Key, life: Life) -> bool {
        let slot = life.slot(Operation::Receive);
        let Ok(socket) = self.table.get(key) else { return false };
        slot.owed == Owed::Stream
            && !slot.calling
            && slot.cancel == Cancel::No
            && !socket.inbox.is_last()
            && life.phase().is_established()
            && (socket.single
                || life.receive_half() != ReceiveHalf::Open
                || socket.inbox.bytes() > self.options.output)
    }

    /// Whether a connection is to be watched although the machine relies on its receives: there is none while the
    /// application leaves input unread, and a multishot one may miss the end.
    fn is_watched_too(&self, life: Life, has_input: bool) -> bool {
        let reads = matches!(life.receive_half(), ReceiveHalf::Open | ReceiveHalf::Discarding);
        let blind = has_input || life.slot(Operation::Receive).owed == Owed::Stream;
        life.phase().is_established()
            && reads
            && blind
            && !life.memory().contains(Memory::HUNG_UP)
            && life.slot(Operation::Watch).is_idle()
    }

    /// The one place where a connection is given back and its descriptor closed.
    fn release(&mut self, key: Key, close: Close) {
        if close == Close::Plain {
            self.sweep(key);
        }
        let Ok(released) = self.table.release(key, self.now) else { return };
        let mut socket: Socket = released.resources;
        let mut report = released.report;
        if report.unsent > 0 && socket.outbox.held.is_open {
            report.unsent = (socket.outbox.bytes() + socket.outbox.held.bytes) as u64;
        }
        if close == Close::Reset {
            // If it fails, the close is a plain one: nothing else could be done about it.
            drop(SockRef::from(socket.stream()).set_linger(Some(Duration::ZERO)));
        }
        while let Some(buffer) = socket.outbox.pop() {
            self.give(buffer);
        }
        while let Some(item) = socket.inbox.pop() {
            if let crate::socket::Item::Bytes(buffer) = item {
                self.give(buffer);
            }
        }
        self.done.push_back(Done { key, state: socket.state, report });
        drop(socket);
    }

    /// Closing over input that has arrived makes a reset of it, which overtakes our last output. Where we have stopped
    /// reading and our FIN is behind that output, what is there already is thrown away first: a little of it, at once.
    fn sweep(&self, key: Key) {
        let stopped = self.table.life(key).is_ok_and(|life| {
            life.receive_half() == ReceiveHalf::Shut && life.send_half() == SendHalf::FinSent
        });
        let (true, Some(stream)) = (stopped, self.stream(key)) else { return };
        let mut sink = [0; 8 * 1024];
        for _ in 0..SWEEPS {
            let swept = rustix::net::recv(stream, &mut sink, RecvFlags::DONTWAIT);
            if !swept.is_ok_and(|(count, _)| count > 0) {
                return;
            }
        }
    }

    pub(crate) fn stream(&self, key: Key) -> Option<&TcpStream> {
        self.table.get(key).ok().map(Socket::stream)
    }
}

/// The answer of an operation that there was no room for: nothing has happened.
fn refused(operation: Operation) -> Answer {
    let fault = Fault::Busy;
    match operation {
        Operation::Connect => Answer::ConnectFailed(Fault::Interrupted),
        Operation::Receive => Answer::ReceiveFailed(fault),
        Operation::Send => Answer::SendFailed(fault),
        Operation::Shutdown => Answer::ShutdownFailed(Fault::Interrupted),
        Operation::Watch
        | Operation::Register
        | Operation::Inquire
        | Operation::Sever
        | Operation::Deregister
        | Operation::Release => Answer::WatchFailed(fault),
    }
}
