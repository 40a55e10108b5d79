//! What one caller has of a store's window, and what it is thought to wish of the next.

use super::super::number::{Epoch, Tagged};
use super::super::window::narrow;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

/// What one caller has of the window.
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// Requests that it came with.
    pub(super) asked: Tagged,
    pub(super) spent: Tagged,
    /// What it may spend in all, by the last plan.
    pub(super) firm: Tagged,
    /// What it is thought to wish, by the windows before; the highest bit: it kept to what it was shown.
    forecast: AtomicU32,
    /// Its fair share when the window began, in thousandths of a request.
    share: AtomicU32,
    /// What it is owed of windows before, in thousandths of a request.
    owed: AtomicU32,
    /// The wish that the last plan was made with.
    planned: AtomicU32,
}

const KEPT_TO_IT: u32 = 1 << 31;
const THOUSAND: f64 = 1_000.0;

/// What is left of a wish after a window without: an eighth less, and one less at least.
pub(super) const fn faded(wish: u32) -> u32 {
    wish - wish.div_ceil(8)
}

impl Cell {
    /// The wish that was known when the window began.
    pub(super) fn wish_before(&self) -> u32 {
        self.forecast.load(SeqCst) & !KEPT_TO_IT
    }

    /// What the caller is thought to wish of this window.
    pub(super) fn wish(&self, epoch: Epoch) -> u32 {
        let asked = self.asked.of(epoch).map_or(0, narrow);
        let forecast = self.wish_before();
        if asked <= forecast {
            return forecast;
        }
        // Who wishes for more than was known may wish for a little more than that.
        let more = (asked / 8).saturating_add(2);
        asked.saturating_add(more).min(KEPT_TO_IT - 1)
    }

    /// Draws the conclusions from the window that ended. `fading`: how many have ended since it began.
    pub(super) fn end_window(&self, last: Epoch, epoch: Epoch, fading: u32) {
        let before = self.forecast.load(SeqCst);
        let asked = self.asked.of(last).map_or(0, narrow);
        let spent = self.spent.of(last).map_or(0, narrow);
        if before == 0 && asked == 0 && self.asked.of(epoch).is_none() {
            return;
        }
        let kept_to_it = before & KEPT_TO_IT != 0;
        let wish = if kept_to_it && asked > 0 {
            asked.saturating_mul(2).saturating_add(2)
        } else {
            asked
        };
        // Wishes vary: what was wished lately is remembered, and fades.
        let mut forecast = wish.max(faded(before & !KEPT_TO_IT));
        for _ in 1..fading {
            forecast = faded(forecast);
        }
        self.forecast.store(forecast & !KEPT_TO_IT, SeqCst);
        // Who wished for more is owed the part of a request that could not be given.
        let due = self
            .owed
            .load(SeqCst)
            .saturating_add(self.share.load(SeqCst));
        let missed = due.saturating_sub(spent.saturating_mul(1000)).min(1000);
        self.owed
            .store(if asked > spent { missed } else { 0 }, SeqCst);
        self.share.store(0, SeqCst);
    }

    /// A plan is made with this wish.
    pub(super) fn is_planned_with(&self, wish: u32) {
        self.planned.store(wish, SeqCst);
    }

    /// Whether it has come more often than the last plan knew of.
    pub(super) fn surprises(&self, asked: u64) -> bool {
        asked > u64::from(self.planned.load(SeqCst))
    }

    /// It is shown little, and may keep to that.
    pub(super) fn is_shown_little(&self) {
        self.forecast.fetch_or(KEPT_TO_IT, SeqCst);
    }

    /// Its fair share, in a window in which nothing is spent yet.
    pub(super) fn share_out(&self, share: f64) {
        self.share.store(in_thousandths(share), SeqCst);
    }

    /// What it is owed of windows before, in requests.
    pub(super) fn owed(&self) -> f64 {
        f64::from(self.owed.load(SeqCst)) / THOUSAND
    }

    pub(super) fn take_over(&self, old: &Self) {
        for (new, old) in [
            (&self.asked, &old.asked),
            (&self.spent, &old.spent),
            (&self.firm, &old.firm),
        ] {
            let (epoch, value) = old.load();
            new.store(epoch, value);
        }
        self.forecast.store(old.forecast.load(SeqCst), SeqCst);
        self.share.store(old.share.load(SeqCst), SeqCst);
        self.owed.store(old.owed.load(SeqCst), SeqCst);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates"
)]
fn in_thousandths(share: f64) -> u32 {
    (share * THOUSAND) as u32
}
