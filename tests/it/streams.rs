//! Answers too long or too slow to be collected: they stream, and break off where they must.

use crate::support::client::{CUSTOMER, Client, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, Gateway, Setup, WRITER};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, mpsc};

const MIB: usize = 1024 * 1024;

fn list() -> Request {
    Request::new("GET", CUSTOMER)
}

/// Bytes that show each their place, and in which the credential cannot begin.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|place| b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ#"[place % 37])
        .collect()
}

fn with_length(body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    answer.push_str(std::str::from_utf8(body).expect("a body in ASCII"));
    answer.into_bytes()
}

fn in_chunks(body: &[u8], size: usize, trailers: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Trailer\r\n\r\n";
    let mut answer = head.as_bytes().to_vec();
    for chunk in body.chunks(size) {
        answer.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
    answer
}

fn sole_line(gateway: Gateway) -> Value {
    let mut lines = gateway.stop();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

fn assert_cut(gateway: Gateway, code: &str) {
    let line = sole_line(gateway);
    assert_eq!(
        json!([
            line["decision"],
            line["code"],
            line["sent"],
            line["upstream_status"]
        ]),
        json!(["allowed", code, "yes", 200])
    );
}

/// The body's bytes of an answer that is read until its connection ends.
fn raw_body(client: &mut Client) -> Vec<u8> {
    let head = client.answer_to_head();
    assert_eq!((head.status(), head.code()), (200, None));
    client.rest()
}

#[test]
fn every_length_arrives_whole_and_the_connections_are_kept() {
    for length in [0, 1, 30, MIB - 1, MIB, MIB + 1, 3 * MIB] {
        let body = pattern(length);
        let trailers = "X-Trailer: dropped\r\n";
        let forms = [
            ("with its length", with_length(&body), true),
            (
                "in chunks",
                in_chunks(&body, 60_000, trailers),
                length <= MIB,
            ),
        ];
        for (name, bytes, has_length) in forms {
            let upstream = Fake::answering(bytes);
            let gateway = Gateway::before(upstream.address);
            let mut client = gateway.connect();
            for _ in 0..2 {
                let answer = client.exchange(&list());
                assert_eq!(answer.status(), 200, "{length} {name}");
                assert!(answer.body == body, "{length} {name}");
                let expected = has_length.then(|| length.to_string());
                assert_eq!(
                    answer.field("content-length"),
                    expected.as_deref(),
                    "{length} {name}"
                );
                assert_eq!(answer.field("trailer"), None);
            }
            drop(client);
            let lines = gateway.stop();
            assert_eq!(lines.len(), 2, "{length} {name}");
            assert!(lines.iter().all(|line| line["code"].is_null()));
            assert_eq!(upstream.connections().len(), 1, "{length} {name}");
        }
    }
}

#[test]
fn an_answer_of_http_1_0_does_not_look_whole_when_it_is_cut() {
    // Such an answer ends with its connection, and for the client a cut must not look alike.
    let mut bytes = b"HTTP/1.0 200 OK\r\n\r\n".to_vec();
    bytes.resize(bytes.len() + 2 * MIB, b'x');
    bytes.extend_from_slice(CREDENTIAL.as_bytes());
    bytes.resize(bytes.len() + MIB, b'y');
    let upstream = Fake::doing(move |connection| {
        connection.request()?;
        connection.send(&bytes)
    });
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    client.send(Request::new("GET", CUSTOMER).to_bytes());
    assert!(client.try_answer(false).is_err());
    drop(client);
    let lines = gateway.stop();
    assert_eq!(lines[0]["code"], "credential_echoed");
}

#[test]
fn a_cut_answer_is_a_reset_for_a_client_of_http_1_0() {
    // Its end is all that such a client knows of an answer without a length.
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    bytes.extend_from_slice(format!("{:x}\r\n", 2 * MIB + CREDENTIAL.len()).as_bytes());
    bytes.resize(bytes.len() + 2 * MIB, b'x');
    bytes.extend_from_slice(CREDENTIAL.as_bytes());
    bytes.extend_from_slice(b"\r\n0\r\n\r\n");
    let upstream = Fake::doing(move |connection| {
        connection.request()?;
        connection.send(&bytes)
    });
    let gateway = Gateway::before(upstream.address);
    let mut stream = TcpStream::connect(gateway.address()).expect("a connection");
    write!(
        stream,
        "GET {CUSTOMER} HTTP/1.0\r\nX-Auth-Token: {WRITER}\r\n\r\n"
    )
    .expect("sent");
    let end = stream.read_to_end(&mut Vec::new());
    assert_eq!(end.expect_err("a cut").kind(), ErrorKind::ConnectionReset);
    assert_eq!(gateway.stop()[0]["code"], "credential_echoed");
}

#[test]
fn an_answer_that_takes_too_long_is_cut() {
    let upstream = Fake::doing(move |connection| {
        connection.request()?;
        connection.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            4 * MIB
        ))?;
        connection.send("#".repeat(2 * MIB))?;
        connection.until_closed()
    });
    let gateway = Setup::new(upstream.address)
        .with("limits.answer_timeout = \"300ms\"")
        .start();
    let mut client = gateway.connect();
    client.send(Request::new("GET", CUSTOMER).to_bytes());
    assert!(client.try_answer(false).is_err());
    drop(client);
    let lines = gateway.stop();
    assert_eq!(lines[0]["decision"], "allowed");
    assert_eq!(lines[0]["code"], "answer_timeout");
    assert_eq!(lines[0]["sent"], "yes");
}

