//! Durations (`"2s"`, `"250ms"`) and sizes (`"64KiB"`) as they are written in a configuration. Pure,
//! exact (no floating point) and total: a text is a value or a reason why it is none.

use std::time::Duration;

/// The longest duration a configuration may name: longer is a slip of the pen, not a timeout.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The units of a duration and their nanoseconds, largest first.
const TIMES: [(&str, u64); 5] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// The units of a size and their bytes, largest first.
const SIZES: [(&str, usize); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Why a text is neither a duration nor a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnitError {
    /// Something else than digits, with at most one point between them, before the unit.
    #[error("does not begin with a number")]
    NoNumber,
    /// A number alone.
    #[error("has no unit")]
    NoUnit,
    /// A unit that is not of this kind of value.
    #[error("has an unknown unit")]
    UnknownUnit,
    /// A unit of 1000s (`KB`), or one in another case, whose binary spelling is meant.
    #[error("has an unknown unit")]
    NotBinary {
        /// The spelling that is meant.
        meant: &'static str,
    },
    /// A size with a fraction.
    #[error("is not a whole number")]
    NotWhole,
    /// A duration finer than a nanosecond.
    #[error("is finer than can be kept")]
    TooFine,
    /// More than 24 hours, or more bytes than can be addressed.
    #[error("is too large")]
    TooLarge,
}

/// Reads a duration of 0 to [`LONGEST`]: digits, optionally a point and more digits, then `us`, `ms`,
/// `s`, `m` or `h`.
pub(super) fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text)?;
    let (_, unit) = TIMES
        .into_iter()
        .find(|(name, _)| *name == unit)
        .ok_or(UnitError::UnknownUnit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = digits(whole)?
        .checked_mul(unit)
        .ok_or(UnitError::TooLarge)?;
    let nanos = whole
        .checked_add(fraction_of(unit, fraction)?)
        .ok_or(UnitError::TooLarge)?;
    let duration = Duration::from_nanos(nanos);
    if duration > LONGEST {
        Err(UnitError::TooLarge)
    } else {
        Ok(duration)
    }
}

/// Reads a size in bytes: digits, then `B`, `KiB`, `MiB` or `GiB`.
pub(super) fn size(text: &str) -> Result<usize, UnitError> {
    let (number, unit) = split(text)?;
    let bytes = SIZES
        .into_iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, bytes)| bytes);
    let bytes = bytes.ok_or_else(|| unknown_size_unit(unit))?;
    if number.contains('.') {
        return Err(UnitError::NotWhole);
    }
    let number = usize::try_from(digits(number)?).map_err(|_| UnitError::TooLarge)?;
    number.checked_mul(bytes).ok_or(UnitError::TooLarge)
}

/// The shortest text that [`duration`] reads as this duration; finer than a microsecond is dropped.
pub(crate) fn show_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    let unit = TIMES
        .into_iter()
        .find(|(_, unit)| nanos.is_multiple_of(u128::from(*unit)));
    let (name, unit) = unit.unwrap_or(("us", 1_000));
    format!("{}{name}", nanos / u128::from(unit))
}

/// The shortest text that [`size`] reads as this number of bytes.
pub(super) fn show_size(bytes: usize) -> String {
    let unit = SIZES
        .into_iter()
        .find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit));
    let (name, unit) = unit.unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit)
}

/// The number and the unit after it, neither of them empty.
fn split(text: &str) -> Result<(&str, &str), UnitError> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).unwrap_or((text, ""));
    if number.is_empty() {
        Err(UnitError::NoNumber)
    } else if unit.is_empty() {
        digits(number.split('.').next().unwrap_or_default())?;
        Err(UnitError::NoUnit)
    } else {
        Ok((number, unit))
    }
}

fn digits(text: &str) -> Result<u64, UnitError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UnitError::NoNumber);
    }
    text.parse().map_err(|_| UnitError::TooLarge)
}

/// The decimal digits after the point, as nanoseconds of a unit; exact or refused.
fn fraction_of(unit: u64, text: &str) -> Result<u64, UnitError> {
    // Nine digits reach a nanosecond of a second; more could overflow the product below.
    const FINEST: usize = 9;
    digits(text.get(..1).unwrap_or_default())?;
    let kept = text.trim_end_matches('0');
    if kept.is_empty() {
        return Ok(0);
    }
    let value = digits(kept).map(u128::from);
    let scale = match u32::try_from(kept.len()) {
        Ok(places) if kept.len() <= FINEST => 10_u128.pow(places),
        _ => return value.and(Err(UnitError::TooFine)),
    };
    let nanos = value? * u128::from(unit);
    if nanos.is_multiple_of(scale) {
        u64::try_from(nanos / scale).map_err(|_| UnitError::TooLarge)
    } else {
        Err(UnitError::TooFine)
    }
}

