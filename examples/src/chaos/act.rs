//! The ways of a client to end, and what a server may say about each.

use std::time::Duration;

use fastrand::Rng;
use hangup::{Cause, Timeout};

use super::script::{Check, Reading, Script, Step, Talk, Until};

/// What a client does to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Echo: sends while it reads, half-closes, reads to the end, and wants every byte.
    EchoAll,
    /// Echo: sends, reads everything, closes.
    EchoClose,
    /// Echo: sends, half-closes, and only then reads to the end.
    EchoHalfClose,
    /// Echo: reads slowly, so that the server has to stop reading.
    EchoSlowly,
    /// Echo: never reads, so that the server has to stop reading, and resets.
    EchoStopReading,
    /// Echo: closes with the echo unread, which resets.
    EchoCloseUnread,
    /// Echo: closes while its bytes are on their way: a FIN, and a reset when the echo comes.
    EchoCloseInFlight,
    /// HTTP: some requests, one after the other, and a close.
    Get,
    /// HTTP: all requests at once, and a half-close.
    GetPipelined,
    /// HTTP: asks the server to close.
    GetLast,
    /// HTTP: asks the server to close, and goes on sending after its FIN.
    GetLastKeepSending,
    /// HTTP: sends garbage.
    Garbage,
    /// HTTP: announces a huge body, and reads the early answer while it sends.
    PostHuge,
    /// HTTP: announces a large body, sends it all, and only then reads the early answer.
    PostWriteFirst,
    /// HTTP: a chunked body that turns out too large.
    PostHugeChunks,
    /// HTTP: half-closes within a body.
    PostTruncated,
    /// HTTP: begins a request, and says no more.
    HeadStalled,
    /// Sends something and resets.
    Reset,
    /// Connects and resets at once.
    ConnectReset,
    /// Says nothing, and closes after a while, or when the server has had enough.
    Idle,
}

/// What the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// It sends everything back.
    Echo,
    /// HTTP.
    Http,
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

impl Act {
    /// What can be done to an echo server.
    pub const ECHO: [Self; 10] = [
        Self::EchoAll,
        Self::EchoClose,
        Self::EchoHalfClose,
        Self::EchoSlowly,
        Self::EchoStopReading,
        Self::EchoCloseUnread,
        Self::EchoCloseInFlight,
        Self::Reset,
        Self::ConnectReset,
        Self::Idle,
    ];

    /// What can be done to a web server.
    pub const HTTP: [Self; 13] = [
        Self::Get,
        Self::GetPipelined,
        Self::GetLast,
        Self::GetLastKeepSending,
        Self::Garbage,
        Self::PostHuge,
        Self::PostWriteFirst,
        Self::PostHugeChunks,
        Self::PostTruncated,
        Self::HeadStalled,
        Self::Reset,
        Self::ConnectReset,
        Self::Idle,
    ];

