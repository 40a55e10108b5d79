//! Counters. Each worker owns its own and is their only writer; a scrape sums them. Nothing is looked
//! up by a label on the request path: a counter's place follows from the enums.

use super::audit::AuditHealth;
use super::line::Outcome;
use super::reloads::ReloadHealth;
use crate::denial::Code;
use crate::policy::vocabulary::Verb;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the upstream latency's buckets, in seconds: BigCommerce answers in tens to
/// hundreds of milliseconds, and the deadline is below 7 s.
const BUCKETS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0,
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

/// A counter with one writer; any thread may read it.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    /// Only the owning worker adds, so that no locked instruction is needed.
    fn add(&self, count: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(count), Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
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

/// One worker's counters.
#[derive(Debug)]
pub struct WorkerMetrics {
    requests: [[Counter; OUTCOMES]; VERBS],
    accepted: Counter,
    closed: Counter,
    bare: [Counter; BareClose::ALL.len()],
    upstream_opened: Counter,
    upstream_retried: Counter,
    credential_renewed: Counter,
    previous_credential: Counter,
    upstream_status: Vec<Counter>,
    upstream_buckets: [Counter; BUCKETS.len() + 1],
    upstream_microseconds: Counter,
    owners_hit: Counter,
    owners_missed: Counter,
    looked_up: [Counter; LookUp::ALL.len()],
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        Self {
            requests: std::array::from_fn(|_| std::array::from_fn(|_| Counter::default())),
            accepted: Counter::default(),
            closed: Counter::default(),
            bare: Default::default(),
            upstream_opened: Counter::default(),
            upstream_retried: Counter::default(),
            credential_renewed: Counter::default(),
            previous_credential: Counter::default(),
            upstream_status: std::iter::repeat_with(Counter::default)
                .take(1000)
                .collect(),
            upstream_buckets: Default::default(),
            upstream_microseconds: Counter::default(),
            owners_hit: Counter::default(),
            owners_missed: Counter::default(),
            looked_up: Default::default(),
        }
    }
}

