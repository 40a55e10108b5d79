//! A budget that is shared with other gateways: what the shared server is asked, and what follows of its answer.
//! Without one, everything here says what holds for one gateway alone.

use super::super::number::{Epoch, millis};
use super::super::shared::{Answer, Deeds, LeaseState, Question, Reported, Waiter, Waiting};
use super::super::window::{Known, View, narrow};
use super::Ledger;
use super::cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The part of a window at whose end nothing is asked for ahead: it would come too late.
const TOO_LATE: u64 = 20;

impl Ledger {
    /// Whether the shared server must be asked before anything can be said of this window.
    pub(super) fn is_unasked(&self, epoch: Epoch) -> bool {
        let lease = self.lease.as_ref();
        lease.is_some_and(|lease| lease.is_unasked(epoch))
    }

    /// What may be spent of this window here.
    pub(super) fn most(&self, epoch: Epoch) -> u64 {
        let all = self.window.rest_of_quota(self.kept());
        match &self.lease {
            Some(lease) => lease.held(epoch, all),
            None => all.into(),
        }
    }

    /// Among how many gateways what is left must be divided here.
    pub(super) fn divisor(&self) -> u64 {
        self.lease.as_ref().map_or(1, |lease| lease.divisor())
    }

    /// Whether other gateways spend of the same window now.
    pub(super) fn is_joined(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.is_joined())
    }

    /// How many gateways spend of the same window.
    pub(super) fn joined(&self) -> u64 {
        let lease = self.lease.as_ref().filter(|lease| lease.is_joined());
        lease.map_or(1, |lease| lease.state().replicas.into())
    }

    /// When the shared server may have what is not held here, in milliseconds from now.
    pub(super) fn is_worth_asking(&self, epoch: Epoch, now: u64) -> Option<u64> {
        let spent = self.window.spent(epoch);
        self.lease.as_ref()?.is_worth_asking(epoch, spent, now)
    }

    /// What all gateways have of the window, in the place of what this one alone would.
    pub(super) fn adjust(&self, view: &mut View) {
        if let Some(lease) = &self.lease {
            let all = self.window.rest_of_quota(self.kept());
            lease.adjust(view, self.window.spent(view.epoch), all);
        }
    }

    /// What a caller does in this window by way of other gateways.
    pub(super) fn elsewhere(&self, caller: usize, epoch: Epoch) -> Deeds {
        let known = self.elsewhere.get(caller).and_then(|known| known.of(epoch));
        known.map_or_else(Deeds::default, unpack)
    }

    /// A request comes in this window: without the shared server it begins with this gateway's part.
    pub(super) fn begin(&self, epoch: Epoch) {
        if let Some(lease) = &self.lease {
            lease.held(epoch, self.window.rest_of_quota(self.kept()));
        }
    }

    /// Whether what is held will be gone soon, and there is more.
    pub fn runs_low(&self, now: Duration) -> bool {
        let Some(lease) = &self.lease else {
            return false;
        };
        let view = self.window.view(millis(now), self.kept());
        !view.has_ended
            && view.reset > view.length / TOO_LATE
            && lease.runs_low(view.epoch, self.window.spent(view.epoch))
    }

    /// Whether anything is held that another gateway may miss.
    pub fn holds(&self, now: Duration) -> bool {
        let epoch = self.window.at(millis(now));
        let lease = self.lease.as_ref();
        lease.is_some_and(|lease| lease.holds(epoch, self.window.spent(epoch)))
    }

    /// How the sharing stands; `None` where nothing is shared.
    pub fn lease_state(&self) -> Option<LeaseState> {
        self.lease.as_ref().map(|lease| lease.state())
    }

    /// A caller's request that is to wait for the shared server; `None` where nothing is shared.
    pub fn waiter(&self, caller: usize, now: Duration) -> Option<Waiter> {
        let name = Arc::clone(self.names.get(caller)?);
        let epoch = self.window.at(millis(now));
        let unbounded = Waiter {
            name,
            epoch,
            most: u32::MAX,
            here: u32::MAX,
            left: u32::MAX,
        };
        // What is for whoever comes is bounded for nobody, and where nothing was learned nothing is known.
        let pool = self.window.pool.of(epoch).unwrap_or(0);
        let elsewhere = self.elsewhere.get(caller).and_then(|known| known.of(epoch));
        let cell = self
            .cells
            .get(caller)
            .filter(|_| self.is_joined() && self.planned.of(epoch).is_some() && pool == 0);
        let (Some(cell), Some(elsewhere)) = (cell, elsewhere) else {
            return Some(unbounded);
        };
        let in_all = cell.in_all(epoch);
        if in_all >= cell::MOST {
            return Some(unbounded);
        }
        let most = unpack(elsewhere).spent + in_all;
        let spent = cell.spent.of(epoch).unwrap_or(0);
        let firm = cell.firm.of(epoch).unwrap_or(0);
        Some(Waiter {
            // What others spend is known within a 128th.
            most: narrow(most + most / 128),
            here: narrow(firm.saturating_sub(spent).max(1)),
            left: narrow(in_all.saturating_sub(spent).max(1)),
            ..unbounded
        })
    }

    /// What the gateway of this name is to ask the shared server now, for those that wait for it; `None` where
    /// nothing is shared.
    pub fn ask(
        &self,
        (replica, waiting): (&Arc<str>, Waiting),
        reported: &mut Reported,
        now: Duration,
    ) -> Option<Question> {
        let lease = self.lease.as_ref()?;
        let report = self.window.report(millis(now));
        let epoch = report.epoch;
        let expected = (
            self.terms.requests,
            millis(self.terms.per),
            self.terms.keep_free,
        );
        let most = self.window.rest_of_quota(self.kept());
        let spent = || self.window.spent(epoch);
        let mut question = lease.ask(report, spent, (expected, most), (replica, waiting), now);
        let active = self.cells.iter().enumerate().filter_map(|(caller, cell)| {
            let deeds = Deeds {
                asked: cell.asked.of(epoch).unwrap_or(0),
                spent: cell.spent.of(epoch).unwrap_or(0),
                wish: cell.prospect(epoch, &self.elsewhere(caller, epoch)).into(),
            };
            (deeds.asked > 0 || deeds.spent > 0).then_some((caller, deeds))
        });
        let waits = |caller: usize| {
            let name = self.names.get(caller);
            name.is_some_and(|name| question.waiting.has(name))
        };
        let changed = reported.changed(question.number, active.collect(), waits);
        question.callers = changed
            .into_iter()
            .filter_map(|(caller, deeds)| {
                let name = self.names.get(caller)?;
                Some((caller, Arc::clone(name), deeds))
            })
            .collect();
        Some(question)
    }

    /// The shared server has answered. Gives whether it did not before.
    pub fn answered(
        &self,
        question: &Question,
        answer: &Answer,
        reported: &mut Reported,
        now: Duration,
    ) -> bool {
        let Some(lease) = &self.lease else {
            return false;
        };
        let now = millis(now);
        let ahead = lease.read_clock(answer.now, question.sent, now);
        if answer.is_late {
            return false;
        }
        reported.answered(question, answer);
        let here = |there: u64, ahead: i64| there.saturating_add_signed(ahead.saturating_neg());
        // Never so far away that it could not be waited for.
        let length = answer.length.min(10 * question.expected.1.max(1));
        let end = here(answer.end, ahead.0).clamp(now + 1, now + 2 * length);
        let known = Known {
            is_same: answer.is_same,
            soonest: if answer.soonest > 0 {
                here(answer.soonest, ahead.1).min(end)
            } else {
                0
            },
            end,
            told: answer.told,
            quota: answer.quota,
            length,
        };
        let Some(epoch) = self.window.join(question.report.epoch, &known, now) else {
            return lease.join();
        };
        let asked = if answer.is_same {
            question.report.spent
        } else {
            question.report.on_its_way
        };
        lease.take_over(epoch, answer, asked, now);
        let is_new = lease.join();
        if self.planned.of(epoch).is_none() {
            // The first plan of a window takes notes of the one before, of which this answer says no more.
            self.plan_with(epoch, now, true);
        }
        self.learn(epoch, answer);
        self.plan_with(epoch, now, true);
        is_new
    }

    /// What other gateways' callers do.
    fn learn(&self, epoch: Epoch, answer: &Answer) {
        let told: BTreeMap<&str, u64> = answer
            .callers
            .iter()
            .map(|(name, deeds)| (name.as_str(), pack(*deeds)))
            .collect();
        for (name, number) in self.names.iter().zip(&self.elsewhere) {
            let _known = match told.get(name.as_ref()) {
                Some(deeds) => number.change(epoch, |_| Some(*deeds)),
                None if answer.is_whole => number.change(epoch, |_| Some(0)),
                None => None,
            };
        }
    }

    /// A question to the shared server has no answer.
    pub fn unanswered(&self) {
        if let Some(lease) = &self.lease {
            lease.count_silence();
        }
    }

    /// The shared server does not answer. Gives whether it did before.
    pub fn part(&self, now: Duration) -> bool {
        let Some(lease) = &self.lease else {
            return false;
        };
        let report = self.window.report(millis(now));
        let spent = self.window.spent(report.epoch);
        lease.part(report.epoch, spent, report.length, millis(now))
    }
}

/// The bits of one of three numbers that are kept in the space of one: exact below 256, then within a 256th.
const BITS: u32 = 13;
const EXACT: u32 = 8;

fn pack(deeds: Deeds) -> u64 {
    (coarse(deeds.asked) << (2 * BITS)) | (coarse(deeds.spent) << BITS) | coarse(deeds.wish)
}

fn unpack(packed: u64) -> Deeds {
    let of = |place: u32| fine((packed >> (place * BITS)) & ((1 << BITS) - 1));
    Deeds {
        asked: of(2),
        spent: of(1),
        wish: of(0),
    }
}

/// A number's first bits and how many follow them.
fn coarse(number: u64) -> u64 {
    let bits = u64::BITS - number.leading_zeros();
    let rest = u64::from(bits.saturating_sub(EXACT)).min(31);
    (rest << EXACT) | (number >> rest).min((1 << EXACT) - 1)
}

const fn fine(coarse: u64) -> u64 {
    (coarse & ((1 << EXACT) - 1)) << (coarse >> EXACT)
}

#[cfg(test)]
mod tests;
