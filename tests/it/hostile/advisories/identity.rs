//! Verdicts that were kept for another request, and credentials that went where nobody was judged.

use super::super::{Bench, Case, Expected, Sent, text};
use super::run;
use crate::support::client::{CUSTOMER, ONE, Request};
use crate::support::client_h2;
use crate::support::fake::Fake;
use crate::support::gateway::{ELSEWHERE, LIMITED, PAYMENTS, READER, WRITER};

fn by(token: &str, request: Request) -> Request {
    request.instead("X-Auth-Token", token)
}

/// The hosts that the secret was given to were more than the hosts that policy was asked about: here
/// whoever is refused, by whatever rule, makes no connection at all.
#[test]
fn onecli_438_what_is_not_allowed_carries_no_credential() {
    let mut bench = Bench::new("");
    let update = || Request::update("{}");
    let write = r#"{"namespace":"crm","permission_set":"write"}"#;
    let erp = r#"{"namespace":"erp","permission_set":"read"}"#;
    for (answer, request) in [
        ("401:missing_token", update().without("X-Auth-Token")),
        ("401:unknown_token", by("canary-token-of-nobody", update())),
        ("401:invalid_token", by("short", update())),
        (
            "400:ambiguous_credentials",
            update().with("X-Auth-Token", WRITER),
        ),
        ("403:scope_denied", by(READER, update())),
        ("403:scope_denied", by(PAYMENTS, Request::new("GET", ONE))),
        ("403:store_denied", by(ELSEWHERE, update())),
        (
            "403:operation_denied",
            by(LIMITED, Request::new("GET", ONE)),
        ),
        (
            "403:permission_set_denied",
            by(LIMITED, Request::update(write)),
        ),
        ("403:namespace_denied", by(LIMITED, Request::update(erp))),
        (
            "404:unknown_store",
            Request::new("GET", "/stores/nobody/v3/customers/metafields"),
        ),
        (
            "404:unknown_route",
            Request::new("GET", "/stores/abc123/v3/customers"),
        ),
        ("405:method_not_allowed", Request::new("PATCH", ONE)),
        (
            "415:unsupported_media_type",
            update().instead("Content-Type", "text/plain"),
        ),
        ("400:malformed_json", Request::update("{")),
        ("400:wrong_shape", Request::update("[]")),
        ("422:unknown_field", Request::update(r#"{"other":1}"#)),
        ("422:id_mismatch", Request::update(r#"{"id":8}"#)),
        (
            "422:missing_field",
            Request::new("POST", CUSTOMER).json("{}"),
        ),
        (
            "508:loop_detected",
            update().with("Via", "1.1 metafield-gateway"),
        ),
    ] {
        run(&mut bench, answer, &request);
    }
    bench.finish();
}

/// A token that had been seen was not asked for its scope again (also CVE-2021-32701): here a request
/// that was allowed is no reason to allow another, on the same connection or not.
#[test]
fn oathkeeper_ghsa_qvp4_rpmr_xwrr_a_known_token_is_judged_each_time() {
    let mut bench = Bench::new("");
    let get = "GET ONE HTTP/1.1~HOST~X-Auth-Token: canary-token-of-reader~~";
    let put =
        "PUT ONE HTTP/1.1~HOST~JSON~X-Auth-Token: canary-token-of-reader~Content-Length: 2~~{}";
    for _ in 0..5 {
        bench.run(&Case::new("GET:one", "open", text::bytes(get)));
        bench.run(&Case::new("403:scope_denied", "open", text::bytes(put)));
    }
    let answers = ["GET:one+403:scope_denied"; 10].join("+");
    let line = format!("{get}{put}").repeat(10);
    bench.run(&Case::new(&answers, "open", text::bytes(&line)));
    let mut client = client_h2::Client::connect(bench.gateway.address());
    for _ in 0..5 {
        let answer = client.exchange(&by(READER, Request::new("GET", ONE)));
        bench.judge(
            "HTTP/2",
            &Expected::Served(Sent::new("GET", ONE, None)),
            &answer,
        );
        let answer = client.exchange(&by(READER, Request::update("{}")));
        bench.judge("HTTP/2", &Expected::parse("403:scope_denied"), &answer);
    }
    bench.compare("HTTP/2");
    bench.finish();
}

/// What one server had said of a token was kept for another server's: here what a token may do in one
/// store says nothing of another.
#[test]
fn oathkeeper_ghsa_4mq7_pvjg_xp2r_a_verdict_is_for_one_store_and_one_token() {
    let mut bench = Bench::new("");
    let other = "/stores/other1/v3/customers/7/metafields/9";
    for _ in 0..3 {
        run(
            &mut bench,
            "403:store_denied",
            &by(ELSEWHERE, Request::update("{}")),
        );
        let there = by(ELSEWHERE, Request::new("DELETE", other));
        run(&mut bench, &format!("DELETE:{other}"), &there);
        run(&mut bench, "DELETE:one", &Request::new("DELETE", ONE));
        run(
            &mut bench,
            "403:store_denied",
            &by(LIMITED, Request::new("GET", other)),
        );
        run(
            &mut bench,
            "403:operation_denied",
            &by(LIMITED, Request::new("DELETE", ONE)),
        );
        run(
            &mut bench,
            "403:namespace_denied",
            &by(LIMITED, Request::new("GET", CUSTOMER)),
        );
    }
    bench.finish();
}

/// Clients that waited by themselves were still refused where others spent the same quota: they must see
/// the four fields that tell them so, as BigCommerce wrote them.
#[test]
fn bigcommerce_api_python_88_a_429_keeps_its_fields() {
    let fields = [
        ("X-Rate-Limit-Time-Window-Ms", "30000"),
        ("X-Rate-Limit-Time-Reset-Ms", "1500"),
        ("X-Rate-Limit-Requests-Quota", "150"),
        ("X-Rate-Limit-Requests-Left", "0"),
        ("X-Retry-After", "2"),
    ];
    let lines = fields
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .concat();
    let upstream = Fake::answering(format!(
        "HTTP/1.1 429 Too Many Requests\r\n{lines}Content-Length: 2\r\n\r\n{{}}"
    ));
    let gateway = crate::support::gateway::Gateway::before(upstream.address);
    let answer = gateway.exchange(&Request::update("{}"));
    assert_eq!((answer.status(), answer.code()), (429, None));
    for (name, value) in fields {
        assert_eq!(answer.field(name), Some(value), "{name}");
    }
    assert_eq!(upstream.requests().len(), 1, "it is not tried again");
}
