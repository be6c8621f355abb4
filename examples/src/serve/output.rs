//! Output that waits to be written, and when to stop reading because of it.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};

use crate::net::Connection;

/// How a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Everything is written.
    Drained,
    /// The peer does not take more at present. The connection comes back when it does.
    Blocked,
    /// Nothing can be written any more. The report will say why.
    Lost,
}

/// The output of one connection.
///
/// Whoever answers faster than the peer reads must stop reading at some point, or it holds the rest:
/// [`Output::admits`] says when.
#[derive(Debug, Default)]
pub struct Output {
    bytes: VecDeque<u8>,
    paused: bool,
}

impl Output {
    /// With so much waiting, nothing more is read.
    pub const HIGH: usize = 64 * 1024;
    /// With no more than this waiting, reading goes on.
    pub const LOW: usize = 16 * 1024;

    /// So many bytes are waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Writes until everything is written, or the peer takes no more.
    pub fn write_to(&mut self, io: &mut dyn Connection) -> Flow {
        while !self.bytes.is_empty() {
            let (first, second) = self.bytes.as_slices();
            match io.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
                Ok(count) => drop(self.bytes.drain(..count.min(self.bytes.len()))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Flow::Blocked,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Flow::Lost,
            }
        }
        Flow::Drained
    }

    /// Whether more may be read. Pauses the connection while it may not, and resumes it after that.
    pub fn admits(&mut self, io: &mut dyn Connection) -> bool {
        let paused = if self.paused { self.len() > Self::LOW } else { self.len() >= Self::HIGH };
        if paused != self.paused {
            self.paused = paused;
            if paused {
                io.pause();
            } else {
                io.resume();
            }
        }
        !paused
    }
}
