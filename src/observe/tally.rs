//! What each caller did, by one worker. A caller is looked up by name when a worker meets it first in a
//! configuration; a request then counts without a look-up, a lock, or a cache line of another worker's.

use super::metrics::Counter;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// How many callers a worker counts for. Beyond that, those of configurations that are no longer in force are
/// forgotten first.
const MOST: usize = 16 * 1024;

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
        if known.len() >= MOST {
            known.retain(|_, tally| Arc::strong_count(tally) > 1);
        }
        let tally = Arc::<Tally>::default();
        known.insert(Arc::from(caller), Arc::clone(&tally));
        tally
    }

    /// Adds what was counted to what other workers did.
    pub(super) fn add_to(&self, all: &mut BTreeMap<Arc<str>, Counts>) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, tally) in known.iter() {
            let counts = all.entry(Arc::clone(name)).or_default();
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
    fn callers_of_long_ago_make_room() {
        let tallies = Tallies::default();
        let kept = tallies.of("kept");
        kept.count(true);
        for number in 0..MOST {
            tallies.of(&number.to_string()).count(true);
        }
        let mut all = BTreeMap::new();
        tallies.add_to(&mut all);
        assert!(all.len() < MOST, "{}", all.len());
        assert_eq!(all.get("kept").map(|counts| counts.allowed), Some(1));
    }
}
