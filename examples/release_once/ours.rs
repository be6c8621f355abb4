//! The same with hangup: whoever notices a failure reports it, and one place releases.
//!
//! On a ring, a send that fails is a completion like any other. On a port it fails at the call, and comes in by the same
//! door as a packet.
//!
//! A shutdown behind the adapter's back is reported for what it looks like: an `EPIPE` without a shutdown of our own means
//! on Linux that the peer has reset after its FIN, and of `WSAESHUTDOWN` nobody can say why.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use hangup::{Audit, Key, Plan, Policy};
use hangup_examples::net::{Backend, Connection, Net};
use socket2::SockRef;

use crate::ledger::{Ledger, Tally, Thing, Ticket};
use crate::scene::Scene;
use crate::stage::{Program, TURN};

/// Ours, on this system.
pub(crate) const BACKEND: Backend = if cfg!(windows) { Backend::Iocp } else { Backend::Uring };
/// Its name.
pub(crate) const NAME: &str = if cfg!(windows) { "hangup-iocp" } else { "hangup-uring" };

/// The application's state of a connection: on the ledger until it is dropped.
#[derive(Debug)]
struct Held {
    ledger: Arc<Mutex<Ledger>>,
    ticket: Ticket,
    unsent: &'static [u8],
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).release(self.ticket);
    }
}

/// The loop.
#[derive(Debug)]
pub(crate) struct Ours {
    net: Box<dyn Net<Held>>,
    ledger: Arc<Mutex<Ledger>>,
    keys: Vec<Key>,
    causes: BTreeMap<&'static str, u64>,
    /// Buffers that the OS had when no connection was left that they could belong to.
    early: u64,
    /// How many of them it has still.
    still: u64,
}

/// What is left of it.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) causes: BTreeMap<&'static str, u64>,
    /// Sockets, and buffers that were lent, by the adapter's audit.
    pub(crate) sockets: Tally,
    pub(crate) buffers: Tally,
    /// Buffers of its pool that have not come back.
    pub(crate) in_use: u64,
}

impl Ours {
    pub(crate) fn new() -> io::Result<Self> {
        // Whom it serves is brought to it: it needs no door.
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut net = BACKEND.start(None, Policy::default(), true, door)?;
        net.close_door();
        let ledger = Arc::default();
        Ok(Self { net, ledger, keys: Vec::new(), causes: BTreeMap::new(), early: 0, still: 0 })
    }

    pub(crate) fn finish(mut self) -> Remains {
        let Audit { acquired, released, lent, returned, .. } = self.net.audit();
        let in_use = self.net.buffers();
        drop(self.net);
        Remains {
            ledger: self.ledger,
            causes: self.causes,
            sockets: balance(acquired, released, 0),
            buffers: balance(lent, returned, self.early),
            in_use,
        }
    }

    fn with(&mut self, number: usize, each: &mut dyn FnMut(&mut dyn Connection, &mut Held)) {
        if let Some(&key) = self.keys.get(number) {
            self.net.with(key, each);
        }
    }
}

/// What an audit says, in the words of the ledger.
const fn balance(acquired: u64, released: u64, early: u64) -> Tally {
    let double = released.saturating_sub(acquired);
    let lost = acquired.saturating_sub(released);
    Tally { acquired, released, double, early, lost }
}

/// Sends what there is to send, reads what has come, and takes leave when there is no more. What a failure means is not
/// decided here: if it ends the connection, the report says so.
fn serve(connection: &mut dyn Connection, held: &mut Held) {
    while let (false, Ok(count)) = (held.unsent.is_empty(), connection.write(held.unsent)) {
        held.unsent = held.unsent.get(count..).unwrap_or_default();
    }
    let mut buffer = [0; 64];
    loop {
        match connection.read(&mut buffer) {
            Ok(0) => return connection.close(Plan::Flush),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

impl Program for Ours {
    fn take_in(&mut self, stream: TcpStream, scene: Scene) -> io::Result<()> {
        let ticket = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).acquire(Thing::State, scene);
        let held = Held { ledger: Arc::clone(&self.ledger), ticket, unsent: &[] };
        let key = self.net.accept(stream, held)?;
        self.keys.push(key);
        Ok(())
    }

    fn shut_beneath(&mut self, number: usize) -> io::Result<()> {
        let mut result = Ok(());
        self.with(number, &mut |connection, _| {
            if let Some(stream) = connection.stream() {
                result = SockRef::from(stream).shutdown(Shutdown::Write);
            }
        });
        result
    }

    fn send(&mut self, number: usize, message: &'static [u8]) {
        self.with(number, &mut |connection, held| {
            held.unsent = message;
            serve(connection, held);
        });
    }

    fn abort(&mut self, number: usize) {
        self.with(number, &mut |connection, _| connection.close(Plan::Abort));
    }

    fn turn(&mut self) -> io::Result<()> {
        self.net.wait(Some(TURN))?;
        while self.net.next(&mut serve) {}
        while let Some((_, state, report)) = self.net.ended() {
            *self.causes.entry(report.cause.name()).or_default() += 1;
            drop(state);
        }
        Ok(())
    }

    fn left(&self) -> usize {
        self.net.len()
    }

    fn over(&mut self) {
        let with_the_os = self.net.audit().with_the_os() as u64;
        self.early += with_the_os.saturating_sub(self.still);
        self.still = with_the_os;
    }
}
