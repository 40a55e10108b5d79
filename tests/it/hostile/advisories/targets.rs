//! Paths and queries that policy read in one way and the backend in another.

use super::check_table;

/// A leading `//` swallowed a segment before policy saw the path.
#[test]
fn opa_envoy_plugin_cve_2026_26205_no_segment_is_swallowed() {
    check_table(
        "leading slashes",
        r"
        404:unknown_route open DELETE /ONE HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE //ONE HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE //xONE HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE //gateway.testONE HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE http://gateway.test/ONE HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE http://gateway.test//xONE HTTP/1.1~HOST~TOKEN~~
        ",
    );
}

/// `/public/../admin` matched the rule for `/public`.
#[test]
fn oathkeeper_ghsa_p224_6x5r_fjpm_dot_segments_match_no_rule() {
    check_table(
        "dot segments",
        r"
        404:unknown_route open DELETE /stores/other1/../abc123/v3/customers/7/metafields/9 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE /stores/abc123/v3/customers/8/../7/metafields/9 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE ONE/../8 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE ONE/. HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE ONE/.. HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE /..ONE HTTP/1.1~HOST~TOKEN~~
        ",
    );
}

/// The same in a third product in the same spring, with the dots escaped.
#[test]
fn heimdall_cve_2026_42274_escaped_dot_segments_match_no_rule() {
    check_table(
        "escaped dot segments",
        r"
        404:unknown_route open DELETE ONE/%2e%2e/8 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE ONE/.%2E/8 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE ONE%2f..%2f8 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE ONE/%252e%252e/8 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE /%2e%2eONE HTTP/1.1~HOST~TOKEN~~
        ",
    );
}

/// `%2F`, `%5C` and `//` passed the rules for paths, and the backend normalised them.
#[test]
fn envoy_cve_2021_29492_escaped_separators_are_refused() {
    check_table(
        "escaped separators",
        r"
        404:unknown_route open DELETE /stores/abc123/v3/customers/7%2Fmetafields/9 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE /stores/abc123/v3/customers/7%2fmetafields/9 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE /stores/abc123/v3/customers/7%5Cmetafields/9 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE /stores/abc123/v3/customers/7%5cmetafields/9 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE /stores/abc123/v3/customers/7\\metafields/9 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE /stores/abc123/v3/customers//7/metafields/9 HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE /stores/abc123/v3/customers/7/metafields//9 HTTP/1.1~HOST~TOKEN~~
        ",
    );
}

/// Rules that allow a path matched the text of the query.
#[test]
fn oauth2_proxy_ghsa_7rh7_c77v_6434_a_query_is_no_path() {
    check_table(
        "queries that look like paths",
        r"
        404:unknown_route     open DELETE /x?ONE HTTP/1.1~HOST~TOKEN~~
        404:unknown_route     open DELETE /?path=ONE HTTP/1.1~HOST~TOKEN~~
        404:unknown_route     open DELETE /stores/abc123/v3/orders?/../../../..ONE HTTP/1.1~HOST~TOKEN~~
        404:unknown_route     open GET /metrics?ALL HTTP/1.1~HOST~TOKEN~~
        400:malformed_query   open DELETE ONE?/livez HTTP/1.1~HOST~TOKEN~~
        400:unknown_query_key open DELETE ONE?x=/livez HTTP/1.1~HOST~TOKEN~~
        401:missing_token     open GET ONE?/livez HTTP/1.1~HOST~~
        401:missing_token     open GET ALL?page=/readyz HTTP/1.1~HOST~~
        ",
    );
}

/// Rules that allow a path matched the text of the fragment.
#[test]
fn oauth2_proxy_ghsa_pxq7_h93f_9jrg_a_fragment_is_no_path() {
    check_table(
        "fragments that look like paths",
        r"
        404:unknown_route open DELETE /x#ONE HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE /#ONE HTTP/1.1~HOST~TOKEN~~
        404:unknown_route open DELETE ONE%23/livez HTTP/1.1~HOST~TOKEN~~
        DELETE:one        open DELETE ONE#/livez HTTP/1.1~HOST~TOKEN~~
        DELETE:one        open DELETE ONE#/../8?metafieldId=8 HTTP/1.1~HOST~TOKEN~~
        401:missing_token open GET ONE#/livez HTTP/1.1~HOST~~
        ",
    );
}
