//! Heads that are allowed, and what of them reaches the upstream.

use crate::support::client::{ALL, CUSTOMER, ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, Gateway, WRITER};

/// Queries of a list, and what the upstream sees of them.
const QUERIES: &[(&str, &str)] = &[
    ("", ""),
    ("?", ""),
    ("?page=2&limit=50", "?page=2&limit=50"),
    ("?limit=50&page=2", "?limit=50&page=2"),
    ("?key%3Ain=a%2cb", "?key:in=a%2Cb"),
    ("?key:in=a,b", "?key:in=a%2Cb"),
    (
        "?namespace=Sales+Department",
        "?namespace=Sales%20Department",
    ),
    (
        "?namespace=Sales%20Department",
        "?namespace=Sales%20Department",
    ),
    ("?n%61mespace=%c3%a4%26%3D%25", "?namespace=%C3%A4%26%3D%25"),
    ("?namespace=%61%7e", "?namespace=a~"),
    ("?namespace:in=a&namespace=b", "?namespace:in=a&namespace=b"),
    (
        "?direction=desc&include_fields=key,value",
        "?direction=desc&include_fields=key%2Cvalue",
    ),
    (
        "?date_created:min=2024-05-14T09:34:00%2B00:00",
        "?date_created:min=2024-05-14T09%3A34%3A00%2B00%3A00",
    ),
    ("?date_modified%3amax=1", "?date_modified:max=1"),
    ("?before=&after=", "?before=&after="),
    ("?key==a?b/", "?key=%3Da%3Fb%2F"),
    ("?key=a%252Fb", "?key=a%252Fb"),
    ("?page=1%26limit=2", "?page=1%26limit%3D2"),
];

#[test]
fn list_queries_are_written_in_one_encoding() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    for (query, expected) in QUERIES {
        for path in [CUSTOMER, ALL] {
            let answer = gateway.exchange(&Request::new("GET", &format!("{path}{query}")));
            assert_eq!(answer.status(), 200, "{query}");
            let seen = upstream.requests().pop().expect("a request");
            assert_eq!(seen.start, format!("GET {path}{expected} HTTP/1.1"));
        }
    }
}

/// Targets with other spellings of a route, and what the upstream sees.
const TARGETS: &[(&str, &str, &str)] = &[
    ("PUT", "?metafieldId=9", ""),
    ("PUT", "?metafield%49d=%39", ""),
    ("PUT", "?", ""),
    ("GET", "?", ""),
    // A fragment is no part of a target, and hyper drops it before anybody sees it.
    ("GET", "#fragment", ""),
];

#[test]
fn what_an_update_says_twice_is_sent_once() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    for (method, query, expected) in TARGETS {
        let request = Request::new(method, &format!("{ONE}{query}"));
        let request = if *method == "PUT" {
            request.json("{}")
        } else {
            request
        };
        assert_eq!(gateway.exchange(&request).status(), 200, "{query}");
        let seen = upstream.requests().pop().expect("a request");
        assert_eq!(seen.start, format!("{method} {ONE}{expected} HTTP/1.1"));
    }
}

#[test]
fn ids_reach_to_their_last_value() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let target = "/stores/abc123/v3/customers/9223372036854775807/metafields/9223372036854775807";
    assert_eq!(gateway.exchange(&Request::new("GET", target)).status(), 200);
    assert_eq!(
        upstream.requests()[0].start,
        format!("GET {target} HTTP/1.1")
    );
    let lines = gateway.stop();
    assert_eq!(lines[0]["customer_id"], i64::MAX);
}

/// Heads that mean the same request; `TOKEN` stands for the writer's token.
const HEADS: &[&str] = &[
    "GET ONE HTTP/1.1|Host: gateway.test|X-Auth-Token: TOKEN",
    "GET ONE HTTP/1.1|host:gateway.test|x-auth-token:TOKEN",
    "GET ONE HTTP/1.1|Host: gateway.test:8080|x-AuTh-tOkEn: \t TOKEN \t ",
    "GET ONE HTTP/1.1|Host: [::1]:8080|X-Auth-Token: TOKEN",
    "GET ONE HTTP/1.1|Host: gateway.test|Authorization: Bearer TOKEN",
    "GET ONE HTTP/1.1|Host: gateway.test|Authorization: bearer TOKEN",
    "GET ONE HTTP/1.1|Host: gateway.test|Authorization: bEaReR   TOKEN",
    "GET ONE HTTP/1.1|Host: gateway.test|Authorization: Bearer TOKEN|X-Auth-Client: x",
    "GET http://gateway.testONE HTTP/1.1|Host: gateway.test|X-Auth-Token: TOKEN",
    "GET HTTP://Gateway.TestONE HTTP/1.1|Host: gateway.test|X-Auth-Token: TOKEN",
    "GET https://gateway.test:8443ONE HTTP/1.1|Host: gateway.test:8443|X-Auth-Token: TOKEN",
    "GET ONE HTTP/1.1|Host: gateway.test|X-Auth-Token: TOKEN|Content-Length: 0",
    "GET ONE HTTP/1.1|Host: gateway.test|X-Auth-Token: TOKEN|Via: 1.1 fred (metafield-gateway)",
    "GET ONE HTTP/1.1|Host: gateway.test|X-Auth-Token: TOKEN|Content-Type: text/plain|Content-Encoding: gzip",
    "GET ONE HTTP/1.0|Host: gateway.test|X-Auth-Token: TOKEN",
    "GET ONE HTTP/1.0|X-Auth-Token: TOKEN",
    "GET ONE HTTP/1.0|X-Auth-Token: TOKEN|Content-Length: 0",
];

