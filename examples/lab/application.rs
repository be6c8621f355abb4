//! Our side: an application that reads what comes and writes what it has, through the driver's guard, and the
//! record of what each call said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hangup::{Blame, Plan, ReceiveHalf};
use hangup_examples::net::Connection;
use hangup_polling::os::Evidence;

use crate::record::{Kind, Record, Said, Side};
use crate::stage::Stage;

/// The application's state of a connection: what it still has to write. Its drop is counted.
#[derive(Debug)]
pub(crate) struct Held {
    unwritten: usize,
    drops: Arc<AtomicU32>,
}

impl Held {
    pub(crate) const fn new(drops: Arc<AtomicU32>) -> Self {
        Self { unwritten: 0, drops }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the application does by itself when the guard comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// How it takes leave when the peer has finished.
    pub(crate) on_end: Option<Plan>,
}

impl Default for Habits {
    fn default() -> Self {
        Self { on_end: Some(Plan::Flush) }
    }
}

/// The most that one call reads or writes.
const PIECE: usize = 64 * 1024;

/// What a connection does when there is something to do.
pub(crate) fn serve(io: &mut dyn Connection, state: &mut Held, habits: &Habits, record: &mut Record) {
    if io.is_writable() {
        write_out(io, state, record);
    }
    if io.is_readable() {
        // "Would block" at the end of it is no news.
        while let Said::Bytes(_) = read(io, PIECE, record, false) {}
        let ended = io.life().is_some_and(|life| life.receive_half() == ReceiveHalf::Ended);
        if let (true, Some(plan)) = (ended, habits.on_end) {
            io.close(plan);
            note(record, io, &format!("close({plan})"), Said::Done);
        }
    }
}

fn read(io: &mut dyn Connection, count: usize, record: &mut Record, always: bool) -> Said {
    let said = Said::counted(&io.read(&mut vec![0; count]), true);
    if let Said::Bytes(count) = said {
        record.wire.read(Side::Us, count);
    }
    if always || said != Said::WouldBlock {
        note(record, io, "read", said.clone());
    }
    said
}

/// Writes until there is nothing left or it would block, and says how much is left.
fn write_out(io: &mut dyn Connection, state: &mut Held, record: &mut Record) {
    let piece = [b'u'; PIECE];
    while state.unwritten > 0 {
        let bytes = piece.get(..state.unwritten).unwrap_or(&piece);
        let result = io.write(bytes);
        let said = Said::counted(&result, false);
        let count = result.unwrap_or(0);
        state.unwritten -= count;
        let segments = record.wire.send(Side::Us, count as u64);
        record.we_are(io.stream().and_then(Evidence::of));
        record.push(Side::Us, Kind::Call, "write", said.clone(), segments);
        record.follow(io.life());
        if !matches!(said, Said::Bytes(_)) {
            break;
        }
    }
    // If our half is lost, nobody wants to know.
    drop(io.output(state.unwritten));
}

/// Records a call of ours, and what it changed.
fn note(record: &mut Record, io: &dyn Connection, what: &str, said: Said) {
    record.we_are(io.stream().and_then(Evidence::of));
    record.push(Side::Us, Kind::Call, what, said, Vec::new());
    record.follow(io.life());
}

impl Stage {
    // -- Our calls, made by the script --------------------------------------------------------------

    /// One read, without an event.
    pub(crate) fn read(&mut self, count: usize) -> Said {
        self.call("read", |io, _, record| read(io, count, record, true))
    }

    /// Writes so much, as far as it goes.
    pub(crate) fn write(&mut self, count: usize) {
        self.call("write", |io, state, record| {
            state.unwritten += count;
            write_out(io, state, record);
            Said::Done
        });
    }

    /// One write that is refused, as it should be.
    pub(crate) fn write_refused(&mut self) -> Said {
        self.call("write", |io, _, record| {
            let said = Said::counted(&io.write(b"too late"), false);
            note(record, io, "write", said.clone());
            said
        })
    }

    pub(crate) fn close(&mut self, plan: Plan) {
        self.command(&format!("close({plan})"), |io| io.close(plan));
    }

    pub(crate) fn pause(&mut self) {
        self.command("pause", |io| io.pause());
    }

    pub(crate) fn resume(&mut self) {
        self.command("resume", |io| io.resume());
    }

    pub(crate) fn blame(&mut self, blame: Blame) {
        self.command(&format!("blame({blame:?})"), |io| io.blame(blame));
    }

    fn command(&mut self, what: &str, command: impl FnOnce(&mut dyn Connection)) {
        self.call(what, |io, _, record| {
            command(io);
            note(record, io, what, Said::Done);
            Said::Done
        });
    }

    /// A call on the connection, or the refusal of its key.
    fn call(
        &mut self,
        what: &str,
        call: impl FnOnce(&mut dyn Connection, &mut Held, &mut Record) -> Said,
    ) -> Said {
        self.hand_over();
        self.record.peer_is(self.peer.state());
        let Some(key) = self.key else { return Said::Text("no connection".to_owned()) };
        let (mut call, mut said) = (Some(call), None);
        // What follows from the call is performed at the end of this.
        self.net.with(key, &mut |io, state| {
            said = call.take().map(|call| call(io, state, &mut self.record));
        });
        let said = said.unwrap_or_else(|| {
            let said = Said::Text("refused (stale key)".to_owned());
            self.record.push(Side::Us, Kind::Call, what, said.clone(), Vec::new());
            said
        });
        self.hand_over();
        self.sample();
        self.follow();
        self.collect();
        said
    }
}
