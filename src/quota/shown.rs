//! What a caller reads of its limits: the header fields by which BigCommerce tells a store's quota, with the
//! caller's own share in them, so that clients slow themselves down as they already do.

use super::ledger::Share;
use super::number::millis;
use super::rate::{Balance, RateTerms};
use super::reading::{FIELDS, Reading, X_RETRY_AFTER};
use super::window::View;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

const STORE_WINDOW: HeaderName = HeaderName::from_static("x-gateway-store-time-window-ms");
const STORE_RESET: HeaderName = HeaderName::from_static("x-gateway-store-time-reset-ms");
const STORE_QUOTA: HeaderName = HeaderName::from_static("x-gateway-store-requests-quota");
const STORE_LEFT: HeaderName = HeaderName::from_static("x-gateway-store-requests-left");

/// The figures of one answer, all four of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The window in milliseconds.
    pub window: u64,
    /// Until it ends.
    pub reset: u64,
    /// Requests in a window.
    pub quota: u32,
    /// Requests left.
    pub left: u32,
}

/// The store's own figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreFigures {
    /// What BigCommerce grants everyone together, as far as is known.
    pub shown: Shown,
    /// Whether an answer has told so in this window.
    pub is_told: bool,
}

impl Shown {
    pub(super) fn of_rate(terms: &RateTerms, balance: Balance) -> Self {
        Self {
            window: millis(terms.fill()).max(1),
            reset: millis(balance.full_in).max(1),
            quota: terms.burst,
            left: balance.left,
        }
    }

    pub(super) fn of_share(share: &Share) -> Self {
        Self {
            window: share.view.length,
            // The gateway waits a moment longer than BigCommerce says, to be sure.
            reset: share.view.reset.min(share.view.length).max(1),
            quota: share.spent.saturating_add(share.left).min(share.view.quota),
            left: share.left,
        }
    }

    pub(super) const fn of_reading(reading: Reading) -> Self {
        Self {
            window: reading.window,
            reset: reading.reset,
            quota: reading.quota,
            left: reading.left,
        }
    }

    /// Of two that both hold, the one that leaves less; of two that leave the same, the later.
    pub(super) fn smaller(self, other: Self) -> Self {
        let order = |shown: &Self| (shown.left, std::cmp::Reverse(shown.reset));
        if order(&other) < order(&self) {
            other
        } else {
            self
        }
    }

    /// The same to one that is refused: nothing is left until it may come again.
    #[must_use]
    pub fn refused(self, retry: Duration) -> Self {
        Self {
            left: 0,
            reset: millis(retry).max(1),
            window: self.window.max(millis(retry)),
            ..self
        }
    }

    /// Writes the four fields in the place of those that are there.
    pub fn stamp(&self, headers: &mut HeaderMap) {
        let [window, reset, quota, left] = FIELDS.clone();
        headers.insert(window, HeaderValue::from(self.window));
        headers.insert(reset, HeaderValue::from(self.reset));
        headers.insert(quota, HeaderValue::from(self.quota));
        headers.insert(left, HeaderValue::from(self.left));
    }
}

impl StoreFigures {
    pub(super) fn of(view: &View) -> Self {
        Self {
            shown: Shown {
                window: view.length,
                reset: view.reset,
                quota: view.quota,
                left: view.left,
            },
            is_told: view.is_told,
        }
    }

    /// Writes them under names of the gateway's own.
    pub fn stamp(&self, headers: &mut HeaderMap) {
        headers.insert(STORE_WINDOW, HeaderValue::from(self.shown.window));
        headers.insert(STORE_RESET, HeaderValue::from(self.shown.reset));
        headers.insert(STORE_QUOTA, HeaderValue::from(self.shown.quota));
        headers.insert(STORE_LEFT, HeaderValue::from(self.shown.left));
    }
}

/// Says when to come again, in whole seconds and at least one, in both fields that clients read. What stands
/// in one of them already stays, and is said in the other too.
pub fn ask_to_wait(headers: &mut HeaderMap, retry: Duration) {
    let told = [RETRY_AFTER, X_RETRY_AFTER]
        .iter()
        .find_map(|name| headers.get(name).cloned());
    let seconds = millis(retry).div_ceil(1000).max(1);
    let value = told.unwrap_or_else(|| HeaderValue::from(seconds));
    for name in [RETRY_AFTER, X_RETRY_AFTER] {
        headers.entry(name).or_insert_with(|| value.clone());
    }
}
