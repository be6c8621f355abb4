//! The two queues, and what the kernel must be able to do.

use std::io;
use std::mem::ManuallyDrop;
use std::time::Duration;

use io_uring::squeue::Entry;
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, Parameters, Probe, cqueue, opcode};
use thiserror::Error;

use super::buffers::BufferRing;

/// A ring could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RingError {
    /// This kernel has no io_uring (`ENOSYS`).
    #[error("this kernel has no io_uring")]
    Missing,
    /// io_uring may not be used here (`EPERM`, `EACCES`): the sysctl `kernel.io_uring_disabled`, or a filter of
    /// system calls.
    #[error("io_uring may not be used here: see the sysctl kernel.io_uring_disabled, or a seccomp filter")]
    Forbidden,
    /// This kernel is too old for what the options ask for.
    #[error("this kernel's io_uring has no {what} (it came with Linux {since})")]
    Lacks {
        /// What is missing.
        what: &'static str,
        /// The first version that has it.
        since: &'static str,
    },
    /// An option makes no sense.
    #[error("{0}")]
    Option(&'static str),
    /// Something else, most often a limit: descriptors, or memory.
    #[error("no ring: {0}")]
    Os(#[source] io::Error),
}

impl RingError {
    pub(crate) fn of(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOSYS) => Self::Missing,
            Some(libc::EPERM | libc::EACCES) => Self::Forbidden,
            _ => Self::Os(error),
        }
    }
}

/// What the ring is to be able to do, beside the ordinary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    pub(crate) multishot_receive: bool,
    pub(crate) multishot_accept: bool,
    pub(crate) zero_copy: bool,
}

/// What came out of the completion queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completion {
    pub(crate) user_data: u64,
    pub(crate) result: i32,
    flags: u32,
}

impl Completion {
    /// Whether the operation owes more.
    pub(crate) fn more(&self) -> hangup::More {
        if cqueue::more(self.flags) { hangup::More::Follows } else { hangup::More::Last }
    }

    /// The second notification of a zero-copy send.
    pub(crate) fn is_notification(&self) -> bool {
        cqueue::notif(self.flags)
    }

    /// Which of the provided buffers was chosen.
    pub(crate) fn chosen(&self) -> Option<u16> {
        cqueue::buffer_select(self.flags)
    }
}

/// Nothing is waited for longer. The kernel takes a number of seconds with a sign, and does not wait for a negative one.
const LONGEST: Duration = Duration::from_secs(1 << 32);

/// The ring.
pub(crate) struct Ring {
    ring: IoUring,
    /// Freed by [`Ring::free`], and by nothing else: whichever way the ring goes, the kernel may have them still.
    buffers: ManuallyDrop<Option<BufferRing>>,
    /// How often the completion queue was too small, and the kernel kept completions for later.
    pub(crate) overflows: u64,
    /// How often the submission queue was full when something was to be submitted.
    pub(crate) full: u64,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("overflows", &self.overflows).field("full", &self.full).finish()
    }
}

impl Ring {
    pub(crate) fn new(entries: u32, completions: u32, needs: Needs) -> Result<Self, RingError> {
        let ring = build(entries, completions)
            .map_err(|error| too_old(error, "completion queue of its own size", "5.6"))?;
        check(&ring, needs)?;
        Ok(Self { ring, buffers: ManuallyDrop::new(None), overflows: 0, full: 0 })
    }

    /// Gives the kernel the ring of buffers that multishot receives choose from.
    pub(crate) fn provide(&mut self, buffers: BufferRing) -> Result<(), RingError> {
        let registered = buffers.register(&self.ring.submitter());
        registered.map_err(|error| too_old(error, "ring of provided buffers", "5.19"))?;
        self.buffers = ManuallyDrop::new(Some(buffers));
        Ok(())
    }

    pub(crate) fn buffers(&mut self) -> Option<&mut BufferRing> {
        self.buffers.as_mut()
    }

