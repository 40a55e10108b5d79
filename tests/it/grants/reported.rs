//! `enforcement = "report"`: what grants would refuse is let through and told; what is no matter of grants is
//! refused as ever.

use super::*;
use crate::support::client::{ALL, CUSTOMER, ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{Gateway, Setup, token_sha256};
use metafield_gateway::denial::Code;
use metafield_gateway::server::Reloaded;

const REPORT: &str = "enforcement = \"report\"";
const TOKEN: &str = "canary-token-of-the-reported";

/// The codes of grants.
const OF_GRANTS: [&str; 6] = [
    "store_denied",
    "operation_denied",
    "customer_denied",
    "namespace_denied",
    "key_denied",
    "permission_set_denied",
];

#[test]
fn what_grants_refuse_is_let_through_and_nothing_else() {
    let mut reported = 0;
    for case in CASES {
        let (enforced, _) = decided(case, &policy(case, ""));
        let (outcome, told) = decided(case, &policy(case, REPORT));
        let code = enforced.split(' ').next().expect("a word");
        let is_of_grants = OF_GRANTS.contains(&code)
            || (code == "batch_too_large" && case.grants.starts_with("batch_items"));
        if !is_of_grants {
            assert_eq!((outcome, told), (enforced, None), "{case:?}");
            continue;
        }
        // What is let through may still wait for its owners.
        let is_open = outcome == "allowed" || outcome.starts_with("if its");
        assert!(is_open, "{case:?} {outcome}");
        assert_eq!(told, Some(code), "{case:?}");
        reported += 1;
    }
    assert_eq!(reported, 39, "of the table's decisions");
}

/// A gateway whose caller `reported` has these grants; `more` is its enforcement.
fn gateway(upstream: &Fake, grants: &str, more: &str) -> (Gateway, String) {
    let digest = token_sha256(TOKEN);
    let setup = Setup::new(upstream.address)
        .with("admin.address = \"127.0.0.1:0\"")
        .with(&format!(
            "[[caller]]\nname = \"reported\"\ntoken_sha256 = [\"{digest}\"]\nscopes = [\"store_v2_customers\"]\n{grants}\n{more}"
        ));
    let text = setup.text();
    (setup.start(), text)
}

fn by_reported(request: Request) -> Request {
    request.instead("X-Auth-Token", TOKEN)
}

#[test]
fn a_reported_request_is_forwarded_recorded_and_counted() {
    let upstream = Fake::good();
    let grants = "operations = [\"get\"]\npermission_sets = [\"read\"]";
    let (gateway, text) = gateway(&upstream, grants, REPORT);
    let write = by_reported(Request::update(r#"{"permission_set":"write"}"#));
    assert_eq!(gateway.exchange(&write).status(), 200);
    assert_eq!(
        gateway
            .exchange(&by_reported(Request::new("GET", ONE)))
            .status(),
        200
    );
    // What comes after is judged as ever, and the line tells both.
    let broken = gateway.exchange(&by_reported(Request::update("{")));
    assert_eq!(broken.code(), Some("malformed_json"));
    let unknown = gateway.exchange(&write.clone().instead("X-Auth-Token", "a-token-of-nobody"));
    assert_eq!(unknown.code(), Some("unknown_token"));
    let told = "metafield_gateway_reported_total{code=\"operation_denied\"}";
    assert!((gateway.metric(told) - 2.0).abs() < 0.5);
    let enforced = text.replace(REPORT, "enforcement = \"enforce\"");
    assert_eq!(gateway.reload_with(&enforced), Reloaded::Loaded);
    assert_eq!(gateway.exchange(&write).code(), Some("operation_denied"));
    assert_eq!(upstream.requests().len(), 2);
    let lines = gateway.stop();
    let seen: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["decision"].as_str(),
                line["code"].as_str(),
                line["reported"].as_str(),
            )
        })
        .collect();
    let denied = Some("operation_denied");
    assert_eq!(
        seen,
        [
            (Some("allowed"), None, denied),
            (Some("allowed"), None, None),
            (Some("denied"), Some("malformed_json"), denied),
            (Some("denied"), Some("unknown_token"), None),
            (Some("denied"), denied, None),
        ]
    );
}

#[test]
fn scopes_are_never_only_reported() {
    let upstream = Fake::good();
    let digest = token_sha256(TOKEN);
    let setup = Setup::new(upstream.address).with(&format!(
        "[[caller]]\nname = \"reported\"\ntoken_sha256 = [\"{digest}\"]\nscopes = [\"store_v2_customers_read_only\"]\n{REPORT}"
    ));
    let gateway = setup.start();
    let answer = gateway.exchange(&by_reported(Request::update("{}")));
    assert_eq!(answer.code(), Some(Code::ScopeDenied.as_str()));
    assert_eq!(gateway.stop()[0]["reported"].as_str(), None);
}

