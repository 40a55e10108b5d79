//! A store's budget and what each caller has of it. A request takes a [`Unit`] before it is sent, and the
//! unit learns from the answer.
//!
//! A request costs a few atomic numbers. Shares are planned (`Plan`) when a window begins, when a caller
//! asks for more than it was thought to wish, and when a request would be refused; by one worker at a time,
//! for as long as that takes: some microseconds, one millisecond with ten thousand callers. What a plan says
//! and what is spent meanwhile can differ by what is spent in that time, which moves a share and never the
//! store's bound.

mod cell;
mod leasing;
mod planning;
mod unit;

pub use unit::{Answered, Unit};

use super::number::{Epoch, Tagged, millis};
use super::pause::Pause;
use super::share::RELEASE;
use super::shared::Lease;
use super::window::{Kept, View, Window, narrow};
use super::{Refused, Why};
use cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

/// When a caller that was refused its share may come again: while shares are being given up, or where the next plan
/// will know of it.
const AGAIN: Duration = Duration::from_secs(1);

/// How many callers are so few that a plan for them may be made at any moment.
const FEW: u64 = 64;

const CONTENDED: u32 = u32::MAX;

/// A store's quota, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreTerms {
    /// Requests in a window, until an answer tells.
    pub requests: u32,
    /// The window's length, until an answer tells.
    pub per: Duration,
    /// Requests of each window that the gateway leaves to the store's other apps.
    pub keep_free: u32,
}

/// What a store's callers may spend.
#[derive(Debug)]
pub struct Ledger {
    terms: StoreTerms,
    pub(super) window: Arc<Window>,
    pause: Arc<Pause>,
    cells: Box<[Cell]>,
    /// What is held, where the quota is shared with other gateways.
    lease: Option<Arc<Lease>>,
    /// What each caller has asked and spent by way of other gateways; none where the quota is not shared.
    elsewhere: Box<[Tagged]>,
    /// The callers' names, by which other gateways know them; none where the quota is not shared.
    names: Arc<[Arc<str>]>,
    /// Each caller's weight.
    weights: Arc<[u32]>,
    /// The callers with a guarantee on this store, in order.
    guarantees: Box<[(usize, u32)]>,
    is_planning: AtomicBool,
    /// The weights of those that may have wishes; [`CONTENDED`] where these are more than there is.
    rivals: AtomicU32,
    /// What others than the gateway's callers have spent in the last window that was planned, and what they are
    /// thought to spend.
    others_spent: AtomicU32,
    others_wish: AtomicU32,
    /// How many callers they were planned for.
    claimants: AtomicU32,
    /// When shares were planned last.
    planned: Tagged,
}

/// What of a store's budget outlives the configuration.
struct Lasting {
    window: Arc<Window>,
    pause: Arc<Pause>,
}

impl Lasting {
    fn new(terms: &StoreTerms) -> Self {
        let window = Window::new(terms.requests, millis(terms.per));
        Self {
            window: Arc::new(window),
            pause: Arc::default(),
        }
    }
}

/// What a store's budget looks like to one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) view: View,
    pub(super) left: u32,
    pub(super) spent: u32,
}

/// What a caller has of a store's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Requests that it has spent.
    pub spent: u32,
    /// Requests that it may still spend, as far as shares are planned.
    pub left: u32,
    /// Requests that are kept for it.
    pub guaranteed: u32,
}

impl Ledger {
    /// The budget of a store whose callers have these weights and guarantees.
    pub fn new(
        terms: StoreTerms,
        weights: Arc<[u32]>,
        guarantees: impl IntoIterator<Item = (usize, u32)>,
    ) -> Self {
        Self::with(terms, weights, guarantees, Lasting::new(&terms))
    }

