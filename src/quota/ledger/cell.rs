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
}

const KEPT_TO_IT: u32 = 1 << 31;
const THOUSAND: f64 = 1_000.0;

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
        // Who wishes for more than was known is given room to wish for as much again.
        asked.saturating_mul(2).clamp(4, KEPT_TO_IT - 1)
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
        let wish = if kept_to_it {
            asked.saturating_mul(2)
        } else {
            asked
        };
        let forecast = wish.max((before & !KEPT_TO_IT) >> 1) >> (fading - 1);
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
