//! The peer finishes, and then resets because we wrote. 10053 on Windows, and nowhere else: the order of facts
//! tells it on every system.

use hangup::Cause::{LocalStackAborted, PeerFinished, PeerReset, ResetAfterFin};
use hangup::Certainty::{Certain, Inferred};
use hangup::Plan;
use hangup_polling::os::TcpState;

use hangup_examples::net::Backend;

use crate::ending::{Elsewhere, Ending, Group, PORT, RING, System};
use crate::peer::Act;
use crate::stage::{Buffers, Stage, Trouble};

/// What is true where the FIN has been read, and the event of the reset comes later.
const BY_EVENT: &[Elsewhere] = &[Elsewhere {
    system: System::Wine,
    accepts: &[(ResetAfterFin, Inferred)],
    why: "Wine swallows the reset: the event's ABORT after the FIN tells, no call does",
}];

/// What is true where nobody has read the FIN when the reset arrives.
const UNREAD_FIN: &[Elsewhere] = &[
    Elsewhere {
        system: System::Windows,
        accepts: &[(ResetAfterFin, Certain), (LocalStackAborted, Inferred)],
        why: "10053 with no end of stream read before it may be a timeout, too",
    },
    Elsewhere {
        system: System::Other,
        accepts: &[(PeerReset, Certain), (ResetAfterFin, Certain)],
        why: "the receive says ECONNRESET there, with or without a FIN before it",
    },
];

/// The same on a ring, where the receive has come back with the FIN and the application has not taken it.
const UNREAD_ON_RING: &[(&[Backend], Elsewhere)] = &[(
    RING,
    Elsewhere {
        system: System::Linux,
        accepts: &[(ResetAfterFin, Inferred)],
        why: "EPIPE is known before the application has taken the end of the stream that would prove the FIN",
    },
)];

pub(super) const GROUP: Group = Group {
    title: "The peer finishes, then resets",
    endings: &[
        Ending::new(
            "report-1-test-3",
            "the server closes at once; we sleep, send, receive, send, receive",
            ResetAfterFin,
            test_3,
        )
        .elsewhere(UNREAD_FIN)
        .completions(UNREAD_ON_RING),
        Ending::new(
            "report-1-test-4",
            "the server's process exits at once; the same calls",
            ResetAfterFin,
            test_4,
        )
        .alone()
        .elsewhere(UNREAD_FIN)
        .completions(UNREAD_ON_RING),
        Ending::new(
            "fin-rst",
            "we have read the FIN, write all the same, and the event of the reset comes",
            ResetAfterFin,
            fin_rst,
        )
        .elsewhere(BY_EVENT),
        Ending::new(
            "fin-rst-unasked",
            "the peer shuts down its half, then resets, and we have written nothing",
            ResetAfterFin,
            unasked,
        )
        .elsewhere(BY_EVENT),
        Ending::new("data-fin-rst", "data, FIN and RST are all in before we look", ResetAfterFin, all_unread)
            .inferred()
            .elsewhere(&[
                Elsewhere {
                    system: System::Wine,
                    accepts: &[(PeerReset, Inferred)],
                    why: "the event shows ABORT alone: the FIN before it cannot be seen any more",
                },
                Elsewhere {
                    system: System::Windows,
                    accepts: &[(PeerReset, Inferred), (ResetAfterFin, Inferred), (PeerReset, Certain)],
                    why: "whether 10053 or 10054 is said when both are in is not documented",
                },
                Elsewhere {
                    system: System::Other,
                    accepts: &[(PeerReset, Certain), (ResetAfterFin, Inferred)],
                    why: "the stack says ECONNRESET in both cases, and polling does not pass EV_EOF on",
                },
            ])
            .completions(&[
                (
                    PORT,
                    Elsewhere {
                        system: System::Wine,
                        accepts: &[(PeerFinished, Certain)],
                        why: "Wine swallows the reset: the receive that is posted after it says 0, and nothing else asks",
                    },
                ),
                (
                    PORT,
                    Elsewhere {
                        system: System::Windows,
                        accepts: &[(PeerReset, Certain), (ResetAfterFin, Inferred), (LocalStackAborted, Inferred)],
                        why: "whether 10053 or 10054 is said when both are in is not documented",
                    },
                ),
            ]),
    ],
};

/// Sleep, send, receive, send, receive.
fn send_receive_twice(stage: &mut Stage) -> Result<(), Trouble> {
    stage.wait_for(TcpState::CloseWait)?;
    stage.write(5);
    stage.wait_for(TcpState::Closed)?;
    super::reset::receive_send_receive(stage);
    stage.turn_until_ended()
}

fn test_3(stage: &mut Stage) -> Result<(), Trouble> {
    stage.connect()?;
    stage.peer(Act::Accept)?;
    stage.peer(Act::Close)?;
    send_receive_twice(stage)
}

fn test_4(stage: &mut Stage) -> Result<(), Trouble> {
    stage.connect_to_process()?;
    stage.peer(Act::Accept)?;
    stage.peer(Act::Exit)?;
    send_receive_twice(stage)
}

fn fin_rst(stage: &mut Stage) -> Result<(), Trouble> {
    stage.habits().on_end = None;
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Close)?;
    stage.turn_until("the peer's FIN", Stage::peer_has_finished)?;
    stage.write(5);
    if stage.is_blind() {
        stage.wait_for(TcpState::Closed)?;
        stage.write(5);
    }
    stage.turn_until_ended()
}

fn unasked(stage: &mut Stage) -> Result<(), Trouble> {
    stage.habits().on_end = None;
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Finish)?;
    stage.turn_until("the peer's FIN", Stage::peer_has_finished)?;
    stage.peer(Act::Reset)?;
    if stage.is_blind() {
        stage.wait_for(TcpState::Closed)?;
        stage.write(5);
    }
    stage.turn_until_ended()
}

fn all_unread(stage: &mut Stage) -> Result<(), Trouble> {
    stage.habits().on_end = Some(Plan::Flush);
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Write(5))?;
    stage.peer(Act::Finish)?;
    stage.wait_for(TcpState::CloseWait)?;
    stage.peer(Act::Reset)?;
    stage.wait_for(TcpState::Closed)?;
    stage.turn_until_ended()
}
