//! Shares of a store's quota.

use super::ground::{Store, TWENTY, W, clock, figures, gateway, retry, spend, update};
use crate::support::client::{CUSTOMER, Request};
use crate::support::gateway::{LIMITED, READER, WRITER};
use std::time::Duration;

fn get(token: &str) -> Request {
    Request::new("GET", CUSTOMER).instead("X-Auth-Token", token)
}

fn list() -> Request {
    let target = format!("{CUSTOMER}?namespace=crm");
    Request::new("GET", &target).instead("X-Auth-Token", LIMITED)
}

#[test]
fn the_store_is_never_asked_for_more_than_it_has() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let mut client = gateway.connect();
    for window in 0..3 {
        for left in (0..20).rev() {
            let answer = client.exchange(&update(WRITER));
            assert_eq!(answer.status(), 200);
            assert_eq!(figures(&answer), [W, W, 20, left]);
        }
        let refused = client.exchange(&update(WRITER));
        assert_eq!(
            (refused.status(), refused.code()),
            (429, Some("quota_exhausted")),
            "window {window}"
        );
        assert_eq!(retry(&refused), 31);
        assert_eq!(figures(&refused)[2..], [20, 0]);
        assert_eq!(
            refused.json()["detail"],
            "the store's quota is spent; try again in 31 s"
        );
        hand.advance(Duration::from_millis(W + 2));
    }
    assert_eq!(store.refused(), 0);
}

#[test]
fn the_greedy_leaves_the_modest_its_share() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let mut clients = [gateway.connect(), gateway.connect()];
    let mut got = Vec::new();
    for _ in 0..4 {
        let mut served = [0, 0];
        // The greedy one is always first and asks ten times as often.
        for step in 0..30 {
            for _ in 0..3 {
                served[0] += u32::from(clients[0].exchange(&update(WRITER)).status() == 200);
            }
            if step % 5 == 4 {
                served[1] += u32::from(clients[1].exchange(&get(READER)).status() == 200);
            }
            hand.advance(Duration::from_secs(1));
        }
        got.push(served);
        // Past the moment to which the store's window lasts at the latest.
        hand.advance(Duration::from_millis(10));
    }
    // In the first window nobody knew of the modest one; from the second on it has its six.
    for had in &got[1..] {
        assert!(had[0] >= 13 && had[1] == 6, "{got:?}");
    }
    assert_eq!(store.refused(), 0);
}

#[test]
fn a_guarantee_is_kept_and_a_weight_counts() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    let callers = [("writer", "weight = 3"), ("reader", "guaranteed = 4")];
    let gateway = gateway(store.address(), TWENTY, &callers, &clock);
    let mut client = gateway.connect();
    // Nobody has heard of the reader, and four are there for it all the same.
    assert_eq!(spend(&mut client, &update(WRITER)), 16);
    assert_eq!(spend(&mut client, &get(READER)), 4);
    hand.advance(Duration::from_millis(W + 2));
    // Another has come meanwhile, and wishes for as much as there is.
    for _ in 0..20 {
        client.exchange(&list());
    }
    hand.advance(Duration::from_millis(W + 2));
    // By weight: four for the reader, and of sixteen three times as many for the writer as for the other.
    let other = spend(&mut client, &list());
    let writer = spend(&mut client, &update(WRITER));
    let reader = spend(&mut client, &get(READER));
    assert_eq!((writer, other, reader), (12, 4, 4));
    assert_eq!(store.refused(), 0);
}

