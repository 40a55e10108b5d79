//! The keys of an issuer as all workers share them. Reading them takes no lock and writes nothing. Keys
//! that were fetched count until `keep` has passed since then, whoever should have fetched others; keys from
//! a file count until the file is read again.

use super::jwk::KeySet;
use super::refresh::ASK_AGAIN;
use arc_swap::{ArcSwapOption, Guard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// The most requests that wait for one issuer's keys at once.
const WAITERS: usize = 64;

/// The holder of an issuer's keys.
#[derive(Debug)]
pub struct Keys {
    set: ArcSwapOption<KeySet>,
    /// When the keys were fetched, in milliseconds since the epoch; 0: never.
    fetched: AtomicU64,
    /// How long they count; `None` where they come from a file.
    keep: Option<Duration>,
    fetching: AtomicBool,
    asked_from: AtomicU64,
    waiters: AtomicUsize,
    asks: Notify,
    /// Counts the ends of fetches.
    rounds: watch::Sender<u64>,
    succeeded: AtomicU64,
    failed: AtomicU64,
}

/// A request that waits for the end of a fetch.
#[derive(Debug)]
pub struct Waiting<'k> {
    keys: &'k Keys,
    rounds: watch::Receiver<u64>,
}

/// What `/metrics` tells of an issuer's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How old the keys are; `None` where there are none, or where they come from a file.
    pub age: Option<Duration>,
    /// How many keys can be used now.
    pub keys: usize,
    /// How many fetches succeeded.
    pub succeeded: u64,
    /// How many fetches failed.
    pub failed: u64,
}

impl Keys {
    /// Keys from a file.
    pub fn fixed(set: KeySet) -> Self {
        let this = Self::new(None);
        this.set.store(Some(Arc::new(set)));
        this
    }

    /// No keys yet; those that will be fetched count for so long.
    pub fn fetched(keep: Duration) -> Self {
        Self::new(Some(keep))
    }

    fn new(keep: Option<Duration>) -> Self {
        Self {
            set: ArcSwapOption::empty(),
            fetched: AtomicU64::new(0),
            keep,
            fetching: AtomicBool::new(false),
            asked_from: AtomicU64::new(0),
            waiters: AtomicUsize::new(0),
            asks: Notify::new(),
            rounds: watch::Sender::new(0),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Whether both come from a file, and are others.
    pub fn differ_from_file(&self, other: &Self) -> bool {
        let is_fixed = self.keep.is_none() && other.keep.is_none();
        is_fixed && self.set.load().as_deref() != other.set.load().as_deref()
    }

    /// The keys that count now.
    pub(super) fn current(&self, now: Duration) -> Option<Guard<Option<Arc<KeySet>>>> {
        if let Some(keep) = self.keep {
            let fetched = Duration::from_millis(self.fetched.load(Ordering::Acquire));
            if now > fetched.saturating_add(keep) {
                return None;
            }
        }
        let set = self.set.load();
        let has_keys = set.as_ref().is_some_and(|set| set.count() > 0);
        has_keys.then_some(set)
    }

    /// Takes part in the fetch that is under way, or asks for one; `None` where that may not be now.
    pub fn ask(&self, now: Duration) -> Option<Waiting<'_>> {
        self.keep?;
        // Before the question whether one is under way, so that its end is not missed.
        let rounds = self.rounds.subscribe();
        let (now, from) = (millis(now), self.asked_from.load(Ordering::Acquire));
        // Further away than ever, where the clock was set back.
        let may_ask = now >= from || from - now > millis(ASK_AGAIN);
        if !may_ask && !self.fetching.load(Ordering::Acquire) {
            return None;
        }
        if self.waiters.fetch_add(1, Ordering::AcqRel) >= WAITERS {
            self.waiters.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        self.asks.notify_one();
        Some(Waiting { keys: self, rounds })
    }

    /// Waits until a token asks for a key. Cancel safe.
    pub async fn asked(&self) {
        self.asks.notified().await;
    }

    /// A fetch begins; until `asked_from` no token may ask for another.
    pub fn begin(&self, asked_from: Duration) {
        self.fetching.store(true, Ordering::Release);
        self.asked_from.store(millis(asked_from), Ordering::Release);
    }

    /// A fetch has ended. The same keys stay the same set, so that what is known of tokens stays known.
    /// Gives whether the keys are others than before.
    pub fn end(&self, outcome: Option<KeySet>, now: Duration) -> bool {
        let mut changed = false;
        match outcome {
            Some(set) => {
                let same = self.set.load().as_deref().is_some_and(|old| *old == set);
                if !same {
                    self.set.store(Some(Arc::new(set)));
                    changed = true;
                }
                self.fetched.store(millis(now), Ordering::Release);
                self.succeeded.fetch_add(1, Ordering::Relaxed);
            }
            None => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
        }
        self.wake();
        changed
    }

    /// What was asked for will not be fetched now.
    pub fn decline(&self) {
        self.wake();
    }

    fn wake(&self) {
        self.fetching.store(false, Ordering::Release);
        self.rounds
            .send_modify(|rounds| *rounds = rounds.wrapping_add(1));
    }

    /// How the keys stand.
    pub fn standing(&self, now: Duration) -> Standing {
        let current = self.current(now);
        let set = current.as_deref().and_then(Option::as_ref);
        let fetched = Duration::from_millis(self.fetched.load(Ordering::Acquire));
        Standing {
            age: self
                .keep
                .filter(|_| set.is_some())
                .map(|_| now.saturating_sub(fetched)),
            keys: set.map_or(0, |set| set.count()),
            succeeded: self.succeeded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

impl Waiting<'_> {
    /// Waits until the fetch has ended, however. Cancel safe.
    pub async fn ended(mut self) {
        // The only error is that the holder is gone, and it is borrowed here.
        drop(self.rounds.changed().await);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.keys.waiters.fetch_sub(1, Ordering::AcqRel);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
