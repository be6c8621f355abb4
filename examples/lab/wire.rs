//! What goes over the wire, concluded from what both sides did.
//!
//! A capture would need privileges. The lab knows every call of both sides instead, and the rules by which a
//! stack answers them: a close with unread data is a reset, data for a closed socket draws one.

use crate::record::Side;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Syn,
    /// A SYN that nobody answers.
    LostSyn,
    SynAck,
    Data(u64),
    Fin,
    Rst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) from: Side,
    pub(crate) packet: Packet,
}

impl Segment {
    pub(crate) const fn new(from: Side, packet: Packet) -> Self {
        Self { from, packet }
    }

    /// Adds a segment, data to data.
    pub(crate) fn merge(segments: &mut Vec<Self>, more: Self) {
        for segment in segments.iter_mut() {
            if let (Packet::Data(sum), Packet::Data(count)) = (&mut segment.packet, more.packet)
                && segment.from == more.from
            {
                *sum += count;
                return;
            }
        }
        segments.push(more);
    }

    pub(crate) fn label(self) -> String {
        match self.packet {
            Packet::Syn | Packet::LostSyn => "SYN".to_owned(),
            Packet::SynAck => "SYN, ACK".to_owned(),
            Packet::Data(count) => format!("data {count}"),
            Packet::Fin => "FIN".to_owned(),
            Packet::Rst => "RST".to_owned(),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self.packet {
            Packet::Syn => "syn",
            Packet::LostSyn => "lost-syn",
            Packet::SynAck => "syn-ack",
            Packet::Data(_) => "data",
            Packet::Fin => "fin",
            Packet::Rst => "rst",
        }
    }
}

/// One end, as far as its stack's answers depend on it.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    sent: u64,
    read: u64,
    finished: bool,
    closed: bool,
}

/// Both ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wire {
    peer: End,
    us: End,
    /// A reset has gone one way or the other: nothing follows.
    dead: bool,
}

impl Wire {
    const fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Peer => &mut self.peer,
            Side::Us => &mut self.us,
        }
    }

    pub(crate) const fn read_by_us(&self) -> u64 {
        self.us.read
    }

    pub(crate) const fn sent_by_peer(&self) -> u64 {
        self.peer.sent
    }

    /// The opening of a connection. One that is refused, or not answered, carries nothing more.
    pub(crate) fn open(&mut self, segments: &[Segment]) {
        let fails = |segment: &Segment| matches!(segment.packet, Packet::LostSyn | Packet::Rst);
        self.dead = segments.iter().any(fails);
    }

    /// A side's stack has given the connection up by itself.
    pub(crate) fn give_up(&mut self, side: Side) -> Vec<Segment> {
        if self.dead || self.peer.finished && self.us.finished {
            return Vec::new();
        }
        self.dead = true;
        vec![Segment::new(side, Packet::Rst)]
    }

    pub(crate) fn send(&mut self, side: Side, count: u64) -> Vec<Segment> {
        self.end(side).sent += count;
        if self.dead || count == 0 {
            return Vec::new();
        }
        let mut segments = vec![Segment::new(side, Packet::Data(count))];
        let other = other(side);
        if self.end(other).closed {
            self.dead = true;
            segments.push(Segment::new(other, Packet::Rst));
        }
        segments
    }

    pub(crate) fn read(&mut self, side: Side, count: u64) {
        self.end(side).read += count;
    }

    /// Says how much a side has read in all.
    pub(crate) fn has_read(&mut self, side: Side, count: u64) {
        self.end(side).read = count;
    }

    pub(crate) fn finish(&mut self, side: Side) -> Vec<Segment> {
        let end = self.end(side);
        let first = !end.finished;
        end.finished = true;
        if first && !self.dead { vec![Segment::new(side, Packet::Fin)] } else { Vec::new() }
    }

    pub(crate) fn close(&mut self, side: Side, reset: bool) -> Vec<Segment> {
        let unread = self.end(other(side)).sent > self.end(side).read;
        let both_finished = self.peer.finished && self.us.finished;
        self.end(side).closed = true;
        if self.dead {
            return Vec::new();
        }
        if (reset && !both_finished) || unread {
            self.dead = true;
            return vec![Segment::new(side, Packet::Rst)];
        }
        self.finish(side)
    }
}

const fn other(side: Side) -> Side {
    match side {
        Side::Peer => Side::Us,
        Side::Us => Side::Peer,
    }
}
