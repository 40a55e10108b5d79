//! All that one load of the configuration says about spending, with what is spent. What is spent outlives
//! the configuration: stores and callers are known again by their names.

use super::Refused;
use super::caller::{CallerTerms, Slot, Usage};
use super::ledger::{Ledger, Standing, StoreTerms, Unit};
use super::reading::{Ignored, Reading};
use super::shared::{LeaseState, Waiter};
use super::shown::{Shown, StoreFigures};
use crate::policy::vocabulary::StoreHash;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the configuration says.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The stores that have a quota.
    pub stores: Vec<(StoreHash, StoreTerms)>,
    /// The callers, in the file's order: the name, the terms, and the stores if not all.
    pub callers: Vec<(String, CallerTerms, Option<Vec<StoreHash>>)>,
    /// Whether callers are shown the store's own figures too.
    pub shows_store: bool,
    /// How many gateways share the quotas as long as the shared server has not told; `None` where they are this
    /// one's alone.
    pub replicas: Option<u32>,
}

/// What may be spent, and what is.
#[derive(Debug)]
pub struct Book {
    callers: Vec<(CallerTerms, Arc<Usage>)>,
    numbers: BTreeMap<Box<str>, usize>,
    ledgers: BTreeMap<StoreHash, Arc<Ledger>>,
    shows_store: bool,
}

/// A caller before a store.
#[derive(Debug, Clone)]
pub struct Seat {
    book: Arc<Book>,
    caller: usize,
    ledger: Option<Arc<Ledger>>,
}

/// What the operator is told of a store's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreState {
    /// The store.
    pub hash: StoreHash,
    /// Its own figures.
    pub figures: StoreFigures,
    /// What the gateway may still spend in this window.
    pub available: u32,
    /// What it leaves to the store's other apps.
    pub keep_free: u32,
    /// For how long the store is left alone.
    pub pause: Duration,
    /// How the sharing stands; `None` where the quota is this gateway's alone.
    pub lease: Option<LeaseState>,
    /// Answers whose header fields told nothing, by the reasons of [`Ignored::ALL`].
    pub ignored: [u64; Ignored::ALL.len()],
}

impl Book {
    /// The book of these terms, with what was spent by the one before; `None` where nothing is limited.
    pub fn of(terms: Terms, previous: Option<&Self>) -> Option<Self> {
        let is_limited = |caller: &(_, CallerTerms, _)| caller.1.is_limited();
        if terms.stores.is_empty() && !terms.callers.iter().any(is_limited) {
            return None;
        }
        let weights: Arc<[u32]> = terms.callers.iter().map(|caller| caller.1.weight).collect();
        let known = |name: &str| previous?.numbers.get(name).copied();
        let before: Vec<Option<usize>> = terms
            .callers
            .iter()
            .map(|caller| known(&caller.0))
            .collect();
        let names: Arc<[Arc<str>]> = match terms.replicas {
            Some(_) => (terms.callers.iter())
                .map(|caller| Arc::from(caller.0.as_str()))
                .collect(),
            None => Arc::default(),
        };
        let ledger = |(hash, store): &(StoreHash, StoreTerms)| {
            let guarantees = guarantees(&terms.callers, hash);
            let old = previous.and_then(|previous| previous.ledgers.get(hash));
            let ledger = match old {
                Some(old)
                    if is_unmoved(&before)
                        && old.is_shared() == terms.replicas.is_some()
                        && old.is_of(store, &weights, &guarantees) =>
                {
                    return (*hash, Arc::clone(old));
                }
                Some(old) => old.next(*store, Arc::clone(&weights), guarantees, |caller| {
                    before.get(caller).copied().flatten()
                }),
                None => Ledger::new(*store, Arc::clone(&weights), guarantees),
            };
            let ledger = match terms.replicas {
                Some(replicas) => {
                    ledger.shared(Arc::clone(&names), replicas, old.map(|old| &**old))
                }
                None => ledger,
            };
            (*hash, Arc::new(ledger))
        };
        let ledgers = terms.stores.iter().map(ledger).collect();
        let usage = |old: Option<usize>| {
            let old = old.and_then(|number| previous?.callers.get(number));
            old.map_or_else(Arc::default, |(_, usage)| Arc::clone(usage))
        };
        let usages = before.iter().map(|old| usage(*old));
        Some(Self {
            callers: terms
                .callers
                .iter()
                .map(|caller| caller.1)
                .zip(usages)
                .collect(),
            numbers: terms
                .callers
                .into_iter()
                .enumerate()
                .map(|(number, (name, ..))| (name.into(), number))
                .collect(),
            ledgers,
            shows_store: terms.shows_store,
        })
    }

    /// From now on its terms are in force: before, requests still go by those of the one before it.
    pub fn come_into_force(&self) {
        for ledger in self.ledgers.values() {
            ledger.come_into_force();
        }
    }

    /// The caller of this number, in the file's order, before a store; `None` where nothing limits it.
    pub fn seat(self: &Arc<Self>, caller: usize, store: &StoreHash) -> Option<Seat> {
        let (terms, _) = self.callers.get(caller)?;
        let ledger = self.ledgers.get(store);
        (ledger.is_some() || terms.is_limited()).then(|| Seat {
            book: Arc::clone(self),
            caller,
            ledger: ledger.cloned(),
        })
    }

    /// The budget of a store.
    pub fn ledger(&self, store: &StoreHash) -> Option<&Arc<Ledger>> {
        self.ledgers.get(store)
    }

