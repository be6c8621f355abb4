//! What is said in return.

/// The status of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// 200.
    Ok,
    /// 400: the request is not understood.
    BadRequest,
    /// 405: neither GET nor HEAD nor POST.
    MethodNotAllowed,
    /// 413: the body is longer than the limit.
    ContentTooLarge,
    /// 417: something other than `100-continue` is expected.
    ExpectationFailed,
    /// 431: the head is longer than the limit.
    HeadTooLarge,
    /// 501: a transfer coding other than `chunked`.
    NotImplemented,
    /// 503: there are too many connections.
    ServiceUnavailable,
    /// 505: not HTTP/1.x.
    VersionNotSupported,
}

impl Status {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::BadRequest => 400,
            Self::MethodNotAllowed => 405,
            Self::ContentTooLarge => 413,
            Self::ExpectationFailed => 417,
            Self::HeadTooLarge => 431,
            Self::NotImplemented => 501,
            Self::ServiceUnavailable => 503,
            Self::VersionNotSupported => 505,
        }
    }

    /// The words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::BadRequest => "Bad Request",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::ContentTooLarge => "Content Too Large",
            Self::ExpectationFailed => "Expectation Failed",
            Self::HeadTooLarge => "Request Header Fields Too Large",
            Self::NotImplemented => "Not Implemented",
            Self::ServiceUnavailable => "Service Unavailable",
            Self::VersionNotSupported => "HTTP Version Not Supported",
        }
    }
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Then {
    /// The next request may come.
    GoOn,
    /// It was the last answer, and the request was read to its end.
    Finish,
    /// It was the last answer, and there may be more to read that nobody wants: the connection has to linger.
    Reject,
}

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it went.
    pub status: Status,
    /// Whether the content is sent, or only its length (for HEAD).
    pub with_body: bool,
    /// What becomes of the connection.
    pub then: Then,
}

impl Answer {
    /// The interim answer that asks for the body.
    pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

    /// The answer's bytes. The content says the status in words, and is filled up to `length` bytes.
    #[must_use]
    pub fn bytes(self, length: usize) -> Vec<u8> {
        let (code, reason) = (self.status.code(), self.status.reason());
        let connection = if self.then == Then::GoOn { "keep-alive" } else { "close" };
        let allow = if self.status == Status::MethodNotAllowed { "Allow: GET, HEAD, POST\r\n" } else { "" };
        let length = length.max(reason.len() + 1);
        let head = format!(
            "HTTP/1.1 {code} {reason}\r\n{allow}Connection: {connection}\r\n\
             Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut bytes = head.into_bytes();
        if self.with_body {
            let end = bytes.len() + length - 1;
            bytes.extend_from_slice(reason.as_bytes());
            bytes.resize(end, b'.');
            bytes.push(b'\n');
        }
        bytes
    }
}
