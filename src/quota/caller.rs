//! A caller's own limits, whatever the stores have: how many requests, how many of them at once, how many
//! items of batches.

use super::rate::{RateTerms, Spending};
use super::{Refused, Why};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// When a caller with too many requests at once may come again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a caller may do, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerTerms {
    /// Its requests to all stores together.
    pub rate: Option<RateTerms>,
    /// The items of its batches, each of which is one request for BigCommerce.
    pub batch_items: Option<RateTerms>,
    /// Its requests at once.
    pub concurrency: Option<u32>,
    /// Its weight in the sharing of a store's quota, at least 1.
    pub weight: u32,
    /// The requests of each window that are kept for it in each of its stores.
    pub guaranteed: u32,
    /// How long a request may wait for its turn.
    pub max_wait: Duration,
}

impl CallerTerms {
    /// The terms of a caller without limits of its own.
    pub const UNLIMITED: Self = Self {
        rate: None,
        batch_items: None,
        concurrency: None,
        weight: 1,
        guaranteed: 0,
        max_wait: Duration::ZERO,
    };

    /// The most items of a batch that can ever be its turn.
    pub fn largest_batch(&self) -> Option<usize> {
        let items = self.batch_items?.burst;
        Some(usize::try_from(items).unwrap_or(usize::MAX))
    }

    /// Whether it has limits of its own.
    pub const fn is_limited(&self) -> bool {
        self.rate.is_some() || self.batch_items.is_some() || self.concurrency.is_some()
    }
}

/// What a caller does.
#[derive(Debug, Default)]
pub(super) struct Usage {
    pub(super) requests: Spending,
    items: Spending,
    at_once: AtomicU32,
}

/// One of a caller's requests that are served at once; dropping it makes room for another.
#[derive(Debug)]
pub struct Slot {
    usage: Arc<Usage>,
    is_counted: bool,
    rate: Option<RateTerms>,
}

impl Usage {
    /// Begins a request.
    pub(super) fn enter(
        self: &Arc<Self>,
        terms: &CallerTerms,
        now: Duration,
    ) -> Result<Slot, Refused> {
        let mut slot = Slot {
            usage: Arc::clone(self),
            is_counted: false,
            rate: None,
        };
        if let Some(most) = terms.concurrency {
            let entered = self
                .at_once
                .fetch_update(SeqCst, SeqCst, |now| (now < most).then_some(now + 1));
            entered.map_err(|_| Refused {
                why: Why::Concurrency,
                retry: AGAIN,
            })?;
            slot.is_counted = true;
        }
        if let Some(rate) = &terms.rate {
            let spent = self.requests.spend(rate, 1, now);
            spent.map_err(|retry| Refused {
                why: Why::Rate,
                retry,
            })?;
            slot.rate = Some(*rate);
        }
        Ok(slot)
    }

    /// Counts the items of a batch that is about to be sent.
    pub(super) fn count_items(
        &self,
        terms: &CallerTerms,
        items: u32,
        now: Duration,
    ) -> Result<(), Refused> {
        let Some(rate) = &terms.batch_items else {
            return Ok(());
        };
        let spent = self.items.spend(rate, items, now);
        spent.map_err(|retry| Refused {
            why: Why::BatchItems,
            retry,
        })
    }
}

impl Slot {
    /// The request did not begin after all, and shall not count.
    pub fn undo(self) {
        if let Some(rate) = &self.rate {
            self.usage.requests.give_back(rate, 1);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.is_counted {
            self.usage.at_once.fetch_sub(1, SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once() {
        let usage = Arc::new(Usage::default());
        let terms = CallerTerms {
            concurrency: Some(2),
            ..CallerTerms::UNLIMITED
        };
        let now = Duration::ZERO;
        let first = usage.enter(&terms, now).unwrap();
        let _second = usage.enter(&terms, now).unwrap();
        assert_eq!(usage.enter(&terms, now).unwrap_err().why, Why::Concurrency);
        drop(first);
        assert!(usage.enter(&terms, now).is_ok());
    }

    #[test]
    fn a_request_that_the_rate_refuses_holds_no_place() {
        let usage = Arc::new(Usage::default());
        let terms = CallerTerms {
            rate: Some(RateTerms {
                amount: 1,
                per: Duration::from_secs(10),
                burst: 1,
            }),
            concurrency: Some(1),
            ..CallerTerms::UNLIMITED
        };
        usage.enter(&terms, Duration::ZERO).unwrap().undo();
        drop(usage.enter(&terms, Duration::ZERO).unwrap());
        for _ in 0..3 {
            let refused = usage.enter(&terms, Duration::from_secs(4)).unwrap_err();
            assert_eq!(refused.why, Why::Rate);
            assert_eq!(refused.retry, Duration::from_secs(6));
        }
    }

    #[test]
    fn items_are_counted_beside_requests() {
        let usage = Usage::default();
        let terms = CallerTerms {
            batch_items: Some(RateTerms {
                amount: 100,
                per: Duration::from_secs(10),
                burst: 100,
            }),
            ..CallerTerms::UNLIMITED
        };
        let now = Duration::from_secs(1);
        assert_eq!(usage.count_items(&terms, 60, now), Ok(()));
        let refused = usage.count_items(&terms, 60, now).unwrap_err();
        assert_eq!(
            (refused.why, refused.retry),
            (Why::BatchItems, Duration::from_secs(2))
        );
        assert_eq!(usage.count_items(&terms, 40, now), Ok(()));
        assert_eq!(
            usage.count_items(&CallerTerms::UNLIMITED, 10_000, now),
            Ok(())
        );
    }
}
