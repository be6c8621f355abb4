//! The peer finishes: its FIN, and nothing else.

use hangup::Certainty::Certain;
use hangup::{Cause, OnPeerFinish, Plan, Policy};
use hangup_polling::os::TcpState;

use crate::ending::{Elsewhere, Ending, Group, PORT, System};
use crate::peer::Act;
use crate::stage::{Buffers, PATIENT, Stage, Trouble};

/// What is true on Windows itself, whoever tells of it.
const TERMINATED: Elsewhere = Elsewhere {
    system: System::Windows,
    accepts: &[(Cause::PeerFinished, Certain), (Cause::PeerReset, Certain)],
    why: "what Windows sends for a process that is terminated has not been measured",
};

pub(super) const GROUP: Group = Group {
    title: "The peer finishes",
    endings: &[
        Ending::new("fin", "the peer closes", Cause::PeerFinished, fin).plan(Plan::Flush),
        Ending::new("data-fin", "the peer writes, then closes", Cause::PeerFinished, data_fin),
        Ending::new(
            "peer-half-closes",
            "the peer shuts down its half, we answer, then we finish too",
            Cause::PeerFinished,
            peer_half_closes,
        )
        .plan(Plan::Finish),
        Ending::new(
            "finish-too",
            "the peer closes; by policy our half follows by itself",
            Cause::PeerFinished,
            finish_too,
        )
        .policy(Policy { on_peer_finish: OnPeerFinish::FinishToo, ..PATIENT })
        .plan(Plan::Finish),
        Ending::new(
            "fin-blocked-send",
            "the peer shuts down its half while our send is blocked, then reads everything",
            Cause::PeerFinished,
            fin_blocked_send,
        ),
        Ending::new(
            "killed-idle",
            "the peer's process is killed and had read everything: that is a FIN",
            Cause::PeerFinished,
            killed_idle,
        )
        .alone()
        .elsewhere(&[TERMINATED])
        .completions(&[(PORT, TERMINATED)]),
    ],
};

fn fin(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Close)?;
    stage.turn_until_ended()
}

fn data_fin(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Write(5))?;
    stage.peer(Act::Close)?;
    stage.turn_until_ended()?;
    let received = stage.received();
    stage.check("what was written before the FIN has arrived", received == 5);
    Ok(())
}

fn peer_half_closes(stage: &mut Stage) -> Result<(), Trouble> {
    stage.habits().on_end = None;
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Write(7))?;
    stage.peer(Act::Finish)?;
    stage.turn_until("the peer's FIN", Stage::peer_has_finished)?;
    stage.write(11);
    stage.close(Plan::Finish);
    stage.turn_until_ended()?;
    stage.peer(Act::ReadToEnd)?;
    let answered = stage.peer.received == 11;
    stage.check("the peer has read the answer after its own FIN", answered);
    Ok(())
}

fn finish_too(stage: &mut Stage) -> Result<(), Trouble> {
    stage.habits().on_end = None;
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Close)?;
    stage.turn_until_ended()
}

fn fin_blocked_send(stage: &mut Stage) -> Result<(), Trouble> {
    const ANSWER: usize = 512 * 1024;
    stage.accept(Buffers::Small)?;
    stage.write(ANSWER);
    stage.peer(Act::Finish)?;
    stage.turn_until("the peer's FIN", |stage| stage.peer_has_finished() || stage.has_ended())?;
    stage.turn_with("all is written", &[Act::Sip(32 * 1024)], Stage::has_ended)?;
    stage.peer(Act::ReadToEnd)?;
    let whole = stage.peer.received == ANSWER as u64 && stage.peer_read_to_end();
    stage.check(stage.peer_got(ANSWER), whole);
    Ok(())
}

fn killed_idle(stage: &mut Stage) -> Result<(), Trouble> {
    stage.connect_to_process()?;
    stage.peer(Act::Accept)?;
    stage.write(5);
    stage.peer(Act::Read(5))?;
    stage.peer(Act::Kill)?;
    stage.wait_for(TcpState::CloseWait)?;
    stage.turn_until_ended()
}
