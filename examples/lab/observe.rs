//! What the loop brings: events or turns, deadlines, ends. The driver answers events with calls of its own, and the lab
//! concludes from the life before and after which calls those were. What completes is the driver's: the lab sees the
//! turns that the application has because of it, and what became of the life.

use std::time::Duration;

use hangup::{Cause, Deadline, DrainEnd, Inquiry, Key, Life, ReceiveHalf, Report, SendHalf, Timeout};
use hangup_examples::net::Connection;
use hangup_polling::os::{Evidence, TcpState};
use polling::Event;

use crate::application::{Held, serve};
use crate::record::{Kind, Record, Said, Side};
use crate::stage::{Stage, Trouble};
use crate::wire::Segment;

impl Stage {
    /// One event of the poller, through the driver to the application.
    pub(super) fn on_event(&mut self, event: &Event) {
        self.sample();
        let before = self.life();
        let segments = given_up(&mut self.record);
        self.record.push(Side::Us, Kind::Event, "event", Said::Text(flags(event)), segments);
        let ended = if self.offer(event, before) {
            None
        } else {
            let ended = self.net.ended();
            let after = self.life();
            let report = ended.as_ref().map(|(_, _, report)| report);
            self.driver_called(driver_calls(event, before, after, report));
            ended
        };
        self.sample();
        self.follow();
        self.end(ended);
        self.collect();
    }

    /// Lets the driver have the event. Whether there was something to do for the application.
    fn offer(&mut self, event: &Event, before: Option<Life>) -> bool {
        let Self { net, habits, record, .. } = self;
        net.look(&mut |io, state| {
            let after = io.life();
            for (call, said) in driver_calls(event, before, after, None) {
                record.push(Side::Us, Kind::Driver, call, said, Vec::new());
            }
            record.follow(after);
            serve(io, state, habits, record);
        })
    }

