//! The path that was judged is the path that is sent. A path that another server could decode, fold or
//! clean into a route is no route here, and nothing of it reaches the upstream.

use super::text::bytes;
use super::{Case, check};
use crate::support::table::columns;

/// Targets of a DELETE that are no route. `C` stands for `/stores/abc123/v3/customers`.
const UNKNOWN: &str = r"
    ## Escapes.
    C/7/metafields/%39
    C/%37/metafields/9
    C/7/metafields%2F9
    C/7/metafields%2f9
    C/7%2Fmetafields/9
    C%2F7/metafields/9
    C/7/metafields/9%2F
    C/7/metafields/9%20
    C/7/metafields/%209
    C/7/metafields/9%00
    C/7/metafields/9%0a
    C/7/metafields/9%0d%0aX-Auth-Token:x
    C/7/metafields/9%3Fpage=1
    C/7/metafields/9%23
    C/7/metafields/9%3B
    C/7/metafields/%2539
    C/7/metafields/%5C9
    C/7/metafields/..%2F9
    C/7/metafields/%2e%2e%2f9
    C/7/metafields/.%2e/9
    C/7/%6detafields/9
    C/7/metafields/%C0%B9
    C/7/metafields/%EF%BC%99
    C/7/metafields/%u0039
    C/7/metafields/%
    C/7/metafields/%3
    C/7/metafields/9%
    /stores/abc%31%3223/v3/customers/7/metafields/9
    /stores/%61bc123/v3/customers/7/metafields/9
    /%73tores/abc123/v3/customers/7/metafields/9
    /stores/abc123/%763/customers/7/metafields/9
    %2Fstores/abc123/v3/customers/7/metafields/9 400
    ## Empty and dot segments.
    /C/7/metafields/9
    //C/7/metafields/9
    C//7/metafields/9
    C/7//metafields/9
    C/7/metafields//9
    C/7/metafields/9/
    C/7/metafields/9//
    C/7/metafields/
    C//metafields
    /stores//abc123/v3/customers/7/metafields/9
    /stores/abc123//v3/customers/7/metafields/9
    /stores//v3/customers/7/metafields/9
    /.C/7/metafields/9
    /./C/7/metafields/9
    /..C/7/metafields/9
    C/./7/metafields/9
    C/7/./metafields/9
    C/7/metafields/./9
    C/7/metafields/9/.
    C/7/metafields/.
    C/7/metafields/..
    C/7/metafields/...
    C/7/metafields/8/../9
    C/8/../7/metafields/9
    C/7/../metafields
    /stores/other1/../abc123/v3/customers/7/metafields/9
    /stores/abc123/v2/../v3/customers/7/metafields/9
    /x/..C/7/metafields/9
    ## Parameters, suffixes, other separators.
    C/7/metafields/9;v=1
    C/7/metafields/9;
    C/7/metafields;x/9
    C/7;x/metafields/9
    /stores/abc123;x/v3/customers/7/metafields/9
    C/7/metafields/9;/../8
    C/7/metafields/9.json
    C/7/metafields/9.xml
    C/7/metafields.json
    C.json/7/metafields/9
    C/7/metafields\\9
    C\\7/metafields/9
    \\stores\\abc123\\v3\\customers\\7\\metafields\\9 400
    C/7/metafields/9,10
    C/7/metafields/9:10
    C/7/metafields/9&10
    C/7/metafields/9=
    C/7/metafields/9|10
    C/7/metafields/9'
    C/7/metafields/9^
    C/7/metafields/(9)
    C/7/metafields/[9]
    C/7/metafields/{9}
    C/7/metafields/*
    C/*/metafields/9
    C/7/metafields/$9
    C/7/metafields/~9 400
    ## Case.
    /Stores/abc123/v3/customers/7/metafields/9
    /STORES/abc123/v3/customers/7/metafields/9
    /stores/ABC123/v3/customers/7/metafields/9
    /stores/Abc123/v3/customers/7/metafields/9
    /stores/abc123/V3/customers/7/metafields/9
    /stores/abc123/v3/Customers/7/metafields/9
    C/7/metaFields/9
    C/7/METAFIELDS/9
    ## Numbers.
    C/07/metafields/9
    C/7/metafields/09
    C/7/metafields/0009
    C/0/metafields/9
    C/7/metafields/0
    C/7/metafields/00
    C/+7/metafields/9
    C/7/metafields/+9
    C/-7/metafields/9
    C/7/metafields/-9
    C/7/metafields/-0
    C/7/metafields/9.0
    C/7/metafields/9e0
    C/7/metafields/0x9
    C/7/metafields/1_0
    C/7/metafields/1'000
    C/7/metafields/９
    C/7/metafields/٩
    C/7/metafields/९
    C/7/metafields/²
    C/7/metafields/9\xc2\xa0
    C/7/metafields/9\xe2\x80\x8b
    C/7/metafields/9223372036854775808
    C/9223372036854775808/metafields/9
    C/7/metafields/18446744073709551625
    C/7/metafields/340282366920938463463374607431768211465
    C/7/metafields/99999999999999999999999999999999999999999999999999
    C/7/metafields/nine
    C/7/metafields/null
    C/7/metafields/undefined
    C/7/metafields/NaN
    C/me/metafields/9
    ## Side doors to the same data, and to other data.
    /
    C
    C/
    C/7
    C/7/metafields/9/metafields/9
    C/7/attributes/9
    C/metafields/9
    C/metafields/metafields
    C/metafields/metafields/9
    C/7/metafields/metafields
    C/7/form-fields/9
    C/addresses
    C/attribute-values
    C/validate-credentials
    C/7/consent
    C/7/stored-instruments
    C/settings
    /stores/abc123/v2/customers/7/metafields/9
    /stores/abc123/v2/customers/7
    /stores/abc123/v2/customers/7.json
    /stores/abc123/v4/customers/7/metafields/9
    /stores/abc123/customers/7/metafields/9
    /stores/abc123/graphql
    /stores/abc123/v3/graphql
    /graphql
    /stores/abc123/v3/store/metafields
    /stores/abc123/v3/catalog/products/7/metafields/9
    /stores/abc123/v3/catalog/brands/7/metafields/9
    /stores/abc123/v3/catalog/categories/7/metafields/9
    /stores/abc123/v3/catalog/variants/metafields
    /stores/abc123/v3/catalog/products/7/variants/8/metafields/9
    /stores/abc123/v3/orders/7/metafields/9
    /stores/abc123/v3/carts/7/metafields/9
    /stores/abc123/v3/channels/7/metafields/9
    /stores/abc123/v3/inventory/locations/7/metafields/9
    /stores/abc123/v3/hooks
    /stores/abc123/v3/settings/store/profile
    /stores/abc123
    /account/stores/abc123/v3/customers/7/metafields/9
    /oauth2/token
    /accounts/1/users
    /livez
    /readyz
    /metrics
    /stores/abc123abc123abc123abc123abc123abc/v3/customers/7/metafields/9
    /stores/abc_123/v3/customers/7/metafields/9
    /stores/abc-123/v3/customers/7/metafields/9
    /stores/*/v3/customers/7/metafields/9
    ## A route's text in another place.
    /x?C/7/metafields/9
    /?/stores/abc123/v3/customers/7/metafields/9
    /#C/7/metafields/9
    /x#C/7/metafields/9
    http://gateway.test/x?C/7/metafields/9
    http://gateway.test?C/7/metafields/9
    http://gateway.test//C/7/metafields/9
    http://gateway.test/http://gateway.testC/7/metafields/9
    ## Bytes that no target may hold.
    C/7/metafields/9\0 400
    C/7/metafields/9\x01 400
    C/7/metafields/9\x7f 400
    C/7/metafields/9\t 400
    C/7/metafields/9\r 400
    C/7/metafields/9\n 400
    C/7/metafields/9\xff 400
    C/7/metafields/9\xc2 400
    C/7/metafields/9\x1b[2J 400
    C/7/metafields/9< 400
    C/7/metafields/9> 400
    C/7/metafields/9` 400
    C\x0b/7/metafields/9 400
";

/// Targets that are a route, and the one form in which it is sent.
const KNOWN: &str = r"
    C/7/metafields/9                                     DELETE:one
    C/7/metafields/9?                                    DELETE:one
    C/7/metafields/9#x                                   DELETE:one
    C/7/metafields/9#/../8                               DELETE:one
    C/7/metafields/9?#?metafieldId=8                     DELETE:one
    http://gateway.testC/7/metafields/9                  DELETE:one
    http://gateway.testC/7/metafields/9?                 DELETE:one
    http://gateway.testC/7/metafields/9#x                DELETE:one
    C/7/metafields/9223372036854775807                   DELETE:9223372036854775807
    C/7/metafields/1                                     DELETE:1
    C/9223372036854775807/metafields/9                   DELETE:/stores/abc123/v3/customers/9223372036854775807/metafields/9
    /stores/other1/v3/customers/7/metafields/9           DELETE:/stores/other1/v3/customers/7/metafields/9
    C/7/metafields/9??                                   400:malformed_query
    C/7/metafields/9?x                                   400:malformed_query
    C/7/metafields/9?x=y                                 400:unknown_query_key
    C/7/metafields/9?/../8                               400:malformed_query
    C/7/metafields/9?metafieldId=9                       400:unknown_query_key
    C/7/metafields/9?_method=GET                         400:unknown_query_key
    C/7/metafields                                       405:method_not_allowed
    /stores/nobody/v3/customers/7/metafields/9           404:unknown_store
    /stores/abc12/v3/customers/7/metafields/9            404:unknown_store
    /stores/abc1234/v3/customers/7/metafields/9          404:unknown_store
    /stores/a/v3/customers/7/metafields/9                404:unknown_store
    /stores/abc123abc123abc123abc123abc123ab/v3/customers/7/metafields/9 404:unknown_store
";

fn delete(target: &str, answer: &str, end: &str) -> Case {
    let target = target.replace('C', "/stores/abc123/v3/customers");
    let after = if end == "closed" { "EVIL" } else { "" };
    let mut whole = bytes("DELETE ");
    whole.extend(bytes(&target));
    whole.extend(bytes(&format!(" HTTP/1.1~HOST~TOKEN~~{after}")));
    Case::new(answer, end, whole)
}

#[test]
fn what_would_be_a_route_after_cleaning_is_none() {
    let cases: Vec<Case> = columns(UNKNOWN)
        .map(|[target, status]| match status {
            "" => delete(target, "404:unknown_route", "open"),
            status => delete(target, status, "closed"),
        })
        .collect();
    check("paths, unknown", &cases);
}

#[test]
fn a_route_is_sent_as_it_was_judged() {
    let cases: Vec<Case> = columns(KNOWN)
        .map(|[target, answer]| delete(target, answer, "open"))
        .collect();
    check("paths, known", &cases);
}

#[test]
fn a_long_path_is_refused_or_no_route() {
    let long = |length: usize| format!("C/7/metafields/{}", "9".repeat(length));
    check(
        "paths, long",
        &[
            delete(&long(1000), "404:unknown_route", "open"),
            delete(&long(8000), "404:unknown_route", "open"),
            delete(&long(8200), "414:target_too_long", "open"),
            delete(&long(60_000), "414:target_too_long", "open"),
            delete(&long(65_600), "414", "closed"),
            delete(
                &format!("C{}/7/metafields/9", "/.".repeat(3000)),
                "404:unknown_route",
                "open",
            ),
            delete(
                &format!("C{}/7/metafields/9", "/x/..".repeat(1500)),
                "404:unknown_route",
                "open",
            ),
        ],
    );
}
