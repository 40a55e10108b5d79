//! What a run came to.

use super::clients::{Run, Told};
use super::fleet::CALLERS;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// What the callers got in the windows that are counted.
#[derive(Debug)]
pub struct Outcome {
    pub table: String,
    pub fairness: f64,
    pub used: f64,
    pub windows: usize,
}

impl Run {
    /// The outcome of the windows from one on to another, as they were told to the callers; the last is not
    /// whole.
    pub fn outcome(&self, first: usize) -> Outcome {
        let windows = self.windows();
        let counted: Vec<&Vec<&Told>> = windows.values().skip(first).collect();
        let counted = &counted[..counted.len().saturating_sub(1)];
        let count = counted.len();
        let of = |caller: usize, status: u16| -> f64 {
            let told = counted.iter().flat_map(|window| window.iter());
            let told = told.filter(|told| told.caller == caller && told.status == status);
            told.map(|_| 1.0).sum()
        };
        let number = f64::from(u32::try_from(count).expect("few"));
        let budget = f64::from(self.quota) * number;
        let wish = |caller: usize| CALLERS[caller].1 * budget;
        let even: f64 = (0..CALLERS.len())
            .map(wish)
            .filter(|wish| wish.is_finite())
            .sum();
        let mut table = String::from(
            "| caller | wish | share | got | refused | got of share |\n|---|---|---|---|---|---|\n",
        );
        let (mut parts, mut all) = (Vec::new(), 0.0);
        for (caller, (name, part)) in CALLERS.iter().enumerate() {
            // The even ones together wish for less than there is, and none for more than its part.
            let (wish, share) = if part.is_finite() {
                (format!("{:.0}", wish(caller)), wish(caller))
            } else {
                ("no bound".to_owned(), budget - even)
            };
            let got = of(caller, 200);
            writeln!(
                table,
                "| {name} | {wish} | {share:.0} | {got:.0} | {:.0} | {:.1} % |",
                of(caller, 429),
                got / share * 100.0
            )
            .expect("a string");
            parts.push(got / share);
            all += got;
        }
        let sum: f64 = parts.iter().sum();
        let squares: f64 = parts.iter().map(|part| part * part).sum();
        let callers = f64::from(u32::try_from(parts.len()).expect("few"));
        Outcome {
            table,
            fairness: sum * sum / (callers * squares),
            used: all / budget,
            windows: count,
        }
    }

    /// The answers by the window that they told of.
    fn windows(&self) -> BTreeMap<u128, Vec<&Told>> {
        let mut windows: BTreeMap<u128, Vec<&Told>> = BTreeMap::new();
        let granted = self.told.iter().filter(|told| told.status == 200);
        let mut ends: Vec<Duration> = granted.map(|told| told.ends).collect();
        ends.sort_unstable();
        let mut known: Vec<Duration> = Vec::new();
        for end in ends {
            if known
                .last()
                .is_none_or(|last| end > *last + self.window / 2)
            {
                known.push(end);
            }
        }
        for told in &self.told {
            // A refusal tells when to come again; its own time says in which window it was.
            let moment = if told.status == 200 {
                told.ends
            } else {
                told.at
            };
            let window = known.partition_point(|end| *end + self.window / 2 < moment);
            windows.entry(window as u128).or_default().push(told);
        }
        windows
    }
}
