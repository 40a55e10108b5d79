//! The upstream over HTTP/2: one connection for all, and what is sent again.

use crate::support::client::{ALL, CUSTOMER, Client, ONE, Request};
use crate::support::client_h2::{self, GOAWAY};
use crate::support::fake::{self, Connection};
use crate::support::fake_h2::{Act, Fake};
use crate::support::gateway::{CREDENTIAL, Gateway, Setup};
use crate::support::tls::{Authority, LOOPBACK};
use crate::upstream_tls;
use std::io;
use std::sync::Arc;
use tokio::sync::Barrier;

/// The types of the frames that a test writes or waits for.
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;

fn upstream(behaviour: impl Fn(usize, usize) -> Act + Send + Sync + 'static) -> (Setup, Fake) {
    let authority = Authority::new();
    let tls = authority.issue(&LOOPBACK).server(&["h2", "http/1.1"]);
    let upstream = Fake::doing(tls, behaviour);
    let setup = upstream_tls::setup("127.0.0.1", upstream.address, &authority);
    (setup, upstream)
}

#[test]
fn answers_that_nobody_takes_do_not_hold_up_the_others() {
    const STALLED: usize = 8;
    let (setup, _upstream) = upstream(|_, nth| match nth {
        0..STALLED => Act::Large(4 * 1024 * 1024),
        _ => Act::Answer,
    });
    let gateway = setup
        .with("limits.write_timeout = \"10m\"\nlimits.answer_timeout = \"10m\"")
        .with("upstream.body_timeout = \"5s\"")
        .start();
    let mut idle = client_h2::Client::connect(gateway.address());
    let unread: Vec<_> = (0..STALLED)
        .map(|_| {
            let mut begun = idle.start(&Request::new("GET", CUSTOMER));
            idle.until_head(&mut begun);
            begun
        })
        .collect();
    let answer = gateway.exchange(&Request::new("GET", ONE));
    assert_eq!((answer.status(), answer.code()), (200, None));
    drop(unread);
}

#[test]
fn a_long_answer_to_head_is_whole_without_its_body() {
    const SIZE: usize = 2 * 1024 * 1024;
    let (gateway, _upstream) = start(|_, _| Act::Announce(SIZE));
    let mut client = gateway.connect();
    client.send(Request::new("HEAD", CUSTOMER).to_bytes());
    let answer = client.answer_to_head();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.field("content-length"), Some(&*SIZE.to_string()));
    drop(client);
    let lines = gateway.stop();
    assert_eq!(lines[0]["code"], serde_json::Value::Null);
}

#[test]
fn requests_that_lost_their_connection_share_the_next_one() {
    const REQUESTS: usize = 10;
    let all_there = Arc::new(Barrier::new(REQUESTS));
    // The connection vanishes once every request is on it.
    let (gateway, upstream) = start(move |connection, nth| match (connection, nth) {
        (0, 0) => Act::Answer,
        (0, _) => Act::MeetAndVanish(Arc::clone(&all_there)),
        _ => Act::Answer,
    });
    assert_eq!(gateway.exchange(&Request::new("GET", ONE)).status(), 200);
    let clients: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let address = gateway.address();
            std::thread::spawn(move || Client::connect(address).exchange(&Request::update("{}")))
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().expect("no panic").status(), 200);
    }
    assert_eq!(upstream.connections().len(), 2);
}

#[test]
fn an_upstream_that_refuses_everything_is_asked_twice() {
    let (gateway, upstream) = start(|_, _| Act::Refuse);
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!(
        (answer.status(), answer.code()),
        (502, Some("upstream_unreachable"))
    );
    assert_eq!(upstream.connections().len(), 2);
    assert_eq!(gateway.stop()[0]["sent"], "no");
}

fn start(behaviour: impl Fn(usize, usize) -> Act + Send + Sync + 'static) -> (Gateway, Fake) {
    let (setup, upstream) = upstream(behaviour);
    (setup.start(), upstream)
}

#[test]
fn a_request_is_built_anew() {
    let (gateway, upstream) = start(|_, _| Act::Answer);
    let body = r#"{"permission_set":"app_only"}"#;
    let request = Request::update(body)
        .with("Accept", "application/json")
        .with("X-Auth-Client", "anything")
        .with("Cookie", "a=b")
        .with("X_Auth_Token", "another")
        .with("Connection", "keep-alive");
    let answer = gateway.exchange(&request);
    assert_eq!((answer.status(), answer.code()), (200, None));
    let seen = upstream.requests().pop().expect("a request");
    assert_eq!(seen.method(), "PUT");
    let uri = format!("https://{}{ONE}", upstream.address);
    assert_eq!(seen.uri().to_string(), uri, "scheme, authority and path");
    assert_eq!(seen.body(), body);
    let mut names: Vec<&str> = seen
        .headers()
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "content-length",
        "content-type",
        "user-agent",
        "via",
        "x-auth-token",
        "x-correlation-id",
    ];
    assert_eq!(names, expected);
    assert_eq!(seen.headers().len(), expected.len(), "each field once");
    assert_eq!(seen.headers()["x-auth-token"], CREDENTIAL);
    let line = gateway.stop().remove(0);
    assert_eq!(
        (&line["sent"], &line["upstream_status"]),
        (&"yes".into(), &200.into())
    );
}