impl WorkerMetrics {
    /// A request ended.
    pub fn request(&self, verb: Option<Verb>, outcome: Outcome) {
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

    /// A connection was accepted.
    pub fn accepted(&self) {
        self.accepted.add(1);
    }

    /// A connection ended.
    pub fn closed(&self) {
        self.closed.add(1);
    }

    /// A connection ended without a gateway's answer.
    pub fn bare_close(&self, reason: BareClose) {
        if let Some(counter) = self.bare.get(reason as usize) {
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

    /// An answer to a store's previous credential was taken.
    pub fn previous_credential_used(&self) {
        self.previous_credential.add(1);
    }

    /// The head of an upstream's answer arrived.
    pub fn upstream_answered(&self, status: u16, after: Duration) {
        if let Some(counter) = self.upstream_status.get(usize::from(status)) {
            counter.add(1);
        }
        let seconds = after.as_secs_f64();
        let bucket = BUCKETS
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(BUCKETS.len());
        if let Some(counter) = self.upstream_buckets.get(bucket) {
            counter.add(1);
        }
        self.upstream_microseconds
            .add(u64::try_from(after.as_micros()).unwrap_or(0));
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

/// What `/metrics` shows.
#[derive(Debug)]
pub struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// The media type of [`Exposition::text`].
    pub const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// An exposition of all workers' counters, of the audit log and of the reloads.
    pub fn new(
        workers: Vec<Arc<WorkerMetrics>>,
        audit: AuditHealth,
        reloads: ReloadHealth,
    ) -> Self {
        let mut registry = Registry::with_prefix("metafield_gateway");
        registry.register_collector(Box::new(Workers {
            each: workers,
            audit,
            reloads,
        }));
        Self { registry }
    }

    /// The counters as they stand now, in the `OpenMetrics` text format.
    pub fn text(&self) -> String {
        let mut out = String::new();
        match text::encode(&mut out, &self.registry) {
            Ok(()) => out,
            // Writing to a string cannot fail; an empty page is what a scraper can tell from a good one.
            Err(_) => String::new(),
        }
    }
}

#[derive(Debug)]
struct Workers {
    each: Vec<Arc<WorkerMetrics>>,
    audit: AuditHealth,
    reloads: ReloadHealth,
}

impl Workers {
    fn sum(&self, of: impl Fn(&WorkerMetrics) -> &Counter) -> u64 {
        self.each.iter().map(|worker| of(worker).get()).sum()
    }

    fn requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests by operation, decision and code; the code is \"ok\" where BigCommerce's answer was passed on";
        let mut family = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for verb in 0..VERBS {
            for outcome in 0..OUTCOMES {
                let cell = |worker: &WorkerMetrics| {
                    worker
                        .requests
                        .get(verb)
                        .and_then(|row| row.get(outcome))
                        .map_or(0, Counter::get)
                };
                let count: u64 = self.each.iter().map(|worker| cell(worker)).sum();
                if count > 0 {
                    let (decision, code) = outcome_labels(outcome);
                    let verb = Verb::ALL.get(verb).map_or("unknown", |verb| verb.as_str());
                    let labels = [("operation", verb), ("decision", decision), ("code", code)];
                    count_of(family.encode_family(&labels)?, count)?;
                }
            }
        }
        Ok(())
    }

    fn connections(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let accepted = self.sum(|worker| &worker.accepted);
        let open = accepted.saturating_sub(self.sum(|worker| &worker.closed));
        gauge(
            encoder,
            "connections_open",
            "Client connections open now",
            open,
        )?;
        counter(
            encoder,
            "connections",
            "Client connections accepted",
            accepted,
        )?;
        let help = "Connections closed without an answer of the gateway, by reason";
        let mut family =
            encoder.encode_descriptor("bare_closes", help, None, MetricType::Counter)?;
        for reason in BareClose::ALL {
            let count = self
                .each
                .iter()
                .filter_map(|worker| worker.bare.get(reason as usize))
                .map(Counter::get)
                .sum();
            count_of(family.encode_family(&[("reason", reason.as_str())])?, count)?;
        }
        Ok(())
    }

    fn upstream(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        counter(
            encoder,
            "upstream_connections",
            "Connections opened to the upstream",
            self.sum(|worker| &worker.upstream_opened),
        )?;
        counter(
            encoder,
            "upstream_retries",
            "Requests sent again on another connection",
            self.sum(|worker| &worker.upstream_retried),
        )?;
        counter(
            encoder,
            "credential_renewals",
            "Requests sent again because a refused credential had been replaced",
            self.sum(|worker| &worker.credential_renewed),
        )?;
        counter(
            encoder,
            "previous_credential_answers",
            "Answers that were given to a store's previous credential",
            self.sum(|worker| &worker.previous_credential),
        )?;
        let mut family = encoder.encode_descriptor(
            "upstream_responses",
            "Answers of the upstream by status",
            None,
            MetricType::Counter,
        )?;
        for status in 100..1000_usize {
            let count = self
                .each
                .iter()
                .filter_map(|worker| worker.upstream_status.get(status))
                .map(Counter::get)
                .sum();
            if count > 0 {
                count_of(
                    family.encode_family(&[("status", status.to_string())])?,
                    count,
                )?;
            }
        }
        self.latency(encoder)
    }

    fn latency(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let bounds = BUCKETS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds
            .enumerate()
            .map(|(index, bound)| {
                let of = |worker: &Arc<WorkerMetrics>| {
                    worker.upstream_buckets.get(index).map_or(0, Counter::get)
                };
                (bound, self.each.iter().map(of).sum())
            })
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let seconds =
            Duration::from_micros(self.sum(|worker| &worker.upstream_microseconds)).as_secs_f64();
        let help = "From the first try to send to the head of the upstream's answer";
        let unit = prometheus_client::registry::Unit::Seconds;
        let mut family = encoder.encode_descriptor(
            "upstream_duration",
            help,
            Some(&unit),
            MetricType::Histogram,
        )?;
        family.encode_histogram::<[(&str, &str); 0]>(seconds, count, &buckets, None)
    }

    fn ownership(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        counter(
            encoder,
            "ownership_hits",
            "Metafields whose owner was remembered when a limited caller asked",
            self.sum(|worker| &worker.owners_hit),
        )?;
        counter(
            encoder,
            "ownership_misses",
            "Metafields whose owner was not remembered when a limited caller asked",
            self.sum(|worker| &worker.owners_missed),
        )?;
        let help = "Look-ups of a metafield's owner by what they came to; each is one of the upstream's responses too";
        let mut family =
            encoder.encode_descriptor("ownership_lookups", help, None, MetricType::Counter)?;
        for outcome in LookUp::ALL {
            let of = |worker: &Arc<WorkerMetrics>| {
                worker
                    .looked_up
                    .get(outcome as usize)
                    .map_or(0, Counter::get)
            };
            let count = self.each.iter().map(of).sum();
            count_of(
                family.encode_family(&[("outcome", outcome.as_str())])?,
                count,
            )?;
        }
        Ok(())
    }

    fn audit(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        counter(
            encoder,
            "audit_lines",
            "Audit lines written",
            self.audit.written(),
        )?;
        counter(
            encoder,
            "audit_lines_lost",
            "Audit lines that found no room",
            self.audit.lost(),
        )?;
        gauge(
            encoder,
            "audit_failing",
            "1 while the audit log cannot be written",
            u64::from(self.audit.is_failing()),
        )
    }
}

impl Collector for Workers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let mut build =
            encoder.encode_descriptor("build", "The gateway's version", None, MetricType::Gauge)?;
        build.encode_family(&version)?.encode_gauge(&1_u64)?;
        gauge(
            &mut encoder,
            "workers",
            "Worker threads",
            self.each.len() as u64,
        )?;
        self.requests(&mut encoder)?;
        self.connections(&mut encoder)?;
        self.upstream(&mut encoder)?;
        self.ownership(&mut encoder)?;
        self.audit(&mut encoder)?;
        self.reloads.now().encode(&mut encoder)
    }
}

fn outcome_labels(outcome: usize) -> (&'static str, &'static str) {
    match (Code::ALL.get(outcome), outcome.checked_sub(Code::ALL.len())) {
        (Some(code), _) if code.follows_permission() => ("allowed", code.as_str()),
        (Some(code), _) => ("denied", code.as_str()),
        (None, other) => other
            .and_then(|other| OTHERS.get(other))
            .copied()
            .unwrap_or_default(),
    }
}

pub(super) fn count_of(mut encoder: MetricEncoder<'_>, count: u64) -> fmt::Result {
    encoder.encode_counter::<[(&str, &str); 0], _, f64>(&count, None)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, count: u64) -> fmt::Result {
    count_of(
        encoder.encode_descriptor(name, help, None, MetricType::Counter)?,
        count,
    )
}

pub(super) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> fmt::Result {
    encoder
        .encode_descriptor(name, help, None, MetricType::Gauge)?
        .encode_gauge(&value)
}

#[cfg(test)]
mod tests {
    use super::super::audit::{Audit, AuditSettings, OnFailure, Output};
    use super::*;

