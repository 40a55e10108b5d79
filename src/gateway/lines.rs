//! The lines to the shared server of quotas: where requests wait until it has been asked, one line for each
//! store, for all workers. Who asks is a thread of its own.

use crate::policy::vocabulary::StoreHash;
use crate::quota::{Waiter, Waiting};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

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

    /// Waits until the shared server has been asked, whatever came of it, at most for this time; `false` if as many
    /// of the caller's requests wait already as may be sent.
    pub async fn ask(&self, waiter: Waiter, patience: Duration) -> bool {
        let mut rounds = self.rounds.subscribe();
        let Some(_place) = Place::take(self, waiter) else {
            return false;
        };
        self.wanted.notify_one();
        // Whoever asks ends with the process; and nothing waits for ever.
        let _late = tokio::time::timeout(patience, rounds.changed()).await;
        true
    }

    /// Stands in line for this time while others may give back what they hold: what is granted meanwhile is for those
    /// that stand here too.
    pub async fn stand(&self, waiter: Waiter, time: Duration) -> bool {
        let Some(_place) = Place::take(self, waiter) else {
            return false;
        };
        tokio::time::sleep(time).await;
        true
    }

    /// Waits until something is wanted.
    pub async fn is_wanted(&self) {
        self.wanted.notified().await;
    }

    /// Whether somebody waits.
    pub fn is_waited_at(&self) -> bool {
        !self.waiting.borrow().is_empty()
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
    fn take(line: &'l Line, waiter: Waiter) -> Option<Self> {
        let mut has_room = false;
        line.waiting
            .send_modify(|waiting| has_room = waiting.come(&waiter));
        has_room.then_some(Self(line, waiter))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|waiting| waiting.go(&self.1));
    }
}
