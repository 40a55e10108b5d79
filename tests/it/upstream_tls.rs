//! The upstream over TLS: who is trusted, and how few connections it takes.

use crate::support::client::{Client, Request};
use crate::support::fake::{Connection, Fake, OK};
use crate::support::fake_h2;
use crate::support::gateway::{CREDENTIAL, Gateway, Setup};
use crate::support::tls::{Authority, Identity, LOOPBACK};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// A gateway that trusts this authority towards an upstream on this host and port.
pub fn setup(host: &str, upstream: SocketAddr, authority: &Authority) -> Setup {
    let setup = Setup::url(&format!("https://{host}:{}", upstream.port()));
    setup.folder.write("upstream-ca.crt", authority.pem());
    setup.with("upstream.ca = \"upstream-ca.crt\"")
}

fn gateway(upstream: SocketAddr, authority: &Authority) -> Gateway {
    setup("127.0.0.1", upstream, authority).start()
}

#[test]
fn http1_is_spoken_where_the_upstream_wants_it() {
    let authority = Authority::new();
    let identity = authority.issue(&LOOPBACK);
    for (host, alpn) in [
        ("127.0.0.1", &["http/1.1"][..]),
        ("localhost", &["http/1.1"]),
        ("127.0.0.1", &[]),
    ] {
        let upstream = Fake::good_over_tls(identity.server(alpn));
        let gateway = setup(host, upstream.address, &authority).start();
        for _ in 0..3 {
            assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
        }
        let connections = upstream.connections();
        assert_eq!(connections.len(), 1, "the connection is kept alive");
        assert_eq!(connections[0].len(), 3);
        let seen = &connections[0][0];
        let port = upstream.address.port();
        assert_eq!(seen.field("host"), Some(&*format!("{host}:{port}")));
        assert_eq!(seen.all("x-auth-token"), [CREDENTIAL]);
    }
}

#[test]
fn http2_is_not_offered_where_it_is_switched_off() {
    let authority = Authority::new();
    let agreed = Arc::new(Mutex::new(None));
    let tls = authority.issue(&LOOPBACK).server(&["h2", "http/1.1"]);
    let upstream = Fake::over_tls(tls, {
        let agreed = Arc::clone(&agreed);
        move |connection| {
            while connection.request()?.is_some() {
                *agreed.lock().expect("the note") = connection.protocol().map(<[u8]>::to_vec);
                connection.send(OK)?;
            }
            Ok(())
        }
    });
    let gateway = setup("127.0.0.1", upstream.address, &authority)
        .with("upstream.http2 = false")
        .start();
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    let agreed = agreed.lock().expect("the note");
    assert_eq!(agreed.as_deref(), Some(&b"http/1.1"[..]));
}

/// What a gateway says that trusts `authority`, to an upstream that shows `identity`.
fn untrusted(authority: &Authority, identity: &Identity) {
    let upstream = Fake::good_over_tls(identity.server(&["http/1.1"]));
    let gateway = gateway(upstream.address, authority);
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!(
        (answer.status(), answer.code()),
        (502, Some("upstream_untrusted"))
    );
    let line = gateway.stop().remove(0);
    assert_eq!(line["code"], "upstream_untrusted");
    assert_eq!(line["sent"], "no");
    assert_eq!(upstream.requests().len(), 0, "nothing is sent");
}

#[test]
fn a_wrong_name_is_not_trusted() {
    let authority = Authority::new();
    untrusted(&authority, &authority.issue(&["api.bigcommerce.com"]));
}

#[test]
fn an_unknown_authority_is_not_trusted() {
    untrusted(&Authority::new(), &Authority::new().issue(&LOOPBACK));
}

#[test]
fn an_expired_certificate_is_not_trusted() {
    let authority = Authority::new();
    untrusted(&authority, &authority.issue_expired(&LOOPBACK));
}

#[test]
fn the_web_roots_do_not_know_a_throwaway_authority() {
    let upstream = Fake::good_over_tls(Authority::new().issue(&LOOPBACK).server(&[]));
    let gateway = Setup::url(&format!("https://{}", upstream.address)).start();
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!(answer.code(), Some("upstream_untrusted"));
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn an_upstream_without_tls_is_not_reached() {
    let upstream = Fake::doing(|connection| {
        connection.one_byte()?;
        connection.send(OK)?;
        connection.until_closed()
    });
    let gateway = gateway(upstream.address, &Authority::new());
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!(
        (answer.status(), answer.code()),
        (502, Some("upstream_unreachable"))
    );
    assert_eq!(gateway.stop()[0]["sent"], "no");
}

#[test]
fn requests_that_wait_for_a_connection_share_its_failure() {
    // One try that fails by the time limit must not be followed by one for each request.
    let upstream = Fake::doing(Connection::until_closed);
    let gateway = Setup::url(&format!("https://{}", upstream.address))
        .with("upstream.connect_timeout = \"1s\"\nupstream.deadline = \"20s\"")
        .start();
    let clients: Vec<_> = (0..12)
        .map(|_| {
            let address = gateway.address();
            std::thread::spawn(move || Client::connect(address).exchange(&Request::update("{}")))
        })
        .collect();
    for client in clients {
        let answer = client.join().expect("no panic");
        assert_eq!(answer.code(), Some("upstream_unreachable"));
    }
    assert!(upstream.connections().len() <= 3);
}

#[test]
fn a_stalled_handshake_ends_with_the_connect_timeout() {
    let upstream = Fake::doing(Connection::until_closed);
    let gateway = setup("127.0.0.1", upstream.address, &Authority::new())
        .with("upstream.connect_timeout = \"100ms\"")
        .start();
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!(answer.code(), Some("upstream_unreachable"));
}

/// Sends 640 requests one after another over 64 connections by turns.
fn by_turns(gateway: &Gateway) {
    let mut clients: Vec<Client> = (0..64).map(|_| gateway.connect()).collect();
    let request = Request::update("{}");
    for _ in 0..10 {
        for client in &mut clients {
            assert_eq!(client.exchange(&request).status(), 200);
        }
    }
}

#[test]
fn many_callers_share_one_http1_connection_a_worker() {
    let authority = Authority::new();
    let tls = authority.issue(&LOOPBACK).server(&["http/1.1"]);
    let upstream = Fake::good_over_tls(tls);
    let gateway = setup("127.0.0.1", upstream.address, &authority)
        .workers(2)
        .start();
    by_turns(&gateway);
    assert_eq!(upstream.requests().len(), 640);
    let opened = upstream.connections().len();
    assert!(opened <= 2, "{opened} connections");
}

#[test]
fn many_callers_share_one_http2_connection_a_worker() {
    let authority = Authority::new();
    let upstream = fake_h2::Fake::good(authority.issue(&LOOPBACK).server(&["h2"]));
    let gateway = setup("127.0.0.1", upstream.address, &authority)
        .workers(2)
        .start();
    by_turns(&gateway);
    assert_eq!(upstream.requests().len(), 640);
    let opened = upstream.connections().len();
    assert!(opened <= 2, "{opened} connections");
}
