//! What an answer of BigCommerce tells about the store's quota: four header fields, or none. What is not
//! four whole numbers that fit together tells nothing.
//!
//! <https://developer.bigcommerce.com/docs/start/best-practices/api-rate-limits>

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

pub(super) const WINDOW: HeaderName = HeaderName::from_static("x-rate-limit-time-window-ms");
pub(super) const RESET: HeaderName = HeaderName::from_static("x-rate-limit-time-reset-ms");
pub(super) const QUOTA: HeaderName = HeaderName::from_static("x-rate-limit-requests-quota");
pub(super) const LEFT: HeaderName = HeaderName::from_static("x-rate-limit-requests-left");
pub(super) const X_RETRY_AFTER: HeaderName = HeaderName::from_static("x-retry-after");

/// All of them.
pub(super) static FIELDS: [HeaderName; 4] = [WINDOW, RESET, QUOTA, LEFT];

/// The most requests of a window that are believed: a thousand times what the listed plans have and more.
/// Plans without a limit are said to send such numbers, which limit nothing.
const MOST_REQUESTS: u32 = 1_000_000;

/// The shortest and the longest window that are believed, in milliseconds.
const SHORTEST: u64 = 1_000;
const LONGEST: u64 = 3_600_000;

/// The longest pause that an answer can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The store's quota, as one answer tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The window's length in milliseconds, from a second to an hour.
    pub window: u64,
    /// Milliseconds until the window ends, at most `window`.
    pub reset: u64,
    /// Requests in a window, at least 1.
    pub quota: u32,
    /// Requests left in this one, at most `quota`.
    pub left: u32,
}

/// Why header fields tell nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Some of the four are missing.
    Partial,
    /// One of them is no whole number, stands twice, or is larger than can be.
    Malformed,
    /// They contradict each other.
    Inconsistent,
    /// They are of a window before this one.
    Stale,
}

impl Ignored {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::Partial,
        Self::Malformed,
        Self::Inconsistent,
        Self::Stale,
    ];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            Self::Malformed => "malformed",
            Self::Inconsistent => "inconsistent",
            Self::Stale => "stale",
        }
    }
}

impl Reading {
    /// Reads an answer's header fields; `None` if it has none of them.
    pub fn of(headers: &HeaderMap) -> Option<Result<Self, Ignored>> {
        let mut found: [Option<&HeaderValue>; 4] = [None; 4];
        let mut stands_twice = false;
        // One look at each field costs less than four at all of them.
        for (name, value) in headers {
            if !name.as_str().starts_with("x-rate-limit-") {
                continue;
            }
            let known = FIELDS.iter().position(|field| name == field);
            if let Some(place) = known.and_then(|at| found.get_mut(at)) {
                stands_twice |= place.replace(value).is_some();
            }
        }
        match found {
            [None, None, None, None] => None,
            [Some(window), Some(reset), Some(quota), Some(left)] if !stands_twice => {
                Some(Self::read([window, reset, quota, left]))
            }
            [Some(_), Some(_), Some(_), Some(_)] => Some(Err(Ignored::Malformed)),
            _ => Some(Err(Ignored::Partial)),
        }
    }

    fn read(values: [&HeaderValue; 4]) -> Result<Self, Ignored> {
        let [window, reset, quota, left] = values.map(digits);
        let told = |number: Option<u64>| number.ok_or(Ignored::Malformed);
        let (window, reset) = (told(window)?, told(reset)?);
        let (quota, left) = (told(quota)?, told(left)?);
        let most = u64::from(MOST_REQUESTS);
        if window > LONGEST || quota > most {
            return Err(Ignored::Malformed);
        }
        // A quota of nothing would never be asked again whether it is still so.
        if window < SHORTEST || quota == 0 || reset > window || left > quota {
            return Err(Ignored::Inconsistent);
        }
        let requests = |number| u32::try_from(number).map_err(|_| Ignored::Malformed);
        Ok(Self {
            window,
            reset,
            quota: requests(quota)?,
            left: requests(left)?,
        })
    }
}

/// A field that stands once and is digits alone.
fn whole(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    digits(value)
}

/// A value of digits alone.
fn digits(value: &HeaderValue) -> Option<u64> {
    let digits = value.as_bytes();
    let add = |sum: u64, byte: &u8| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    };
    // Nothing is no number.
    digits.first()?;
    digits.iter().try_fold(0, add)
}