    /// Whether another submission fits. If not, what is there goes to the kernel first.
    pub(crate) fn has_room(&mut self) -> bool {
        if !self.ring.submission().is_full() {
            return true;
        }
        self.full += 1;
        // If the kernel takes nothing now, nothing is lost: what is wanted stays wanted.
        drop(self.submit());
        !self.ring.submission().is_full()
    }

    /// Puts a submission into the queue. Whether there was room.
    pub(crate) fn push(&mut self, entry: Entry, user_data: u64) -> bool {
        let entry = entry.user_data(user_data);
        let mut queue = self.ring.submission();
        // SAFETY: I02, memory that the kernel has stays where it is until the last notification. Only `perform` submits
        // what names memory: an accept, a watch and a request to cancel name none. Buffers are lent by the table before
        // it comes here; a `Buffer` does not move its bytes; the table gives it back with the last notification, and
        // leaks it if it is dropped before. The address of a connect is copied when it is handed over; until then it is
        // in a box of the connection's socket, which is released only when nothing is owed. Descriptors are no memory:
        // that each is open while something of it is with the ring is for the table, `acceptor` and `down` to see to.
        unsafe { queue.push(&entry) }.is_ok()
    }

    /// Hands over what is in the queue, without waiting.
    pub(crate) fn submit(&mut self) -> io::Result<()> {
        forgive(self.ring.submit())
    }

    /// Hands over what is in the queue, and waits until something has completed, or for so long.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        match limit {
            Some(Duration::ZERO) => self.submit(),
            Some(limit) => {
                let time = Timespec::from(limit.min(LONGEST));
                forgive(self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&time)))
            }
            None => forgive(self.ring.submit_and_wait(1)),
        }
    }

    /// Takes out everything that has completed, also what did not fit the queue.
    pub(crate) fn reap(&mut self, into: &mut Vec<Completion>) {
        loop {
            let before = into.len();
            let (submitter, queue, mut completed) = self.ring.split();
            completed.sync();
            into.extend((&mut completed).map(|entry| Completion {
                user_data: entry.user_data(),
                result: entry.result(),
                flags: entry.flags(),
            }));
            completed.sync();
            let overflown = queue.cq_overflow();
            // The queues tell the kernel how far they have come when they are dropped.
            drop((completed, queue));
            if !overflown {
                return;
            }
            self.overflows += 1;
            if submitter.submit().is_err() && into.len() == before {
                return;
            }
        }
    }

    /// Nothing is owed any more: the buffers that the kernel was given are freed. If this is never said, they never are:
    /// when the ring is closed, the kernel calls off what is parked there, in its own time.
    pub(crate) fn free(&mut self) {
        drop(self.buffers.take());
    }
}

/// With completions worked off when we come to the kernel anyway, where that exists (Linux 5.19).
fn build(entries: u32, completions: u32) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(completions).setup_clamp();
    let mut quiet = builder.clone();
    quiet.setup_coop_taskrun().setup_taskrun_flag();
    match quiet.build(entries) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => builder.build(entries),
        built => built,
    }
}

/// What is no failure of a wait: it took too long, a signal came, or completions have to be taken out first.
fn forgive(result: io::Result<usize>) -> io::Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => match error.raw_os_error() {
            Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
            _ => Err(error),
        },
    }
}

/// What has to be there before anything is begun.
fn check(ring: &IoUring, needs: Needs) -> Result<(), RingError> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(|error| too_old(error, "probe", "5.6"))?;
    let parameters: &Parameters = ring.params();
    let features = Features {
        keeps_completions: parameters.is_feature_nodrop(),
        polls_sockets: parameters.is_feature_fast_poll(),
        waits_for_so_long: parameters.is_feature_ext_arg(),
        tags_resources: parameters.is_feature_resource_tagging(),
    };
    missing(features, |code| probe.is_supported(code), needs).map_or(Ok(()), Err)
}

