//! What a run came to.

use super::callers::Appetite;
use super::world::{History, Scenario, WINDOW};

/// The windows in which the gateway learns who there is.
const LEARNING: usize = 6;

#[derive(Debug, Clone)]
pub struct Outcome {
    /// The part of the budget that was used.
    pub used: f64,
    /// The part of what was sent that BigCommerce refused.
    pub overspent: f64,
    /// Jain's index of what callers got by their fair shares.
    pub fairness: f64,
    /// The smallest part that a caller got of its fair share.
    pub least: f64,
    /// Refusals of those that keep to what they are shown.
    pub throttled_refused: u32,
    pub requests: u32,
}

impl Outcome {
    #[expect(clippy::cast_precision_loss, reason = "numbers of a simulation")]
    pub fn of(scenario: &Scenario, history: &History) -> Self {
        let windows = &history.windows[LEARNING..];
        let count = windows.len() as f64;
        let sum = |caller: usize, of: fn(&super::world::Cell) -> u32| -> u32 {
            windows.iter().map(|window| of(&window[caller])).sum()
        };
        let callers = 0..scenario.callers.len();
        let got: Vec<f64> = callers
            .clone()
            .map(|c| f64::from(sum(c, |cell| cell.got)))
            .collect();
        let refused: u32 = callers
            .clone()
            .map(|c| sum(c, |cell| cell.refused_by_store))
            .sum();
        let budget = f64::from(scenario.quota - scenario.keep_free);
        let others = (scenario.others - f64::from(scenario.keep_free)).max(0.0);
        let budget = (budget - others) * count;
        let wishes: Vec<f64> = callers
            .clone()
            .map(|caller| match scenario.callers[caller].appetite {
                Appetite::Greedy { .. } => f64::INFINITY,
                Appetite::Throttled => one_by_one(scenario) * count,
                _ => f64::from(sum(caller, |cell| cell.asked)),
            })
            .collect();
        let shares = fair(scenario, budget, &wishes, count);
        let parts: Vec<f64> = got
            .iter()
            .zip(&shares)
            .map(|(got, share)| got / share)
            .collect();
        let throttled =
            |caller: &usize| matches!(scenario.callers[*caller].appetite, Appetite::Throttled);
        let total: f64 = got.iter().sum();
        Self {
            used: total / budget.min(wishes.iter().sum()),
            overspent: f64::from(refused) / (total + f64::from(refused)),
            fairness: jain(&parts),
            least: parts.iter().copied().fold(f64::INFINITY, f64::min),
            requests: callers.clone().map(|c| sum(c, |cell| cell.got)).sum(),
            throttled_refused: callers
                .filter(throttled)
                .map(|c| sum(c, |cell| cell.refused))
                .sum(),
        }
    }

    /// Of several, the worst of each figure.
    pub fn worst(outcomes: &[Self]) -> Self {
        let pick = |of: fn(&Self) -> f64, worse: fn(f64, f64) -> f64| {
            outcomes.iter().map(of).reduce(worse).expect("a run")
        };
        Self {
            used: pick(|o| o.used, f64::min),
            overspent: pick(|o| o.overspent, f64::max),
            fairness: pick(|o| o.fairness, f64::min),
            least: pick(|o| o.least, f64::min),
            throttled_refused: outcomes.iter().map(|o| o.throttled_refused).sum(),
            requests: outcomes.iter().map(|o| o.requests).sum(),
        }
    }
}

/// How many requests one after the other fit into a window.
fn one_by_one(scenario: &Scenario) -> f64 {
    let (shortest, longest) = scenario.delay;
    // Two ways, each half of both on the average.
    let round_trip = u32::try_from(shortest + longest).expect("a short time");
    let window = u32::try_from(WINDOW).expect("a short time");
    f64::from(window) / f64::from(round_trip.max(1))
}

/// Jain's index: 1 where all are alike, 1/n where one has everything.
#[expect(clippy::cast_precision_loss, reason = "a number of callers")]
fn jain(parts: &[f64]) -> f64 {
    let sum: f64 = parts.iter().sum();
    let squares: f64 = parts.iter().map(|part| part * part).sum();
    sum * sum / (parts.len() as f64 * squares)
}

/// Weighted max-min shares with guarantees as floors, by halving the level: not the gateway's own way.
fn fair(scenario: &Scenario, budget: f64, wishes: &[f64], windows: f64) -> Vec<f64> {
    let share = |level: f64| -> Vec<f64> {
        let callers = scenario.callers.iter().zip(wishes);
        callers
            .map(|(caller, wish)| {
                let floor = f64::from(caller.guaranteed) * windows;
                (f64::from(caller.weight) * level).max(floor).min(*wish)
            })
            .collect()
    };
    let (mut low, mut high) = (0.0, budget);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if share(middle).iter().sum::<f64>() > budget {
            high = middle;
        } else {
            low = middle;
        }
    }
    share(low)
}