#[test]
fn heads_that_mean_the_same_are_the_same_upstream() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    for head in HEADS {
        let bytes = head.replace("ONE", ONE).replace("TOKEN", WRITER);
        let mut client = gateway.connect();
        client.send(format!("{}\r\n\r\n", bytes.replace('|', "\r\n")));
        let answer = client.answer();
        assert_eq!(answer.status(), 200, "{head}");
        let seen = upstream.requests().pop().expect("a request");
        assert_eq!(seen.start, format!("GET {ONE} HTTP/1.1"), "{head}");
        assert_eq!(seen.all("host"), [upstream.address.to_string()]);
        assert_eq!(seen.all("x-auth-token"), [CREDENTIAL]);
        assert_eq!(seen.all("user-agent"), ["metafield-gateway"]);
        let mut names: Vec<&str> = seen.fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "host",
                "user-agent",
                "via",
                "x-auth-token",
                "x-correlation-id"
            ]
        );
        if head.contains("HTTP/1.0") {
            assert!(client.is_closed(), "{head}");
        }
    }
}

#[test]
fn content_types_that_mean_json_are_allowed() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    for value in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        "application/json ; Charset=\"utf-8\"",
    ] {
        let request = Request::update("{}").instead("Content-Type", value);
        assert_eq!(gateway.exchange(&request).status(), 200, "{value}");
        let seen = upstream.requests().pop().expect("a request");
        assert_eq!(seen.all("content-type"), ["application/json"]);
    }
}

#[test]
fn preferences_are_taken_over_only_when_they_are_plain() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let long = "x".repeat(1025);
    for name in ["Accept", "Accept-Encoding", "User-Agent"] {
        let default = if name == "User-Agent" {
            vec!["metafield-gateway"]
        } else {
            vec![]
        };
        for (values, expected) in [
            (vec!["a/b; q=0.5"], vec!["a/b; q=0.5"]),
            (
                vec!["a", "b"],
                match name {
                    "User-Agent" => default.clone(),
                    _ => vec!["a, b"],
                },
            ),
            (vec![""], default.clone()),
            (vec!["ä"], default.clone()),
            (vec!["a\tb"], default.clone()),
            (vec![long.as_str()], default.clone()),
        ] {
            let request = Request::new("GET", ONE);
            let request = values
                .iter()
                .fold(request, |request, value| request.with(name, value));
            assert_eq!(
                gateway.exchange(&request).status(),
                200,
                "{name} {values:?}"
            );
            let seen = upstream.requests().pop().expect("a request");
            assert_eq!(seen.all(name), expected, "{name} {values:?}");
        }
    }
}

#[test]
fn a_correlation_id_is_kept_if_it_is_one_uuid() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let uuid = "0123abcd-4567-489A-8bcd-0123456789ef";
    let long = format!("{uuid}0");
    let braced = format!("{{{uuid}}}");
    for (values, kept) in [
        (vec![uuid], true),
        (vec![], false),
        (vec![uuid, uuid], false),
        (vec!["x"], false),
        (vec![""], false),
        (vec!["0123abcd456-7489A-8bcd-0123456789efg"], false),
        (vec!["0123abcd4567489A8bcd0123456789ef"], false),
        (vec![long.as_str()], false),
        (vec![braced.as_str()], false),
    ] {
        for (token, status) in [(WRITER, 200), ("canary-token-of-nobody", 401)] {
            let request = Request::new("GET", ONE).instead("X-Auth-Token", token);
            let request = values.iter().fold(request, |request, value| {
                request.with("X-Correlation-Id", value)
            });
            let answer = gateway.exchange(&request);
            assert_eq!(answer.status(), status);
            let id = answer.field("x-correlation-id").expect("an id");
            assert_eq!(id == uuid, kept, "{values:?}");
            assert_eq!(id.len(), 36, "{values:?}");
            if status == 200 {
                let seen = upstream.requests().pop().expect("a request");
                assert_eq!(seen.all("x-correlation-id"), [id]);
            }
        }
    }
}