    #[test]
    fn workers_are_summed() {
        let workers = vec![
            Arc::new(WorkerMetrics::default()),
            Arc::new(WorkerMetrics::default()),
        ];
        for worker in &workers {
            worker.request(Some(Verb::Update), Outcome::Answered);
            worker.request(None, Outcome::Refused(Code::UnknownRoute));
            worker.accepted();
            worker.upstream_answered(200, Duration::from_millis(20));
            worker.bare_close(BareClose::HeadTimeout);
        }
        let settings = AuditSettings {
            output: Output::Off,
            on_failure: OnFailure::Refuse,
            queue: 16,
        };
        let (audit, _writer) = Audit::start(&settings).expect("no output");
        let reloads = ReloadHealth::new(jiff::Timestamp::UNIX_EPOCH);
        let text = Exposition::new(workers, audit.health(), reloads).text();
        for line in [
            r#"metafield_gateway_requests_total{operation="update",decision="allowed",code="ok"} 2"#,
            r#"metafield_gateway_requests_total{operation="unknown",decision="denied",code="unknown_route"} 2"#,
            "metafield_gateway_connections_open 2",
            r#"metafield_gateway_bare_closes_total{reason="head_timeout"} 2"#,
            r#"metafield_gateway_upstream_responses_total{status="200"} 2"#,
            r#"metafield_gateway_upstream_duration_seconds_bucket{le="0.01"} 0"#,
            r#"metafield_gateway_upstream_duration_seconds_bucket{le="0.025"} 2"#,
            r#"metafield_gateway_upstream_duration_seconds_bucket{le="+Inf"} 2"#,
            "metafield_gateway_upstream_duration_seconds_sum 0.04",
            "metafield_gateway_audit_failing 0",
            "metafield_gateway_configuration_generation 1",
            r#"metafield_gateway_configuration_loads_total{outcome="refused"} 0"#,
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
