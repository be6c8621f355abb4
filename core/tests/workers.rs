//! Several workers on one simulated completion port, for a long time. Under Miri shorter, and with many seeds.
#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test: a surprise is a failure, and what is not listed does not come up"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use hangup::shared::Table;
use hangup::{
    Answer, Cancels, Command, Fault, Input, InputError, Key, Mechanism, Moment, More, Operation, Outcome,
    Owed, Plan, Policy, Settled, Wants,
};

const WORKERS: u64 = if cfg!(miri) { 3 } else { 4 };
const TURNS: u32 = if cfg!(miri) { 25 } else { 500_000 };

/// Dropped once, and counted.
struct Socket(Arc<AtomicU64>);

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Not dropped while the OS has it.
struct Buffer {
    is_with_os: Arc<AtomicBool>,
    /// What the OS writes to, and nobody else meanwhile.
    memory: Box<u64>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        assert!(!self.is_with_os.load(Ordering::Acquire), "freed under the OS");
    }
}

/// An operation that the OS has taken.
struct Packet {
    number: u64,
    operation: Operation,
    is_with_os: Option<Arc<AtomicBool>>,
}

struct World {
    net: Table<Socket, Buffer>,
    port: Mutex<Vec<Packet>>,
    /// All keys there ever were.
    keys: Mutex<Vec<Key>>,
    closed: Arc<AtomicU64>,
    released: AtomicU64,
    clock: AtomicU64,
}

/// One worker: its chance, and what it does.
struct Worker<'a> {
    world: &'a World,
    /// SplitMix64.
    chance: u64,
}

impl Worker<'_> {
    fn below(&mut self, bound: usize) -> usize {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound.max(1) as u64).unwrap()
    }

    fn now(&self) -> Moment {
        Moment::from_millis(self.world.clock.load(Ordering::Relaxed))
    }

    fn turn(&mut self) {
        match self.below(16) {
            0 => self.begin(),
            1 => {
                self.world.clock.fetch_add(10_000, Ordering::Relaxed);
                while let Some((key, _, wants)) = self.world.net.expire(self.now()) {
                    self.perform(key, wants);
                }
            }
            2..8 => self.command(),
            _ => {
                self.dequeue();
            }
        }
    }

    fn begin(&mut self) {
        let net = &self.world.net;
        if net.len() < 8 {
            let key = net.accept(Socket(self.world.closed.clone()), self.now()).unwrap();
            self.world.keys.lock().unwrap().push(key);
            if let Ok(wants) = net.wants(key) {
                self.perform(key, wants);
            }
        }
    }

    /// The application says something to a connection, which may have ended long ago.
    fn command(&mut self) {
        let Some(key) = self.any_key() else { return };
        let command = match self.below(9) {
            0..4 => Command::Output(self.below(9)),
            4 => Command::Pause,
            5 | 6 => Command::Resume,
            7 => Command::Close([Plan::Finish, Plan::Flush, Plan::Linger][self.below(3)]),
            _ => Command::Close(Plan::Abort),
        };
        if let Ok(wants) = self.world.net.input(key, Input::Command(command), self.now()) {
            self.perform(key, wants);
        }
    }

    fn any_key(&mut self) -> Option<Key> {
        let keys = self.world.keys.lock().unwrap();
        // Mostly a young one.
        let (old, young) = (self.below(keys.len()), keys.len() - 1 - self.below(keys.len().clamp(1, 8)));
        let at = if self.below(4) == 0 { old } else { young };
        keys.get(at).copied()
    }

    fn perform(&mut self, key: Key, wants: Wants) {
        let now = self.now();
        let net = &self.world.net;
        for (wanted, operation) in [
            (wants.receive, Operation::Receive),
            (wants.send, Operation::Send),
            (wants.shutdown, Operation::Shutdown),
        ] {
            if wanted {
                self.submit(key, operation);
            }
        }
        let Cancels { connect: _, receive, send, watch: _ } = wants.cancel;
        for (wanted, operation) in [(receive, Operation::Receive), (send, Operation::Send)] {
            let outcomes = [Outcome::Cancelling(operation), Outcome::CancelAnswered(operation)];
            if wanted && net.input(key, Input::Outcome(outcomes[0]), now).is_ok() {
                let wants = net.input(key, Input::Outcome(outcomes[1]), now).expect("it was claimed here");
                self.perform(key, wants);
            }
        }
        if wants.release.is_some() {
            if let Ok(released) = net.release(key, now) {
                self.world.released.fetch_add(1, Ordering::Relaxed);
                assert!(net.life(key).is_err(), "stale from here on");
                drop(released.resources);
            }
        }
    }

    /// The OS takes it, or refuses it at once, or another worker was quicker.
    fn submit(&mut self, key: Key, operation: Operation) {
        let (net, now) = (&self.world.net, self.now());
        let is_with_os = Arc::new(AtomicBool::new(false));
        let buffer = (operation != Operation::Shutdown)
            .then(|| Buffer { is_with_os: is_with_os.clone(), memory: Box::new(0) });
        let has_buffer = buffer.is_some();
        let Ok(right) = net.lend(key, operation, Owed::One, buffer, now) else { return };
        let _touched = net.with_lent(&right, |buffer| *buffer.memory += 1);
        if self.below(8) == 0 {
            let settled = net.returned(right, failed(operation), now).expect("nobody else can know of it");
            return self.settled(key, settled);
        }
        is_with_os.store(has_buffer, Ordering::Release);
        let packet =
            Packet { number: right.user_data(), operation, is_with_os: has_buffer.then_some(is_with_os) };
        self.world.port.lock().unwrap().push(packet);
        // From here on another worker may have the completion.
        let settled = net.taken(right, now).expect("the call is out until this");
        self.settled(key, settled);
    }

    fn dequeue(&mut self) -> bool {
        let mut port = self.world.port.lock().unwrap();
        if port.is_empty() {
            return false;
        }
        let at = self.below(port.len());
        let Packet { number, operation, is_with_os } = port.swap_remove(at);
        drop(port);
        is_with_os.inspect(|is_with_os| is_with_os.store(false, Ordering::Release));
        let right = self.world.net.operation(number).expect("it is owed");
        let key = right.key();
        let answer = match (self.below(8), operation) {
            (0, _) => failed(operation),
            (1, Operation::Receive) => Answer::EndOfStream,
            (_, Operation::Receive) => Answer::Received(1 + self.below(9)),
            (_, Operation::Send) => Answer::Sent(1 + self.below(9)),
            _ => Answer::ShutDown,
        };
        let settled = self.world.net.complete(right, answer, More::Last, self.now()).expect("it is owed");
        self.settled(key, settled);
        true
    }

    fn settled(&mut self, key: Key, settled: Settled<Buffer>) {
        match settled {
            Settled::Done { buffer, wants } => {
                let _touched = buffer.map(|mut buffer| *buffer.memory += 1);
                self.perform(key, wants);
            }
            Settled::InFlight { operation, wants } => {
                let _with_the_os = operation.into_user_data();
                self.perform(key, wants);
            }
        }
    }
}

