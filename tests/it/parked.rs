//! Connections that are idle and have given their buffers back: nobody can tell, but by the memory.

use crate::limits::{ADMIN, bare_closes};
use crate::support::PATIENCE;
use crate::support::client::{Client, ONE, Request};
use crate::support::client_h2::Client as ClientH2;
use crate::support::fake::Fake;
use crate::support::gateway::{Folder, Gateway, Setup};
use crate::support::tls::{Authority, Dialer};
use metafield_gateway::server::Stage;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const PARKED: &str = "metafield_gateway_connections_parked";
/// How long a limit of two seconds at most may take on a busy machine; it is enforced half a second late.
const LATE: Duration = Duration::from_secs(6);

const OPEN: &str = "metafield_gateway_connections_open";

fn setup(upstream: &Fake) -> Setup {
    Setup::new(upstream.address).with(ADMIN)
}

fn update() -> Request {
    Request::update("{\"key\":\"k\"}")
}

/// A client whose connection has been used and is parked.
fn parked(gateway: &Gateway) -> Client {
    let mut client = gateway.connect();
    assert_eq!(client.exchange(&update()).status(), 200);
    gateway.wait_for_metric(PARKED, 1.0);
    client
}

#[expect(clippy::disallowed_methods, reason = "what is measured is a duration")]
fn now() -> Instant {
    Instant::now()
}

/// Waits until nobody listens any more: then the drain has begun.
fn until_closed(address: SocketAddr) {
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}

fn goes_on<S: Read + Write>(gateway: &Gateway, client: &mut Client<S>) {
    let large = Request::update(format!("{{\"value\":\"{}\"}}", "v".repeat(60_000)));
    for request in [update(), large] {
        gateway.wait_for_metric(PARKED, 1.0);
        let bytes = request.to_bytes();
        client.send(&bytes[..1]);
        gateway.wait_for_metric(PARKED, 0.0);
        client.send(&bytes[1..]);
        assert_eq!(client.answer().status(), 200);
        gateway.wait_for_metric(PARKED, 1.0);
        assert_eq!(client.exchange(&request).status(), 200);
    }
}

#[test]
fn a_parked_connection_goes_on_whenever_it_is_asked() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let mut client = parked(&gateway);
    goes_on(&gateway, &mut client);
    gateway.wait_for_metric(PARKED, 1.0);
    assert!((gateway.metric(OPEN) - 1.0).abs() < 0.5);
    assert_eq!(gateway.stop().len(), 5);
    assert_eq!(upstream.requests().len(), 5);
}

#[test]
fn so_does_one_over_a_unix_socket() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    let socket = folder.path().join("gateway.sock");
    let listen = format!("listen.address = \"unix:{}\"", socket.display());
    let gateway = setup(&upstream).listening(&listen).start();
    let mut client = Client::connect_unix(&socket);
    assert_eq!(client.exchange(&update()).status(), 200);
    goes_on(&gateway, &mut client);
}

#[test]
fn so_does_one_over_tls() {
    let (upstream, authority) = (Fake::good(), Authority::new());
    let own = authority.issue(&["localhost"]);
    let setup = setup(&upstream)
        .with("listen.tls = { certificate = \"server.pem\", private_key = \"server.key\" }");
    setup.folder.write("server.pem", &own.certificate);
    setup.folder.write("server.key", &own.private_key);
    let gateway = setup.start();
    for alpn in [&[][..], &["http/1.1"]] {
        let dialer = Dialer::trusting(&authority).offering(alpn);
        let tls = dialer.connect(gateway.address());
        let mut client = Client::over(tls.expect("a connection"));
        assert_eq!(client.exchange(&update()).status(), 200);
        goes_on(&gateway, &mut client);
        gateway.wait_for_metric(PARKED, 1.0);
        drop(client);
        gateway.wait_for_metric(OPEN, 0.0);
    }
}

#[test]
fn a_head_may_come_in_pieces_and_its_time_runs_from_the_first() {
    let upstream = Fake::good();
    let gateway = setup(&upstream)
        .with("limits.header_timeout = \"1s\"")
        .start();
    let mut client = parked(&gateway);
    let bytes = update().to_bytes();
    for byte in bytes.chunks(1) {
        client.send(byte);
    }
    assert_eq!(client.answer().status(), 200);
    gateway.wait_for_metric(PARKED, 1.0);
    client.send(&bytes[..1]);
    gateway.wait_for_metric(PARKED, 0.0);
    let began = now();
    assert!(client.is_closed());
    let passed = began.elapsed();
    gateway.wait_for_metric(&bare_closes("head_timeout"), 1.0);
    assert!(
        Duration::from_millis(900) < passed && passed < LATE,
        "{passed:?}"
    );
}

