//! Whatever becomes of requests, nothing of the budget is lost with them.

use super::ground::{TWENTY, W, clock, gateway, told, update};
use crate::support::client::{CUSTOMER, Request};
use crate::support::fake::{Connection, Fake};
use crate::support::gateway::{Gateway, WRITER};
use std::io;
use std::time::Duration;

const PATIENT: [(&str, &str); 1] = [("writer", "concurrency = 3\nmax_wait = \"5s\"")];

fn available(gateway: &Gateway) -> f64 {
    gateway.metric("metafield_gateway_store_quota_available{store=\"abc123\"}")
}

type Behaviour = fn(&mut Connection) -> io::Result<()>;

/// What an upstream does, and the status that the caller sees.
const BEHAVIOURS: [(&str, Behaviour, u16); 6] = [
    ("closes unread", |_| Ok(()), 502),
    (
        "closes unanswered",
        |connection| connection.request().map(drop),
        502,
    ),
    (
        "speaks no HTTP",
        |connection| {
            connection.request()?;
            connection.send("what?\r\n\r\n")
        },
        502,
    ),
    (
        "breaks off within its answer",
        |connection| {
            connection.request()?;
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        },
        502,
    ),
    (
        "redirects",
        |connection| {
            connection.request()?;
            let fields = told(W, W, 20, 15);
            connection.send(format!(
                "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n{fields}\r\n"
            ))
        },
        502,
    ),
    (
        "refuses the credential",
        |connection| {
            connection.request()?;
            connection.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        },
        502,
    ),
];

#[test]
fn failed_requests_leave_the_next_window_whole() {
    for (name, behaviour, status) in BEHAVIOURS {
        let (clock, hand) = clock();
        let upstream = Fake::doing(behaviour);
        let gateway = gateway(upstream.address, TWENTY, &PATIENT, &clock);
        for request in [update(WRITER), Request::new("GET", CUSTOMER)] {
            for _ in 0..4 {
                assert_eq!(gateway.exchange(&request).status(), status, "{name}");
            }
        }
        hand.advance(Duration::from_millis(W + 10));
        assert!((available(&gateway) - 20.0).abs() < 0.1, "{name}");
        // Nor is a place of the caller's lost: three at once are still let through.
        assert_eq!(gateway.exchange(&update(WRITER)).status(), status, "{name}");
    }
}

#[test]
fn clients_that_leave_take_nothing_with_them() {
    let (clock, hand) = clock();
    let upstream = Fake::stalling();
    let gateway = gateway(upstream.address, TWENTY, &PATIENT, &clock);
    let gone = |decision: &str| {
        gateway.metric(&format!(
            "metafield_gateway_requests_total{{operation=\"update\",decision=\"{decision}\",code=\"client_gone\"}}"
        ))
    };
    // Three are with BigCommerce, and two wait for their turn; one is still sending.
    let mut clients: Vec<_> = (0..5).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.send(update(WRITER).to_bytes());
    }
    upstream.wait_for(3);
    gateway.wait_for_metric("metafield_gateway_requests_waiting", 2.0);
    assert!((available(&gateway) - 17.0).abs() < 0.1);
    drop(clients);
    gateway.wait_for_metric("metafield_gateway_connections_open", 0.0);
    // One that waited may have had its turn before it was seen to be gone.
    assert!((gone("allowed") + gone("denied") - 5.0).abs() < 0.1);
    let rest = 20.0 - gone("allowed");
    assert!((available(&gateway) - rest).abs() < 0.1);
    let mut slow = gateway.connect();
    slow.send(update(WRITER).with("Content-Length", "100").head());
    // It holds a request of the budget while its body comes.
    let left = "metafield_gateway_store_quota_available{store=\"abc123\"}";
    gateway.wait_for_metric(left, rest - 1.0);
    drop(slow);
    gateway.wait_for_metric(left, rest);
    hand.advance(Duration::from_millis(W + 10));
    assert!((available(&gateway) - 20.0).abs() < 0.1);
    gateway.wait_for_metric("metafield_gateway_requests_waiting", 0.0);
}