/// How long an answer asks to wait: `Retry-After` or `X-Retry-After`, in seconds, at most ten minutes. A
/// date is taken as a wish without a time. `None` if it asks for nothing.
pub(super) fn wait_of(headers: &HeaderMap) -> Option<Duration> {
    let names = [RETRY_AFTER, X_RETRY_AFTER];
    if !names.iter().any(|name| headers.contains_key(name)) {
        return None;
    }
    let seconds = names.iter().filter_map(|name| whole(headers, name)).max();
    Some(Duration::from_secs(seconds.unwrap_or(0)).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn four_whole_numbers_that_fit_together_are_read() {
        let told = |window, reset, quota, left| {
            Reading::of(&headers(&[
                (WINDOW, window),
                (RESET, reset),
                (QUOTA, quota),
                (LEFT, left),
            ]))
        };
        assert_eq!(
            told("30000", "1200", "150", "7"),
            Some(Ok(Reading {
                window: 30_000,
                reset: 1200,
                quota: 150,
                left: 7
            }))
        );
        assert!(told("30000", "30000", "150", "150").unwrap().is_ok());
        assert!(told("1000", "0", "1", "0").unwrap().is_ok());
        assert!(told("30000", "0", "1000000", "1000000").unwrap().is_ok());
        let bad = [
            ("30000", "1200", "150", "-1", Ignored::Malformed),
            ("30000", "1200", "150", "+1", Ignored::Malformed),
            ("30000", "1200", "150", "", Ignored::Malformed),
            ("30000", "1200", "150", " 1", Ignored::Malformed),
            ("30000", "1200", "150", "1.0", Ignored::Malformed),
            ("30000", "1200", "150", "1e1", Ignored::Malformed),
            ("30000", "1200", "150", "0x1", Ignored::Malformed),
            ("30000", "1200", "unlimited", "1", Ignored::Malformed),
            (
                "30000",
                "99999999999999999999",
                "150",
                "1",
                Ignored::Malformed,
            ),
            ("30000", "1200", "1000001", "1", Ignored::Malformed),
            ("3600001", "1200", "150", "1", Ignored::Malformed),
            ("0", "0", "150", "1", Ignored::Inconsistent),
            ("999", "0", "150", "1", Ignored::Inconsistent),
            ("30000", "1200", "0", "0", Ignored::Inconsistent),
            ("30000", "30001", "150", "1", Ignored::Inconsistent),
            ("30000", "1200", "150", "151", Ignored::Inconsistent),
        ];
        for (window, reset, quota, left, why) in bad {
            assert_eq!(told(window, reset, quota, left), Some(Err(why)), "{why:?}");
        }
    }

    #[test]
    fn a_part_of_them_tells_nothing_and_none_is_no_fault() {
        assert_eq!(Reading::of(&HeaderMap::new()), None);
        let some = headers(&[(LEFT, "1"), (QUOTA, "150"), (RESET, "5")]);
        assert_eq!(Reading::of(&some), Some(Err(Ignored::Partial)));
        let twice = headers(&[
            (WINDOW, "30000"),
            (RESET, "5"),
            (QUOTA, "150"),
            (LEFT, "1"),
            (LEFT, "2"),
        ]);
        assert_eq!(Reading::of(&twice), Some(Err(Ignored::Malformed)));
    }

    #[test]
    fn a_wait_is_seconds_with_a_bound() {
        for (fields, wait) in [
            (vec![], None),
            (vec![(RETRY_AFTER, "3")], Some(3)),
            (vec![(X_RETRY_AFTER, "4")], Some(4)),
            (vec![(RETRY_AFTER, "3"), (X_RETRY_AFTER, "4")], Some(4)),
            (vec![(RETRY_AFTER, "99999")], Some(600)),
            (vec![(RETRY_AFTER, "-3")], Some(0)),
            (
                vec![(RETRY_AFTER, "Wed, 21 Oct 2015 07:28:00 GMT")],
                Some(0),
            ),
        ] {
            let expected = wait.map(Duration::from_secs);
            assert_eq!(wait_of(&headers(&fields)), expected, "{fields:?}");
        }
    }
}
