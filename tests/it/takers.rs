//! Clients that take their answers slowly or not at all: how long that is put up with, and in how much
//! memory.

use crate::limits::{ADMIN, MIB, bare_closes, sole_fate};
use crate::support::client::{CUSTOMER, Client, Request};
use crate::support::client_h2;
use crate::support::fake::Fake;
use crate::support::gateway::{Folder, Setup};
use crate::support::http1::Message;
use serde_json::json;

#[test]
fn a_client_that_does_not_read_is_cut() {
    // More than the sockets' buffers between the gateway and its client take.
    let body = "#".repeat(32 * MIB);
    let upstream = Fake::answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let gateway = Setup::new(upstream.address)
        .with("limits.write_timeout = \"300ms\"")
        .with(ADMIN)
        .start();
    let mut client = gateway.connect();
    client.send(Request::new("GET", CUSTOMER).to_bytes());
    upstream.wait_for(1);
    // The upstream's connection ends when the client's is cut.
    gateway.wait_for_metric(&bare_closes("write_timeout"), 1.0);
    assert!(client.rest().len() < body.len());
    assert_eq!(
        sole_fate(gateway),
        json!(["allowed", "client_gone", "yes", 200])
    );
}

#[test]
fn an_http2_client_that_opens_no_window_is_cut() {
    // The first two are collected before their head is sent, the third streams. With a window of one
    // byte something of each is taken, and no more.
    for (size, window, expected) in [
        (MIB / 16, 1, json!(["allowed", null, "yes", 200])),
        (MIB / 2, 65_535, json!(["allowed", null, "yes", 200])),
        (
            2 * MIB,
            65_535,
            json!(["allowed", "client_gone", "yes", 200]),
        ),
    ] {
        let upstream = Fake::answering(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{}",
            "#".repeat(size)
        ));
        let gateway = Setup::new(upstream.address)
            .with("limits.write_timeout = \"300ms\"")
            .with(ADMIN)
            .start();
        let mut client = client_h2::Client::connect_narrow(gateway.address(), window);
        // Nobody reads the answer, while the connection itself is kept alive.
        let begun = client.start(&Request::new("GET", CUSTOMER));
        gateway.wait_for_metric(&bare_closes("write_timeout"), 1.0);
        client.until_closed();
        drop(begun);
        assert_eq!(sole_fate(gateway), expected, "{size}");
    }
}

#[test]
fn answers_that_find_no_room_are_passed_on_while_they_arrive() {
    let body = "#".repeat(700 * 1024);
    let upstream = Fake::answering(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    ));
    let folder = Folder::new();
    let socket = folder.path().join("gateway.sock");
    let gateway = Setup::new(upstream.address)
        .with("limits.answer_memory = \"1MiB\"")
        .listening(&format!("listen.address = \"unix:{}\"", socket.display()))
        .start();
    let list = Request::new("GET", CUSTOMER);
    // A collected answer has a length, one that is passed on while it arrives has none.
    let length = |answer: &Message| answer.field("content-length").map(str::to_owned);
    let known = Some(body.len().to_string());
    let mut unread = Client::connect_unix(&socket);
    unread.send(list.to_bytes());
    // It is more than the socket takes, and keeps its room until somebody reads it.
    unread.bytes(1);
    let answer = Client::connect_unix(&socket).exchange(&list);
    assert_eq!((answer.text(), length(&answer)), (&*body, None));
    drop(unread);
    // By its end the other connection has given its room back.
    let room_again = || length(&Client::connect_unix(&socket).exchange(&list)) == known;
    assert!((0..100).any(|_| room_again()));
    assert!(
        gateway
            .stop()
            .iter()
            .all(|line| line["upstream_status"] == 200)
    );
}

#[test]
fn the_room_of_an_answer_over_http2_is_kept_until_it_is_read() {
    let body = "#".repeat(700 * 1024);
    let upstream = Fake::answering(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    ));
    let gateway = Setup::new(upstream.address)
        .with("limits.answer_memory = \"1MiB\"")
        .start();
    let list = Request::new("GET", CUSTOMER);
    let mut idle = client_h2::Client::connect(gateway.address());
    let mut unread = idle.start(&list);
    idle.until_head(&mut unread);
    let answer = gateway.exchange(&list);
    assert_eq!(
        (answer.text(), answer.field("content-length")),
        (&*body, None)
    );
    drop((unread, idle));
}

#[test]
fn a_client_that_takes_an_answer_too_slowly_is_cut() {
    let size = 32 * MIB;
    let upstream = Fake::answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{}",
        "#".repeat(size)
    ));
    let gateway = Setup::new(upstream.address)
        .with("limits.answer_timeout = \"300ms\"")
        .with(ADMIN)
        .start();
    let mut client = gateway.connect();
    client.send(Request::new("GET", CUSTOMER).to_bytes());
    gateway.wait_for_metric(&bare_closes("answer_timeout"), 1.0);
    assert!(client.rest().len() < size);
    assert_eq!(
        sole_fate(gateway),
        json!(["allowed", "answer_timeout", "yes", 200])
    );
}
