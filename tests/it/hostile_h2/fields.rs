//! Fields, bodies and trailers: what HTTP/2 forbids (RFC 9113 section 8.2), what would mean something
//! else to an HTTP/1.1 server, and what must not go through.

use super::{Case, check, data, headers, ordinary};
use crate::support::frames::{END_STREAM, block};
use crate::support::gateway::{READER, WRITER};
use Change::{Body, Bytes, Instead, Trailer, Whole, With, Without};

/// How a request differs from an update that is allowed.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// One more field behind the others.
    With(&'static str, &'static str),
    /// The same with bytes that are no text.
    Bytes(&'static [u8], &'static [u8]),
    /// One more field before the others.
    First(&'static str, &'static str),
    /// Not this field.
    Without(&'static str),
    /// Another value of this field.
    Instead(&'static str, &'static str),
    /// Another body.
    Body(&'static str),
    /// A field behind the body.
    Trailer(&'static str, &'static str),
    /// The head is the whole request.
    Whole,
}

/// A case of this request on stream 1.
pub fn request(expected: &str, changes: &[Change]) -> Case {
    let owned = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    let mut fields: Vec<_> = ordinary("PUT")
        .iter()
        .chain(&[("content-type", "application/json")])
        .map(|(name, value)| owned(name.as_bytes(), value.as_bytes()))
        .collect();
    let (mut body, mut trailers, mut whole) = ("{}", Vec::new(), false);
    for change in changes {
        match change {
            With(name, value) => fields.push(owned(name.as_bytes(), value.as_bytes())),
            Bytes(name, value) => fields.push(owned(name, value)),
            Change::First(name, value) => {
                fields.insert(0, owned(name.as_bytes(), value.as_bytes()));
            }
            Without(name) => fields.retain(|(found, _)| found != name.as_bytes()),
            Instead(name, value) => {
                let field = fields
                    .iter_mut()
                    .find(|(found, _)| found == name.as_bytes());
                field.expect("a field").1 = value.as_bytes().to_vec();
            }
            Body(bytes) => body = bytes,
            Trailer(name, value) => trailers.push((*name, *value)),
            Whole => whole = true,
        }
    }
    let bytes = if whole {
        headers(1, END_STREAM, &block(&fields))
    } else if trailers.is_empty() {
        [headers(1, 0, &block(&fields)), data(1, END_STREAM, body)].concat()
    } else {
        let trailers = headers(1, END_STREAM, &block(&trailers));
        [headers(1, 0, &block(&fields)), data(1, 0, body), trailers].concat()
    };
    Case {
        title: format!("{expected}: {changes:?}"),
        expected: expected.to_owned(),
        bytes,
        behind: Vec::new(),
        watched: 1,
        method: "PUT",
    }
}

/// Fields that HTTP/2 does not have, and names and values that are none.
const FORBIDDEN: &[(&str, &[Change])] = table! {
    ("reset PROTOCOL_ERROR", &[With("connection", "close")]);
    ("reset PROTOCOL_ERROR", &[With("connection", "x-auth-token")]);
    ("reset PROTOCOL_ERROR", &[With("keep-alive", "timeout=5")]);
    ("reset PROTOCOL_ERROR", &[With("proxy-connection", "keep-alive")]);
    ("reset PROTOCOL_ERROR", &[With("transfer-encoding", "chunked")]);
    ("reset PROTOCOL_ERROR", &[With("transfer-encoding", "chunked"), Body("2\r\n{}\r\n0\r\n\r\n")]);
    ("reset PROTOCOL_ERROR", &[With("transfer-encoding", "identity")]);
    ("reset PROTOCOL_ERROR", &[With("upgrade", "h2c")]);
    ("reset PROTOCOL_ERROR", &[With("te", "gzip")]);
    ("reset PROTOCOL_ERROR", &[With("te", "trailers, gzip")]);
    ("reset PROTOCOL_ERROR", &[With("te", "Trailers")]);
    ("200", &[With("te", "trailers")]);
    ("200", &[With("http2-settings", "AAMAAABkAAQAAP__")]);
    ("goaway PROTOCOL_ERROR", &[With("X-Upper", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("X-Auth-Token", READER)]);
    ("goaway PROTOCOL_ERROR", &[With("x:y", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("x-auth-token:", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("x y", "1")]);
    ("goaway PROTOCOL_ERROR", &[With(" x", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("x ", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("x\r", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("x\n", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("x: 1\r\ny", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("x\0", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("x\u{1}", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("x\u{7f}", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("x\u{e9}", "1")]);
    ("goaway PROTOCOL_ERROR", &[Bytes(b"x\xff", b"1")]);
    ("goaway PROTOCOL_ERROR", &[With("x(", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("", "1")]);
    ("goaway PROTOCOL_ERROR", &[With("", "")]);
    ("goaway PROTOCOL_ERROR", &[With("x", "a\r")]);
    ("goaway PROTOCOL_ERROR", &[With("x", "a\n")]);
    ("goaway PROTOCOL_ERROR", &[With("x", "a\r\nX-Auth-Token: canary-token-of-reader")]);
    ("goaway PROTOCOL_ERROR", &[With("x", "a\r\n\r\nGET / HTTP/1.1\r\n")]);
    ("goaway PROTOCOL_ERROR", &[With("x", "a\0b")]);
    ("goaway PROTOCOL_ERROR", &[With("x", "a\u{1}b")]);
    ("goaway PROTOCOL_ERROR", &[With("x", "a\u{7f}b")]);
    ("goaway PROTOCOL_ERROR", &[With("user-agent", "a\r\nx-auth-token: b")]);
    ("200", &[With("x", "\u{e9}")]);
    ("200", &[Bytes(b"x", b"\xff")]);
    ("200", &[With("x", " a ")]);
    ("200", &[With("x", "")]);
    ("200", &[With("x", "\ta")]);
    ("200", &[Bytes(b"user-agent", b"\xff")]);
    ("200", &[With("user-agent", "a"), With("user-agent", "b")]);
};

/// The caller's token in more than one place, or not quite.
const TOKENS: &[(&str, &[Change])] = table! {
    ("401 missing_token", &[Without("x-auth-token")]);
    ("400 ambiguous_credentials", &[With("x-auth-token", WRITER)]);
    ("400 ambiguous_credentials", &[With("x-auth-token", READER)]);
    ("400 ambiguous_credentials", &[With("x-auth-token", "")]);
    ("400 ambiguous_credentials", &[With("authorization", "Bearer canary-token-of-reader")]);
    ("400 ambiguous_credentials", &[With("authorization", "")]);
    ("401 invalid_token", &[Instead("x-auth-token", "canary-token-of-writer, canary-token-of-reader")]);
    ("401 invalid_token", &[Instead("x-auth-token", " canary-token-of-writer")]);
    ("401 invalid_token", &[Instead("x-auth-token", "canary-token-of-writer\t")]);
    ("401 invalid_token", &[Instead("x-auth-token", "")]);
    ("goaway PROTOCOL_ERROR", &[Instead("x-auth-token", "canary-token-of-writer\r\n")]);
    ("goaway PROTOCOL_ERROR", &[Instead("x-auth-token", "canary-token-of-writer\0")]);
    ("403 scope_denied", &[Instead("x-auth-token", "canary-token-of-reader")]);
    ("200", &[Without("x-auth-token"), With("authorization", "Bearer canary-token-of-writer")]);
    ("401 missing_token", &[Without("x-auth-token"), With("x_auth_token", WRITER)]);
    ("200", &[With("x_auth_token", READER)]);
    ("200", &[With("x-auth-token-", READER)]);
    ("200", &[With("proxy-authorization", "Bearer canary-token-of-reader")]);
    ("200", &[With("x-auth-client", "client")]);
};

/// Bodies that are not what their head says, and trailers.
const BODIES: &[(&str, &[Change])] = table! {
    ("reset PROTOCOL_ERROR (client_gone)", &[Instead(":method", "GET"), With("content-length", "0")]);
    ("reset PROTOCOL_ERROR (client_gone)", &[Instead(":method", "DELETE"), With("content-length", "0")]);
    ("400 malformed_request", &[Instead(":method", "DELETE")]);
    ("400 malformed_request", &[Instead(":method", "DELETE"), With("content-length", "2")]);
    ("200", &[With("content-length", "2")]);
    ("400 malformed_request", &[With("content-length", "2"), With("content-length", "2")]);
    ("200", &[With("content-length", "02")]);
    ("reset PROTOCOL_ERROR (client_gone)", &[With("content-length", "1")]);
    ("reset PROTOCOL_ERROR (client_gone)", &[With("content-length", "0")]);
    ("reset PROTOCOL_ERROR (client_gone)", &[With("content-length", "3")]);
    ("reset PROTOCOL_ERROR", &[With("content-length", "-2")]);
    ("reset PROTOCOL_ERROR", &[With("content-length", "+2")]);
    ("reset PROTOCOL_ERROR", &[With("content-length", " 2")]);
    ("reset PROTOCOL_ERROR", &[With("content-length", "2 ")]);
    ("reset PROTOCOL_ERROR", &[With("content-length", "2, 2")]);
    ("reset PROTOCOL_ERROR", &[With("content-length", "0x2")]);
    ("reset PROTOCOL_ERROR (client_gone)", &[With("content-length", "")]);
    ("reset PROTOCOL_ERROR", &[With("content-length", "18446744073709551618")]);
    ("reset PROTOCOL_ERROR (client_gone)", &[With("content-length", "9223372036854775807")]);
    ("reset PROTOCOL_ERROR", &[With("content-length", "2"), With("content-length", "3")]);
    ("reset PROTOCOL_ERROR", &[With("content-length", "3"), With("content-length", "2")]);
    ("reset PROTOCOL_ERROR", &[With("content-length", "2"), Whole]);
    ("400 malformed_json", &[With("content-length", "0"), Whole]);
    ("400 malformed_json", &[Whole]);
    ("400 malformed_json", &[Body("{}{}")]);
    ("400 malformed_json", &[Body("")]);
    ("400 malformed_json", &[With("content-length", "0"), Body("")]);
    ("reset PROTOCOL_ERROR (client_gone)", &[With("content-length", "2"), Trailer("x", "1"), Body("{")]);
    ("200", &[With("content-length", "2"), Trailer("x", "1")]);
    ("200", &[Trailer("x-auth-token", READER)]);
    ("200", &[Trailer("authorization", "Bearer x")]);
    ("200", &[Trailer("content-length", "7")]);
    ("200", &[Trailer("content-type", "text/plain")]);
    ("200", &[Trailer("host", "other.test")]);
    ("200", &[Trailer("via", "1.1 metafield-gateway")]);
    ("reset PROTOCOL_ERROR (client_gone)", &[Trailer("transfer-encoding", "chunked")]);
    ("reset PROTOCOL_ERROR (client_gone)", &[Trailer("connection", "close")]);
    ("goaway PROTOCOL_ERROR (client_gone)", &[Trailer("X-Upper", "1")]);
    ("goaway PROTOCOL_ERROR (client_gone)", &[Trailer("x", "a\r\nb: c")]);
};

/// Fields that would make another request of it further on, none of which may reach the upstream.
const REWRITES: &[(&str, &[Change])] = table! {
    ("200", &[With("x-http-method-override", "DELETE")]);
    ("200", &[With("x-method-override", "DELETE")]);
    ("200", &[With("x-original-url", "/stores/abc123/v3/customers")]);
    ("200", &[With("x-rewrite-url", "/stores/abc123/v3/customers")]);
    ("200", &[With("x-forwarded-for", "127.0.0.1"), With("x-forwarded-host", "other.test")]);
    ("200", &[With("x-forwarded-prefix", "/x"), With("x-forwarded-proto", "https")]);
    ("200", &[With("forwarded", "for=127.0.0.1;host=other.test")]);
    ("200", &[With("x-real-ip", "127.0.0.1")]);
    ("200", &[With("cookie", "a=b"), With("cookie", "c=d"), With("cookie", "e=f")]);
    ("200", &[With("expect", "100-continue")]);
    ("200", &[With("trailer", "x-auth-token")]);
    ("200", &[With("range", "bytes=0-1")]);
    ("200", &[With("if-match", "*")]);
    ("200", &[With("origin", "http://other.test")]);
    ("200", &[With("max-forwards", "0")]);
    ("200", &[With("x-gateway-code", "forged")]);
    ("200", &[With("priority", "u=0")]);
    ("415 unsupported_content_encoding", &[With("content-encoding", "gzip")]);
    ("415 unsupported_media_type", &[With("content-type", "application/json")]);
    ("415 unsupported_media_type", &[Instead("content-type", "text/plain")]);
    ("508 loop_detected", &[With("via", "1.1 metafield-gateway")]);
    ("508 loop_detected", &[With("via", "1.0 fred, 2 Metafield-Gateway")]);
    ("200", &[With("via", "2 fred")]);
};

fn checked(group: &str, table: &[(&str, &[Change])]) {
    let cases: Vec<Case> = table
        .iter()
        .map(|(expected, changes)| request(expected, changes))
        .collect();
    check(group, &cases);
}

#[test]
fn fields_that_http2_does_not_have_are_refused() {
    checked("forbidden fields", FORBIDDEN);
}

#[test]
fn a_token_stands_once() {
    checked("tokens", TOKENS);
}

#[test]
fn a_body_is_what_its_head_says() {
    checked("bodies and trailers", BODIES);
}

#[test]
fn what_would_rewrite_the_request_stays_here() {
    checked("rewriting fields", REWRITES);
}
