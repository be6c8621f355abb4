//! How many states and transitions there are, pinned.

use hangup_testkit::Personality;

use crate::explored::{Explored, faithful, spurious};

/// States and transitions with true hints, and with any hints.
type Pins = ((usize, usize), Option<(usize, usize)>);

/// To be changed together with a rule, never without.
const fn pins(personality: Personality) -> Pins {
    match personality {
        Personality::EpollLevel => ((232_890, 3_056_315), Some((836_815, 15_975_383))),
        Personality::EpollEdge => ((56_206, 556_306), Some((329_158, 5_578_575))),
        Personality::Kqueue => ((107_142, 1_152_478), Some((786_820, 15_005_523))),
        Personality::AfdOneShot => ((100_248, 1_089_733), Some((709_734, 13_685_939))),
        Personality::Iocp => ((561_984, 5_798_516), None),
        Personality::IocpSkip => ((742_984, 7_823_772), None),
        Personality::Uring => ((852_282, 8_287_797), None),
        Personality::UringMultishot => ((2_022_150, 19_701_429), None),
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
    epoll_edge: EpollEdge,
    kqueue: Kqueue,
    afd_one_shot: AfdOneShot,
    iocp: Iocp,
    iocp_skip: IocpSkip,
    io_uring: Uring,
    io_uring_multishot: UringMultishot,
}

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
