//! Traces and records as a collector receives them, read by the messages that OpenTelemetry publishes; and by way of a
//! collector.

use crate::python_client::package;
use crate::support::client::Request;
use crate::support::fake::Fake;
use crate::support::free;
use crate::support::gateway::{CREDENTIAL, Gateway, READER, Setup, WRITER};
use crate::support::process::Process;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

const TAKEN: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
/// Pre-release, as all of its versions are.
const ROTEL: &str = "rotel==0.0.1a15";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const BODY: &str = r#"{"permission_set":"read","namespace":"crm","key":"tier","value":"canary-value","description":"canary-description"}"#;

/// What a collector has received.
#[derive(Debug, Default)]
struct Received {
    spans: Vec<Span>,
    records: Vec<LogRecord>,
    bytes: Vec<u8>,
}

fn received(collector: &Fake) -> Received {
    let mut all = Received::default();
    for request in collector.requests() {
        assert_eq!(
            request.field("content-type"),
            Some("application/x-protobuf")
        );
        let body = &request.body[..];
        all.bytes.extend_from_slice(body);
        if request.start.starts_with("POST /v1/traces ") {
            let traces = ExportTraceServiceRequest::decode(body).expect("traces");
            for resource in traces.resource_spans {
                let named = resource.resource.expect("a resource").attributes;
                assert_eq!(text(&named, "service.name"), "metafield-gateway");
                for scope in resource.scope_spans {
                    all.spans.extend(scope.spans);
                }
            }
        } else if request.start.starts_with("POST /v1/logs ") {
            let logs = ExportLogsServiceRequest::decode(body).expect("logs");
            for resource in logs.resource_logs {
                for scope in resource.scope_logs {
                    all.records.extend(scope.log_records);
                }
            }
        } else {
            panic!("{}", request.start);
        }
    }
    all
}

fn value<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a Value> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    found.value.as_ref()?.value.as_ref()
}

fn text<'a>(attributes: &'a [KeyValue], name: &str) -> &'a str {
    match value(attributes, name) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{name}: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string");
        hex
    })
}

fn gateway(upstream: &Fake, collector: SocketAddr, settings: &str) -> Gateway {
    Setup::new(upstream.address)
        .with(&format!(
            "[otlp]\nendpoint = \"http://{collector}\"\n{settings}"
        ))
        .start()
}

#[test]
fn a_request_is_a_trace_of_its_steps_and_a_record() {
    let (upstream, collector) = (Fake::good(), Fake::answering(TAKEN));
    let gateway = gateway(&upstream, collector.address, "");
    let traced = Request::update(BODY)
        .with("traceparent", &format!("00-{TRACE}-{PARENT}-01"))
        .with("tracestate", "vendor=canary-state");
    assert_eq!(gateway.exchange(&traced).status(), 200);
    let lines = gateway.stop();
    let all = received(&collector);
    let whole: Vec<_> = (all.spans.iter())
        .filter(|span| span.kind() == SpanKind::Server)
        .collect();
    let [whole] = whole[..] else {
        panic!("{:?}", all.spans)
    };
    assert_eq!(
        whole.name,
        "PUT /stores/{store_hash}/v3/customers/{customerId}/metafields/{metafieldId}"
    );
    assert_eq!(
        (hex(&whole.trace_id), hex(&whole.parent_span_id)),
        (TRACE.to_owned(), PARENT.to_owned())
    );
    for (name, expected) in [
        ("metafield_gateway.caller", "writer"),
        ("metafield_gateway.store", "abc123"),
        ("metafield_gateway.operation", "update"),
        ("metafield_gateway.namespace", "crm"),
        ("metafield_gateway.permission_set", "read"),
        ("metafield_gateway.decision", "allowed"),
        ("http.request.method", "PUT"),
    ] {
        assert_eq!(text(&whole.attributes, name), expected, "{name}");
    }
    let steps: Vec<_> = (all.spans.iter())
        .filter(|span| span.parent_span_id == whole.span_id)
        .collect();
    let names: Vec<_> = steps.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "identify",
            "body",
            "judge",
            "ownership",
            "BigCommerce",
            "answer"
        ]
    );
    assert_steps(&steps, whole);
    assert_record(&all.records, whole, &lines[0]);
    let told = String::from_utf8_lossy(&all.bytes);
    for secret in [
        WRITER,
        CREDENTIAL,
        "canary-value",
        "canary-description",
        "canary-state",
    ] {
        assert!(!told.contains(secret), "{secret}");
    }
    let sent = &upstream.requests()[0];
    assert_eq!(sent.field("traceparent"), None, "no header of the caller's");
}

/// The steps follow each other, within the whole; one is BigCommerce's.
fn assert_steps(steps: &[&Span], whole: &Span) {
    let mut last = whole.start_time_unix_nano;
    for span in steps {
        assert_eq!(span.start_time_unix_nano, last, "{}", span.name);
        assert_eq!(span.trace_id, whole.trace_id);
        last = span.end_time_unix_nano;
    }
    assert!(last <= whole.end_time_unix_nano);
    let client = steps.iter().find(|span| span.kind() == SpanKind::Client);
    let client = client.expect("the upstream's span");
    assert_eq!(client.name, "BigCommerce");
    let status = value(&client.attributes, "http.response.status_code");
    assert_eq!(status, Some(&Value::IntValue(200)));
}

