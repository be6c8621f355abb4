//! What the loop brings: events, deadlines, ends. The driver answers them with calls of its own, and the lab
//! concludes from the life before and after which calls those were.

use hangup::{Cause, Deadline, DrainEnd, Inquiry, Life, ReceiveHalf, Report, SendHalf, Timeout};
use hangup_polling::Ended;
use hangup_polling::os::TcpState;
use polling::Event;

use crate::application::{Held, serve};
use crate::record::{Kind, Said, Side};
use crate::stage::Stage;

impl Stage {
    /// One event of the poller, through the driver to the application.
    pub(super) fn on_event(&mut self, event: &Event) {
        self.sample();
        let before = self.life();
        let gave_up = self.record.evidence.is_some_and(|evidence| evidence.state == TcpState::Closed);
        let segments = if gave_up { self.record.wire.give_up(Side::Us) } else { Vec::new() };
        self.record.push(Side::Us, Kind::Event, "event", Said::Text(flags(event)), segments);
        let ended = if self.offer(event, before) {
            None
        } else {
            let ended = self.net.ended();
            let after = self.life();
            let report = ended.as_ref().map(|ended| &ended.report);
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
        let Some(guard) = self.net.guard(event) else { return false };
        let after = guard.io.life();
        for (call, said) in driver_calls(event, before, after, None) {
            self.record.push(Side::Us, Kind::Driver, call, said, Vec::new());
        }
        self.record.follow(after);
        serve(guard, &self.habits, &mut self.record);
        true
    }

    fn driver_called(&mut self, calls: Vec<(&'static str, Said)>) {
        for (call, said) in calls {
            self.record.push(Side::Us, Kind::Driver, call, said, Vec::new());
        }
    }

    /// Looks at the clock, and records the deadline that has passed.
    pub(super) fn tick(&mut self) {
        self.sample();
        let before = self.life();
        self.net.tick();
        let ended = self.net.ended();
        let after = self.life();
        if let Some(before) = before.filter(|_| before != after) {
            let report = ended.as_ref().map(|ended| &ended.report);
            if let Some(deadline) = passed(before, after, report) {
                let what = format!("{deadline} deadline");
                self.record.push(
                    Side::Us,
                    Kind::Deadline,
                    &what,
                    Said::Text("passed".to_owned()),
                    Vec::new(),
                );
            }
        }
        self.sample();
        self.follow();
        self.end(ended);
        self.collect();
    }

    /// Fetches the reports of what has ended.
    pub(super) fn collect(&mut self) {
        while let ended @ Some(_) = self.net.ended() {
            self.end(ended);
        }
    }

    fn end(&mut self, ended: Option<Ended<Held>>) {
        let Some(Ended { report, state, .. }) = ended else { return };
        self.record.follow_report(&report);
        self.record.released(&report);
        self.reports.push(report);
        drop(state);
    }
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
