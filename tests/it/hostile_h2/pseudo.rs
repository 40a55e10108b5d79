//! Pseudo-header fields (RFC 9113 section 8.3): missing, doubled, out of place, and with values that an
//! HTTP/1.1 request line would read in another way.

use super::fields::{Change, request};
use super::{Case, check};
use Change::{First, Instead, Trailer, Whole, With, Without};

/// What the client is told, and how its request differs from an update that is allowed.
const CASES: &[(&str, &[Change])] = table! {
    ("200", &[]);
    ("reset PROTOCOL_ERROR", &[Without(":method")]);
    ("reset PROTOCOL_ERROR", &[Without(":scheme")]);
    ("reset PROTOCOL_ERROR", &[Without(":path")]);
    ("400 malformed_request", &[Without(":authority")]);
    ("200", &[Without(":authority"), With("host", "gateway.test")]);
    ("200", &[With("host", "gateway.test")]);
    ("400 malformed_request", &[With("host", "other.test")]);
    ("400 malformed_request", &[With("host", "gateway.test"), With("host", "gateway.test")]);
    ("400 malformed_request", &[With("host", "gateway.test, other.test")]);
    ("400 malformed_request", &[With("host", "")]);
    ("400 malformed_request", &[Without(":authority"), With("host", "user@gateway.test")]);
    ("reset PROTOCOL_ERROR", &[First(":method", "PUT")]);
    ("reset PROTOCOL_ERROR", &[First(":method", "GET")]);
    ("reset PROTOCOL_ERROR", &[First(":scheme", "http")]);
    ("reset PROTOCOL_ERROR", &[First(":path", "/")]);
    ("reset PROTOCOL_ERROR", &[First(":authority", "gateway.test")]);
    ("reset PROTOCOL_ERROR", &[First(":status", "200")]);
    ("goaway PROTOCOL_ERROR", &[First(":other", "1")]);
    ("goaway PROTOCOL_ERROR", &[First(":", "1")]);
    ("goaway PROTOCOL_ERROR", &[First(":Method", "PUT")]);
    ("goaway PROTOCOL_ERROR", &[First(":path:", "/")]);
    ("reset PROTOCOL_ERROR", &[First(":protocol", "websocket")]);
    ("reset PROTOCOL_ERROR", &[Without(":path"), With(":path", crate::support::client::ONE)]);
    ("reset PROTOCOL_ERROR", &[With(":authority", "gateway.test")]);
    ("reset PROTOCOL_ERROR", &[First("x-first", "1")]);
    ("goaway PROTOCOL_ERROR", &[Instead(":method", "")]);
    ("405 method_not_allowed", &[Instead(":method", "put")]);
    ("goaway PROTOCOL_ERROR", &[Instead(":method", "PU T")]);
    ("goaway PROTOCOL_ERROR", &[Instead(":method", "PUT / HTTP/1.1\r\nX: ")]);
    ("goaway PROTOCOL_ERROR", &[Instead(":method", "PUT\0")]);
    ("405 method_not_allowed", &[Instead(":method", "PRI")]);
    ("400 malformed_request", &[Instead(":scheme", "")]);
    ("200", &[Instead(":scheme", "https")]);
    ("400 malformed_request", &[Instead(":scheme", "HTTP")]);
    ("400 malformed_request", &[Instead(":scheme", "ftp")]);
    ("reset PROTOCOL_ERROR", &[Instead(":scheme", "http://other.test/")]);
    ("reset PROTOCOL_ERROR", &[Instead(":scheme", "ht tp")]);
    ("200", &[Without(":authority"), Instead(":scheme", "ftp"), With("host", "gateway.test")]);
    ("reset PROTOCOL_ERROR", &[Instead(":authority", "")]);
    ("400 malformed_request", &[Instead(":authority", "user@gateway.test")]);
    ("400 malformed_request", &[Instead(":authority", "user:pass@gateway.test")]);
    ("400 malformed_request", &[Instead(":authority", "gateway.test:x")]);
    ("reset PROTOCOL_ERROR", &[Instead(":authority", "gateway.test, other.test")]);
    ("reset PROTOCOL_ERROR", &[Instead(":authority", "gateway.test/x")]);
    ("reset PROTOCOL_ERROR", &[Instead(":authority", "gateway.test\r\nx-auth-token: x")]);
    ("400 malformed_request", &[Instead(":authority", "[::1]x")]);
    ("200", &[Instead(":authority", "[::1]:8080")]);
    ("reset PROTOCOL_ERROR", &[Instead(":path", "")]);
    ("404 unknown_route", &[Instead(":path", "*")]);
    ("reset PROTOCOL_ERROR", &[Instead(":path", "stores/abc123/v3/customers/7/metafields/9")]);
    ("reset PROTOCOL_ERROR", &[Instead(":path", "http://gateway.test/stores/abc123/v3/customers/7/metafields/9")]);
    ("404 unknown_route", &[Instead(":path", "//gateway.test/stores/abc123/v3/customers/7/metafields/9")]);
    ("200", &[Instead(":path", "/stores/abc123/v3/customers/7/metafields/9#x")]);
    ("200", &[Instead(":path", "/stores/abc123/v3/customers/7/metafields/9#/../10")]);
    ("reset PROTOCOL_ERROR", &[Instead(":path", "/stores/abc123/v3/customers/7/metafields/9 ")]);
    ("reset PROTOCOL_ERROR", &[Instead(":path", "/stores/abc123/v3/customers/7/metafields/9 HTTP/1.1")]);
    ("reset PROTOCOL_ERROR", &[Instead(":path", "/stores/abc123/v3/customers/7/metafields/9\r\nx-auth-token: x")]);
    ("reset PROTOCOL_ERROR", &[Instead(":path", "/stores/abc123/v3/customers/7/metafields/9\0")]);
    ("404 unknown_route", &[Instead(":path", "/stores/abc123/v3/customers/7/metafields/9\u{e9}")]);
    ("400 malformed_query", &[Instead(":path", "/stores/abc123/v3/customers/7/metafields/9?metafieldId=10")]);
    ("404 unknown_route", &[Instead(":path", "/stores/abc123/v3/customers/7/metafields/%39")]);
    ("404 unknown_route", &[Instead(":path", "/stores/abc123/v3/customers/7/metafields/../metafields/9")]);
    ("400 malformed_request", &[Instead(":method", "CONNECT"), Without(":scheme"), Without(":path"), Whole]);
    ("400 malformed_request", &[Instead(":method", "CONNECT"), Without(":scheme"), Without(":path")]);
    ("reset PROTOCOL_ERROR", &[Instead(":method", "CONNECT"), Whole]);
    ("reset PROTOCOL_ERROR", &[Instead(":method", "CONNECT"), First(":protocol", "websocket"), Whole]);
    ("closed", &[Instead(":method", "CONNECT"), Without(":scheme"), Without(":path"), With("content-length", "2")]);
    ("200", &[Trailer(":path", "/")]);
    ("200", &[Trailer(":method", "GET")]);
    ("200", &[Trailer(":status", "200")]);
    ("goaway PROTOCOL_ERROR (client_gone)", &[Trailer(":other", "1")]);
};

#[test]
fn pseudo_header_fields_say_one_thing_once() {
    let cases: Vec<Case> = CASES
        .iter()
        .map(|(expected, changes)| request(expected, changes))
        .collect();
    check("pseudo-header fields", &cases);
}
