//! We end: in order, in a hurry, or with a reason of our own.

use hangup::{Blame, Cause, DrainEnd, Plan};
use hangup_polling::os::TcpState;

use crate::ending::{Elsewhere, Ending, Group, PORT, System};
use crate::peer::Act;
use crate::record::Said;
use crate::stage::{Buffers, Stage, Trouble};

/// What is true of a reset of ours under Wine, whoever makes it.
const PEER_IS_WINE: Elsewhere = Elsewhere {
    system: System::Wine,
    accepts: &[(Cause::LocalAbort, hangup::Certainty::Certain)],
    why: "the peer, a Wine socket too, is told of the reset by a 0",
};

pub(super) const GROUP: Group = Group {
    title: "We end",
    endings: &[
        Ending::new(
            "half-close",
            "we finish, the peer answers and finishes too",
            Cause::LocalClose,
            half_close,
        )
        .plan(Plan::Finish),
        Ending::new(
            "simultaneous-close",
            "both finish before either FIN has arrived",
            Cause::LocalClose,
            simultaneous,
        )
        .plan(Plan::Finish),
        Ending::new(
            "write-after-finish",
            "we finish; a later write is refused, and the FIN stays the last word",
            Cause::LocalClose,
            write_after_finish,
        ),
        Ending::new("abort", "we abort, and the peer is told by a reset", Cause::LocalAbort, abort)
            .plan(Plan::Abort)
            .elsewhere(&[PEER_IS_WINE])
            .completions(&[(PORT, PEER_IS_WINE)]),
        Ending::new(
            "abort-while-sending",
            "we abort with output waiting",
            Cause::LocalAbort,
            abort_while_sending,
        )
        .plan(Plan::Abort),
        Ending::new(
            "escalation",
            "we flush, then linger, then abort, because the peer does not read",
            Cause::LocalClose,
            escalation,
        )
        .plan(Plan::Abort)
        .drain(DrainEnd::Failed),
        Ending::new(
            "truncated",
            "the peer's FIN comes in the middle of a message, and the application says so",
            Cause::Truncated,
            truncated,
        )
        .plan(Plan::Flush),
        Ending::new("shed", "we give the connection up to make room", Cause::Shed, shed).plan(Plan::Abort),
    ],
};

fn half_close(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.write(5);
    stage.close(Plan::Finish);
    stage.peer(Act::ReadToEnd)?;
    stage.peer(Act::Write(7))?;
    stage.peer(Act::Close)?;
    stage.turn_until_ended()?;
    let received = stage.received();
    stage.check("the answer to our half-close has arrived", received == 7);
    Ok(())
}

/// Our FIN waits in our stack behind data that the peer does not take, so the peer's arrives first, on a connection whose
/// end we have declared.
fn simultaneous(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::SmallPeer)?;
    stage.write(64 * 1024);
    stage.close(Plan::Finish);
    stage.turn_until("our FIN", |stage| stage.we_have_finished() || stage.has_ended())?;
    stage.peer(Act::Finish)?;
    stage.wait_for(TcpState::Closing)?;
    stage.turn_until_ended()?;
    stage.peer(Act::ReadToEnd)?;
    let sent = usize::try_from(stage.sent()).unwrap_or(usize::MAX);
    let whole = stage.peer_read_to_end() && stage.peer.received == stage.sent();
    stage.check(stage.peer_got(sent), whole);
    Ok(())
}

fn write_after_finish(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.write(5);
    stage.close(Plan::Finish);
    let said = stage.write_refused();
    stage.check("the write is refused at once", said == Said::Kind(std::io::ErrorKind::BrokenPipe));
    stage.peer(Act::ReadToEnd)?;
    let intact = stage.peer.received == 5 && stage.peer_read_to_end();
    stage.check(stage.peer_got(5), intact);
    stage.peer(Act::Close)?;
    stage.turn_until_ended()
}

fn abort(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.close(Plan::Abort);
    stage.peer(Act::Read(1))?;
    if System::here() != System::Wine {
        stage.check("the peer is told by a reset", stage.peer_was_reset());
    }
    Ok(())
}

fn abort_while_sending(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Small)?;
    stage.write(512 * 1024);
    stage.close(Plan::Abort);
    stage.peer(Act::ReadToEnd)
}

fn escalation(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Small)?;
    stage.write(512 * 1024);
    stage.close(Plan::Flush);
    stage.close(Plan::Linger);
    stage.close(Plan::Flush);
    stage.close(Plan::Abort);
    stage.turn_until_ended()
}

fn truncated(stage: &mut Stage) -> Result<(), Trouble> {
    stage.habits().on_end = None;
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Write(5))?;
    stage.peer(Act::Close)?;
    stage.turn_until("the peer's FIN", Stage::peer_has_finished)?;
    stage.blame(Blame::Truncated);
    stage.close(Plan::Flush);
    stage.turn_until_ended()
}

fn shed(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.blame(Blame::Shed);
    stage.close(Plan::Abort);
    stage.turn_until_ended()
}
