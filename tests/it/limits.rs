//! Clients that are slow, that leave, or that are too many, and how much of the gateway they may take.

use crate::support::PATIENCE;
use crate::support::client::{ALL, CUSTOMER, Client, ONE, Request};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::{Gateway, READER, Setup};
use metafield_gateway::server::TURNED_AWAY;
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Mutex, mpsc};

pub const MIB: usize = 1024 * 1024;
pub const ADMIN: &str = "admin.address = \"127.0.0.1:0\"";

pub fn bare_closes(reason: &str) -> String {
    format!("metafield_gateway_bare_closes_total{{reason=\"{reason}\"}}")
}

fn fate(line: &Value) -> Value {
    json!([
        line["decision"],
        line["code"],
        line["sent"],
        line["upstream_status"]
    ])
}

/// The fate of the one request of a gateway.
pub fn sole_fate(gateway: Gateway) -> Value {
    let lines = gateway.stop();
    assert_eq!(lines.len(), 1, "{lines:?}");
    fate(&lines[0])
}

#[test]
fn a_slow_head_is_closed_without_an_answer() {
    let upstream = Fake::good();
    let begun = [
        "",
        "G",
        "PRI * HTTP/2.0\r\n",
        "GET / HTTP/1.1\r\nHost: gateway.test\r\n",
    ];
    let gateway = Setup::new(upstream.address)
        .with("limits.header_timeout = \"300ms\"")
        .with(ADMIN)
        .start();
    let mut clients = Vec::new();
    for bytes in begun {
        let mut client = gateway.connect();
        client.send(bytes);
        clients.push((bytes, client));
    }
    let mut second = gateway.connect();
    assert_eq!(second.exchange(&Request::update("{}")).status(), 200);
    second.send("PUT /");
    clients.push(("a second request", second));
    for (bytes, mut client) in clients {
        assert!(client.is_closed(), "{bytes:?}");
    }
    gateway.wait_for_metric(&bare_closes("head_timeout"), 5.0);
    assert_eq!(gateway.stop().len(), 1);
}

#[test]
fn an_idle_connection_is_closed_without_a_reset() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("limits.idle_timeout = \"300ms\"")
        .start();
    let mut client = gateway.connect();
    assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
    assert!(client.is_closed());
}

#[test]
fn a_slow_body_is_408() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("limits.body_timeout = \"300ms\"")
        .start();
    let request = Request::update("{\"key\":\"k\"}");
    for bytes in [request.to_bytes(), request.chunked(5)] {
        let mut client = gateway.connect();
        client.send(&bytes[..bytes.len() - 3]);
        let answer = client.answer();
        assert_eq!(
            (answer.status(), answer.code()),
            (408, Some("body_timeout"))
        );
        assert!(client.is_closed(), "the rest of the body is not a request");
    }
    let lines = gateway.stop();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!(fate(line), json!(["denied", "body_timeout", "no", null]));
    }
    assert_eq!(upstream.connections().len(), 0);
}

#[test]
fn a_limit_on_connections_is_for_all_workers_together() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("limits.connections = 3")
        .workers(2)
        .with(ADMIN)
        .start();
    let request = Request::update("{}");
    let mut served: Vec<_> = (0..3).map(|_| gateway.connect()).collect();
    for client in &mut served {
        assert_eq!(client.exchange(&request).status(), 200);
    }
    for _ in 0..8 {
        assert_eq!(gateway.exchange(&request).code(), Some("overloaded"));
    }
    for client in &mut served {
        assert_eq!(client.exchange(&request).status(), 200);
    }
    served.pop();
    gateway.wait_for_metric("metafield_gateway_connections_open", 2.0);
    assert_eq!(gateway.exchange(&request).status(), 200);
}

