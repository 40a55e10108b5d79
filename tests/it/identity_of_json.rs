//! Whatever the gateway forwards, every other reading of the same bytes finds the same ids and only
//! permission sets that are allowed: bodies made of what parsers disagree about.

use crate::support::readings::check_readings;
use bytes::Bytes;
use http::Method;
use metafield_gateway::policy::vocabulary::Scope;
use metafield_gateway::policy::{Grants, Item, Reported, Route, Rules, UnknownFields, permit};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;

/// Names as a body may spell them: right, escaped, in another case, and imitated.
const KEYS: [&str; 26] = [
    r#""permission_set""#,
    r#""permission_\u0073et""#,
    r#""\u0070ermission_set""#,
    r#""Permission_Set""#,
    r#""permissionSet""#,
    r#""permission-set""#,
    "'permission_set'",
    "permission_set",
    r#""permission_set ""#,
    r#""id""#,
    r#""i\u0064""#,
    r#""ID""#,
    r#""i_d""#,
    r#""namespace""#,
    r#""name\u0073pace""#,
    r#""NameSpace""#,
    r#""key""#,
    r#""\u212Aey""#,
    r#""value""#,
    r#""description""#,
    r#""resource_id""#,
    r#""resource_type""#,
    r#""date_created""#,
    r#""colour""#,
    r#""""#,
    r#""\ud800""#,
];

/// Values, right and wrong for one field or another.
const VALUES: [&str; 30] = [
    r#""app_only""#,
    r#""read""#,
    r#""write""#,
    r#""read_and_sf_access""#,
    r#""app\u005fonly""#,
    r#""APP_ONLY""#,
    r#""app_only ""#,
    r#""admin""#,
    "'write'",
    "null",
    "true",
    "NaN",
    "9",
    "7",
    "9.0",
    "9e0",
    "09",
    "-9",
    "+9",
    "0x9",
    "18446744073709551625",
    r#""9""#,
    r#""text""#,
    r#""customer""#,
    r#""\ud83d\ude00""#,
    "\"\u{1}\"",
    "[]",
    r#"[{"permission_set":"admin"}]"#,
    r#"{"id":8}"#,
    r#"{"shade":{"tone":1}}"#,
];

/// What may stand between tokens, for a reader that is lenient enough.
const GAPS: [&str; 5] = [" ", "\n", "/*,*/", "//x\n", "\u{b}"];

/// What may stand before and after a value.
const ENDS: [(&str, &str); 6] = [
    ("", ""),
    ("", ""),
    ("\u{feff}", ""),
    ("", "x"),
    ("", " {\"permission_set\":\"admin\"}"),
    (" \t", "\r\n"),
];

const OPERATIONS: [(Method, &str); 5] = [
    (Method::PUT, "7/metafields/9"),
    (Method::POST, "7/metafields"),
    (Method::PUT, "metafields"),
    (Method::POST, "metafields"),
    (Method::DELETE, "metafields"),
];

/// A good member of each operation comes first half of the time, so that much of this is accepted.
const GOOD: [&str; 5] = [
    r#""permission_set":"app_only""#,
    r#""namespace":"n","key":"k","value":"v","permission_set":"read""#,
    r#""id":9"#,
    r#""namespace":"n","key":"k","value":"v","permission_set":"read","resource_id":7"#,
    "",
];

fn gap() -> impl Strategy<Value = &'static str> {
    prop_oneof![20 => Just(""), 1 => proptest::sample::select(&GAPS[..])]
}

fn member() -> impl Strategy<Value = String> {
    let key = proptest::sample::select(&KEYS[..]);
    let value = proptest::sample::select(&VALUES[..]);
    (gap(), key, gap(), gap(), value, gap())
        .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"))
}

/// The members of one object, and whether it begins with good ones.
fn members() -> impl Strategy<Value = (bool, Vec<String>, bool)> {
    let comma = prop_oneof![9 => Just(false), 1 => Just(true)];
    (
        any::<bool>(),
        proptest::collection::vec(member(), 0..4),
        comma,
    )
}

/// The number of an operation and a body for it.
fn body() -> impl Strategy<Value = (usize, String)> {
    let objects = proptest::collection::vec(members(), 1..4);
    let ends = proptest::sample::select(&ENDS[..]);
    let id = proptest::sample::select(&VALUES[12..22]);
    let ids = proptest::collection::vec(id, 0..4);
    (0..OPERATIONS.len(), objects, ids, ends).prop_map(|(number, objects, ids, (begin, end))| {
        let object = |(good, mut members, comma): (bool, Vec<String>, bool)| {
            if good {
                members.insert(0, GOOD[number].to_owned());
            }
            format!("{{{}{}}}", members.join(","), if comma { "," } else { "" })
        };
        let objects: Vec<String> = objects.into_iter().map(object).collect();
        let value = match number {
            0 | 1 => objects[0].clone(),
            2 | 3 => format!("[{}]", objects.join(",")),
            _ => format!("[{}]", ids.join(",")),
        };
        (number, format!("{begin}{value}{end}"))
    })
}

fn check(number: usize, body: &str, unknown_fields: UnknownFields, accepted: &Cell<usize>) {
    let rules = Rules {
        unknown_fields,
        batch_items: 10,
        value_length: 100,
    };
    let grants = Grants::of_scopes(vec![Scope::Customers]);
    let (method, path) = &OPERATIONS[number];
    let path = format!("/stores/abc123/v3/customers/{path}");
    let operation = Route::parse(&path).and_then(|route| route.operation(method));
    let operation = operation.expect("an operation");
    let verb = operation.verb;
    let mut reported = Reported::default();
    let queried = permit(&grants, operation, &mut reported)
        .and_then(|permitted| permitted.query(None, &mut reported));
    let bytes = Bytes::copy_from_slice(body.as_bytes());
    let mut items: Vec<Item> = Vec::new();
    let judged = queried
        .expect("permitted")
        .body(&rules, bytes.clone(), &mut items, &mut reported);
    if let Ok(allowed) = judged {
        assert_eq!(*allowed.body(), bytes);
        check_readings(verb, &rules, &bytes, &items);
        accepted.set(accepted.get() + 1);
    }
}

#[test]
fn what_is_forwarded_has_one_reading() {
    let accepted = Cell::new(0);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(10_000)
    });
    runner
        .run(&body(), |(number, body)| {
            for unknown_fields in [UnknownFields::Refuse, UnknownFields::Forward] {
                check(number, &body, unknown_fields, &accepted);
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    // Both sides of the decision were looked at.
    assert!(
        (500..15_000).contains(&accepted.get()),
        "{}",
        accepted.get()
    );
}
