//! A caller's header fields, as lines `name: value`, and the requests that come of them.
#![no_main]

use bytes::Bytes;
use fuzz::world::{CREDENTIAL, SNAPSHOT, WRITER, by_itself, caller};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};
use libfuzzer_sys::fuzz_target;
use metafield_gateway::gateway::fuzzing::{checked_token, outbound};
use metafield_gateway::policy::{Allowed, Reported, Route, permit};
use std::sync::LazyLock;

const TARGET: &str = "/stores/abc123/v3/customers/7/metafields/9";
const BODY: &[u8] = br#"{"permission_set":"app_only"}"#;

static ALLOWED: LazyLock<Allowed> = LazyLock::new(|| {
    let operation = Route::parse(TARGET).and_then(|route| route.operation(&Method::PUT));
    let mut reported = Reported::default();
    permit(
        &caller(WRITER).grants,
        operation.expect("a route"),
        &mut reported,
    )
    .and_then(|permitted| permitted.query(None, &mut reported))
    .and_then(|queried| {
        let body = Bytes::from_static(BODY);
        queried.body(&SNAPSHOT.rules, body, &mut Vec::new(), &mut reported)
    })
    .map(by_itself)
    .expect("allowed")
});

fuzz_target!(|input: &[u8]| {
    let (version, lines) = input.split_first().unwrap_or((&0, &[]));
    let mut request = Request::new(());
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = TARGET.parse().expect("a target");
    *request.version_mut() = [Version::HTTP_11, Version::HTTP_2][usize::from(*version) % 2];
    for line in lines.split(|byte| *byte == b'\n') {
        let at = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let name = HeaderName::from_bytes(&line[..at]);
        let value = HeaderValue::from_bytes(line.get(at + 1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            request.headers_mut().append(name, value);
        }
    }
    let (head, ()) = request.into_parts();
    if let Ok(token) = checked_token(&head, &ALLOWED, &SNAPSHOT.limits) {
        check_token(&head.headers, token);
    }
    let credentials = SNAPSHOT
        .credentials(&ALLOWED.operation().store)
        .expect("a store");
    for sent in
        outbound(&head.headers, &ALLOWED, &credentials.current).expect("it can always be built")
    {
        check(&head.headers, sent.headers());
        assert_eq!(
            sent.uri().path_and_query().map(|target| target.as_str()),
            Some(TARGET)
        );
    }
});

/// The token stands in exactly one field, which is the only one that could hold one, and no second
/// reading of the head is possible.
fn check_token(headers: &HeaderMap, token: &[u8]) {
    let tokens = headers.get_all("x-auth-token").iter().count();
    let authorizations = headers.get_all("authorization").iter().count();
    assert_eq!(tokens + authorizations, 1);
    let value = headers
        .get("x-auth-token")
        .or(headers.get("authorization"))
        .expect("one");
    assert!(value.as_bytes().ends_with(token));
    assert!((16..=8192).contains(&token.len()) && token.iter().all(u8::is_ascii_graphic));
    for once in ["host", "content-type"] {
        assert!(headers.get_all(once).iter().count() <= 1, "{once}");
    }
    for never in ["upgrade", "content-encoding"] {
        assert!(!headers.contains_key(never), "{never}");
    }
}

fn check(given: &HeaderMap, sent: &HeaderMap) {
    const OURS: [&str; 9] = [
        "accept",
        "accept-encoding",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "via",
        "x-auth-token",
        "x-correlation-id",
    ];
    assert_eq!(sent.len(), sent.keys_len(), "each field once");
    for (name, value) in sent {
        assert!(OURS.contains(&name.as_str()), "{name}");
        assert!(
            value
                .as_bytes()
                .iter()
                .all(|byte| matches!(byte, b' '..=b'~'))
        );
        assert_eq!(value.is_sensitive(), name == "x-auth-token");
    }
    assert_eq!(sent["x-auth-token"], CREDENTIAL);
    assert_eq!(sent["content-length"], BODY.len().to_string());
    assert_eq!(sent["content-type"], "application/json");
    assert_eq!(sent["via"], "1.1 metafield-gateway");
    for name in ["accept", "accept-encoding", "user-agent"] {
        let alone = given.get_all(name).iter().count() == 1;
        let lines = given.get_all(name).iter().map(HeaderValue::as_bytes);
        let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
        let joined = lines.join(&b", "[..]);
        let fits = (1..=1024).contains(&joined.len())
            && joined.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let expected = (fits && (alone || name != "user-agent")).then_some(joined);
        let default = (name == "user-agent").then(|| b"metafield-gateway".to_vec());
        let found = sent.get(name).map(|value| value.as_bytes().to_vec());
        assert_eq!(found, expected.or(default), "{name}");
    }
}
