//! Bodies that were judged in part, in another form, or not at all.

use super::super::{Bench, Case, Expected, Sent, tell};
use super::run;
use super::ways::{TOLD, Told, http2};
use crate::support::client::{ALL, CUSTOMER, Client, ONE, Request};
use crate::support::gateway::LIMITED;

/// The bounds of the matrix: one for a single metafield and one for a batch.
const SMALL: &str = "limits.body = \"2KiB\"\nlimits.batch_body = \"2KiB\"";
const LIMIT: usize = 2048;

/// A body of a route with this permission set at its end, as long as this.
fn body(target: &str, permission_set: &str, length: usize) -> String {
    let (begin, end) = if target == ALL {
        ("[{\"id\":9,", "}]")
    } else {
        ("{", "}")
    };
    let begin = format!("{begin}\"value\":\"");
    let end = format!("\",\"permission_set\":\"{permission_set}\"{end}");
    format!(
        "{begin}{}{end}",
        "v".repeat(length - begin.len() - end.len())
    )
}

/// Policy saw an empty body where the request was chunked, then where it was too large, then in a
/// workaround; the whole body was forwarded each time (also GHSA-8qqm-fp2q-v734 and CVE-2026-86043).
#[test]
fn skipper_cve_2026_50197_a_body_that_was_not_seen_is_refused() {
    let mut bench = Bench::new(SMALL);
    let mut count = 0;
    for target in [ONE, ALL] {
        for told in TOLD {
            for length in [LIMIT - 1, LIMIT, LIMIT + 1, 20 * LIMIT] {
                for permission_set in ["read", "everyone"] {
                    let body = body(target, permission_set, length);
                    let expected = match (length > LIMIT, permission_set) {
                        (true, _) => Expected::parse("413:body_too_large"),
                        (false, "read") => Expected::Served(Sent::new("PUT", target, Some(&body))),
                        (false, _) => Expected::parse("422:invalid_permission_set"),
                    };
                    let request = Request::new("PUT", target).json(body);
                    let title = format!("{target} {permission_set} {length}");
                    told.send(&mut bench, &title, &request, &expected);
                    count += 1;
                }
            }
        }
    }
    bench.finish();
    tell("advisories, bodies by length and framing", count);
}

/// The same: no body is no permission where one belongs.
#[test]
fn skipper_cve_2026_50197_no_body_is_no_permission() {
    let mut bench = Bench::new(SMALL);
    for (method, target) in [
        ("PUT", ONE),
        ("PUT", ALL),
        ("POST", CUSTOMER),
        ("POST", ALL),
        ("DELETE", ALL),
    ] {
        let title = format!("{method} {target}");
        // No ids at all would delete everything.
        let refusal = match method {
            "DELETE" => "422:invalid_field",
            _ => "400:malformed_json",
        };
        let refused = Expected::parse(refusal);
        let request = Request::new(method, target);
        let empty = request.clone().json("");
        for told in TOLD {
            told.send(&mut bench, &title, &empty, &refused);
        }
        run(&mut bench, refusal, &request);
        run(
            &mut bench,
            refusal,
            &request.clone().with("Content-Length", "0"),
        );
        let answer = http2(&bench).exchange(&request);
        bench.judge(&title, &refused, &answer);
        bench.compare(&title);
    }
    bench.finish();
}

