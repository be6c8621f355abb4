//! How many states and transitions there are, pinned.

use hangup_testkit::Personality;

use crate::explored::{Explored, faithful, spurious};

/// States and transitions with true hints, and with any hints.
type Pins = ((usize, usize), Option<(usize, usize)>);

/// To be changed together with a rule, never without.
const fn pins(personality: Personality) -> Pins {
    match personality {
        Personality::EpollLevel => ((198_288, 2_483_337), Some((834_080, 15_647_910))),
        Personality::EpollEdge => ((55_670, 552_954), Some((333_262, 5_697_867))),
        Personality::Kqueue => ((88_986, 886_864), Some((784_904, 14_661_409))),
        Personality::AfdOneShot => ((83_156, 835_718), Some((709_514, 13_393_100))),
        Personality::Iocp => ((561_984, 5_798_516), None),
        Personality::IocpSkip => ((742_984, 7_823_772), None),
        Personality::Uring => ((848_084, 8_250_073), None),
        Personality::UringMultishot => ((2_007_636, 19_577_443), None),
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
