//! Weighted max-min shares: how a window's requests are divided among callers of unlike appetites. Plain
//! numbers in, plain numbers out.
//!
//! A caller's share is what it wishes, or its part by weight, whichever is smaller, and at least its
//! guarantee; what one leaves is divided among the others in the same way (Bertsekas and Gallager, Data
//! Networks, section 6.5.2, with floors).

use std::cmp::Ordering;

/// The part of a window at its end in which shares that were kept for callers are given up, evenly: a
/// caller that uses its share evenly always finds the rest of it, and one that does not come leaves it to
/// the others while there is time to use it.
pub(super) const RELEASE: f64 = 0.25;

/// The part of a window at its end in which parts of a request are given up too.
const LAST: f64 = 1.0 / 64.0;

/// What one caller has of a window, and wishes of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Claim {
    /// Its weight, at least 1.
    pub(super) weight: u32,
    /// What is kept for it, whether it comes or not.
    pub(super) guaranteed: u32,
    /// What it has spent already.
    pub(super) spent: u32,
    /// What it is thought to wish for in the whole window.
    pub(super) wish: u32,
    /// What it is owed of windows before, from 0 to 1: parts of a request, which cannot be given.
    pub(super) owed: f64,
}

/// How what is available now is divided.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// What each caller may still spend, in the order of the claims.
    pub(super) firm: Vec<u32>,
    /// What nobody is thought to need: for whoever comes.
    pub(super) pool: u32,
    /// Each caller's fair share of the whole window.
    pub(super) shares: Vec<f64>,
    /// Whether somebody is thought to wish for more than it can have.
    pub(super) is_contended: bool,
}

impl Claim {
    fn floor(&self) -> f64 {
        f64::from(self.spent.max(self.guaranteed.min(self.demand())))
    }

    fn demand(&self) -> u32 {
        self.wish.max(self.guaranteed)
    }

    fn ceiling(&self) -> f64 {
        f64::from(self.spent.max(self.demand()))
    }
}

/// The shares of a window's `budget` by which all of it is spent, or every wish is met. What is spent
/// already is a caller's at least.
fn fair_shares(budget: f64, claims: &[Claim]) -> Vec<f64> {
    let level = level(budget, claims);
    let share = |claim: &Claim| {
        let by_weight = f64::from(claim.weight.max(1)) * level;
        by_weight.clamp(claim.floor(), claim.ceiling())
    };
    claims.iter().map(share).collect()
}

/// The requests for each unit of weight. Every claim grows with the level from its floor to its ceiling,
/// so that their sum is found by passing the points where one begins or ends to grow.
fn level(budget: f64, claims: &[Claim]) -> f64 {
    let mut sum: f64 = claims.iter().map(Claim::floor).sum();
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(2 * claims.len());
    for claim in claims {
        let weight = f64::from(claim.weight.max(1));
        if claim.ceiling() > claim.floor() {
            points.push((claim.floor() / weight, weight));
            points.push((claim.ceiling() / weight, -weight));
        }
    }
    points.sort_by(|one, other| one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal));
    let (mut at, mut slope) = (0.0, 0.0);
    for (point, change) in points {
        let here = sum + slope * (point - at);
        if here > budget {
            break;
        }
        (sum, at) = (here, point);
        slope += change;
    }
    if slope > 0.0 {
        at + ((budget - sum) / slope).max(0.0)
    } else if sum > budget {
        0.0
    } else {
        f64::INFINITY
    }
}

