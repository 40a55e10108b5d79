//! The snapshot in force, which a reload replaces while requests are served. Whoever has been told that a
//! snapshot is in force can rely on it that no request which begins later sees an older one.

use super::snapshot::Snapshot;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The snapshot in force, shared by all threads.
#[expect(missing_debug_implementations, reason = "it holds credentials")]
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    generation: AtomicU64,
}

impl Live {
    /// The first snapshot.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot: ArcSwap::new(snapshot),
            generation: AtomicU64::new(1),
        }
    }

    /// How many snapshots there have been. To be read before the snapshot that it is kept with: that one is
    /// then at least as new.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts a snapshot into force; gives the one before. Called by one thread alone.
    pub fn replace(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let before = self.snapshot.swap(snapshot);
        self.generation.fetch_add(1, Ordering::Release);
        before
    }
}
