//! What a client does while its request is answered: it leaves, by whichever door it came, or goes on to the next.

use crate::doors;
use crate::limits::{ADMIN, MIB, sole_fate};
use crate::support::PATIENCE;
use crate::support::client::{CUSTOMER, Client, ONE, Request};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::{Folder, Gateway, Setup};
use crate::support::tls::{Authority, Dialer, Tls};
use serde_json::json;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};

/// An update reaches the upstream, then its client does this.
fn leaves<S: Read + Write>(
    setup: Setup,
    upstream: &Fake,
    dial: impl FnOnce(&Gateway) -> S,
    leave: impl FnOnce(S),
) {
    let gateway = setup.start();
    let mut stream = dial(&gateway);
    let update = Request::update("{}").to_bytes();
    stream.write_all(&update).expect("it is taken");
    stream.flush().expect("it is sent");
    upstream.wait_for(1);
    leave(stream);
    // Not only at the gateway's end: the upstream is not kept waiting.
    upstream.wait_for_ended(1);
    let expected = json!(["allowed", "client_gone", "unknown", null]);
    assert_eq!(sole_fate(gateway), expected);
}

#[test]
fn over_tcp_it_is_noticed_whether_it_closes_or_only_says_no_more() {
    let closes: fn(std::net::TcpStream) = drop;
    for leave in [closes, |stream| {
        stream.shutdown(Shutdown::Write).expect("half a close");
        Client::over(stream).rest();
    }] {
        let upstream = Fake::stalling();
        let dial = |gateway: &Gateway| {
            let stream = std::net::TcpStream::connect(gateway.address()).expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            stream
        };
        leaves(Setup::new(upstream.address), &upstream, dial, leave);
    }
}

#[test]
fn over_a_unix_socket_it_is_noticed() {
    let (upstream, folder) = (Fake::stalling(), Folder::new());
    let socket = folder.path().join("gateway.sock");
    let setup = Setup::new(upstream.address)
        .listening(&format!("listen.address = \"unix:{}\"", socket.display()));
    let dial =
        |_: &Gateway| std::os::unix::net::UnixStream::connect(&socket).expect("a connection");
    leaves(setup, &upstream, dial, drop);
}

#[test]
fn over_tls_it_is_noticed_with_and_without_a_farewell() {
    let authority = Authority::new();
    let abruptly: fn(Tls) = drop;
    for leave in [abruptly, |mut stream| {
        stream.conn.send_close_notify();
        stream.conn.complete_io(&mut stream.sock).expect("sent");
        Client::over(stream).rest();
    }] {
        let upstream = Fake::stalling();
        let setup = doors::setup(upstream.address, &authority, "");
        let dial = |gateway: &Gateway| {
            let tls = Dialer::trusting(&authority).connect(gateway.address());
            tls.expect("a handshake")
        };
        leaves(setup, &upstream, dial, leave);
    }
}

#[test]
fn one_that_takes_nothing_of_a_streamed_answer_is_noticed() {
    let upstream = Fake::doing(|connection| {
        connection.request()?;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 * MIB);
        connection.send(head)?;
        // More than the sockets on the way take: the client is offered some, and takes none of it.
        drop(connection.send("#".repeat(64 * MIB)));
        Ok(())
    });
    let gateway = Setup::new(upstream.address).start();
    let mut stream = std::net::TcpStream::connect(gateway.address()).expect("a connection");
    let get = Request::new("GET", CUSTOMER).to_bytes();
    stream.write_all(&get).expect("it is taken");
    let mut first = [0];
    stream.read_exact(&mut first).expect("the answer has begun");
    stream.shutdown(Shutdown::Write).expect("half a close");
    upstream.wait_for_ended(1);
    let expected = json!(["allowed", "client_gone", "yes", 200]);
    assert_eq!(sole_fate(gateway), expected);
    drop(stream);
}

/// Bytes and the farewell, in one flight.
fn send_and_leave(stream: &mut Tls, bytes: &[u8]) {
    stream.conn.writer().write_all(bytes).expect("room");
    stream.conn.send_close_notify();
    stream.conn.complete_io(&mut stream.sock).expect("sent");
}

