//! The operator's door.

use crate::support::client::{Client, Request};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::{Gateway, Setup};
use crate::support::http1::Message;
use metafield_gateway::server::Stage;
use std::net::TcpStream;
use std::sync::{Mutex, mpsc::channel};

fn setup(upstream: &Fake) -> Setup {
    Setup::new(upstream.address)
        .with("admin.address = \"127.0.0.1:0\"")
        .with("admin.hosts = [\"gateway.internal\"]")
}

fn ask(gateway: &Gateway, method: &str, path: &str, host: &str) -> Message {
    let mut client = Client::connect(gateway.admin_address());
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let answer = client.try_answer(method == "HEAD");
    answer.expect("an answer").expect("an answer")
}

/// Asks as a probe does until every worker accepts connections.
fn until_ready(gateway: &Gateway) {
    let ready = (0..10_000).any(|_| gateway.admin("/readyz").status() == 200);
    assert!(ready, "the gateway does not become ready");
}

#[test]
fn each_path_says_what_it_is_for() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    until_ready(&gateway);
    for (method, path, status) in [
        ("GET", "/livez", 200),
        ("HEAD", "/livez", 200),
        ("GET", "/readyz", 200),
        ("GET", "/readyz?verbose", 200),
        ("HEAD", "/metrics", 200),
        ("GET", "/", 200),
        ("GET", "/livez/", 404),
        ("GET", "/stores/abc123/v3/customers/metafields", 404),
        ("POST", "/nothing", 404),
        ("POST", "/livez", 405),
        ("DELETE", "/metrics", 405),
    ] {
        let answer = ask(&gateway, method, path, "127.0.0.1");
        assert_eq!(answer.status(), status, "{method} {path}");
        let allow = (status == 405).then_some("GET, HEAD");
        assert_eq!(answer.field("allow"), allow);
    }
    assert_eq!(gateway.stop().len(), 0, "the operator is not a caller");
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn only_known_names_are_answered() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    until_ready(&gateway);
    let port = gateway.admin_address().port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        ("10.1.2.3".to_owned(), 200),
        ("[::1]:9090".to_owned(), 200),
        (format!("localhost:{port}"), 200),
        ("gateway.internal".to_owned(), 200),
        (format!("Gateway.Internal:{port}"), 200),
        (format!("rebound.example:{port}"), 403),
        ("gateway.internal.rebound.example".to_owned(), 403),
        ("rebound.example".to_owned(), 403),
        (String::new(), 403),
    ] {
        for path in ["/livez", "/readyz", "/metrics", "/nothing"] {
            let answer = ask(&gateway, "GET", path, &host);
            let expected = if status == 200 && path == "/nothing" {
                404
            } else {
                status
            };
            assert_eq!(answer.status(), expected, "{host} {path}");
        }
    }
}

#[test]
fn readiness_is_withdrawn_before_the_doors_close() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    until_ready(&gateway);
    gateway.advance(Stage::Leaving);
    assert_eq!(gateway.admin("/readyz").status(), 503);
    assert_eq!(gateway.admin("/livez").status(), 200);
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!(answer.status(), 200, "connections are still accepted");
    assert_eq!(answer.field("connection"), None);
}

#[test]
fn the_operator_is_answered_while_draining() {
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let upstream = Fake::doing(move |connection| {
        while connection.request()?.is_some() {
            // The test opens by dropping the other end.
            gate.lock().expect("one at a time").recv().ok();
            connection.send(OK)?;
        }
        Ok(())
    });
    let gateway = setup(&upstream).start();
    let mut client = gateway.connect();
    client.send(Request::update("{}").to_bytes());
    upstream.wait_for(1);
    gateway.advance(Stage::Draining);
    assert_eq!(gateway.admin("/readyz").status(), 503);
    assert_eq!(gateway.admin("/livez").status(), 200);
    assert_eq!(gateway.admin("/metrics").status(), 200);
    drop(open);
    assert_eq!(client.answer().status(), 200);
}

#[test]
fn silent_connections_do_not_hold_up_a_probe() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let silent: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(gateway.admin_address()).expect("a connection"))
        .collect();
    // Read with less patience than the gateway has for a silent connection.
    let stream = TcpStream::connect(gateway.admin_address()).expect("a connection");
    let patience = std::time::Duration::from_secs(5);
    stream.set_read_timeout(Some(patience)).expect("a timeout");
    let mut probe = Client::over(stream);
    probe.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(probe.answer().status(), 200);
    drop(silent);
}

#[test]
fn the_counters_move() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).workers(2).start();
    let value = |name: &str| {
        let value = gateway.metric(&format!("metafield_gateway_{name}"));
        assert!(value.fract() == 0.0, "{name} is {value}");
        format!("{value}")
    };
    assert_eq!(value("connections_total"), "0");
    let mut client = gateway.connect();
    for _ in 0..3 {
        client.exchange(&Request::update("{}"));
    }
    client.exchange(&Request::update("{").instead("X-Auth-Token", "not-a-known-token"));
    client.exchange(&Request::update(r#"{"permission_set":"everyone"}"#));
    client.exchange(&Request::new("GET", "/nothing"));
    let requests = |labels: &str| value(&format!("requests_total{{{labels}}}"));
    for (labels, count) in [
        (r#"operation="update",decision="allowed",code="ok""#, "3"),
        (
            r#"operation="update",decision="denied",code="unknown_token""#,
            "1",
        ),
        (
            r#"operation="update",decision="denied",code="invalid_permission_set""#,
            "1",
        ),
        (
            r#"operation="unknown",decision="denied",code="unknown_route""#,
            "1",
        ),
    ] {
        assert_eq!(requests(labels), count, "{labels}");
    }
    for (name, count) in [
        ("connections_total", "1"),
        ("connections_open", "1"),
        ("upstream_connections_total", "1"),
        ("upstream_responses_total{status=\"200\"}", "3"),
        ("upstream_duration_seconds_count", "3"),
        ("upstream_duration_seconds_bucket{le=\"+Inf\"}", "3"),
        ("upstream_retries_total", "0"),
    ] {
        assert_eq!(value(name), count, "{name}");
    }
    let seconds = gateway.metric("metafield_gateway_upstream_duration_seconds_sum");
    assert!(seconds > 0.0 && seconds < 30.0, "{seconds}");
}

#[test]
fn the_counters_are_in_a_format_that_scrapers_know() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    gateway.exchange(&Request::update("{}"));
    let answer = gateway.admin("/metrics");
    assert_eq!(
        answer.field("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert!(answer.text().ends_with("# EOF\n"));
    for line in answer.text().lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        assert!(name.starts_with("metafield_gateway_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}
