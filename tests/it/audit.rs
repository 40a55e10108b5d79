//! The audit log: what a line says, and what becomes of requests when it cannot be written.

use crate::support::client::{ALL, CUSTOMER, Client, ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{Gateway, LIMITED, READER, Setup, WRITER};
use crate::support::http1::json as parsed;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Command;

const UUID: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

/// A line without what no test can foresee, after a look at that.
fn foreseeable(mut line: Value, client: std::net::SocketAddr) -> Value {
    let fields = line.as_object_mut().expect("an object");
    let time = fields.remove("time").expect("a time");
    let time: jiff::Timestamp = time.as_str().expect("a string").parse().expect("a time");
    assert!(time > jiff::Timestamp::UNIX_EPOCH);
    let peer = fields.remove("peer").expect("a peer");
    assert_eq!(peer, client.to_string());
    let duration = fields.remove("duration_us").expect("a duration");
    let upstream = fields.remove("upstream_us").expect("a duration or null");
    assert!(duration.as_u64().expect("a number") >= upstream.as_u64().unwrap_or(0));
    fields.insert("waited".to_owned(), json!(!upstream.is_null()));
    line
}

/// The audit line of one request, without what no test can foresee.
fn line_of(request: &Request) -> Value {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let stream = std::net::TcpStream::connect(gateway.address()).expect("the gateway listens");
    let address = stream.local_addr().expect("connected");
    let request = request.clone().with("X-Correlation-Id", UUID);
    Client::over(stream).exchange(&request);
    let mut lines = gateway.stop();
    assert_eq!(lines.len(), 1);
    foreseeable(lines.remove(0), address)
}

#[test]
fn a_line_of_one_metafield() {
    let body = r#"{"id":9,"namespace":"crm","key":"tier","value":"v","description":"d","permission_set":"app_only"}"#;
    assert_eq!(
        line_of(&Request::update(body)),
        json!({
            "correlation_id": UUID, "caller": "writer", "identified_by": "token", "store": "abc123",
            "operation": "update",
            "method": "PUT", "customer_id": 7, "metafield_id": 9, "namespace": "crm", "key": "tier",
            "permission_set": "app_only", "decision": "allowed", "code": null, "reported": null, "lookups": 0, "sent": "yes",
            "credential": "current", "upstream_status": 200, "waited": true,
        })
    );
}

#[test]
fn a_line_of_a_batch() {
    let body = r#"[{"id":9,"namespace":"crm","value":"v"},{"id":10,"key":"k","description":"d","permission_set":"read"}]"#;
    assert_eq!(
        line_of(&Request::new("PUT", ALL).json(body)),
        json!({
            "correlation_id": UUID, "caller": "writer", "identified_by": "token", "store": "abc123",
            "operation": "update_batch", "method": "PUT", "customer_id": null, "items": 2,
            "metafield_ids": [9, 10], "namespaces": ["crm", null], "keys": [null, "k"],
            "permission_sets": [null, "read"], "decision": "allowed", "code": null, "reported": null, "lookups": 0, "sent": "yes",
            "credential": "current", "upstream_status": 200, "waited": true,
        })
    );
}

#[test]
fn a_line_of_a_refusal_tells_how_far_it_got() {
    let unknown = Request::new("GET", ONE).instead("X-Auth-Token", "canary-token-of-nobody");
    let denied = Request::new("PUT", ALL)
        .instead("X-Auth-Token", LIMITED)
        .json(r#"[{"id":9,"namespace":"crm","permission_set":"write"}]"#);
    let nowhere = Request::new("PATCH", "/nowhere");
    let cases = [
        (
            nowhere,
            json!([null, null, null, null, "unknown_route", null]),
        ),
        (
            unknown,
            json!([null, "abc123", "get", 9, "unknown_token", null]),
        ),
        (
            Request::update("{}").instead("X-Auth-Token", READER),
            json!(["reader", "abc123", "update", 9, "scope_denied", null]),
        ),
        (
            denied,
            json!([
                "limited",
                "abc123",
                "update_batch",
                null,
                "permission_set_denied",
                ["write"]
            ]),
        ),
    ];
    for (request, expected) in cases {
        let line = line_of(&request);
        let told = [
            "caller",
            "store",
            "operation",
            "metafield_id",
            "code",
            "permission_sets",
        ]
        .map(|name| line[name].clone());
        assert_eq!(json!(told), expected);
        assert_eq!(
            (&line["decision"], &line["sent"]),
            (&json!("denied"), &json!("no"))
        );
        assert_eq!(line["waited"], false);
    }
}

#[test]
fn there_is_a_line_for_each_decision_in_one_file() {
    let upstream = Fake::good();
    let setup = Setup::new(upstream.address);
    let earlier = "{\"earlier\":true}\n";
    setup.folder.write("audit.jsonl", earlier);
    let gateway = setup.start();
    let mut client = gateway.connect();
    let targets = [
        ONE,
        CUSTOMER,
        ALL,
        "/nowhere",
        "/stores/abc123/v3/customers",
    ];
    for target in targets {
        client.exchange(&Request::new("GET", target));
    }
    drop(client);
    let (ended, lines) = gateway.end();
    assert!(ended.audited);
    assert_eq!(lines.len(), 1 + targets.len());
    assert_eq!(lines[0], json!({"earlier": true}), "a file is appended to");
    let codes: Vec<_> = lines[1..].iter().map(|line| line["code"].clone()).collect();
    let unknown = json!("unknown_route");
    assert_eq!(
        codes,
        [
            Value::Null,
            Value::Null,
            Value::Null,
            unknown.clone(),
            unknown
        ]
    );
}

/// A pipe that is open, so that the gateway can open it too, and that nobody reads yet.
fn unread_pipe(folder: &Path) -> File {
    let path = folder.join("audit.pipe");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo").success());
    // Both directions, since opening one waits for the other.
    let pipe = OpenOptions::new().read(true).write(true).open(path);
    pipe.expect("a pipe")
}

const SMALL_QUEUE: &str = "audit.queue = 16\nadmin.address = \"127.0.0.1:0\"";

fn blocked(on_failure: &str, upstream: &Fake) -> (Gateway, File) {
    let setup = Setup::new(upstream.address)
        .auditing("./audit.pipe")
        .with(SMALL_QUEUE)
        .with(&format!("audit.on_failure = \"{on_failure}\""));
    let pipe = unread_pipe(setup.folder.path());
    (setup.start(), pipe)
}

/// Far more lines than the pipe, the writer and the queue hold together.
const MANY: usize = 2000;

/// Reads the pipe to its end in another thread.
fn lines_of(pipe: File) -> std::thread::JoinHandle<Vec<Value>> {
    std::thread::spawn(move || {
        let lines = BufReader::new(pipe).lines();
        lines
            .map(|line| parsed(line.expect("a line").as_bytes()))
            .take_while(|line| line["code"] != "method_not_allowed")
            .collect()
    })
}

#[test]
fn a_full_queue_refuses_before_anything_is_sent() {
    let upstream = Fake::good();
    let (gateway, pipe) = blocked("refuse", &upstream);
    let mut client = gateway.connect();
    let request = Request::update("{}");
    let served = (0..MANY)
        .map(|_| client.exchange(&request))
        .position(|answer| answer.status() != 200)
        .expect("the queue is bounded");
    assert_eq!(
        upstream.requests().len(),
        served,
        "a refused request was sent"
    );
    // Requests that policy refuses must not go unrecorded either.
    let elsewhere = Request::new("GET", "/nowhere");
    for request in [&request, &elsewhere] {
        let answer = client.exchange(request);
        assert_eq!(
            (answer.status(), answer.code()),
            (503, Some("audit_unavailable"))
        );
        assert_eq!(answer.field("retry-after"), Some("1"));
    }
    assert_eq!(upstream.requests().len(), served);
    let lines = lines_of(pipe);
    while client.exchange(&request).status() != 200 {
        std::thread::yield_now();
    }
    let sent = upstream.requests().len();
    assert_eq!(sent, served + 1);
    // The last line tells the reader to stop.
    while client.exchange(&Request::new("PATCH", ONE)).status() != 405 {
        std::thread::yield_now();
    }
    drop(client);
    let (ended, _) = gateway.end();
    assert!(ended.audited);
    let lines = lines.join().expect("lines");
    let allowed = lines.iter().filter(|line| line["sent"] == "yes").count();
    assert_eq!(allowed, sent, "what was sent is recorded");
}

#[test]
fn a_full_queue_can_be_told_to_go_on_and_counts() {
    let upstream = Fake::good();
    let (gateway, pipe) = blocked("continue", &upstream);
    let mut client = gateway.connect();
    let lost = || gateway.metric("metafield_gateway_audit_lines_lost_total");
    let mut sent = 0;
    while lost() < 3.0 {
        assert!(sent < MANY, "the queue is bounded");
        for _ in 0..50 {
            assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
            sent += 1;
        }
    }
    assert_eq!(upstream.requests().len(), sent);
    let lost = lost();
    let lines = lines_of(pipe);
    // Read to the end: the last line can only be lost while there is no room.
    let written = || gateway.metric("metafield_gateway_audit_lines_total");
    #[expect(clippy::cast_precision_loss, reason = "few lines")]
    while written() + lost < sent as f64 {
        std::thread::yield_now();
    }
    assert_eq!(client.exchange(&Request::new("PATCH", ONE)).status(), 405);
    drop(client);
    assert!(gateway.end().0.audited);
    #[expect(clippy::cast_precision_loss, reason = "few lines")]
    let recorded = lines.join().expect("lines").len() as f64;
    #[expect(clippy::cast_precision_loss, reason = "few lines")]
    let difference = recorded + lost - sent as f64;
    assert!(difference.abs() < 0.5, "{recorded} {lost} {sent}");
}

#[test]
fn a_full_disk_refuses_and_is_told() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .auditing("/dev/full")
        .with(SMALL_QUEUE)
        .start();
    let failing = || gateway.metric("metafield_gateway_audit_failing");
    let mut client = gateway.connect();
    // The line that first meets the full disk is of a request that was served; it waits.
    assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
    while failing() < 0.5 {
        std::thread::yield_now();
    }
    let answer = client.exchange(&Request::update("{}"));
    assert_eq!(
        (answer.status(), answer.code()),
        (503, Some("audit_unavailable"))
    );
    assert_eq!(upstream.requests().len(), 1);
    drop(client);
    assert!(
        !gateway.end().0.audited,
        "a line that was not written is told"
    );
}

#[test]
fn a_pipe_whose_reader_left_is_no_reason_to_end() {
    let upstream = Fake::good();
    let (gateway, mut pipe) = blocked("refuse", &upstream);
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    let mut byte = [0];
    pipe.read_exact(&mut byte).expect("a line comes");
    drop(pipe);
    let mut client = gateway.connect();
    // The next line meets the broken pipe; from then on requests are refused.
    let mut answers = (0..MANY).map(|_| client.exchange(&Request::update("{}")));
    assert!(answers.any(|answer| answer.code() == Some("audit_unavailable")));
    // A new reader makes the same pipe whole; its first line may have begun in the old one.
    let path = gateway.folder.path().join("audit.pipe");
    let pipe = OpenOptions::new().read(true).write(true).open(path);
    let pipe = BufReader::new(pipe.expect("a pipe"));
    let reader = std::thread::spawn(move || {
        pipe.lines()
            .any(|line| line.expect("a line").contains("method_not_allowed"))
    });
    while client.exchange(&Request::new("PATCH", ONE)).status() != 405 {
        std::thread::yield_now();
    }
    drop(client);
    assert!(gateway.end().0.audited);
    assert!(reader.join().expect("lines"));
}

#[test]
fn a_method_that_is_none_is_not_recorded() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    for method in [WRITER, "get", "PROPFIND", "PATCH"] {
        let answer = gateway.exchange(&Request::new(method, ONE));
        assert_eq!(answer.code(), Some("method_not_allowed"), "{method}");
    }
    let methods: Vec<Value> = gateway
        .stop()
        .iter()
        .map(|line| line["method"].clone())
        .collect();
    assert_eq!(
        methods,
        [Value::Null, Value::Null, Value::Null, "PATCH".into()]
    );
}
