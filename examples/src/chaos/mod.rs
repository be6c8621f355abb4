//! A client that ends its connections in every way there is, many at a time.
//!
//! It is a loop of its own around `poll`, on bare sockets, and uses nothing of what it is there to try: what
//! it says about a server is independent of it. Everything random comes from one seed.
//!
//! | file | what is in it |
//! |---|---|
//! | `act` | the ways to end, as scripts, and what a server may say about each |
//! | `script` | what scripts are made of |
//! | `client` | a script that is performed on a socket |
//! | `check` | whether the right thing comes back |

mod act;
mod check;
mod client;
mod script;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use self::act::{Act, Dialect};
use self::client::{Client, Standing, Tools, Wait};

/// So many connections are begun before the others have their turn.
const STARTS: usize = 32;

/// So many failures are told; all are counted.
const TOLD: usize = 20;

/// What to do, to whom.
#[derive(Clone, Debug)]
pub struct Config {
    /// The servers, and what they speak.
    pub servers: Vec<(SocketAddr, Dialect)>,
    /// So many connections at a time.
    pub connections: usize,
    /// So long, from when there were that many at once (on a busy machine that takes a while); then what has
    /// begun is finished.
    pub duration: Duration,
    /// So many connections at most.
    pub count: u64,
    /// So long may one connection take. Who takes longer hangs, and that is a failure.
    pub patience: Duration,
    /// For everything random.
    pub seed: u64,
}

/// A connection that was just begun.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// The server's address.
    pub server: SocketAddr,
    /// Our address. Used again for later connections, and by others to other servers.
    pub local: SocketAddr,
    /// Right before that.
    pub at: Instant,
    /// What will be done.
    pub act: Act,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many connections ended as they should, for each act.
    pub ended: BTreeMap<Act, u64>,
    /// How many did not.
    pub failed: u64,
    /// The first of them, in words.
    pub failures: Vec<String>,
    /// Connects that were put off because no address was free.
    pub put_off: u64,
    /// The largest number of connections at a time.
    pub peak: usize,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
}

/// Does it, and tells each connection when it is begun.
pub fn run(config: &Config, mut begun: impl FnMut(Begun)) -> Tally {
    let mut random = Rng::with_seed(config.seed);
    let mut chaos = Chaos {
        config,
        tools: Tools::new(&mut random),
        random,
        clients: Vec::new(),
        tally: Tally::default(),
        started: 0,
    };
    let begin = Instant::now();
    let mut full = None;
    loop {
        if chaos.tally.peak >= config.connections {
            full.get_or_insert_with(Instant::now);
        }
        let in_time = full.map_or(begin.elapsed() < config.duration + config.patience, |full| {
            full.elapsed() < config.duration
        });
        let goes_on = in_time && chaos.started < config.count;
        if goes_on {
            chaos.start(&mut begun);
        }
        if chaos.clients.is_empty() && !goes_on {
            return chaos.tally;
        }
        let ready = chaos.wait(goes_on);
        chaos.advance(&ready);
    }
}

struct Chaos<'a> {
    config: &'a Config,
    random: Rng,
    clients: Vec<(Client, Wait)>,
    tools: Tools,
    tally: Tally,
    started: u64,
}