impl Plan {
    /// Divides what is `available` now, with this part of the window still to come (1 at its begin, 0 at
    /// its end).
    pub(super) fn of(available: u32, remaining: f64, claims: &[Claim]) -> Self {
        let spent: f64 = claims.iter().map(|claim| f64::from(claim.spent)).sum();
        let budget = spent + f64::from(available);
        // As if nothing were spent yet: who has taken what others left shall not make these share with it.
        let unspent = |claim: &Claim| Claim { spent: 0, ..*claim };
        let fresh: Vec<Claim> = claims.iter().map(unspent).collect();
        let mut shares = fair_shares(budget, &fresh);
        let mut rests = rests(&shares, remaining, claims);
        let mut sum: f64 = rests.iter().sum();
        if sum > f64::from(available) {
            // Some have taken what now is missing: what is left is shared with regard to that.
            shares = fair_shares(budget, claims);
            rests = self::rests(&shares, remaining, claims);
            sum = rests.iter().sum();
        }
        // Where not even the guarantees are there any more, everyone loses alike.
        let scale = (f64::from(available) / sum.max(f64::MIN_POSITIVE)).min(1.0);
        for rest in &mut rests {
            *rest *= scale;
        }
        let firm = whole(&rests, claims, available);
        let pool = available.saturating_sub(firm.iter().sum());
        let wishes: f64 = claims.iter().map(Claim::ceiling).sum();
        Self {
            firm,
            pool,
            shares,
            is_contended: wishes > budget,
        }
    }
}

/// What is kept for each, of its share.
fn rests(shares: &[f64], remaining: f64, claims: &[Claim]) -> Vec<f64> {
    let kept = (remaining / RELEASE).clamp(0.0, 1.0);
    let rest = |(share, claim): (&f64, &Claim)| {
        let kept = share * kept;
        // The last request of one that comes evenly is a whole one too.
        let kept = if remaining > LAST { kept.ceil() } else { kept };
        (share - f64::from(claim.spent)).min(kept).max(0.0)
    };
    shares.iter().zip(claims).map(rest).collect()
}

/// Whole numbers of the same sum: what is left by rounding down goes to those who miss most, with what
/// they are owed.
fn whole(parts: &[f64], claims: &[Claim], available: u32) -> Vec<u32> {
    let mut firm: Vec<u32> = parts.iter().map(|part| floor(*part)).collect();
    let given: u32 = firm.iter().sum();
    let all = floor(parts.iter().sum::<f64>() + 1e-6).min(available);
    let mut missing: Vec<(f64, usize)> = parts
        .iter()
        .zip(claims)
        .enumerate()
        .filter(|(_, (part, _))| **part > 0.0)
        .map(|(index, (part, claim))| (part.fract() + claim.owed, index))
        .collect();
    missing.sort_by(|one, other| other.0.partial_cmp(&one.0).unwrap_or(Ordering::Equal));
    let more = usize::try_from(all.saturating_sub(given)).unwrap_or(0);
    for (_, index) in missing.into_iter().take(more) {
        if let Some(firm) = firm.get_mut(index) {
            *firm += 1;
        }
    }
    firm
}