/// A look-up takes no more than half of the time that is left.
#[test]
fn a_look_up_that_stalls_does_not_hold_a_reported_request_up() {
    let upstream = Fake::doing(|connection| {
        while let Some(request) = connection.request()? {
            if request.start.starts_with("GET ") {
                return connection.until_closed();
            }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        }
        Ok(())
    });
    let digest = token_sha256(TOKEN);
    let gateway = Setup::new(upstream.address)
        .with("upstream.deadline = \"1s\"")
        .with(&format!(
            "[[caller]]\nname = \"reported\"\ntoken_sha256 = [\"{digest}\"]\nscopes = [\"store_v2_customers\"]\nnamespaces = [\"crm\"]\n{REPORT}"
        ))
        .start();
    let answer = gateway.exchange(&by_reported(Request::update("{}")));
    assert_eq!((answer.status(), answer.code()), (200, None));
    let line = gateway.stop().remove(0);
    assert_eq!(line["reported"], "ownership_unknown");
    assert_eq!(
        (&line["lookups"], &line["sent"]),
        (&1.into(), &"yes".into())
    );
}

/// What was reported stands in the line also where the request is refused for something else, or its
/// metafield is not there.
#[test]
fn what_is_reported_is_told_whatever_comes_after() {
    let rows = r#"[{"id":1},{"id":2,"colour":"red"}]"#;
    for (grants, request, answer, code, reported) in [
        (
            "operations = [\"list\"]",
            Request::new("GET", &format!("{ONE}?page=1")),
            "200 OK",
            Some("unknown_query_key"),
            "operation_denied",
        ),
        (
            "namespaces = [\"crm\"]",
            Request::new("GET", &format!("{CUSTOMER}?colour=red")),
            "200 OK",
            Some("unknown_query_key"),
            "namespace_denied",
        ),
        (
            "batch_items = 1",
            Request::new("PUT", ALL).json(rows),
            "200 OK",
            Some("unknown_field"),
            "batch_too_large",
        ),
        (
            "permission_sets = [\"read\"]",
            Request::update(r#"{"permission_set":"write"}"#),
            "409 Conflict",
            None,
            "permission_set_denied",
        ),
        (
            "namespaces = [\"crm\"]",
            Request::update("{}"),
            "404 Not Found",
            None,
            "ownership_unknown",
        ),
    ] {
        let upstream = Fake::answering(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n"));
        let (gateway, _) = gateway(&upstream, grants, REPORT);
        let answer = gateway.exchange(&by_reported(request.clone()));
        assert_eq!(answer.code(), code, "{request:?}");
        let line = gateway.stop().remove(0);
        assert_eq!(line["reported"], reported, "{line}");
    }
}

#[test]
fn whose_a_metafield_is_is_reported_too() {
    let answer = |namespace: &str| {
        let body = format!(
            r#"{{"data":{{"id":9,"namespace":"{namespace}","key":"k","resource_id":7}},"meta":{{}}}}"#
        );
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let unknown = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned();
    for (upstream, request, status, reported, sent) in [
        (answer("crm"), Request::update("{}"), 200, None, 2),
        (
            answer("erp"),
            Request::update("{}"),
            200,
            Some("namespace_denied"),
            2,
        ),
        (
            answer("erp"),
            Request::new("GET", ONE),
            200,
            Some("unknown_metafield"),
            1,
        ),
        (answer("crm"), Request::new("GET", ONE), 200, None, 1),
        (
            answer("erp"),
            Request::new("GET", CUSTOMER),
            200,
            Some("namespace_denied"),
            1,
        ),
        // A look-up that fails holds nobody up.
        (
            unknown,
            Request::update("{}"),
            503,
            Some("ownership_unknown"),
            2,
        ),
    ] {
        let upstream = Fake::answering(upstream);
        let (gateway, _) = gateway(&upstream, "namespaces = [\"crm\"]", REPORT);
        let answer = gateway.exchange(&by_reported(request.clone()));
        assert_eq!(
            (answer.status(), answer.code()),
            (status, None),
            "{request:?}"
        );
        assert_eq!(upstream.requests().len(), sent, "{request:?}");
        let line = gateway.stop().remove(0);
        assert_eq!(line["reported"].as_str(), reported, "{line}");
        assert_eq!(line["decision"], "allowed");
    }
}
