//! A caller's own limits.

use super::ground::{TWENTY, W, clock, figures, gateway, retry, update};
use crate::support::client::{ALL, CUSTOMER, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{READER, WRITER};
use std::time::Duration;

#[test]
fn a_rate_lets_a_burst_through_and_then_so_many() {
    let (clock, hand) = clock();
    let upstream = Fake::good();
    let rate = "rate_limit = { requests = 10, per = \"10s\", burst = 3 }";
    let gateway = gateway(upstream.address, "", &[("writer", rate)], &clock);
    let mut client = gateway.connect();
    for left in [2, 1, 0] {
        let answer = client.exchange(&update(WRITER));
        assert_eq!(answer.status(), 200);
        assert_eq!(figures(&answer), [3000, 1000 * (3 - left), 3, left]);
    }
    let refused = client.exchange(&update(WRITER));
    assert_eq!(
        (refused.status(), refused.code()),
        (429, Some("rate_limited"))
    );
    assert_eq!(
        (retry(&refused), figures(&refused)),
        (1, [3000, 1000, 3, 0])
    );
    assert_eq!(
        refused.json()["detail"],
        "over the caller's `rate_limit.requests`; try again in 1 s"
    );
    // Another caller has nothing to do with it, and sees what BigCommerce says: nothing.
    let other = client.exchange(&Request::new("GET", CUSTOMER).instead("X-Auth-Token", READER));
    assert_eq!(other.status(), 200);
    assert_eq!(other.field("X-Rate-Limit-Requests-Left"), None);
    hand.advance(Duration::from_millis(999));
    assert_eq!(client.exchange(&update(WRITER)).status(), 429);
    hand.advance(Duration::from_millis(1));
    assert_eq!(client.exchange(&update(WRITER)).status(), 200);
    assert_eq!(upstream.requests().len(), 5);
    let lines = gateway.stop();
    let denied = lines.iter().filter(|line| line["code"] == "rate_limited");
    assert!(
        denied
            .clone()
            .all(|line| line["decision"] == "denied" && line["sent"] == "no")
    );
    assert_eq!(denied.count(), 2);
}

#[test]
fn the_body_of_a_request_over_the_rate_is_not_read() {
    let (clock, _hand) = clock();
    let upstream = Fake::good();
    let rate = "rate_limit = { requests = 1, per = \"1h\" }";
    let gateway = gateway(upstream.address, "", &[("writer", rate)], &clock);
    assert_eq!(gateway.exchange(&update(WRITER)).status(), 200);
    let mut client = gateway.connect();
    let long = update(WRITER).with("Content-Length", "100000");
    client.send(long.head());
    let refused = client.answer();
    assert_eq!(refused.status(), 429);
    assert_eq!(retry(&refused), 3600);
    // What is wrong before is answered before: the route, the token, the grants.
    let mut client = gateway.connect();
    for (request, status) in [
        (Request::new("GET", "/nowhere"), 404),
        (update("canary-token-of-nobody"), 401),
        (Request::new("GET", &format!("{CUSTOMER}?a=1")), 400),
    ] {
        assert_eq!(client.exchange(&request).status(), status);
    }
    // And what is wrong with the body is not looked at.
    assert_eq!(client.exchange(&Request::update("{")).status(), 429);
}

#[test]
fn so_many_requests_at_once() {
    let (clock, _hand) = clock();
    let upstream = Fake::stalling();
    let at_once = "concurrency = 2";
    let gateway = gateway(upstream.address, "", &[("writer", at_once)], &clock);
    let mut open: Vec<_> = (0..2).map(|_| gateway.connect()).collect();
    for client in &mut open {
        client.send(update(WRITER).to_bytes());
    }
    upstream.wait_for(2);
    let refused = gateway.exchange(&update(WRITER));
    assert_eq!(
        (refused.status(), refused.code()),
        (429, Some("rate_limited"))
    );
    assert_eq!(retry(&refused), 1);
    // One leaves, and its place is free once that is noticed.
    drop(open.pop());
    gateway.wait_for_metric(
        "metafield_gateway_requests_total{operation=\"update\",decision=\"allowed\",code=\"client_gone\"}",
        1.0,
    );
    let mut next = gateway.connect();
    next.send(update(WRITER).to_bytes());
    upstream.wait_for(3);
}

#[test]
fn items_of_batches_are_counted() {
    let (clock, hand) = clock();
    let upstream = Fake::good();
    let rate = "rate_limit = { requests = 100, per = \"10s\", batch_items = 5 }";
    let gateway = gateway(upstream.address, "", &[("writer", rate)], &clock);
    let mut client = gateway.connect();
    let batch = |items: u32| {
        let rows: Vec<_> = (1..=items).map(|id| format!("{{\"id\":{id}}}")).collect();
        Request::new("PUT", ALL).json(format!("[{}]", rows.join(",")))
    };
    assert_eq!(client.exchange(&batch(3)).status(), 200);
    let refused = client.exchange(&batch(3));
    assert_eq!(
        (refused.status(), refused.code()),
        (429, Some("rate_limited"))
    );
    assert_eq!(retry(&refused), 2);
    // Single ones are none.
    assert_eq!(client.exchange(&update(WRITER)).status(), 200);
    assert_eq!(client.exchange(&batch(2)).status(), 200);
    // More than there ever is would be refused for ever: that is another refusal.
    let never = client.exchange(&batch(6));
    assert_eq!(
        (never.status(), never.code()),
        (413, Some("batch_too_large"))
    );
    assert!(never.text().contains("at most 5 items"), "{}", never.text());
    hand.advance(Duration::from_secs(10));
    assert_eq!(client.exchange(&batch(5)).status(), 200);
    assert_eq!(upstream.requests().len(), 4);
}

#[test]
fn what_is_spent_outlives_a_reload() {
    let (clock, hand) = clock();
    let upstream = Fake::good();
    let rate = "rate_limit = { requests = 2, per = \"30s\" }";
    let callers = [("writer", rate)];
    let gateway = gateway(upstream.address, TWENTY, &callers, &clock);
    let mut client = gateway.connect();
    for _ in 0..2 {
        assert_eq!(client.exchange(&update(WRITER)).status(), 200);
    }
    let file = gateway.folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(file).expect("the configuration");
    gateway.reload_with(&text.replace(
        "[[caller]]\nname = \"reader\"",
        "[[caller]]\nname = \"other\"",
    ));
    assert_eq!(client.exchange(&update(WRITER)).status(), 429);
    hand.advance(Duration::from_millis(W / 2));
    let answer = client.exchange(&update(WRITER));
    assert_eq!(answer.status(), 200);
    // Without the limit, the store's: three of twenty are spent.
    gateway.reload_with(&text.replace(rate, ""));
    let answer = client.exchange(&update(WRITER));
    assert_eq!(figures(&answer)[2..], [20, 16]);
}
