//! The judgement of what reached the upstream: an exact sequence of requests of the one form that the
//! gateway writes, each of which policy allows again, and whose body every reading understands alike.

use crate::readings::check_readings;
use crate::world::{CREDENTIAL, SNAPSHOT, UPSTREAM, by_itself, caller};
use bytes::Bytes;
use http::Method;
use metafield_gateway::policy::{Allowed, Reported, Route, permit};

/// A request as the upstream read it.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads one request in the gateway's own form, and gives what follows it; `None` if there is not all of
/// it yet. Another form is a finding.
pub fn read(bytes: &[u8]) -> Option<(Request, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is ASCII");
    let mut lines = head.split("\r\n");
    let start: Vec<&str> = lines.next().expect("a request line").split(' ').collect();
    let [method, target, "HTTP/1.1"] = start[..] else {
        panic!("a request line of another form: {start:?}")
    };
    let fields: Vec<(String, String)> = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").expect("a field");
            assert!(
                name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'-')),
                "{name}"
            );
            assert!(
                value.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{value:?}"
            );
            (name.to_owned(), value.to_owned())
        })
        .collect();
    let mut request = Request {
        method: Method::from_bytes(method.as_bytes()).expect("a method"),
        target: target.to_owned(),
        fields,
        body: Vec::new(),
    };
    let length = request
        .field("content-length")
        .map_or(0, |length| length.parse().expect("a length"));
    let rest = &bytes[end + 4..];
    request.body = rest.get(..length)?.to_vec();
    Some((request, &rest[length..]))
}

/// Checks a request that reached the upstream in this caller's name.
pub fn check(request: &Request, token: &str) {
    let mut names: Vec<&str> = request
        .fields
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names.last(),
        Some(&"x-auth-token"),
        "the credential comes last"
    );
    names.sort_unstable();
    let allowed = judged_again(request, token);
    assert_eq!(allowed.target(), request.target);
    let has_body = allowed.operation().verb.has_body();
    let known = [
        ("accept", None),
        ("accept-encoding", None),
        ("content-length", Some(has_body)),
        ("content-type", Some(has_body)),
        ("host", Some(true)),
        ("user-agent", Some(true)),
        ("via", Some(true)),
        ("x-auth-token", Some(true)),
        ("x-correlation-id", Some(true)),
    ];
    for (name, must) in known {
        let count = names.iter().filter(|found| **found == name).count();
        match must {
            Some(must) => assert_eq!(count, usize::from(must), "{name}"),
            None => assert!(count <= 1, "{name}"),
        }
    }
    assert!(
        names
            .iter()
            .all(|name| known.iter().any(|(known, _)| known == name)),
        "{names:?}"
    );
    assert_eq!(request.field("x-auth-token"), Some(CREDENTIAL));
    assert_eq!(request.field("host"), Some(UPSTREAM));
    assert_eq!(request.field("via"), Some("1.1 metafield-gateway"));
    if has_body {
        assert_eq!(request.field("content-type"), Some("application/json"));
    }
}

/// What policy says of the request as the upstream reads it, by the grants of its caller.
fn judged_again(request: &Request, token: &str) -> Allowed {
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.target.as_str(), None),
    };
    let operation = Route::parse(path)
        .and_then(|route| route.operation(&request.method))
        .unwrap_or_else(|| panic!("no route: {request:?}"));
    let verb = operation.verb;
    let mut items = Vec::new();
    let mut reported = Reported::default();
    let allowed = permit(&caller(token).grants, operation, &mut reported)
        .and_then(|permitted| permitted.query(query, &mut reported))
        .and_then(|queried| {
            queried.body(
                &SNAPSHOT.rules,
                Bytes::from(request.body.clone()),
                &mut items,
                &mut reported,
            )
        })
        .map(by_itself)
        .unwrap_or_else(|denial| panic!("{denial:?}: {request:?}"));
    check_readings(verb, &SNAPSHOT.rules, &request.body, &items);
    allowed
}
