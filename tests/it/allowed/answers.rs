//! BigCommerce's answers are passed on as they are, without what concerns one hop or the gateway.

use crate::support::client::{ALL, ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::Gateway;
use crate::support::http1::Message;

/// The answer to an update in front of an upstream that answers with these bytes.
fn passed_on(answer: impl Into<Vec<u8>>) -> Message {
    let upstream = Fake::answering(answer);
    let gateway = Gateway::before(upstream.address);
    let passed = gateway.exchange(&Request::update("{}"));
    assert_eq!(passed.code(), None);
    let lines = gateway.stop();
    assert_eq!(lines[0]["decision"], "allowed");
    assert_eq!(lines[0]["code"], serde_json::Value::Null);
    assert_eq!(lines[0]["upstream_status"], passed.status());
    passed
}

/// The fields without those that the gateway sets itself.
fn fields(answer: &Message) -> Vec<(&str, &str)> {
    let fields = answer.fields.iter();
    let mut fields: Vec<(&str, &str)> = fields
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !matches!(*name, "date" | "x-correlation-id"))
        .collect();
    fields.sort_unstable();
    fields
}

#[test]
fn other_statuses_pass_with_their_bodies_and_fields() {
    for status in [
        "201 Created",
        "207 Multi-Status",
        "403 Forbidden",
        "404 Not Found",
        "409 Conflict",
        "413 Payload Too Large",
        "422 Unprocessable Entity",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "503 Service Unavailable",
    ] {
        let body = "{\"status\":0,\"title\":\"x\",\"errors\":{\"code\":\"y\"}}";
        let answer = passed_on(format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Retry-After: 17\r\nX-Retry-After: 17\r\nX-Rate-Limit-Requests-Left: 0\r\n\
             X-Rate-Limit-Requests-Quota: 150\r\nX-Rate-Limit-Time-Reset-Ms: 17000\r\n\
             X-Rate-Limit-Time-Window-Ms: 30000\r\n\r\n{body}",
            body.len()
        ));
        assert!(status.starts_with(&format!("{} ", answer.status())));
        assert_eq!(answer.text(), body);
        let length = body.len().to_string();
        let expected = [
            ("content-length", length.as_str()),
            ("content-type", "application/json"),
            ("retry-after", "17"),
            ("x-rate-limit-requests-left", "0"),
            ("x-rate-limit-requests-quota", "150"),
            ("x-rate-limit-time-reset-ms", "17000"),
            ("x-rate-limit-time-window-ms", "30000"),
            ("x-retry-after", "17"),
        ];
        assert_eq!(fields(&answer), expected, "{status}");
    }
}

#[test]
fn what_concerns_one_hop_or_the_gateway_stays_behind() {
    let answer = passed_on(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, X-Private, content-length\r\n\
         X-Private: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nProxy-Connection: close\r\n\
         TE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n\
         X-Gateway-Code: forged\r\nX-Gateway-Other: forged\r\n\
         X-Correlation-Id: 00000000-0000-4000-8000-000000000000\r\nServer: store\r\nX-Request-Id: r\r\n\r\n{}",
    );
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.body, b"{}");
    let expected = [
        ("content-length", "2"),
        ("server", "store"),
        ("x-request-id", "r"),
    ];
    assert_eq!(fields(&answer), expected);
    let id = answer.field("x-correlation-id").expect("an id");
    assert_ne!(id, "00000000-0000-4000-8000-000000000000");
}

#[test]
fn a_compressed_answer_is_not_touched() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\nContent-Length: 256\r\n\r\n".to_vec();
    // To the gateway it is bytes: it need not even be gzip.
    let body: Vec<u8> = (0..=255).rev().collect();
    bytes.extend_from_slice(&body);
    let answer = passed_on(bytes);
    assert_eq!(answer.field("content-encoding"), Some("gzip"));
    assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
    assert_eq!(answer.field("content-length"), Some("256"));
    assert_eq!(answer.body, body);
}

#[test]
fn a_chunked_answer_comes_whole_and_without_its_trailers() {
    let answer = passed_on(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Gateway-Code\r\n\r\n\
         3;a=b\r\n{\"a\r\n4\r\n\":1}\r\n0\r\nX-Gateway-Code: forged\r\n\r\n",
    );
    assert_eq!(answer.text(), "{\"a\":1}");
    assert_eq!(fields(&answer), [("content-length", "7")]);
}

#[test]
fn no_content_has_no_body() {
    let upstream = Fake::answering("HTTP/1.1 204 No Content\r\nX-Request-Id: r\r\n\r\n");
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    for _ in 0..2 {
        // The second answer would not be found behind a body that is none.
        let answer = client.exchange(&Request::new("DELETE", ONE));
        assert_eq!(answer.status(), 204);
        assert_eq!(fields(&answer), [("x-request-id", "r")]);
    }
    assert_eq!(upstream.requests()[0].all("content-length"), [""; 0]);
}

#[test]
fn an_answer_to_head_keeps_its_length_and_has_no_body() {
    let upstream = Fake::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 300\r\n\r\n",
    );
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    for target in [ONE, ALL] {
        let answer = client.exchange(&Request::new("HEAD", target));
        assert_eq!(answer.status(), 200);
        let expected = [
            ("content-length", "300"),
            ("content-type", "application/json"),
        ];
        assert_eq!(fields(&answer), expected);
        let seen = upstream.requests().pop().expect("a request");
        assert_eq!(seen.start, format!("HEAD {target} HTTP/1.1"));
    }
}
