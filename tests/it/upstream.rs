//! Upstreams that fail or attack before an answer's head has been passed on: what the caller is told,
//! what is recorded, and that nothing is sent twice.

use crate::support::client::{CUSTOMER, ONE, Request};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::{CREDENTIAL, Gateway, Setup};
use crate::support::http1::Message;
use serde_json::{Value, json};
use std::sync::mpsc;

/// What an audit line says of a request's fate.
fn fate(line: &Value) -> Value {
    json!([
        line["decision"],
        line["code"],
        line["sent"],
        line["upstream_status"]
    ])
}

/// The one line of a gateway to which one request was made.
fn sole_fate(gateway: Gateway) -> Value {
    let lines = gateway.stop();
    assert_eq!(lines.len(), 1, "{lines:?}");
    fate(&lines[0])
}

fn assert_refusal(answer: &Message, status: u16, code: &str, name: &str) {
    assert_eq!(
        (answer.status(), answer.code()),
        (status, Some(code)),
        "{name}"
    );
    assert_eq!(answer.json()["code"], code, "{name}");
    assert_eq!(answer.json()["status"], status, "{name}");
    assert!(answer.field("x-correlation-id").is_some(), "{name}");
}

/// An upstream that answers one request of a connection with these bytes, then closes.
fn answering_once(answer: impl Into<Vec<u8>>) -> Fake {
    let answer = answer.into();
    Fake::doing(move |connection| {
        connection.request()?;
        connection.send(&answer)
    })
}

/// One request to an upstream that gives this answer: 502 with this code, this record, and no retry.
fn assert_502(name: &str, bytes: &str, code: &str, sent: &str, status: Option<u16>) {
    let upstream = answering_once(bytes);
    let gateway = Gateway::before(upstream.address);
    let answer = gateway.exchange(&Request::update("{}"));
    assert_refusal(&answer, 502, code, name);
    assert_eq!(answer.field("www-authenticate"), None, "{name}");
    let expected = json!(["allowed", code, sent, status]);
    assert_eq!(sole_fate(gateway), expected, "{name}");
    assert_eq!(upstream.requests().len(), 1, "{name}");
}

#[test]
fn the_status_line_is_the_gateways_own() {
    let length = "Content-Length: 2\r\n\r\n{}";
    for (theirs, ours) in [
        (
            format!("HTTP/1.1 403 {CREDENTIAL}"),
            "HTTP/1.1 403 Forbidden",
        ),
        (
            "HTTP/1.1 429 Slow down".to_owned(),
            "HTTP/1.1 429 Too Many Requests",
        ),
        ("HTTP/1.0 200 OK".to_owned(), "HTTP/1.1 200 OK"),
    ] {
        let upstream = answering_once(format!("{theirs}\r\n{length}"));
        let gateway = Gateway::before(upstream.address);
        assert_eq!(gateway.exchange(&Request::new("GET", ONE)).start, ours);
    }
}

#[test]
fn what_is_no_head_of_an_answer_is_502() {
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    for (name, bytes) in [
        ("nothing", ""),
        ("garbage", "SSH-2.0-OpenSSH_9.6\r\n"),
        ("half a status line", "HTTP/1.1 20"),
        (
            "another version",
            "HTTP/7.3 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        ("no status", "HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"),
        ("a broken field", "HTTP/1.1 200 OK\r\nno field\r\n\r\n"),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        ),
        (
            "a word for a length",
            "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nab",
        ),
        ("a huge head", &huge),
        (
            "a head without its end",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        ),
    ] {
        assert_502(name, bytes, "upstream_protocol_error", "unknown", None);
    }
}

#[test]
fn a_body_that_breaks_before_its_head_was_passed_on_is_502() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (name, bytes) in [
        (
            "a truncated body",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
        ),
        ("a truncated chunk", &format!("{chunked}a\r\n12345")),
        ("no last chunk", &format!("{chunked}2\r\nab\r\n")),
        ("no size", &format!("{chunked}zz\r\nab\r\n0\r\n\r\n")),
        (
            "a chunk that goes on",
            &format!("{chunked}1\r\nab\r\n0\r\n\r\n"),
        ),
    ] {
        assert_502(name, bytes, "upstream_protocol_error", "yes", Some(200));
    }
}

#[test]
fn answers_that_must_not_be_passed_on_are_502() {
    let field = format!("HTTP/1.1 200 OK\r\nX-Echo: a{CREDENTIAL}b\r\nContent-Length: 0\r\n\r\n");
    let length = CREDENTIAL.len() + 2;
    let body = format!("HTTP/1.1 422 No\r\nContent-Length: {length}\r\n\r\n<{CREDENTIAL}>");
    let switch = "HTTP/1.1 101 No\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nbytes";
    let refused = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
    let name = format!("HTTP/1.1 200 OK\r\nX-{CREDENTIAL}: a\r\nContent-Length: 0\r\n\r\n");
    let two_lengths = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    for (name, bytes, code, status) in [
        (
            "two lengths of one body",
            two_lengths,
            "upstream_protocol_error",
            200,
        ),
        (
            "the credential in a field's name",
            &name,
            "credential_echoed",
            200,
        ),
        (
            "the credential in a field",
            field.as_str(),
            "credential_echoed",
            200,
        ),
        ("the credential in a body", &body, "credential_echoed", 422),
        (
            "another transfer coding",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "upstream_protocol_error",
            200,
        ),
        (
            "no status there is",
            "HTTP/1.1 600 No\r\nContent-Length: 0\r\n\r\n",
            "upstream_protocol_error",
            600,
        ),
        ("another protocol", switch, "upstream_protocol_error", 101),
        ("its own 401", refused, "upstream_credential_refused", 401),
    ] {
        assert_502(name, bytes, code, "yes", Some(status));
    }
}

