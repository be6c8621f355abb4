//! The last things that happened to a connection, one letter each.

use crate::{Answer, Command, Deadline, Hint, Input, Outcome, Plan};

/// The last 8 things that happened to a connection, oldest first.
///
/// Printed as letters that do not change. Capital letters are ours, small ones came from elsewhere. What
/// repeats without a break is kept once; readiness without news and bookkeeping are left out.
///
/// | | | | |
/// |---|---|---|---|
/// | `r` received | `s` sent | `f` end of stream | `b` send would block |
/// | `x` receive failed | `y` send failed | `e` pending error | `o` asked, no error |
/// | `c` connected | `n` connect failed | `w` would connect later | `z` memory of a send is free |
/// | `p` hint: peer closed | `u` hint: hang-up | `h` hint: error | `a` hint: abort |
/// | `F` FIN sent | `g` shutdown failed | `k` all acknowledged | `v` watch failed |
/// | `Q` output queued | `E` output all sent | `P` paused | `R` resumed |
/// | `1` finish | `2` flush | `3` linger | `4` abort |
/// | `C` connect deadline | `I` idle | `S` stall | `H` half-closed |
/// | `T` drain total | `D` drain idle | `B` drain budget | `X` cancelled |
/// | `i` not registered | `V` severed | `!` blamed | |
///
/// ```
/// use hangup::{Answer, Input, Log, Outcome};
///
/// let mut log = Log::default();
/// for answer in [Answer::Received(5), Answer::Received(7), Answer::EndOfStream] {
///     log.push(Input::Outcome(Outcome::Immediate(answer)));
/// }
/// assert_eq!(log.to_string(), "rf");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Log([u16; 3]);

/// The letters. The number of an event is its place here, counted from 1: 0 is "nothing".
const LETTERS: &[u8; 39] = b"rsfbxyeocnwzpuhaFgkvQEPR1234CISHTDBXiV!";

/// The number of each letter.
#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "ran when it was compiled")]
const NUMBERS: [u8; 128] = {
    let mut numbers = [0; 128];
    let mut at = 0;
    while at < LETTERS.len() {
        numbers[LETTERS[at] as usize] = at as u8 + 1;
        at += 1;
    }
    numbers
};

const EVENT_BITS: u32 = 6;
const EVENTS: u32 = 8;

impl Log {
    /// Adds what happened, if it is worth a letter.
    #[inline]
    pub fn push(&mut self, input: Input) {
        let Some(letter) = letter(input) else { return };
        let number = u64::from(NUMBERS.get(usize::from(letter)).copied().unwrap_or(0));
        let word = self.word();
        if word & ((1 << EVENT_BITS) - 1) != number {
            self.set_word(word << EVENT_BITS | number);
        }
    }

    /// The letters, oldest first.
    pub fn letters(self) -> impl Iterator<Item = char> {
        let word = self.word();
        (0..EVENTS).rev().filter_map(move |at| {
            let number = word >> (at * EVENT_BITS) & ((1 << EVENT_BITS) - 1);
            let place = usize::try_from(number).ok()?.checked_sub(1)?;
            LETTERS.get(place).map(|&letter| char::from(letter))
        })
    }

    fn word(self) -> u64 {
        let [low, middle, high] = self.0;
        u64::from(low) | u64::from(middle) << 16 | u64::from(high) << 32
    }

    #[allow(clippy::cast_possible_truncation, reason = "the oldest event falls off the end")]
    fn set_word(&mut self, word: u64) {
        self.0 = [word as u16, (word >> 16) as u16, (word >> 32) as u16];
    }
}

/// Whether it is worth a letter.
#[cfg(feature = "std")]
#[inline]
pub(crate) fn is_logged(input: Input) -> bool {
    letter(input).is_some()
}

fn letter(input: Input) -> Option<u8> {
    match input {
        Input::Hint(hint) => hint_letter(hint),
        Input::Outcome(Outcome::Immediate(answer) | Outcome::Completed(answer, _)) => answer_letter(answer),
        Input::Outcome(Outcome::Cancelling(_)) => Some(b'X'),
        Input::Outcome(Outcome::Submitting(..) | Outcome::Pending(_) | Outcome::CancelAnswered(_)) => None,
        Input::Command(command) => Some(match command {
            Command::Output(0) => b'E',
            Command::Output(_) => b'Q',
            Command::Pause => b'P',
            Command::Resume => b'R',
            Command::Close(Plan::Finish) => b'1',
            Command::Close(Plan::Flush) => b'2',
            Command::Close(Plan::Linger) => b'3',
            Command::Close(Plan::Abort) => b'4',
            Command::Blame(_) => b'!',
        }),
        Input::Expired(deadline) => Some(match deadline {
            Deadline::Connect => b'C',
            Deadline::Idle => b'I',
            Deadline::Stall => b'S',
            Deadline::HalfClosed => b'H',
            Deadline::DrainTotal => b'T',
            Deadline::DrainIdle => b'D',
            Deadline::DrainBudget => b'B',
        }),
    }
}

/// The weightiest flag.
fn hint_letter(hint: Hint) -> Option<u8> {
    [(Hint::ABORT, b'a'), (Hint::ERROR, b'h'), (Hint::HANG_UP, b'u'), (Hint::PEER_CLOSED, b'p')]
        .into_iter()
        .find_map(|(flag, letter)| hint.contains(flag).then_some(letter))
}

#[inline]
fn answer_letter(answer: Answer) -> Option<u8> {
    Some(match answer {
        Answer::RegisterFailed(_) => b'i',
        Answer::Connected => b'c',
        Answer::ConnectBlocked => b'w',
        Answer::ConnectFailed(_) => b'n',
        Answer::Received(_) => b'r',
        Answer::EndOfStream => b'f',
        Answer::ReceiveFailed(_) => b'x',
        Answer::Sent(_) => b's',
        Answer::SendBlocked => b'b',
        Answer::SendFailed(_) => b'y',
        Answer::Notified => b'z',
        Answer::Watched(hint) => return hint_letter(hint),
        Answer::WatchFailed(_) => b'v',
        Answer::NoError => b'o',
        Answer::PendingError(_) => b'e',
        Answer::ShutDown => b'F',
        Answer::ShutdownFailed(_) => b'g',
        Answer::Acknowledged => b'k',
        Answer::Severed => b'V',
        Answer::Registered | Answer::ReceiveBlocked | Answer::Deregistered | Answer::Released => return None,
    })
}

impl core::fmt::Display for Log {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.letters().try_for_each(|letter| core::fmt::Write::write_char(f, letter))
    }
}

impl core::fmt::Debug for Log {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Log({self})")
    }
}