    fn with(
        terms: StoreTerms,
        weights: Arc<[u32]>,
        guarantees: impl IntoIterator<Item = (usize, u32)>,
        Lasting { window, pause }: Lasting,
    ) -> Self {
        let mut cells = Vec::new();
        cells.resize_with(weights.len(), Cell::default);
        let guarantees = guarantees.into_iter().filter(|(_, most)| *most > 0);
        Self {
            terms,
            window,
            pause,
            cells: cells.into(),
            lease: None,
            elsewhere: Box::default(),
            names: Arc::default(),
            weights,
            guarantees: guarantees.collect(),
            is_planning: AtomicBool::new(false),
            rivals: AtomicU32::new(0),
            others_spent: AtomicU32::new(0),
            others_wish: AtomicU32::new(0),
            claimants: AtomicU32::new(0),
            planned: Tagged::default(),
        }
    }

    /// The budget of the same store under other terms: what was spent, told and forecast stays. `before` gives
    /// each caller's number in this one.
    pub(super) fn next(
        &self,
        terms: StoreTerms,
        weights: Arc<[u32]>,
        guarantees: impl IntoIterator<Item = (usize, u32)>,
        before: impl Fn(usize) -> Option<usize>,
    ) -> Self {
        let lasting = Lasting {
            window: Arc::clone(&self.window),
            pause: Arc::clone(&self.pause),
        };
        let next = Self::with(terms, weights, guarantees, lasting);
        for (caller, cell) in next.cells.iter().enumerate() {
            if let Some(old) = before(caller).and_then(|number| self.cells.get(number)) {
                cell.take_over(old);
            }
        }
        let (epoch, at) = self.planned.load();
        next.planned.store(epoch, at);
        for (new, old) in [
            (&next.rivals, &self.rivals),
            (&next.others_spent, &self.others_spent),
            (&next.others_wish, &self.others_wish),
            (&next.claimants, &self.claimants),
        ] {
            new.store(old.load(SeqCst), SeqCst);
        }
        next
    }

    /// The same, shared with other gateways, which know the callers by these names. What the ledger before held
    /// is held still; without one, so many gateways share until the server has told.
    pub(super) fn shared(
        mut self,
        names: Arc<[Arc<str>]>,
        replicas: u32,
        before: Option<&Self>,
    ) -> Self {
        let held = before.and_then(|before| before.lease.clone());
        self.elsewhere = names.iter().map(|_| Tagged::default()).collect();
        self.names = names;
        self.lease = Some(held.unwrap_or_else(|| Arc::new(Lease::new(replicas))));
        self
    }

    /// Whether the quota is shared with other gateways.
    pub(super) fn is_shared(&self) -> bool {
        self.lease.is_some()
    }

    /// From now on its terms are in force.
    pub(super) fn come_into_force(&self) {
        self.window
            .expect(self.terms.requests, millis(self.terms.per));
    }

    /// Whether another would be the same.
    pub(super) fn is_of(
        &self,
        terms: &StoreTerms,
        weights: &[u32],
        guarantees: &[(usize, u32)],
    ) -> bool {
        self.terms == *terms && *self.weights == *weights && *self.guarantees == *guarantees
    }

    /// Takes one request of the store's quota for a caller, as its share allows. A request that `is_new`, and
    /// does not come again after waiting, counts for what the caller wishes.
    pub fn take(
        self: &Arc<Self>,
        caller: usize,
        is_new: bool,
        now: Duration,
    ) -> Result<Unit, Refused> {
        let now = millis(now);
        self.pause.check(now)?;
        let mut taken = self.take_share(caller, is_new, now);
        if matches!(taken, Err((ended, _)) if self.window.at(now) != ended) {
            // Its window ended meanwhile, by another worker's time.
            taken = self.take_share(caller, is_new, now);
        }
        let epoch = taken.map_err(|(_, refused)| refused)?;
        Ok(Unit {
            ledger: Arc::clone(self),
            caller,
            epoch,
            is_probe: false,
            sent: None,
            is_settled: false,
        })
    }

