//! Statuses: what the caller must see is passed on, and what would mislead it is not.

use super::{BROKEN, Case, LATE, Next, Told, run};
use crate::support::client::{CUSTOMER, ONE, Request};
use crate::support::fake::OK;

const REFUSED: Told = Told::Refusal(502, "upstream_credential_refused");
const REDIRECT: Told = Told::Refusal(502, "upstream_redirect");

fn with_status(status: u16, fields: &str) -> String {
    format!("HTTP/1.1 {status} x\r\n{fields}Content-Length: 2\r\n\r\n{{}}")
}

#[test]
fn a_status_that_is_for_the_caller_is_passed_on() {
    let statuses = [
        202, 203, 205, 206, 208, 226, 299, 400, 402, 405, 406, 407, 408, 410, 411, 412, 414, 415,
        416, 417, 418, 421, 423, 424, 425, 426, 428, 429, 431, 451, 499, 501, 502, 504, 505, 506,
        507, 508, 510, 511, 520, 530, 599,
    ];
    let mut cases = statuses
        .map(|status| {
            let bytes = with_status(status, "");
            Case::passed(&status.to_string(), bytes, status, "{}")
        })
        .to_vec();
    // A client is told to wait as the upstream says it, well or not.
    for fields in [
        "Retry-After: soon\r\n",
        "Retry-After: -1\r\nX-Retry-After:\r\n",
    ] {
        cases.push(Case::passed(fields, with_status(429, fields), 429, "{}"));
    }
    run("statuses that are passed on", &cases);
}

#[test]
fn a_status_that_is_not_for_the_caller_is_an_error() {
    let refused = [
        ("a bare 401", with_status(401, "")),
        (
            "a challenge",
            with_status(401, "WWW-Authenticate: Basic realm=\"x\"\r\n"),
        ),
        (
            "a challenge with a code",
            with_status(401, "X-Gateway-Code: unknown_token\r\n"),
        ),
    ];
    let mut cases: Vec<Case> = refused
        .map(|(name, bytes)| Case::new(name, bytes, REFUSED).with_status(401))
        .to_vec();
    for status in [301, 302, 304, 306, 307, 310, 399] {
        let bytes = with_status(status, "Location: https://elsewhere.test/\r\n");
        let name = status.to_string();
        cases.push(Case::new(&name, bytes, REDIRECT).with_status(status));
        let read = Request::new("GET", CUSTOMER);
        let bytes = with_status(status, "");
        let bare = Case::new(&name, bytes, REDIRECT).with_status(status);
        cases.push(bare.to(read));
    }
    for status in [600, 601, 700, 999] {
        let bytes = with_status(status, "");
        cases.push(Case::new(&status.to_string(), bytes, BROKEN).with_status(status));
    }
    for fields in ["", "Connection: upgrade\r\nUpgrade: websocket\r\n"] {
        let name = format!("another protocol {fields}");
        cases.push(Case::new(&name, with_status(101, fields), BROKEN).with_status(101));
    }
    run("statuses that are errors", &cases);
}

#[test]
fn a_status_without_a_body_has_none() {
    let none = |fields: &str| format!("HTTP/1.1 204 No Content\r\n{fields}\r\n");
    let delete = Request::new("DELETE", ONE);
    let passed = |name: &str, bytes: String| Case::passed(name, bytes, 204, "").to(delete.clone());
    let cases = [
        passed("204", none("")),
        passed("204 with a length", none("Content-Length: 5\r\n")),
        Case::no_rest(
            "204 with a length that is none",
            none("Content-Length: x\r\n"),
        )
        .with_status(204)
        .to(delete.clone()),
        passed("204 in chunks", none("Transfer-Encoding: chunked\r\n")),
        passed(
            "204 with a body",
            format!("{}hello", none("Content-Length: 5\r\n")),
        )
        .next(Next::New),
        passed(
            "204 with chunks",
            format!("{}0\r\n\r\n", none("Transfer-Encoding: chunked\r\n")),
        )
        .next(Next::New),
        passed("204 and its end", none("Connection: close\r\n")).next(Next::New),
        Case::passed("205 with a body", with_status(205, ""), 205, "{}"),
        Case::new(
            "304 with a body",
            format!("HTTP/1.1 304 x\r\n\r\n{OK}"),
            REDIRECT,
        )
        .with_status(304),
    ];
    run("statuses without a body", &cases);
}

#[test]
fn an_informational_answer_is_passed_over_and_is_no_answer() {
    let (_, body) = OK.split_once("\r\n\r\n").expect("a body");
    let inform = |status: u16, fields: &str| format!("HTTP/1.1 {status} x\r\n{fields}\r\n");
    let before = |name: &str, heads: String| Case::passed(name, format!("{heads}{OK}"), 200, body);
    let mut cases = [100, 102, 103, 104, 150, 199]
        .map(|status| before(&status.to_string(), inform(status, "")))
        .to_vec();
    let forged = "X-Gateway-Code: forged\r\nX-Correlation-Id: forged\r\nSet-Cookie: a=b\r\n";
    cases.extend([
        before("fields", inform(103, forged)),
        before("a length", inform(103, "Content-Length: 0\r\n")),
        before("a close", inform(103, "Connection: close\r\n")),
        before("a thousand of them", inform(100, "").repeat(1000)),
        before("of HTTP/1.0", "HTTP/1.0 100 x\r\n\r\n".to_owned()),
        Case::no_head(
            "a body",
            format!("{}hello{OK}", inform(103, "Content-Length: 5\r\n")),
        ),
        Case::no_head(
            "too many fields",
            format!("{}{OK}", inform(103, &"X: y\r\n".repeat(101))),
        ),
        Case::no_head(
            "a broken field",
            format!("{}{OK}", inform(103, "broken\r\n")),
        ),
        Case::new("a final 100", inform(100, "Content-Length: 0\r\n"), LATE).soon(),
        Case::new("a final 199", inform(199, ""), LATE).soon(),
        Case::new(
            "then another protocol",
            format!("{}{}", inform(100, ""), with_status(101, "")),
            BROKEN,
        )
        .with_status(101),
    ]);
    run("informational answers", &cases);
}
