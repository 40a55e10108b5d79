//! What one caller has of a store's window, and what it is thought to wish of the next.

use super::super::number::{Epoch, Tagged};
use super::super::shared::Deeds;
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
    /// What it is owed of windows before, in thousandths of a request; above it, what it may spend in all by the last
    /// plan, also where only a part of that is to be spent before there is news.
    owed: AtomicU32,
    /// The wish that the last plan was made with; above it, what part of its requests came here, by the window
    /// before; the highest bit: only a part of what is left for it may be spent here.
    planned: AtomicU32,
}

/// More than this need not be known of what a caller may spend.
pub(super) const MOST: u64 = (u32::MAX >> IN_ALL) as u64;

const OWED: u32 = (1 << 12) - 1;
const IN_ALL: u32 = 12;

const WISH: u32 = (1 << 20) - 1;
const HERE: u32 = 20;
const ALL_HERE: u32 = 128;
const PART: u32 = 1 << 31;

/// So many requests tell where a caller's requests come.
const TELLING: u64 = 8;

const KEPT_TO_IT: u32 = 1 << 31;
const THOUSAND: f64 = 1_000.0;

/// What is left of a wish after a window without: an eighth less, and one less at least.
pub(super) const fn faded(wish: u32) -> u32 {
    wish - wish.div_ceil(8)
}

/// The wish of the next window, after one in which so much was asked. Wishes vary: what was wished lately is
/// remembered, and fades.
fn prospect(before: u32, asked: u32) -> u32 {
    let wish = if before & KEPT_TO_IT != 0 && asked > 0 {
        asked.saturating_mul(2).saturating_add(2)
    } else {
        asked
    };
    wish.max(faded(before & !KEPT_TO_IT))
}

/// The part of a caller's requests that comes here, in 128ths.
fn part_here(here: u64, elsewhere: u64) -> u32 {
    narrow((here * u64::from(ALL_HERE)).div_ceil((here + elsewhere).max(1)))
}

impl Cell {
    /// The wish that was known when the window began.
    pub(super) fn wish_before(&self) -> u32 {
        self.forecast.load(SeqCst) & !KEPT_TO_IT
    }

    /// What it asked in a window, by whichever gateway.
    fn asked_in_all(&self, epoch: Epoch, elsewhere: &Deeds) -> u32 {
        narrow(self.asked.of(epoch).unwrap_or(0) + elsewhere.asked)
    }

    /// What the caller is thought to wish of this window.
    /// `elsewhere`: what it does by way of other gateways.
    pub(super) fn wish(&self, epoch: Epoch, elsewhere: &Deeds) -> u32 {
        let asked = self.asked_in_all(epoch, elsewhere);
        let forecast = self.wish_before();
        if asked <= forecast {
            return forecast;
        }
        // Who wishes for more than was known may wish for a little more than that.
        let more = (asked / 8).saturating_add(2);
        asked.saturating_add(more).min(KEPT_TO_IT - 1)
    }

    /// Draws the conclusions from the window that ended. `fading`: how many have ended since it began.
    /// `elsewhere`: what it did by way of other gateways.
    pub(super) fn end_window(&self, last: Epoch, epoch: Epoch, fading: u32, elsewhere: &Deeds) {
        // What a plan of the last window knew of it, no plan of this one knows.
        if self.planned.load(SeqCst) & (PART | WISH) != 0 {
            self.is_planned_with(0, false);
        }
        let before = self.forecast.load(SeqCst);
        let asked = self.asked_in_all(last, elsewhere);
        let spent = narrow(self.spent.of(last).unwrap_or(0) + elsewhere.spent);
        if before == 0 && asked == 0 && self.asked.of(epoch).is_none() {
            return;
        }
        if elsewhere.asked > 0 {
            self.comes_here(part_here(self.asked.of(last).unwrap_or(0), elsewhere.asked));
        } else if asked > 0 {
            self.comes_here(ALL_HERE);
        }
        // Another gateway may have seen what this one has not.
        let mut forecast = prospect(before, asked).max(narrow(elsewhere.wish));
        for _ in 1..fading {
            forecast = faded(forecast);
        }
        self.forecast.store(forecast & !KEPT_TO_IT, SeqCst);
        // Who wished for more is owed the part of a request that could not be given.
        let due = (self.owed.load(SeqCst) & OWED).saturating_add(self.share.load(SeqCst));
        let missed = due.saturating_sub(spent.saturating_mul(1000)).min(1000);
        self.owed
            .store(if asked > spent { missed } else { 0 }, SeqCst);
        self.share.store(0, SeqCst);
    }

    /// What it would be thought to wish of the next window if this one ended now.
    pub(super) fn prospect(&self, epoch: Epoch, elsewhere: &Deeds) -> u32 {
        let asked = self.asked_in_all(epoch, elsewhere);
        prospect(self.forecast.load(SeqCst), asked)
    }

    /// A plan is made with this wish, which may leave it only a part of what it has to spend here.
    pub(super) fn is_planned_with(&self, wish: u32, is_part: bool) {
        let here = self.planned.load(SeqCst) & (0xff << HERE);
        let part = if is_part { PART } else { 0 };
        self.planned.store(part | here | wish.min(WISH), SeqCst);
    }

    /// Whether it has come more often than the last plan knew of.
    pub(super) fn surprises(&self, asked: u64) -> bool {
        asked > u64::from(self.planned.load(SeqCst) & WISH)
    }

    /// Whether more was left for it than may be spent here before that is planned anew.
    pub(super) fn has_part(&self) -> bool {
        self.planned.load(SeqCst) & PART != 0
    }

    fn comes_here(&self, part: u32) {
        let before = self.planned.load(SeqCst);
        self.planned
            .store((before & !(0xff << HERE)) | (part << HERE), SeqCst);
    }

    /// What of so many requests may be spent here before it is known what was spent elsewhere meanwhile: of those
    /// that come by several gateways, as large a part as comes here.
    pub(super) fn part_of(&self, rest: u32, epoch: Epoch, elsewhere: &Deeds) -> u32 {
        let asked = self.asked.of(epoch).unwrap_or(0);
        let here = if asked + elsewhere.asked >= TELLING {
            part_here(asked, elsewhere.asked)
        } else {
            match (self.planned.load(SeqCst) >> HERE) & 0xff {
                0 if elsewhere.asked == 0 => ALL_HERE,
                known => known,
            }
        };
        let part = u64::from(rest) * u64::from(here);
        narrow(part.div_ceil(u64::from(ALL_HERE))).max(rest.min(1))
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
        f64::from(self.owed.load(SeqCst) & OWED) / THOUSAND
    }

    /// What it may spend in all, by a plan.
    pub(super) fn is_left_in_all(&self, most: u64) {
        let owed = self.owed.load(SeqCst) & OWED;
        let most = narrow(most).min(u32::MAX >> IN_ALL);
        self.owed.store((most << IN_ALL) | owed, SeqCst);
    }

    /// What it may spend in all by the last plan, of this window if there was one; exact below [`MOST`].
    pub(super) fn in_all(&self, epoch: Epoch) -> u64 {
        let firm = self.firm.of(epoch).unwrap_or(0);
        if self.has_part() {
            firm.max(u64::from(self.owed.load(SeqCst) >> IN_ALL))
        } else {
            firm
        }
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
