//! Durations and sizes as people write them.

use std::time::Duration;

use thiserror::Error;

/// A duration or a size is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnitError {
    /// It does not begin with a whole number.
    #[error("it does not begin with a whole number")]
    Number,
    /// The unit is unknown.
    #[error("the unit is not one of {0}")]
    Unit(&'static str),
    /// The number is too large.
    #[error("it is too large")]
    TooLarge,
}

/// `250ms`, `5s`, `2m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => return Err(UnitError::Unit("ms, s, m, h")),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or(UnitError::TooLarge)
}

/// `512`, `64KiB`, `1MiB`, `2GiB`.
pub(super) fn size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(UnitError::Unit("B, KiB, MiB, GiB")),
    };
    number.checked_mul(bytes).ok_or(UnitError::TooLarge)
}

fn split(text: &str) -> Result<(u64, &str), UnitError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    if digits.is_empty() {
        return Err(UnitError::Number);
    }
    let number = digits.parse().map_err(|_| UnitError::TooLarge)?;
    Ok((number, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [("0ms", 0), ("250ms", 250), ("5s", 5000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("5"), Err(UnitError::Unit("ms, s, m, h")));
        assert_eq!(duration("1.5s"), Err(UnitError::Unit("ms, s, m, h")));
        assert_eq!(duration("s"), Err(UnitError::Number));
        assert_eq!(duration("-1s"), Err(UnitError::Number));
        assert_eq!(duration("18446744073709551615h"), Err(UnitError::TooLarge));
        assert_eq!(duration("18446744073709551616ms"), Err(UnitError::TooLarge));
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("0", 0), ("512", 512), ("7B", 7), ("64KiB", 65536), ("2GiB", 1 << 31)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert_eq!(size("64K"), Err(UnitError::Unit("B, KiB, MiB, GiB")));
        assert_eq!(size(""), Err(UnitError::Number));
        assert_eq!(size("99999999999GiB"), Err(UnitError::TooLarge));
    }
}
