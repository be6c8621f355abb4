//! A socket, what it has received, and what it is to send.

use std::collections::VecDeque;
use std::net::TcpStream;

use hangup::{Answer, Buffer, Operation, OperationKey, Pool, RawCode};
use socket2::SockAddr;

/// The socket of one connection.
///
/// The stream never leaves this value, and the table gives the value back only when nothing of the connection is with
/// the ring: closing a socket under a parked receive cannot be written down.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// Where the application's state is.
    pub(crate) state: usize,
    /// Whom a connect goes to. In a box, since the kernel reads it.
    pub(crate) peer: Option<Box<SockAddr>>,
    /// The numbers of the operations in flight, in the order of [`Operation::WITH_SLOT`].
    numbers: [u64; 5],
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    /// Whether it is in the list of connections with something to do.
    pub(crate) again: bool,
    /// Whether it is in the list of connections that the queue had no room for.
    pub(crate) unsettled: bool,
    /// Whether a connect has succeeded that the application has not been told of.
    pub(crate) connected: bool,
    /// Whether receives are single from here on: the end is near, and a multishot receive may miss it.
    pub(crate) single: bool,
    /// Whether the next receive is single: there was no buffer to choose.
    pub(crate) single_once: bool,
    /// Whether zero-copy sends do not work here.
    pub(crate) copies: bool,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, state: usize) -> Self {
        Self {
            stream,
            state,
            peer: None,
            numbers: [0; 5],
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            again: false,
            unsettled: false,
            connected: false,
            single: false,
            single_once: false,
            copies: false,
        }
    }

    /// The stream, to be asked and submitted.
    pub(crate) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Remembers an operation by the number that the kernel keeps.
    pub(crate) fn remember(&mut self, operation: &OperationKey) {
        if let Some(at) = place(operation.operation()) {
            if let Some(number) = self.numbers.get_mut(at) {
                *number = operation.user_data();
            }
        }
    }

    /// The number of the operation in flight, or of the last one.
    pub(crate) fn number(&self, operation: Operation) -> u64 {
        place(operation).and_then(|at| self.numbers.get(at)).copied().unwrap_or_default()
    }
}

fn place(operation: Operation) -> Option<usize> {
    Operation::WITH_SLOT.iter().position(|&other| other == operation)
}

/// What has been received and not taken by the application: its receives have not been made yet, as far as the
/// machine is concerned.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    items: VecDeque<Item>,
    bytes: usize,
}

/// One thing that was received.
#[derive(Debug)]
pub(crate) enum Item {
    /// A completion that the table has not been told: bytes in the buffer that was lent, the end, or an error.
    Completed(i32),
    /// Bytes in a buffer that is ours again.
    Bytes(Buffer),
    /// A multishot receive is over that brought the bytes before this, and it has nothing to say about the connection.
    Over(Answer, Option<RawCode>),
}

impl Item {
    /// How many bytes it stands for.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Completed(result) => crate::input::count(*result),
            Self::Bytes(buffer) => buffer.len(),
            Self::Over(..) => 0,
        }
    }
}

impl Inbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many bytes have been received and not taken.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn front(&self) -> Option<&Item> {
        self.items.front()
    }

    pub(crate) fn push(&mut self, item: Item) {
        self.bytes += item.len();
        self.items.push_back(item);
    }

    /// Whether the receive has ended that all of this came from: its last notification is in here.
    pub(crate) fn is_last(&self) -> bool {
        matches!(self.items.back(), Some(Item::Completed(_) | Item::Over(..)))
    }

    /// Puts back what is left of the first.
    pub(crate) fn put_back(&mut self, buffer: Buffer) {
        self.bytes += buffer.len();
        self.items.push_front(Item::Bytes(buffer));
    }

    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes -= item.len();
        Some(item)
    }
}

/// What is to be sent: accepted from the application, and not taken by the kernel.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Buffer>,
    /// Bytes in the queue and in the buffer that is with the kernel.
    bytes: usize,
    /// Output that the application holds, beside all of this.
    pub(crate) held: Held,
    /// What the result of a send was whose buffer is not back.
    sent: usize,
}

/// Output that the application holds and the driver has not taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// How much, at least.
    pub(crate) bytes: usize,
    /// Whether it is what a write left over: there may be more behind it that no write was tried with. Then the output
    /// has an end when a turn does in which the last write took everything. Otherwise the application said how much.
    pub(crate) is_open: bool,
    /// Whether the last write left something over.
    pub(crate) is_blocked: bool,
    /// Whether the application has had a turn since the output was lost.
    pub(crate) is_told: bool,
}

impl Held {
    /// The application said so itself.
    pub(crate) fn exactly(bytes: usize) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// Whether the application said itself how much it holds.
    pub(crate) const fn is_exact(self) -> bool {
        self.bytes > 0 && !self.is_open
    }
}

impl Outbox {
    /// Whether there is something to submit.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many bytes are to be sent.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies in so many bytes.
    pub(crate) fn append(&mut self, mut bytes: &[u8], pool: &mut Pool) {
        self.bytes += bytes.len();
        while !bytes.is_empty() {
            if self.queue.back().is_none_or(|last| last.room() == 0) {
                self.queue.push_back(pool.take());
            }
            let Some(last) = self.queue.back_mut() else { return };
            let count = last.append(bytes);
            bytes = bytes.get(count..).unwrap_or_default();
        }
    }

    /// Takes in a buffer as it is.
    pub(crate) fn push(&mut self, buffer: Buffer) {
        self.bytes += buffer.len();
        self.queue.push_back(buffer);
    }

    /// The buffer to submit next.
    pub(crate) fn pop(&mut self) -> Option<Buffer> {
        self.queue.pop_front()
    }

    /// The kernel has taken so many bytes of the buffer that it has.
    pub(crate) fn sent(&mut self, count: usize) {
        self.sent += count;
        self.bytes = self.bytes.saturating_sub(count);
    }

    /// The buffer is back. It is returned if all of it was sent.
    pub(crate) fn back(&mut self, mut buffer: Buffer) -> Option<Buffer> {
        buffer.consume(std::mem::take(&mut self.sent));
        if buffer.is_empty() {
            return Some(buffer);
        }
        self.queue.push_front(buffer);
        None
    }
}
