//! The path is exact and the methods are closed (contract section 1).

use super::{Case, check, columns, place};
use crate::support::client::{ONE, Request};

/// Paths that are no route, whatever they would be after decoding or normalising.
const PATHS: &str = "
    /
    /x
    /stores
    /stores/abc123
    /stores/abc123/v3/customers
    /stores/abc123/v3/customers/
    /stores/abc123/v3/customers/7
    /stores/abc123/v3/customers/7/
    /stores/abc123/v3/customers/7/metafield
    /stores/abc123/v3/customers/7/metafieldsx
    /stores/abc123/v3/customers/7/metafields/
    /stores/abc123/v3/customers/7/metafields/9/
    /stores/abc123/v3/customers/7/metafields/9/9
    /stores/abc123/v3/customers/metafields/
    /stores/abc123/v3/customers/metafields/9
    /stores/abc123/v3/customers/7/metafields/9;v=1
    /stores/abc123/v3/customers/7;a/metafields/9
    /stores/abc123/v3/customers/7/metafields;/9
    /stores/abc123/v3/customers/7/metafields/9.json
    /stores/abc123/v3/customers/7/metafields%2F9
    /stores/abc123/v3/customers/7/metafields/%39
    /stores/abc123/v3/customers/%37/metafields/9
    /stores/abc123/v3/customers/7/metafields/9%00
    /stores/abc123/v3/customers/7/metafields/9%3Fpage=1
    /stores/abc123/v3/%63ustomers/7/metafields/9
    /stores/abc123%2Fv3/customers/7/metafields/9
    /%73tores/abc123/v3/customers/7/metafields/9
    //stores/abc123/v3/customers/7/metafields/9
    /stores//abc123/v3/customers/7/metafields/9
    /stores//v3/customers/7/metafields/9
    /stores/abc123//v3/customers/7/metafields/9
    /stores/abc123/v3/customers//7/metafields/9
    /stores/abc123/v3/customers//metafields
    /stores/abc123/v3/customers/7/metafields//9
    /./stores/abc123/v3/customers/7/metafields/9
    /stores/abc123/./v3/customers/7/metafields/9
    /stores/abc123/v3/customers/7/metafields/.
    /stores/abc123/v3/customers/7/metafields/./9
    /stores/abc123/v3/customers/7/metafields/8/../9
    /stores/other1/../abc123/v3/customers/7/metafields/9
    /stores/abc123/v3/customers/7/metafields/%2e%2e/9
    /Stores/abc123/v3/customers/7/metafields/9
    /stores/ABC123/v3/customers/7/metafields/9
    /stores/abc123/V3/customers/7/metafields/9
    /stores/abc123/v3/Customers/7/metafields/9
    /stores/abc123/v3/customers/7/Metafields/9
    /stores/abc-123/v3/customers/7/metafields/9
    /stores/abc_123/v3/customers/7/metafields/9
    /stores/abc123abc123abc123abc123abc123abc/v3/customers/7/metafields/9
    /stores/abc123/v2/customers/7/metafields/9
    /stores/abc123/v3/products/7/metafields/9
    /stores/abc123/v3/orders/7/metafields
    /stores/abc123/v3/customers/0/metafields/9
    /stores/abc123/v3/customers/07/metafields/9
    /stores/abc123/v3/customers/+7/metafields/9
    /stores/abc123/v3/customers/-7/metafields/9
    /stores/abc123/v3/customers/7.0/metafields/9
    /stores/abc123/v3/customers/7e0/metafields/9
    /stores/abc123/v3/customers/0x7/metafields/9
    /stores/abc123/v3/customers/9223372036854775808/metafields/9
    /stores/abc123/v3/customers/7/metafields/0
    /stores/abc123/v3/customers/7/metafields/09
    /stores/abc123/v3/customers/7/metafields/9223372036854775808
    /stores/abc123/v3/customers/7/metafields/18446744073709551617
    /stores/abc123/v3/customers/7/metafields/abc
    /stores/abc123/v3/customers/7/metafields/９
    /stores/abc123/v3/customers/7/metafields\\9
    /x/stores/abc123/v3/customers/7/metafields/9
    /api/stores/abc123/v3/customers/7/metafields/9
";

/// Methods that a route does not take, and those it does.
const METHODS: &str = "
    PATCH    one       GET, HEAD, PUT, DELETE
    POST     one       GET, HEAD, PUT, DELETE
    OPTIONS  one       GET, HEAD, PUT, DELETE
    TRACE    one       GET, HEAD, PUT, DELETE
    PROPFIND one       GET, HEAD, PUT, DELETE
    get      one       GET, HEAD, PUT, DELETE
    put      one       GET, HEAD, PUT, DELETE
    PUTT     one       GET, HEAD, PUT, DELETE
    PUT      customer  GET, HEAD, POST
    DELETE   customer  GET, HEAD, POST
    PATCH    customer  GET, HEAD, POST
    OPTIONS  customer  GET, HEAD, POST
    post     customer  GET, HEAD, POST
    PATCH    all       GET, HEAD, POST, PUT, DELETE
    OPTIONS  all       GET, HEAD, POST, PUT, DELETE
    QUERY    all       GET, HEAD, POST, PUT, DELETE
    head     all       GET, HEAD, POST, PUT, DELETE
";

#[test]
fn paths_are_matched_exactly() {
    let refused = |method: &str, target: &str| {
        Case::new("404", "unknown_route", &Request::new(method, target))
    };
    let mut cases: Vec<Case> = columns(PATHS).map(|[path]| refused("GET", path)).collect();
    cases.push(refused("OPTIONS", "*"));
    cases.push(refused("GET", "*"));
    cases.push(refused("HEAD", "/x"));
    cases.push(refused("PATCH", "/x"));
    check(|setup| setup, &cases);
}

#[test]
fn other_methods_are_told_the_right_ones() {
    let rows: Vec<[&str; 3]> = columns(METHODS).collect();
    let cases: Vec<Case> = rows
        .iter()
        .map(|[method, path, _]| {
            Case::new(
                "405",
                "method_not_allowed",
                &Request::new(method, &place(path)),
            )
        })
        .collect();
    let answers = check(|setup| setup, &cases);
    for ([_, _, allow], answer) in rows.iter().zip(answers) {
        assert_eq!(answer.field("allow"), Some(*allow));
    }
}

#[test]
fn a_target_over_the_limit_is_refused_whatever_it_is() {
    let long = |length: usize| format!("/{}", "x".repeat(length - 1));
    let query = |length: usize| {
        let begin = format!("{ONE}?key=");
        format!("{begin}{}", "x".repeat(length - begin.len()))
    };
    let get = |target: &str| Request::new("GET", target);
    let cases = [
        Case::new("404", "unknown_route", &get(&long(8192))),
        Case::new("414", "target_too_long", &get(&long(8193))),
        Case::new("400", "unknown_query_key", &get(&query(8192))),
        Case::new("414", "target_too_long", &get(&query(8193))),
        Case::new("414", "target_too_long", &get(&long(20_000))),
        Case::new(
            "414",
            "target_too_long",
            &get(&long(8193)).without("X-Auth-Token"),
        ),
    ];
    check(|setup| setup, &cases);
    let cases = [
        Case::new("404", "unknown_route", &get(&long(256))),
        Case::new("414", "target_too_long", &get(&long(257))),
    ];
    check(|setup| setup.with("limits.target = \"256B\""), &cases);
}