#[test]
fn the_rest_of_a_body_that_nobody_read_is_no_request() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    // Heads that have begun: where so many have buffers, a connection parks as soon as it is idle.
    let begun: Vec<Client> = (0..200)
        .map(|_| {
            let mut client = gateway.connect();
            client.send("G");
            client
        })
        .collect();
    gateway.wait_for_metric(OPEN, 200.0);
    drop(parked(&gateway));
    let refused = "POST /nowhere HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 100000\r\n\r\n";
    for (first, then) in [(true, false), (false, true)] {
        for round in 0..20 {
            let mut client = gateway.connect();
            client.send(refused);
            if first {
                client.send(update().to_bytes());
            }
            let answer = client.answer();
            assert_eq!(answer.status(), 404);
            assert_eq!(answer.field("connection"), Some("close"));
            if then {
                // It may have been closed already.
                drop(client.try_send(update().to_bytes()));
            }
            assert!(client.is_closed(), "{first} {then} {round}");
        }
    }
    drop(begun);
    assert_eq!(upstream.requests().len(), 1, "of the one that parked");
    assert_eq!(gateway.stop().len(), 41);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let mut client = parked(&gateway);
    let lost = Request::new("GET", "/nowhere");
    for _ in 0..2 {
        gateway.wait_for_metric(PARKED, 1.0);
        let mut bytes = update().to_bytes();
        for _ in 0..30 {
            bytes.extend(lost.to_bytes());
            bytes.extend(update().to_bytes());
        }
        client.send(bytes);
        let statuses = (0..61).map(|_| client.answer().status());
        let expected = (0..61).map(|turn| if turn % 2 == 0 { 200 } else { 404 });
        assert!(statuses.eq(expected));
    }
}

#[test]
fn half_a_head_behind_a_request_is_kept() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let (first, second) = (update().to_bytes(), Request::new("GET", ONE).to_bytes());
    for cut in [1, second.len() / 2, second.len() - 1] {
        let mut client = gateway.connect();
        client.send([&first, &second[..cut]].concat());
        assert_eq!(client.answer().status(), 200);
        // As long as another needs to be parked, which was used later.
        let other = parked(&gateway);
        client.send(&second[cut..]);
        assert_eq!(client.answer().status(), 200);
        drop((client, other));
        gateway.wait_for_metric(OPEN, 0.0);
    }
}

#[test]
fn a_parked_connection_is_closed_when_it_has_been_idle_for_so_long() {
    let upstream = Fake::good();
    let gateway = setup(&upstream)
        .with("limits.idle_timeout = \"2s\"")
        .start();
    let mut client = gateway.connect();
    assert_eq!(client.exchange(&update()).status(), 200);
    let idle_since = now();
    gateway.wait_for_metric(PARKED, 1.0);
    assert!(client.is_closed(), "without a reset");
    let passed = idle_since.elapsed();
    assert!(
        Duration::from_millis(1950) < passed && passed < LATE,
        "{passed:?}"
    );
    drop(client);
    gateway.wait_for_metric(OPEN, 0.0);
    gateway.wait_for_metric(PARKED, 0.0);
}

#[test]
fn a_drain_closes_a_parked_connection_and_serves_what_has_just_come() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let address = gateway.address();
    let mut clients: Vec<_> = (0..2).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.exchange(&update()).status(), 200);
    }
    gateway.wait_for_metric(PARKED, 2.0);
    gateway.advance(Stage::Draining);
    until_closed(address);
    let answer = clients[0].exchange(&update());
    assert_eq!(
        (answer.status(), answer.field("connection")),
        (200, Some("close"))
    );
    for client in &mut clients {
        assert!(client.is_closed(), "without a reset");
    }
    drop(clients);
    assert_eq!(gateway.stop().len(), 3);
}

#[test]
fn an_order_to_stop_ends_a_parked_connection() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let mut client = parked(&gateway);
    let began = now();
    gateway.advance(Stage::Stopped);
    assert!(client.rest().is_empty());
    assert!(began.elapsed() < PATIENCE);
    gateway.stop();
}

#[test]
fn a_client_that_leaves_a_parked_connection_gives_its_place_up() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let mut half = parked(&gateway);
    half.finish();
    assert!(half.is_closed(), "without a reset");
    gateway.wait_for_metric(OPEN, 0.0);
    drop(parked(&gateway));
    gateway.wait_for_metric(OPEN, 0.0);
    gateway.wait_for_metric(PARKED, 0.0);
}

#[test]
fn http2_keeps_what_it_has() {
    let upstream = Fake::good();
    let gateway = setup(&upstream).start();
    let mut many = ClientH2::connect(gateway.address());
    assert_eq!(many.exchange(&update()).status(), 200);
    // As long as another needs to be parked, which was used later.
    let _other = parked(&gateway);
    assert!((gateway.metric(PARKED) - 1.0).abs() < 0.5);
    assert_eq!(many.exchange(&update()).status(), 200);
}
