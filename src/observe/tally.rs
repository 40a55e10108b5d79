//! What each caller did, by one worker. A caller is looked up by name when a worker meets it first in a
//! configuration; a request then counts without a look-up, a lock, or a cache line of another worker's.

use super::counter::Counter;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// How many callers a worker counts for. Those beyond are counted together, so that no counter ever goes back.
const MOST: usize = 16 * 1024;

/// The name of those beyond.
const OTHERS: &str = "(others)";

/// Taken when a worker meets a caller for the first time, and when somebody reads.
#[expect(
    clippy::disallowed_types,
    reason = "never taken by a request whose caller is known"
)]
type Lock<T> = std::sync::Mutex<T>;

/// What one caller did by way of one worker.
#[derive(Debug, Default)]
pub struct Tally {
    allowed: Counter,
    denied: Counter,
}

/// What a caller did since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Requests that policy allowed, whatever became of them.
    pub allowed: u64,
    /// Requests that were refused.
    pub denied: u64,
}

/// The tallies of one worker.
#[derive(Debug, Default)]
pub(super) struct Tallies(Lock<BTreeMap<Arc<str>, Arc<Tally>>>);

impl Counts {
    /// All of its requests.
    pub(super) const fn count(self) -> u64 {
        self.allowed + self.denied
    }
}

impl Tally {
    /// A request of the caller's ended.
    pub fn count(&self, is_allowed: bool) {
        if is_allowed {
            self.allowed.add(1);
        } else {
            self.denied.add(1);
        }
    }
}

impl Tallies {
    /// Where the requests of a caller are counted.
    pub(super) fn of(&self, caller: &str) -> Arc<Tally> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tally) = known.get(caller) {
            return Arc::clone(tally);
        }
        let name = if known.len() < MOST { caller } else { OTHERS };
        Arc::clone(known.entry(Arc::from(name)).or_default())
    }

    /// Adds what was counted to what other workers did.
    pub(super) fn add_to(&self, all: &mut BTreeMap<Arc<str>, Counts>) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known: Vec<_> = (known.iter())
            .map(|(name, tally)| (Arc::clone(name), Arc::clone(tally)))
            .collect();
        for (name, tally) in known {
            let counts = all.entry(name).or_default();
            counts.allowed += tally.allowed.get();
            counts.denied += tally.denied.get();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_summed_and_a_caller_is_known_again() {
        let workers = [Tallies::default(), Tallies::default()];
        workers[0].of("crm").count(true);
        workers[0].of("crm").count(false);
        workers[1].of("crm").count(true);
        workers[1].of("erp").count(false);
        let mut all = BTreeMap::new();
        for worker in &workers {
            worker.add_to(&mut all);
        }
        let told: Vec<_> = all
            .iter()
            .map(|(name, counts)| (&**name, counts.allowed, counts.denied))
            .collect();
        assert_eq!(told, [("crm", 2, 1), ("erp", 0, 1)]);
    }

    #[test]
    fn those_beyond_are_counted_together() {
        let tallies = Tallies::default();
        for number in 0..MOST + 3 {
            tallies.of(&number.to_string()).count(true);
        }
        tallies.of("0").count(true);
        let mut all = BTreeMap::new();
        tallies.add_to(&mut all);
        assert_eq!(all.len(), MOST + 1);
        let count = |name: &str| all.get(name).map(|counts| counts.count());
        assert_eq!((count("0"), count(OTHERS)), (Some(2), Some(3)));
    }
}
