//! Whoever is slow with its body holds nothing that others need.

use super::ground::{Store, TWENTY, W, clock, gateway, spend, update};
use crate::support::client::{CUSTOMER, Request};
use crate::support::gateway::{READER, WRITER};
use std::time::Duration;

const LEFT: &str = "metafield_gateway_store_quota_available{store=\"abc123\"}";

fn get() -> Request {
    Request::new("GET", CUSTOMER).instead("X-Auth-Token", READER)
}

#[test]
fn heads_of_the_last_window_spend_nothing_of_the_next() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let head = update(WRITER).with("Content-Length", "2").head();
    let mut slow: Vec<_> = (0..20).map(|_| gateway.connect()).collect();
    for client in &mut slow {
        client.send(&head);
    }
    gateway.wait_for_metric(LEFT, 0.0);
    hand.advance(Duration::from_millis(W + 2));
    gateway.wait_for_metric(LEFT, 20.0);
    // Both wish for more than there is: each has a half, whoever held what before.
    let mut client = gateway.connect();
    assert_eq!(spend(&mut client, &get()), 10);
    let mut statuses = Vec::new();
    for client in &mut slow {
        client.send("{}");
        statuses.push(client.answer().status());
    }
    assert_eq!(statuses, [[200; 10], [429; 10]].concat());
    assert_eq!(store.refused(), 0);
}

#[test]
fn nobody_goes_first_before_it_can_be_sent() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    store.answers_next(&["HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"]);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    assert_eq!(gateway.exchange(&get()).status(), 429);
    hand.advance(Duration::from_millis(1501));
    let mut slow = gateway.connect();
    slow.send(update(WRITER).with("Content-Length", "2").head());
    gateway.wait_for_metric(LEFT, 18.0);
    assert_eq!(gateway.exchange(&get()).status(), 200);
    slow.send("{}");
    assert_eq!(slow.answer().status(), 200);
}
