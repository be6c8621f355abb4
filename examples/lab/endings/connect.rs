//! Connections that do not come about, or end before anybody has used them.

use std::time::Duration;

use hangup::Certainty::{Certain, Inferred};
use hangup::{AcceptJudge, AcceptVerdict, Cause, Moment, Plan, Policy, RawCode, Timeout};

use crate::ending::{Elsewhere, Ending, Group, PORT, System};
use crate::peer::Act;
use crate::record::{Said, Side};
use crate::stage::{Buffers, PATIENT, Stage, Trouble};
use crate::wire::{Packet, Segment};

/// Where the accept itself fails, nobody has to be released; the next client shows that the listener lives.
const ACCEPT_FAILS: &str = "the accept itself fails; shown is the next client, which closes";

pub(super) const GROUP: Group = Group {
    title: "Connect and accept",
    endings: &[
        Ending::new("refused", "we connect to where nobody listens", Cause::Refused, refused),
        Ending::new(
            "connect-timeout",
            "we connect to a listener whose queue is full, and give up",
            Cause::TimedOut(Timeout::Connect),
            connect_timeout,
        )
        .policy(Policy { connect: Duration::from_millis(120), ..PATIENT }),
        Ending::new(
            "connect-then-close",
            "we close before the connect is through",
            Cause::LocalClose,
            connect_then_close,
        )
        .plan(Plan::Flush),
        Ending::new(
            "fin-before-accept",
            "the peer has closed before we accept",
            Cause::PeerFinished,
            fin_before_accept,
        ),
        Ending::new(
            "rst-before-accept",
            "the peer has reset before we accept",
            Cause::PeerReset,
            rst_before_accept,
        )
        .elsewhere(&[
            Elsewhere { system: System::Wine, accepts: &[(Cause::PeerFinished, Certain)], why: ACCEPT_FAILS },
            Elsewhere {
                system: System::Windows,
                accepts: &[(Cause::PeerFinished, Certain), (Cause::PeerReset, Certain)],
                why: ACCEPT_FAILS,
            },
            Elsewhere {
                system: System::Other,
                accepts: &[(Cause::PeerFinished, Certain), (Cause::PeerReset, Inferred)],
                why: ACCEPT_FAILS,
            },
        ])
        .completions(&[
            (
                PORT,
                Elsewhere {
                    system: System::Wine,
                    accepts: &[(Cause::PeerFinished, Certain)],
                    why: ACCEPT_FAILS,
                },
            ),
            (
                PORT,
                Elsewhere {
                    system: System::Windows,
                    accepts: &[(Cause::PeerFinished, Certain), (Cause::PeerReset, Certain)],
                    why: ACCEPT_FAILS,
                },
            ),
        ]),
    ],
};

fn refused(stage: &mut Stage) -> Result<(), Trouble> {
    let nobody = stage.deserted()?;
    let packets = vec![Segment::new(Side::Us, Packet::Syn), Segment::new(Side::Peer, Packet::Rst)];
    stage.begin_connect(nobody, packets)?;
    stage.turn_until_ended()
}

fn connect_timeout(stage: &mut Stage) -> Result<(), Trouble> {
    let crowded = stage.crowded()?;
    stage.begin_connect(crowded, vec![Segment::new(Side::Us, Packet::LostSyn)])?;
    stage.turn_until_ended()
}

fn connect_then_close(stage: &mut Stage) -> Result<(), Trouble> {
    let crowded = stage.crowded()?;
    stage.begin_connect(crowded, vec![Segment::new(Side::Us, Packet::LostSyn)])?;
    stage.close(Plan::Flush);
    stage.turn_until_ended()
}

fn fin_before_accept(stage: &mut Stage) -> Result<(), Trouble> {
    let listener = stage.knock(Buffers::Usual)?;
    stage.peer(Act::Close)?;
    let (stream, _) = listener.accept()?;
    stage.take_in(stream, Buffers::Usual)?;
    stage.turn_until_ended()
}

fn rst_before_accept(stage: &mut Stage) -> Result<(), Trouble> {
    let listener = stage.knock(Buffers::Usual)?;
    stage.peer(Act::Reset)?;
    std::thread::sleep(Duration::from_millis(20));
    listener.set_nonblocking(true)?;
    let error = match listener.accept() {
        Ok((stream, _)) => {
            stage.take_in(stream, Buffers::Usual)?;
            return stage.turn_until_ended();
        }
        Err(error) => error,
    };
    stage.recorded("accept", Said::error(&error));
    let fault = error.raw_os_error().map(|code| RawCode::here(code).fault());
    let verdict = fault.map(|fault| AcceptJudge::default().failed(fault, Moment::EPOCH));
    let goes_on = matches!(verdict, Some(AcceptVerdict::RetryNow | AcceptVerdict::Wait));
    stage.check("the judge lets the listener go on", goes_on);
    stage.next_client(&listener)?;
    stage.turn_until_ended()
}
