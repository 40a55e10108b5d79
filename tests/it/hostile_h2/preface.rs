//! The beginning of a connection: a preface that breaks off or goes wrong, and HTTP/1.1 where HTTP/2 was
//! begun, or the other way round.

use super::{get, measured, still_serves};
use crate::limits::bare_closes;
use crate::support::client::{ONE, Request};
use crate::support::fake::Fake;
use crate::support::frames::{CONTINUATION, PREFACE, SETTINGS, Wire, frame, reset, settings};
use crate::support::gateway::Gateway;

/// The answer to bytes that are no request.
const BAD_REQUEST: &str = "HTTP/1.1 400 Bad Request";

/// The first line of an answer that holds nothing but its head.
fn status_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let (line, rest) = text.split_once("\r\n").unwrap_or((&text, "\r\n\r\n"));
    assert!(rest.find("\r\n\r\n") == Some(rest.len() - 4), "{text}");
    line.to_owned()
}

#[test]
fn a_preface_is_whole_or_none() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut told = Vec::new();
    for wrong in 0..PREFACE.len() {
        let mut bytes = PREFACE.to_vec();
        bytes[wrong] ^= 0x20;
        bytes.extend([settings(&[]), get(1)].concat());
        let mut client = gateway.connect();
        // The gateway may have closed before it was sent all.
        client.try_send(bytes).ok();
        told.push((wrong, status_line(&client.rest())));
    }
    for (wrong, line) in &told {
        assert_eq!(line, BAD_REQUEST, "with byte {wrong} changed");
    }
    for length in 1..PREFACE.len() {
        let mut client = gateway.connect();
        client.send(&PREFACE[..length]);
        client.finish();
        // What reaches into the version is HTTP/1.1 with a version that it does not have.
        let expected = if length < "PRI * HTTP/2".len() {
            ""
        } else {
            BAD_REQUEST
        };
        let line = status_line(&client.rest());
        assert_eq!(line, expected, "the first {length} bytes");
        told.push((length, line));
    }
    println!("preface: {} cases", told.len());
    assert!(upstream.connections().is_empty());
    still_serves(gateway.address());
    assert_eq!(gateway.stop().len(), 1);
}

#[test]
fn what_follows_the_preface_is_frames() {
    let cases = [
        (
            "an HTTP/1.1 request",
            "goaway FRAME_SIZE_ERROR",
            Request::new("GET", ONE).to_bytes(),
        ),
        (
            "the preface again",
            "goaway FRAME_SIZE_ERROR",
            PREFACE.to_vec(),
        ),
        ("a request without settings", "200", get(1)),
        (
            "settings acknowledged before there are any",
            "200",
            [frame(SETTINGS, 1, 0, []), get(1)].concat(),
        ),
        ("zeros", "goaway PROTOCOL_ERROR", vec![0; 9]),
    ];
    for (title, expected, bytes) in &cases {
        let upstream = Fake::good();
        let gateway = Gateway::before(upstream.address);
        let mut wire = Wire::open(gateway.address());
        wire.send([PREFACE, bytes].concat());
        let events = wire.events(1);
        assert_eq!(
            events.first().map(String::as_str),
            Some(*expected),
            "{title}"
        );
        let served = usize::from(*expected == "200");
        assert_eq!(upstream.requests().len(), served, "{title}");
        drop(wire);
        still_serves(gateway.address());
        assert_eq!(gateway.stop().len(), served + 1, "{title}");
    }
    println!("behind the preface: {} cases", cases.len());
}

#[test]
fn http1_does_not_become_http2() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let upgrade = Request::new("GET", ONE)
        .with("Connection", "Upgrade, HTTP2-Settings")
        .with("Upgrade", "h2c")
        .with("HTTP2-Settings", "AAMAAABkAAQAAP__");
    // In one write with what an upgraded connection would carry next.
    let mut client = gateway.connect();
    client.send([&upgrade.to_bytes(), PREFACE, &settings(&[]), &get(1)].concat());
    let answer = client.answer();
    assert_eq!(
        (answer.status(), answer.code()),
        (400, Some("malformed_request"))
    );
    assert_eq!(String::from_utf8_lossy(&client.rest()), "");
    let mut client = gateway.connect();
    assert_eq!(client.exchange(&Request::new("GET", ONE)).status(), 200);
    client.send([PREFACE, &settings(&[]), &get(1)].concat());
    assert_eq!(String::from_utf8_lossy(&client.rest()), "");
    drop(client);
    still_serves(gateway.address());
    assert_eq!(upstream.requests().len(), 2);
    assert_eq!(gateway.stop().len(), 3);
    println!("upgrades: 2 cases");
}

#[test]
fn what_breaks_the_protocol_is_counted() {
    let upstream = Fake::good();
    let gateway = measured(&upstream, "");
    let broken = [
        frame(SETTINGS, 0, 0, [0; 5]),
        reset(1, 8),
        frame(CONTINUATION, 0, 1, []),
        vec![0xff; 9],
    ];
    for bytes in &broken {
        let mut wire = Wire::connect(gateway.address());
        wire.send(bytes);
        assert_eq!(wire.events(1).pop().as_deref(), Some("closed"));
    }
    // One that leaves in good order is none of them.
    still_serves(gateway.address());
    gateway.wait_for_metric("metafield_gateway_connections_open", 0.0);
    let counted = gateway.metric(&bare_closes("malformed"));
    assert!((counted - 4.0).abs() < 0.5, "{counted}");
    println!("protocol errors: {} cases", broken.len());
}
