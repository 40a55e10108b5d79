//! Bodies that are allowed reach the upstream byte for byte, whole and with an exact length.

use crate::support::client::{ALL, CUSTOMER, Client, ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{Gateway, LIMITED, Setup, WRITER};
use crate::support::http1::Message;

/// What the upstream got for these bytes on a connection of their own; the request must be allowed.
fn forwarded(upstream: &Fake, gateway: &Gateway, bytes: &[u8]) -> Message {
    let mut client = gateway.connect();
    client.send(bytes);
    let answer = client.answer();
    assert_eq!(
        (answer.status(), answer.code()),
        (200, None),
        "{}",
        answer.text()
    );
    let seen = upstream.requests().pop().expect("a request");
    assert_eq!(seen.all("transfer-encoding"), [""; 0]);
    assert_eq!(seen.all("trailer"), [""; 0]);
    seen
}

/// Sends each body with this method and target; each must arrive unchanged.
fn unchanged(gateway: &Gateway, upstream: &Fake, rows: &[(&str, &str, &str)]) {
    for (method, target, body) in rows {
        let request = Request::new(method, target).json(*body);
        let seen = forwarded(upstream, gateway, &request.to_bytes());
        assert!(
            seen.body == body.as_bytes(),
            "{method} {target} {body:.200}"
        );
        let length = body.len().to_string();
        assert_eq!(seen.field("content-length"), Some(length.as_str()));
        assert_eq!(seen.field("content-type"), Some("application/json"));
    }
}

const LEGAL: &[(&str, &str, &str)] = &[
    ("PUT", ONE, "{}"),
    ("PUT", ONE, " \t\r\n{ } \n"),
    (
        "PUT",
        ONE,
        r#"{"id":9,"resource_id":7,"resource_type":"customer"}"#,
    ),
    ("PUT", ONE, r#"{"permission\u005fset":"\u0061pp_only"}"#),
    ("PUT", ONE, r#"{"permission_set":"write_and_sf_access"}"#),
    ("PUT", ONE, r#"{"permission_set":"read_and_sf_access"}"#),
    (
        "PUT",
        ONE,
        r#"{"value":"\"\\\/\b\f\n\r\t\u0000\u00E4\ud83d\uDE00"}"#,
    ),
    (
        "PUT",
        ONE,
        "{\"value\":\"\u{7f}\u{2028}\u{ffff}\u{10ffff}\u{feff}\"}",
    ),
    ("PUT", ONE, r#"{"value":"{\"permission_set\":\"admin\"}"}"#),
    (
        "PUT",
        ONE,
        r#"{"namespace":" ","key":"permission_set","description":""}"#,
    ),
    (
        "PUT",
        ONE,
        r#"{"date_created":null,"date_modified":"","owner_client_id":"abc"}"#,
    ),
    ("PUT", ALL, "[]"),
    (
        "PUT",
        ALL,
        r#"[{"id":9223372036854775807,"resource_id":8}, {"id":1}]"#,
    ),
    ("POST", ALL, "[ ]"),
    (
        "POST",
        CUSTOMER,
        r#"{"namespace":"n","key":"k","value":"v","permission_set":"read","resource_id":7}"#,
    ),
    ("DELETE", ALL, "[9223372036854775807, 1]"),
];

#[test]
fn legal_spellings_are_not_changed() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    unchanged(&gateway, &upstream, LEGAL);
    let lines = gateway.stop();
    assert_eq!(lines.len(), LEGAL.len());
    assert_eq!(lines[3]["permission_set"], "app_only");
}

#[test]
fn the_largest_values_are_allowed() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let value = |text: String| format!("{{\"value\":\"{text}\"}}");
    let mebibyte = format!("{}{}", value("v".to_owned()), " ".repeat(1024 * 1024 - 13));
    assert_eq!(mebibyte.len(), 1024 * 1024);
    let text =
        |field: &str, letter: &str, count| format!("{{\"{field}\":\"{}\"}}", letter.repeat(count));
    for body in [
        value("😀".repeat(65_535)),
        value("\\ud83d\\ude00".repeat(65_535)),
        value("v".repeat(65_535)),
        mebibyte,
        text("namespace", "😀", 64),
        text("key", "\\u00e4", 64),
        text("description", "😀", 255),
        text("owner_client_id", "x", 64),
    ] {
        unchanged(&gateway, &upstream, &[("PUT", ONE, &body)]);
    }
    let items: Vec<String> = (1..=250).map(|id| format!("{{\"id\":{id}}}")).collect();
    let batch = format!("[{}]", items.join(","));
    let padded = format!("{batch}{}", " ".repeat(4 * 1024 * 1024 - batch.len()));
    unchanged(
        &gateway,
        &upstream,
        &[("PUT", ALL, &batch), ("PUT", ALL, &padded)],
    );
    let lines = gateway.stop();
    assert_eq!(lines[8]["items"], 250);
}

#[test]
fn chunks_become_one_body_with_a_length() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let body = format!("{{\"value\":\"{}\"}}", "😀x".repeat(2000));
    let request = Request::update(body.clone());
    for size in [1, 7, 1000, 4096, 100_000] {
        let seen = forwarded(&upstream, &gateway, &request.chunked(size));
        assert!(seen.body == body.as_bytes(), "{size}");
        let length = body.len().to_string();
        assert_eq!(seen.field("content-length"), Some(length.as_str()));
    }
}

#[test]
fn trailers_and_chunk_extensions_go_no_further() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let head = Request::update("")
        .with("Transfer-Encoding", "chunked")
        .with("TE", "trailers")
        .with("Trailer", "X-Auth-Token, X-Other")
        .head();
    let chunks =
        "1;a=b\r\n{\r\n1 ;c=\"d\"\r\n}\r\n0;e\r\nX-Auth-Token: another\r\nX-Other: 1\r\n\r\n";
    let seen = forwarded(&upstream, &gateway, &[&head, chunks.as_bytes()].concat());
    assert_eq!(seen.body, b"{}");
    assert_eq!(seen.all("x-auth-token").len(), 1);
    assert_eq!(seen.all("x-other"), [""; 0]);
    assert_eq!(seen.all("te"), [""; 0]);
}

#[test]
fn a_length_beside_chunks_is_ignored_and_ends_the_connection() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let plain = Request::update("{}");
    for request in [
        plain.clone().with("Content-Length", "30"),
        plain.clone().with("Content-Length", "0"),
        plain,
    ] {
        // The length stands before the chunks' field, or after it.
        let late = request.fields.len() == 3;
        let mut bytes = request.chunked(2);
        if late {
            let text = String::from_utf8(bytes).expect("UTF-8");
            let field = "Transfer-Encoding: chunked\r\n";
            let both = format!("{field}Content-Length: 30\r\n");
            bytes = text.replace(field, &both).into_bytes();
        }
        let mut client = gateway.connect();
        client.send(bytes);
        assert_eq!(client.answer().status(), 200);
        // RFC 9112 section 6.3: nothing after such a request is taken for another one.
        assert!(client.is_closed());
        let seen = upstream.requests().pop().expect("a request");
        assert_eq!(seen.body, b"{}");
        assert_eq!(seen.all("content-length"), ["2"]);
    }
}