#[test]
fn one_that_leaves_together_with_its_request_does_not_reach_the_upstream() {
    let (authority, upstream) = (Authority::new(), Fake::good());
    let gateway = doors::setup(upstream.address, &authority, "").start();
    let dial = || Dialer::trusting(&authority).connect(gateway.address());
    let requests = [Request::update("{}"), Request::new("GET", ONE)];
    for request in requests {
        // A connection to the upstream is open, so that nothing need be waited for.
        let mut client = Client::over(dial().expect("a handshake"));
        assert_eq!(client.exchange(&Request::new("GET", ONE)).status(), 200);
        let mut stream = dial().expect("a handshake");
        send_and_leave(&mut stream, &request.to_bytes());
        assert_eq!(Client::over(stream).rest(), b"");
        drop(client);
    }
    let lines = gateway.stop();
    assert_eq!(upstream.requests().len(), 2);
    let codes: Vec<_> = lines
        .iter()
        .map(|line| (&line["code"], &line["sent"]))
        .collect();
    let (answered, gone) = (
        (&json!(null), &json!("yes")),
        (&json!("client_gone"), &json!("no")),
    );
    assert_eq!(codes, [answered, gone, answered, gone]);
}

#[test]
fn one_that_leaves_within_its_body_is_told_that_it_ended_early() {
    let (authority, upstream) = (Authority::new(), Fake::good());
    let gateway = doors::setup(upstream.address, &authority, "").start();
    let tls = Dialer::trusting(&authority).connect(gateway.address());
    let mut stream = tls.expect("a handshake");
    let update = Request::update("{\"key\":\"k\"}").to_bytes();
    send_and_leave(&mut stream, &update[..update.len() - 3]);
    let answer = Client::over(stream).answer();
    assert_eq!(answer.code(), Some("malformed_request"));
    assert_eq!(upstream.connections().len(), 0);
}

#[test]
fn it_is_noticed_whatever_the_request_fills() {
    for length in [4096, 8191, 8192, 8193, 16384] {
        let upstream = Fake::stalling();
        let gateway = Setup::new(upstream.address).start();
        let update = Request::update("{}").with("X-Padding", "");
        let padding = "p".repeat(length - update.to_bytes().len());
        let update = Request::update("{}").with("X-Padding", &padding);
        let mut client = gateway.connect();
        assert_eq!(update.to_bytes().len(), length);
        client.send(update.to_bytes());
        upstream.wait_for(1);
        drop(client);
        upstream.wait_for_ended(1);
        let expected = json!(["allowed", "client_gone", "unknown", null]);
        assert_eq!(sole_fate(gateway), expected, "{length}");
    }
}

/// Answers each request when it is told to.
fn told() -> (Fake, Sender<()>) {
    let (go, may_go) = mpsc::channel();
    let may_go = Arc::new(Mutex::new(may_go));
    let upstream = Fake::doing(move |connection| {
        while connection.request()?.is_some() {
            let told = may_go.lock().expect("a receiver").recv_timeout(PATIENCE);
            told.expect("it is told to");
            connection.send(OK)?;
        }
        Ok(())
    });
    (upstream, go)
}

#[test]
fn what_it_asks_next_is_kept_however_much_of_it_has_come() {
    let next = Request::update(format!("{{\"value\":\"{}\"}}", "v".repeat(200_000))).to_bytes();
    for cut in [1, 40, 5_000, next.len() - 1, next.len()] {
        let (upstream, go) = told();
        let gateway = Setup::new(upstream.address)
            .with("limits.value_length = 300000")
            .start();
        let mut client = gateway.connect();
        client.send(Request::new("GET", ONE).to_bytes());
        upstream.wait_for(1);
        client.send(&next[..cut]);
        // Another is served meanwhile, so that what was sent has been there to be read.
        assert_eq!(
            gateway.exchange(&Request::new("GET", "/nowhere")).code(),
            Some("unknown_route")
        );
        go.send(()).expect("it listens");
        assert_eq!(client.answer().status(), 200, "{cut}");
        client.send(&next[cut..]);
        upstream.wait_for(2);
        go.send(()).expect("it listens");
        assert_eq!(client.answer().status(), 200, "{cut}");
        let sent = upstream.requests();
        assert_eq!(sent[1].body.len(), 200_012, "{cut}");
        drop(client);
        assert_eq!(gateway.stop().len(), 3);
    }
}

#[test]
fn empty_lines_that_it_sends_meanwhile_mean_nothing() {
    let (upstream, go) = told();
    let gateway = Setup::new(upstream.address).with(ADMIN).start();
    let mut client = gateway.connect();
    client.send(Request::update("{}").to_bytes());
    upstream.wait_for(1);
    client.send("\r\n");
    assert_eq!(
        gateway.exchange(&Request::new("GET", "/nowhere")).status(),
        404
    );
    go.send(()).expect("it listens");
    assert_eq!(client.answer().status(), 200);
    // It is as idle as any other, and not at the beginning of a head.
    gateway.wait_for_metric("metafield_gateway_connections_parked", 1.0);
    client.send(Request::update("{}").to_bytes());
    upstream.wait_for(2);
    go.send(()).expect("it listens");
    assert_eq!(client.answer().status(), 200);
}
