//! What a caller may spend: its own limits, and its share of a store's quota. BigCommerce counts requests
//! by store, in windows of some seconds, for everything that uses the store together; this floor makes of
//! that count a budget with a share for each caller.
//!
//! Nothing here knows a clock, a socket or a lock: time is an argument, counted from any moment that stays
//! the same, and what workers share are atomic numbers. A plan of shares is made by whoever needs one while
//! nobody else makes it; everyone else goes on with the last one.

mod book;
mod caller;
mod ledger;
mod number;
mod pause;
mod rate;
mod reading;
mod share;
mod shared;
mod shown;
mod window;

pub use book::{Book, Seat, StoreState, Terms};
pub use caller::{CallerTerms, Slot};
pub use ledger::{Answered, Ledger, Standing, StoreTerms, Unit};
pub use pause::Burden;
pub use rate::{RateTerms, Spending};
pub use reading::{Ignored, Reading};
pub use shared::{
    Answer, LeaseState, Malformed, Question, Reported, SCRIPT, Waiter, Waiting, keys,
};
pub use shown::{Shown, StoreFigures, ask_to_wait};

use std::time::Duration;

/// Why a request may not go to the store now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// What stands against it.
    pub why: Why,
    /// When it is worth another try, from now.
    pub retry: Duration,
}

impl Refused {
    /// The shared server is to be asked first.
    const fn ask(why: Why) -> Self {
        Self {
            why,
            retry: Duration::ZERO,
        }
    }
}

/// What stands against a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The caller's own `rate_limit.requests`.
    Rate,
    /// The caller's own `rate_limit.batch_items`.
    BatchItems,
    /// The caller's own `concurrency`.
    Concurrency,
    /// As many of the caller's requests wait as may.
    Queue,
    /// The caller's share of the store's quota is spent.
    Share,
    /// What the store has for all callers is spent.
    Store,
    /// The server that shares the store's quota has not been asked in this window. The request does not count
    /// as one that came.
    Unasked,
    /// What is held of the store's quota is spent, and that server may have more.
    Unheld,
    /// BigCommerce refused a request without saying that the store's quota is spent.
    PlatformLoad,
    /// BigCommerce answered 503 and asked to come back later.
    Unavailable,
}

#[cfg(test)]
mod tests;