impl Chaos<'_> {
    fn start(&mut self, begun: &mut impl FnMut(Begun)) {
        for _ in 0..STARTS {
            if self.clients.len() >= self.config.connections || self.started >= self.config.count {
                break;
            }
            let Some(&(server, dialect)) = self.random.choice(&self.config.servers) else { return };
            let Some(&act) = self.random.choice(Act::all(dialect)) else { return };
            let script = act.script(dialect, &mut self.random);
            let seed = self.random.u64(..);
            let at = Instant::now();
            let client = match Client::connect(server, act, script, seed, self.config.patience) {
                Ok(client) => client,
                Err(error) if is_exhaustion(error.kind()) => {
                    self.tally.put_off += 1;
                    break;
                }
                Err(error) => {
                    self.started += 1;
                    self.failed(format!("{act:?}: {error}"));
                    continue;
                }
            };
            self.started += 1;
            if let Some(Ok(local)) = client.stream().map(std::net::TcpStream::local_addr) {
                begun(Begun { server, local, at, act });
            }
            // It is asked at once.
            self.clients.push((client, Wait { read: false, write: false, until: at }));
        }
        self.tally.peak = self.tally.peak.max(self.clients.len());
    }

    /// Waits until somebody can go on. Who: one answer for each client.
    fn wait(&self, starts: bool) -> Vec<bool> {
        let mut polled = Vec::with_capacity(self.clients.len());
        let mut places = Vec::with_capacity(self.clients.len());
        let mut until = Instant::now() + Duration::from_millis(100);
        for (place, (client, wait)) in self.clients.iter().enumerate() {
            until = until.min(wait.until);
            let flags = [(wait.read, PollFlags::IN), (wait.write, PollFlags::OUT)];
            let flags = flags.into_iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| flag);
            let flags = flags.fold(PollFlags::empty(), PollFlags::union);
            if let Some(stream) = client.stream().filter(|_| !flags.is_empty()) {
                polled.push(PollFd::new(stream, flags));
                places.push(place);
            }
        }
        let now = Instant::now();
        let mut ready: Vec<bool> = self.clients.iter().map(|(_, wait)| wait.until <= now).collect();
        let room = starts && self.clients.len() < self.config.connections;
        let time = if room { Duration::from_millis(1) } else { until.saturating_duration_since(now) };
        if polled.is_empty() {
            // Not every system waits for nothing.
            std::thread::sleep(time);
            return ready;
        }
        let timeout = Timespec { tv_sec: 0, tv_nsec: time.as_nanos().try_into().unwrap_or(0) };
        // If it fails, nobody is ready, and it is tried again.
        if poll(&mut polled, Some(&timeout)).is_ok() {
            for (fd, place) in polled.iter().zip(places) {
                if let Some(ready) = ready.get_mut(place) {
                    *ready |= !fd.revents().is_empty();
                }
            }
        }
        ready
    }

    fn advance(&mut self, ready: &[bool]) {
        let now = Instant::now();
        let mut left = Vec::with_capacity(self.clients.len());
        for (place, (mut client, wait)) in std::mem::take(&mut self.clients).into_iter().enumerate() {
            if !ready.get(place).copied().unwrap_or_default() {
                left.push((client, wait));
                continue;
            }
            let standing = client.advance(now, &mut self.tools);
            let (act, sent, received) = (client.act, client.sent, client.received());
            match standing {
                Standing::Waits(wait) => {
                    left.push((client, wait));
                    continue;
                }
                Standing::Done => *self.tally.ended.entry(act).or_default() += 1,
                Standing::Failed(why) => self.failed(why),
            }
            self.tally.sent += sent;
            self.tally.received += received;
        }
        self.clients = left;
    }

    fn failed(&mut self, why: String) {
        self.tally.failed += 1;
        if self.tally.failures.len() < TOLD {
            self.tally.failures.push(why);
        }
    }
}

/// Whether this host is short of something, so that the connect may be tried again later.
fn is_exhaustion(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse | ErrorKind::ResourceBusy)
}

impl std::fmt::Display for Tally {
    /// A table of acts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (act, count) in &self.ended {
            writeln!(f, "{:<24} {count:>10}", format!("{act:?}"))?;
        }
        let all: u64 = self.ended.values().sum();
        write!(
            f,
            "{:<24} {all:>10}, failed {}, at most {} at a time, {} put off; sent {} MiB, received {} MiB",
            "all",
            self.failed,
            self.peak,
            self.put_off,
            self.sent >> 20,
            self.received >> 20
        )?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n  {failure}"))
    }
}
