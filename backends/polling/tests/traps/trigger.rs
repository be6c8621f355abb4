//! Which ways of reporting there are: asked before anything is registered, not found out by an error later.

use std::io::ErrorKind;
use std::sync::Arc;

use hangup::Policy;
use hangup_polling::{Driver, Trigger};
use polling::Poller;

fn driver(trigger: Trigger) -> Result<(), ErrorKind> {
    let poller = Arc::new(Poller::new().unwrap());
    Driver::<()>::with_trigger(poller, Policy::default(), trigger).map(drop).map_err(|error| error.kind())
}

#[test]
fn one_shot_works_everywhere() {
    assert_eq!(driver(Trigger::OneShot), Ok(()));
}

#[test]
fn level_and_edge_where_the_system_has_them() {
    let poller = Poller::new().unwrap();
    for (trigger, is_there) in
        [(Trigger::Level, poller.supports_level()), (Trigger::Edge, poller.supports_edge())]
    {
        let expected = if is_there { Ok(()) } else { Err(ErrorKind::Unsupported) };
        assert_eq!(driver(trigger), expected, "{trigger:?}");
    }
    if cfg!(windows) {
        assert_eq!(driver(Trigger::Edge), Err(ErrorKind::Unsupported));
        assert_eq!(driver(Trigger::Level), Ok(()));
    }
    if cfg!(target_os = "linux") {
        assert_eq!(driver(Trigger::Edge), Ok(()));
    }
}
