//! HTTP/1.x without a socket: bytes in, actions out.
//!
//! It reads requests, with bodies of known length and chunked ones, pipelined or not, and says what is to be
//! answered and what becomes of the connection then. What it reads is counted and forgotten.
//!
//! | file | what is in it |
//! |---|---|
//! | `head` | the head of a request, and what it asks for |
//! | `body` | where a body ends |
//! | `answer` | what is said in return |
//! | `input` | bytes that have come and have not been understood yet |

mod answer;
mod body;
mod head;
mod input;
#[cfg(test)]
mod tests;

pub use self::answer::{Answer, Status, Then};
use self::body::{Body, Progress};
use self::head::{Head, Parsed};
use self::input::Input;

/// What a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest head of a request, in bytes.
    pub head: usize,
    /// The longest body of a request, in bytes.
    pub body: u64,
}

impl Default for Limits {
    /// 8 KiB of head, 1 MiB of body.
    fn default() -> Self {
        Self { head: 8 * 1024, body: 1024 * 1024 }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Nothing, until more has been received.
    Wait,
    /// Ask the client for the body that it holds back.
    Continue,
    /// Answer, and then do as the answer says.
    Answer(Answer),
}

/// The server's end of one connection that speaks HTTP.
///
/// Feed it with [`receive`](Self::receive), then ask it with [`step`](Self::step) until it wants to wait. It
/// holds at most one head, and what came with the last call of `receive`.
#[derive(Debug)]
pub struct Http {
    limits: Limits,
    input: Input,
    at: At,
    /// Whether the next answer is the last one.
    last: bool,
}

#[derive(Debug)]
enum At {
    /// Between requests, or within a head.
    Head,
    /// Within a body; the answer is known already.
    Body(Body, Answer),
    /// The last answer was given.
    Over,
}

impl Http {
    /// Nothing has come yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, input: Input::default(), at: At::Head, last: false }
    }

    /// Takes in what has come.
    pub fn receive(&mut self, bytes: &[u8]) {
        if !self.is_over() {
            self.input.push(bytes);
        }
    }

    /// What is to be done now.
    pub fn step(&mut self) -> Action {
        loop {
            match &mut self.at {
                At::Over => return Action::Wait,
                At::Head => match head::parse(&mut self.input, self.limits.head) {
                    Parsed::Partial => return Action::Wait,
                    Parsed::Bad(status) => return self.reject(status, true),
                    Parsed::Head(head) => {
                        if let Some(action) = self.begin(head) {
                            return action;
                        }
                    }
                },
                At::Body(body, answer) => {
                    let answer = *answer;
                    match body.read(&mut self.input, self.limits) {
                        Progress::Partial => return Action::Wait,
                        Progress::Bad(status) => return self.reject(status, answer.with_body),
                        Progress::Done => return self.answer(answer),
                    }
                }
            }
        }
    }

    /// Whether no request is under way. A stream that ends elsewhere is truncated.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        match self.at {
            At::Head => self.input.is_blank(),
            At::Body(..) => false,
            At::Over => true,
        }
    }

    /// Makes the next answer the last one.
    pub fn finish(&mut self) {
        self.last = true;
    }

    /// Gives an answer that nobody asked for, and is over with it.
    pub fn turn_away(&mut self, status: Status) -> Answer {
        self.over();
        Answer { status, with_body: true, then: Then::Reject }
    }

    /// The head of a request is known.
    fn begin(&mut self, head: Head) -> Option<Action> {
        let with_body = !head.is_head;
        if head.body.is_longer_than(self.limits.body) {
            return Some(self.reject(Status::ContentTooLarge, with_body));
        }
        let status = if head.is_allowed { Status::Ok } else { Status::MethodNotAllowed };
        let then = if head.keep_alive { Then::GoOn } else { Then::Finish };
        let waits = head.expects_continue && !head.body.is_empty() && self.input.is_empty();
        self.at = At::Body(head.body, Answer { status, with_body, then });
        waits.then_some(Action::Continue)
    }

    /// A request was read to its end.
    fn answer(&mut self, mut answer: Answer) -> Action {
        if self.last {
            answer.then = Then::Finish;
        }
        match answer.then {
            Then::GoOn => self.at = At::Head,
            Then::Finish | Then::Reject => self.over(),
        }
        Action::Answer(answer)
    }

    /// There may be more to read, and it will not be understood.
    fn reject(&mut self, status: Status, with_body: bool) -> Action {
        self.over();
        Action::Answer(Answer { status, with_body, then: Then::Reject })
    }

    fn over(&mut self) {
        self.at = At::Over;
        self.input = Input::default();
    }

    fn is_over(&self) -> bool {
        matches!(self.at, At::Over)
    }
}
