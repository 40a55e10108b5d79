//! What must be allowed, and what reaches the upstream when it is.

use crate::support::client::{ALL, CUSTOMER, ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, Gateway, READER, WRITER};

#[test]
fn an_update_reaches_the_upstream_built_anew() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let body = r#"{"permission_set":"app_only","value":"gold"}"#;
    let request = Request::update(body)
        .with("Accept", "application/json")
        .with("Accept-Encoding", "gzip")
        .with("User-Agent", "a-client/1.0")
        .with("X-Auth-Client", "anything")
        .with("X-Forwarded-For", "10.0.0.1")
        .with("Cookie", "a=b")
        .with("X_Auth_Token", "another")
        .with("Connection", "x-auth-token, keep-alive");
    let answer = gateway.exchange(&request);
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.code(), None);
    let seen = upstream.requests();
    assert_eq!(seen.len(), 1);
    let seen = &seen[0];
    assert_eq!(seen.start, format!("PUT {ONE} HTTP/1.1"));
    assert_eq!(seen.body, body.as_bytes());
    let mut fields = seen.fields.clone();
    let id = answer.field("x-correlation-id").expect("an id").to_owned();
    fields.sort();
    let expected = [
        ("accept", "application/json"),
        ("accept-encoding", "gzip"),
        ("content-length", "44"),
        ("content-type", "application/json"),
        ("host", &upstream.address.to_string()),
        ("user-agent", "a-client/1.0"),
        ("via", "1.1 metafield-gateway"),
        ("x-auth-token", CREDENTIAL),
        ("x-correlation-id", &id),
    ];
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    assert_eq!(fields, expected);
    let lines = gateway.stop();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["decision"], "allowed");
    assert_eq!(lines[0]["caller"], "writer");
    assert_eq!(lines[0]["permission_set"], "app_only");
    assert_eq!(lines[0]["sent"], "yes");
    assert_eq!(lines[0]["upstream_status"], 200);
    assert_eq!(lines[0]["correlation_id"], id.as_str());
}

#[test]
fn every_operation_is_forwarded_with_its_method_and_path() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let create = r#"{"namespace":"n","key":"k","value":"v","permission_set":"read"}"#;
    let create_batch =
        r#"[{"namespace":"n","key":"k","value":"v","permission_set":"read","resource_id":7}]"#;
    let list = format!("{CUSTOMER}?page=2&key%3Ain=a%2cb");
    let cases = [
        Request::update("{}"),
        Request::new("PUT", ALL).json(r#"[{"id":9}]"#),
        Request::new("POST", CUSTOMER).json(create),
        Request::new("POST", ALL).json(create_batch),
        Request::new("DELETE", ONE),
        Request::new("DELETE", ALL).json("[9,10]"),
        Request::new("GET", ONE).instead("X-Auth-Token", READER),
        Request::new("GET", &list).instead("X-Auth-Token", READER),
        Request::new("GET", ALL)
            .without("X-Auth-Token")
            .with("Authorization", &format!("Bearer {WRITER}")),
    ];
    for request in &cases {
        let answer = gateway.exchange(request);
        assert_eq!(
            (answer.status(), answer.code()),
            (200, None),
            "{} {}",
            request.method,
            request.target
        );
        let seen = upstream.requests().pop().expect("a request");
        let target = request.target.replace("%3Ain=a%2cb", ":in=a%2Cb");
        assert_eq!(seen.start, format!("{} {target} HTTP/1.1", request.method));
        assert_eq!(seen.body, request.body.clone().unwrap_or_default());
        assert_eq!(seen.all("x-auth-token"), [CREDENTIAL]);
        assert_eq!(seen.all("authorization"), [""; 0]);
    }
    assert_eq!(gateway.stop().len(), cases.len());
    assert_eq!(
        upstream.connections().len(),
        1,
        "the upstream connection is kept alive"
    );
}

/// What an answer may say of its own: BigCommerce's, or the gateway's.
const OWN: [&str; 7] = [
    "cache-control",
    "content-length",
    "content-type",
    "date",
    "www-authenticate",
    "x-correlation-id",
    "x-gateway-code",
];

#[test]
fn no_field_of_a_request_is_in_an_answer_or_in_another_request() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut client = gateway.connect();
    let loud = |mut request: Request| {
        for line in ["one", "two", "three"] {
            request = request.with("X-Own", line).with("Location", line);
        }
        request.with("Cookie", "a=b").with("Set-Cookie", "c=d")
    };
    let update = || Request::update(r#"{"value":"gold"}"#);
    let refused = || update().instead("X-Auth-Token", "a-token-of-nobody");
    let requests = [
        (loud(update()), 200),
        (update(), 200),
        (loud(refused()), 401),
        (loud(Request::new("GET", ONE)), 200),
        (refused(), 401),
        (Request::new("GET", ONE), 200),
    ];
    for (request, status) in requests {
        let answer = client.exchange(&request);
        assert_eq!(answer.status(), status);
        for (name, value) in &answer.fields {
            assert!(OWN.contains(&name.as_str()), "{name}: {value}");
            assert!(!value.contains(WRITER), "{name}");
        }
    }
    for request in upstream.requests() {
        for name in ["x-own", "location", "cookie", "set-cookie"] {
            assert_eq!(request.field(name), None);
        }
    }
}