/// Conditions looked at the first 16 KiB and at text instead of JSON; the whole body was forwarded.
#[test]
fn onecli_condition_match_no_prefix_and_no_text_is_judged() {
    let mut bench = Bench::new("policy.ownership = \"named\"");
    for length in [100, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 1000 * 1024] {
        for (field, code) in [
            (r#""permission_set":"write""#, "403:permission_set_denied"),
            (
                r#""permission_set":"\u0077rite""#,
                "403:permission_set_denied",
            ),
            (
                r#""permission\u005fset":"write""#,
                "403:permission_set_denied",
            ),
            (
                r#""\u0070\u0065rmission_set":"writ\u0065""#,
                "403:permission_set_denied",
            ),
            (r#""namesp\u0061ce":"erp""#, "403:namespace_denied"),
            (r#""permission_set":"WRITE""#, "422:invalid_permission_set"),
        ] {
            let space = " ".repeat(length);
            let namespace = if field.contains("erp") {
                ""
            } else {
                "\"namespace\":\"crm\","
            };
            let body = format!("{{{namespace}{space}{field}}}");
            let request = Request::update(body).instead("X-Auth-Token", LIMITED);
            run(&mut bench, code, &request);
        }
        let body = format!(
            "{{\"namespace\":\"crm\",{}\"permission_set\":\"read\"}}",
            " ".repeat(length)
        );
        let request = Request::update(body.clone()).instead("X-Auth-Token", LIMITED);
        let mut case = Case::new("-", "open", request.to_bytes());
        case.answers
            .push(Expected::Served(Sent::new("PUT", ONE, Some(&body))));
        bench.run(&case);
    }
    bench.finish();
}

/// A body over 1 MiB was cut without a word, and its beginning went upstream.
#[test]
fn iron_proxy_body_go_a_body_is_never_cut() {
    let mut bench = Bench::new("");
    let mebibyte = 1024 * 1024;
    let padded = |length: usize| format!("{}{}", "{\"value\":\"v\"}", " ".repeat(length - 13));
    for told in [Told::ByLength, Told::ByChunks(65_536), Told::OverHttp2] {
        let whole = padded(mebibyte);
        let served = Expected::Served(Sent::new("PUT", ONE, Some(&whole)));
        told.send(&mut bench, "at the limit", &Request::update(whole), &served);
        let refused = Expected::parse("413:body_too_large");
        for length in [mebibyte + 1, 2 * mebibyte] {
            let request = Request::update(padded(length));
            told.send(&mut bench, "over the limit", &request, &refused);
        }
    }
    bench.finish();
}

/// The authoriser was called with parts of a body, several times a request; a limit counted on routes
/// where it should not.
#[test]
fn envoy_6487_13260_7404_one_decision_on_one_whole_body() {
    let mut bench = Bench::new("");
    let request = Request::update(r#"{"namespace":"crm","permission_set":"read"}"#);
    let body = String::from_utf8(request.body.clone().expect("a body")).expect("UTF-8");
    for bytes in [request.to_bytes(), request.chunked(2)] {
        let mut client = bench.gateway.connect();
        for piece in bytes.chunks(5) {
            client.send(piece);
        }
        let answer = client.answer();
        let served = Expected::Served(Sent::new("PUT", ONE, Some(&body)));
        bench.judge("in pieces", &served, &answer);
        bench.compare("in pieces");
    }
    let large = || " ".repeat(1024 * 1024 + 1);
    let by_length = |target: &str| Request::new("PUT", target).json(large());
    let answer = bench.gateway.exchange(&by_length(ONE));
    bench.judge("one", &Expected::parse("413:body_too_large"), &answer);
    let answer = bench.gateway.exchange(&by_length(ALL));
    bench.judge("all", &Expected::parse("400:malformed_json"), &answer);
    bench.compare("limits by route");
    let lines = bench.gateway.stop();
    assert_eq!(lines.len(), 4, "a decision each");
}

/// Of two equal keys the last counted, so that the first, which was judged, was not the one in force.
#[test]
fn envoy_45202_duplicate_keys_are_refused() {
    for settings in ["", "policy.unknown_fields = \"forward\""] {
        let mut bench = Bench::new(settings);
        for body in [
            r#"{"permission_set":"read","permission_set":"write"}"#,
            r#"{"permission_set":"read","permission_set":"read"}"#,
            r#"{"permission_set":"read","permission\u005fset":"write"}"#,
            r#"{"permission_set":"read","\u0070ermission_set":"write"}"#,
            r#"{"id":9,"value":"v","id":8}"#,
            r#"{"namespace":"crm","key":"k","namespace":"erp"}"#,
        ] {
            run(&mut bench, "400:duplicate_key", &Request::update(body));
            let item = body
                .replace("{\"", "{\"id\":9,\"")
                .replace("\"id\":9,\"id\":9", "\"id\":9");
            let batch = format!("[{{\"id\":7}},{item}]");
            run(
                &mut bench,
                "400:duplicate_key",
                &Request::new("PUT", ALL).json(batch),
            );
        }
        let nested = r#"{"x":{"y":[{"a":1,"\u0061":2}]}}"#;
        run(&mut bench, "400:duplicate_key", &Request::update(nested));
        bench.finish();
    }
}

/// Types with parameters were read wrong, and writing the JSON anew lost digits of large numbers.
#[test]
fn apisix_11687_13280_the_bytes_that_were_judged_are_sent() {
    let mut bench = Bench::new("policy.unknown_fields = \"forward\"");
    for body in [
        r#"{"x":123456789012345678901234567890123456789.10e2}"#,
        r#"{"x":1e300,"y":-0.0,"z":0.1000}"#,
        r#"{"x":18446744073709551617}"#,
        "{ \t\r\n\"value\" :\t\"v\" }\r\n",
        r#"{"value":"\u0041\/\u00e4\ud83d\ude00"}"#,
        "{\"value\":\"\u{e4}\u{1f600}\u{2028}\"}",
        r#"{"key":"k","value":"v","id":9}"#,
    ] {
        for media in [
            "application/json",
            "application/json;charset=utf-8",
            "Application/JSON ; Charset=\"UTF-8\"",
        ] {
            let request = Request::update(body).instead("Content-Type", media);
            let mut case = Case::new("-", "open", request.to_bytes());
            case.answers
                .push(Expected::Served(Sent::new("PUT", ONE, Some(body))));
            bench.run(&case);
        }
    }
    bench.finish();
}

/// A body was read without a bound.
#[test]
fn authorino_298_a_body_without_end_is_cut_off() {
    let mut bench = Bench::new(SMALL);
    let mut client: Client = bench.gateway.connect();
    let mut bytes = Request::update("").chunked(1);
    bytes.truncate(bytes.len() - "0\r\n\r\n".len());
    // Three chunks and no end.
    bytes.extend(
        format!("400\r\n{}\r\n", " ".repeat(1024))
            .repeat(3)
            .into_bytes(),
    );
    client.send(bytes);
    let answer = client.answer();
    bench.judge(
        "without end",
        &Expected::parse("413:body_too_large"),
        &answer,
    );
    assert!(client.is_closed());
    bench.finish();
}

/// Users asked for rules on fields of a JSON body, and for several rules that must all agree.
#[test]
fn oathkeeper_964_1194_every_rule_must_agree() {
    let mut bench = Bench::new("policy.ownership = \"named\"");
    for (answer, body) in [
        (
            "403:namespace_denied",
            r#"{"namespace":"erp","permission_set":"read"}"#,
        ),
        (
            "403:permission_set_denied",
            r#"{"namespace":"crm","permission_set":"write"}"#,
        ),
        ("403:namespace_denied", r#"{"permission_set":"read"}"#),
        ("403:namespace_denied", r#"{"namespace":"crmx"}"#),
        (
            "422:invalid_permission_set",
            r#"{"namespace":"crm","permission_set":"all"}"#,
        ),
        (
            "PUT:one:{\"namespace\":\"crm.a\"}",
            r#"{"namespace":"crm.a"}"#,
        ),
        ("PUT:one:{\"namespace\":\"crm\"}", r#"{"namespace":"crm"}"#),
    ] {
        let request = Request::update(body).instead("X-Auth-Token", LIMITED);
        run(&mut bench, answer, &request);
        let other = Request::new("POST", CUSTOMER).json(body);
        let other = other.instead("X-Auth-Token", LIMITED);
        run(&mut bench, "403:operation_denied", &other);
    }
    bench.finish();
}