#[test]
fn redirects_are_neither_followed_nor_relayed() {
    for status in [300, 301, 302, 303, 304, 305, 307, 308] {
        let upstream = answering_once(format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        ));
        let gateway = Gateway::before(upstream.address);
        let answer = gateway.exchange(&Request::new("GET", ONE));
        assert_refusal(&answer, 502, "upstream_redirect", "a redirect");
        assert_eq!(answer.field("location"), None);
        assert!(!answer.text().contains("elsewhere"));
        assert_eq!(
            sole_fate(gateway),
            json!(["allowed", "upstream_redirect", "yes", status])
        );
        assert_eq!(upstream.requests().len(), 1, "{status}");
    }
}

#[test]
fn a_refused_connection_says_that_nothing_was_sent() {
    // Bound and not listening: the port refuses, and nobody else can take it.
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let free: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&free.into()).expect("a free port");
    let address = socket.local_addr().expect("bound").as_socket();
    let gateway = Gateway::before(address.expect("an IP address"));
    let answer = gateway.exchange(&Request::update("{}"));
    assert_refusal(&answer, 502, "upstream_unreachable", "refused");
    assert_eq!(
        sole_fate(gateway),
        json!(["allowed", "upstream_unreachable", "no", null])
    );
}

#[test]
fn tls_that_is_answered_in_plain_text_is_unreachable() {
    let upstream = Fake::doing(|connection| {
        connection.one_byte()?;
        connection.send("HTTP/1.1 400 Bad Request\r\n\r\n")
    });
    let gateway = Setup::url(&format!("https://{}", upstream.address)).start();
    let answer = gateway.exchange(&Request::update("{}"));
    assert_refusal(&answer, 502, "upstream_unreachable", "no TLS");
    assert_eq!(
        sole_fate(gateway),
        json!(["allowed", "upstream_unreachable", "no", null])
    );
}

#[test]
fn silence_is_504_at_the_deadline() {
    type Silence = fn(&mut crate::support::fake::Connection) -> std::io::Result<()>;
    let silences: [(&str, Silence); 3] = [
        ("before the request", |connection| connection.until_closed()),
        ("after the request", |connection| {
            connection.request()?;
            connection.until_closed()
        }),
        ("within the head", |connection| {
            connection.request()?;
            connection.send("HTTP/1.1 200 OK\r\nContent-")?;
            connection.until_closed()
        }),
    ];
    for (name, silence) in silences {
        let upstream = Fake::doing(silence);
        let gateway = Setup::new(upstream.address)
            .with("upstream.deadline = \"300ms\"")
            .start();
        let answer = gateway.exchange(&Request::update("{}"));
        assert_refusal(&answer, 504, "upstream_timeout", name);
        assert_eq!(
            sole_fate(gateway),
            json!(["allowed", "upstream_timeout", "unknown", null]),
            "{name}"
        );
    }
}

#[test]
fn a_client_whose_request_failed_goes_on_with_its_connection() {
    let upstream = Fake::doing(|connection| {
        connection.request()?;
        if connection.number == 0 {
            return connection.send("garbage\r\n\r\n");
        }
        connection.send(OK)
    });
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    assert_eq!(client.exchange(&Request::update("{}")).status(), 502);
    assert_eq!(client.exchange(&Request::update("{}")).status(), 200);
}

#[test]
fn informational_answers_are_passed_over() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
    let upstream = Fake::answering(format!(
        "HTTP/1.1 100 Continue\r\n\r\n{early}HTTP/1.1 102 Processing\r\n\r\n{OK}"
    ));
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    for _ in 0..2 {
        let answer = client.exchange(&Request::update("{}"));
        assert_eq!((answer.status(), answer.code()), (200, None));
        assert_eq!(answer.field("link"), None);
    }
    assert_eq!(upstream.connections().len(), 1);
}

#[test]
fn an_answer_before_the_request_was_read_is_passed_on() {
    let (answered, go_on) = mpsc::channel();
    let answered = std::sync::Mutex::new(answered);
    let upstream = Fake::doing(move |connection| {
        if connection.number == 0 {
            connection.one_byte()?;
            connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")?;
            answered.lock().expect("a sender").send(()).expect("heard");
            return connection.until_closed();
        }
        while connection.request()?.is_some() {
            connection.send(OK)?;
        }
        Ok(())
    });
    let gateway = Setup::new(upstream.address)
        .with("limits.body = \"32MiB\"")
        .start();
    // More than the sockets' buffers hold, so that much of it is unsent when the answer comes.
    let request = Request::update(format!("{{}}{}", " ".repeat(24 * 1024 * 1024)));
    let mut client = gateway.connect();
    let answer = client.exchange(&request);
    assert_eq!((answer.status(), answer.text()), (413, "no!"));
    go_on.recv().expect("the upstream answered");
    // The half-written connection must not carry the next request.
    assert_eq!(
        client.exchange(&Request::new("GET", CUSTOMER)).status(),
        200
    );
    drop(client);
    let lines = gateway.stop();
    assert_eq!(fate(&lines[0]), json!(["allowed", null, "yes", 413]));
    assert_eq!(fate(&lines[1]), json!(["allowed", null, "yes", 200]));
    assert_eq!(upstream.connections().len(), 2);
}
