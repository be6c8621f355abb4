//! Several workers that one thread plays in turn.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::time::Duration;

use hangup::{Audit, Key, Plan, Policy, Report};

use super::{Backend, Net, Use, Waker};

/// Nobody waits longer while others may have something to do.
const SLICE: Duration = Duration::from_millis(5);

/// Workers that have one table: each round is another's. What one of them has taken from the OS another may have to finish,
/// and still everything happens in one order, which scripts can rely on.
#[derive(Debug)]
pub struct InTurn<S> {
    workers: Vec<Box<dyn Net<S>>>,
    /// Whose turn it is.
    at: usize,
    /// Connections that have ended and were not asked for yet.
    done: VecDeque<(Key, S, Report)>,
}

impl<S: fmt::Debug + Send + 'static> InTurn<S> {
    /// So many workers, which accept from `listener`.
    ///
    /// # Errors
    ///
    /// If this system does not have what the adapter needs, or if its workers have a table each.
    pub fn start(
        backend: Backend,
        workers: NonZeroUsize,
        policy: Policy,
        listener: TcpListener,
    ) -> io::Result<Self> {
        if !backend.shares() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "its workers have a table each"));
        }
        let mut first: Box<dyn Net<S>> = backend.start(None, policy, false, listener)?;
        let others: io::Result<Vec<_>> = (1..workers.get()).map(|_| first.worker()).collect();
        let mut workers = others?;
        workers.push(first);
        Ok(Self { workers, at: 0, done: VecDeque::new() })
    }

    #[allow(clippy::indexing_slicing, reason = "there is one at least, and `at` is below their number")]
    fn now(&self) -> &dyn Net<S> {
        &*self.workers[self.at]
    }

    #[allow(clippy::indexing_slicing, reason = "there is one at least, and `at` is below their number")]
    fn now_mut(&mut self) -> &mut dyn Net<S> {
        &mut *self.workers[self.at]
    }
}

impl<S: fmt::Debug + Send + 'static> Net<S> for InTurn<S> {
    fn worker(&mut self) -> io::Result<Box<dyn Net<S>>> {
        self.now_mut().worker()
    }

    /// The next worker waits.
    fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.at = (self.at + 1) % self.workers.len();
        let slice = if self.workers.len() > 1 { Some(SLICE) } else { None };
        self.now_mut().wait([limit, slice].into_iter().flatten().min())
    }

    fn next(&mut self, each: Use<'_, S>) -> bool {
        self.now_mut().next(each)
    }

    fn accepted(&mut self) -> io::Result<Option<(TcpStream, Option<SocketAddr>)>> {
        self.now_mut().accepted()
    }

    fn accept(&mut self, stream: TcpStream, state: S) -> io::Result<Key> {
        self.now_mut().accept(stream, state)
    }

    fn connect(&mut self, peer: SocketAddr, state: S) -> io::Result<Key> {
        self.now_mut().connect(peer, state)
    }

    fn close_door(&mut self) {
        for worker in &mut self.workers {
            worker.close_door();
        }
    }

    fn with(&mut self, key: Key, each: Use<'_, S>) {
        self.now_mut().with(key, each);
        // A worker has its turn with a connection until it is called again, and nobody else may have it before.
        let ended = self.now_mut().ended();
        self.done.extend(ended);
    }

    fn keys(&self) -> Vec<Key> {
        self.now().keys()
    }

    fn drain(&mut self, plan: Plan) {
        self.now_mut().drain(plan);
    }

    fn ended(&mut self) -> Option<(Key, S, Report)> {
        self.done.pop_front().or_else(|| self.workers.iter_mut().find_map(|worker| worker.ended()))
    }

    fn audit(&self) -> Audit {
        self.now().audit()
    }

    fn buffers(&mut self) -> u64 {
        self.now_mut().buffers()
    }

    fn counts(&mut self) -> Vec<(&'static str, u64)> {
        self.now_mut().counts()
    }

    fn waker(&self) -> Waker {
        self.now().waker()
    }
}
