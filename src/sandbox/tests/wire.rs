//! The store over a real socket.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::*;

/// A connection that fails a test rather than hang in it.
fn connect(running: &Running) -> TcpStream {
    let stream = TcpStream::connect(running.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
}

/// Reads one head, up to and with the empty line.
fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Reads one answer and the body its head promises.
fn answer(stream: &mut TcpStream) -> (String, Value) {
    let head = head(stream);
    let mut body = vec![0; content_length(&head)];
    stream.read_exact(&mut body).unwrap();
    (head, value(&body))
}

fn content_length(head: &str) -> usize {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    line.map_or(0, |length| length.parse().unwrap())
}

const PATH: &str = "/stores/abc123/v3/customers/7/metafields";

#[test]
fn one_connection_serves_many_requests() {
    let running = spawn(Options::default()).unwrap();
    let mut stream = connect(&running);
    let body = r#"{ "namespace":"crm","key":"tier","value":"gold" ,"permission_set":"read"}"#;
    let length = body.len();
    write!(
        stream,
        "POST {PATH}?a=%7e&b HTTP/1.1\r\nHost: store\r\nX-Auth-Token: sandbox-store-token\r\n\
         Via: 1.1 one\r\nContent-Type: application/json\r\nVia: 1.1 two\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let (head_of_post, created) = answer(&mut stream);
    assert!(
        head_of_post.starts_with("HTTP/1.1 200 OK\r\n"),
        "{head_of_post}"
    );
    assert!(head_of_post.contains("\r\nx-rate-limit-requests-left: 149\r\n"));
    assert_eq!(created["data"]["id"], 1);

    let simple = |method: &str| {
        format!(
            "{method} {PATH}/1 HTTP/1.1\r\nHost: store\r\nX-Auth-Token: sandbox-store-token\r\n\r\n"
        )
    };
    stream
        .write_all((simple("HEAD") + &simple("GET")).as_bytes())
        .unwrap();
    let head_of_head = head(&mut stream);
    let (head_of_get, got) = answer(&mut stream);
    assert_eq!(got, created);
    assert_eq!(content_length(&head_of_head), content_length(&head_of_get));
    assert_eq!(content_length(&head_of_head), got.to_string().len());

    stream.write_all(simple("DELETE").as_bytes()).unwrap();
    let deleted = head(&mut stream);
    assert!(deleted.starts_with("HTTP/1.1 204 "), "{deleted}");
    assert!(!deleted.contains("content-length") && !deleted.contains("transfer-encoding"));

    assert_eq!(running.shared().with_store(|store| store.len()), 0);

    let seen = &running.shared().seen()[0];
    assert_eq!(
        (seen.connection, &seen.method, seen.complete),
        (1, &Method::POST, true)
    );
    assert_eq!(seen.target, format!("{PATH}?a=%7e&b"));
    assert_eq!(seen.body, body.as_bytes());
    let length = length.to_string();
    let fields: Vec<_> = seen
        .headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
        .collect();
    let expected = [
        ("host", "store"),
        ("x-auth-token", "sandbox-store-token"),
        ("via", "1.1 one"),
        ("via", "1.1 two"),
        ("content-type", "application/json"),
        ("content-length", &length),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn connections_are_told_apart() {
    let running = spawn(Options::default()).unwrap();
    for _ in 0..2 {
        let mut stream = connect(&running);
        write!(stream, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert!(head(&mut stream).starts_with("HTTP/1.1 404 "));
    }
    let numbers: Vec<_> = running
        .shared()
        .seen()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_body_that_breaks_off_is_recorded_as_such() {
    let running = spawn(Options::default()).unwrap();
    let mut stream = connect(&running);
    write!(
        stream,
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n[1,"
    )
    .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let seen = running.shared().seen();
    assert_eq!(seen.len(), 1);
    assert!(!seen[0].complete && seen[0].body.is_empty());
}

#[test]
fn a_body_that_is_too_long_is_413() {
    let running = spawn(Options::default()).unwrap();
    let mut stream = connect(&running);
    let length = MAX_BODY + 1;
    write!(
        stream,
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    stream.write_all(&vec![b' '; length]).unwrap();
    let (head, body) = answer(&mut stream);
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert_eq!(body, error(413, "Payload too large"));
    assert!(!running.shared().seen()[0].complete);
}

#[test]
fn a_stopped_store_is_gone() {
    let mut running = spawn(Options::default()).unwrap();
    let mut open = connect(&running);
    running.stop();
    assert!(TcpStream::connect(running.address).is_err());
    let ended = open.read(&mut [0]);
    assert!(ended.is_err() || ended.is_ok_and(|read| read == 0));
    running.stop();
}

#[tokio::test]
async fn a_store_can_be_started_and_dropped_within_a_runtime() {
    let address = {
        let running = spawn(Options::default()).unwrap();
        tokio::net::TcpStream::connect(running.address)
            .await
            .unwrap();
        running.address
    };
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