const fn failed(operation: Operation) -> Answer {
    match operation {
        Operation::Receive => Answer::ReceiveFailed(Fault::Reset),
        Operation::Send => Answer::SendFailed(Fault::Reset),
        _ => Answer::ShutdownFailed(Fault::NotConnected),
    }
}

#[test]
fn workers_on_one_port() {
    let world = World {
        net: Table::compact(Mechanism::Port, Policy::default()),
        port: Mutex::default(),
        keys: Mutex::default(),
        closed: Arc::default(),
        released: AtomicU64::new(0),
        clock: AtomicU64::new(0),
    };
    let start = Barrier::new(usize::try_from(WORKERS).unwrap());
    std::thread::scope(|scope| {
        for chance in 0..WORKERS {
            let (world, start) = (&world, &start);
            scope.spawn(move || {
                let mut worker = Worker { world, chance };
                worker.begin();
                start.wait();
                (0..TURNS).for_each(|_| worker.turn());
            });
        }
    });
    let mut last = Worker { world: &world, chance: 0 };
    for key in world.net.keys() {
        let wants = world.net.input(key, Input::Command(Command::Close(Plan::Abort)), last.now()).unwrap();
        last.perform(key, wants);
    }
    while last.dequeue() {}
    let (audit, keys) = (world.net.audit(), world.keys.into_inner().unwrap());
    assert_eq!((audit.held(), audit.with_the_os()), (0, 0), "{audit:?}");
    assert_eq!(audit.acquired, keys.len() as u64);
    assert_eq!(audit.acquired, world.released.into_inner(), "each was released once");
    assert_eq!(audit.acquired, world.closed.load(Ordering::Relaxed), "each was closed once");
    assert_eq!(world.net.next_deadline(), None, "no deadline outlives its connection");
    for key in keys {
        assert_eq!(world.net.life(key), Err(InputError::Stale(key)));
    }
    println!("{WORKERS} workers: {audit:?}");
}