/// What the kernel says of itself.
#[derive(Clone, Copy)]
struct Features {
    keeps_completions: bool,
    polls_sockets: bool,
    waits_for_so_long: bool,
    tags_resources: bool,
}

/// The first thing that is needed and not there.
fn missing(features: Features, has: impl Fn(u8) -> bool, needs: Needs) -> Option<RingError> {
    let wanted = [
        (true, features.keeps_completions, "promise to keep completions", "5.5"),
        (true, has(opcode::Connect::CODE), "connect", "5.5"),
        (true, has(opcode::AsyncCancel::CODE), "cancel", "5.5"),
        (true, has(opcode::Accept::CODE), "accept", "5.5"),
        (true, has(opcode::Send::CODE) && has(opcode::Recv::CODE), "send and receive", "5.6"),
        (true, features.polls_sockets, "internal polling of sockets", "5.7"),
        (true, features.waits_for_so_long, "wait with a time limit", "5.11"),
        (true, has(opcode::Shutdown::CODE), "shutdown", "5.11"),
        // These have no flag of their own: what came with the same version stands for them.
        (true, features.tags_resources, "multishot poll", "5.13"),
        (needs.multishot_accept, has(opcode::Socket::CODE), "multishot accept", "5.19"),
        (needs.multishot_receive, has(opcode::SendZc::CODE), "multishot receive", "6.0"),
        (needs.zero_copy, has(opcode::SendZc::CODE), "zero-copy send", "6.0"),
    ];
    let (_, _, what, since) = wanted.into_iter().find(|&(needed, there, _, _)| needed && !there)?;
    Some(RingError::Lacks { what, since })
}

/// An argument that a kernel does not know is a kernel that is too old.
fn too_old(error: io::Error, what: &'static str, since: &'static str) -> RingError {
    if error.raw_os_error() == Some(libc::EINVAL) {
        RingError::Lacks { what, since }
    } else {
        RingError::of(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Features = Features {
        keeps_completions: true,
        polls_sockets: true,
        waits_for_so_long: true,
        tags_resources: true,
    };
    const MODEST: Needs = Needs { multishot_receive: false, multishot_accept: false, zero_copy: false };

    fn says(refused: Option<RingError>) -> String {
        refused.map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(says(missing(ALL, |_| true, MODEST)), "");
        let without = |code: u8, needs| says(missing(ALL, |other| other != code, needs));
        let old = "this kernel's io_uring has no shutdown (it came with Linux 5.11)";
        assert_eq!(without(opcode::Shutdown::CODE, MODEST), old);
        assert!(says(missing(Features { tags_resources: false, ..ALL }, |_| true, MODEST)).contains("5.13"));
        // What nobody asks for may be missing.
        assert_eq!(without(opcode::SendZc::CODE, MODEST), "");
        assert!(without(opcode::SendZc::CODE, Needs { zero_copy: true, ..MODEST }).contains("zero-copy"));
        let receives = Needs { multishot_receive: true, ..MODEST };
        assert!(without(opcode::SendZc::CODE, receives).contains("multishot receive"));
        let accepts = Needs { multishot_accept: true, ..MODEST };
        assert!(without(opcode::Socket::CODE, accepts).contains("multishot accept"));
    }

    #[test]
    fn a_kernel_that_refuses_says_why() {
        let of = |code| RingError::of(io::Error::from_raw_os_error(code));
        assert!(matches!(of(libc::ENOSYS), RingError::Missing));
        assert!(matches!(of(libc::EPERM), RingError::Forbidden));
        assert!(matches!(of(libc::EACCES), RingError::Forbidden));
        assert!(matches!(of(libc::ENOMEM), RingError::Os(_)));
        let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
        assert!(matches!(too_old(invalid(), "probe", "5.6"), RingError::Lacks { what: "probe", .. }));
    }
}