/// The whole requests of a number that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and what is counted here is below 2^32"
)]
fn floor(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(weight: u32, guaranteed: u32, spent: u32, wish: u32) -> Claim {
        Claim {
            weight,
            guaranteed,
            spent,
            wish,
            owed: 0.0,
        }
    }

    fn shares(budget: u32, claims: &[Claim]) -> Vec<f64> {
        let round = |share: f64| (share * 100.0).round() / 100.0;
        let shares = fair_shares(f64::from(budget), claims);
        shares.into_iter().map(round).collect()
    }

    const ALL: u32 = 1_000_000;

    #[test]
    fn shares_are_what_a_textbook_gives() {
        // Nobody wishes for more than there is.
        let modest = [claim(1, 0, 0, 20), claim(5, 0, 0, 30)];
        assert_eq!(shares(150, &modest), [20.0, 30.0]);
        // The rest of the modest goes to the others alike.
        let mixed = [
            claim(1, 0, 0, 10),
            claim(1, 0, 0, 40),
            claim(1, 0, 0, 90),
            claim(1, 0, 0, ALL),
        ];
        assert_eq!(shares(150, &mixed), [10.0, 40.0, 50.0, 50.0]);
        // By weight.
        let weighted = [claim(1, 0, 0, ALL), claim(2, 0, 0, ALL)];
        assert_eq!(shares(150, &weighted), [50.0, 100.0]);
        // A guarantee is a floor, and is paid for by the others alike.
        let floor = [
            claim(1, 90, 0, ALL),
            claim(1, 0, 0, ALL),
            claim(1, 0, 0, ALL),
        ];
        assert_eq!(shares(150, &floor), [90.0, 30.0, 30.0]);
        // It is kept for one that does not come.
        let idle = [claim(1, 90, 0, 0), claim(1, 0, 0, ALL)];
        assert_eq!(shares(150, &idle), [90.0, 60.0]);
        // What is spent is spent.
        let sunk = [claim(1, 0, 100, ALL), claim(1, 0, 0, ALL)];
        assert_eq!(shares(150, &sunk), [100.0, 50.0]);
        assert_eq!(shares(150, &[]), [0.0; 0]);
    }

    #[test]
    fn what_is_kept_is_given_up_towards_the_end() {
        let claims = [claim(1, 40, 0, 0), claim(1, 0, 60, ALL)];
        for (remaining, kept) in [(1.0, 40), (0.3, 40), (0.25, 40), (0.125, 20), (0.0, 0)] {
            let plan = Plan::of(90, remaining, &claims);
            assert_eq!(plan.firm.first(), Some(&kept), "{remaining}");
        }
        // One that spends evenly always finds the rest of its share.
        for percent in 0..100_u32 {
            let steady = claim(1, 0, percent, 100);
            let remaining = f64::from(100 - percent) / 100.0;
            let plan = Plan::of(200 - percent, remaining, &[steady, claim(1, 0, 0, ALL)]);
            assert!(plan.firm.first() >= Some(&(100 - percent)), "{percent}");
        }
    }

    #[test]
    fn parts_of_a_request_are_owed() {
        let mut claims = [claim(1, 0, 0, 9); 4];
        let plan = Plan::of(2, 1.0, &claims);
        assert_eq!(plan.firm.iter().sum::<u32>(), 2);
        claims[3].owed = 0.5;
        claims[2].owed = 0.4;
        assert_eq!(Plan::of(2, 1.0, &claims).firm, [0, 0, 1, 1]);
    }

    proptest! {
        #[test]
        fn plans_hold_what_they_promise(
            available in 0..2_000_u32,
            remaining in 0.0..=1.0_f64,
            raw in prop::collection::vec((1..100_u32, 0..50_u32, 0..300_u32, 0..500_u32), 0..40),
        ) {
            let claims: Vec<Claim> = raw.iter().map(|c| claim(c.0, c.1, c.2, c.3)).collect();
            let plan = Plan::of(available, remaining, &claims);
            prop_assert_eq!(plan.firm.len(), claims.len());
            // Never more than there is, and never less: what is not firm is for everyone.
            prop_assert_eq!(plan.firm.iter().sum::<u32>() + plan.pool, available);
            for (firm, claim) in plan.firm.iter().zip(&claims) {
                prop_assert!(claim.spent + firm <= claim.spent.max(claim.demand()) + 1);
            }
            let spent: u32 = claims.iter().map(|claim| claim.spent).sum();
            let budget = f64::from(spent + available);
            let shares = fair_shares(budget, &claims);
            let sum: f64 = shares.iter().sum();
            let floors: f64 = claims.iter().map(Claim::floor).sum();
            let ceilings: f64 = claims.iter().map(Claim::ceiling).sum();
            prop_assert!((sum - budget.clamp(floors, ceilings.max(floors))).abs() < 1e-6 * sum.max(1.0));
            // Max-min: who has less than it wishes has, by weight, at least what anyone has whom
            // neither a guarantee nor the past lifts.
            for (share, claim) in shares.iter().zip(&claims) {
                if *share + 1e-6 < claim.ceiling() {
                    for (other, rival) in shares.iter().zip(&claims) {
                        if *other > rival.floor() + 1e-6 {
                            let own = share / f64::from(claim.weight);
                            prop_assert!(own + 1e-6 >= other / f64::from(rival.weight));
                        }
                    }
                }
            }
        }
    }
}
