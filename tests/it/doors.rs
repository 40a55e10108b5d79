//! The TLS door: protocols, versions, certificates, and who is turned away.

use crate::support::client::{Client, Request};
use crate::support::client_h2;
use crate::support::fake::Fake;
use crate::support::gateway::{Gateway, Setup};
use crate::support::tls::{Authority, Dialer, LOOPBACK, TLS12, TLS13};
use rustls::{NamedGroup, ProtocolVersion};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A gateway with a certificate of this authority.
pub fn setup(upstream: SocketAddr, authority: &Authority, more: &str) -> Setup {
    let setup = Setup::new(upstream);
    let identity = authority.issue(&LOOPBACK);
    setup.folder.write("tls.crt", identity.certificate);
    setup.folder.write("tls.key", identity.private_key);
    setup.listening(&format!(
        "listen.address = \"127.0.0.1:0\"\n\
         listen.tls = {{ certificate = \"tls.crt\", private_key = \"tls.key\"{more} }}"
    ))
}

fn gateway(upstream: &Fake, authority: &Authority) -> Gateway {
    setup(upstream.address, authority, "").start()
}

#[test]
fn http1_is_spoken_where_alpn_says_so_or_nothing() {
    let (upstream, authority) = (Fake::good(), Authority::new());
    let gateway = gateway(&upstream, &authority);
    for (offered, agreed) in [
        (&["http/1.1"][..], Some(&b"http/1.1"[..])),
        (&["http/1.1", "spdy/3"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let tls = Dialer::trusting(&authority)
            .offering(offered)
            .connect(gateway.address())
            .expect("a handshake");
        assert_eq!(tls.conn.alpn_protocol(), agreed);
        let mut client = Client::over(tls);
        for _ in 0..2 {
            let answer = client.exchange(&Request::update("{}"));
            assert_eq!(answer.status(), 200, "{offered:?}");
            assert!(answer.start.starts_with("HTTP/1.1"));
        }
    }
    assert_eq!(gateway.stop().len(), 6);
}

#[test]
fn http2_is_preferred_where_both_are_offered() {
    let (upstream, authority) = (Fake::good(), Authority::new());
    let gateway = gateway(&upstream, &authority);
    for offered in [&["h2"][..], &["h2", "http/1.1"], &["http/1.1", "h2"]] {
        let tls = Dialer::trusting(&authority).offering(offered).config();
        let mut client = client_h2::Client::connect_tls(gateway.address(), tls);
        let answer = client.exchange(&Request::update("{}"));
        assert_eq!((answer.status(), answer.code()), (200, None));
    }
    let lines = gateway.stop();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["decision"], "allowed");
}

#[test]
fn a_protocol_that_nobody_speaks_is_refused() {
    let (upstream, authority) = (Fake::good(), Authority::new());
    let gateway = gateway(&upstream, &authority);
    let dialer = Dialer::trusting(&authority).offering(&["smtp"]);
    let error = dialer.connect(gateway.address()).expect_err("no protocol");
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );
}

#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let (upstream, authority) = (Fake::good(), Authority::new());
    let gateway = gateway(&upstream, &authority);
    for (versions, agreed) in [
        (TLS12, ProtocolVersion::TLSv1_2),
        (TLS13, ProtocolVersion::TLSv1_3),
        (rustls::ALL_VERSIONS, ProtocolVersion::TLSv1_3),
    ] {
        let tls = Dialer::trusting(&authority)
            .speaking(versions)
            .connect(gateway.address())
            .expect("a handshake");
        assert_eq!(tls.conn.protocol_version(), Some(agreed));
        let answer = Client::over(tls).exchange(&Request::update("{}"));
        assert_eq!(answer.status(), 200);
    }
}

#[test]
fn the_hybrid_key_exchange_is_the_default() {
    let (upstream, authority) = (Fake::good(), Authority::new());
    let gateway = gateway(&upstream, &authority);
    let tls = Dialer::trusting(&authority)
        .connect(gateway.address())
        .expect("a handshake");
    let group = tls.conn.negotiated_key_exchange_group();
    assert_eq!(
        group.map(rustls::crypto::SupportedKxGroup::name),
        Some(NamedGroup::X25519MLKEM768)
    );
}

