//! An answer's length is read in one way or not at all: what a length could hide is never another
//! caller's answer.

use super::{Case, End, Next, Told, run};
use crate::support::client::{ONE, Request};

/// An answer with this length and a body of two bytes.
fn of_length(line: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n{{}}")
}

#[test]
fn a_length_that_is_no_number_is_a_broken_answer() {
    let lines = [
        "Content-Length:",
        "Content-Length: -1",
        "Content-Length: -0",
        "Content-Length: +2",
        "Content-Length: 2.0",
        "Content-Length: 2e0",
        "Content-Length: 0x2",
        "Content-Length: 2 2",
        "Content-Length: 2;",
        "Content-Length: \"2\"",
        "Content-Length: 2,",
        "Content-Length: ,2",
        "Content-Length: 2, 3",
        "Content-Length: 2, two",
        "Content-Length: two",
        "Content-Length: \u{662}",
        "Content-Length: 18446744073709551615",
        "Content-Length: 18446744073709551616",
        "Content-Length: 99999999999999999999999999999999",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2\r\nContent-Length:",
        "Content-Length: 2\r\ncontent-length: two",
    ];
    let cases = lines.map(|line| Case::no_head(line, of_length(line)));
    run("lengths that are no number", &cases);
}

#[test]
fn a_length_that_is_clear_is_made_plain() {
    let lines = [
        "Content-Length: 2",
        "content-length:2",
        "Content-Length: \t2 \t",
        "Content-Length: 002",
        "Content-Length: 2, 2",
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2,2\r\nCONTENT-LENGTH: 02",
    ];
    for line in lines {
        let answer = Case::passed(line, of_length(line), 200, "{}").run();
        let answer = answer.expect("a whole answer");
        assert_eq!(answer.all("content-length"), ["2"], "{line}");
    }
    super::tell("lengths that are clear", lines.len());
}

#[test]
fn a_long_answer_has_a_plain_length_too() {
    let body = "x".repeat(1_200_000);
    for line in ["1200000, 1200000", "1200000\r\nContent-Length: 01200000"] {
        let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {line}\r\n\r\n{body}");
        let answer = Case::passed(line, bytes, 200, &body).run();
        let answer = answer.expect("a whole answer");
        assert_eq!(answer.all("content-length"), ["1200000"], "{line}");
    }
    super::tell("long lengths that are clear", 2);
}

#[test]
fn a_length_that_is_not_kept_is_a_broken_answer() {
    let more = Case::passed(
        "too short by a byte",
        of_length("Content-Length: 1"),
        200,
        "{",
    );
    let none = Case::passed(
        "none for two bytes",
        of_length("Content-Length: 0"),
        200,
        "",
    );
    let less = Case::no_rest("too long by a byte", of_length("Content-Length: 3"));
    // Too long to be collected: its head is passed on before its end is known.
    let huge = of_length("Content-Length: 9223372036854775807");
    let cut = Told::Cut("upstream_protocol_error");
    let cases = [
        more.next(Next::New),
        none.next(Next::New),
        less.then(End::Close),
        Case::new("longer than anything", huge, cut).then(End::Close),
    ];
    run("lengths that are not kept", &cases);
}

/// An answer whose body is chunked, with these fields.
fn in_chunks(version: &str, fields: &str) -> String {
    format!("{version} 200 OK\r\n{fields}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n")
}

#[test]
fn a_transfer_coding_is_chunked_or_a_broken_answer() {
    let good = ["chunked", "Chunked", "CHUNKED", "\tchunked "];
    let mut cases = good
        .map(|coding| {
            let bytes = in_chunks("HTTP/1.1", &format!("Transfer-Encoding: {coding}"));
            Case::passed(coding, bytes, 200, "{}")
        })
        .to_vec();
    let bad = [
        "Transfer-Encoding:",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunke",
        "Transfer-Encoding: chunked chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nContent-Length: 2",
        "Content-Length: 12\r\nTransfer-Encoding: chunked",
        "Content-Length: 2\r\nTransfer-Encoding: identity",
        "Content-Length: two\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\nContent-Length: 3",
    ];
    cases.extend(bad.map(|fields| Case::no_rest(fields, in_chunks("HTTP/1.1", fields))));
    // A version without chunks, so that what they mean is anybody's guess.
    let old = in_chunks("HTTP/1.0", "Transfer-Encoding: chunked");
    cases.push(Case::no_head("chunks of HTTP/1.0", old));
    let vertical = in_chunks("HTTP/1.1", "Transfer-Encoding: \x0bchunked");
    cases.push(Case::no_head("a vertical tab", vertical));
    run("transfer codings", &cases);
}

#[test]
fn the_length_of_an_answer_to_head_is_nobodys_body() {
    let head = Request::new("HEAD", ONE);
    let answer = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
    let lines = [
        "X-Field: x",
        "Content-Length: 0",
        "Content-Length: 5000000",
        "Transfer-Encoding: chunked",
    ];
    let mut cases = lines
        .map(|line| Case::passed(line, answer(line), 200, "").to(head.clone()))
        .to_vec();
    for line in [
        "Content-Length: 2, 2",
        "Content-Length: 02\r\nContent-Length: 2",
    ] {
        let case = Case::passed(line, answer(line), 200, "").to(head.clone());
        let plain = case.run().expect("a whole answer");
        assert_eq!(plain.all("content-length"), ["2"], "{line}");
    }
    for line in [
        "Content-Length: two",
        "Content-Length: -1",
        "Content-Length: 2, 3",
        "Content-Length:",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 18446744073709551616",
    ] {
        cases.push(Case::no_rest(line, answer(line)).to(head.clone()));
    }
    let both = answer("Transfer-Encoding: chunked\r\nContent-Length: 2");
    cases.push(Case::no_rest("two lengths", both).to(head.clone()));
    let body = format!("{}{{}}", answer("Content-Length: 2"));
    let body = Case::passed("a body", body, 200, "").to(head.clone());
    cases.push(body.next(Next::New));
    let body = in_chunks("HTTP/1.1", "Transfer-Encoding: chunked");
    let body = Case::passed("a body in chunks", body, 200, "").to(head);
    cases.push(body.next(Next::New));
    run("answers to HEAD", &cases);
}
