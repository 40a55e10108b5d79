//! A rate with a burst: the generic cell rate algorithm (ITU-T I.371) in one atomic number, the moment at
//! which the bucket will be full again.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// So much in so long, and so much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateTerms {
    /// How much in `per`, at least 1.
    pub amount: u32,
    /// The time for that, more than zero.
    pub per: Duration,
    /// How much at once, after a time without, at least 1.
    pub burst: u32,
}

/// What is spent of a rate.
#[derive(Debug, Default)]
pub struct Spending {
    /// When all of it will be there again, in nanoseconds.
    full_at: AtomicU64,
}

/// What a rate has at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Balance {
    /// What may be spent at once.
    pub(super) left: u32,
    /// When all of it will be there again, from now.
    pub(super) full_in: Duration,
}

impl RateTerms {
    /// The time in which one comes back, in nanoseconds.
    fn interval(&self) -> u64 {
        let per = u64::try_from(self.per.as_nanos()).unwrap_or(u64::MAX);
        (per / u64::from(self.amount.max(1))).max(1)
    }

    /// The time in which all of it comes back.
    pub(super) fn fill(&self) -> Duration {
        Duration::from_nanos(self.interval().saturating_mul(u64::from(self.burst)))
    }
}

impl Spending {
    /// Spends this much, or gives the time after which it can be. What is more than the burst can never be.
    pub fn spend(&self, terms: &RateTerms, amount: u32, now: Duration) -> Result<(), Duration> {
        let now = nanos(now);
        let cost = terms.interval().saturating_mul(u64::from(amount));
        let most = nanos(terms.fill());
        let mut before = self.full_at.load(SeqCst);
        loop {
            // What a smaller rate has left behind is no more than this one's whole.
            let debt_ends = before.min(now.saturating_add(most));
            let full_at = debt_ends.max(now).saturating_add(cost);
            let wait = full_at.saturating_sub(now).saturating_sub(most);
            if wait > 0 {
                return Err(Duration::from_nanos(wait));
            }
            match (self.full_at).compare_exchange_weak(before, full_at, SeqCst, SeqCst) {
                Ok(_) => return Ok(()),
                Err(other) => before = other,
            }
        }
    }

    /// This much was spent for nothing.
    pub(super) fn give_back(&self, terms: &RateTerms, amount: u32) {
        let cost = terms.interval().saturating_mul(u64::from(amount));
        let back = |full_at: u64| Some(full_at.saturating_sub(cost));
        // It never fails: the change is always one.
        self.full_at.fetch_update(SeqCst, SeqCst, back).ok();
    }

    pub(super) fn balance(&self, terms: &RateTerms, now: Duration) -> Balance {
        let debt = self.full_at.load(SeqCst).saturating_sub(nanos(now));
        let rest = nanos(terms.fill()).saturating_sub(debt);
        Balance {
            left: u32::try_from(rest / terms.interval()).unwrap_or(u32::MAX),
            full_in: Duration::from_nanos(debt),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TERMS: RateTerms = RateTerms {
        amount: 10,
        per: Duration::from_secs(1),
        burst: 3,
    };

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_is_followed_by_the_rate() {
        let spending = Spending::default();
        for _ in 0..3 {
            assert_eq!(spending.spend(&TERMS, 1, ms(5000)), Ok(()));
        }
        assert_eq!(spending.spend(&TERMS, 1, ms(5000)), Err(ms(100)));
        assert_eq!(spending.spend(&TERMS, 1, ms(5040)), Err(ms(60)));
        assert_eq!(spending.spend(&TERMS, 1, ms(5100)), Ok(()));
        assert_eq!(spending.balance(&TERMS, ms(5200)).left, 1);
        assert_eq!(spending.balance(&TERMS, ms(5200)).full_in, ms(200));
        assert_eq!(spending.balance(&TERMS, ms(9000)).left, 3);
    }

    #[test]
    fn many_are_spent_at_once_or_not_at_all() {
        let spending = Spending::default();
        assert_eq!(spending.spend(&TERMS, 2, ms(0)), Ok(()));
        assert_eq!(spending.spend(&TERMS, 2, ms(0)), Err(ms(100)));
        assert_eq!(spending.spend(&TERMS, 1, ms(0)), Ok(()));
        spending.give_back(&TERMS, 2);
        assert_eq!(spending.balance(&TERMS, ms(0)).left, 2);
        assert!(spending.spend(&TERMS, 4, ms(60_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_span_of_time_brings_more_than_rate_and_burst(
            amount in 1..50_u32, burst in 1..20_u32,
            steps in prop::collection::vec((0..500_u64, 1..4_u32), 1..200),
        ) {
            let terms = RateTerms { amount, per: Duration::from_secs(1), burst };
            let spending = Spending::default();
            let mut now = 0;
            let mut spent = 0_u64;
            for (step, want) in steps {
                now += step;
                if spending.spend(&terms, want, ms(now)).is_ok() {
                    spent += u64::from(want);
                }
                let most = u64::from(burst) + now * u64::from(amount) / 1000 + 1;
                prop_assert!(spent <= most, "{spent} > {most}");
            }
        }
    }
}
