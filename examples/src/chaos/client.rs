//! One client: a script that is performed on a nonblocking socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::Act;
use super::check::{Checker, PIECE, Pattern};
use super::script::{Reading, Script, Step, Talk, Until};

/// So many calls in a row, and then it is the others' turn.
const TURNS: usize = 8;

/// So much may wait at a client that does not read.
const SMALL_WINDOW: usize = 8 * 1024;

#[derive(Debug)]
pub(super) struct Client {
    pub(super) act: Act,
    stream: Option<TcpStream>,
    is_connecting: bool,
    steps: std::vec::IntoIter<Step>,
    step: Option<Step>,
    /// When the step began.
    since: Instant,
    /// When the whole has to be over.
    deadline: Instant,
    is_forgiving: bool,
    checker: Checker,
    seed: u64,
    pub(super) sent: u64,
    /// Not before then the next slow read.
    next_read: Instant,
    has_ended: bool,
}

/// What all clients share.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) pattern: Pattern,
    pub(super) buffer: Box<[u8]>,
}

impl Tools {
    pub(super) fn new(random: &mut fastrand::Rng) -> Self {
        Self { pattern: Pattern::new(random), buffer: vec![0; PIECE].into_boxed_slice() }
    }
}

/// What a client waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) until: Instant,
}

/// Where a client stands.
#[derive(Debug)]
pub(super) enum Standing {
    Waits(Wait),
    Done,
    Failed(String),
}

