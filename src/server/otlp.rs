//! Traces and audit records to a collector, by OTLP over HTTP. The audit log's thread hands them to the SDK's
//! queues, which drop what finds no room: nothing waits for a collector.

mod attributes;
mod post;

use crate::config::Collector;
use crate::observe::{CorrelationId, Exporter, Line, Outcome, Step, Tell, Trace};
use attributes::{attributes, route};
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{
    Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{self, SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanLimits,
};
use post::Poster;
use std::io;
use std::time::{Duration, SystemTime};

/// How long each of the two queues may take at the end to be sent.
const LAST: Duration = Duration::from_secs(2);

/// How many spans and how many records may wait to be sent: some seconds of a gateway's whole work, and a few MiB. What
/// finds no room is dropped.
const SPANS: usize = 8192;
const RECORDS: usize = 4096;
/// How many are sent at once, and how often.
const BATCH: usize = 512;
const DELAY: Duration = Duration::from_secs(1);
/// How long one sending may take.
const TIMEOUT: Duration = Duration::from_secs(6);

const NAME: &str = "metafield-gateway";

/// What tells this process from every other (`service.instance.id`), also from one of the same number elsewhere.
fn instance() -> String {
    let mut random = [0; 16];
    // Without random bytes it tells less.
    let _filled = aws_lc_rs::rand::fill(&mut random);
    let id = CorrelationId::from_random(random);
    String::from_utf8_lossy(id.as_bytes()).into_owned()
}

/// What sends everything to this collector.
pub(super) fn exporter(collector: &Collector) -> io::Result<Exporter> {
    let telling = Telling::start(collector).map_err(io::Error::other)?;
    Ok(Exporter {
        sample: collector.sample,
        tell: Box::new(telling),
    })
}

/// What the audit log's thread tells.
struct Telling {
    traces: SdkTracerProvider,
    tracer: SdkTracer,
    logs: Option<(SdkLoggerProvider, SdkLogger)>,
}

impl Telling {
    fn start(collector: &Collector) -> Result<Self, ExporterBuildError> {
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", NAME),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", instance()),
            ])
            .build();
        // All that the SDK would else take from the environment is said here: the configuration alone decides.
        let poster = Poster::start(collector)
            .map_err(|error| ExporterBuildError::InternalFailure(error.to_string()))?;
        let at = |path: &str| format!("{}{path}", collector.uri);
        let spans = SpanExporter::builder()
            .with_http()
            .with_http_client(poster.clone())
            .with_endpoint(at("v1/traces"))
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(TIMEOUT)
            .build()?;
        let queue = BatchConfigBuilder::default()
            .with_max_queue_size(SPANS)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let queue = BatchSpanProcessor::builder(spans).with_batch_config(queue);
        let traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(Sampler::AlwaysOn)
            .with_span_limits(SpanLimits::default())
            .with_span_processor(queue.build())
            .build();
        let logs = if collector.logs {
            let records = LogExporter::builder()
                .with_http()
                .with_http_client(poster)
                .with_endpoint(at("v1/logs"))
                .with_protocol(Protocol::HttpBinary)
                .with_timeout(TIMEOUT)
                .build()?;
            let queue = logs::BatchConfigBuilder::default()
                .with_max_queue_size(RECORDS)
                .with_max_export_batch_size(BATCH)
                .with_scheduled_delay(DELAY)
                .build();
            let queue = logs::BatchLogProcessor::builder(records).with_batch_config(queue);
            let logs = SdkLoggerProvider::builder()
                .with_resource(resource)
                .with_log_processor(queue.build())
                .build();
            let logger = logs.logger(NAME);
            Some((logs, logger))
        } else {
            None
        };
        Ok(Self {
            tracer: traces.tracer(NAME),
            traces,
            logs,
        })
    }

    /// The spans of a request: one for all of it, and one within for each step.
    fn trace(&self, line: &Line, trace: &Trace) -> SpanContext {
        let began = began(line);
        let parent = trace.context.as_ref().map_or_else(Context::new, |context| {
            let context = SpanContext::new(
                TraceId::from_bytes(context.trace),
                SpanId::from_bytes(context.parent),
                TraceFlags::SAMPLED,
                true,
                TraceState::default(),
            );
            Context::new().with_remote_span_context(context)
        });
        let name = match (line.method.as_ref(), line.verb) {
            (Some(method), Some(verb)) => format!("{method} {}", route(verb)),
            (Some(method), None) => method.to_string(),
            (None, _) => "HTTP".to_owned(),
        };
        let mut whole = self
            .tracer
            .span_builder(name)
            .with_kind(SpanKind::Server)
            .with_start_time(began)
            .with_attributes(attributes(line))
            .start_with_context(&self.tracer, &parent);
        if is_failure(line.outcome) {
            whole.set_status(Status::error(line.outcome.code().unwrap_or_default()));
        }
        let context = whole.span_context().clone();
        let within = Context::new().with_remote_span_context(context.clone());
        let mut from = Duration::ZERO;
        for (step, until) in &trace.steps {
            self.step(line, *step, (began + from, began + *until), &within);
            from = *until;
        }
        whole.end_with_timestamp(began + line.duration.max(from));
        context
    }

    fn step(&self, line: &Line, step: Step, (from, until): (SystemTime, SystemTime), of: &Context) {
        let is_upstream = step == Step::Upstream;
        let builder = self.tracer.span_builder(step.as_str());
        let kind = if is_upstream {
            SpanKind::Client
        } else {
            SpanKind::Internal
        };
        let mut span = builder
            .with_kind(kind)
            .with_start_time(from)
            .start_with_context(&self.tracer, of);
        if is_upstream {
            if let Some(method) = &line.method {
                span.set_attribute(KeyValue::new("http.request.method", method.to_string()));
            }
            if let Some(status) = line.upstream_status {
                let status = KeyValue::new("http.response.status_code", i64::from(status));
                span.set_attribute(status);
            }
        }
        span.end_with_timestamp(until);
    }

    fn record(logger: &SdkLogger, line: &Line, context: Option<&SpanContext>) {
        let mut record = logger.create_log_record();
        record.set_event_name("metafield_gateway.decision");
        record.set_timestamp(began(line));
        let (severity, word) = match line.outcome {
            outcome if is_failure(outcome) => (Severity::Error, "ERROR"),
            outcome if outcome.allowed() => (Severity::Info, "INFO"),
            _ => (Severity::Warn, "WARN"),
        };
        record.set_severity_number(severity);
        record.set_severity_text(word);
        record.set_body(AnyValue::from(format!(
            "{} {}",
            line.outcome.decision(),
            line.outcome.code().unwrap_or("ok")
        )));
        record.add_attributes(attributes(line).map(|attribute| {
            let value = match attribute.value {
                opentelemetry::Value::I64(number) => AnyValue::Int(number),
                other => AnyValue::from(other.as_str().into_owned()),
            };
            (attribute.key, value)
        }));
        if let Some(context) = context {
            record.set_trace_context(
                context.trace_id(),
                context.span_id(),
                Some(TraceFlags::SAMPLED),
            );
        }
        logger.emit(record);
    }
}

impl Tell for Telling {
    fn tell(&mut self, line: &Line) {
        let trace = line.trace.as_deref();
        let context = trace.map(|trace| self.trace(line, trace));
        if let Some((_, logger)) = &self.logs {
            Self::record(logger, line, context.as_ref());
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        // What cannot be sent in time is given up: its lines are written.
        let traces = self.traces.shutdown_with_timeout(LAST);
        let logs =
            (self.logs.as_ref()).map_or(Ok(()), |(logs, _)| logs.shutdown_with_timeout(LAST));
        if let Err(error) = traces.and(logs) {
            tracing::warn!(%error, "the last traces and records could not be sent");
        }
    }
}

fn began(line: &Line) -> SystemTime {
    // A clock before the epoch dates nothing.
    SystemTime::UNIX_EPOCH + Duration::try_from(line.time.as_duration()).unwrap_or_default()
}

/// Whether the gateway or BigCommerce failed, rather than the caller.
fn is_failure(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Refused(code) | Outcome::AnswerCut(code) => code.status().is_server_error(),
        Outcome::AnswerLate | Outcome::Crowded => true,
        Outcome::Answered | Outcome::ClientGone { .. } | Outcome::DrainCut { .. } => false,
    }
}
