//! BigCommerce says that it is too much.

use super::ground::{Store, TWENTY, W, clock, figures, gateway, retry, told, update};
use crate::support::client::{CUSTOMER, Request};
use crate::support::gateway::{READER, WRITER};
use std::time::Duration;

const BARE_429: &str = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nload";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

#[test]
fn a_429_that_tells_the_quota_stops_everyone_until_the_window_ends() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    let spent = format!(
        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n{}X-Retry-After: 12\r\n\r\n{{}}",
        told(W, 12_000, 20, 0)
    );
    store.answers_next(&[&spent]);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let mut client = gateway.connect();
    // BigCommerce's own answer is passed on, with all that clients read.
    let passed = client.exchange(&update(WRITER));
    assert_eq!((passed.status(), passed.code()), (429, None));
    assert_eq!(figures(&passed)[3], 0);
    assert_eq!(retry(&passed), 12);
    let other = client.exchange(&Request::new("GET", CUSTOMER).instead("X-Auth-Token", READER));
    assert_eq!(other.code(), Some("quota_exhausted"));
    assert_eq!(retry(&other), 13);
    hand.advance(Duration::from_secs(12));
    assert_eq!(client.exchange(&update(WRITER)).status(), 429);
    hand.advance(Duration::from_millis(2));
    assert_eq!(client.exchange(&update(WRITER)).status(), 200);
    assert_eq!(store.fake.requests().len(), 2);
}

#[test]
fn a_429_that_tells_nothing_pauses_the_store_and_one_goes_first() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    store.answers_next(&[BARE_429, BARE_429]);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let mut client = gateway.connect();
    let passed = client.exchange(&update(WRITER));
    assert_eq!((passed.status(), passed.code()), (429, None));
    assert_eq!(passed.text(), "load");
    assert!((1..=2).contains(&retry(&passed)), "{passed:?}");
    assert_eq!(figures(&passed)[3], 0);
    let refused = client.exchange(&update(WRITER));
    assert_eq!(refused.code(), Some("quota_exhausted"));
    assert!(
        refused.text().contains("BigCommerce is under load"),
        "{}",
        refused.text()
    );
    let ready = gateway.admin("/readyz");
    assert!(
        ready.text().contains("the store abc123 is left alone for"),
        "{}",
        ready.text()
    );
    assert_eq!(ready.status(), 200);
    // The first pause is 1 to 1.5 s, the second twice that.
    hand.advance(Duration::from_millis(1501));
    assert_eq!(client.exchange(&update(WRITER)).text(), "load");
    hand.advance(Duration::from_millis(1999));
    assert_eq!(
        client.exchange(&update(WRITER)).code(),
        Some("quota_exhausted")
    );
    hand.advance(Duration::from_millis(1002));
    assert_eq!(client.exchange(&update(WRITER)).status(), 200);
    assert_eq!(client.exchange(&update(WRITER)).status(), 200);
    assert_eq!(store.fake.requests().len(), 4);
}

#[test]
fn while_one_goes_first_the_others_do_not() {
    let (clock, hand) = clock();
    let upstream = crate::support::fake::Fake::doing(|connection| {
        connection.request()?;
        connection.send(BARE_429)?;
        // The second request is never answered.
        while connection.request()?.is_some() {}
        Ok(())
    });
    let gateway = gateway(upstream.address, TWENTY, &[], &clock);
    assert_eq!(gateway.exchange(&update(WRITER)).text(), "load");
    hand.advance(Duration::from_millis(1501));
    let mut first = gateway.connect();
    first.send(update(WRITER).to_bytes());
    upstream.wait_for(2);
    for _ in 0..5 {
        let refused = gateway.exchange(&update(WRITER));
        assert_eq!(refused.code(), Some("quota_exhausted"));
        assert_eq!(retry(&refused), 1);
    }
    assert_eq!(upstream.requests().len(), 2);
    // It leaves: another one goes.
    drop(first);
    gateway.wait_for_metric(
        "metafield_gateway_requests_total{operation=\"update\",decision=\"allowed\",code=\"client_gone\"}",
        1.0,
    );
    let mut second = gateway.connect();
    second.send(update(WRITER).to_bytes());
    upstream.wait_for(3);
}

#[test]
fn a_503_that_asks_to_come_back_later_pauses_the_store() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    let later = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    let plain = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    store.answers_next(&[plain, later, OK]);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let mut client = gateway.connect();
    // One that says nothing is an answer like others.
    assert_eq!(client.exchange(&update(WRITER)).status(), 503);
    let passed = client.exchange(&update(WRITER));
    assert_eq!((passed.status(), passed.code()), (503, None));
    assert_eq!(passed.field("Retry-After"), Some("7"));
    let refused = client.exchange(&update(WRITER));
    assert_eq!(
        (refused.status(), refused.code()),
        (503, Some("upstream_overloaded"))
    );
    assert!((7..=11).contains(&retry(&refused)), "{refused:?}");
    hand.advance(Duration::from_millis(10_501));
    assert_eq!(client.exchange(&update(WRITER)).status(), 200);
}

#[test]
fn without_a_quota_nobody_is_kept_back() {
    let (clock, _hand) = clock();
    let store = Store::new(20, &clock);
    store.answers_next(&[BARE_429, BARE_429, OK]);
    let gateway = gateway(store.address(), "", &[], &clock);
    let statuses: Vec<u16> = (0..3)
        .map(|_| gateway.exchange(&update(WRITER)).status())
        .collect();
    assert_eq!(statuses, [429, 429, 200]);
}
