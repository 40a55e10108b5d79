//! The plans of a window's shares: made when it begins, when a caller asks for more than it was thought to wish,
//! and when a request would be refused; by one worker at a time.

use super::super::number::Epoch;
use super::super::share::{Claim, Plan};
use super::super::window::{View, narrow};
use super::{CONTENDED, Ledger, cell, remaining};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

/// How many callers make the least time between two plans a millisecond longer: planning for them all takes
/// about a hundredth of that time.
const CALLERS_A_MILLISECOND: u64 = 100;

/// How often a request looks whether the plan that another worker is making is ready.
const PATIENCE: usize = 100_000;

impl Ledger {
    /// How many callers the last plan was for.
    pub(super) fn planned_for(&self) -> u64 {
        u64::from(self.claimants.load(SeqCst))
    }

    pub(super) fn may_plan(&self, epoch: Epoch, now: u64) -> bool {
        let between = 1 + self.planned_for() / CALLERS_A_MILLISECOND;
        let planned = self.planned.of(epoch);
        planned.is_none_or(|planned| now >= planned + between)
    }

    /// Plans the shares, or waits a moment for another's plan.
    pub(super) fn plan(&self, epoch: Epoch, now: u64) {
        self.plan_with(epoch, now, false);
    }

    /// The same, when what other gateways' callers do `is_news`.
    pub(super) fn plan_with(&self, epoch: Epoch, now: u64, is_news: bool) {
        let Some(_turn) = Turn::take(&self.is_planning) else {
            return;
        };
        let view = self.view_at(now);
        if view.epoch != epoch {
            // Another has begun meanwhile, and may be planned already: it is not to be forecast from.
            return;
        }
        let (planned, at) = self.planned.load();
        let is_first = planned != epoch;
        if is_first {
            self.forecast(planned, epoch, at, now);
        }
        let (callers, claims) = self.claims(epoch);
        let plan = Plan::of(self.for_callers(&view), remaining(&view), &claims);
        let parts = plan.firm.iter().zip(&plan.shares);
        for ((caller, claim), (firm, share)) in callers.iter().zip(&claims).zip(parts) {
            if let Some(cell) = self.cells.get(*caller) {
                // What was spent by way of other gateways is no part of what may be spent here.
                let elsewhere = self.elsewhere(*caller, epoch);
                let spent = u64::from(claim.spent).saturating_sub(elsewhere.spent);
                let most = spent + u64::from(*firm);
                cell.is_left_in_all(most);
                let has_part = self.is_joined() && cell.has_part();
                if is_news || !has_part || cell.firm.of(epoch).is_none() {
                    let here = if self.is_joined() {
                        cell.part_of(*firm, epoch, &elsewhere)
                    } else {
                        *firm
                    };
                    cell.firm.change(epoch, |_| Some(spent + u64::from(here)));
                    cell.is_planned_with(claim.wish, here < *firm);
                } else {
                    // Only news can tell that more of it may be spent here.
                    let part = cell.firm.of(epoch).unwrap_or(0).min(most);
                    cell.firm.change(epoch, |_| Some(part));
                    cell.is_planned_with(claim.wish, part < most);
                }
                // Later plans share out what is left, of which nobody is owed anything.
                if is_first {
                    cell.share_out(*share);
                }
            }
        }
        let wishing = claims.iter().filter(|claim| claim.wish > 0);
        let weights = wishing.map(|claim| u64::from(claim.weight)).sum();
        let rivals = narrow(weights).min(CONTENDED - 1);
        let rivals = if plan.is_contended { CONTENDED } else { rivals };
        self.rivals.store(rivals, SeqCst);
        let claimants = u32::try_from(claims.len()).unwrap_or(u32::MAX);
        self.claimants.store(claimants, SeqCst);
        let pool = u64::from(plan.pool).div_ceil(self.joined());
        self.window.pool.change(epoch, |_| Some(pool));
        self.planned.store(epoch, now);
    }

    /// What is there for the callers, if others spend in this window what they did in those before: they
    /// cannot be refused, so their part is set aside as a share is.
    fn for_callers(&self, view: &View) -> u32 {
        self.others_spent.fetch_max(view.others, SeqCst);
        let others = Claim {
            spent: view.others,
            wish: self.others_wish.load(SeqCst),
            ..Claim::default()
        };
        let kept = Plan::of(view.left, remaining(view), &[others]);
        let set_aside: u32 = kept.firm.iter().sum();
        view.available.min(view.left.saturating_sub(set_aside))
    }

    /// What callers wish, from what they came with in the window that was planned last.
    fn forecast(&self, last: Epoch, epoch: Epoch, at: u64, now: u64) {
        let length = self.view_at(now).length;
        // A window after which nobody came has no number of its own.
        let silent = now.saturating_sub(at) / length.max(1);
        let fading = u32::try_from(silent).unwrap_or(u32::MAX).clamp(1, 100);
        for (caller, cell) in self.cells.iter().enumerate() {
            let elsewhere = self.elsewhere(caller, last);
            cell.end_window(last, epoch, fading, &elsewhere);
        }
        let spent = self.others_spent.swap(0, SeqCst);
        let mut wish = self.others_wish.load(SeqCst);
        for _ in 0..fading {
            wish = cell::faded(wish);
        }
        self.others_wish.store(wish.max(spent), SeqCst);
    }

    /// The callers that may have wishes in this window.
    fn claims(&self, epoch: Epoch) -> (Vec<usize>, Vec<Claim>) {
        let mut of_callers = self.guarantees.iter().copied().peekable();
        let mut found = (Vec::new(), Vec::new());
        for (caller, (cell, weight)) in self.cells.iter().zip(&*self.weights).enumerate() {
            let guaranteed = of_callers.next_if(|(of, _)| *of == caller);
            // Of a part of the quota, a part of it is kept.
            let guaranteed = guaranteed.map_or(0, |(_, most)| most);
            let guaranteed = narrow(u64::from(guaranteed).div_ceil(self.divisor()));
            let elsewhere = self.elsewhere(caller, epoch);
            let wish = cell.wish(epoch, &elsewhere);
            if wish == 0 && guaranteed == 0 {
                continue;
            }
            found.0.push(caller);
            found.1.push(Claim {
                weight: *weight,
                guaranteed,
                spent: narrow(cell.spent.of(epoch).unwrap_or(0) + elsewhere.spent),
                wish,
                owed: cell.owed(),
            });
        }
        found
    }
}

/// The turn to plan.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    /// Takes the turn; `None` once another's has ended, or takes too long.
    fn take(taken: &'a AtomicBool) -> Option<Self> {
        if !taken.swap(true, SeqCst) {
            return Some(Self(taken));
        }
        for _ in 0..PATIENCE {
            if !taken.load(SeqCst) {
                break;
            }
            std::hint::spin_loop();
        }
        None
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}
