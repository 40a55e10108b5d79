//! Answers as they may come, and as they may not: in whatever pieces they come, the reader finds in them what hyper's
//! client finds.

use super::comparison::compare;
use super::reader::Reader;
use super::words::{Malformed, Piece};
use super::{Http1, Space};
use crate::gateway::stream::Stream;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use std::future::{Future, poll_fn};
use std::io::Write;
use std::pin::pin;
use std::task::Poll;
use tokio::task::coop::poll_proceed;
use tokio::time::Instant;

/// What a head begins with.
const STARTS: [&str; 12] = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 304 Not Modified\r\n",
    "HTTP/1.1 422 x\r\n",
    "\r\n\nHTTP/1.1 200\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
    "HTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 201 \r\n",
    "HTTP/1.1 1000 x\r\n",
    "HTTP/2.0 200 OK\r\n",
    "\rHTTP/1.1 200 OK\r\n",
];

const FIELDS: [&str; 22] = [
    "Content-Length: 5\r\n",
    "Content-Length: 2\r\n",
    "Content-Length: 0\r\n",
    "content-length:\t05 \r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: 18446744073709551615\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding: Chunked\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Connection: close\r\n",
    "Connection: x, keep-alive\r\n",
    "X-Field: a\r\n",
    "X-Field: \u{e9}\r\n",
    "X-Empty:\r\n",
    "X Field: a\r\n",
    "X-Field : a\r\n",
    " folded\r\n",
    "X-Field: a\0\r\n",
    "no colon\r\n",
    "!#$%&'*+-.^_`|~09aZ: x\r\n",
];

const BODIES: [&str; 20] = [
    "hello",
    "{}",
    "5\r\nhello\r\n",
    "2;a=b\r\n{}\r\n",
    "02 \t\r\n{}\r\n",
    "2\n{}\r\n",
    "2\r\n{}\n",
    "3\r\n{}\r\n",
    "1\r\n{}\r\n",
    "g\r\n",
    "-1\r\n",
    "10000000000000000\r\n",
    "0\r\n\r\n",
    "0;x\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "0\r\nX: y\r\nZ: \r\n\r\n",
    "0\r\nX : y\r\n\r\n",
    "0\r\nbroken\r\n\r\n",
    "0\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
];

