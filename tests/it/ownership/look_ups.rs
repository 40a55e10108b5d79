//! The look-up itself: what it asks, what becomes of every answer it may get, and what is recorded of it.
//! Where it does not tell whose the metafield is, nothing of the request is sent.

use super::{CRM, before, count, json, nine_in, outcome, request, upstream, with_teams};
use crate::support::client::{ONE, Request};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::{CREDENTIAL, Setup};
use serde_json::Value;

fn update() -> Request {
    request(CRM, "PUT", ONE, r#"{"value":"w"}"#)
}

/// An upstream that answers each `GET` with this, and works otherwise.
fn looked_up(answer: String) -> Fake {
    upstream(move |request, connection| {
        let is_get = request.start.starts_with("GET ");
        connection.send(if is_get { &answer } else { OK })
    })
}

/// Sends an update; gives its outcome and body, how often its upstream was asked, and its record.
fn update_before(upstream: &Fake, settings: &str) -> (String, String, Value) {
    let gateway = with_teams(Setup::new(upstream.address).with(settings)).start();
    let answer = gateway.exchange(&update());
    assert_eq!(count(upstream, "PUT"), 0, "nothing of the request is sent");
    let mut lines = gateway.stop();
    assert_eq!(lines.len(), 1);
    let body = String::from_utf8(answer.body.clone()).expect("UTF-8");
    (outcome(&answer), body, lines.remove(0))
}

/// Answers to a look-up, and what becomes of the request.
fn that_do_not_tell() -> Vec<(String, &'static str)> {
    let echo = json(
        "200 OK",
        &format!("{{\"data\":{{\"id\":9,\"namespace\":\"crm\",\"key\":\"{CREDENTIAL}\"}}}}"),
    );
    let long = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{{\"data\":",
        2 << 20
    );
    let unending = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n1\r\n",
        (1 << 20) + 1,
        " ".repeat((1 << 20) + 1)
    );
    let encoded = nine_in("crm").replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n");
    let header = nine_in("crm").replace("\r\n\r\n", &format!("\r\nX-Echo: {CREDENTIAL}\r\n\r\n"));
    let long_404 = json("404 Not Found", &" ".repeat(65 << 10));
    vec![
        (
            json("500 Internal Server Error", "{}"),
            "502 upstream_protocol_error",
        ),
        (
            json("503 Service Unavailable", "{}"),
            "502 upstream_protocol_error",
        ),
        (
            json("401 Unauthorized", "{}"),
            "502 upstream_credential_refused",
        ),
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://evil.test/\r\nContent-Length: 0\r\n\r\n"
                .to_owned(),
            "502 upstream_redirect",
        ),
        (echo, "502 credential_echoed"),
        (header, "502 credential_echoed"),
        (encoded, "502 upstream_protocol_error"),
        (long, "502 upstream_protocol_error"),
        (unending, "502 upstream_protocol_error"),
        (long_404, "502 upstream_protocol_error"),
        (OK.to_owned(), "502 upstream_protocol_error"),
        (json("200 OK", ""), "502 upstream_protocol_error"),
        (
            json(
                "200 OK",
                "{\"data\":{\"id\":9,\"namespace\":\"crm\",\"key\":\"k\"}",
            ),
            "502 upstream_protocol_error",
        ),
        (
            json(
                "200 OK",
                "{\"data\":{\"id\":8,\"namespace\":\"crm\",\"key\":\"k\"}}",
            ),
            "502 upstream_protocol_error",
        ),
        (
            json(
                "200 OK",
                "{\"data\":{\"id\":9,\"namespace\":\"ads\",\"namespace\":\"crm\",\"key\":\"k\"}}",
            ),
            "502 upstream_protocol_error",
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            "502 upstream_protocol_error",
        ),
        ("SMTP\r\n\r\n".to_owned(), "502 upstream_protocol_error"),
    ]
}

#[test]
fn a_look_up_that_does_not_tell_is_a_failure_of_the_upstream() {
    for (answer, code) in that_do_not_tell() {
        let title = answer
            .get(..60.min(answer.len()))
            .unwrap_or_default()
            .to_owned();
        let upstream = looked_up(answer);
        let (found, body, line) = update_before(&upstream, "");
        assert_eq!(found, code, "{title}");
        assert!(
            !body.contains("outcome of a write is unknown"),
            "{title} {body}"
        );
        assert!(!body.contains(CREDENTIAL), "{title}");
        assert_eq!(
            (&line["lookups"], &line["sent"]),
            (&1.into(), &"no".into()),
            "{title}"
        );
        assert_eq!(line["upstream_status"], Value::Null, "{title}");
    }
}

