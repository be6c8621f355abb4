//! The peer finishes, and then resets because we wrote. 10053 on Windows, and nowhere else: the order of facts
//! tells it on every system.

use hangup::Cause::{LocalStackAborted, PeerReset, ResetAfterFin};
use hangup::Certainty::{Certain, Inferred};
use hangup::Plan;
use hangup_polling::os::TcpState;

use crate::ending::{Elsewhere, Ending, Group, System};
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

pub(super) const GROUP: Group = Group {
    title: "The peer finishes, then resets",
    endings: &[
        Ending::new(
            "report-1-test-3",
            "the server closes at once; we sleep, send, receive, send, receive",
            ResetAfterFin,
            test_3,
        )
        .elsewhere(UNREAD_FIN),
        Ending::new(
            "report-1-test-4",
            "the server's process exits at once; the same calls",
            ResetAfterFin,
            test_4,
        )
        .alone()
        .elsewhere(UNREAD_FIN),
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
            ]),
    ],
};

/// Whether nothing is reported once the receive half has ended, so that a reset has to be found by a send.
const IS_BLIND: bool = !cfg!(any(target_os = "linux", windows));

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
    if IS_BLIND {
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
    if IS_BLIND {
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