fn answer() -> impl Strategy<Value = Vec<u8>> {
    let part = |parts: &'static [&'static str]| prop::sample::select(parts);
    let fields = prop::collection::vec(part(&FIELDS), 0..4);
    let bodies = prop::collection::vec(part(&BODIES), 0..4);
    // Now and then a byte is another, is missing, or is twice there.
    let slips = prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 0..2);
    (part(&STARTS), fields, bodies, slips).prop_map(|(start, fields, bodies, slips)| {
        let mut bytes = [start, &fields.concat(), "\r\n", &bodies.concat()]
            .concat()
            .into_bytes();
        for (at, how, byte) in slips {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn an_answer_is_what_hyper_reads(bytes in answer(), size in 1..64_usize, to_head: bool) {
        let whole = compare(&bytes, bytes.len(), to_head);
        // How it is cut makes no difference.
        prop_assert_eq!(compare(&bytes, size, to_head), whole);
    }
}

#[test]
fn the_grammar_has_answers_that_are_read_and_answers_that_are_not() {
    let (mut read, mut refused) = (0, 0);
    for (at, start) in STARTS.iter().enumerate() {
        for (field, body) in FIELDS.iter().zip(BODIES.iter().cycle().skip(at)) {
            let bytes = format!("{start}{field}\r\n{body}0\r\n\r\n");
            match compare(bytes.as_bytes(), 7, false) {
                Some(_) => read += 1,
                None => refused += 1,
            }
        }
    }
    assert!(read > 40 && refused > 40, "{read} read, {refused} refused");
}

/// Reads a whole answer; tells whether its connection is free afterwards, and what is left.
fn read(bytes: &'static str) -> Result<(bool, Bytes), Malformed> {
    let mut reader = Reader::new();
    let mut input = Bytes::from_static(bytes.as_bytes());
    reader.expect(false);
    reader.head(&mut input)?.expect("a head");
    while let Piece::Data(_) = reader.piece(&mut input)? {}
    Ok((reader.is_free(), input))
}

#[test]
fn an_answer_has_its_own_fields_alone_in_whatever_room() {
    let mut room = HeaderMap::new();
    for name in ["x-auth-token", "content-length", "content-type"] {
        room.append(name, HeaderValue::from_static("the request's"));
        room.append(name, HeaderValue::from_static("and another"));
    }
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Own: a\r\nx-own: b\r\n\r\n{}";
    for times in 1..3 {
        let mut reader = Reader::new();
        let mut input = Bytes::from_static(answer.as_bytes());
        reader.lend(room);
        reader.expect(false);
        let head = reader.head(&mut input).expect("no error").expect("a head");
        let mut fields = Vec::new();
        for (name, value) in &head.headers {
            fields.push((name.as_str(), value.as_bytes()));
        }
        let expected: [(&str, &[u8]); 3] =
            [("content-length", b"2"), ("x-own", b"a"), ("x-own", b"b")];
        assert_eq!(fields, expected, "{times}");
        room = head.headers;
    }
}

#[test]
fn a_connection_is_free_where_the_answer_ended_by_itself() {
    for (bytes, free) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", true),
        ("HTTP/1.1 204 OK\r\n\r\n", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            true,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", false),
        ("HTTP/1.1 200 OK\r\n\r\n{}", false),
        ("HTTP/1.1 101 x\r\n\r\n", false),
        (
            "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\n{}",
            false,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", false),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
            true,
        ),
    ] {
        assert_eq!(read(bytes).map(|(free, _)| free), Ok(free), "{bytes}");
    }
    let (_, left) = read("HTTP/1.1 204 x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").expect("an answer");
    assert_eq!(
        left, "HTTP/1.1 200 OK\r\n\r\n",
        "nothing after an answer is taken with it"
    );
}

#[test]
fn what_is_no_answer_shows_in_its_first_line() {
    let mut reader = Reader::new();
    reader.expect(false);
    let mut input = Bytes::from_static(b"H");
    assert!(reader.head(&mut input).expect("no error").is_none());
    let mut input = Bytes::from_static(b"HELO upstream.test\r\n");
    assert!(matches!(reader.head(&mut input), Err(Malformed::Head(_))));
}

#[test]
fn nothing_is_an_answer_that_nobody_asked_for() {
    let mut reader = Reader::new();
    let mut input = Bytes::from_static(b"HTTP/1.1 204 x\r\n\r\n");
    assert_eq!(reader.head(&mut input).err(), Some(Malformed::Unasked));
    assert_eq!(input.len(), 18, "and it is not taken");
}

#[test]
fn a_head_that_drips_in_is_parsed_once_it_is_whole() {
    let mut reader = Reader::new();
    reader.expect(false);
    let bytes = b"HTTP/1.1 200 OK\nX: y\r\n\n";
    for length in 1..bytes.len() {
        let mut input = Bytes::copy_from_slice(&bytes[..length]);
        assert!(
            reader.head(&mut input).expect("no error").is_none(),
            "{length}"
        );
    }
    let mut input = Bytes::from_static(bytes);
    assert!(reader.head(&mut input).expect("no error").is_some());
}

#[test]
fn a_stale_connection_is_found_by_a_task_whose_turn_is_used_up() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for stray in ["HTTP/1.1 408 Request Timeout\r\n\r\n", ""] {
            let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
            ours.set_nonblocking(true).expect("a mode");
            let stream = Stream::Unix(tokio::net::UnixStream::from_std(ours).expect("a socket"));
            #[expect(clippy::disallowed_methods, reason = "a test's own clock")]
            let mut connection = Http1::new(stream, &Space::default(), Instant::now());
            assert!(connection.is_usable().await, "nothing has come yet");
            theirs.write_all(stray.as_bytes()).expect("room");
            drop(theirs);
            // Once the runtime knows of it.
            if let Stream::Unix(stream) = &connection.stream {
                stream.readable().await.expect("readable");
            }
            let mut usable = pin!(connection.is_usable());
            let usable = poll_fn(|cx| {
                while let Poll::Ready(turn) = poll_proceed(cx) {
                    turn.made_progress();
                }
                usable.as_mut().poll(cx)
            });
            assert!(!usable.await, "{stray:?}");
        }
    });
}
