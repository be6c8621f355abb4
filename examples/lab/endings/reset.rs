//! The peer resets: an RST, and no FIN before it. 10054 on Windows.

use hangup::Cause::{PeerFinished, PeerReset, ResetAfterFin};
use hangup::Certainty::{Certain, Inferred};
use hangup::Plan;
use hangup_polling::os::TcpState;

use hangup_examples::net::Backend;

use crate::ending::{Elsewhere, Ending, Group, PORT, System};
use crate::peer::Act;
use crate::stage::{Buffers, Stage, Trouble};

/// What is true of every reset that is found through an event.
const BY_EVENT: &[Elsewhere] = &[Elsewhere {
    system: System::Wine,
    accepts: &[(PeerReset, Inferred)],
    why: "Wine swallows the reset: calls say 0, and only the event's ABORT tells",
}];

/// What is true of every reset that a receive is the first to meet.
const BY_RECEIVE: &[Elsewhere] = &[Elsewhere {
    system: System::Wine,
    accepts: &[(ResetAfterFin, Certain), (PeerReset, Certain)],
    why: "Wine swallows the reset: the receive says 0, as after a FIN (or 10054)",
}];

/// Where a send says the same for any reset.
const MUTE_SEND: Elsewhere = Elsewhere {
    system: System::Other,
    accepts: &[(PeerReset, Certain), (ResetAfterFin, Inferred)],
    why: "a send says EPIPE there for any reset",
};

/// What is true of a reset that an event announces, and a send may meet first.
const BY_EVENT_OR_SEND: &[Elsewhere] = &[
    Elsewhere {
        system: System::Wine,
        accepts: &[(PeerReset, Certain), (PeerReset, Inferred)],
        why: "Wine tells 10054 to a send; without one, only the event's ABORT tells",
    },
    MUTE_SEND,
];

/// What is true on a port of a reset that is in before the first receive, or the next one, is posted.
const BEFORE_RECEIVE: &[(&[Backend], Elsewhere)] = &[(
    PORT,
    Elsewhere {
        system: System::Wine,
        accepts: &[(PeerFinished, Certain)],
        why: "Wine swallows the reset: a receive that is posted after it says 0, as after a FIN",
    },
)];

pub(super) const GROUP: Group = Group {
    title: "The peer resets",
    endings: &[
        Ending::new(
            "report-1-test-1",
            "the server closes with our first bytes unread; we receive, send, receive",
            PeerReset,
            test_1,
        )
        .elsewhere(BY_RECEIVE),
        Ending::new(
            "report-1-test-2",
            "the server's process is killed with our first bytes unread; the same calls",
            PeerReset,
            test_2,
        )
        .alone()
        .elsewhere(BY_RECEIVE),
        Ending::new("rst-at-once", "the reset is in before we look (linger 0)", PeerReset, at_once)
            .elsewhere(BY_EVENT)
            .completions(BEFORE_RECEIVE),
        Ending::new("rst-while-receiving", "the reset comes while we wait for input", PeerReset, receiving)
            .elsewhere(BY_EVENT),
        Ending::new("rst-unread", "the peer closes and has not read everything", PeerReset, unread)
            .elsewhere(BY_EVENT),
        Ending::new("data-rst", "the peer writes, then resets", PeerReset, data_rst)
            .elsewhere(BY_EVENT)
            .completions(BEFORE_RECEIVE),
        Ending::new("rst-blocked-send", "the reset comes while our send is blocked", PeerReset, blocked_send)
            .elsewhere(BY_EVENT_OR_SEND),
        Ending::new("rst-found-by-send", "a send is the first to meet the reset", PeerReset, found_by_send)
            .elsewhere(&[MUTE_SEND]),
        Ending::new("rst-while-paused", "the reset comes while nobody reads", PeerReset, paused)
            .elsewhere(BY_EVENT),
        Ending::new(
            "rst-after-our-fin",
            "we have finished, and the peer resets instead of finishing",
            PeerReset,
            after_our_fin,
        )
        .plan(Plan::Finish)
        .elsewhere(BY_EVENT),
        Ending::new(
            "killed-unread",
            "the peer's process is killed with our bytes unread",
            PeerReset,
            killed_unread,
        )
        .alone()
        .elsewhere(BY_EVENT),
    ],
};

/// The calls of the report's four tests, once the peer has hung up.
pub(super) fn receive_send_receive(stage: &mut Stage) {
    stage.read(64);
    stage.write(5);
    stage.read(64);
}

fn test_1(stage: &mut Stage) -> Result<(), Trouble> {
    stage.connect()?;
    stage.write(5);
    stage.peer(Act::Accept)?;
    stage.peer(Act::Close)?;
    stage.wait_for(TcpState::Closed)?;
    receive_send_receive(stage);
    stage.turn_until_ended()
}

fn test_2(stage: &mut Stage) -> Result<(), Trouble> {
    stage.connect_to_process()?;
    stage.write(5);
    stage.peer(Act::Accept)?;
    stage.peer(Act::Kill)?;
    stage.wait_for(TcpState::Closed)?;
    receive_send_receive(stage);
    stage.turn_until_ended()
}

fn at_once(stage: &mut Stage) -> Result<(), Trouble> {
    let listener = stage.knock(Buffers::Usual)?;
    let (stream, _) = listener.accept()?;
    stage.peer(Act::Reset)?;
    std::thread::sleep(std::time::Duration::from_millis(20));
    stage.take_in(stream, Buffers::Usual)?;
    stage.turn_until_ended()
}

fn receiving(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Write(5))?;
    stage.turn_until("5 bytes", |stage| stage.has_read(5))?;
    stage.peer(Act::Reset)?;
    stage.turn_until_ended()
}

fn unread(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.write(5);
    stage.peer(Act::Close)?;
    stage.turn_until_ended()
}

fn data_rst(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Write(5))?;
    stage.peer(Act::Reset)?;
    stage.wait_for(TcpState::Closed)?;
    stage.turn_until_ended()?;
    if System::here() != System::Windows {
        let received = stage.received();
        stage.check("what was written before the RST has arrived", received == 5);
    }
    Ok(())
}

fn blocked_send(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Small)?;
    stage.write(512 * 1024);
    stage.turn_until("output is waiting", Stage::has_output)?;
    stage.peer(Act::Reset)?;
    stage.turn_until_ended()
}

fn found_by_send(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Reset)?;
    stage.wait_for(TcpState::Closed)?;
    stage.write(5);
    stage.turn_until_ended()
}

fn paused(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.pause();
    stage.peer(Act::Reset)?;
    if stage.is_blind() {
        // Nothing is reported there while nobody reads.
        stage.wait_for(TcpState::Closed)?;
        stage.resume();
    }
    stage.turn_until("the reset", |stage| stage.has_ended() || stage.has_event())?;
    stage.resume();
    stage.turn_until_ended()
}

fn after_our_fin(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.close(Plan::Finish);
    stage.peer(Act::Reset)?;
    stage.turn_until_ended()
}

fn killed_unread(stage: &mut Stage) -> Result<(), Trouble> {
    stage.connect_to_process()?;
    stage.peer(Act::Accept)?;
    stage.write(5);
    stage.peer(Act::Kill)?;
    stage.turn_until_ended()
}
