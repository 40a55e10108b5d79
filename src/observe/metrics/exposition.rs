//! What `/metrics` shows: the counters of all workers summed, and how the audit log, the reloads and the
//! issuers stand, in the `OpenMetrics` text format.

use super::super::audit::AuditHealth;
use super::super::budgets::Budgets;
use super::super::issuers::Board;
use super::super::reloads::ReloadHealth;
use super::{BUCKETS, BareClose, Counter, Durations, Judged, Level, LookUp, WorkerMetrics, sums};
use crate::denial::Code;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

static SECONDS: Unit = Unit::Seconds;

/// One of the things that each worker has.
type Kind<T> = fn(&WorkerMetrics) -> &T;

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

    /// The same with how the issuers and the stores' quotas stand.
    #[must_use]
    pub fn with(mut self, board: Board, budgets: Budgets) -> Self {
        self.registry.register_collector(Box::new(board));
        self.registry.register_collector(Box::new(budgets));
        self
    }

    /// The same with how many metafields' owners are remembered.
    #[must_use]
    pub fn remembering(mut self, count: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.registry
            .register_collector(Box::new(Remembered(Box::new(count))));
        self
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

/// How many metafields' owners are remembered.
struct Remembered(Box<dyn Fn() -> usize + Send + Sync>);

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remembered").field(&self.0()).finish()
    }
}

