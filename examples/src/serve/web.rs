//! HTTP with a fixed answer.

use std::io::ErrorKind;

use hangup::{Blame, Plan};

use super::echo::TURNS;
use super::http::{Action, Answer, Http, Limits, Status, Then};
use super::{Flow, Output, Service};
use crate::net::Connection;

/// The HTTP service: GET, HEAD and POST are answered with a small text.
///
/// A request that is not wanted is answered at once, without reading the rest of it, and the connection
/// lingers, so that the answer arrives although the client goes on sending.
#[derive(Clone, Debug)]
pub struct Web {
    limits: Limits,
    content: usize,
    buffer: Box<[u8]>,
}

/// One connection of the HTTP service.
#[derive(Debug)]
pub struct Visit {
    http: Http,
    output: Output,
    stay: Stay,
}

/// How long the service stays with a connection.
#[derive(Clone, Copy, Debug)]
enum Stay {
    /// There may be more to answer.
    Open,
    /// The last answer is in the output.
    Leaving(Leave),
    /// Leave was taken: what is left is to write the output.
    Left,
}

/// How to take leave once the output is on its way.
#[derive(Clone, Copy, Debug)]
struct Leave {
    plan: Plan,
    blame: Option<Blame>,
}

impl Web {
    /// Answers with at least `content` bytes of content.
    #[must_use]
    pub fn new(limits: Limits, content: usize) -> Self {
        Self { limits, content, buffer: vec![0; 16 * 1024].into_boxed_slice() }
    }

    fn say(&self, answer: Answer, visit: &mut Visit) {
        visit.output.push(&answer.bytes(self.content));
        visit.stay = match answer.then {
            Then::GoOn => Stay::Open,
            Then::Finish => Stay::Leaving(Leave { plan: Plan::Flush, blame: None }),
            Then::Reject => Stay::Leaving(Leave { plan: Plan::Linger, blame: blame(answer.status) }),
        };
    }

    /// Answers what has come, as far as there is room for output. Whether more is to be read.
    fn answer(&self, io: &mut dyn Connection, visit: &mut Visit) -> bool {
        loop {
            let mut waits = false;
            while matches!(visit.stay, Stay::Open) && !waits && visit.output.len() < Output::HIGH {
                match visit.http.step() {
                    Action::Wait => waits = true,
                    Action::Continue => visit.output.push(Answer::CONTINUE),
                    Action::Answer(answer) => self.say(answer, visit),
                }
            }
            if visit.output.write_to(io) == Flow::Lost {
                // It may be paused: nobody would read, and so nobody would find the end.
                io.close(Plan::Flush);
                return false;
            }
            match visit.stay {
                Stay::Open => {}
                Stay::Leaving(leave) => {
                    // What could not be written is known to the driver by now, and goes before the FIN.
                    visit.stay = Stay::Left;
                    leave.take(io);
                    return false;
                }
                Stay::Left => return false,
            }
            if !visit.output.admits(io) {
                return false;
            }
            if waits {
                return true;
            }
        }
    }
}

impl Leave {
    fn take(self, io: &mut dyn Connection) {
        if let Some(blame) = self.blame {
            io.blame(blame);
        }
        io.close(self.plan);
    }
}

/// Whose fault it was: a body that is too long breaks no rule.
fn blame(status: Status) -> Option<Blame> {
    match status {
        Status::BadRequest | Status::HeadTooLarge => Some(Blame::Protocol),
        Status::ServiceUnavailable => Some(Blame::Shed),
        Status::Ok
        | Status::MethodNotAllowed
        | Status::ContentTooLarge
        | Status::ExpectationFailed
        | Status::NotImplemented
        | Status::VersionNotSupported => None,
    }
}

impl Service for Web {
    type State = Visit;

    fn begin(&mut self) -> Visit {
        Visit { http: Http::new(self.limits), output: Output::default(), stay: Stay::Open }
    }

    fn serve(&mut self, io: &mut dyn Connection, visit: &mut Visit) {
        for _ in 0..TURNS {
            if !self.answer(io, visit) {
                return;
            }
            match io.read(&mut self.buffer) {
                Ok(0) => {
                    let blame = (!visit.http.is_at_rest()).then_some(Blame::Truncated);
                    visit.stay = Stay::Leaving(Leave { plan: Plan::Flush, blame });
                }
                Ok(count) => visit.http.receive(self.buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
        self.answer(io, visit);
    }

    fn shed(&mut self, io: &mut dyn Connection, visit: &mut Visit) {
        let answer = visit.http.turn_away(Status::ServiceUnavailable);
        self.say(answer, visit);
        self.answer(io, visit);
    }

    /// A request that is under way is answered; then that was the last.
    fn drain(&mut self, io: &mut dyn Connection, visit: &mut Visit) {
        if matches!(visit.stay, Stay::Open) && visit.http.is_at_rest() {
            visit.stay = Stay::Leaving(Leave { plan: Plan::Linger, blame: None });
        }
        visit.http.finish();
        self.answer(io, visit);
    }
}
