//! HTTP/2 by prior knowledge, on the plaintext door.

use crate::support::client::{ALL, CUSTOMER, ONE, Request};
use crate::support::client_h2::{Client, GOAWAY};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::{CREDENTIAL, Gateway, READER, Setup};
use metafield_gateway::server::Stage;
use std::sync::{Arc, Barrier};

#[test]
fn every_operation_is_served() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut client = Client::connect(gateway.address());
    let create = r#"{"namespace":"n","key":"k","value":"v","permission_set":"read"}"#;
    let create_batch =
        r#"[{"namespace":"n","key":"k","value":"v","permission_set":"read","resource_id":7}]"#;
    let cases = [
        Request::update("{}"),
        Request::new("PUT", ALL).json(r#"[{"id":9}]"#),
        Request::new("POST", CUSTOMER).json(create),
        Request::new("POST", ALL).json(create_batch),
        Request::new("DELETE", ONE),
        Request::new("DELETE", ALL).json("[9,10]"),
        Request::new("GET", ONE).instead("X-Auth-Token", READER),
        Request::new("GET", CUSTOMER).instead("X-Auth-Token", READER),
        Request::new("GET", ALL),
    ];
    for request in &cases {
        let answer = client.exchange(request);
        let what = format!("{} {}", request.method, request.target);
        assert_eq!((answer.status(), answer.code()), (200, None), "{what}");
        assert!(!answer.body.is_empty());
        let seen = upstream.requests().pop().expect("a request");
        assert_eq!(seen.start, format!("{what} HTTP/1.1"));
        assert_eq!(seen.body, request.body.clone().unwrap_or_default());
        assert_eq!(seen.all("x-auth-token"), [CREDENTIAL]);
    }
    assert_eq!(gateway.stop().len(), cases.len());
}

#[test]
fn a_refusal_does_not_wait_for_the_body() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut client = Client::connect(gateway.address());
    let unknown = Request::update("").instead("X-Auth-Token", "not-a-known-token");
    let large = Request::update("").with("Content-Length", "5242880");
    for (request, status, code) in [
        (&unknown, 401, "unknown_token"),
        (&large, 413, "body_too_large"),
    ] {
        let begun = client.begin(request, false);
        let answer = client.answer(begun);
        assert_eq!((answer.status(), answer.code()), (status, Some(code)));
    }
    // The connection serves on.
    assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
    assert_eq!(gateway.stop().len(), 3);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_body_without_data_is_no_json() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut client = Client::connect(gateway.address());
    let update = Request::update("");
    let ended_at_once = client.begin(&update, true);
    let mut ended_by_data = client.begin(&update, false);
    ended_by_data.send("", true);
    let mut ended_by_trailers = client.begin(&update, false);
    ended_by_trailers.end_with_trailers();
    for begun in [ended_at_once, ended_by_data, ended_by_trailers] {
        let answer = client.answer(begun);
        assert_eq!(
            (answer.status(), answer.code()),
            (400, Some("malformed_json"))
        );
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_body_of_length_zero_is_no_body() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut client = Client::connect(gateway.address());
    for method in ["GET", "DELETE"] {
        let plain = Request::new(method, ONE);
        for request in [plain.clone(), plain.with("Content-Length", "0")] {
            let mut begun = client.begin(&request, false);
            begun.send("", true);
            let answer = client.answer(begun);
            assert_eq!((answer.status(), answer.code()), (200, None), "{method}");
        }
    }
}

#[test]
fn a_body_where_there_should_be_none_is_refused() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("limits.body_timeout = \"300ms\"")
        .start();
    let mut client = Client::connect(gateway.address());
    for method in ["GET", "HEAD", "DELETE"] {
        let mut begun = client.begin(&Request::new(method, ONE), false);
        begun.send("1", false);
        let answer = client.answer(begun);
        assert_eq!(answer.code(), Some("malformed_request"), "{method}");
        let open = client.begin(&Request::new(method, ONE), false);
        assert_eq!(client.answer(open).code(), Some("body_timeout"), "{method}");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_body_in_pieces_with_trailers_is_judged_whole() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut client = Client::connect(gateway.address());
    let mut begun = client.begin(&Request::update(""), false);
    for piece in ["{\"permission", "_set\":", "\"app_only\"", "}"] {
        begun.send(piece, false);
    }
    begun.end_with_trailers();
    assert_eq!(client.answer(begun).status(), 200);
    let seen = upstream.requests().pop().expect("a request");
    assert_eq!(seen.body, b"{\"permission_set\":\"app_only\"}");
    assert_eq!(seen.all("x-trailer"), [""; 0]);
}

#[test]
fn streams_are_served_at_once() {
    const STREAMS: usize = 20;
    let all_there = Arc::new(Barrier::new(STREAMS));
    let upstream = Fake::doing(move |connection| {
        while connection.request()?.is_some() {
            all_there.wait();
            connection.send(OK)?;
        }
        Ok(())
    });
    let gateway = Gateway::before(upstream.address);
    let mut client = Client::connect(gateway.address());
    let begun: Vec<_> = (0..STREAMS)
        .map(|_| client.start(&Request::update("{}")))
        .collect();
    for begun in begun {
        assert_eq!(client.answer(begun).status(), 200);
    }
    assert_eq!(gateway.stop().len(), STREAMS);
}

#[test]
fn two_authorities_are_refused() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut client = Client::connect(gateway.address());
    let two = Request::update("{}").with(":authority", "another.test");
    let answer = client.exchange(&two);
    assert_eq!(
        (answer.status(), answer.code()),
        (400, Some("malformed_request"))
    );
    let one = Request::update("{}").with(":authority", "gateway.test");
    assert_eq!(client.exchange(&one).status(), 200);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_drain_says_so_and_finishes_what_has_begun() {
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let upstream = Fake::doing(move |connection| {
        while connection.request()?.is_some() {
            gate.lock().expect("one at a time").recv().ok();
            connection.send(OK)?;
        }
        Ok(())
    });
    let gateway = Gateway::before(upstream.address);
    let mut client = Client::connect(gateway.address());
    let mut half = client.begin(&Request::update(""), false);
    let begun = client.start(&Request::update("{}"));
    // What was begun before it has arrived too.
    upstream.wait_for(1);
    gateway.advance(Stage::Draining);
    client.until_frame(GOAWAY);
    drop(open);
    assert_eq!(client.answer(begun).status(), 200);
    half.send("{}", true);
    assert_eq!(client.answer(half).status(), 200);
    client.until_closed();
    let (ended, lines) = gateway.end();
    assert_eq!((ended.cut, ended.failed, ended.audited), (0, 0, true));
    assert_eq!(lines.len(), 2);
}
