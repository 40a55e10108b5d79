//! A body is declared once as plain JSON in UTF-8, and a header section has a size.

use super::{Case, check, columns};
use crate::support::client::{ALL, CUSTOMER, ONE, Request};

/// Fields of an update with a good body, parted by ` | `.
const FIELDS: &str = r#"
    415 unsupported_media_type       Accept: */*
    415 unsupported_media_type       Content-Type:
    415 unsupported_media_type       Content-Type: text/plain
    415 unsupported_media_type       Content-Type: text/json
    415 unsupported_media_type       Content-Type: application/x-www-form-urlencoded
    415 unsupported_media_type       Content-Type: multipart/form-data; boundary=x
    415 unsupported_media_type       Content-Type: application/jsonx
    415 unsupported_media_type       Content-Type: application/json5
    415 unsupported_media_type       Content-Type: application/json-patch+json
    415 unsupported_media_type       Content-Type: application/merge-patch+json
    415 unsupported_media_type       Content-Type: application/problem+json
    415 unsupported_media_type       Content-Type: json
    415 unsupported_media_type       Content-Type: */*
    415 unsupported_media_type       Content-Type: application/json, text/plain
    415 unsupported_media_type       Content-Type: application/json;
    415 unsupported_media_type       Content-Type: application/json; charset=latin1
    415 unsupported_media_type       Content-Type: application/json; charset=utf-16
    415 unsupported_media_type       Content-Type: application/json; charset=utf8
    415 unsupported_media_type       Content-Type: application/json; charset=
    415 unsupported_media_type       Content-Type: application/json; charset
    415 unsupported_media_type       Content-Type: application/json; charset="utf-8
    415 unsupported_media_type       Content-Type: application/json; charset = utf-8
    415 unsupported_media_type       Content-Type: application/json; charset=utf-8; charset=utf-7
    415 unsupported_media_type       Content-Type: application/json; charset=utf-8; version=1
    415 unsupported_media_type       Content-Type: application/json; version=1
    415 unsupported_media_type       Content-Type: application/json | Content-Type: application/json
    415 unsupported_media_type       Content-Type: application/json | Content-Type: text/plain
    415 unsupported_media_type       Content-Type: application/jsön
    415 unsupported_content_encoding Content-Type: application/json | Content-Encoding: gzip
    415 unsupported_content_encoding Content-Type: application/json | Content-Encoding: br
    415 unsupported_content_encoding Content-Type: application/json | Content-Encoding: identity
    415 unsupported_content_encoding Content-Type: application/json | Content-Encoding: identity, gzip
    415 unsupported_content_encoding Content-Type: application/json | Content-Encoding:
"#;

#[test]
fn bodies_are_declared_as_plain_json() {
    let cases: Vec<Case> = columns(FIELDS)
        .map(|[status, code, fields]| {
            let begin = Request::update("{}").without("Content-Type");
            let request = fields.split(" | ").fold(begin, |request, field| {
                let (name, value) = field.split_once(':').expect("a field");
                request.with(name, value.trim())
            });
            Case::new(status, code, &request)
        })
        .collect();
    check(|setup| setup, &cases);
}

#[test]
fn every_operation_with_a_body_declares_it() {
    let cases = [
        ("PUT", ALL),
        ("POST", CUSTOMER),
        ("POST", ALL),
        ("DELETE", ALL),
    ]
    .map(|(method, target)| {
        let request = Request::new(method, target).json("[9]");
        let request = request.instead("Content-Type", "text/plain");
        Case::new("415", "unsupported_media_type", &request)
    });
    check(|setup| setup, &cases);
}

#[test]
fn a_header_section_over_the_limit_is_refused() {
    let padded = |request: Request, size: usize| {
        let known: usize = request
            .fields
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        request.with("X-P", &"x".repeat(size - known - 7))
    };
    let get = || Request::new("GET", ONE);
    let limit = 16 * 1024;
    let cases = [
        Case::new("431", "headers_too_large", &padded(get(), limit + 1)),
        Case::new(
            "431",
            "headers_too_large",
            &padded(Request::update("{}").with("Content-Length", "2"), limit + 1),
        ),
        Case::new("431", "headers_too_large", &padded(get(), 2 * limit)),
        Case::new(
            "431",
            "headers_too_large",
            &(0..90).fold(get(), |request, _| request.with("Cookie", &"c".repeat(190))),
        ),
        // Just within the limit, the next step answers.
        Case::new(
            "415",
            "unsupported_media_type",
            &padded(
                Request::update("{}")
                    .without("Content-Type")
                    .with("Content-Length", "2"),
                limit,
            ),
        ),
    ];
    check(|setup| setup.with("limits.headers = \"16KiB\""), &cases);
}
