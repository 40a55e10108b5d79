//! The lines to the shared server of quotas: where requests wait until it has been asked, one line for each
//! store, for all workers. Who asks is a thread of its own.

use crate::policy::vocabulary::StoreHash;
use crate::quota::{Waiter, Waiting};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How long a request waits for an answer that should long be there: longer than whoever asks does.
const PATIENCE: Duration = Duration::from_secs(1);

/// The lines of the stores whose quota is shared.
#[derive(Debug, Clone, Default)]
pub struct Lines(Arc<ArcSwap<BTreeMap<StoreHash, Arc<Line>>>>);

/// The line of one store.
#[derive(Debug)]
pub struct Line {
    waiting: watch::Sender<Waiting>,
    wanted: Notify,
    rounds: watch::Sender<u64>,
}

/// One who waits.
struct Place<'l>(&'l Line, Waiter);

impl Lines {
    /// From now on these stores have a line; those that had one keep it.
    pub fn keep(&self, stores: impl IntoIterator<Item = StoreHash>) {
        let before = self.0.load();
        let line = |store| {
            let known = before.get(&store).map(Arc::clone);
            (store, known.unwrap_or_default())
        };
        self.0
            .store(Arc::new(stores.into_iter().map(line).collect()));
    }

    /// The line of a store.
    pub fn of(&self, store: &StoreHash) -> Option<Arc<Line>> {
        self.0.load().get(store).cloned()
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            waiting: watch::Sender::default(),
            wanted: Notify::new(),
            rounds: watch::Sender::new(0),
        }
    }
}

impl Line {
    /// More will be wanted soon; nobody waits.
    pub fn run_low(&self) {
        self.wanted.notify_one();
    }

    /// Waits until the shared server has been asked, whatever came of it.
    pub async fn ask(&self, waiter: Waiter) {
        let mut rounds = self.rounds.subscribe();
        let _place = Place::take(self, waiter);
        self.wanted.notify_one();
        // Whoever asks ends with the process; and nothing waits for ever.
        let _late = tokio::time::timeout(PATIENCE, rounds.changed()).await;
    }

    /// Waits until something is wanted.
    pub async fn is_wanted(&self) {
        self.wanted.notified().await;
    }

    /// Who waits.
    pub fn waiting(&self) -> Waiting {
        self.waiting.borrow().clone()
    }

    /// The server has been asked: those who wait look again.
    pub fn end_round(&self) {
        self.rounds
            .send_modify(|round| *round = round.wrapping_add(1));
    }
}

impl<'l> Place<'l> {
    fn take(line: &'l Line, waiter: Waiter) -> Self {
        line.waiting.send_modify(|waiting| waiting.come(&waiter));
        Self(line, waiter)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|waiting| waiting.go(&self.1));
    }
}