#[test]
fn a_refusal_says_whether_its_connection_goes_on() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let refused = Request::update("{}").instead("X-Auth-Token", READER);
    let small = refused.clone().json(" ".repeat(300));
    let large = refused.clone().json(" ".repeat(100_000));
    let waiting = small.clone().with("Expect", "100-continue");
    // What comes with the head or a moment later is read, and the connection goes on.
    for parted in [false, true] {
        let mut client = gateway.connect();
        for _ in 0..20 {
            let bytes = small.to_bytes();
            let (head, body) = bytes.split_at(small.head().len());
            if parted {
                client.send(head);
                client.send(body);
            } else {
                client.send(&bytes);
            }
            let answer = client.answer();
            assert_eq!((answer.status(), answer.field("connection")), (403, None));
        }
        assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
    }
    // What is not read ends it, and the client is told.
    for (request, body) in [(&large, true), (&waiting, false), (&small, false)] {
        let mut client = gateway.connect();
        client.send(if body {
            request.to_bytes()
        } else {
            request.head()
        });
        let answer = client.answer();
        assert_eq!(answer.status(), 403);
        assert_eq!(answer.field("connection"), Some("close"));
        assert!(client.is_closed());
    }
}

#[test]
fn connections_over_the_limit_are_told_so() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("limits.connections = 2")
        .with(ADMIN)
        .start();
    let request = Request::update("{}");
    let mut one = gateway.connect();
    let mut two = gateway.connect();
    assert_eq!(one.exchange(&request).status(), 200);
    assert_eq!(two.exchange(&request).status(), 200);
    let mut three = gateway.connect();
    let refused = three.exchange(&request);
    assert_eq!(
        (refused.status(), refused.code()),
        (503, Some("overloaded"))
    );
    assert_eq!(refused.field("retry-after"), Some("1"));
    assert_eq!(refused.field("x-retry-after"), Some("1"));
    assert_eq!(refused.field("connection"), Some("close"));
    assert!(refused.text().contains("limits.connections"), "{refused:?}");
    assert!(three.is_closed());
    let mut other = crate::support::client_h2::Client::connect(gateway.address());
    assert_eq!(other.exchange(&request).code(), Some("overloaded"));
    other.until_closed();
    for client in [&mut one, &mut two] {
        assert_eq!(client.exchange(&request).status(), 200);
    }
    assert_eq!(upstream.requests().len(), 4);
    drop(one);
    gateway.wait_for_metric("metafield_gateway_connections_open", 1.0);
    assert_eq!(gateway.exchange(&request).status(), 200);
    drop(two);
    let lines = gateway.stop();
    let refusals = lines.iter().filter(|line| line["code"] == "overloaded");
    let fates: Vec<Value> = refusals.map(fate).collect();
    assert_eq!(fates, vec![json!(["denied", "overloaded", "no", null]); 2]);
    assert_eq!(lines.len(), 7);
}

#[test]
fn silent_connections_over_the_limit_take_few_places_and_not_for_long() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("limits.connections = 1")
        .with(ADMIN)
        .start();
    let mut served = gateway.connect();
    assert_eq!(served.exchange(&Request::update("{}")).status(), 200);
    let silent: Vec<_> = (0..TURNED_AWAY).map(|_| gateway.connect()).collect();
    // One beyond is closed unanswered, and so are the silent ones after five seconds.
    let mut beyond = gateway.connect();
    drop(beyond.try_send(Request::update("{}").to_bytes()));
    assert_eq!(beyond.rest(), b"");
    gateway.wait_for_metric(&bare_closes("turned_away"), 1.0);
    for mut client in silent {
        assert!(client.is_closed());
    }
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 503);
    assert_eq!(served.exchange(&Request::update("{}")).status(), 200);
}

#[test]
fn an_address_has_its_own_bound() {
    let upstream = Fake::good();
    let settings = "limits.connections_per_peer = 1\nlimits.exempt_local_peers = false";
    let gateway = Setup::new(upstream.address)
        .with(settings)
        .workers(2)
        .start();
    let mut one = gateway.connect();
    assert_eq!(one.exchange(&Request::update("{}")).status(), 200);
    let refused = gateway.exchange(&Request::update("{}"));
    assert_eq!(refused.code(), Some("overloaded"));
    assert!(refused.text().contains("limits.connections_per_peer"));
    // Another address of the loopback network has a place of its own.
    let elsewhere = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let elsewhere = elsewhere.expect("a socket");
    let from: std::net::SocketAddr = ([127, 0, 0, 2], 0).into();
    elsewhere.bind(&from.into()).expect("an address");
    elsewhere
        .connect(&gateway.address().into())
        .expect("the gateway listens");
    let mut other = Client::over(TcpStream::from(elsewhere));
    assert_eq!(other.exchange(&Request::update("{}")).status(), 200);
    assert_eq!(one.exchange(&Request::update("{}")).status(), 200);
}

