//! Many requests on one connection, one after the other and ahead of their answers.

use crate::support::client::{ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::Gateway;

/// An upstream that answers with the request's own first line.
fn mirror() -> Fake {
    Fake::doing(|connection| {
        while let Some(request) = connection.request()? {
            let start = request.start;
            let length = start.len();
            connection.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{start}"
            ))?;
        }
        Ok(())
    })
}

fn get(id: usize) -> Request {
    Request::new(
        "GET",
        &format!("/stores/abc123/v3/customers/7/metafields/{id}"),
    )
}

#[test]
fn two_hundred_requests_use_one_connection() {
    let upstream = mirror();
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    for id in 1..=200 {
        let answer = client.exchange(&get(id));
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.field("connection"), None);
        assert!(answer.text().ends_with(&format!("/{id} HTTP/1.1")), "{id}");
    }
    assert_eq!(upstream.connections().len(), 1);
    drop(client);
    assert_eq!(gateway.stop().len(), 200);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let upstream = mirror();
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    let requests: Vec<Request> = (1..=20)
        .map(|id| match id % 4 {
            0 => Request::new("PUT", &get(id).target).json("{\"value\":\"v\"}"),
            1 => get(id).without("X-Auth-Token"),
            _ => get(id),
        })
        .collect();
    let bytes: Vec<u8> = requests.iter().flat_map(Request::to_bytes).collect();
    client.send(bytes);
    for (index, request) in requests.iter().enumerate() {
        let answer = client.answer();
        let id = index + 1;
        if id % 4 == 1 {
            assert_eq!(answer.code(), Some("missing_token"), "{id}");
            continue;
        }
        assert_eq!(answer.status(), 200, "{id}");
        let start = format!("{} {} HTTP/1.1", request.method, request.target);
        assert_eq!(answer.text(), start);
    }
    assert_eq!(upstream.requests().len(), 15);
}

#[test]
fn an_early_refusal_of_a_small_body_keeps_the_connection() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    let good = Request::update("{\"value\":\"v\"}");
    for (request, status) in [
        (good.clone().without("X-Auth-Token"), 401),
        (good.clone(), 200),
        (
            good.clone()
                .instead("X-Auth-Token", "canary-token-of-nobody"),
            401,
        ),
        (good.clone().with("X-Auth-Token", "twice"), 400),
        (
            Request {
                target: format!("{ONE}/"),
                ..good.clone()
            },
            404,
        ),
        (
            Request {
                method: "PATCH".to_owned(),
                ..good.clone()
            },
            405,
        ),
        (good.clone().instead("Content-Type", "text/plain"), 415),
        (Request::update("{"), 400),
        (Request::update("{\"value\":1}"), 422),
        (good, 200),
    ] {
        let answer = client.exchange(&request);
        assert_eq!(answer.status(), status);
        assert_eq!(answer.field("connection"), None, "{status}");
    }
    assert_eq!(upstream.requests().len(), 2);
    drop(client);
    assert_eq!(gateway.stop().len(), 10);
}

#[test]
fn the_client_may_ask_for_the_last_answer() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    let answer = client.exchange(&Request::update("{}").with("Connection", "close"));
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(client.is_closed());
    // The client's wish is about its own connection alone.
    gateway.exchange(&Request::update("{}"));
    assert_eq!(upstream.connections().len(), 1);
}