/// What goes wrong.
enum Trouble {
    /// A call failed.
    Io(io::Error),
    /// The server does not do what it should.
    Complaint(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<String> for Trouble {
    fn from(complaint: String) -> Self {
        Self::Complaint(complaint)
    }
}

impl Client {
    /// Begins to connect.
    pub(super) fn connect(
        server: SocketAddr,
        act: Act,
        script: Script,
        seed: u64,
        patience: Duration,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        if script.has_small_window {
            socket.set_recv_buffer_size(SMALL_WINDOW)?;
        }
        match socket.connect(&server.into()) {
            Ok(()) => {}
            Err(error) if is_under_way(&error) => {}
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        Ok(Self {
            act,
            stream: Some(socket.into()),
            is_connecting: true,
            steps: script.steps.into_iter(),
            step: None,
            since: now,
            deadline: now + patience,
            is_forgiving: script.is_forgiving,
            checker: Checker::new(script.check, seed),
            seed,
            sent: 0,
            next_read: now,
            has_ended: false,
        })
    }

    pub(super) const fn stream(&self) -> Option<&TcpStream> {
        self.stream.as_ref()
    }

    pub(super) const fn received(&self) -> u64 {
        self.checker.received
    }

    /// Goes as far as it goes without waiting.
    pub(super) fn advance(&mut self, now: Instant, tools: &mut Tools) -> Standing {
        match self.perform(now, tools) {
            Ok(Some(wait)) => Standing::Waits(wait),
            Ok(None) => self.finished(),
            Err(Trouble::Io(_)) if self.is_forgiving => self.finished(),
            Err(Trouble::Io(error)) => self.failed(&error.to_string()),
            Err(Trouble::Complaint(complaint)) => self.failed(&complaint),
        }
    }

    /// `None`: the script is performed.
    fn perform(&mut self, now: Instant, tools: &mut Tools) -> Result<Option<Wait>, Trouble> {
        if now >= self.deadline {
            return Err(Trouble::Complaint(format!("nothing happens any more in {:?}", self.step)));
        }
        if self.is_connecting {
            if !self.is_connected()? {
                return Ok(Some(self.wait(false, true, None)));
            }
            self.is_connecting = false;
        }
        loop {
            let mut step = match self.step.take() {
                Some(step) => step,
                None => {
                    (self.since, self.next_read) = (now, now);
                    let Some(step) = self.steps.next() else { return Ok(None) };
                    step
                }
            };
            if let Some(wait) = self.take_step(&mut step, now, tools)? {
                self.step = Some(step);
                return Ok(Some(wait));
            }
        }
    }

    /// `None`: the step is over.
    fn take_step(
        &mut self,
        step: &mut Step,
        now: Instant,
        tools: &mut Tools,
    ) -> Result<Option<Wait>, Trouble> {
        let Some(stream) = &self.stream else { return Ok(None) };
        match step {
            Step::Talk(talk) => return self.talk(talk, now, tools),
            Step::Wait(time) if now < self.since + *time => {
                return Ok(Some(self.wait(false, false, Some(self.since + *time))));
            }
            Step::Wait(_) => {}
            Step::Finish => stream.shutdown(Shutdown::Write)?,
            Step::Close => self.stream = None,
            Step::Reset => {
                SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
                self.stream = None;
            }
        }
        Ok(None)
    }

    fn talk(&mut self, talk: &mut Talk, now: Instant, tools: &mut Tools) -> Result<Option<Wait>, Trouble> {
        for _ in 0..TURNS {
            let sends = self.send(talk, &tools.pattern)?;
            let reads = self.receive(talk, now, tools)?;
            if self.is_over(talk, now)? {
                return Ok(None);
            }
            if self.has_ended && talk.reading != Reading::No {
                return Err(Trouble::Complaint(format!("the stream ended early, in {talk:?}")));
            }
            if !sends && !reads {
                break;
            }
        }
        let slow = matches!(talk.reading, Reading::Slow(..)).then_some(self.next_read);
        let until = [slow, talk.limit.map(|limit| self.since + limit)].into_iter().flatten().min();
        let reads = talk.reading == Reading::Eager || talk.until == Until::Readable;
        let writes = !talk.head.is_empty() || talk.filler > 0;
        Ok(Some(self.wait(reads, writes, until)))
    }

    /// Sends a piece. Whether something was sent.
    fn send(&mut self, talk: &mut Talk, pattern: &Pattern) -> Result<bool, Trouble> {
        let Some(mut stream) = self.stream.as_ref() else { return Ok(false) };
        let is_head = !talk.head.is_empty();
        let piece = if is_head {
            talk.head.as_slice()
        } else {
            let length = usize::try_from(talk.filler).unwrap_or(PIECE).min(PIECE);
            pattern.piece(self.seed, self.sent, length)
        };
        if piece.is_empty() {
            return Ok(false);
        }
        let Some(count) = unless_blocked(stream.write(piece))? else { return Ok(false) };
        self.sent += count as u64;
        if is_head {
            talk.head.drain(..count);
        } else {
            talk.filler -= count as u64;
        }
        Ok(true)
    }

    /// Reads a piece. Whether something was read.
    fn receive(&mut self, talk: &Talk, now: Instant, tools: &mut Tools) -> Result<bool, Trouble> {
        let Some(mut stream) = self.stream.as_ref() else { return Ok(false) };
        let length = match talk.reading {
            Reading::No => return Ok(false),
            Reading::Eager => PIECE,
            Reading::Slow(..) if now < self.next_read => return Ok(false),
            Reading::Slow(length, pause) => {
                self.next_read = now + pause;
                length
            }
        };
        let buffer = tools.buffer.get_mut(..length).unwrap_or_default();
        let Some(count) = unless_blocked(stream.read(buffer))? else { return Ok(false) };
        if count == 0 {
            self.has_ended = true;
            self.checker.end(self.sent)?;
        } else {
            self.checker.take(buffer.get(..count).unwrap_or_default(), self.sent, &tools.pattern)?;
        }
        Ok(count > 0)
    }

    fn is_over(&self, talk: &Talk, now: Instant) -> io::Result<bool> {
        if talk.limit.is_some_and(|limit| now >= self.since + limit) {
            return Ok(true);
        }
        let is_sent = talk.head.is_empty() && talk.filler == 0;
        Ok(match talk.until {
            Until::Sent => is_sent,
            Until::Echoed => is_sent && self.checker.received == self.sent,
            Until::Answers(count) => self.checker.answers.whole.len() >= count,
            Until::End => self.has_ended,
            Until::Readable => match &self.stream {
                Some(stream) => unless_blocked(stream.peek(&mut [0]))?.is_some(),
                None => true,
            },
        })
    }

    fn is_connected(&self) -> io::Result<bool> {
        let Some(stream) = &self.stream else { return Ok(true) };
        match stream.take_error()? {
            Some(error) => Err(error),
            None => Ok(stream.peer_addr().is_ok()),
        }
    }

    fn wait(&self, read: bool, write: bool, until: Option<Instant>) -> Wait {
        Wait { read, write, until: until.map_or(self.deadline, |until| until.min(self.deadline)) }
    }

    fn finished(&mut self) -> Standing {
        self.stream = None;
        match self.checker.finish() {
            Ok(()) => Standing::Done,
            Err(complaint) => self.failed(&complaint),
        }
    }

    fn failed(&mut self, why: &str) -> Standing {
        self.stream = None;
        let (act, sent, received) = (self.act, self.sent, self.checker.received);
        Standing::Failed(format!("{act:?}: {why}; sent {sent} B, received {received} B"))
    }
}

/// A nonblocking connect that goes on; Windows calls it "would block".
fn is_under_way(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(|code| hangup::RawCode::here(code).fault());
    matches!(code, Some(hangup::Fault::InProgress | hangup::Fault::WouldBlock))
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}
