//! What a ring is to be like, and what is said about it.

use hangup::Audit;

/// How often an operation completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shots {
    /// Once, and then it is submitted again.
    Single,
    /// Until it is cancelled, or fails. Fewer submissions.
    Multishot,
}

/// What a ring is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// Places in the submission queue. When it is full, it is handed over early, and that is all.
    pub entries: u32,
    /// Places in the completion queue, at least as many. When it is full, the kernel keeps the rest for later.
    pub completions: u32,
    /// How to receive. A connection holds no memory while it waits for a multishot receive; one buffer of
    /// [`buffer_size`](Self::buffer_size) while it waits for a single one.
    ///
    /// Linux 6.18 loses the end of connections that fill more than 32 buffers at once and reset, if nothing but a
    /// multishot receive looks for it. So a watch for the end stands beside each one, and the rest is received singly.
    pub receive: Shots,
    /// How to accept. Several rings that accept from one socket (by clones of the listener) need single accepts: those take
    /// turns, while of several multishot ones the first gets every connection (measured on Linux 6.18). The kernel wakes
    /// whoever waits first, and a multishot accept keeps its place.
    pub accept: Shots,
    /// Sends of at least so many bytes are made without a copy. Their memory is free when the peer has acknowledged,
    /// and until then nothing else is sent on that connection.
    pub zero_copy: Option<usize>,
    /// Size of a buffer, for receives and for what is written.
    pub buffer_size: usize,
    /// How many buffers multishot receives may choose from: a power of two, up to 32,768.
    pub buffers: u16,
    /// How many buffers are kept when they are not in use.
    pub keep: usize,
    /// How many bytes of output a connection takes before `write` would block.
    pub output: usize,
}

impl Default for Options {
    /// 1,024 and 8,192 places, single receives, multishot accepts, sends with a copy, buffers of 16 KiB, of which 1,024
    /// are kept, 256 to choose from, 64 KiB of output.
    fn default() -> Self {
        Self {
            entries: 1024,
            completions: 8192,
            receive: Shots::Single,
            accept: Shots::Multishot,
            zero_copy: None,
            buffer_size: 16 * 1024,
            buffers: 256,
            keep: 1024,
            output: 64 * 1024,
        }
    }
}

/// What happened at the ring, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Counts {
    /// Times that the loop waited.
    pub waits: u64,
    /// Submissions.
    pub submitted: u64,
    /// Completions.
    pub completed: u64,
    /// Completions of something that was over. They change nothing.
    pub stale: u64,
    /// Times that the submission queue was full.
    pub full: u64,
    /// Times that the completion queue had overflown.
    pub overflows: u64,
    /// Multishot receives that found no buffer.
    pub no_buffers: u64,
    /// Requests to cancel that found nothing, or something that was about to complete.
    pub lost_cancels: u64,
    /// Zero-copy sends whose memory is free again.
    pub notifications: u64,
    /// Connections that were severed, so that the memory of a zero-copy send came back.
    pub severed: u64,
    /// Buffers that are in use: by the kernel, with bytes that nobody has taken, or by the application, which has them from
    /// [`Io::received`](crate::Io::received). One of the application's own that has been sent, and is as large as these,
    /// is taken for one of them.
    pub buffers: u64,
}

/// What is left of a driver that was taken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it says whether something was leaked"]
pub struct Leftover {
    /// What came in and went out.
    pub audit: Audit,
    /// Connections, accepts and watches of which something was still owed when the time was over. If there are any, their
    /// descriptors and buffers are leaked: the kernel may still use them.
    pub leaked: usize,
}