#[test]
fn bodies_over_the_memory_are_503_and_pass() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("limits.body_memory = \"1MiB\"\nlimits.batch_body = \"1MiB\"")
        .start();
    let large = Request::update(format!("{{\"key\":\"k\"}}{}", " ".repeat(600_000)));
    let bytes = large.to_bytes();
    let mut first = gateway.connect();
    let (begin, rest) = bytes.split_at(bytes.len() - 10);
    first.send(begin);
    // What the first holds it holds from its head on; a small body tells that it has been read.
    let mut second = gateway.connect();
    let refused = loop {
        let answer = second.exchange(&Request::update("{}"));
        assert_eq!(answer.status(), 200);
        let mut third = gateway.connect();
        let answer = third.exchange(&large);
        if answer.status() != 200 {
            break answer;
        }
    };
    assert_eq!(
        (refused.status(), refused.code()),
        (503, Some("overloaded"))
    );
    assert_eq!(refused.field("retry-after"), Some("1"));
    assert_eq!(refused.field("x-retry-after"), Some("1"));
    first.send(rest);
    assert_eq!(first.answer().status(), 200);
    assert_eq!(gateway.exchange(&large).status(), 200);
    drop((first, second));
    let lines = gateway.stop();
    let refusals: Vec<_> = lines
        .iter()
        .filter(|line| line["code"] == "overloaded")
        .collect();
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        fate(refusals[0]),
        json!(["denied", "overloaded", "no", null])
    );
}

#[test]
fn a_declared_length_alone_takes_no_memory() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("limits.body_memory = \"16MiB\"")
        .start();
    let declared = Request::new("PUT", ALL)
        .json("")
        .with("Content-Length", &(4 * MIB).to_string())
        .with("Expect", "100-continue");
    let waiting: Vec<_> = (0..32)
        .map(|_| {
            let mut client = gateway.connect();
            client.send(declared.head());
            assert_eq!(client.answer().status(), 100);
            client
        })
        .collect();
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    drop(waiting);
}

