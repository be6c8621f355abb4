//! Everything that is received is forgotten.

use std::io::ErrorKind;

use hangup::Plan;

use super::Service;
use super::echo::TURNS;
use crate::net::Connection;

/// The discard service.
#[derive(Clone, Debug)]
pub struct Discard {
    buffer: Box<[u8]>,
}

impl Discard {
    /// With a buffer that all connections share.
    #[must_use]
    pub fn new() -> Self {
        Self { buffer: vec![0; 64 * 1024].into_boxed_slice() }
    }
}

impl Default for Discard {
    fn default() -> Self {
        Self::new()
    }
}

impl Service for Discard {
    type State = ();

    fn begin(&mut self) {}

    fn serve(&mut self, io: &mut dyn Connection, _state: &mut ()) {
        for _ in 0..TURNS {
            match io.read(&mut self.buffer) {
                Ok(0) => return io.close(Plan::Flush),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}