fn unknown_size_unit(unit: &str) -> UnitError {
    let meant = match unit.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => "B",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        _ => return UnitError::UnknownUnit,
    };
    UnitError::NotBinary { meant }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_exact() {
        for (text, nanos) in [
            ("2s", 2_000_000_000),
            ("250ms", 250_000_000),
            ("6.5s", 6_500_000_000),
            ("0.25ms", 250_000),
            ("1m", 60_000_000_000),
            ("1.5m", 90_000_000_000),
            ("1h", 3_600_000_000_000),
            ("0.001h", 3_600_000_000),
            ("24h", 86_400_000_000_000),
            ("7us", 7_000),
            ("0.5us", 500),
            ("0s", 0),
            ("0.0s", 0),
            ("007s", 7_000_000_000),
            ("1.5000000000000s", 1_500_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_named() {
        use UnitError::{NoNumber, NoUnit, TooFine, TooLarge, UnknownUnit};
        for (text, error) in [
            ("", NoNumber),
            ("s", NoNumber),
            ("-1s", NoNumber),
            ("+1s", NoNumber),
            (".5s", NoNumber),
            ("1.s", NoNumber),
            ("1.2.3s", NoNumber),
            (".", NoNumber),
            ("٣s", NoNumber),
            ("30", NoUnit),
            ("1.5", NoUnit),
            ("2 s", UnknownUnit),
            ("2S", UnknownUnit),
            ("2sec", UnknownUnit),
            ("1h30m", UnknownUnit),
            ("1e3s", UnknownUnit),
            ("5KiB", UnknownUnit),
            ("0.0001us", TooFine),
            ("0.0000000001s", TooFine),
            ("24.1h", TooLarge),
            ("86400001ms", TooLarge),
            ("18446744073709551615h", TooLarge),
            ("99999999999999999999s", TooLarge),
        ] {
            assert_eq!(duration(text), Err(error), "{text}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        for (text, bytes) in [
            ("0B", 0),
            ("512B", 512),
            ("64KiB", 65_536),
            ("1MiB", 1_048_576),
            ("1GiB", 1_073_741_824),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_named() {
        use UnitError::{NoNumber, NoUnit, NotBinary, NotWhole, TooLarge, UnknownUnit};
        for (text, error) in [
            ("", NoNumber),
            ("KiB", NoNumber),
            ("-1B", NoNumber),
            ("1..5KiB", NotWhole),
            ("1.5KiB", NotWhole),
            ("4096", NoUnit),
            ("64KB", NotBinary { meant: "KiB" }),
            ("64kb", NotBinary { meant: "KiB" }),
            ("64k", NotBinary { meant: "KiB" }),
            ("1MB", NotBinary { meant: "MiB" }),
            ("1Gib", NotBinary { meant: "GiB" }),
            ("5s", UnknownUnit),
            ("5 KiB", UnknownUnit),
            ("17179869184GiB", TooLarge),
            ("99999999999999999999B", TooLarge),
        ] {
            assert_eq!(size(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn durations_are_read_back(micros in 0..=86_400_000_000_u64) {
            let value = Duration::from_micros(micros);
            prop_assert_eq!(duration(&show_duration(value)), Ok(value));
        }

        #[test]
        fn sizes_are_read_back(bytes: usize) {
            prop_assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }

        #[test]
        fn fractions_are_exact(whole in 0..86_400_u64, nanos in 0..1_000_000_000_u64) {
            let expected = Duration::from_secs(whole) + Duration::from_nanos(nanos);
            prop_assert_eq!(duration(&format!("{whole}.{nanos:09}s")), Ok(expected));
        }

        #[test]
        fn any_text_is_judged(text in "[0-9.]{0,24}[a-zA-Z ]{0,4}") {
            let duration = duration(&text);
            prop_assert!(duration.is_ok_and(|value| value <= LONGEST) || duration.is_err());
            let _size = size(&text);
        }
    }
}