#[test]
fn a_client_that_trusts_another_authority_turns_away() {
    let (upstream, authority) = (Fake::good(), Authority::new());
    let gateway = setup(upstream.address, &authority, "")
        .with("admin.address = \"127.0.0.1:0\"")
        .start();
    let error = Dialer::trusting(&Authority::new())
        .connect(gateway.address())
        .expect_err("an unknown authority");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(gateway.stop().len(), 0);
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn plaintext_on_the_tls_port_is_closed() {
    let (upstream, authority) = (Fake::good(), Authority::new());
    let gateway = setup(upstream.address, &authority, "")
        .with("admin.address = \"127.0.0.1:0\"")
        .start();
    let mut stream = TcpStream::connect(gateway.address()).expect("it listens");
    stream
        .write_all(&Request::update("{}").to_bytes())
        .expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("closed in order");
    // An alert is all there may be.
    assert!(answer.len() <= 7, "{answer:?}");
    let closes = "metafield_gateway_bare_closes_total{reason=\"handshake\"}";
    gateway.wait_for_metric(closes, 1.0);
    assert_eq!(gateway.stop().len(), 0, "what is no request has no line");
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_handshake_that_stalls_is_closed() {
    let (upstream, authority) = (Fake::good(), Authority::new());
    let gateway = setup(upstream.address, &authority, "")
        .with("limits.handshake_timeout = \"100ms\"")
        .with("admin.address = \"127.0.0.1:0\"")
        .start();
    let mut silent = Client::connect(gateway.address());
    let mut slow = Client::connect(gateway.address());
    // The beginning of a handshake record, whose rest never comes.
    slow.send([0x16, 0x03, 0x01, 0x01, 0x00, 0x01]);
    assert!(silent.is_closed());
    assert!(slow.is_closed());
    let closes = "metafield_gateway_bare_closes_total{reason=\"handshake\"}";
    gateway.wait_for_metric(closes, 2.0);
}

#[test]
fn a_client_certificate_is_asked_for_where_there_is_a_client_ca() {
    let (upstream, authority, clients) = (Fake::good(), Authority::new(), Authority::new());
    let setup = setup(
        upstream.address,
        &authority,
        ", client_ca = \"clients.crt\"",
    );
    setup.folder.write("clients.crt", clients.pem());
    let gateway = setup.start();
    let known = clients.issue(&["client.test"]);
    for versions in [TLS12, TLS13] {
        let dialer = || Dialer::trusting(&authority).speaking(versions);
        let tls = dialer().showing(&known).connect(gateway.address());
        let answer = Client::over(tls.expect("a handshake")).exchange(&Request::update("{}"));
        assert_eq!(answer.status(), 200);
        for refused in [
            dialer(),
            dialer().showing(&Authority::new().issue(&["client.test"])),
            dialer().showing(&clients.issue_expired(&["client.test"])),
        ] {
            // With TLS 1.3 the client's part ends before the gateway has looked at its certificate.
            let answer = refused.connect(gateway.address()).and_then(|tls| {
                let mut client = Client::over(tls);
                client.try_send(Request::update("{}").to_bytes())?;
                client.try_answer(false)
            });
            assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
        }
    }
    assert_eq!(gateway.stop().len(), 2);
}

#[test]
fn a_refusal_is_readable_by_a_client_that_is_still_sending() {
    let (upstream, authority) = (Fake::good(), Authority::new());
    let gateway = gateway(&upstream, &authority);
    let large = vec![b' '; 3 * 1024 * 1024];
    for (request, status, code) in [
        (
            Request::update(large.clone()).instead("X-Auth-Token", "not-a-known-token"),
            401,
            "unknown_token",
        ),
        (Request::update(large), 413, "body_too_large"),
    ] {
        for _ in 0..3 {
            let tls = Dialer::trusting(&authority).connect(gateway.address());
            let answer = Client::over(tls.expect("a handshake")).exchange(&request);
            assert_eq!((answer.status(), answer.code()), (status, Some(code)));
        }
    }
    assert_eq!(gateway.stop().len(), 6);
    assert_eq!(upstream.requests().len(), 0);
}