#[test]
fn without_a_free_upstream_connection_a_request_is_503() {
    let body = "#".repeat(32 * MIB);
    let upstream = Fake::answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let gateway = Setup::new(upstream.address)
        .with("upstream.connections = 1\nupstream.deadline = \"300ms\"")
        .start();
    let mut client = gateway.connect();
    client.send(Request::new("GET", CUSTOMER).to_bytes());
    assert_eq!(client.answer_to_head().status(), 200);
    let refused = gateway.exchange(&Request::update("{}"));
    assert_eq!(
        (refused.status(), refused.code()),
        (503, Some("overloaded"))
    );
    assert_eq!(refused.field("retry-after"), Some("1"));
    drop(client);
    let lines = gateway.stop();
    assert_eq!(
        fate(&lines[0]),
        json!(["allowed", "overloaded", "no", null])
    );
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_refusal_can_be_read_by_a_client_that_is_still_sending() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("limits.body = \"1KiB\"")
        .start();
    let body = vec![b' '; 3 * MIB];
    let known = Request::update(body.clone());
    let unknown = known.clone().without("X-Auth-Token");
    let deleting = Request::new("DELETE", ALL).json(body);
    let cases = [
        (unknown.to_bytes(), 401, "missing_token"),
        (unknown.chunked(50_000), 401, "missing_token"),
        (known.to_bytes(), 413, "body_too_large"),
        (known.chunked(50_000), 413, "body_too_large"),
        (
            deleting.clone().with("Content-Encoding", "gzip").to_bytes(),
            415,
            "unsupported_content_encoding",
        ),
        (
            deleting.with("Upgrade", "x").to_bytes(),
            400,
            "malformed_request",
        ),
    ];
    for (bytes, status, code) in cases {
        let stream = TcpStream::connect(gateway.address()).expect("the gateway listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut sending = stream.try_clone().expect("the same socket");
        let sender = std::thread::spawn(move || sending.write_all(&bytes));
        let mut client = Client::over(stream);
        let answer = client.answer();
        assert_eq!((answer.status(), answer.code()), (status, Some(code)));
        assert_eq!(answer.json()["code"], code);
        assert!(client.is_closed(), "{code}: a reset");
        sender
            .join()
            .expect("no panic")
            .expect("all of it is taken, if not read");
    }
    assert_eq!(gateway.stop().len(), 6);
    assert_eq!(upstream.connections().len(), 0);
}

#[test]
fn a_client_that_leaves_within_its_body_is_recorded_once() {
    let request = Request::update("{\"key\":\"k\"}");
    for bytes in [request.to_bytes(), request.chunked(5)] {
        let upstream = Fake::good();
        let gateway = Gateway::before(upstream.address);
        let mut client = gateway.connect();
        client.send(&bytes[..bytes.len() - 3]);
        drop(client);
        let fate = sole_fate(gateway);
        // It depends on what is met first: the break in the body, or the end of the connection.
        let codes = ["malformed_request", "client_gone"];
        assert!(
            codes
                .iter()
                .any(|code| fate == json!(["denied", code, "no", null])),
            "{fate}"
        );
        assert_eq!(upstream.connections().len(), 0);
    }
}

#[test]
fn a_client_that_leaves_at_once_is_recorded_once() {
    const CLIENTS: usize = 50;
    let upstream = Fake::stalling();
    let gateway = Gateway::before(upstream.address);
    let request = Request::new("GET", ONE).to_bytes();
    for _ in 0..CLIENTS {
        // The end often arrives together with the head.
        gateway.connect().send(&request);
    }
    let lines = gateway.stop();
    assert_eq!(lines.len(), CLIENTS);
    assert!(lines.iter().all(|line| line["code"] == "client_gone"));
}

#[test]
fn a_client_that_leaves_while_the_upstream_works_is_recorded_once() {
    let upstream = Fake::stalling();
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    client.send(Request::update("{}").to_bytes());
    upstream.wait_for(1);
    drop(client);
    assert_eq!(
        sole_fate(gateway),
        json!(["allowed", "client_gone", "unknown", null])
    );
}

#[test]
fn a_client_that_leaves_within_a_streamed_answer_is_recorded_once() {
    let (left, client_left) = mpsc::channel();
    let left = Mutex::new(left);
    let upstream = Fake::doing(move |connection| {
        connection.request()?;
        connection.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            4 * MIB
        ))?;
        // The gateway may close before it has read all of it, and then closes by a reset.
        let sent = connection.send("#".repeat(2 * MIB));
        drop(sent.and_then(|()| connection.until_closed()));
        left.lock().expect("a sender").send(()).expect("heard");
        Ok(())
    });
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    client.send(Request::new("GET", CUSTOMER).to_bytes());
    assert_eq!(client.answer_to_head().status(), 200);
    drop(client);
    client_left
        .recv_timeout(PATIENCE)
        .expect("the upstream is not kept waiting for a client that has left");
    assert_eq!(
        sole_fate(gateway),
        json!(["allowed", "client_gone", "yes", 200])
    );
}

#[test]
fn a_request_that_is_pipelined_waits_for_its_turn() {
    let upstream = Fake::answering(OK);
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    let mut bytes = Request::update("{}").to_bytes();
    bytes.extend(Request::new("GET", ONE).to_bytes());
    bytes.extend(Request::new("GET", "/nowhere").to_bytes());
    client.send(bytes);
    let statuses: Vec<u16> = (0..3).map(|_| client.answer().status()).collect();
    assert_eq!(statuses, [200, 200, 404]);
    drop(client);
    assert_eq!(gateway.stop().len(), 3);
}
