//! What the explorations found. Each is made once, whichever test asks first.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use hangup::{Cancels, Deadline, Life, Wants};
use hangup_testkit::{Personality, Rules, explore};

/// What is kept of an exploration.
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    pub(crate) diameter: u32,
    pub(crate) time: Duration,
    /// Every state that the machine itself was in.
    pub(crate) lives: BTreeSet<Life>,
}

/// The exploration of a personality in which every hint is true.
pub(crate) fn faithful(personality: Personality) -> &'static Explored {
    static FOUND: [OnceLock<Explored>; Personality::ALL.len()] =
        [const { OnceLock::new() }; Personality::ALL.len()];
    let at = Personality::ALL.iter().position(|&other| other == personality).unwrap();
    FOUND[at].get_or_init(|| explore_once(personality, false))
}

/// The exploration of a personality in which any hint may come at any time.
pub(crate) fn spurious(personality: Personality) -> Explored {
    explore_once(personality, true)
}

fn explore_once(personality: Personality, spurious: bool) -> Explored {
    // The large ones take a gigabyte: two at a time are enough for two cores.
    static LARGE: Mutex<()> = Mutex::new(());
    let _one_at_a_time = (!personality.is_readiness()).then(|| LARGE.lock());
    let start = Instant::now();
    match explore(&Rules { spurious, ..Rules::faithful(personality) }) {
        Ok(found) => Explored {
            states: found.states,
            transitions: found.transitions,
            diameter: found.diameter,
            time: start.elapsed(),
            lives: found.worlds().iter().map(|world| world.life).collect(),
        },
        Err(failure) => panic!("{personality}: {failure}"),
    }
}

/// Every life that any personality reaches.
pub(crate) fn all_lives() -> BTreeSet<Life> {
    Personality::ALL.into_iter().flat_map(|personality| faithful(personality).lives.iter().copied()).collect()
}

/// The names of the wants that are set. Names every field, so that a new one does not compile unseen.
pub(crate) fn wanted(wants: Wants) -> Vec<&'static str> {
    let Wants {
        connect,
        confirm,
        register,
        receive,
        send,
        receive_now,
        send_now,
        discard,
        watch,
        inquire,
        shutdown,
        sever,
        cancel,
        deregister,
        release,
    } = wants;
    let Cancels { connect: cancel_connect, receive: cancel_receive, send: cancel_send, watch: cancel_watch } =
        cancel;
    let all = [
        (connect, "connect"),
        (confirm, "confirm"),
        (register, "register"),
        (receive, "receive"),
        (send, "send"),
        (receive_now, "receive_now"),
        (send_now, "send_now"),
        (discard, "discard"),
        (watch, "watch"),
        (inquire, "inquire"),
        (shutdown, "shutdown"),
        (sever, "sever"),
        (cancel_connect, "cancel connect"),
        (cancel_receive, "cancel receive"),
        (cancel_send, "cancel send"),
        (cancel_watch, "cancel watch"),
        (deregister, "deregister"),
        (release == Some(hangup::Close::Plain), "release plain"),
        (release == Some(hangup::Close::Reset), "release reset"),
    ];
    all.into_iter().filter_map(|(wanted, name)| wanted.then_some(name)).collect()
}

/// How many names [`wanted`] knows.
pub(crate) const WANTS: usize = 19;

/// The deadlines that are armed in a life.
pub(crate) fn armed(life: Life) -> impl Iterator<Item = Deadline> {
    let armed = life.deadlines();
    Deadline::ALL.into_iter().filter(move |&deadline| armed.contains(deadline))
}
