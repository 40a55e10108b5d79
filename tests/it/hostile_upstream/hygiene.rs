//! What an answer's fields may not do: speak for the gateway, set state at the caller, concern its
//! connection, or take the framing or another field away.

use super::Case;

/// The fields of the upstream, and which of them the caller sees.
const TABLE: [(&str, &str, &[&str]); 24] = [
    (
        "a cookie",
        "Set-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\n",
        &[],
    ),
    ("a cookie in large letters", "SET-COOKIE: a=b\r\n", &[]),
    ("a code", "X-Gateway-Code: forged\r\n", &[]),
    ("a code in large letters", "X-GATEWAY-CODE: forged\r\n", &[]),
    (
        "another field of the gateway's",
        "X-Gateway-Anything: forged\r\nx-gateway-: x\r\n",
        &[],
    ),
    ("its own id", "X-Correlation-Id: forged\r\n", &[]),
    (
        "two ids of its own",
        "X-Correlation-Id: 00000000-0000-4000-8000-000000000000\r\nX-Correlation-Id: x\r\n",
        &[],
    ),
    (
        "one hop",
        "Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\n",
        &[],
    ),
    (
        "a proxy",
        "Proxy-Authenticate: Basic\r\nProxy-Authorization: Basic eDp5\r\n",
        &[],
    ),
    (
        "a nominated field",
        "Connection: X-One\r\nX-One: 1\r\nX-Two: 2\r\n",
        &["x-two"],
    ),
    (
        "two nominated fields",
        "Connection: x-one ,X-TWO\r\nX-One: 1\r\nX-Two: 2\r\n",
        &[],
    ),
    (
        "fields nominated in two lines",
        "Connection: X-One\r\nX-One: 1\r\nX-Two: 2\r\nConnection: X-Two\r\n",
        &[],
    ),
    ("a nominated length", "Connection: content-length\r\n", &[]),
    ("a nominated id", "Connection: X-Correlation-Id\r\n", &[]),
    ("a nominated date", "Connection: date\r\nDate: x\r\n", &[]),
    (
        "a nominated rate",
        "Connection: x-rate-limit-requests-left\r\nX-Rate-Limit-Requests-Left: 0\r\nX-Rate-Limit-Requests-Quota: 1\r\n",
        &["x-rate-limit-requests-quota"],
    ),
    (
        "a nomination that is no name",
        "Connection: ,, @, \u{e9}, X-One\r\nX-One: 1\r\n",
        // The line is not ASCII, so none of it is a name.
        &["x-one"],
    ),
    (
        "nominations without names",
        "Connection: ,, @, (), X-One\r\nX-One: 1\r\n",
        &[],
    ),
    (
        "a nominated type",
        "Connection: Content-Type\r\nContent-Type: text/html\r\n",
        &[],
    ),
    (
        "a place",
        "Location: https://elsewhere.test/\r\n",
        &["location"],
    ),
    ("a type", "Content-Type: text/html\r\n", &["content-type"]),
    (
        "what BigCommerce says",
        "X-Request-Id: r\r\nServer: s\r\nVary: accept\r\nETag: \"e\"\r\nCache-Control: no-store\r\n",
        &["cache-control", "etag", "server", "vary", "x-request-id"],
    ),
    (
        "rates",
        "X-Rate-Limit-Requests-Left: 1\r\nX-Rate-Limit-Time-Reset-Ms: 2\r\nRetry-After: 3\r\n",
        &[
            "retry-after",
            "x-rate-limit-requests-left",
            "x-rate-limit-time-reset-ms",
        ],
    ),
    ("a way back", "Via: 1.1 metafield-gateway\r\n", &["via"]),
];

#[test]
fn fields_that_are_not_for_the_caller_stay_behind() {
    for (name, fields, seen) in TABLE {
        for status in [200, 422, 503] {
            let head = format!("HTTP/1.1 {status} x\r\n{fields}Content-Length: 2\r\n\r\n{{}}");
            let answer = Case::passed(name, head, status, "{}").run();
            let answer = answer.expect("a whole answer");
            let mut names: Vec<&str> = answer.fields.iter().map(|(name, _)| &**name).collect();
            names.sort_unstable();
            let mut expected = vec!["content-length", "date", "x-correlation-id"];
            expected.extend_from_slice(seen);
            expected.sort_unstable();
            assert_eq!(names, expected, "{name}");
            assert!(!format!("{answer:?}").contains("forged"), "{name}");
        }
    }
    super::tell("fields", TABLE.len() * 3);
}

#[test]
fn a_long_answer_is_as_clean_as_a_short_one() {
    let body = "x".repeat(1024 * 1024 + 1);
    for (name, fields, seen) in TABLE {
        let head = format!(
            "HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = Case::passed(name, head, 200, &body).run();
        let answer = answer.expect("a whole answer");
        let mut names: Vec<&str> = answer.fields.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        let mut expected = vec!["content-length", "date", "x-correlation-id"];
        expected.extend_from_slice(seen);
        expected.sort_unstable();
        assert_eq!(names, expected, "{name}");
    }
    super::tell("fields of long answers", TABLE.len());
}
