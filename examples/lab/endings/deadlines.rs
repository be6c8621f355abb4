//! Somebody waits too long. One limit in each ending is short; the others do not pass.

use std::time::Duration;

use hangup::{Cause, DrainEnd, Plan, Policy, Timeout};

use crate::ending::{Ending, Group, System};
use crate::peer::Act;
use crate::stage::{Buffers, PATIENT, Stage, Trouble};

const SHORT: Duration = Duration::from_millis(80);

pub(super) const GROUP: Group = Group {
    title: "Time",
    endings: &[
        Ending::new(
            "idle",
            "nothing moves; we take leave in order, and the peer finishes",
            Cause::TimedOut(Timeout::Idle),
            idle,
        )
        .policy(Policy { idle: Some(SHORT), ..PATIENT })
        .plan(Plan::Linger)
        .drain(DrainEnd::PeerFinished),
        Ending::new("stall", "the peer takes no output", Cause::TimedOut(Timeout::Stall), stall)
            .policy(Policy { stall: SHORT, ..PATIENT })
            .plan(Plan::Abort),
        Ending::new(
            "half-closed",
            "we have finished, and the peer neither answers nor finishes",
            Cause::TimedOut(Timeout::HalfClosed),
            half_closed,
        )
        .policy(Policy { half_closed: SHORT, ..PATIENT })
        .plan(Plan::Finish),
        Ending::new(
            "half-closed-by-peer",
            "the peer has finished, and our application forgets to",
            Cause::TimedOut(Timeout::HalfClosed),
            half_closed_by_peer,
        )
        .policy(Policy { half_closed: SHORT, ..PATIENT })
        .plan(Plan::Abort),
        Ending::new("drain-total", "we linger, and the peer goes on and on", Cause::LocalClose, drain_total)
            .policy(Policy { drain_total: Duration::from_millis(120), ..PATIENT })
            .plan(Plan::Linger)
            .drain(DrainEnd::TotalDeadline),
        Ending::new("drain-idle", "we linger, and the peer stays silent", Cause::LocalClose, linger)
            .policy(Policy { drain_idle: SHORT, ..PATIENT })
            .plan(Plan::Linger)
            .drain(DrainEnd::IdleDeadline),
        Ending::new(
            "drain-stalled",
            "we flush, and the peer takes no output",
            Cause::LocalClose,
            drain_stalled,
        )
        .policy(Policy { stall: SHORT, ..PATIENT })
        .plan(Plan::Abort)
        .drain(DrainEnd::Stalled),
        Ending::new(
            "transport-timeout",
            "the stack itself gives up: a closed window, and a user timeout on the socket",
            Cause::TimedOut(Timeout::Transport),
            transport_timeout,
        )
        .only_on(&[System::Linux]),
    ],
};

fn idle(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.turn_until("our FIN", |stage| stage.we_have_finished() || stage.has_ended())?;
    stage.peer(Act::ReadToEnd)?;
    stage.peer(Act::Close)?;
    stage.turn_until_ended()
}

fn stall(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Small)?;
    stage.write(512 * 1024);
    stage.turn_until_ended()
}

fn half_closed(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.write(5);
    stage.close(Plan::Finish);
    stage.turn_until_ended()
}

fn half_closed_by_peer(stage: &mut Stage) -> Result<(), Trouble> {
    stage.habits().on_end = None;
    stage.accept(Buffers::Usual)?;
    stage.peer(Act::Finish)?;
    stage.turn_until_ended()
}

fn drain_total(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.close(Plan::Linger);
    stage.turn_with("the end", &[Act::Pour(16)], Stage::has_ended)
}

fn linger(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Usual)?;
    stage.write(5);
    stage.close(Plan::Linger);
    stage.turn_until_ended()
}

fn drain_stalled(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Small)?;
    stage.write(512 * 1024);
    stage.close(Plan::Flush);
    stage.turn_until_ended()
}

fn transport_timeout(stage: &mut Stage) -> Result<(), Trouble> {
    stage.accept(Buffers::Small)?;
    stage.set_user_timeout(Duration::from_millis(300))?;
    stage.write(512 * 1024);
    stage.turn_until_ended()?;
    stage.peer(Act::ReadToEnd)?;
    stage.check("the peer, alive all the time, is told by a reset", stage.peer_was_reset());
    Ok(())
}