/// The one record is that of the line, and belongs to the span.
fn assert_record(records: &[LogRecord], whole: &Span, line: &serde_json::Value) {
    let [record] = records else {
        panic!("{records:?}")
    };
    assert_eq!(record.event_name, "metafield_gateway.decision");
    assert_eq!(
        (&record.trace_id, &record.span_id),
        (&whole.trace_id, &whole.span_id)
    );
    let id = text(&record.attributes, "metafield_gateway.correlation_id");
    assert_eq!(line["correlation_id"], id);
    assert_eq!(record.time_unix_nano, whole.start_time_unix_nano);
}

#[test]
fn what_is_not_to_be_traced_is_only_recorded() {
    let (upstream, collector) = (Fake::good(), Fake::answering(TAKEN));
    let gateway = gateway(&upstream, collector.address, "sample = 0");
    let request = |flags: &str| {
        Request::update(BODY).with("traceparent", &format!("00-{TRACE}-{PARENT}-{flags}"))
    };
    gateway.exchange(&Request::update(BODY));
    gateway.exchange(&request("00"));
    gateway.exchange(&Request::update(BODY).with("traceparent", "00-not-a-trace-01"));
    gateway.exchange(&request("01").instead("X-Auth-Token", READER));
    // Nobody in particular has nothing traced.
    gateway.exchange(&request("01").instead("X-Auth-Token", "nobody-knows-this-token"));
    gateway.stop();
    let all = received(&collector);
    assert_eq!(all.records.len(), 5);
    let names: Vec<_> = all.spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(
        names.iter().filter(|name| name.starts_with("PUT")).count(),
        1
    );
    let whole = all.spans.iter().find(|span| span.name.starts_with("PUT"));
    let whole = whole.expect("the span");
    assert_eq!(
        text(&whole.attributes, "metafield_gateway.code"),
        "scope_denied"
    );
    // The caller's fault is no failure of the gateway's.
    assert!(
        whole
            .status
            .as_ref()
            .is_none_or(|status| status.code() == StatusCode::Unset)
    );
    assert_eq!(names, ["identify", "answer", whole.name.as_str()]);
}

#[test]
fn records_can_be_left_out_and_failures_are_told() {
    let collector = Fake::answering(TAKEN);
    let upstream =
        Fake::answering("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
    let gateway = gateway(&upstream, collector.address, "logs = false");
    assert_eq!(gateway.exchange(&Request::update(BODY)).status(), 502);
    gateway.stop();
    let all = received(&collector);
    assert_eq!(all.records.len(), 0);
    let whole = all
        .spans
        .iter()
        .find(|span| span.kind() == SpanKind::Server);
    let status = whole.expect("a span").status.as_ref().expect("a status");
    assert_eq!(
        (status.code(), status.message.as_str()),
        (StatusCode::Error, "upstream_redirect")
    );
}

#[test]
fn an_audit_log_that_is_off_is_sent_all_the_same() {
    let (upstream, collector) = (Fake::good(), Fake::answering(TAKEN));
    let gateway = Setup::new(upstream.address)
        .auditing("off")
        .with(&format!(
            "[otlp]\nendpoint = \"http://{}\"",
            collector.address
        ))
        .start();
    gateway.exchange(&Request::update(BODY));
    gateway.stop();
    assert_eq!(received(&collector).records.len(), 1);
}

#[test]
fn nobody_waits_for_a_collector() {
    let upstream = Fake::good();
    let stalling = Fake::stalling();
    let nobody: SocketAddr = ([127, 0, 0, 1], 1).into();
    for collector in [stalling.address, nobody] {
        let gateway = gateway(&upstream, collector, "");
        let mut client = gateway.connect();
        // More than its queues hold.
        for _ in 0..3000 {
            assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
        }
        drop(client);
        let (ended, lines) = gateway.end();
        assert_eq!((ended.audited, lines.len()), (true, 3000));
    }
}

/// A collector as it is deployed: `rotel` of the Python package index, which prints what it receives.
struct Collector {
    process: Process,
    address: SocketAddr,
}

impl Collector {
    fn start() -> Self {
        let (address, grpc) = free();
        let mut command = Command::new(package(ROTEL).join("rotel/rotel-agent"));
        command
            .args(["start", "--disable-batching", "--exporter", "blackhole"])
            .args(["--debug-log", "traces", "--debug-log", "logs"])
            .args(["--debug-log-verbosity", "detailed"])
            .args(["--otlp-http-endpoint", &address.to_string()])
            .args(["--otlp-grpc-endpoint", &grpc.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let process = Process::spawn(&mut command);
        let is_there = (0..1_000_000).any(|_| TcpStream::connect(address).is_ok());
        assert!(is_there, "the collector does not start");
        Self { process, address }
    }
}

#[test]
fn a_collector_takes_them() {
    let (upstream, collector) = (Fake::good(), Collector::start());
    let gateway = gateway(&upstream, collector.address, "");
    let traced = Request::update(BODY).with("traceparent", &format!("00-{TRACE}-{PARENT}-01"));
    assert_eq!(gateway.exchange(&traced).status(), 200);
    // It sends what it has at its end, and the collector prints it.
    gateway.stop();
    collector.process.signal("TERM");
    let printed = collector.process.end().stdout;
    let count = |text: &str| printed.matches(text).count();
    for (text, times) in [
        ("Span #", 7),
        ("LogRecord #", 1),
        ("EventName: metafield_gateway.decision", 1),
        ("-> metafield_gateway.caller: Str(writer)", 2),
        ("SPAN_KIND_SERVER", 1),
        ("SPAN_KIND_CLIENT", 1),
        (TRACE, 8),
        (PARENT, 1),
        ("canary-value", 0),
    ] {
        assert_eq!(count(text), times, "{text}\n{printed}");
    }
}
