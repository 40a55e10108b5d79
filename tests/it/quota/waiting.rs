//! Callers that may wait for their turn.

use super::ground::{Store, TWENTY, W, clock, gateway, retry, told, update};
use crate::support::PATIENCE;
use crate::support::client::{CUSTOMER, Client, Request};
use crate::support::gateway::{Gateway, WRITER};
use metafield_gateway::observe::{Clock, Hand};
use std::time::Duration;

const WAITING: &str = "metafield_gateway_requests_waiting";

const PATIENT: [(&str, &str); 1] = [("writer", "max_wait = \"5s\"")];

/// A gateway whose store is spent, four seconds before its window ends.
fn spent() -> (Store, Gateway, Clock, Hand) {
    let (clock, hand) = clock();
    let store = Store::new(3, &clock);
    let gateway = gateway(store.address(), TWENTY, &PATIENT, &clock);
    for _ in 0..3 {
        assert_eq!(gateway.exchange(&update(WRITER)).status(), 200);
    }
    hand.advance(Duration::from_millis(W - 4_000));
    (store, gateway, clock, hand)
}

fn begin(gateway: &Gateway, request: &Request) -> Client {
    let mut client = gateway.connect();
    client.send(request.to_bytes());
    client
}

/// Moves the time on in small steps until something is so.
#[expect(clippy::disallowed_methods, reason = "the wait is bounded")]
fn advance_until(hand: &Hand, is_so: &dyn Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it never came");
        hand.advance(Duration::from_millis(20));
        std::thread::yield_now();
    }
}

fn answer_after(client: &mut Client, hand: &Hand, is_so: &dyn Fn() -> bool) -> u16 {
    advance_until(hand, is_so);
    client.answer().status()
}

#[test]
fn a_request_waits_for_the_next_window() {
    let (store, gateway, _clock, hand) = spent();
    let mut client = begin(&gateway, &update(WRITER));
    gateway.wait_for_metric(WAITING, 1.0);
    let asked = || store.fake.requests().len() > 3;
    assert_eq!(answer_after(&mut client, &hand, &asked), 200);
    assert_eq!(store.refused(), 0);
    let lines = gateway.stop();
    assert_eq!(lines.len(), 4);
}

#[test]
fn one_that_would_wait_in_vain_is_refused_at_once() {
    let (store, gateway, clock, _hand) = spent();
    let _ = clock;
    // 26 s before this the window had longer to go than anyone waits.
    let (clock, _standing) = super::ground::clock();
    let other = Store::new(1, &clock);
    let second = super::ground::gateway(other.address(), TWENTY, &PATIENT, &clock);
    assert_eq!(second.exchange(&update(WRITER)).status(), 200);
    let refused = second.exchange(&update(WRITER));
    assert_eq!(refused.code(), Some("quota_exhausted"));
    assert_eq!(retry(&refused), 31);
    drop((store, gateway));
}

#[test]
fn those_who_wait_go_in_their_order_and_one_that_leaves_is_passed_over() {
    let (store, gateway, _clock, hand) = spent();
    let path = |customer: u32| format!("/stores/abc123/v3/customers/{customer}/metafields");
    let get = |customer| Request::new("GET", &path(customer));
    let mut clients = Vec::new();
    for customer in 1..=4 {
        clients.push(begin(&gateway, &get(customer)));
        gateway.wait_for_metric(WAITING, f64::from(customer));
    }
    // The second one leaves.
    drop(clients.remove(1));
    gateway.wait_for_metric(
        "metafield_gateway_requests_total{operation=\"list\",decision=\"denied\",code=\"client_gone\"}",
        1.0,
    );
    advance_until(&hand, &|| store.fake.requests().len() >= 6);
    for client in &mut clients {
        assert_eq!(client.answer().status(), 200);
    }
    let asked: Vec<String> = store.fake.requests()[3..]
        .iter()
        .map(|request| {
            request
                .start
                .split(' ')
                .nth(1)
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(asked, [path(1), path(3), path(4)]);
    assert_eq!(store.refused(), 0);
}

#[test]
fn a_429_is_waited_out_where_there_is_time() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    let spent = format!(
        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n{}\r\n",
        told(W, 2_000, 20, 0)
    );
    store.answers_next(&[&spent]);
    let gateway = gateway(store.address(), TWENTY, &PATIENT, &clock);
    let mut client = begin(&gateway, &update(WRITER));
    gateway.wait_for_metric(WAITING, 1.0);
    let asked = || store.fake.requests().len() > 1;
    assert_eq!(answer_after(&mut client, &hand, &asked), 200);
    // Where there is none, it is passed on.
    store.others_spend(20);
    let passed = gateway.exchange(&update(WRITER));
    assert_eq!((passed.status(), passed.code()), (429, None));
    let lines = gateway.stop();
    assert_eq!(lines[0]["upstream_status"], 200);
    assert_eq!(lines[1]["upstream_status"], 429);
}

#[test]
fn a_write_is_not_sent_again_after_a_503_and_a_read_is() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    let later = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    store.answers_next(&[later]);
    let gateway = gateway(store.address(), TWENTY, &PATIENT, &clock);
    assert_eq!(gateway.exchange(&update(WRITER)).status(), 503);
    hand.advance(Duration::from_secs(2));
    store.answers_next(&[later]);
    let mut client = begin(&gateway, &Request::new("GET", CUSTOMER));
    gateway.wait_for_metric(WAITING, 1.0);
    let asked = || store.fake.requests().len() > 2;
    assert_eq!(answer_after(&mut client, &hand, &asked), 200);
}
