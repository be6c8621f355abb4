//! How many states and transitions there are, pinned.

use hangup_testkit::Personality;

use crate::explored::{Explored, faithful, spurious};

/// States and transitions with true hints, and with any hints.
type Pins = ((usize, usize), Option<(usize, usize)>);

/// To be changed together with a rule, never without.
const fn pins(personality: Personality) -> Pins {
    match personality {
        Personality::EpollLevel => ((234_918, 3_267_749), Some((844_767, 16_785_132))),
        Personality::EpollOneShot => ((138_062, 1_658_292), None),
        Personality::EpollEdge => ((56_742, 588_680), Some((329_626, 5_747_257))),
        Personality::Kqueue => ((108_522, 1_209_164), Some((802_984, 15_722_237))),
        Personality::AfdOneShot => ((154_464, 1_704_245), Some((965_662, 19_081_047))),
        Personality::Iocp => ((364_814, 4_225_720), None),
        Personality::IocpSkip => ((448_010, 5_311_538), None),
        Personality::IocpZeroByte => ((594_256, 7_062_280), None),
        Personality::Uring => ((446_282, 3_802_768), None),
        Personality::UringMultishot => ((1_463_030, 13_764_078), None),
        Personality::UringZeroCopy => ((906_382, 7_197_433), None),
    }
}

fn check(personality: Personality, hints: &str, found: &Explored, pinned: (usize, usize)) {
    let Explored { states, transitions, diameter, time, lives } = found;
    let seconds = time.as_secs_f64();
    println!(
        "{personality:18}  {hints:9}  {states:>8} states  {transitions:>9} transitions  diameter {diameter:>2}  \
         {:>6} lives  0 violations  {seconds:>5.1} s",
        lives.len(),
    );
    assert!(
        crate::bless() || (*states, *transitions) == pinned,
        "{personality}, {hints}: {states} states and {transitions} transitions, pinned are {pinned:?}. A rule \
         has changed what it does, or the model has. If that is intended, change the pin."
    );
}

macro_rules! personalities {
    ($($test:ident: $personality:ident,)+) => {
        mod true_hints {
            use super::*;
            $(#[test]
            fn $test() {
                let personality = Personality::$personality;
                check(personality, "true", faithful(personality), pins(personality).0);
            })+
        }

        #[test]
        fn every_personality_has_a_test() {
            assert_eq!([$(Personality::$personality),+], Personality::ALL);
        }
    };
}

personalities! {
    epoll_level: EpollLevel,
    epoll_one_shot: EpollOneShot,
    epoll_edge: EpollEdge,
    kqueue: Kqueue,
    afd_one_shot: AfdOneShot,
    iocp: Iocp,
    iocp_skip: IocpSkip,
    iocp_zero_byte: IocpZeroByte,
    io_uring: Uring,
    io_uring_multishot: UringMultishot,
    io_uring_zero_copy: UringZeroCopy,
}

/// Not of one-shot epoll: with any hints at any time it is what level-triggered epoll is.
mod any_hints {
    use super::*;

    fn explore(personality: Personality) {
        let pinned = pins(personality).1.unwrap();
        check(personality, "any hints", &spurious(personality), pinned);
    }

    #[test]
    fn epoll_level() {
        explore(Personality::EpollLevel);
    }

    #[test]
    fn epoll_edge() {
        explore(Personality::EpollEdge);
    }

    #[test]
    fn kqueue() {
        explore(Personality::Kqueue);
    }

    #[test]
    fn afd_one_shot() {
        explore(Personality::AfdOneShot);
    }
}
