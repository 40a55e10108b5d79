//! What one worker counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A counter with one writer; any thread may read it.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Only the owning worker adds, so that no locked instruction is needed.
    pub(super) fn add(&self, count: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(count), Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
