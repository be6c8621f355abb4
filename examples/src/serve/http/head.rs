//! The head of a request, and what it asks for.

use super::Status;
use super::body::Body;
use super::input::Input;

/// More header lines than this are too many.
const HEADERS: usize = 64;

/// What there is to know of a request before its body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) body: Body,
    pub(super) keep_alive: bool,
    pub(super) expects_continue: bool,
    /// Whether it is answered with content at all.
    pub(super) is_allowed: bool,
    /// Whether the answer goes without its content.
    pub(super) is_head: bool,
}

#[derive(Debug)]
pub(super) enum Parsed {
    /// It is not all there yet.
    Partial,
    /// It is not understood.
    Bad(Status),
    /// It was taken off the input.
    Head(Head),
}

/// Takes a head off the input, if it is all there.
pub(super) fn parse(input: &mut Input, limit: usize) -> Parsed {
    // A head that comes byte by byte is not parsed at each of them.
    if input.unseen().contains(&b'\n') || input.len() > limit {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(input.unread()) {
            Ok(httparse::Status::Complete(length)) if length <= limit => {
                let understood = understand(&request);
                input.consume(length);
                return understood.map_or_else(Parsed::Bad, Parsed::Head);
            }
            Ok(httparse::Status::Complete(_)) => return Parsed::Bad(Status::HeadTooLarge),
            Ok(httparse::Status::Partial) => {}
            Err(httparse::Error::TooManyHeaders) => return Parsed::Bad(Status::HeadTooLarge),
            Err(httparse::Error::Version) => return Parsed::Bad(Status::VersionNotSupported),
            Err(_) => return Parsed::Bad(Status::BadRequest),
        }
    }
    if input.len() > limit {
        return Parsed::Bad(Status::HeadTooLarge);
    }
    input.seen = input.len();
    Parsed::Partial
}

/// What the header lines that matter here say.
#[derive(Debug, Default)]
struct Lines {
    length: Option<u64>,
    chunked: bool,
    hosts: u32,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

fn understand(request: &httparse::Request<'_, '_>) -> Result<Head, Status> {
    let mut lines = Lines::default();
    for header in &*request.headers {
        lines.read(header)?;
    }
    let is_new = request.version == Some(1);
    if is_new && lines.hosts != 1 || lines.hosts > 1 {
        return Err(Status::BadRequest);
    }
    let body = match (lines.length, lines.chunked) {
        // Two ways to say where the body ends are how requests are smuggled.
        (Some(_), true) => return Err(Status::BadRequest),
        (None, true) if !is_new => return Err(Status::BadRequest),
        (None, true) => Body::chunked(),
        (length, false) => Body::of_length(length.unwrap_or(0)),
    };
    let method = request.method.unwrap_or_default();
    Ok(Head {
        body,
        keep_alive: if is_new { !lines.close } else { lines.keep_alive && !lines.close },
        expects_continue: is_new && lines.expects_continue,
        is_allowed: matches!(method, "GET" | "HEAD" | "POST"),
        is_head: method == "HEAD",
    })
}

impl Lines {
    fn read(&mut self, header: &httparse::Header<'_>) -> Result<(), Status> {
        let value = header.value.trim_ascii();
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = number(value).ok_or(Status::BadRequest)?;
            if self.length.replace(length).is_some() {
                return Err(Status::BadRequest);
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Status::NotImplemented);
            }
            self.chunked = true;
        } else if header.name.eq_ignore_ascii_case("connection") {
            for token in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                self.close |= token.eq_ignore_ascii_case(b"close");
                self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if header.name.eq_ignore_ascii_case("expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Status::ExpectationFailed);
            }
            self.expects_continue = true;
        } else if header.name.eq_ignore_ascii_case("host") {
            self.hosts += 1;
        }
        Ok(())
    }
}

/// Digits and nothing else. What is too large for 64 bits is as large as can be.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0_u64, |number, &digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(number)
}