    /// The budgets that are shared with other gateways.
    pub fn shared(&self) -> impl Iterator<Item = (StoreHash, &Arc<Ledger>)> {
        let shared = self.ledgers.iter().filter(|(_, ledger)| ledger.is_shared());
        shared.map(|(hash, ledger)| (*hash, ledger))
    }

    /// What the caller of this name has of each store's window. Nothing changes by looking.
    pub fn standings(
        &self,
        caller: &str,
        now: Duration,
    ) -> impl Iterator<Item = (StoreHash, Standing)> {
        let number = self.numbers.get(caller).copied();
        let known = number.into_iter().flat_map(|number| {
            let ledgers = self.ledgers.iter();
            ledgers.map(move |(hash, ledger)| (*hash, ledger.standing(number, now)))
        });
        known.collect::<Vec<_>>().into_iter()
    }

    /// What the stores' budgets are like.
    pub fn states(&self, now: Duration) -> impl Iterator<Item = StoreState> {
        self.ledgers.iter().map(move |(hash, ledger)| {
            let view = ledger.view(now);
            StoreState {
                hash: *hash,
                figures: StoreFigures::of(&view),
                available: view.available,
                keep_free: ledger.keep_free(),
                pause: ledger.rest(now),
                lease: ledger.lease_state(),
                ignored: Ignored::ALL.map(|why| ledger.window.ignored(why)),
            }
        })
    }
}

fn is_unmoved(before: &[Option<usize>]) -> bool {
    let mut before = before.iter().enumerate();
    before.all(|(number, old)| *old == Some(number))
}

fn guarantees(
    callers: &[(String, CallerTerms, Option<Vec<StoreHash>>)],
    store: &StoreHash,
) -> Vec<(usize, u32)> {
    let reaches = |stores: &Option<Vec<StoreHash>>| {
        let stores = stores.as_ref();
        stores.is_none_or(|stores| stores.contains(store))
    };
    let of = |(number, (_, terms, stores)): (usize, &(String, CallerTerms, _))| {
        (terms.guaranteed > 0 && reaches(stores)).then_some((number, terms.guaranteed))
    };
    callers.iter().enumerate().filter_map(of).collect()
}

impl Seat {
    /// The same caller and store in another book, if that is another one and limits it.
    pub fn moved_to(&self, book: &Arc<Book>, caller: &str, store: &StoreHash) -> Option<Self> {
        if Arc::ptr_eq(&self.book, book) {
            return None;
        }
        book.seat(*book.numbers.get(caller)?, store)
    }

    /// The caller's own terms.
    pub fn terms(&self) -> &CallerTerms {
        let caller = self.book.callers.get(self.caller);
        caller.map_or(&CallerTerms::UNLIMITED, |(terms, _)| terms)
    }

    /// Whether the store has a budget.
    pub fn has_budget(&self) -> bool {
        self.ledger.is_some()
    }

    /// Begins a request, within the caller's own limits.
    pub fn enter(&self, now: Duration) -> Result<Option<Slot>, Refused> {
        match self.book.callers.get(self.caller) {
            Some((terms, usage)) if terms.is_limited() => usage.enter(terms, now).map(Some),
            _ => Ok(None),
        }
    }

    /// Counts the items of a batch that is about to be sent.
    pub fn count_items(&self, items: u32, now: Duration) -> Result<(), Refused> {
        match self.book.callers.get(self.caller) {
            Some((terms, usage)) => usage.count_items(terms, items, now),
            None => Ok(()),
        }
    }

    /// Takes one request of the store's budget, if it has one ([`Ledger::take`]).
    pub fn take(&self, is_new: bool, now: Duration) -> Result<Option<Unit>, Refused> {
        let ledger = self.ledger.as_ref();
        let unit = ledger.map(|ledger| ledger.take(self.caller, is_new, now));
        unit.transpose()
    }

    /// Whether the shared server should be asked for more, before what is held is gone.
    pub fn runs_low(&self, now: Duration) -> bool {
        let ledger = self.ledger.as_ref();
        ledger.is_some_and(|ledger| ledger.runs_low(now))
    }

    /// The caller's request that is to wait for the shared server; `None` where nothing is shared.
    pub fn waiter(&self, now: Duration) -> Option<Waiter> {
        let ledger = self.ledger.as_ref()?;
        ledger.waiter(self.caller, now)
    }

    /// What the caller is shown in an answer, which itself told `reading`: the smallest of all that limits
    /// it. `None` where nothing does that can be shown.
    pub fn shown(&self, reading: Option<Reading>, now: Duration) -> Option<Shown> {
        let (terms, usage) = self.book.callers.get(self.caller)?;
        let rate = terms.rate.as_ref();
        let own = rate.map(|rate| Shown::of_rate(rate, usage.requests.balance(rate, now)));
        let store = match &self.ledger {
            Some(ledger) => Some(Shown::of_share(&ledger.share(self.caller, now))),
            None => reading.map(Shown::of_reading),
        };
        own.into_iter().chain(store).reduce(Shown::smaller)
    }

    /// The store's own figures, where they are shown.
    pub fn figures(&self, now: Duration) -> Option<StoreFigures> {
        let ledger = self.ledger.as_ref().filter(|_| self.book.shows_store)?;
        Some(StoreFigures::of(&ledger.view(now)))
    }
}

#[cfg(test)]
mod tests;