    /// What can be done to a server that speaks `dialect`.
    #[must_use]
    pub const fn all(dialect: Dialect) -> &'static [Self] {
        match dialect {
            Dialect::Echo => &Self::ECHO,
            Dialect::Http => &Self::HTTP,
        }
    }

    /// The causes that a server may name.
    #[must_use]
    pub const fn causes(self) -> &'static [Cause] {
        // Elsewhere the system may destroy or hide a reset, and then it looks like any end.
        const RESET: &[Cause] = if cfg!(target_os = "linux") {
            &[Cause::PeerReset]
        } else {
            &[Cause::PeerReset, Cause::ResetAfterFin, Cause::PeerFinished, Cause::Truncated]
        };
        match self {
            Self::EchoAll | Self::EchoClose | Self::EchoHalfClose | Self::Get | Self::GetPipelined => {
                &[Cause::PeerFinished]
            }
            Self::EchoStopReading | Self::EchoCloseUnread | Self::Reset | Self::ConnectReset => RESET,
            Self::EchoCloseInFlight => &[Cause::PeerFinished, Cause::PeerReset, Cause::ResetAfterFin],
            Self::GetLast
            | Self::GetLastKeepSending
            | Self::PostHuge
            | Self::PostWriteFirst
            | Self::PostHugeChunks => &[Cause::LocalClose],
            Self::Garbage => &[Cause::Protocol],
            Self::PostTruncated => &[Cause::Truncated],
            Self::HeadStalled => &[Cause::TimedOut(Timeout::Idle)],
            // When the system has taken all of the echo, the server cannot see that it is being read.
            Self::Idle | Self::EchoSlowly => &[Cause::PeerFinished, Cause::TimedOut(Timeout::Idle)],
        }
    }

    pub(super) fn script(self, dialect: Dialect, random: &mut Rng) -> Script {
        let (steps, check) = match self {
            Self::EchoAll => (echo_all(random), Check::Echo),
            Self::EchoClose => (echo_twice(random), Check::Echo),
            Self::EchoHalfClose => (echo_half_close(random), Check::Echo),
            Self::EchoSlowly => (echo_slowly(random), Check::Echo),
            Self::EchoStopReading => (echo_stop_reading(random), Check::Nothing),
            Self::EchoCloseUnread => (echo_close_unread(random), Check::Nothing),
            Self::EchoCloseInFlight => (vec![send_little(random), Step::Close], Check::Nothing),
            Self::Get => get(random),
            Self::GetPipelined => get_pipelined(random),
            Self::GetLast => (vec![Talk::text(GET_LAST, Until::End)], Check::Answers(1, 200)),
            Self::GetLastKeepSending => (get_last_keep_sending(random), Check::Answers(1, 200)),
            Self::Garbage => (garbage(random), Check::Answers(1, 400)),
            Self::PostHuge => (post_huge(random), Check::Answers(1, 413)),
            Self::PostWriteFirst => (post_write_first(), Check::Answers(1, 413)),
            Self::PostHugeChunks => (post_huge_chunks(random), Check::Answers(1, 413)),
            Self::PostTruncated => (post_truncated(random), Check::Answers(0, 0)),
            Self::HeadStalled => {
                (vec![Talk::text("GET / HTTP/1.1\r\nHost:", Until::Sent), Talk::end()], Check::Answers(0, 0))
            }
            Self::Reset => (reset(dialect, random), Check::Nothing),
            Self::ConnectReset => (vec![Step::Reset], Check::Nothing),
            Self::Idle => (vec![Talk::end_within(millis(random, 4500)), Step::Close], Check::Nothing),
        };
        let is_forgiving = matches!(self, Self::GetLastKeepSending | Self::EchoStopReading | Self::Reset);
        let has_small_window = self == Self::EchoStopReading;
        Script { steps, check, is_forgiving, has_small_window }
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_LAST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn post(how_long: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{how_long}\r\n\r\n").into_bytes()
}

fn echo_twice(random: &mut Rng) -> Vec<Step> {
    let mut talk = || {
        let magnitude = random.u32(1..20);
        Talk::pattern(random.u64(1..1 << magnitude), Reading::Eager, Until::Echoed)
    };
    let (first, second) = (talk(), talk());
    vec![first, Step::Wait(millis(random, 50)), second]
}

fn echo_all(random: &mut Rng) -> Vec<Step> {
    let mut steps = echo_twice(random);
    steps.extend([Step::Finish, Talk::end()]);
    steps
}

/// No more than fits between the two without anybody reading.
fn send_little(random: &mut Rng) -> Step {
    Talk::pattern(random.u64(1..32 * KIB), Reading::No, Until::Sent)
}

fn echo_half_close(random: &mut Rng) -> Vec<Step> {
    vec![send_little(random), Step::Finish, Step::Wait(millis(random, 20)), Talk::end()]
}

/// As a rule little, so that it is over soon; now and then more than fits between the two.
fn echo_slowly(random: &mut Rng) -> Vec<Step> {
    let (bytes, piece) = match random.u8(..) {
        0..32 => (random.u64(4 * MIB..6 * MIB), random.usize(32_000..64_000)),
        32.. => (random.u64(KIB..128 * KIB), random.usize(4000..20_000)),
    };
    let slow = Reading::Slow(piece, Duration::from_millis(5));
    vec![Talk::pattern(bytes, slow, Until::Echoed), Step::Finish, Talk::end()]
}

fn echo_stop_reading(random: &mut Rng) -> Vec<Step> {
    let limit = Some(Duration::from_millis(50) + millis(random, 200));
    let (reading, until) = (Reading::No, Until::Sent);
    let talk = Talk { head: Vec::new(), filler: 64 * MIB, reading, until, limit };
    vec![Step::Talk(talk), Step::Wait(millis(random, 200)), Step::Reset]
}

fn echo_close_unread(random: &mut Rng) -> Vec<Step> {
    vec![send_little(random), Talk::pattern(0, Reading::No, Until::Readable), Step::Close]
}

fn get(random: &mut Rng) -> (Vec<Step>, Check) {
    let count = random.usize(1..6);
    let mut steps = Vec::new();
    for at in 1..=count {
        steps.extend([Talk::text(GET, Until::Answers(at)), Step::Wait(millis(random, 20))]);
    }
    (steps, Check::Answers(count, 200))
}

fn get_pipelined(random: &mut Rng) -> (Vec<Step>, Check) {
    let count = random.usize(1..40);
    let all = Talk::text(&GET.repeat(count), Until::Answers(count));
    (vec![all, Step::Finish, Talk::end()], Check::Answers(count, 200))
}

fn get_last_keep_sending(random: &mut Rng) -> Vec<Step> {
    let more = Talk::pattern(random.u64(1..512 * KIB), Reading::No, Until::Sent);
    vec![Talk::text(GET_LAST, Until::End), more]
}

/// A byte that begins no request, and then anything.
fn garbage(random: &mut Rng) -> Vec<Step> {
    let mut bytes = vec![0; random.usize(1..4000)];
    random.fill(&mut bytes);
    bytes.insert(0, 1);
    bytes.push(b'\n');
    vec![Talk::bytes(bytes, random.u64(0..64 * KIB), Until::Answers(1)), Talk::end()]
}

fn post_huge(random: &mut Rng) -> Vec<Step> {
    let head = post("Content-Length: 1000000000000");
    vec![Talk::bytes(head, random.u64(1..8 * MIB), Until::Answers(1)), Talk::end()]
}

fn post_write_first() -> Vec<Step> {
    let filler = 2 * MIB;
    let head = post(&format!("Content-Length: {filler}"));
    let talk = Talk { head, filler, reading: Reading::No, until: Until::Sent, limit: None };
    vec![Step::Talk(talk), Talk::end()]
}

fn post_huge_chunks(random: &mut Rng) -> Vec<Step> {
    let mut head = post("Transfer-Encoding: chunked");
    head.extend(b"3\r\nabc\r\n10000000\r\n");
    vec![Talk::bytes(head, random.u64(1..4 * MIB), Until::Answers(1)), Talk::end()]
}

fn post_truncated(random: &mut Rng) -> Vec<Step> {
    let sent = Talk::bytes(post("Content-Length: 1000"), random.u64(0..1000), Until::Sent);
    vec![sent, Step::Finish, Talk::end()]
}

fn reset(dialect: Dialect, random: &mut Rng) -> Vec<Step> {
    let bytes = match dialect {
        Dialect::Echo => b"some words".to_vec(),
        Dialect::Http => post("Content-Length: 100"),
    };
    vec![Talk::bytes(bytes, 0, Until::Sent), Step::Wait(millis(random, 100)), Step::Reset]
}

fn millis(random: &mut Rng, limit: u64) -> Duration {
    Duration::from_millis(random.u64(0..limit))
}
