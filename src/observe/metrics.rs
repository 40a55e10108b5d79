//! Counters. Each worker owns its own and is their only writer; a scrape sums them. Nothing is looked
//! up by a label on the request path: a counter's place follows from the enums.

mod exposition;
pub(super) mod sums;

pub use exposition::Exposition;
pub(super) use exposition::{count_of, gauge};

use super::counter::Counter;
use super::line::Outcome;
use super::tally::{Tallies, Tally};
use crate::denial::Code;
use crate::policy::vocabulary::Verb;
use std::sync::Arc;
use std::time::Duration;

/// How long something took, in the buckets of [`BUCKETS`] and one for what is beyond.
#[derive(Debug, Default)]
pub(super) struct Durations {
    buckets: [Counter; BUCKETS.len() + 1],
    microseconds: Counter,
}

impl Durations {
    fn add(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.partition_point(|bound| *bound < seconds);
        if let Some(counter) = self.buckets.get(bucket) {
            counter.add(1);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(0);
        self.microseconds.add(micros);
    }
}

/// Upper bounds of the latencies' buckets, in seconds: BigCommerce answers in tens to
/// hundreds of milliseconds, and the deadline is below 7 s. Each is about 1.6 times the one before (the series R5
/// of ISO 3, rounded): a quantile read from them is at most 1.6 times too large or small.
pub(super) const BUCKETS: [f64; 21] = [
    0.001, 0.0016, 0.0025, 0.004, 0.0063, 0.01, 0.016, 0.025, 0.04, 0.063, 0.1, 0.16, 0.25, 0.4,
    0.63, 1.0, 1.6, 2.5, 4.0, 6.3, 10.0,
];

/// A request's operation, or none where the route is unknown.
const VERBS: usize = Verb::ALL.len() + 1;
/// Every code, and after them the outcomes that have another word.
const OUTCOMES: usize = Code::ALL.len() + OTHERS.len();
/// The decision and the word of each of those.
const OTHERS: [(&str, &str); 7] = [
    ("allowed", "ok"),
    ("allowed", "client_gone"),
    ("denied", "client_gone"),
    ("allowed", "drain_cut"),
    ("denied", "drain_cut"),
    ("allowed", "answer_timeout"),
    ("allowed", "overloaded"),
];

/// How much of something is taken now; one writer, and any thread may read it.
#[derive(Debug, Default)]
pub struct Level(Counter);

impl Level {
    /// More is taken.
    pub fn rise(&self, by: usize) {
        self.0.add(by as u64);
    }

    /// Some is given back.
    pub fn fall(&self, by: usize) {
        self.0.add((by as u64).wrapping_neg());
    }

    /// How much is taken.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Why a connection was closed without a gateway's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareClose {
    /// Bytes that are no HTTP request, or a protocol error.
    Malformed,
    /// The head did not arrive in time.
    HeadTimeout,
    /// The TLS handshake failed or took too long.
    Handshake,
    /// The client did not take its answer.
    WriteTimeout,
    /// The client took too long for its answer.
    AnswerTimeout,
    /// The drain's time was over.
    Drained,
    /// It was one too many, and could not be told so.
    TurnedAway,
    /// A defect in the gateway ended the connection.
    Panic,
}

impl BareClose {
    const ALL: [Self; 8] = [
        Self::Malformed,
        Self::HeadTimeout,
        Self::Handshake,
        Self::WriteTimeout,
        Self::AnswerTimeout,
        Self::Drained,
        Self::TurnedAway,
        Self::Panic,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::HeadTimeout => "head_timeout",
            Self::Handshake => "handshake",
            Self::WriteTimeout => "write_timeout",
            Self::AnswerTimeout => "answer_timeout",
            Self::Drained => "drain_timeout",
            Self::TurnedAway => "turned_away",
            Self::Panic => "panic",
        }
    }
}

/// What a look-up of a metafield's owner came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookUp {
    /// The owner.
    Found,
    /// Another answer of BigCommerce, passed on as it is.
    Answered,
    /// A failure.
    Failed,
}

impl LookUp {
    const ALL: [Self; 3] = [Self::Found, Self::Answered, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Answered => "answered",
            Self::Failed => "failed",
        }
    }
}

/// What became of a signed token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It was judged and is good.
    Good,
    /// It had been judged before and is still good.
    Remembered,
    /// It does not prove what it claims.
    Invalid,
    /// Its time is over.
    Expired,
    /// No caller, or more than one, is bound to it.
    Unbound,
    /// The keys of its issuer could not be had.
    NoKeys,
}

impl Judged {
    const ALL: [Self; 6] = [
        Self::Good,
        Self::Remembered,
        Self::Invalid,
        Self::Expired,
        Self::Unbound,
        Self::NoKeys,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Remembered => "remembered",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Unbound => "unbound",
            Self::NoKeys => "no_keys",
        }
    }
}

