//! Bodies that are too large, too slow, or too much at once.

use super::{Case, check, check_answer, check_line};
use crate::support::client::{ALL, CUSTOMER, Client, ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::Setup;
use std::net::TcpStream;

/// An update whose body has this many bytes.
fn padded(size: usize) -> Request {
    let body = "{\"value\":\"canary-value\"}";
    Request::update(format!("{body}{}", " ".repeat(size - body.len())))
}

fn too_large(request: &Request) -> Case {
    Case::new("413", "body_too_large", request)
}

#[test]
fn bodies_end_at_their_limits() {
    let bytes =
        |request: &Request, bytes| Case::raw("413", "body_too_large", &request.method, bytes);
    let declared = |method: &str, target: &str, length: &str| {
        let request = Request::new(method, target)
            .with("Content-Type", "application/json")
            .with("Content-Length", length);
        // The body itself is never sent: the answer must come all the same.
        bytes(&request, request.head())
    };
    let batch = |size: usize| Request::new("PUT", ALL).json(" ".repeat(size));
    let cases = [
        too_large(&padded(1025)),
        too_large(&padded(5000)),
        too_large(&padded(1_000_000)),
        declared("PUT", ONE, "1025"),
        declared("PUT", ONE, "18446744073709551613"),
        declared("POST", CUSTOMER, "1025"),
        declared("PUT", ALL, "2049"),
        declared("POST", ALL, "2049"),
        declared("DELETE", ALL, "2049"),
        bytes(&padded(1025), padded(1025).chunked(1025)),
        bytes(&padded(1025), padded(1025).chunked(1)),
        bytes(&padded(1025), padded(1025).chunked(100)),
        bytes(&padded(100_000), padded(100_000).chunked(4096)),
        too_large(&batch(2049)),
        bytes(&batch(2049), batch(2049).chunked(2000)),
        // The limit itself is no fault; these are only no JSON.
        Case::new("400", "malformed_json", &batch(2048)),
        Case::new("400", "malformed_json", &Request::update(" ".repeat(1024))),
    ];
    check(
        |setup| setup.with("limits.body = \"1KiB\"\nlimits.batch_body = \"2KiB\""),
        &cases,
    );
}

#[test]
fn a_chunked_body_over_the_limit_is_answered_before_its_end() {
    let request = padded(2000);
    let whole = request.chunked(500);
    // Three chunks and a half: more than the limit, and the end never comes.
    let case = Case::raw("413", "body_too_large", "PUT", whole[..1900].to_vec());
    check(|setup| setup.with("limits.body = \"1KiB\""), &[case]);
}

#[test]
fn the_default_limits_are_one_and_four_mebibytes() {
    let mebibyte = 1024 * 1024;
    let batch = |size: usize| Request::new("PUT", ALL).json(" ".repeat(size));
    let cases = [
        too_large(&padded(mebibyte + 1)),
        too_large(&batch(4 * mebibyte + 1)),
        Case::new("400", "malformed_json", &batch(4 * mebibyte)),
    ];
    check(|setup| setup, &cases);
}

#[test]
fn a_body_that_does_not_come_is_a_timeout() {
    let request = padded(100);
    let slow = |bytes: Vec<u8>| Case::raw("408", "body_timeout", "PUT", bytes);
    let whole = request.to_bytes();
    let chunked = request.chunked(10);
    let cases = [
        slow(request.head()),
        slow(whole[..whole.len() - 1].to_vec()),
        slow(chunked[..chunked.len() - 1].to_vec()),
        // Who is refused by the head waits for no body.
        Case::raw(
            "401",
            "missing_token",
            "PUT",
            request.clone().without("X-Auth-Token").head(),
        ),
    ];
    check(
        |setup| setup.with("limits.body_timeout = \"300ms\""),
        &cases,
    );
}

#[test]
fn bodies_beyond_the_memory_for_them_are_refused_for_a_moment() {
    let upstream = Fake::good();
    let settings = "limits.batch_body = \"1MiB\"\nlimits.body_memory = \"1MiB\"";
    let gateway = Setup::new(upstream.address).with(settings).start();
    let first = Request::update(" ".repeat(600_000)).to_bytes();
    let (begin, rest) = first.split_at(first.len() - 1);
    let open = || {
        let stream = TcpStream::connect(gateway.address()).expect("the gateway listens");
        let watched = stream.try_clone().expect("a second handle");
        let mut client = Client::over(stream);
        // One that is refused meanwhile need not take all of it.
        drop(client.try_send(begin));
        (client, watched)
    };
    let (mut client, mut watched) = open();
    let second = Request::update(format!("{{{}}}", " ".repeat(600_000)));
    let second = Case::new("503", "overloaded", &second);
    let mut another = gateway.connect();
    // Until the first body is there and holds its memory. Where the second was faster, the first is refused
    // and comes again.
    let (mut served, mut crowded) = (0, 0);
    let refused = loop {
        another.send(&second.bytes);
        let answer = another.answer();
        if answer.status() != 200 {
            break answer;
        }
        served += 1;
        if has_answer(&watched) {
            crowded += 1;
            (client, watched) = open();
        }
    };
    check_answer(&second, &refused);
    client.send(rest);
    let answered = client.answer();
    let first = Case::new("400", "malformed_json", &Request::update(" "));
    check_answer(&first, &answered);
    // And then there is room again.
    let answer = gateway.connect().exchange(&Request::update("{}"));
    assert_eq!(answer.status(), 200);
    assert_eq!(upstream.requests().len(), served + 1);
    // A draining gateway would wait a while for what open connections may still send.
    drop((client, watched, another));
    let lines = gateway.stop();
    assert_eq!(lines.len(), served + crowded + 3);
    check_line(&second, &refused, &lines[served + crowded]);
    check_line(&first, &answered, &lines[served + crowded + 1]);
}

/// Whether anything has come on a connection.
fn has_answer(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    let has = stream.peek(&mut [0]).is_ok();
    stream.set_nonblocking(false).expect("a socket");
    has
}
