//! Bringing workers back that wait.

use std::io;
use std::sync::{Arc, Mutex};

use crate::os::Port;
use crate::shared::lock;

/// Brings the workers of a port back from [`Driver::wait`](crate::Driver::wait), from any thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Bell>);

impl Waker {
    pub(crate) const fn new(bell: Arc<Bell>) -> Self {
        Self(bell)
    }

    /// Brings all of them back, each once; those that do not wait now will not wait the next time.
    ///
    /// # Errors
    ///
    /// If the OS is short of memory.
    pub fn wake(&self) -> io::Result<()> {
        self.0.ring()
    }
}

/// Who is asleep, and who has not heard.
///
/// A packet cannot be addressed: whoever takes it, takes it, and one worker may take two. So one packet is enough, and
/// it goes round: as long as somebody sleeps on who fell asleep before the last ring, the packet is in the port, or
/// with a worker that is about to post it again. Whoever is awake needs none, since nobody lies down without having
/// heard every ring.
#[derive(Debug)]
pub(crate) struct Bell {
    port: Arc<Port>,
    sleepers: Mutex<Sleepers>,
}

#[derive(Debug, Default)]
struct Sleepers {
    /// How often it has been rung.
    rings: u64,
    /// Asleep since the last ring.
    fresh: usize,
    /// Asleep since before it.
    deaf: usize,
}

impl Bell {
    pub(crate) fn new(port: Arc<Port>) -> Self {
        Self { port, sleepers: Mutex::default() }
    }

    pub(crate) fn ring(&self) -> io::Result<()> {
        let mut sleepers = lock(&self.sleepers);
        sleepers.rings += 1;
        sleepers.deaf += std::mem::take(&mut sleepers.fresh);
        let is_needed = sleepers.deaf > 0;
        drop(sleepers);
        if is_needed { self.port.wake() } else { Ok(()) }
    }

    /// How often it has been rung.
    pub(crate) fn rings(&self) -> u64 {
        lock(&self.sleepers).rings
    }

    /// A worker that has heard so many rings is about to wait. Whether it may: otherwise it has just heard another.
    pub(crate) fn lie_down(&self, heard: &mut u64) -> bool {
        let mut sleepers = lock(&self.sleepers);
        if *heard != sleepers.rings {
            *heard = sleepers.rings;
            return false;
        }
        sleepers.fresh += 1;
        true
    }

    /// It is back, for whatever reason. Whether the bell was rung meanwhile.
    pub(crate) fn rise(&self, heard: &mut u64) -> bool {
        let mut sleepers = lock(&self.sleepers);
        if *heard == sleepers.rings {
            sleepers.fresh -= 1;
            return false;
        }
        *heard = sleepers.rings;
        sleepers.deaf -= 1;
        true
    }

    /// It has taken the packet.
    pub(crate) fn pass_on(&self) {
        if lock(&self.sleepers).deaf > 0 {
            // If the OS has no memory for it, those who sleep come back by their deadlines.
            drop(self.port.wake());
        }
    }
}