    fn driver_called(&mut self, calls: Vec<(&'static str, Said)>) {
        for (call, said) in calls {
            self.record.push(Side::Us, Kind::Driver, call, said, Vec::new());
        }
    }

    /// Looks at the clock.
    pub(super) fn tick(&mut self) -> Result<(), Trouble> {
        if self.here.backend.is_readiness() {
            self.wait(Duration::ZERO)
        } else {
            self.wait_for_completions(Duration::ZERO)
        }
    }

    /// Waits for events, and records the deadline that has passed.
    pub(super) fn wait(&mut self, at_most: Duration) -> Result<(), Trouble> {
        self.sample();
        let before = self.life();
        self.net.wait(Some(at_most))?;
        let ended = self.net.ended();
        let after = self.life();
        if let Some(before) = before.filter(|_| before != after) {
            self.record_deadline(passed(before, after, ended.as_ref().map(|(_, _, report)| report)));
        }
        self.sample();
        self.follow();
        self.end(ended);
        self.collect();
        Ok(())
    }

    /// Waits for what completes, lets the application have its turns, and records them.
    pub(super) fn wait_for_completions(&mut self, at_most: Duration) -> Result<(), Trouble> {
        let before = self.life();
        self.net.wait(Some(at_most))?;
        let steps = self.record.steps.len();
        let Self { net, habits, record, .. } = self;
        // Nothing else is asked of the connection before its turn: a loss is told once.
        while net.next(&mut |io, state| {
            record.we_are(io.stream().and_then(Evidence::of));
            let segments = given_up(record);
            record.push(Side::Us, Kind::Event, "turn", Said::Text(turn(io)), segments);
            record.follow(io.life());
            serve(io, state, habits, record);
        }) {}
        let ended = self.net.ended();
        let after = self.life();
        let report = ended.as_ref().map(|(_, _, report)| report);
        if let Some(before) = before.filter(|&before| by_deadline(before, after, report)) {
            self.record_deadline(passed(before, after, report));
        } else if steps == self.record.steps.len() && before != after {
            // Nobody had a turn: what follows is not due to the step before it.
            self.completed(before, after);
        }
        self.sample();
        self.follow();
        self.end(ended);
        self.collect();
        Ok(())
    }

    /// Records that something has completed, if that has decided anything.
    fn completed(&mut self, before: Option<Life>, after: Option<Life>) {
        let facts = |life: Option<Life>| life.map(|life| (life.cause(), life.plan(), life.drain_end()));
        if facts(before) != facts(after) {
            let said = Said::Text("taken in".to_owned());
            self.record.push(Side::Us, Kind::Event, "completions", said, Vec::new());
        }
    }

    fn record_deadline(&mut self, deadline: Option<Deadline>) {
        if let Some(deadline) = deadline {
            let what = format!("{deadline} deadline");
            let said = Said::Text("passed".to_owned());
            self.record.push(Side::Us, Kind::Deadline, &what, said, Vec::new());
        }
    }

    /// Fetches the reports of what has ended.
    pub(super) fn collect(&mut self) {
        while let ended @ Some(_) = self.net.ended() {
            self.end(ended);
        }
    }

    fn end(&mut self, ended: Option<(Key, Held, Report)>) {
        let Some((_, state, report)) = ended else { return };
        self.record.follow_report(&report);
        self.record.released(&report);
        self.reports.push(report);
        drop(state);
    }
}

/// What it puts on the wire that our stack has given up, if that is what has happened.
fn given_up(record: &mut Record) -> Vec<Segment> {
    let gave_up = record.evidence.is_some_and(|evidence| evidence.state == TcpState::Closed);
    if gave_up { record.wire.give_up(Side::Us) } else { Vec::new() }
}

/// What a turn is for.
fn turn(io: &dyn Connection) -> String {
    let all = [(io.is_readable(), "readable"), (io.is_writable(), "writable")];
    let names: Vec<&str> = all.iter().filter(|(is, _)| *is).map(|&(_, name)| name).collect();
    if names.is_empty() { "something is new".to_owned() } else { names.join(" ") }
}

/// Whether it was a deadline of ours that moved the life, and no completion.
fn by_deadline(before: Life, after: Option<Life>, report: Option<&Report>) -> bool {
    let (cause, drain) = match (after, report) {
        (Some(life), _) => (life.cause(), life.drain_end()),
        (None, report) => (report.map(|report| report.cause), report.and_then(|report| report.drain_end)),
    };
    let ours = |cause| {
        let Some(Cause::TimedOut(timeout)) = cause else { return false };
        !matches!(timeout, Timeout::Transport | Timeout::KeepAlive)
    };
    let drained = matches!(drain, Some(DrainEnd::IdleDeadline | DrainEnd::TotalDeadline | DrainEnd::Stalled));
    before.cause().is_none() && ours(cause) || before.drain_end().is_none() && drained
}

/// An event's flags, in polling's words.
fn flags(event: &Event) -> String {
    let mut flags = Vec::new();
    for (set, name) in [
        (event.readable, "readable"),
        (event.writable, "writable"),
        (event.is_interrupt(), "interrupt"),
        (event.is_err() == Some(true), "error"),
    ] {
        if set {
            flags.push(name);
        }
    }
    if cfg!(windows) {
        // What AFD said is to be had from the text only.
        let text = format!("{event:?}");
        for name in ["DISCONNECT", "ABORT", "CONNECT_FAIL", "LOCAL_CLOSE"] {
            if text.contains(name) {
                flags.push("AFD");
                flags.push(name);
            }
        }
    }
    if flags.is_empty() { "no flag".to_owned() } else { flags.join(" ") }
}

/// The calls that the driver made because of an event, before the application had its turn.
fn driver_calls(
    event: &Event,
    before: Option<Life>,
    after: Option<Life>,
    report: Option<&Report>,
) -> Vec<(&'static str, Said)> {
    let Some(before) = before else { return Vec::new() };
    let alarming = event.is_interrupt() || event.is_err() == Some(true);
    let mut calls = Vec::new();
    if before.phase().is_connecting() {
        calls.push(("SO_ERROR", connected(after)));
    } else if before.phase().is_established() {
        let quiet = before.inquiry() == Inquiry::Quiet && before.send_half() != SendHalf::Failed;
        if alarming && quiet {
            calls.push(("SO_ERROR", if decides(before, after, report) { Said::Decided } else { zero() }));
        }
        let over = calls.iter().any(|(_, said)| *said == Said::Decided);
        if before.receive_half() == ReceiveHalf::Discarding && !over {
            calls.push(("read and discard", Said::Done));
        }
    }
    calls
}

fn connected(after: Option<Life>) -> Said {
    match after {
        None => Said::Decided,
        Some(life) if life.phase().is_connecting() => Said::Text("0, not connected".to_owned()),
        Some(_) => zero(),
    }
}

fn zero() -> Said {
    Said::Text("0".to_owned())
}

/// Whether what the driver was told has decided something.
fn decides(before: Life, after: Option<Life>, report: Option<&Report>) -> bool {
    // What has ended by an orderly end of stream was not decided here.
    let orderly = |end| matches!(end, Some(DrainEnd::PeerFinished));
    match (after, report) {
        (Some(after), _) => before.cause() != after.cause() || after.send_half() == SendHalf::Failed,
        (None, Some(report)) => !orderly(report.drain_end) && report.raw.is_some(),
        (None, None) => true,
    }
}

/// Which deadline moved the life. At most two are armed at a time.
fn passed(before: Life, after: Option<Life>, report: Option<&Report>) -> Option<Deadline> {
    let armed = before.deadlines();
    let (cause, drain) = match (after, report) {
        (Some(life), _) => (life.cause(), life.drain_end()),
        (None, Some(report)) => (Some(report.cause), report.drain_end),
        (None, None) => (None, None),
    };
    let stalled = before.cause().is_none() && cause == Some(Cause::TimedOut(Timeout::Stall));
    let drained = matches!(drain, Some(DrainEnd::IdleDeadline | DrainEnd::Stalled));
    if stalled || before.drain_end().is_none() && drained { armed.half } else { armed.whole }
}