#[test]
fn an_answer_of_bigcommerces_to_the_look_up_stands_for_the_one_to_the_request() {
    for (status, body) in [
        (
            "404 Not Found",
            r#"{"status":404,"title":"The resource at that URL is not found."}"#,
        ),
        ("429 Too Many Requests", r#"{"status":429}"#),
        ("403 Forbidden", r#"{"status":403}"#),
        ("422 Unprocessable Entity", "{}"),
    ] {
        let answer =
            json(status, body).replace("\r\n\r\n", "\r\nX-Rate-Limit-Requests-Left: 0\r\n\r\n");
        let upstream = looked_up(answer);
        let gateway = before(upstream.address);
        let number = status.split(' ').next().expect("a number");
        let answer = gateway.exchange(&update());
        assert_eq!((outcome(&answer), answer.text()), (number.to_owned(), body));
        assert_eq!(answer.field("x-rate-limit-requests-left"), Some("0"));
        // It is not remembered.
        assert_eq!(outcome(&gateway.exchange(&update())), number);
        assert_eq!((count(&upstream, "GET"), count(&upstream, "PUT")), (2, 0));
        for line in gateway.stop() {
            assert_eq!(line["decision"], "allowed");
            assert_eq!(line["code"], Value::Null);
            assert_eq!((&line["lookups"], &line["sent"]), (&1.into(), &"no".into()));
            assert_eq!(line["upstream_status"].to_string(), number);
        }
    }
}

#[test]
fn a_look_up_has_the_requests_own_deadline() {
    let stalling = Fake::stalling();
    let (found, body, line) = update_before(&stalling, "upstream.deadline = \"100ms\"");
    assert_eq!(found, "504 upstream_timeout");
    assert!(body.contains("nothing was sent"), "{body}");
    assert_eq!((&line["lookups"], &line["sent"]), (&1.into(), &"no".into()));

    let dripping = upstream(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")?;
        connection.until_closed()
    });
    let (found, _, line) = update_before(&dripping, "upstream.deadline = \"100ms\"");
    assert_eq!(found, "504 upstream_timeout");
    assert_eq!((&line["lookups"], &line["sent"]), (&1.into(), &"no".into()));

    let closing = Fake::doing(|connection| connection.request().map(drop));
    let (found, _, line) = update_before(&closing, "");
    assert_eq!(found, "502 upstream_protocol_error");
    assert_eq!((&line["lookups"], &line["sent"]), (&1.into(), &"no".into()));
}

#[test]
fn a_look_up_asks_for_one_metafield_in_the_gateways_name() {
    let upstream = looked_up(nine_in("crm"));
    let gateway = before(upstream.address);
    let asked = update()
        .with("Accept-Encoding", "gzip")
        .with("Accept", "text/plain")
        .with("User-Agent", "theirs/1.0");
    let answer = gateway.exchange(&asked);
    assert_eq!(answer.status(), 200);
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].start, format!("GET {ONE} HTTP/1.1"));
    let id = answer.field("x-correlation-id").expect("an id");
    for (name, value) in [
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("user-agent", "metafield-gateway"),
        ("via", "1.1 metafield-gateway"),
        ("x-auth-token", CREDENTIAL),
        ("x-correlation-id", id),
    ] {
        assert_eq!(requests[0].field(name), Some(value));
    }
    assert_eq!(requests[0].body, b"");
    // The request itself is the caller's, but for what the gateway must read.
    assert_eq!(requests[1].field("user-agent"), Some("theirs/1.0"));
    assert_eq!(requests[1].field("accept-encoding"), Some("identity"));
    let lines = gateway.stop();
    assert_eq!(
        (&lines[0]["lookups"], &lines[0]["sent"]),
        (&1.into(), &"yes".into())
    );
}

#[test]
fn look_ups_are_counted() {
    let upstream = looked_up(nine_in("crm"));
    let setup = Setup::new(upstream.address).with("admin.address = \"127.0.0.1:0\"");
    let gateway = with_teams(setup).start();
    for _ in 0..3 {
        assert_eq!(gateway.exchange(&update()).status(), 200);
    }
    for (name, expected) in [
        ("ownership_misses_total", 1.0),
        ("ownership_hits_total", 2.0),
        ("ownership_lookups_total{outcome=\"found\"}", 1.0),
        ("ownership_lookups_total{outcome=\"answered\"}", 0.0),
        ("ownership_lookups_total{outcome=\"failed\"}", 0.0),
        ("upstream_responses_total{status=\"200\"}", 4.0),
    ] {
        let found = gateway.metric(&format!("metafield_gateway_{name}"));
        assert!((found - expected).abs() < 0.5, "{name} is {found}");
    }
}
