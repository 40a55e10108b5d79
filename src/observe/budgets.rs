//! How the stores' quotas stand, for `/metrics` and `/readyz`.

use super::clock::Clock;
use super::metrics::{count_of, gauge};
use crate::policy::vocabulary::StoreHash;
use crate::quota::{Book, Ignored, LeaseState, Standing, StoreState};
use arc_swap::ArcSwapOption;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// The stores' quotas in the configuration that counts.
#[derive(Debug, Clone)]
pub struct Budgets {
    book: Arc<ArcSwapOption<Book>>,
    waiting: Waiting,
    clock: Clock,
}

/// How many requests wait for their turn to be sent.
#[derive(Debug, Clone, Default)]
pub struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// Nobody does.
    pub fn is_none(&self) -> bool {
        self.0.load(SeqCst) == 0
    }

    /// One more does.
    pub fn begin(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    /// How many do.
    pub(super) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }

    /// One less does.
    pub fn end(&self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Budgets {
    /// None yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            book: Arc::default(),
            waiting: Waiting::default(),
            clock,
        }
    }

    /// Where those are counted that wait.
    pub fn waiting(&self) -> Waiting {
        self.waiting.clone()
    }

    /// From now on this is what counts.
    pub fn show(&self, book: Option<&Arc<Book>>) {
        self.book.store(book.cloned());
    }

    /// The stores whose quota should be shared and is not, and among how many gateways each divides it.
    pub fn alone(&self) -> Vec<(String, u32)> {
        let mut alone = Vec::new();
        for state in self.states() {
            if let Some(lease) = state.lease.filter(|lease| !lease.is_joined) {
                alone.push((state.hash.as_str().to_owned(), lease.replicas));
            }
        }
        alone
    }

    /// The stores that BigCommerce wants left alone, and for how long.
    pub fn paused(&self) -> Vec<(String, Duration)> {
        let mut paused = Vec::new();
        for state in self.states() {
            if !state.pause.is_zero() {
                paused.push((state.hash.as_str().to_owned(), state.pause));
            }
        }
        paused
    }

    /// What time it is.
    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// The time by which windows are counted.
    pub(super) fn steady(&self) -> Duration {
        self.clock.steady()
    }

    /// The stores' windows, for the status page.
    pub(super) fn told(&self) -> Vec<Value> {
        self.states().iter().map(told).collect()
    }

    /// What a caller has of each store's window, for the status page.
    pub(super) fn shares(&self) -> impl Fn(&str) -> Vec<Value> {
        let (book, now) = (self.book.load_full(), self.clock.steady());
        let told = |(store, standing): (StoreHash, Standing)| {
            json!({
                "store": store.as_str(),
                "spent": standing.spent,
                "left": standing.left,
                "guaranteed": standing.guaranteed,
            })
        };
        move |caller| {
            let book = book.as_ref();
            let standings = book
                .into_iter()
                .flat_map(|book| book.standings(caller, now));
            standings.map(told).collect()
        }
    }

    fn states(&self) -> Vec<StoreState> {
        let book = self.book.load();
        let states = |book: &Arc<Book>| book.states(self.clock.steady()).collect();
        book.as_ref().map(states).unwrap_or_default()
    }
}

fn told(state: &StoreState) -> Value {
    let shown = &state.figures.shown;
    json!({
        "store": state.hash.as_str(),
        "window_ms": shown.window,
        "reset_ms": shown.reset,
        "quota": shown.quota,
        "left": shown.left,
        "available": state.available,
        "keep_free": state.keep_free,
        "is_told": state.figures.is_told,
        "pause_ms": u64::try_from(state.pause.as_millis()).unwrap_or(u64::MAX),
        "shared": state.lease.map(|lease| json!({
            "is_joined": lease.is_joined,
            "replicas": lease.replicas,
        })),
    })
}

type Figure = (&'static str, &'static str, fn(&StoreState) -> f64);

const FIGURES: [Figure; 5] = [
    (
        "store_quota_requests",
        "Requests in a window of the store, for everything that uses it",
        |state| f64::from(state.figures.shown.quota),
    ),
    (
        "store_quota_left",
        "Requests left of it, as far as is known",
        |state| f64::from(state.figures.shown.left),
    ),
    (
        "store_quota_available",
        "Requests left of it for the gateway's callers",
        |state| f64::from(state.available),
    ),
    (
        "store_quota_told",
        "1 if an answer has told the quota in this window",
        |state| f64::from(u8::from(state.figures.is_told)),
    ),
    (
        "store_pause_seconds",
        "How long the store is still left alone, because BigCommerce asked for it",
        |state| state.pause.as_secs_f64(),
    ),
];

type LeaseFigure = (&'static str, &'static str, fn(&LeaseState) -> u64);

const LEASES: [LeaseFigure; 2] = [
    (
        "store_quota_shared",
        "1 if the shared server answers, 0 while the gateway goes on with its own part",
        |lease| u64::from(lease.is_joined),
    ),
    (
        "store_quota_replicas",
        "How many gateways share the quota, as far as is known",
        |lease| lease.replicas.into(),
    ),
];

impl Collector for Budgets {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let waiting = self.waiting.count() as u64;
        let help = "Requests that wait for their turn to be sent";
        gauge(&mut encoder, "requests_waiting", help, waiting)?;
        let states = self.states();
        if states.is_empty() {
            return Ok(());
        }
        for (name, help, figure) in FIGURES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for state in &states {
                let labels = [("store", state.hash.as_str())];
                let value = figure(state);
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        encode_leases(&mut encoder, &states)?;
        let help = "Answers whose quota header fields told nothing, by reason";
        let name = "store_quota_ignored";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for state in &states {
            for (why, count) in Ignored::ALL.iter().zip(state.ignored) {
                let labels = [("store", state.hash.as_str()), ("reason", why.as_str())];
                count_of(family.encode_family(&labels)?, count)?;
            }
        }
        Ok(())
    }
}

/// How the sharing stands, where quotas are shared.
fn encode_leases(encoder: &mut DescriptorEncoder<'_>, states: &[StoreState]) -> fmt::Result {
    let shared: Vec<(&str, LeaseState)> = states
        .iter()
        .filter_map(|state| Some((state.hash.as_str(), state.lease?)))
        .collect();
    if shared.is_empty() {
        return Ok(());
    }
    for (name, help, figure) in LEASES {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (store, lease) in &shared {
            let labels = [("store", *store)];
            family
                .encode_family(&labels)?
                .encode_gauge(&figure(lease))?;
        }
    }
    let name = "store_quota_questions";
    let help = "Questions to the shared server, by whether it answered";
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (store, lease) in &shared {
        for (outcome, count) in [("answered", lease.answered), ("silent", lease.unanswered)] {
            let labels = [("store", *store), ("outcome", outcome)];
            count_of(family.encode_family(&labels)?, count)?;
        }
    }
    Ok(())
}
