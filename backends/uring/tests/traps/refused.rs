//! There is a whole ring, or an error that says what is missing.

use super::*;
use hangup_uring::RingError;

#[test]
fn options_that_make_no_sense() {
    let _alone = alone();
    let start = descriptors();
    for options in [
        Options { buffer_size: 0, ..single() },
        Options { output: 0, ..single() },
        Options { entries: 0, ..single() },
        Options { buffers: 3, ..multishot() },
        Options { buffers: 0, ..multishot() },
    ] {
        let refused = Driver::<()>::with_options(patient(), options).unwrap_err();
        assert!(matches!(refused, RingError::Option(_)), "{refused}");
    }
    assert_eq!(descriptors(), start);
}
