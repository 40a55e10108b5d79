//! Who waits for the shared server.

use super::super::number::Epoch;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many callers one question tells of by name; the others' requests count as if nothing were known of them.
const NAMED: usize = 64;

/// A request that waits, and what its caller may spend as far as this gateway knows; `u32::MAX` where that is not
/// known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    pub(in super::super) name: Arc<str>,
    /// The window of which this is known.
    pub(in super::super) epoch: Epoch,
    /// What it may spend by all gateways together.
    pub(in super::super) most: u32,
    /// How many more may be sent here before there is news, and how many more if that is good.
    pub(in super::super) here: u32,
    pub(in super::super) left: u32,
}

/// The requests that wait, by their callers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting(BTreeMap<Arc<str>, Those>);

/// Those of one caller, and what was known when the last of them came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Those {
    count: u32,
    epoch: Epoch,
    most: u32,
    here: u32,
}

impl Waiting {
    /// One more waits; `false` if as many of its caller wait already as may be sent.
    pub fn come(&mut self, waiter: &Waiter) -> bool {
        let Waiter {
            epoch,
            most,
            here,
            left,
            ..
        } = *waiter;
        let those = Those {
            count: 0,
            epoch,
            most,
            here,
        };
        let known = self.0.entry(Arc::clone(&waiter.name)).or_insert(those);
        let has_room = known.count < left.max(1);
        let count = known.count + u32::from(has_room);
        *known = Those { count, ..those };
        has_room
    }

    /// One waits no longer.
    pub fn go(&mut self, waiter: &Waiter) {
        if let Some(known) = self.0.get_mut(&waiter.name) {
            known.count = known.count.saturating_sub(1);
            if known.count == 0 {
                self.0.remove(&waiter.name);
            }
        }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request of this caller waits.
    pub(in super::super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// How many requests could be sent if they were granted.
    pub(in super::super) fn count(&self) -> u32 {
        let counts = self.0.values().map(|those| those.count.min(those.here));
        counts.fold(0, u32::saturating_add)
    }

    /// What was known of another window says nothing of this one.
    pub(in super::super) fn of(mut self, epoch: Epoch) -> Self {
        for those in self.0.values_mut().filter(|those| those.epoch != epoch) {
            those.most = u32::MAX;
            those.here = u32::MAX;
        }
        self
    }

    /// Those that may not all be served: each caller's name, how many wait, and what it may spend in all.
    pub(super) fn bounded(&self) -> impl Iterator<Item = (&str, u32, u32)> {
        let all = self.0.iter().map(|(name, those)| {
            let count = those.count.min(those.here);
            (name.as_ref(), count, those.most)
        });
        all.filter(|(.., most)| *most < u32::MAX).take(NAMED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(name: &str, most: u32, here: u32) -> Waiter {
        Waiter {
            name: name.into(),
            epoch: Epoch::default(),
            most,
            here,
            left: 3,
        }
    }

    #[test]
    fn those_that_come_and_go_are_counted() {
        let mut waiting = Waiting::default();
        for (name, most) in [("crm", 5), ("erp", u32::MAX), ("crm", 3)] {
            assert!(waiting.come(&waiter(name, most, 2)));
        }
        assert_eq!(waiting.count(), 3);
        // The last one knows best.
        assert_eq!(waiting.bounded().collect::<Vec<_>>(), [("crm", 2, 3)]);
        assert!(waiting.come(&waiter("crm", 3, 2)));
        assert!(!waiting.come(&waiter("crm", 3, 2)), "more than are left");
        // Only so many could be sent at once.
        assert_eq!(waiting.bounded().collect::<Vec<_>>(), [("crm", 2, 3)]);
        assert!(waiting.has("crm") && !waiting.has("nobody"));
        waiting.go(&waiter("nobody", 3, 2));
        for _ in 0..3 {
            waiting.go(&waiter("crm", 3, 2));
        }
        waiting.go(&waiter("erp", 3, 2));
        assert!(waiting.is_empty());
    }

    #[test]
    fn what_is_known_of_another_window_does_not_count() {
        let mut waiting = Waiting::default();
        waiting.come(&waiter("crm", 3, 1));
        waiting.come(&waiter("crm", 3, 1));
        let next = waiting.clone().of(Epoch::default().next());
        assert_eq!((next.count(), next.bounded().count()), (2, 0));
        assert_eq!(waiting.clone().of(Epoch::default()), waiting);
    }

    #[test]
    fn only_some_are_told_by_name() {
        let mut waiting = Waiting::default();
        for number in 0..100 {
            waiting.come(&waiter(&format!("c{number}"), number, 1));
        }
        assert_eq!(waiting.count(), 100);
        assert_eq!(waiting.bounded().count(), NAMED);
    }
}