#[test]
fn many_requests_at_once_share_one_connection() {
    const AT_ONCE: usize = 20;
    let meeting = Arc::new(Barrier::new(AT_ONCE));
    let (gateway, upstream) = start(move |_, _| Act::Meet(Arc::clone(&meeting)));
    let address = gateway.address();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(move || {
                let answer = Client::connect(address).exchange(&Request::update("{}"));
                assert_eq!((answer.status(), answer.code()), (200, None));
            });
        }
    });
    let connections = upstream.connections();
    assert_eq!(connections.len(), 1);
    assert_eq!(connections[0].len(), AT_ONCE);
    for seen in &connections[0] {
        let tokens: Vec<_> = seen.headers().get_all("x-auth-token").iter().collect();
        assert_eq!(tokens, [CREDENTIAL]);
    }
}

#[test]
fn a_refused_stream_is_sent_again_whatever_it_does() {
    for request in [
        Request::update("{}"),
        Request::new("DELETE", ONE),
        Request::new("DELETE", ALL).json("[9]"),
    ] {
        let (gateway, upstream) = start(|connection, nth| match (connection, nth) {
            (0, 0) => Act::Refuse,
            _ => Act::Answer,
        });
        let answer = gateway.exchange(&request);
        assert_eq!((answer.status(), answer.code()), (200, None));
        assert_eq!(upstream.requests().len(), 2);
        assert_eq!(gateway.stop()[0]["sent"], "yes");
    }
}

#[test]
fn a_stream_that_is_given_up_is_not_sent_again() {
    let (gateway, upstream) = start(|_, nth| match nth {
        0 => Act::Break,
        _ => Act::Answer,
    });
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!(
        (answer.status(), answer.code()),
        (502, Some("upstream_protocol_error"))
    );
    assert_eq!(upstream.requests().len(), 1);
    // The connection is not to blame.
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    assert_eq!(upstream.connections().len(), 1);
    assert_eq!(gateway.stop()[0]["sent"], "unknown");
}

#[test]
fn after_a_goaway_the_next_request_has_another_connection() {
    let (gateway, upstream) = start(|_, nth| match nth {
        1 => Act::AnswerAndLeave,
        _ => Act::Answer,
    });
    for _ in 0..5 {
        assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    }
    let served: Vec<usize> = upstream.connections().iter().map(Vec::len).collect();
    assert_eq!(served.iter().sum::<usize>(), 5);
    assert!(served.len() > 1, "{served:?}");
    assert!(gateway.stop().iter().all(|line| line["sent"] == "yes"));
}

#[test]
fn a_connection_that_closes_unanswered_is_followed_by_one_more_try() {
    for (request, status) in [
        (Request::update("{}"), 200),
        (Request::new("GET", ONE), 200),
        (Request::new("DELETE", ONE), 502),
    ] {
        let (gateway, upstream) = start(|connection, nth| match (connection, nth) {
            (0, 1) => Act::Vanish,
            _ => Act::Answer,
        });
        assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
        let answer = gateway.exchange(&request);
        assert_eq!(answer.status(), status, "{}", request.method);
        upstream.wait_for_ended(1);
        assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
        let sent = &gateway.stop()[1]["sent"];
        assert_eq!(sent, if status == 200 { "yes" } else { "unknown" });
    }
}

#[test]
fn a_fresh_connection_that_closes_unanswered_is_not_tried_again() {
    let (gateway, upstream) = start(|connection, _| match connection {
        0 => Act::Vanish,
        _ => Act::Answer,
    });
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!(
        (answer.status(), answer.code()),
        (502, Some("upstream_protocol_error"))
    );
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
}

#[test]
fn an_answer_that_never_comes_is_a_timeout_of_its_stream() {
    let (setup, upstream) = upstream(|_, nth| match nth {
        0 => Act::Hold,
        _ => Act::Answer,
    });
    let gateway = setup.with("upstream.deadline = \"250ms\"").start();
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!(
        (answer.status(), answer.code()),
        (504, Some("upstream_timeout"))
    );
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    assert_eq!(upstream.connections().len(), 1);
    assert_eq!(gateway.stop()[0]["sent"], "unknown");
}

/// A frame as it is on the wire.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

/// Reads frames up to and with one of this type.
fn read_until(connection: &mut Connection, kind: u8) -> io::Result<()> {
    loop {
        let head = connection.bytes(9)?;
        let length = head[..3]
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        connection.bytes(length)?;
        if head[3] == kind {
            return Ok(());
        }
    }
}

/// The upstream leaves while a request is on its way, and says that it has not looked at it.
#[test]
fn a_request_that_a_goaway_excludes_is_sent_again() {
    let authority = Authority::new();
    let tls = authority.issue(&LOOPBACK).server(&["h2"]);
    let upstream = fake::Fake::over_tls(tls, |connection| {
        connection.bytes(24)?;
        connection.send(frame(SETTINGS, 0, &[]))?;
        read_until(connection, HEADERS)?;
        if connection.number > 0 {
            let stream = 1;
            let mut answer = frame(HEADERS, 0x5, &[0x88]);
            answer[8] = stream;
            connection.send(answer)?;
            return connection.until_closed();
        }
        // No error, and no stream was acted on.
        connection.send(frame(GOAWAY, 0, &[0; 8]))?;
        connection.until_closed()
    });
    let gateway = upstream_tls::setup("127.0.0.1", upstream.address, &authority).start();
    let answer = gateway.exchange(&Request::new("DELETE", ONE));
    assert_eq!((answer.status(), answer.code()), (200, None));
    assert_eq!(upstream.connections().len(), 2);
}
