//! Strict JSON: what a lenient parser could read in another way is refused (contract section 3).

use super::{Case, check, columns, place};
use crate::support::client::Request;

/// Status, code, method, path, body.
const BODIES: &str = r#"
    400 malformed_json PUT    one
    400 malformed_json PUT    all
    400 malformed_json POST   customer
    400 malformed_json POST   all
    400 malformed_json PUT    one {
    400 malformed_json PUT    one }
    400 malformed_json PUT    one {}x
    400 malformed_json PUT    one {} {}
    400 malformed_json PUT    one {},{}
    400 malformed_json PUT    one {},
    400 malformed_json PUT    one {"value":"v",}
    400 malformed_json PUT    one {,"value":"v"}
    400 malformed_json PUT    one {"value"}
    400 malformed_json PUT    one {"value" "v"}
    400 malformed_json PUT    one {"value":}
    400 malformed_json PUT    one {"value":"v"
    400 malformed_json PUT    one {"value":"v
    400 malformed_json PUT    one {value:"v"}
    400 malformed_json PUT    one {'value':'v'}
    400 malformed_json PUT    one {"value":'v'}
    400 malformed_json PUT    one {"value":"v";"key":"k"}
    400 malformed_json PUT    one {"value":"v"}//
    400 malformed_json PUT    one /**/{}
    400 malformed_json PUT    one {"id":09}
    400 malformed_json PUT    one {"id":+9}
    400 malformed_json PUT    one {"id":0x9}
    400 malformed_json PUT    one {"id":9.}
    400 malformed_json PUT    one {"id":.9}
    400 malformed_json PUT    one {"id":9e}
    400 malformed_json PUT    one {"id":NaN}
    400 malformed_json PUT    one {"id":Infinity}
    400 malformed_json PUT    one {"value":nul}
    400 malformed_json PUT    one {"value":True}
    400 malformed_json PUT    one {"value":undefined}
    400 malformed_json PUT    one {"value":"\x41"}
    400 malformed_json PUT    one {"value":"\u12"}
    400 malformed_json PUT    one {"value":"\u{41}"}
    400 malformed_json PUT    one {"value":"\'"}
    400 malformed_json PUT    one {"value":"\ud800"}
    400 malformed_json PUT    one {"value":"\udc00"}
    400 malformed_json PUT    one {"value":"\udc00\ud800"}
    400 malformed_json PUT    one {"value":"\ud83d\u0041"}
    400 malformed_json PUT    one {"value":"\ud83d\ud83d"}
    400 malformed_json PUT    one {"\ud800":1}
    400 malformed_json PUT    one {"permission_set\ud800":"write"}
    400 malformed_json PUT    one [
    400 malformed_json PUT    all [{"id":9}
    400 malformed_json PUT    all [{"id":9},]
    400 malformed_json PUT    all [{"id":9}]]
    400 malformed_json PUT    all [{"id":9} {"id":10}]
    400 malformed_json POST   all [,]
    400 malformed_json DELETE all [9
    400 malformed_json DELETE all [9,]
    400 malformed_json DELETE all 9]
    400 malformed_json DELETE all [9]x
    400 malformed_json DELETE all {
    400 duplicate_key  PUT    one {"permission_set":"read","permission_set":"read"}
    400 duplicate_key  PUT    one {"permission_set":"read","permission_set":"write"}
    400 duplicate_key  PUT    one {"permission_set":"read","permission\u005fset":"write"}
    400 duplicate_key  PUT    one {"\u0070ermission_set":"read","permission_set":"write"}
    400 duplicate_key  PUT    one {"permission_set":"read","value":"v","permission_set":"write"}
    400 duplicate_key  PUT    one {"permission_set":"admin","permission_set":"read"}
    400 duplicate_key  PUT    one {"value":"v","v\u0061lue":"w"}
    400 duplicate_key  PUT    one {"x":1,"x":2}
    400 duplicate_key  PUT    one {"x":{"y":1,"y":2}}
    400 duplicate_key  PUT    one {"value":[[{"y":1,"\u0079":2}]]}
    400 duplicate_key  PUT    one {"x":1,"permission_set":{"a":1,"a":1}}
    400 duplicate_key  PUT    one {"\/":1,"/":2}
    400 duplicate_key  PUT    one {"\ud83d\ude00":1,"😀":2}
    400 duplicate_key  PUT    all [{"id":1},{"id":2,"id":2}]
    400 duplicate_key  POST   customer {"key":"k","key":"k"}
    400 duplicate_key  POST   all [{"a":{"b":1,"b":1}}]
    400 duplicate_key  DELETE all [{"a":1,"a":1}]
    400 duplicate_key  DELETE all {"id":1,"id":1}
    400 wrong_shape    PUT    one []
    400 wrong_shape    PUT    one [{}]
    400 wrong_shape    PUT    one null
    400 wrong_shape    PUT    one true
    400 wrong_shape    PUT    one 9
    400 wrong_shape    PUT    one "{}"
    400 wrong_shape    POST   customer []
    400 wrong_shape    POST   customer "x"
    400 wrong_shape    PUT    all {}
    400 wrong_shape    PUT    all {"id":9}
    400 wrong_shape    PUT    all null
    400 wrong_shape    POST   all {"data":[]}
    400 wrong_shape    POST   all "[]"
    400 wrong_shape    POST   all 0
"#;

/// Bodies that no text holds: control characters, other encodings, broken UTF-8.
const BYTES: &[&[u8]] = &[
    b" \t\r\n",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\0}\0",
    b"\0{\0}",
    b"\0",
    b"{}\0",
    b"{\0}",
    b"{}\x0b",
    b"\x0c{}",
    b"{\xc2\xa0}",
    b"{\"value\":\"\xff\"}",
    b"{\"value\":\"\xc0\x80\"}",
    b"{\"value\":\"\xc1\xa1\"}",
    b"{\"value\":\"\xed\xa0\x80\"}",
    b"{\"value\":\"\xf4\x90\x80\x80\"}",
    b"{\"value\":\"\xe2\x82\"}",
    b"{\"valu\xe9\":\"v\"}",
    b"{\"value\":\"a\tb\"}",
    b"{\"value\":\"a\nb\"}",
    b"{\"value\":\"a\0b\"}",
    b"{\"value\":\"a\x1fb\"}",
    b"{\"val\nue\":\"v\"}",
];

#[test]
fn what_is_not_strict_is_refused() {
    let cases: Vec<Case> = columns(BODIES)
        .map(|[status, code, method, target, body]| {
            Case::new(
                status,
                code,
                &Request::new(method, &place(target)).json(body),
            )
        })
        .collect();
    check(|setup| setup, &cases);
}

#[test]
fn what_is_no_text_is_refused() {
    let cases: Vec<Case> = BYTES
        .iter()
        .map(|body| Case::new("400", "malformed_json", &Request::update(*body)))
        .collect();
    check(|setup| setup, &cases);
}

#[test]
fn nesting_ends_at_32() {
    let nested = |levels: usize| {
        let inner = "[".repeat(levels - 1) + &"]".repeat(levels - 1);
        format!("{{\"x\":{inner}}}")
    };
    let objects = |levels: usize| "{\"x\":".repeat(levels) + "1" + &"}".repeat(levels);
    let put = |target: &str, body: String| Request::new("PUT", &place(target)).json(body);
    let cases = [
        // Within the limit it is only a field that metafields do not have.
        Case::new("422", "unknown_field", &put("one", nested(32))),
        Case::new("422", "unknown_field", &put("one", objects(32))),
        Case::new("400", "malformed_json", &put("one", nested(33))),
        Case::new("400", "malformed_json", &put("one", objects(33))),
        Case::new("400", "malformed_json", &put("one", nested(200_000))),
        Case::new("400", "malformed_json", &put("one", "[".repeat(200_000))),
        Case::new(
            "400",
            "malformed_json",
            &put("all", format!("[{}]", nested(32))),
        ),
        Case::new(
            "400",
            "malformed_json",
            &put("all", "[".repeat(33) + &"]".repeat(33)),
        ),
    ];
    check(|setup| setup, &cases);
    check(
        |setup| setup.with("policy.unknown_fields = \"forward\""),
        &[Case::new("400", "malformed_json", &put("one", nested(33)))],
    );
}