    /// The window in which it was taken, or was not.
    fn take_share(&self, caller: usize, is_new: bool, now: u64) -> Result<Epoch, (Epoch, Refused)> {
        let epoch = self.window.at(now);
        let refused = |why| (epoch, self.refused(why, now));
        if self.is_unasked(epoch) {
            return Err((epoch, Refused::ask(Why::Unasked)));
        }
        let Some(cell) = self.cells.get(caller) else {
            return Err(refused(Why::Share));
        };
        self.begin(epoch);
        // The first plan of a window takes notes of the one before, so nobody is counted in it earlier.
        if self.planned.of(epoch).is_none() {
            self.plan(epoch, now);
        }
        if is_new {
            let asked = cell.asked.add(epoch, 1) + self.elsewhere(caller, epoch).asked;
            if cell.surprises(asked) && (self.planned_for() <= FEW || self.may_plan(epoch, now)) {
                self.plan(epoch, now);
            }
        }
        if !self.take_own(cell, epoch) {
            if self.may_plan(epoch, now) {
                self.plan(epoch, now);
            }
            if !self.take_own(cell, epoch) {
                if cell.has_part() && self.is_joined() {
                    return Err((epoch, Refused::ask(Why::Unheld)));
                }
                let (epoch, mut refused) = refused(Why::Share);
                if refused.why == Why::Share && self.is_news(cell, caller, epoch) {
                    refused.retry = refused.retry.min(AGAIN);
                }
                return Err((epoch, refused));
            }
        }
        let most = || self.most(epoch);
        if self.window.take(epoch, most, self.divisor()) {
            return Ok(epoch);
        }
        cell.spent.take_one(epoch);
        if let Some(wait) = self.is_worth_asking(epoch, now) {
            let retry = Duration::from_millis(wait);
            let why = Why::Unheld;
            return Err((epoch, Refused { why, retry }));
        }
        Err(refused(Why::Store))
    }

    /// Whether a caller has come more often than the last plan knew of: where they are many, not every one can be
    /// planned for at once.
    fn is_news(&self, cell: &Cell, caller: usize, epoch: Epoch) -> bool {
        let asked = cell.asked.of(epoch).unwrap_or(0);
        cell.surprises(asked + self.elsewhere(caller, epoch).asked)
    }

    /// Takes of the caller's own share, or else of what is for whoever comes.
    fn take_own(&self, cell: &Cell, epoch: Epoch) -> bool {
        let firm = cell.firm.of(epoch).unwrap_or(0);
        let took = cell.spent.change(epoch, |spent| {
            Some(spent.unwrap_or(0) + 1).filter(|n| *n <= firm)
        });
        if took.is_some() {
            return true;
        }
        if !self.window.pool.take_one(epoch) {
            return false;
        }
        cell.firm.add(epoch, 1);
        cell.spent.add(epoch, 1);
        true
    }

    /// A request of a caller was not sent.
    fn give_back(&self, caller: usize, epoch: Epoch) {
        if let Some(cell) = self.cells.get(caller) {
            cell.spent.take_one(epoch);
        }
    }

    fn refused(&self, why: Why, now: u64) -> Refused {
        let view = self.view_at(now);
        let reset = Duration::from_millis(view.reset);
        let retry = if view.available == 0 {
            reset
        } else if why == Why::Store {
            // Others hold it, and may give it back.
            AGAIN.min(reset)
        } else {
            // What others do not come for is given up towards the window's end.
            let begins = f64_millis(view.length, 1.0 - RELEASE);
            let past = view.length.saturating_sub(view.reset);
            Duration::from_millis(begins.saturating_sub(past))
                .max(AGAIN)
                .min(reset)
        };
        let why = if view.available == 0 { Why::Store } else { why };
        Refused { why, retry }
    }