impl Collector for Remembered {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        gauge(
            &mut encoder,
            "ownership_entries",
            "Metafields whose owner is remembered",
            self.0() as u64,
        )
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
        for ended in sums::requests(&self.each) {
            let labels = [
                ("operation", ended.operation),
                ("decision", ended.decision),
                ("code", ended.code),
            ];
            count_of(family.encode_family(&labels)?, ended.count)?;
        }
        Ok(())
    }

    /// Unlike those of `requests`, these series are there before anything happens: an alert sees the first failure.
    fn failures(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests that ended with a code of the gateway's, by code; every code is there from the start on";
        let mut family = encoder.encode_descriptor("failures", help, None, MetricType::Counter)?;
        for code in Code::ALL {
            let labels = [("code", code.as_str())];
            count_of(
                family.encode_family(&labels)?,
                sums::with_code(&self.each, *code),
            )?;
        }
        Ok(())
    }

    fn callers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut all = BTreeMap::new();
        for worker in &self.each {
            worker.callers.add_to(&mut all);
        }
        if all.is_empty() {
            return Ok(());
        }
        let help = "Requests of each caller that has come, by decision";
        let mut family =
            encoder.encode_descriptor("caller_requests", help, None, MetricType::Counter)?;
        for (name, counts) in &all {
            for (decision, count) in [("allowed", counts.allowed), ("denied", counts.denied)] {
                let labels = [("caller", &**name), ("decision", decision)];
                count_of(family.encode_family(&labels)?, count)?;
            }
        }
        Ok(())
    }

    fn reported(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests let through that their callers' grants would have refused, by code";
        let mut family = encoder.encode_descriptor("reported", help, None, MetricType::Counter)?;
        for code in Code::ALL {
            let counters = self.each.iter();
            let counters = counters.filter_map(|worker| worker.reported.get(*code as usize));
            let count: u64 = counters.map(Counter::get).sum();
            if count > 0 {
                count_of(family.encode_family(&[("code", code.as_str())])?, count)?;
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
        let parked = self.sum(|worker| &worker.parked);
        gauge(
            encoder,
            "connections_parked",
            "Client connections that are idle and hold no buffers now",
            parked.saturating_sub(self.sum(|worker| &worker.awakened)),
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

    fn judged(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Signed tokens by what became of them";
        let mut family =
            encoder.encode_descriptor("signed_tokens", help, None, MetricType::Counter)?;
        for outcome in Judged::ALL {
            let counters = self.each.iter();
            let counters = counters.filter_map(|worker| worker.judged.get(outcome as usize));
            let count = counters.map(Counter::get).sum();
            count_of(
                family.encode_family(&[("outcome", outcome.as_str())])?,
                count,
            )?;
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
        for (status, count) in sums::answers(&self.each) {
            let labels = [("status", status.to_string())];
            count_of(family.encode_family(&labels)?, count)?;
        }
        self.latency(encoder)
    }

    /// How long the upstream took, and requests in all.
    fn latency(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "From the first try to send to the head of the upstream's answer";
        let mut family = histogram(encoder, "upstream_duration", help)?;
        encode(&mut family, sums::latency(&self.each))?;
        let help = "From the arrival of a request's head to its outcome, by decision";
        let mut family = histogram(encoder, "request_duration", help)?;
        let kinds: [(&str, Kind<Durations>); 2] = [
            ("allowed", |worker| &worker.allowed),
            ("denied", |worker| &worker.denied),
        ];
        for (decision, kind) in kinds {
            let labels = [("decision", decision)];
            encode(
                &mut family.encode_family(&labels)?,
                sums::durations(&self.each, kind),
            )?;
        }
        Ok(())
    }

    fn memory(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Memory that is held for requests' bodies and for answers";
        let unit = Unit::Bytes;
        let mut family =
            encoder.encode_descriptor("memory", help, Some(&unit), MetricType::Gauge)?;
        let kinds: [(&str, Kind<Level>); 2] = [
            ("bodies", |worker| &worker.bodies),
            ("answers", |worker| &worker.answers),
        ];
        for (what, kind) in kinds {
            let taken: u64 = self.each.iter().map(|worker| kind(worker).get()).sum();
            family
                .encode_family(&[("for", what)])?
                .encode_gauge(&taken)?;
        }
        Ok(())
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
        let (taken, places) = self.audit.places();
        gauge(
            encoder,
            "audit_queue_taken",
            "Places of the audit log's queue that are taken",
            taken,
        )?;
        gauge(
            encoder,
            "audit_queue_places",
            "Places that the audit log's queue has",
            places,
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
        encoder
            .encode_descriptor("build", "The gateway's version", None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        gauge(
            &mut encoder,
            "workers",
            "Worker threads",
            self.each.len() as u64,
        )?;
        self.requests(&mut encoder)?;
        self.failures(&mut encoder)?;
        self.callers(&mut encoder)?;
        self.reported(&mut encoder)?;
        self.connections(&mut encoder)?;
        self.judged(&mut encoder)?;
        self.upstream(&mut encoder)?;
        self.memory(&mut encoder)?;
        self.ownership(&mut encoder)?;
        self.audit(&mut encoder)?;
        self.reloads.now().encode(&mut encoder)
    }
}

pub(in crate::observe) fn count_of(mut encoder: MetricEncoder<'_>, count: u64) -> fmt::Result {
    encoder.encode_counter::<[(&str, &str); 0], _, f64>(&count, None)
}

fn histogram<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'e str,
    help: &str,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    encoder.encode_descriptor(name, help, Some(&SECONDS), MetricType::Histogram)
}

/// Writes what was measured into a histogram.
fn encode(family: &mut MetricEncoder<'_>, (counts, took): (Vec<u64>, Duration)) -> fmt::Result {
    let bounds = BUCKETS.into_iter().chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
    let count = buckets.iter().map(|(_, count)| count).sum();
    family.encode_histogram::<[(&str, &str); 0]>(took.as_secs_f64(), count, &buckets, None)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, count: u64) -> fmt::Result {
    count_of(
        encoder.encode_descriptor(name, help, None, MetricType::Counter)?,
        count,
    )
}

pub(in crate::observe) fn gauge(
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
    use super::super::super::audit::{Audience, Audit, AuditSettings, OnFailure, Output};
    use super::super::super::line::Outcome;
    use super::*;
    use crate::policy::vocabulary::Verb;

    #[test]
    fn workers_are_summed() {
        let workers = vec![
            Arc::new(WorkerMetrics::default()),
            Arc::new(WorkerMetrics::default()),
        ];
        for worker in &workers {
            worker.request(
                Some(Verb::Update),
                Outcome::Answered,
                Duration::from_millis(30),
            );
            worker.request(None, Outcome::Refused(Code::UnknownRoute), Duration::ZERO);
            worker.accepted();
            worker.caller("crm").count(false);
            worker.upstream_answered(200, Duration::from_millis(20));
            worker.bare_close(BareClose::HeadTimeout);
        }
        let settings = AuditSettings {
            output: Output::Off,
            on_failure: OnFailure::Refuse,
            queue: 16,
        };
        let (audit, _writer) = Audit::start(&settings, Audience::default()).expect("no output");
        let reloads = ReloadHealth::new(jiff::Timestamp::UNIX_EPOCH, Arc::default());
        let text = Exposition::new(workers, audit.health(), reloads).text();
        for line in [
            r#"metafield_gateway_requests_total{operation="update",decision="allowed",code="ok"} 2"#,
            r#"metafield_gateway_requests_total{operation="unknown",decision="denied",code="unknown_route"} 2"#,
            r#"metafield_gateway_failures_total{code="unknown_route"} 2"#,
            r#"metafield_gateway_failures_total{code="credential_echoed"} 0"#,
            r#"metafield_gateway_caller_requests_total{caller="crm",decision="denied"} 2"#,
            "metafield_gateway_connections_open 2",
            r#"metafield_gateway_bare_closes_total{reason="head_timeout"} 2"#,
            r#"metafield_gateway_upstream_responses_total{status="200"} 2"#,
            r#"metafield_gateway_upstream_duration_seconds_bucket{le="0.016"} 0"#,
            r#"metafield_gateway_upstream_duration_seconds_bucket{le="0.025"} 2"#,
            r#"metafield_gateway_upstream_duration_seconds_bucket{le="+Inf"} 2"#,
            "metafield_gateway_upstream_duration_seconds_sum 0.04",
            r#"metafield_gateway_request_duration_seconds_bucket{le="0.04",decision="allowed"} 2"#,
            r#"metafield_gateway_request_duration_seconds_bucket{le="0.025",decision="allowed"} 0"#,
            r#"metafield_gateway_memory_bytes{for="bodies"} 0"#,
            "metafield_gateway_audit_failing 0",
            "metafield_gateway_configuration_generation 1",
            r#"metafield_gateway_configuration_loads_total{outcome="refused"} 0"#,
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
