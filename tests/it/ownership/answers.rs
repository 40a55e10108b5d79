//! A limited caller's `GET` of one metafield: the answer is judged before a byte of it is passed on.

use super::{ADS, CRM, WRITER, before, json, nine_in, outcome, request};
use crate::support::client::{ALL, CUSTOMER, ONE};
use crate::support::fake::{Fake, OK};
use crate::support::gateway::CREDENTIAL;
use serde_json::Value;

/// Answers to a `GET` of metafield 9 for the team of `crm`, and what it gets.
fn answers() -> Vec<(String, &'static str)> {
    let body =
        r#"{"data":{"id":9,"resource_id":7,"namespace":"crm","key":"k","value":"canary-value"}}"#;
    let good = json("200 OK", body);
    let padded = format!("{body}{}", " ".repeat(1 << 20));
    vec![
        (good.clone(), "200"),
        (json("200 OK", &format!(" {body}\n")), "200"),
        (good.replace("crm", "ads"), "404 unknown_metafield"),
        (
            json("200 OK", &body.replace("crm", "crmx")),
            "404 unknown_metafield",
        ),
        (json("404 Not Found", "{\"status\":404}"), "404"),
        (json("429 Too Many Requests", "{}"), "429"),
        (json("500 Internal Server Error", "{}"), "500"),
        (
            good.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n"),
            "502 upstream_protocol_error",
        ),
        (json("200 OK", &padded), "502 upstream_protocol_error"),
        (
            json("206 Partial Content", "{\"data\":"),
            "502 upstream_protocol_error",
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            "502 upstream_protocol_error",
        ),
        (
            good.replace("\"id\":9", "\"id\":8"),
            "502 upstream_protocol_error",
        ),
        (
            json("200 OK", &body.replace("\"key\":", "\"namespace\":")),
            "502 upstream_protocol_error",
        ),
        (
            good.replace("\"data\":", "\"datA\":"),
            "502 upstream_protocol_error",
        ),
        (
            json("200 OK", &format!("{body}x")),
            "502 upstream_protocol_error",
        ),
        (OK.to_owned(), "502 upstream_protocol_error"),
        (
            json("200 OK", &body.replace("canary-value", CREDENTIAL)),
            "502 credential_echoed",
        ),
    ]
}

#[test]
fn an_answer_that_cannot_be_judged_is_withheld() {
    for (answer, expected) in answers() {
        let upstream = Fake::answering(answer.clone());
        let gateway = before(upstream.address);
        let found = gateway.exchange(&request(CRM, "GET", ONE, ""));
        let title = answer.get(..200.min(answer.len())).unwrap_or_default();
        assert_eq!(outcome(&found), expected, "{title}");
        let shows = found.text().contains("canary-value");
        assert_eq!(shows, expected == "200", "{title}");
        assert_eq!(upstream.requests().len(), 1, "no look-up is needed");
        let lines = gateway.stop();
        let decision = if expected.ends_with("unknown_metafield") {
            "denied"
        } else {
            "allowed"
        };
        assert_eq!(lines[0]["decision"], decision, "{title}");
        assert_eq!(
            (&lines[0]["lookups"], &lines[0]["sent"]),
            (&0.into(), &"yes".into())
        );
        assert_ne!(lines[0]["upstream_status"], Value::Null);
    }
}

#[test]
fn a_refused_answer_leaves_its_connection_to_the_next() {
    let upstream = Fake::answering(nine_in("crm"));
    let gateway = before(upstream.address);
    for _ in 0..3 {
        let found = gateway.exchange(&request(ADS, "GET", ONE, ""));
        assert_eq!(outcome(&found), "404 unknown_metafield");
    }
    assert_eq!(upstream.connections().len(), 1);
}

#[test]
fn what_the_gateway_must_read_it_asks_for_unencoded() {
    let upstream = Fake::answering(nine_in("crm"));
    let gateway = before(upstream.address);
    let new = r#"{"namespace":"crm","key":"k","value":"v","permission_set":"read"}"#;
    for (method, target, body) in [
        ("GET", ONE.to_owned(), ""),
        ("GET", format!("{CUSTOMER}?namespace=crm"), ""),
        ("GET", format!("{ALL}?namespace=crm"), ""),
        ("POST", CUSTOMER.to_owned(), new),
        ("PUT", ONE.to_owned(), "{}"),
    ] {
        for (token, expected) in [(CRM, "identity"), (WRITER, "gzip, br")] {
            let asked = request(token, method, &target, body).with("Accept-Encoding", "gzip, br");
            assert_eq!(gateway.exchange(&asked).status(), 200, "{method} {target}");
            let last = upstream.requests().pop().expect("a request");
            assert_eq!(
                last.field("accept-encoding"),
                Some(expected),
                "{method} {target}"
            );
        }
    }
}