#[test]
fn what_is_kept_free_is_left_to_others_and_what_they_spend_is_seen() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    let quota = "quota = { requests = 20, per = \"30s\", keep_free = 5 }";
    let gateway = gateway(store.address(), quota, &[], &clock);
    let mut client = gateway.connect();
    let mut spend = || spend(&mut client, &update(WRITER));
    assert_eq!(spend(), 15);
    store.others_spend(5);
    hand.advance(Duration::from_millis(W + 2));
    // Others take more than theirs, before.
    store.others_spend(9);
    assert_eq!(spend(), 11);
    assert_eq!(store.refused(), 0);
    let left = |gateway: &crate::support::gateway::Gateway, name: &str| {
        gateway.metric(&format!(
            "metafield_gateway_store_quota_{name}{{store=\"abc123\"}}"
        ))
    };
    let shown = ["requests", "left", "available", "told"].map(|name| left(&gateway, name));
    assert_eq!(shown.map(|value| value.to_string()), ["20", "0", "0", "1"]);
}

#[test]
fn a_plan_that_tells_nothing_is_counted_by_the_configuration() {
    let (clock, hand) = clock();
    let store = Store::new(20, &clock);
    store.counter.lock().expect("the counter").tells = false;
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let mut client = gateway.connect();
    for _ in 0..2 {
        for left in (0..20).rev() {
            let answer = client.exchange(&update(WRITER));
            assert_eq!(answer.status(), 200);
            assert_eq!(figures(&answer)[2..], [20, left]);
        }
        assert_eq!(client.exchange(&update(WRITER)).status(), 429);
        hand.advance(Duration::from_millis(W));
    }
    assert_eq!(store.refused(), 0);
}

#[test]
fn a_larger_plan_is_believed_and_a_smaller_one_too() {
    let (clock, hand) = clock();
    let store = Store::new(30, &clock);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let mut client = gateway.connect();
    let mut spend = || spend(&mut client, &update(WRITER));
    assert_eq!(spend(), 30);
    store.counter.lock().expect("the counter").quota = 7;
    hand.advance(Duration::from_millis(W + 2));
    assert_eq!(spend(), 7);
    assert_eq!(store.refused(), 0);
}

#[test]
fn what_is_refused_for_its_body_is_not_spent() {
    let (clock, _hand) = clock();
    let store = Store::new(20, &clock);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let mut client = gateway.connect();
    for _ in 0..50 {
        let answer = client.exchange(&Request::update("{\"permission_set\":\"all\"}"));
        assert_eq!(answer.status(), 422);
        assert_eq!(figures(&answer)[3], 20);
    }
    let answer = client.exchange(&update(WRITER));
    assert_eq!((answer.status(), figures(&answer)[3]), (200, 19));
}

#[test]
fn a_look_up_is_a_request_of_the_quota() {
    let (clock, _hand) = clock();
    let store = Store::new(20, &clock);
    let metafield = "{\"data\":{\"id\":9,\"namespace\":\"crm\",\"key\":\"tier\",\"resource_id\":7},\"meta\":{}}";
    let shown = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{metafield}",
        metafield.len(),
        super::ground::told(W, W, 20, 1)
    );
    store.has_left(1);
    store.answers_next(&[&shown]);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let mut client = gateway.connect();
    // The look-up tells that one is left, and the update takes it.
    let answer = client.exchange(&update(LIMITED));
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(store.fake.requests().len(), 2);
    // Whose it is is remembered, and nothing is left of the store's.
    let refused = client.exchange(&update(LIMITED));
    assert_eq!(refused.code(), Some("quota_exhausted"));
    // A look-up that takes the last one leaves none for the request.
    let other = Store::new(1, &clock);
    other.has_left(0);
    other.answers_next(&[&shown.replace("Left: 1", "Left: 0")]);
    let second = super::ground::gateway(other.address(), TWENTY, &[], &clock);
    let refused = second.exchange(&update(LIMITED));
    assert_eq!(refused.code(), Some("quota_exhausted"));
    assert_eq!(other.fake.requests().len(), 1);
    let lines = second.stop();
    assert_eq!(lines[0]["lookups"], 1);
    assert_eq!(
        (&lines[0]["sent"], &lines[0]["decision"]),
        (&"no".into(), &"denied".into())
    );
}
