//! What a script may ask the stage, and what must hold for an ending to be what it says.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use hangup::{Fault, Life, Memory, Plan, ReceiveHalf, SendHalf};
use hangup_examples::net::Backend;

use crate::application::Habits;
use crate::record::{Kind, Said, Side};
use crate::stage::{Buffers, Stage, Trouble};

impl Stage {
    fn is(&mut self, question: impl FnOnce(Life) -> bool) -> bool {
        self.life().is_some_and(question)
    }

    pub(crate) fn peer_has_finished(&mut self) -> bool {
        self.is(|life| life.receive_half() == ReceiveHalf::Ended)
    }

    pub(crate) fn we_have_finished(&mut self) -> bool {
        self.is(|life| life.send_half() == SendHalf::FinSent)
    }

    pub(crate) fn has_output(&mut self) -> bool {
        self.is(|life| life.send_half().has_output())
    }

    pub(crate) fn is_lingering(&mut self) -> bool {
        self.is(|life| life.plan() == Some(Plan::Linger))
    }

    /// Whether the driver has read and discarded something.
    pub(crate) fn has_discarded(&mut self) -> bool {
        self.record.steps.iter().any(|step| step.kind == Kind::Driver && step.what == "read and discard")
    }

    /// Whether the loop has brought anything of the connection.
    pub(crate) fn has_event(&mut self) -> bool {
        let is_told = self.record.steps.iter().any(|step| step.kind == Kind::Event);
        // Who has paused has no turn.
        is_told || self.is(|life| life.cause().is_some() || life.memory().contains(Memory::HUNG_UP))
    }

    /// Whether nothing is reported once the receive half has ended, or while nobody reads, so that a reset has to be found
    /// by a call.
    pub(crate) fn is_blind(&self) -> bool {
        self.here.backend == Backend::Iocp || !cfg!(any(target_os = "linux", windows))
    }

    /// Whether our application has read so much.
    pub(crate) fn has_read(&mut self, count: u64) -> bool {
        self.record.wire.read_by_us() >= count
    }

    /// What the report says was received.
    pub(crate) fn received(&self) -> u64 {
        self.reports.first().map_or(0, |report| report.received)
    }

    /// What the report says was handed to the OS.
    pub(crate) fn sent(&self) -> u64 {
        self.reports.first().map_or(0, |report| report.sent)
    }

    pub(crate) fn sent_by_peer(&self) -> u64 {
        self.record.wire.sent_by_peer()
    }

    pub(crate) fn peer_cannot_write(&self) -> bool {
        self.peer.cannot_write
    }

    /// Whether the peer's last read found our end of stream.
    pub(crate) fn peer_read_to_end(&self) -> bool {
        self.peer.last_read == Some(Said::EndOfStream)
    }

    /// Whether the peer's last read found an end, of whatever kind.
    pub(crate) fn peer_is_at_end(&self) -> bool {
        self.peer_read_to_end() || self.peer.last_read.as_ref().is_some_and(Said::is_failure)
    }

    /// Whether the peer's last read failed as a read on a connection that we have reset.
    pub(crate) fn peer_was_reset(&self) -> bool {
        match &self.peer.last_read {
            Some(Said::Code(code)) => matches!(code.fault(), Fault::Reset | Fault::Aborted),
            _ => false,
        }
    }

    pub(crate) const fn habits(&mut self) -> &mut Habits {
        &mut self.habits
    }

    pub(crate) fn check(&mut self, what: impl Into<String>, holds: bool) {
        self.checks.push((what.into(), holds));
    }

    /// How much of our output the peer has got, and what its last read said. For the text of a check.
    pub(crate) fn peer_got(&self, of: usize) -> String {
        let end = match &self.peer.last_read {
            Some(Said::EndOfStream) => "and then our end of stream".to_owned(),
            Some(said) if said.is_failure() => format!("and then {said}"),
            _ => "and no end".to_owned(),
        };
        format!("the peer got {} of {of} bytes, {end}", self.peer.received)
    }

    /// Records a call that the script made by itself.
    pub(crate) fn recorded(&mut self, what: &str, said: Said) {
        self.record.push(Side::Us, Kind::Call, what, said, Vec::new());
    }

    /// Another client, which connects, is accepted and closes.
    pub(crate) fn next_client(&mut self, listener: &TcpListener) -> Result<(), Trouble> {
        self.record.wire = crate::wire::Wire::default();
        let client = std::net::TcpStream::connect(listener.local_addr()?)?;
        self.peer = crate::peer::Peer::here(client)?;
        self.record.push(Side::Peer, Kind::Call, "connect (another)", Said::Done, Vec::new());
        listener.set_nonblocking(false)?;
        let (stream, _) = listener.accept()?;
        self.take_in(stream, Buffers::Usual)?;
        self.peer(crate::peer::Act::Close)
    }

    /// How long the stack waits for the peer to take our data.
    pub(crate) fn set_user_timeout(&mut self, timeout: Duration) -> Result<(), Trouble> {
        let Some(key) = self.key else { return Err(io::Error::from(io::ErrorKind::NotConnected).into()) };
        #[cfg(target_os = "linux")]
        {
            let mut set = Err(io::ErrorKind::NotConnected.into());
            self.net.with(key, &mut |io, _| {
                if let Some(stream) = io.stream() {
                    set = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(timeout));
                }
            });
            set?;
        }
        #[cfg(not(target_os = "linux"))]
        let _unused = (key, timeout);
        Ok(())
    }
}