#[test]
fn trailers_are_dropped() {
    for length in [10, 2 * MIB] {
        let answer = in_chunks(&pattern(length), 60_000, "X-Trailer: dropped\r\n");
        let upstream = Fake::answering(answer);
        let gateway = Gateway::before(upstream.address);
        let mut client = gateway.connect();
        client.send(
            list()
                .with("TE", "trailers")
                .with("Connection", "close")
                .to_bytes(),
        );
        let all = client.rest();
        assert!(all.len() > length);
        let all = String::from_utf8(all).expect("ASCII");
        assert!(!all.to_ascii_lowercase().contains("x-trailer"), "{length}");
    }
}

#[test]
fn a_body_up_to_the_close_is_whole() {
    for length in [100, 2 * MIB] {
        let body = pattern(length);
        let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        bytes.extend_from_slice(&body);
        let upstream = Fake::doing(move |connection| {
            connection.request()?;
            connection.send(&bytes)
        });
        let gateway = Gateway::before(upstream.address);
        assert!(gateway.exchange(&list()).body == body, "{length}");
        assert_eq!(sole_line(gateway)["code"], Value::Null);
    }
}

/// An upstream that sends these bytes, waits to be told, sends the others and keeps the connection.
fn in_two_parts(first: Vec<u8>, second: Vec<u8>) -> (Fake, mpsc::Sender<()>) {
    let (proceed, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let upstream = Fake::doing(move |connection| {
        connection.request()?;
        connection.send(&first)?;
        told.lock()
            .expect("a receiver")
            .recv()
            .map_err(std::io::Error::other)?;
        connection.send(&second)?;
        connection.until_closed()
    });
    (upstream, proceed)
}

#[test]
fn no_byte_of_an_echoed_credential_gets_through() {
    // Where in the credential the first write ends.
    for split in [1, 13, CREDENTIAL.len() - 1] {
        let (begin, end) = CREDENTIAL.split_at(split);
        let mut first = with_length(&pattern(4 * MIB));
        first.truncate(first.len() - 2 * MIB);
        first.extend_from_slice(begin.as_bytes());
        let mut second = end.as_bytes().to_vec();
        second.extend_from_slice(&pattern(MIB));
        let (upstream, proceed) = in_two_parts(first, second);
        let gateway = Gateway::before(upstream.address);
        let mut client = gateway.connect();
        client.send(list().to_bytes());
        assert_eq!(client.answer_to_head().status(), 200);
        // The second half follows only when all that can get through of the first has.
        let mut body = client.bytes(2 * MIB + split + 1 - CREDENTIAL.len());
        proceed.send(()).expect("the upstream waits");
        body.extend(client.rest());
        assert!(body.len() <= 2 * MIB, "{split}: {} bytes", body.len());
        assert!(body == pattern(2 * MIB)[..body.len()], "{split}");
        assert_cut(gateway, "credential_echoed");
    }
}

#[test]
fn a_credential_across_the_collected_part_and_the_rest_is_found() {
    for split in [1, 13, CREDENTIAL.len() - 1] {
        // One byte more than is collected makes the answer stream from there.
        let mut body = pattern(MIB + 1 - split);
        body.extend_from_slice(CREDENTIAL.as_bytes());
        body.extend_from_slice(&pattern(MIB));
        let (first, second) = body.split_at(MIB + 1);
        let mut first = in_chunks(first, 50_000, "");
        first.truncate(first.len() - "0\r\n\r\n".len());
        let second = in_chunks(second, 50_000, "");
        let head = second.windows(4).position(|end| end == b"\r\n\r\n");
        let second = second[head.expect("a head") + 4..].to_vec();
        let (upstream, proceed) = in_two_parts(first, second);
        let gateway = Gateway::before(upstream.address);
        let mut client = gateway.connect();
        client.send(list().to_bytes());
        assert_eq!(client.answer_to_head().status(), 200, "{split}");
        proceed.send(()).expect("the upstream waits");
        let body = String::from_utf8(client.rest()).expect("ASCII");
        // Sizes of chunks are hexadecimal, so of the credential's letters look for the others.
        assert!(!body.contains(['n', 'r', 'y', '-']), "{split}");
        assert!(!body.ends_with("\r\n0\r\n\r\n"), "it must not look whole");
        assert_cut(gateway, "credential_echoed");
    }
}

#[test]
fn what_only_begins_like_the_credential_gets_through() {
    let mut body = pattern(2 * MIB);
    body.extend_from_slice(&CREDENTIAL.as_bytes()[..CREDENTIAL.len() - 1]);
    let upstream = Fake::answering(with_length(&body));
    let gateway = Gateway::before(upstream.address);
    assert!(gateway.exchange(&list()).body == body);
    assert_eq!(sole_line(gateway)["code"], Value::Null);
}

#[test]
fn a_body_slower_than_the_deadline_is_streamed_from_then_on() {
    let (has_head, proceed) = mpsc::channel::<()>();
    let proceed = Mutex::new(proceed);
    let upstream = Fake::doing(move |connection| {
        connection.request()?;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")?;
        proceed.lock().expect("a receiver").recv().expect("told");
        connection.send("56789")?;
        connection.until_closed()
    });
    let gateway = Setup::new(upstream.address)
        .with("upstream.deadline = \"300ms\"")
        .start();
    let mut client = gateway.connect();
    client.send(list().to_bytes());
    let head = client.answer_to_head();
    assert_eq!(
        (head.status(), head.field("content-length")),
        (200, Some("10"))
    );
    has_head.send(()).expect("the upstream waits");
    assert_eq!(client.bytes(10), b"0123456789");
    drop(client);
    assert_eq!(sole_line(gateway)["code"], Value::Null);
}

#[test]
fn a_body_that_stalls_is_cut() {
    let framings = [
        (
            "a small body",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234".to_owned(),
            5,
        ),
        (
            "a small body in chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n".to_owned(),
            5,
        ),
        (
            "a body that is streamed",
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}",
                2 * MIB,
                "#".repeat(MIB)
            ),
            MIB,
        ),
    ];
    for (name, bytes, most) in framings {
        let upstream = Fake::doing(move |connection| {
            connection.request()?;
            connection.send(&bytes)?;
            connection.until_closed()
        });
        let gateway = Setup::new(upstream.address)
            .with("upstream.deadline = \"300ms\"\nupstream.body_timeout = \"300ms\"")
            .start();
        let mut client = gateway.connect();
        client.send(list().to_bytes());
        let body = raw_body(&mut client);
        assert!(!body.ends_with(b"0\r\n\r\n"), "{name} must not look whole");
        assert!(body.len() <= most + 5, "{name}: {} bytes", body.len());
        assert_cut(gateway, "upstream_timeout");
    }
}

#[test]
fn a_streamed_body_that_breaks_off_is_cut() {
    let half = pattern(3 * MIB / 2);
    let mut chunked = in_chunks(&half, 50_000, "");
    chunked.truncate(chunked.len() - 5);
    let mut with_length =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 2 * MIB).into_bytes();
    with_length.extend_from_slice(&half);
    for bytes in [chunked, with_length] {
        let upstream = Fake::doing(move |connection| {
            connection.request()?;
            connection.send(&bytes)
        });
        let gateway = Gateway::before(upstream.address);
        let mut client = gateway.connect();
        client.send(list().to_bytes());
        client.try_answer(false).expect_err("not a whole answer");
        assert_cut(gateway, "upstream_protocol_error");
    }
}
