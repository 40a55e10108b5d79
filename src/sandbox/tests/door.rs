//! What every request meets first: token, route, media type, quota; and the record.

use super::*;

#[test]
fn only_the_stores_token_opens_it() {
    let mut bench = Bench::new();
    let path = "/stores/abc123/v3/customers/metafields";
    let required = error(401, "X-Auth-Token header is required");
    let table: [(&str, &[&str], u16, Value); 6] = [
        (path, &[], 401, required),
        (path, &["wrong"], 401, error(401, "Unauthorized")),
        (
            path,
            &["sandbox-store-token", "sandbox-store-token"],
            401,
            error(401, "Unauthorized"),
        ),
        (
            "/stores/abc124/v3/customers/metafields",
            &["sandbox-store-token"],
            404,
            error(404, NOT_FOUND),
        ),
        (
            "/stores/abc123",
            &["sandbox-store-token"],
            404,
            error(404, NOT_FOUND),
        ),
        (
            "/v3/customers/metafields",
            &["sandbox-store-token"],
            404,
            error(404, NOT_FOUND),
        ),
    ];
    for (path, tokens, status, body) in table {
        let mut headers = HeaderMap::new();
        for token in tokens {
            headers.append("x-auth-token", token.parse().unwrap());
        }
        let answer = bench.send_with("GET", path, &headers, "");
        assert_eq!(answer.status.as_u16(), status, "{path} {tokens:?}");
        assert_eq!(value(&answer.body), body, "{path} {tokens:?}");
        assert!(!answer.headers.contains_key("x-rate-limit-requests-left"));
    }
    bench.store.set_token("replaced");
    assert_eq!(bench.ask("GET", "/customers/metafields", "").0, 401);
}

#[test]
fn other_paths_methods_and_media_types_are_refused() {
    let mut bench = Bench::new();
    let id = bench.create(7, "tier");
    let one = format!("/customers/7/metafields/{id}");
    let table = [
        ("GET", "/customers", 404, None),
        ("GET", "/customers/0/metafields", 404, None),
        ("GET", "/customers/1000001/metafields", 404, None),
        ("GET", "/customers/1000000/metafields", 200, None),
        ("POST", "/customers/0/metafields", 404, None),
        ("GET", "/customers/8/metafields/1", 404, None),
        (
            "DELETE",
            "/customers/7/metafields",
            405,
            Some("GET, HEAD, POST"),
        ),
        (
            "PATCH",
            "/customers/metafields",
            405,
            Some("GET, HEAD, POST, PUT, DELETE"),
        ),
        ("POST", one.as_str(), 405, Some("GET, HEAD, PUT, DELETE")),
    ];
    for (method, target, status, allow) in table {
        let answer = bench.send(method, target, "{}");
        assert_eq!(answer.status.as_u16(), status, "{method} {target}");
        let allowed = answer
            .headers
            .get("allow")
            .map(|allow| allow.to_str().unwrap());
        assert_eq!(allowed, allow, "{method} {target}");
        assert!(answer.headers.contains_key("x-rate-limit-requests-left"));
    }
    let mut headers = HeaderMap::new();
    headers.insert(
        "x-auth-token",
        HeaderValue::from_static("sandbox-store-token"),
    );
    let path = "/stores/abc123/v3/customers/7/metafields";
    let unlabelled = bench.send_with("POST", path, &headers, "{}");
    assert_eq!(unlabelled.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let long = " ".repeat(MAX_BODY + 1);
    assert_eq!(bench.ask("POST", "/customers/7/metafields", &long).0, 413);
}

#[test]
fn head_is_get_without_the_body() {
    let mut bench = Bench::new();
    let id = bench.create(7, "tier");
    for target in [
        "/customers/metafields",
        "/customers/7/metafields",
        "/customers/9999999/metafields",
        &format!("/customers/7/metafields/{id}"),
    ] {
        let (get, head) = (
            bench.send("GET", target, ""),
            bench.send("HEAD", target, ""),
        );
        assert_eq!(head.status, get.status, "{target}");
        assert_eq!(
            head.headers["content-length"],
            get.body.len().to_string().as_str()
        );
        assert_eq!(head.headers["content-type"], "application/json");
        assert!(head.body.is_empty() && !get.body.is_empty());
    }
}

#[test]
fn the_quota_answers_429_until_its_window_ends() {
    let mut bench = Bench::new();
    bench.store = Store::new(Options::default());
    for left in (0..150).rev() {
        let answer = bench.send("GET", "/customers/metafields", "");
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.headers["x-rate-limit-requests-left"],
            left.to_string().as_str()
        );
        assert!(!answer.headers.contains_key("x-retry-after"));
    }
    bench.second += 10;
    let answer = bench.send("POST", "/customers/7/metafields", "{}");
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    let refused = error(429, "You have exceeded your request limit");
    assert_eq!(value(&answer.body), refused);
    for (name, shown) in [
        ("x-rate-limit-time-window-ms", "30000"),
        ("x-rate-limit-time-reset-ms", "20000"),
        ("x-rate-limit-requests-quota", "150"),
        ("x-rate-limit-requests-left", "0"),
        ("x-retry-after", "20"),
    ] {
        assert_eq!(answer.headers[name], shown, "{name}");
    }
    bench.second += 20;
    let (status, _) = bench.ask("GET", "/customers/metafields", "");
    assert_eq!(status, 200);
}

#[test]
fn the_record_is_bounded() {
    let shared = Shared::new(Bench::new().store);
    let mut seen = Seen {
        connection: 0,
        method: Method::GET,
        target: String::new(),
        version: http::Version::HTTP_11,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        complete: true,
    };
    for connection in 1..=MAX_SEEN as u64 + 5 {
        seen.connection = connection;
        shared.note(seen.clone());
    }
    assert_eq!(shared.received(), MAX_SEEN as u64 + 5);
    assert_eq!(
        (shared.seen().len(), shared.seen()[0].connection),
        (MAX_SEEN, 6)
    );
    seen.body = Bytes::from(vec![0; MAX_BODY]);
    (0..9).for_each(|_| shared.note(seen.clone()));
    assert_eq!(shared.seen().len(), MAX_SEEN_BYTES / MAX_BODY);
    shared.forget();
    assert_eq!((shared.received(), shared.seen().len()), (0, 0));
}
