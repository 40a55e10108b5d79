//! Who waits for the shared server.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many callers one question tells of by name; the others' requests count as if nothing were known of them.
const NAMED: usize = 64;

/// A request that waits: its caller's name, and what this caller may spend by all gateways together as far as this
/// one knows; without a bound where that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    pub(in super::super) name: Arc<str>,
    pub(in super::super) most: u32,
}

/// The requests that wait, by their callers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting(BTreeMap<Arc<str>, (u32, u32)>);

impl Waiting {
    /// One more waits.
    pub fn come(&mut self, waiter: &Waiter) {
        let (count, most) = self.0.entry(Arc::clone(&waiter.name)).or_default();
        *count = count.saturating_add(1);
        *most = waiter.most.max(*most);
    }

    /// One waits no longer.
    pub fn go(&mut self, waiter: &Waiter) {
        if let Some((count, _)) = self.0.get_mut(&waiter.name) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.0.remove(&waiter.name);
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        let counts = self.0.values().map(|(count, _)| *count);
        counts.fold(0, u32::saturating_add)
    }

    /// Those that may not all be served: each caller's name, how many wait, and what it may spend in all.
    pub(super) fn bounded(&self) -> impl Iterator<Item = (&str, u32, u32)> {
        let all = self
            .0
            .iter()
            .map(|(name, (count, most))| (name.as_ref(), *count, *most));
        all.filter(|(.., most)| *most < u32::MAX).take(NAMED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(name: &str, most: u32) -> Waiter {
        Waiter {
            name: name.into(),
            most,
        }
    }

    #[test]
    fn those_that_come_and_go_are_counted() {
        let mut waiting = Waiting::default();
        for (name, most) in [("crm", 3), ("erp", u32::MAX), ("crm", 5)] {
            waiting.come(&waiter(name, most));
        }
        assert_eq!(waiting.count(), 3);
        assert_eq!(waiting.bounded().collect::<Vec<_>>(), [("crm", 2, 5)]);
        waiting.go(&waiter("crm", 3));
        waiting.go(&waiter("nobody", 3));
        assert_eq!(waiting.bounded().collect::<Vec<_>>(), [("crm", 1, 5)]);
        waiting.go(&waiter("crm", 5));
        waiting.go(&waiter("erp", 5));
        assert_eq!(waiting, Waiting::default());
    }

    #[test]
    fn only_some_are_told_by_name() {
        let mut waiting = Waiting::default();
        for number in 0..100 {
            waiting.come(&waiter(&format!("c{number}"), number));
        }
        assert_eq!(waiting.count(), 100);
        assert_eq!(waiting.bounded().count(), NAMED);
    }
}
