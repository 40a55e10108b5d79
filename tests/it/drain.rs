//! The end of a gateway: what was asked is answered, nothing new is taken, and it comes in time.

use crate::support::PATIENCE;
use crate::support::client::{Client, ONE, Request};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::{Gateway, Setup};
use metafield_gateway::server::{Ended, Stage};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, mpsc};

const CLEAN: Ended = Ended {
    cut: 0,
    failed: 0,
    audited: true,
};

/// Waits until nobody listens any more: then the drain has begun.
fn until_closed(address: SocketAddr) {
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}

/// An upstream that answers a request each time it is told to.
fn answering_when_told() -> (Fake, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let upstream = Fake::doing(move |connection| {
        while connection.request()?.is_some() {
            told.lock()
                .expect("a receiver")
                .recv()
                .map_err(std::io::Error::other)?;
            connection.send(OK)?;
        }
        Ok(())
    });
    (upstream, tell)
}

/// Makes requests without a pause until the gateway says that it closes; gives their number.
fn ask_on(address: SocketAddr, request: &Request) -> usize {
    let mut client = Client::connect(address);
    let mut answers = 0;
    loop {
        let answer = client.exchange(request);
        assert_eq!(answer.status(), 200);
        answers += 1;
        if answer.field("connection") == Some("close") {
            assert!(client.is_closed(), "without a reset");
            return answers;
        }
    }
}

#[test]
fn no_request_is_lost_under_load() {
    const CLIENTS: usize = 64;
    for workers in [1, 2, 2] {
        let upstream = Fake::good();
        let gateway = Setup::new(upstream.address).workers(workers).start();
        let address = gateway.address();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|index| {
                let get = Request::new("GET", ONE);
                let request = if index % 2 == 0 {
                    get
                } else {
                    Request::update("{}")
                };
                std::thread::spawn(move || ask_on(address, &request))
            })
            .collect();
        upstream.wait_for(CLIENTS * 8);
        gateway.advance(Stage::Draining);
        let answers: usize = clients
            .into_iter()
            .map(|client| client.join().expect("every request has its answer"))
            .sum();
        let (ended, lines) = gateway.end();
        assert_eq!(ended, CLEAN);
        assert_eq!(lines.len(), answers);
        assert_eq!(upstream.requests().len(), answers);
        assert!(lines.iter().all(|line| line["code"].is_null()));
    }
}

#[test]
fn what_is_in_flight_is_finished() {
    let (upstream, tell) = answering_when_told();
    let gateway = Gateway::before(upstream.address);
    let address = gateway.address();
    let mut client = gateway.connect();
    client.send(Request::update("{}").to_bytes());
    upstream.wait_for(1);
    gateway.advance(Stage::Draining);
    until_closed(address);
    tell.send(()).expect("the upstream waits");
    let answer = client.answer();
    assert_eq!(
        (answer.status(), answer.field("connection")),
        (200, Some("close"))
    );
    assert!(client.is_closed());
    drop(client);
    let (ended, lines) = gateway.end();
    assert_eq!(ended, CLEAN);
    assert_eq!(lines.len(), 1);
}

#[test]
fn open_connections_are_served_and_idle_ones_closed_while_draining() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let request = Request::update("{}");
    let (mut busy, mut idle) = (gateway.connect(), gateway.connect());
    for client in [&mut busy, &mut idle] {
        let answer = client.exchange(&request);
        assert_eq!((answer.status(), answer.field("connection")), (200, None));
    }
    let address = gateway.address();
    gateway.advance(Stage::Draining);
    until_closed(address);
    let answer = busy.exchange(&request);
    assert_eq!(
        (answer.status(), answer.field("connection")),
        (200, Some("close"))
    );
    assert!(busy.is_closed());
    assert!(idle.is_closed(), "after a quiet moment, without a reset");
    drop((busy, idle));
    let (ended, lines) = gateway.end();
    assert_eq!(ended, CLEAN);
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_refusal_while_draining_says_that_it_closes() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    assert_eq!(
        client.exchange(&Request::new("GET", "/nowhere")).status(),
        404
    );
    let address = gateway.address();
    gateway.advance(Stage::Draining);
    until_closed(address);
    let answer = client.exchange(&Request::new("GET", "/nowhere"));
    assert_eq!(
        (answer.status(), answer.field("connection")),
        (404, Some("close"))
    );
    assert!(client.is_closed());
}

#[test]
fn a_connection_made_just_before_the_drain_is_served() {
    for workers in [1, 2, 1, 2, 1, 2] {
        let upstream = Fake::good();
        let gateway = Setup::new(upstream.address).workers(workers).start();
        let mut client = gateway.connect();
        client.send(Request::update("{}").to_bytes());
        gateway.advance(Stage::Draining);
        let answer = client.answer();
        assert_eq!(
            (answer.status(), answer.field("connection")),
            (200, Some("close"))
        );
        drop(client);
        let (ended, lines) = gateway.end();
        assert_eq!(ended, CLEAN);
        assert_eq!(lines.len(), 1);
    }
}

#[test]
fn what_does_not_end_is_cut_after_its_time() {
    let upstream = Fake::stalling();
    let gateway = Setup::new(upstream.address)
        .with("drain_timeout = \"300ms\"")
        .start();
    let mut client = gateway.connect();
    client.send(Request::update("{}").to_bytes());
    upstream.wait_for(1);
    let (ended, lines) = gateway.end();
    assert_eq!(ended, Ended { cut: 1, ..CLEAN });
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["decision"], &lines[0]["sent"]),
        (&"allowed".into(), &"unknown".into())
    );
    assert_eq!(
        lines[0]["code"], "drain_cut",
        "it was not the client's doing"
    );
    assert!(client.rest().is_empty(), "no half an answer");
}

#[test]
fn a_gateway_that_is_told_to_stop_stops() {
    let upstream = Fake::stalling();
    // Whoever waited for one of these would meet the tests' patience.
    let gateway = Setup::new(upstream.address)
        .with("drain_timeout = \"2m\"\nupstream.deadline = \"2m\"\nlimits.idle_timeout = \"2m\"")
        .start();
    let mut idle = gateway.connect();
    assert_eq!(
        idle.exchange(&Request::new("GET", "/nowhere")).status(),
        404
    );
    let mut client = gateway.connect();
    client.send(Request::update("{}").to_bytes());
    upstream.wait_for(1);
    gateway.advance(Stage::Stopped);
    let (ended, seen) = mpsc::channel();
    std::thread::spawn(move || ended.send(gateway.end()));
    let (ended, lines) = seen.recv_timeout(PATIENCE).expect("it ends at once");
    assert_eq!(ended, Ended { cut: 1, ..CLEAN });
    assert_eq!(lines.len(), 2);
    assert!(client.rest().is_empty() && idle.rest().is_empty());
}

#[test]
fn a_connection_that_never_spoke_does_not_hold_the_drain() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("limits.header_timeout = \"1h\"\ndrain_timeout = \"1h\"")
        .start();
    let mut silent = gateway.connect();
    // The gateway accepts in order: once a later connection is answered, this one is open.
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    assert_eq!(gateway.end().0, CLEAN);
    assert!(silent.is_closed());
}