/// One worker's counters.
#[derive(Debug)]
pub struct WorkerMetrics {
    requests: [[Counter; OUTCOMES]; VERBS],
    accepted: Counter,
    closed: Counter,
    parked: Counter,
    awakened: Counter,
    bare: [Counter; BareClose::ALL.len()],
    judged: [Counter; Judged::ALL.len()],
    upstream_opened: Counter,
    upstream_retried: Counter,
    credential_renewed: Counter,
    reported: [Counter; Code::ALL.len()],
    previous_credential: Counter,
    upstream_status: Vec<Counter>,
    upstream: Durations,
    /// Of the requests that policy allowed, and of those that it did not.
    allowed: Durations,
    denied: Durations,
    /// The bytes that bodies and answers take in memory.
    pub bodies: Arc<Level>,
    /// As above, of answers.
    pub answers: Arc<Level>,
    owners_hit: Counter,
    owners_missed: Counter,
    looked_up: [Counter; LookUp::ALL.len()],
    pub(super) callers: Tallies,
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        Self {
            requests: std::array::from_fn(|_| std::array::from_fn(|_| Counter::default())),
            accepted: Counter::default(),
            closed: Counter::default(),
            parked: Counter::default(),
            awakened: Counter::default(),
            bare: Default::default(),
            judged: Default::default(),
            upstream_opened: Counter::default(),
            upstream_retried: Counter::default(),
            credential_renewed: Counter::default(),
            reported: std::array::from_fn(|_| Counter::default()),
            previous_credential: Counter::default(),
            upstream_status: std::iter::repeat_with(Counter::default)
                .take(1000)
                .collect(),
            upstream: Durations::default(),
            allowed: Durations::default(),
            denied: Durations::default(),
            bodies: Arc::default(),
            answers: Arc::default(),
            owners_hit: Counter::default(),
            owners_missed: Counter::default(),
            looked_up: Default::default(),
            callers: Tallies::default(),
        }
    }
}

impl WorkerMetrics {
    /// A request ended after so long.
    pub fn request(&self, verb: Option<Verb>, outcome: Outcome, took: Duration) {
        if outcome.allowed() {
            self.allowed.add(took);
        } else {
            self.denied.add(took);
        }
        let verb = verb.map_or(Verb::ALL.len(), |verb| verb as usize);
        let outcome = match outcome {
            Outcome::Refused(code) | Outcome::AnswerCut(code) => code as usize,
            Outcome::Answered => Code::ALL.len(),
            Outcome::ClientGone { allowed } => Code::ALL.len() + if allowed { 1 } else { 2 },
            Outcome::DrainCut { allowed } => Code::ALL.len() + if allowed { 3 } else { 4 },
            Outcome::AnswerLate => Code::ALL.len() + 5,
            Outcome::Crowded => Code::ALL.len() + 6,
        };
        if let Some(counter) = self.requests.get(verb).and_then(|row| row.get(outcome)) {
            counter.add(1);
        }
    }

    /// Where the requests of a caller are counted.
    pub fn caller(&self, name: &str) -> Arc<Tally> {
        self.callers.of(name)
    }

    /// A connection was accepted.
    pub fn accepted(&self) {
        self.accepted.add(1);
    }

    /// A connection ended.
    pub fn closed(&self) {
        self.closed.add(1);
    }

    /// An idle connection gave its buffers back.
    pub fn parked(&self) {
        self.parked.add(1);
    }

    /// Such a connection goes on, or ended.
    pub fn awakened(&self) {
        self.awakened.add(1);
    }

    /// A connection ended without a gateway's answer.
    pub fn bare_close(&self, reason: BareClose) {
        if let Some(counter) = self.bare.get(reason as usize) {
            counter.add(1);
        }
    }

    /// A signed token was judged.
    pub fn judged(&self, outcome: Judged) {
        if let Some(counter) = self.judged.get(outcome as usize) {
            counter.add(1);
        }
    }

    /// A connection to the upstream was opened.
    pub fn upstream_opened(&self) {
        self.upstream_opened.add(1);
    }

    /// A request was sent again on another connection.
    pub fn upstream_retried(&self) {
        self.upstream_retried.add(1);
    }

    /// A request was sent again with a credential that had taken the refused one's place.
    pub fn credential_renewed(&self) {
        self.credential_renewed.add(1);
    }

    /// A request was let through that its caller's grants would have refused.
    pub fn reported(&self, code: Code) {
        if let Some(counter) = self.reported.get(code as usize) {
            counter.add(1);
        }
    }

    /// An answer to a store's previous credential was taken.
    pub fn previous_credential_used(&self) {
        self.previous_credential.add(1);
    }

    /// The head of an upstream's answer arrived.
    pub fn upstream_answered(&self, status: u16, after: Duration) {
        if let Some(counter) = self.upstream_status.get(usize::from(status)) {
            counter.add(1);
        }
        self.upstream.add(after);
    }

    /// The owners of so many metafields were remembered, and of so many not.
    pub fn owners_remembered(&self, hits: usize, misses: usize) {
        self.owners_hit.add(hits as u64);
        self.owners_missed.add(misses as u64);
    }

    /// A look-up of an owner has ended.
    pub fn looked_up(&self, outcome: LookUp) {
        if let Some(counter) = self.looked_up.get(outcome as usize) {
            counter.add(1);
        }
    }

    /// How many of the worker's connections are open.
    pub fn open_connections(&self) -> u64 {
        self.accepted.get().saturating_sub(self.closed.get())
    }
}