#[test]
fn unknown_fields_are_forwarded_where_that_is_configured() {
    let upstream = Fake::good();
    let setup = Setup::new(upstream.address).with("policy.unknown_fields = \"forward\"");
    let gateway = setup.start();
    unchanged(
        &gateway,
        &upstream,
        &[
            (
                "PUT",
                ONE,
                r#"{"colour" : {"shade":[1, 2.50, {"deep":null}]}}"#,
            ),
            (
                "PUT",
                ONE,
                r#"{"permission_sets":"admin","x":"permission_set"}"#,
            ),
            ("PUT", ONE, r#"{"value":"v","\u0063olour":1e3,"":0}"#),
            (
                "PUT",
                ALL,
                r#"[{"id":1,"colour":{"a":1}},{"id":2,"colour":{"a":1}}]"#,
            ),
        ],
    );
}

#[test]
fn a_limited_caller_keeps_to_its_grants() {
    let upstream = Fake::good();
    let gateway = Setup::new(upstream.address)
        .with("policy.ownership = \"named\"")
        .start();
    let limited = |request: Request| request.instead("X-Auth-Token", LIMITED);
    let list = |query: &str| Request::new("GET", &format!("{CUSTOMER}?{query}"));
    for request in [
        Request::update(r#"{"namespace":"crm","permission_set":"app_only"}"#),
        Request::update(r#"{"namespace":"crm.a.b","permission_set":"read","value":"v"}"#),
        Request::update(r#"{"namespace":"\u0063rm"}"#),
        Request::new("PUT", ALL)
            .json(r#"[{"id":1,"namespace":"crm"},{"id":2,"namespace":"crm.x"}]"#),
        list("namespace=crm"),
        list("namespace:in=crm,crm.x&page=2"),
        list("namespace=crm&namespace:in=crm"),
    ] {
        forwarded(&upstream, &gateway, &limited(request).to_bytes());
    }
}

/// Sends an update's head that asks whether the body is wanted.
fn asking(client: &mut Client, token: &str, target: &str) -> Request {
    let request = Request::new("PUT", target)
        .json("{\"value\":\"v\"}")
        .instead("X-Auth-Token", token)
        .with("Expect", "100-continue");
    client.send(request.head());
    request
}

#[test]
fn a_body_is_asked_for_only_when_the_head_may_pass() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    for (token, target, status) in [
        ("canary-token-of-nobody", ONE, 401),
        (WRITER, "/stores/nobody/v3/customers/7/metafields/9", 404),
        (crate::support::gateway::READER, ONE, 403),
        (WRITER, "/stores/abc123/v3/customers/7/metafields/9/", 404),
        (WRITER, CUSTOMER, 405),
    ] {
        let mut client = gateway.connect();
        asking(&mut client, token, target);
        assert_eq!(client.answer().status(), status, "no 100 before it");
        assert!(
            client.is_closed(),
            "the body may come or not: no one can tell"
        );
    }
    let mut client = gateway.connect();
    let request = asking(&mut client, WRITER, ONE);
    assert_eq!(client.answer().status(), 100);
    assert!(
        upstream.connections().is_empty(),
        "nothing is sent before the body"
    );
    client.send(request.body.as_deref().expect("a body"));
    assert_eq!(client.answer().status(), 200);
    let seen = upstream.requests();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].body, b"{\"value\":\"v\"}");
    assert_eq!(seen[0].all("expect"), [""; 0]);
    assert_eq!(client.exchange(&Request::new("GET", ONE)).status(), 200);
}
