//! A store that BigCommerce wants left alone: after a 429 that does not say when the quota is there again,
//! which means that the platform is under load, and after a 503 that asks to come back later. Nobody is sent
//! until the pause is over; then one request goes first, and its answer decides for all.
//!
//! A 429 without `X-Rate-Limit-*` is load of the platform:
//! <https://developer.bigcommerce.com/docs/start/best-practices/api-rate-limits>

use super::number::millis;
use super::{Refused, Why};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

/// The first pause, where the answer asks for none or a shorter one. Each one that follows is twice as long.
const FIRST: u64 = 1_000;

/// The longest pause that grows by itself.
const LONGEST: u64 = 60_000;

/// How long the one request that goes first is waited for.
const PROBE: u64 = 15_000;

/// When to look again while that one is under way.
const AGAIN: Duration = Duration::from_secs(1);

/// Why BigCommerce wants a store left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Burden {
    /// It answered 429 without the four headers.
    PlatformLoad,
    /// It answered 503 and said when to come back.
    Unavailable,
}

/// Whether a store is to be left alone. Times are in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// When it ends; 0 where there is none.
    until: AtomicU64,
    /// Until when the one that goes first is waited for; 0 where none does.
    probe: AtomicU64,
    strikes: AtomicU32,
    is_unavailable: AtomicU32,
}

/// Whether a request is the one that goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IsProbe(pub(super) bool);

impl Pause {
    /// Whether it makes sense to prepare a request for the store.
    pub(super) fn check(&self, now: u64) -> Result<(), Refused> {
        let until = self.until.load(SeqCst);
        if now < until {
            return Err(self.refused(Duration::from_millis(until - now)));
        }
        if until > 0 && now < self.probe.load(SeqCst) {
            return Err(self.refused(AGAIN));
        }
        Ok(())
    }

    fn refused(&self, retry: Duration) -> Refused {
        Refused {
            why: self.why(),
            retry,
        }
    }

    /// Whether a request may go to the store, and is the one that goes first.
    pub(super) fn admit(&self, now: u64) -> Result<IsProbe, Refused> {
        self.check(now)?;
        if self.until.load(SeqCst) == 0 {
            return Ok(IsProbe(false));
        }
        let probe = self.probe.load(SeqCst);
        let first = (self.probe).compare_exchange(probe, now + PROBE, SeqCst, SeqCst);
        first
            .map(|_| IsProbe(true))
            .map_err(|_| self.refused(AGAIN))
    }

    /// BigCommerce answered that it is under load. `chance`, evenly from 0 to 1, lengthens the pause by up to
    /// a half, so that those who wait do not come back together.
    ///
    /// While there is a pause, only the one that goes first can begin the next: what was under way together
    /// is one sign, and at most asks for a longer wait.
    pub(super) fn strike(
        &self,
        burden: Burden,
        wish: Duration,
        is_probe: bool,
        chance: f64,
        now: u64,
    ) {
        let until = self.until.load(SeqCst);
        if until > 0 && !is_probe {
            self.until.fetch_max(now + millis(wish), SeqCst);
            return;
        }
        let strikes = self.strikes.load(SeqCst);
        let grown = FIRST.saturating_mul(1 << strikes.min(16)).min(LONGEST);
        let base = grown.max(millis(wish));
        let pause = base + share_of(base, chance);
        if (self.until)
            .compare_exchange(until, now + pause, SeqCst, SeqCst)
            .is_ok()
        {
            let is_unavailable = u32::from(burden == Burden::Unavailable);
            self.strikes.fetch_add(1, SeqCst);
            self.is_unavailable.store(is_unavailable, SeqCst);
            self.probe.store(0, SeqCst);
        }
    }

    /// The request that went first was answered otherwise; if another has begun a pause since, that stands.
    pub(super) fn clear(&self, now: u64) {
        if now < self.until.load(SeqCst) {
            return;
        }
        self.strikes.store(0, SeqCst);
        self.probe.store(0, SeqCst);
        self.until.store(0, SeqCst);
    }

    /// Nothing is known of the request that went first: another one may.
    pub(super) fn probe_again(&self) {
        self.probe.store(0, SeqCst);
    }

    /// For how long it still lasts.
    pub(super) fn rest(&self, now: u64) -> Duration {
        Duration::from_millis(self.until.load(SeqCst).saturating_sub(now))
    }

    fn why(&self) -> Why {
        if self.is_unavailable.load(SeqCst) == 0 {
            Why::PlatformLoad
        } else {
            Why::Unavailable
        }
    }
}

/// Up to a half of a time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "it is a time of minutes, and need not be exact"
)]
fn share_of(base: u64, chance: f64) -> u64 {
    (base as f64 * chance.clamp(0.0, 1.0) / 2.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    #[test]
    fn pauses_grow_and_one_goes_first() {
        let pause = Pause::default();
        assert_eq!(pause.admit(0), Ok(IsProbe(false)));
        pause.strike(Burden::PlatformLoad, NONE, false, 0.0, 100);
        // Those that were under way with it change nothing.
        pause.strike(Burden::Unavailable, NONE, false, 1.0, 101);
        let refused = |why, millis| {
            Err(Refused {
                why,
                retry: Duration::from_millis(millis),
            })
        };
        assert_eq!(pause.admit(100), refused(Why::PlatformLoad, 1000));
        assert_eq!(pause.admit(1099), refused(Why::PlatformLoad, 1));
        assert_eq!(pause.admit(1100), Ok(IsProbe(true)));
        assert_eq!(pause.admit(1100), refused(Why::PlatformLoad, 1000));
        // One that was under way before it changes nothing either.
        pause.strike(Burden::PlatformLoad, NONE, false, 1.0, 1150);
        pause.strike(Burden::PlatformLoad, NONE, true, 1.0, 1200);
        // One that went first before this pause comes back late.
        pause.clear(4000);
        assert_eq!(pause.admit(4199), refused(Why::PlatformLoad, 1));
        assert_eq!(pause.admit(4200), Ok(IsProbe(true)));
        // It got lost: another goes.
        pause.probe_again();
        assert_eq!(pause.admit(4201), Ok(IsProbe(true)));
        // It was never heard of again.
        assert!(pause.admit(4201 + PROBE - 1).is_err());
        assert_eq!(pause.admit(4201 + PROBE), Ok(IsProbe(true)));
        pause.clear(4201 + PROBE);
        assert_eq!(pause.admit(30_000), Ok(IsProbe(false)));
        pause.strike(Burden::PlatformLoad, NONE, false, 0.0, 30_000);
        assert_eq!(pause.rest(30_000), Duration::from_secs(1));
    }

    #[test]
    fn a_wish_is_kept_to_and_growth_has_a_bound() {
        let pause = Pause::default();
        pause.strike(Burden::Unavailable, Duration::from_secs(7), false, 0.5, 0);
        assert_eq!(pause.rest(0), Duration::from_millis(8750));
        let refused = pause.admit(0).unwrap_err();
        assert_eq!(refused.why, Why::Unavailable);
        let mut now = 8750;
        for _ in 0..40 {
            pause.strike(Burden::PlatformLoad, NONE, true, 1.0, now);
            let rest = pause.rest(now);
            assert!(rest <= Duration::from_secs(90));
            now += millis(rest);
        }
        assert_eq!(pause.rest(now - 90_000), Duration::from_secs(90));
    }
}
