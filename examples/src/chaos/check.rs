//! Does the right thing come back?

use super::script::Check;

/// What the clients send: noise without a period that a buffer's length could hide.
#[derive(Debug)]
pub(super) struct Pattern(Vec<u8>);

/// A prime.
const PERIOD: u64 = 65_521;

/// The longest piece that is asked for.
pub(super) const PIECE: usize = 64 * 1024 - 16;

impl Pattern {
    pub(super) fn new(random: &mut fastrand::Rng) -> Self {
        let mut noise = vec![0; usize::try_from(PERIOD).unwrap_or_default()];
        random.fill(&mut noise);
        noise.extend_from_within(..PIECE);
        Self(noise)
    }

    /// So many bytes from a place of a client's stream.
    pub(super) fn piece(&self, seed: u64, at: u64, length: usize) -> &[u8] {
        let from = usize::try_from((seed % PERIOD + at % PERIOD) % PERIOD).unwrap_or_default();
        self.0.get(from..from + length.min(PIECE)).unwrap_or_default()
    }
}

/// Reads what comes back, and compares.
#[derive(Debug)]
pub(super) struct Checker {
    check: Check,
    seed: u64,
    pub(super) received: u64,
    pub(super) answers: Answers,
}

impl Checker {
    pub(super) fn new(check: Check, seed: u64) -> Self {
        Self { check, seed, received: 0, answers: Answers::default() }
    }

    /// Takes in a piece of what came, while so much had been sent.
    pub(super) fn take(&mut self, bytes: &[u8], sent: u64, pattern: &Pattern) -> Result<(), String> {
        let from = self.received;
        self.received += bytes.len() as u64;
        match self.check {
            Check::Nothing => Ok(()),
            Check::Answers(..) => self.answers.take(bytes),
            Check::Echo if self.received > sent => Err(format!("{} of {sent} B came back", self.received)),
            Check::Echo if bytes == pattern.piece(self.seed, from, bytes.len()) => Ok(()),
            Check::Echo => Err(format!("the echo differs after {from} B")),
        }
    }

    /// The stream has ended.
    pub(super) fn end(&self, sent: u64) -> Result<(), String> {
        if self.check == Check::Echo && self.received != sent {
            return Err(format!("the stream ended after {} of {sent} B of echo", self.received));
        }
        Ok(())
    }

    /// The script has ended.
    pub(super) fn finish(&self) -> Result<(), String> {
        let Check::Answers(count, status) = self.check else { return Ok(()) };
        let answers = &self.answers;
        if answers.is_between() && answers.whole == vec![status; count] {
            Ok(())
        } else {
            Err(format!("not {count} whole answers of status {status}: {answers:?}"))
        }
    }
}

/// Reads answers, and counts their bytes.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The status of each answer that came whole.
    pub(super) whole: Vec<u16>,
    head: Vec<u8>,
    /// The status of the answer whose content is being read, and what is missing of that.
    content: Option<(u16, usize)>,
}

impl Answers {
    fn is_between(&self) -> bool {
        self.head.is_empty() && self.content.is_none()
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            if let Some((status, left)) = &mut self.content {
                let count = bytes.len().min(*left);
                bytes = bytes.get(count..).unwrap_or_default();
                *left -= count;
                if *left == 0 {
                    self.whole.push(*status);
                    self.content = None;
                }
                continue;
            }
            let Some((&byte, rest)) = bytes.split_first() else { break };
            bytes = rest;
            self.head.push(byte);
            if self.head.ends_with(b"\r\n\r\n") {
                self.content = Some(parse(&self.head)?);
                self.head.clear();
            }
        }
        Ok(())
    }
}

/// Status and length of the content, which our server always has.
fn parse(head: &[u8]) -> Result<(u16, usize), String> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(head).map_err(|error| format!("not an answer: {error}"))?;
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    match (parsed.is_complete(), response.code, length) {
        (true, Some(code), Some(length @ 1..)) => Ok((code, length)),
        (_, code, length) => Err(format!("not an answer: status {code:?}, length {length:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_in_any_pieces() {
        let two =
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 413 X\r\ncontent-length: 1\r\n\r\nx";
        for size in 1..two.len() {
            let mut answers = Answers::default();
            for piece in two.chunks(size) {
                answers.take(piece).unwrap();
            }
            assert_eq!(answers.whole, [200, 413]);
            assert!(answers.is_between());
        }
        let mut answers = Answers::default();
        answers.take(&two[..40]).unwrap();
        assert!(!answers.is_between());
        assert!(answers.take(b"..\r\n\r\n").is_err());
    }

    #[test]
    fn an_echo_that_differs_is_noticed() {
        let pattern = Pattern::new(&mut fastrand::Rng::with_seed(7));
        let right = pattern.piece(5, 0, 1000).to_vec();
        assert_eq!(right[500..], *pattern.piece(5, 500, 500));
        assert_eq!(right[..500], *pattern.piece(5, PERIOD, 500));

        let mut checker = Checker::new(Check::Echo, 5);
        checker.take(&right[..500], 1000, &pattern).unwrap();
        assert!(checker.end(1000).is_err());
        checker.take(&right[500..], 1000, &pattern).unwrap();
        checker.end(1000).unwrap();
        assert!(checker.take(b"x", 1000, &pattern).is_err(), "more than was sent");

        let mut checker = Checker::new(Check::Echo, 5);
        let mut wrong = right;
        wrong[300] ^= 1;
        assert_eq!(checker.take(&wrong, 1000, &pattern).unwrap_err(), "the echo differs after 0 B");
    }
}
