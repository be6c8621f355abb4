//! Where a body ends. Its bytes are counted and forgotten.

use super::input::Input;
use super::{Limits, Status};

/// The longest line that announces a chunk, extensions included.
const CHUNK_LINE: usize = 256;

/// What is left of a body.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks, until an empty one.
    Chunked(Chunked),
}

#[derive(Debug)]
pub(super) struct Chunked {
    at: At,
    /// The bytes of all chunks so far.
    total: u64,
}

#[derive(Debug)]
enum At {
    /// Before the size of a chunk.
    Size,
    /// Within a chunk, with so many bytes to come.
    Data(u64),
    /// Before the line end that follows a chunk.
    DataEnd,
    /// In the lines after the last chunk, of which so many bytes were read.
    Trailers(usize),
}

/// How far the input led.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to come.
    Partial,
    /// This is not a body.
    Bad(Status),
    /// This was all.
    Done,
}

impl Body {
    pub(super) const fn of_length(length: u64) -> Self {
        Self::Length(length)
    }

    pub(super) const fn chunked() -> Self {
        Self::Chunked(Chunked { at: At::Size, total: 0 })
    }

    /// Whether the head said so.
    pub(super) const fn is_longer_than(&self, limit: u64) -> bool {
        match self {
            Self::Length(length) => *length > limit,
            Self::Chunked(_) => false,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::Length(0))
    }

    pub(super) fn read(&mut self, input: &mut Input, limits: Limits) -> Progress {
        match self {
            Self::Length(left) => {
                *left -= input.consume_some(*left);
                if *left == 0 { Progress::Done } else { Progress::Partial }
            }
            Self::Chunked(chunked) => chunked.read(input, limits),
        }
    }
}

impl Chunked {
    fn read(&mut self, input: &mut Input, limits: Limits) -> Progress {
        loop {
            let reached = match &mut self.at {
                At::Size => self.size(input, limits),
                At::Data(left) => {
                    *left -= input.consume_some(*left);
                    if *left == 0 { Ok(At::DataEnd) } else { Err(Progress::Partial) }
                }
                At::DataEnd => data_end(input),
                At::Trailers(read) => trailers(*read, input, limits),
            };
            match reached {
                Ok(at) => self.at = at,
                Err(progress) => return progress,
            }
        }
    }

    fn size(&mut self, input: &mut Input, limits: Limits) -> Result<At, Progress> {
        let bad = Progress::Bad(Status::BadRequest);
        let line = input.unread();
        let line = line.get(..CHUNK_LINE).unwrap_or(line);
        match httparse::parse_chunk_size(line) {
            Ok(httparse::Status::Complete((length, size))) => {
                input.consume(length);
                self.total = self.total.saturating_add(size);
                if self.total > limits.body {
                    return Err(Progress::Bad(Status::ContentTooLarge));
                }
                Ok(if size == 0 { At::Trailers(0) } else { At::Data(size) })
            }
            Ok(httparse::Status::Partial) if line.len() < CHUNK_LINE => Err(Progress::Partial),
            Ok(httparse::Status::Partial) | Err(_) => Err(bad),
        }
    }
}

fn data_end(input: &mut Input) -> Result<At, Progress> {
    match input.unread() {
        [] | [b'\r'] => Err(Progress::Partial),
        [b'\r', b'\n', ..] => {
            input.consume(2);
            Ok(At::Size)
        }
        _ => Err(Progress::Bad(Status::BadRequest)),
    }
}

/// Reads lines up to the empty one.
fn trailers(read: usize, input: &mut Input, limits: Limits) -> Result<At, Progress> {
    let line_end = input.unread().iter().position(|&byte| byte == b'\n');
    let length = line_end.map_or(input.len(), |at| at + 1);
    if read + length > limits.head {
        return Err(Progress::Bad(Status::HeadTooLarge));
    }
    if line_end.is_none() {
        return Err(Progress::Partial);
    }
    let is_empty = matches!(input.unread(), [b'\n', ..] | [b'\r', b'\n', ..]);
    input.consume(length);
    if is_empty { Err(Progress::Done) } else { Ok(At::Trailers(read + length)) }
}
