//! A table, its one connection, and what two workers do with it.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use hangup::shared::Table;
use hangup::{
    Answer, Command, Input, InputError, Key, Mechanism, Moment, More, Operation, OperationKey, Outcome, Owed,
    Plan, Policy, Settled, Wants,
};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

pub(crate) const NOW: Moment = Moment::EPOCH;

/// Told apart by its number.
pub(crate) struct Socket(pub(crate) u32);

/// The memory of an operation, whose end is noted.
pub(crate) struct Buffer(pub(crate) std::sync::Arc<AtomicU32>);

impl Drop for Buffer {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A table, and what has become of its one connection. The counts are the test's own: they order nothing.
pub(crate) struct World {
    pub(crate) net: Table<Socket, Buffer>,
    pub(crate) key: Key,
    /// What the OS has of the socket. A call touches it, and closing the descriptor does; loom complains if two do so
    /// at once, or one does not know of the other.
    pub(crate) descriptor: UnsafeCell<()>,
    pub(crate) freed: std::sync::Arc<AtomicU32>,
    pub(crate) performed: AtomicU32,
    pub(crate) released: AtomicU32,
    pub(crate) buffers: AtomicU32,
}

pub(crate) fn said(answer: Answer) -> Input {
    Input::Outcome(Outcome::Immediate(answer))
}

pub(crate) const fn close(plan: Plan) -> Input {
    Input::Command(Command::Close(plan))
}

pub(crate) fn submitting(operation: Operation) -> Input {
    Input::Outcome(Outcome::Submitting(operation, Owed::One))
}

impl World {
    pub(crate) fn new(mechanism: Mechanism) -> Self {
        let net = Table::new(mechanism, Policy { idle: None, ..Policy::default() });
        let key = net.accept(Socket(1), NOW).unwrap();
        Self {
            net,
            key,
            descriptor: UnsafeCell::new(()),
            freed: std::sync::Arc::default(),
            performed: AtomicU32::new(0),
            released: AtomicU32::new(0),
            buffers: AtomicU32::new(0),
        }
    }

    pub(crate) fn submit(&self, operation: Operation) -> u64 {
        let buffer = Some(Buffer(self.freed.clone()));
        let right = self.net.lend(self.key, operation, Owed::One, buffer, NOW).ok().unwrap();
        let number = right.user_data();
        assert!(matches!(self.net.taken(right, NOW), Ok(Settled::InFlight { .. })));
        number
    }

    pub(crate) fn feed(&self, input: Input) {
        if let Ok(wants) = self.net.input(self.key, input, NOW) {
            self.perform(wants);
        }
    }

    /// A completion that came to this worker.
    pub(crate) fn complete(&self, number: u64, answer: Answer) {
        let right = self.net.operation(number).unwrap();
        let settled = self.net.complete(right, answer, More::Last, NOW);
        self.settled(settled.unwrap());
    }

    pub(crate) fn settled(&self, settled: Settled<Buffer>) {
        match settled {
            Settled::Done { buffer, wants } => {
                if buffer.is_some() {
                    assert_eq!(
                        self.freed.load(Relaxed),
                        self.buffers.fetch_add(1, Relaxed),
                        "not freed before"
                    );
                }
                drop(buffer);
                self.perform(wants);
            }
            Settled::InFlight { operation, wants } => {
                let _number: u64 = OperationKey::into_user_data(operation);
                self.perform(wants);
            }
        }
    }

    /// Does what is wanted, as far as this worker is the one to do it.
    pub(crate) fn perform(&self, wants: Wants) {
        let Self { net, key, .. } = self;
        if wants.deregister && net.input(*key, submitting(Operation::Deregister), NOW).is_ok() {
            self.call();
            self.feed(said(Answer::Deregistered));
        }
        if wants.cancel.receive
            && net.input(*key, Input::Outcome(Outcome::Cancelling(Operation::Receive)), NOW).is_ok()
        {
            self.performed.fetch_add(1, Relaxed);
            self.feed(Input::Outcome(Outcome::CancelAnswered(Operation::Receive)));
        }
        if wants.release.is_some() {
            self.release();
        }
    }

    /// A call on the socket, which its want has been claimed for.
    pub(crate) fn call(&self) {
        self.performed.fetch_add(1, Relaxed);
        self.descriptor.with_mut(|_| ());
    }

    pub(crate) fn release(&self) {
        if let Ok(released) = self.net.release(self.key, NOW) {
            self.descriptor.with_mut(|_| ());
            assert_eq!(released.resources.0, 1);
            self.released.fetch_add(1, Relaxed);
        }
    }

    /// Nothing is left, nothing was lost, and the workers have done it all by themselves.
    pub(crate) fn ended(&self, performed: impl Fn(u32) -> bool, buffers: u32) {
        assert_eq!(self.released.load(Relaxed), 1, "released once");
        assert_eq!(self.buffers.load(Relaxed), buffers, "every buffer came back, once");
        assert!(performed(self.performed.load(Relaxed)), "each want was performed once");
        assert!(matches!(self.net.life(self.key), Err(InputError::Stale(_))));
        let audit = self.net.audit();
        assert_eq!((audit.acquired, audit.released, audit.held()), (1, 1, 0));
        assert_eq!((audit.lent, audit.with_the_os()), (u64::from(buffers), 0));
    }
}

/// Tries every order.
pub(crate) fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 10_000;
    builder.check(run);
}

/// Two workers, each with one thing to do.
pub(crate) fn meet(
    world: World,
    first: impl FnOnce(&World) + 'static + Send,
    second: impl FnOnce(&World),
) -> Arc<World> {
    let world = Arc::new(world);
    let others = world.clone();
    let other = thread::spawn(move || first(&others));
    second(&world);
    other.join().unwrap();
    world
}
