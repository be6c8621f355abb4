//! Closing plans at work: the last output arrives although the peer is slow, or still talking.

use hangup::{Blame, Cause, DrainEnd, Plan, Policy};

use crate::ending::{Ending, Group};
use crate::peer::Act;
use crate::stage::{Buffers, PATIENT, Stage, Trouble};

pub(super) const GROUP: Group = Group {
    title: "Closing plans",
    endings: &[
        Ending::new(
            "flush-slow-reader",
            "we flush half a megabyte to a slow reader",
            Cause::LocalClose,
            flush,
        )
        .plan(Plan::Flush)
        .drain(DrainEnd::PeerFinished),
        Ending::new(
            "flush-meets-data",
            "we flush, and the peer had something left to say: it becomes a linger",
            Cause::LocalClose,
            flush_meets_data,
        )
        .plan(Plan::Linger)
        .drain(DrainEnd::PeerFinished),
        Ending::new(
            "early-answer-linger",
            "report 0: we answer in the middle of a large POST and linger",
            Cause::Protocol,
            early_answer_linger,
        )
        .plan(Plan::Linger)
        .drain(DrainEnd::PeerFinished),
        Ending::new(
            "early-answer-abort",
            "report 0: the same, aborted: what the client sees then",
            Cause::Protocol,
            early_answer_abort,
        )
        .plan(Plan::Abort),
        Ending::new(
            "drain-lost",
            "we linger, and the peer resets while we drain",
            Cause::LocalClose,
            drain_lost,
        )
        .plan(Plan::Linger)
        .drain(DrainEnd::Failed),
        Ending::new(
            "drain-budget",
            "we linger, and the peer writes more than we care to discard",
            Cause::LocalClose,
            drain_budget,
        )
        .policy(Policy { drain_budget: 64 * 1024, ..PATIENT })
        .plan(Plan::Linger)
        .drain(DrainEnd::Budget),
    ],
};

fn flush(stage: &mut Stage) -> Result<(), Trouble> {
    const ANSWER: usize = 512 * 1024;
    stage.accept(Buffers::Small)?;
    stage.write(ANSWER);
    stage.close(Plan::Flush);
    stage.turn_with("the peer has read all", &[Act::Sip(16 * 1024)], |stage| {
        stage.peer.received == ANSWER as u64 || stage.has_ended()
    })?;
    stage.peer(Act::ReadToEnd)?;
    let whole = stage.peer.received == ANSWER as u64 && stage.peer_read_to_end();
    stage.check(stage.peer_got(ANSWER), whole);
    stage.peer(Act::Close)?;
    stage.turn_until_ended()
}

fn flush_meets_data(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Write(5))?;
    stage.write(11);
    stage.close(Plan::Flush);
    stage.turn_until("the peer's data", |stage| stage.is_lingering() || stage.has_ended())?;
    stage.peer(Act::ReadToEnd)?;
    stage.peer(Act::Close)?;
    stage.turn_until_ended()?;
    let whole = stage.peer.received == 11 && stage.peer_read_to_end();
    stage.check(stage.peer_got(11), whole);
    Ok(())
}

/// How much the client posts, how much of it the server reads, and how long the answer is.
const REQUEST: u64 = 2 * 1024 * 1024;
const HEAD: usize = 512;
const ANSWER: usize = 64 * 1024;

/// A client that posts much and reads later, and a server that has seen enough after the head.
fn early_answer(stage: &mut Stage, plan: Plan) -> Result<(), Trouble> {
    stage.accept(Buffers::Small)?;
    stage.peer(Act::Pour(16 * 1024))?;
    stage.read(HEAD);
    stage.blame(Blame::Protocol);
    stage.write(ANSWER);
    stage.close(plan);
    stage.turn_with("the client has posted all, or cannot go on", &[Act::Pour(64 * 1024)], |stage| {
        stage.sent_by_peer() >= REQUEST || stage.peer_cannot_write()
    })?;
    stage.turn_with("the client has read the answer", &[Act::Sip(64 * 1024)], |stage| {
        stage.peer.received >= ANSWER as u64 || stage.peer_is_at_end()
    })?;
    Ok(())
}

fn early_answer_linger(stage: &mut Stage) -> Result<(), Trouble> {
    early_answer(stage, Plan::Linger)?;
    stage.peer(Act::ReadToEnd)?;
    let whole = stage.peer.received == ANSWER as u64 && stage.peer_read_to_end();
    stage.check(stage.peer_got(ANSWER), whole);
    stage.peer(Act::Close)?;
    stage.turn_until_ended()
}

fn early_answer_abort(stage: &mut Stage) -> Result<(), Trouble> {
    early_answer(stage, Plan::Abort)?;
    let lost = stage.peer.received < ANSWER as u64;
    stage.check(stage.peer_got(ANSWER), lost);
    Ok(())
}

fn drain_lost(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.write(5);
    stage.close(Plan::Linger);
    stage.peer(Act::Write(5))?;
    stage.turn_until_discarded()?;
    stage.peer(Act::Reset)?;
    stage.turn_until_ended()
}

fn drain_budget(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.close(Plan::Linger);
    stage.turn_with("the end", &[Act::Pour(32 * 1024)], Stage::has_ended)
}
