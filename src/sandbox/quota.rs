//! The store's request quota: fixed windows, counted down, told in four headers.
//!
//! A window opens with the first request after the last one closed. The clock is the caller's; if
//! it runs backwards, the open window simply lasts longer.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

/// How many requests a store grants in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Requests in one window.
    pub requests: u32,
    /// The window's length.
    pub window: Duration,
}

impl Default for Limit {
    /// 150 requests in 30 seconds, the smaller of the two quotas that BigCommerce's rate-limit page
    /// lists by plan.
    fn default() -> Self {
        Self {
            requests: 150,
            window: Duration::from_secs(30),
        }
    }
}

/// The counter of one store.
#[derive(Debug)]
pub(super) struct Quota {
    limit: Limit,
    opened: Option<Timestamp>,
    spent: u32,
}

impl Quota {
    pub(super) fn new(limit: Limit) -> Self {
        Self {
            limit,
            opened: None,
            spent: 0,
        }
    }

    /// Spends one request, if one is left.
    pub(super) fn take(&mut self, now: Timestamp) -> Reading {
        let elapsed = self.elapsed(now).unwrap_or_else(|| {
            self.opened = Some(now);
            self.spent = 0;
            Duration::ZERO
        });
        let granted = self.spent < self.limit.requests;
        if granted {
            self.spent += 1;
        }
        Reading {
            granted,
            limit: self.limit,
            left: self.limit.requests - self.spent,
            reset: self.limit.window.saturating_sub(elapsed),
        }
    }

    /// The time since the window opened; `None` if no window is open any more.
    fn elapsed(&self, now: Timestamp) -> Option<Duration> {
        let elapsed = Duration::try_from(now.duration_since(self.opened?)).unwrap_or_default();
        (elapsed < self.limit.window).then_some(elapsed)
    }
}

/// What the quota looked like to one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Whether the request may be served.
    pub(super) granted: bool,
    limit: Limit,
    left: u32,
    reset: Duration,
}

impl Reading {
    /// Writes the four headers, and on a refusal the seconds to wait (at least 1).
    pub(super) fn stamp(&self, headers: &mut HeaderMap) {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        headers.insert(WINDOW, HeaderValue::from(millis(self.limit.window)));
        headers.insert(RESET, HeaderValue::from(millis(self.reset).max(1)));
        headers.insert(QUOTA, HeaderValue::from(self.limit.requests));
        headers.insert(LEFT, HeaderValue::from(self.left));
        if !self.granted {
            let seconds = millis(self.reset).div_ceil(1000).max(1);
            headers.insert(RETRY, HeaderValue::from(seconds));
        }
    }
}

const WINDOW: HeaderName = HeaderName::from_static("x-rate-limit-time-window-ms");
const RESET: HeaderName = HeaderName::from_static("x-rate-limit-time-reset-ms");
const QUOTA: HeaderName = HeaderName::from_static("x-rate-limit-requests-quota");
const LEFT: HeaderName = HeaderName::from_static("x-rate-limit-requests-left");
const RETRY: HeaderName = HeaderName::from_static("x-retry-after");

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        requests: 2,
        window: Duration::from_secs(30),
    };

    #[test]
    fn a_window_counts_down_refuses_and_opens_again() {
        let mut quota = Quota::new(LIMIT);
        // millisecond, granted, left, reset in ms, X-Retry-After
        let table = [
            (0, true, "1", "30000", None),
            (10_500, true, "0", "19500", None),
            (10_500, false, "0", "19500", Some("20")),
            (29_999, false, "0", "1", Some("1")),
            (30_000, true, "1", "30000", None),
            (95_000, true, "1", "30000", None),
            (94_000, true, "0", "30000", None),
        ];
        for (at, granted, left, reset, retry) in table {
            let reading = quota.take(Timestamp::from_millisecond(at).unwrap());
            let mut headers = HeaderMap::new();
            reading.stamp(&mut headers);
            let shown = |name: &HeaderName| headers.get(name).map(|v| v.to_str().unwrap());
            assert_eq!(reading.granted, granted, "{at}");
            assert_eq!(shown(&WINDOW), Some("30000"), "{at}");
            assert_eq!(shown(&QUOTA), Some("2"), "{at}");
            assert_eq!(shown(&LEFT), Some(left), "{at}");
            assert_eq!(shown(&RESET), Some(reset), "{at}");
            assert_eq!(shown(&RETRY), retry, "{at}");
        }
    }

    #[test]
    fn a_quota_of_nothing_refuses_everything() {
        let mut quota = Quota::new(Limit {
            requests: 0,
            ..LIMIT
        });
        assert!(!quota.take(Timestamp::UNIX_EPOCH).granted);
    }
}
