//! Everything that is received goes back.

use std::io::ErrorKind;

use hangup::Plan;

use super::{Flow, Output, Service};
use crate::net::Connection;

/// So many reads in a row, and then it is the others' turn.
pub(super) const TURNS: usize = 16;

/// The echo service.
#[derive(Clone, Debug)]
pub struct Echo {
    buffer: Box<[u8]>,
}

/// One connection of the echo service.
#[derive(Debug, Default)]
pub struct Echoing {
    output: Output,
}

impl Echo {
    /// With a buffer that all connections share.
    #[must_use]
    pub fn new() -> Self {
        Self { buffer: vec![0; 16 * 1024].into_boxed_slice() }
    }
}

impl Default for Echo {
    fn default() -> Self {
        Self::new()
    }
}

impl Service for Echo {
    type State = Echoing;

    fn begin(&mut self) -> Echoing {
        Echoing::default()
    }

    fn serve(&mut self, io: &mut dyn Connection, Echoing { output }: &mut Echoing) {
        for _ in 0..TURNS {
            if !send(output, io) {
                return;
            }
            match io.read(&mut self.buffer) {
                // What is still to be written is written first: the driver knows of it.
                Ok(0) => return io.close(Plan::Flush),
                Ok(count) => output.push(self.buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It would block, or the connection is lost, or closing.
                Err(_) => return,
            }
        }
        send(output, io);
    }
}

/// Writes what can be written. Whether to read more.
fn send(output: &mut Output, io: &mut dyn Connection) -> bool {
    match output.write_to(io) {
        Flow::Drained | Flow::Blocked => output.admits(io),
        // It may be paused: nobody would read, and so nobody would find the end.
        Flow::Lost => {
            io.close(Plan::Flush);
            false
        }
    }
}