    /// What the store's budget looks like to a caller. A caller that is shown little is remembered, since it
    /// may keep to that and wish for more.
    pub(super) fn share(&self, caller: usize, now: Duration) -> Share {
        let now = millis(now);
        let mut view = self.view_at(now);
        if view.has_ended || self.is_unasked(view.epoch) {
            // The next one begins with the next request, which may come at once.
            return Share {
                view: View { reset: 1, ..view },
                left: 0,
                spent: 0,
            };
        }
        if self.planned.of(view.epoch).is_none() {
            self.plan(view.epoch, now);
        }
        let pause = millis(self.pause.rest(now));
        if pause > 0 {
            view.available = 0;
            view.reset = pause;
        }
        let (spent, elsewhere, left) = self.portion(caller, &view);
        if pause == 0
            && remaining(&view) > RELEASE
            && left <= spent.saturating_add(left) / 4
            && let Some(cell) = self.cells.get(caller)
        {
            cell.is_shown_little();
        }
        // Its share is one, by whichever gateway it comes.
        let spent = spent.saturating_add(elsewhere);
        Share { view, left, spent }
    }

    /// What a caller has spent of a window here and by other gateways, and what it may still spend.
    fn portion(&self, caller: usize, view: &View) -> (u32, u32, u32) {
        let Some(cell) = self.cells.get(caller) else {
            return (0, 0, 0);
        };
        let spent = cell.spent.of(view.epoch).map_or(0, narrow);
        let firm = narrow(cell.in_all(view.epoch));
        let pool = self.window.pool.of(view.epoch).unwrap_or(0);
        let pool = narrow(self.part_of_pool(caller, pool));
        let by_plan = firm.saturating_sub(spent).saturating_add(pool);
        let left = by_plan.min(view.available);
        let elsewhere = if self.is_joined() {
            narrow(self.elsewhere(caller, view.epoch).spent)
        } else {
            0
        };
        (spent, elsewhere, left)
    }

    /// What a caller has of the window. Unlike [`Ledger::share`], it changes nothing.
    pub(super) fn standing(&self, caller: usize, now: Duration) -> Standing {
        let view = self.view(now);
        let place = self
            .guarantees
            .binary_search_by_key(&caller, |(other, _)| *other);
        let guarantee = place.ok().and_then(|place| self.guarantees.get(place));
        let guaranteed = guarantee.map_or(0, |(_, most)| *most);
        let has_begun = !view.has_ended && !self.is_unasked(view.epoch);
        let (spent, elsewhere, left) = if has_begun && self.planned.of(view.epoch).is_some() {
            self.portion(caller, &view)
        } else {
            (0, 0, 0)
        };
        Standing {
            spent: spent.saturating_add(elsewhere),
            left: if self.rest(now).is_zero() { left } else { 0 },
            guaranteed,
        }
    }

    /// What is left to the store's other apps.
    pub(super) const fn keep_free(&self) -> u32 {
        self.terms.keep_free
    }

    /// What a caller may count on of what is for whoever comes: its part by weight, and nothing where others
    /// wish for more than there is, since they will take it.
    fn part_of_pool(&self, caller: usize, pool: u64) -> u64 {
        let weight = self.weights.get(caller).copied().unwrap_or(1);
        match self.rivals.load(SeqCst) {
            CONTENDED => 0,
            rivals => pool * u64::from(weight) / u64::from(rivals.max(weight).max(1)),
        }
    }

    fn kept(&self) -> Kept {
        Kept {
            free: self.terms.keep_free,
            of: self.terms.requests,
        }
    }

    /// What is known of the store's quota.
    pub(super) fn view(&self, now: Duration) -> View {
        self.view_at(millis(now))
    }

    fn view_at(&self, now: u64) -> View {
        let mut view = self.window.view(now, self.kept());
        self.adjust(&mut view);
        view
    }

    /// For how long the store is left alone.
    pub(super) fn rest(&self, now: Duration) -> Duration {
        self.pause.rest(millis(now))
    }
}

/// The part of a window that is still to come.
#[expect(
    clippy::cast_precision_loss,
    reason = "a window has fewer milliseconds"
)]
fn remaining(view: &View) -> f64 {
    view.reset as f64 / view.length.max(1) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a window has fewer milliseconds"
)]
fn f64_millis(length: u64, part: f64) -> u64 {
    (length as f64 * part) as u64
}

#[cfg(test)]
mod tests;
