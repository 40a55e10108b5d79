//! The field rules as a table: operation, body, expected outcome, a case a line.

mod grants;

use super::vocabulary::{PermissionSet, Scope};
use super::*;
use bytes::Bytes;
use http::Method;

fn everything() -> Grants {
    Grants::of_scopes(vec![Scope::Customers])
}

fn rules(unknown_fields: UnknownFields) -> Rules {
    Rules {
        unknown_fields,
        batch_items: 3,
        value_length: 65_535,
    }
}

fn judge(
    grants: &Grants,
    rules: &Rules,
    method: &str,
    place: &str,
    body: &[u8],
) -> Result<Vec<Item>, String> {
    let method = Method::from_bytes(method.as_bytes()).expect("method");
    let path = format!("/stores/abc/v3/customers/{place}");
    let operation = Route::parse(&path)
        .and_then(|route| route.operation(&method))
        .expect("operation");
    let mut items = Vec::new();
    let mut reported = Reported::default();
    permit(grants, operation, &mut reported)
        .and_then(|permitted| permitted.query(None, &mut reported))
        .and_then(|queried| {
            let body = Bytes::copy_from_slice(body);
            queried.body(rules, body, &mut items, &mut reported)
        })
        .map(|allowed| {
            assert_eq!(
                &allowed.body()[..],
                body,
                "the bytes that were judged are the bytes that are sent"
            );
            items
        })
        .map_err(|denial| {
            let text = String::from_utf8(denial.to_json()).expect("UTF-8");
            let errors = text
                .split("\"errors\":")
                .nth(1)
                .and_then(|rest| rest.split(",\"code\"").next());
            format!("{} {}", denial.code().as_str(), errors.unwrap_or_default())
        })
}

const CREATE: &str = r#""namespace":"n","key":"k","value":"v","permission_set":"app_only""#;

#[test]
fn allowed_bodies() {
    let long_value = format!(r#"{{"value":"{}"}}"#, "😀".repeat(65_535));
    let escaped_value = format!(r#"{{"value":"{}"}}"#, "\\ud83d\\ude00".repeat(65_535));
    let create = format!("{{{CREATE}}}");
    let create_batch = format!(r#"[{{{CREATE},"resource_id":7}},{{"resource_id":8,{CREATE}}}]"#);
    for (method, place, body) in [
        ("PUT", "7/metafields/9", "{}"),
        ("PUT", "7/metafields/9", " { } "),
        ("PUT", "7/metafields/9", r#"{"id":9}"#),
        (
            "PUT",
            "7/metafields/9",
            r#"{"id":9,"resource_id":7,"resource_type":"customer","permission_set":"write_and_sf_access"}"#,
        ),
        (
            "PUT",
            "7/metafields/9",
            r#"{"permission\u005fset":"\u0061pp_only"}"#,
        ),
        (
            "PUT",
            "7/metafields/9",
            r#"{"date_created":null,"date_modified":"2024-05-14T09:34:00+00:00","owner_client_id":"abc"}"#,
        ),
        ("PUT", "7/metafields/9", r#"{"description":""}"#),
        ("PUT", "7/metafields/9", &long_value),
        ("PUT", "7/metafields/9", &escaped_value),
        ("POST", "7/metafields", &create),
        ("POST", "metafields", &create_batch),
        ("POST", "metafields", "[]"),
        (
            "PUT",
            "metafields",
            r#"[{"id":1},{"id":2,"resource_id":9223372036854775807,"value":"x"}]"#,
        ),
        ("DELETE", "metafields", "[1,2,9223372036854775807]"),
    ] {
        let outcome = judge(
            &everything(),
            &rules(UnknownFields::Refuse),
            method,
            place,
            body.as_bytes(),
        );
        assert!(outcome.is_ok(), "{method} {place} {body:.80} {outcome:?}");
    }
}

/// Method, place, body and the beginning of the refusal: its code, then its `errors`.
const REFUSED: &str = r#"
PUT 7/metafields/9  => malformed_json {}
PUT 7/metafields/9 [] => wrong_shape {}
PUT 7/metafields/9 null => wrong_shape {}
PUT 7/metafields/9 "{}" => wrong_shape {}
PUT 7/metafields/9 [ => malformed_json {}
PUT 7/metafields/9 {"permission_set":"admin"} => invalid_permission_set {"permission_set":"must be one of app_only, read, write, read_and_sf_access, write_and_sf_access"}
PUT 7/metafields/9 {"permission_set":null} => invalid_permission_set
PUT 7/metafields/9 {"permission_set":1} => invalid_permission_set
PUT 7/metafields/9 {"permission_set":["read"]} => invalid_permission_set
PUT 7/metafields/9 {"permission_set":{"a":1}} => invalid_permission_set
PUT 7/metafields/9 {"permission_set":"READ"} => invalid_permission_set
PUT 7/metafields/9 {"permission_set":"read "} => invalid_permission_set
PUT 7/metafields/9 {"permission\u005fset":"admin"} => invalid_permission_set
PUT 7/metafields/9 {"permission_set":"read","permission_set":"read"} => duplicate_key {}
PUT 7/metafields/9 {"permission_set":"read","permission\u005fset":"write"} => duplicate_key {}
PUT 7/metafields/9 {"permission_set":{"permission_set":"read","permission_set":"write"}} => duplicate_key {}
PUT 7/metafields/9 {"x":1,"\u0078":1} => duplicate_key {}
PUT 7/metafields/9 {"Permission_Set":"write"} => unknown_field {"Permission_Set":"is not a field of a metafield"}
PUT 7/metafields/9 {"id":"9"} => invalid_field
PUT 7/metafields/9 {"id":9.0} => invalid_field
PUT 7/metafields/9 {"id":9e0} => invalid_field
PUT 7/metafields/9 {"id":-9} => invalid_field
PUT 7/metafields/9 {"id":0} => invalid_field
PUT 7/metafields/9 {"id":9223372036854775808} => invalid_field
PUT 7/metafields/9 {"id":10} => id_mismatch {"id":"is not the id in the path"}
PUT 7/metafields/9 {"resource_id":9} => id_mismatch
PUT 7/metafields/9 {"resource_type":"product"} => invalid_field
PUT 7/metafields/9 {"resource_type":null} => invalid_field
PUT 7/metafields/9 {"namespace":""} => invalid_field {"namespace":"must be a string of 1 to 64 characters"}
PUT 7/metafields/9 {"key":7} => invalid_field {"key":"must be a string"}
PUT 7/metafields/9 {"value":""} => invalid_field
PUT 7/metafields/9 {"value":null} => invalid_field
PUT 7/metafields/9 {"description":null} => invalid_field
PUT 7/metafields/9 {"date_created":1} => invalid_field
POST 7/metafields {} => missing_field {"namespace":"is required","key":"is required","value":"is required","permission_set":"is required"}
POST 7/metafields {"namespace":"n","key":"k","value":"v","permission_set":"app_only","id":9} => invalid_field
POST 7/metafields {"namespace":"n","key":"k","value":"v","permission_set":"app_only","resource_id":8} => id_mismatch
POST metafields {} => wrong_shape {}
POST metafields [{"namespace":"n","key":"k","value":"v","permission_set":"app_only"}] => missing_field {"0":"resource_id: is required"}
PUT metafields [{},[],7] => missing_field {"0":"id: is required","1":"must be an object","2":"must be an object"}
PUT metafields [{"id":1},{"id":1}] => invalid_field {"1":"id: stands in an earlier item too"}
PUT metafields [{"id":1},{"id":2},{"id":3},{"id":4}] => batch_too_large {}
PUT metafields [{"id":1,"permission_set":"x"},{"id":2,"y":1}] => invalid_permission_set {"0":"permission_set: must be one of app_only, read, write, read_and_sf_access, write_and_sf_access","1":"y: is not a field of a metafield"}
DELETE metafields  => invalid_field {"body":
DELETE metafields [] => invalid_field {"body":
DELETE metafields {} => invalid_field {"body":
DELETE metafields null => invalid_field {"body":
DELETE metafields [ => malformed_json {}
DELETE metafields [1,"2",3.0] => invalid_field {"1":"must be an integer from 1 to 9223372036854775807","2":"must be an integer from 1 to 9223372036854775807"}
DELETE metafields [1,1] => invalid_field
DELETE metafields [[1],{"a":1},null] => invalid_field
DELETE metafields [1,2,3,4] => batch_too_large {}
DELETE metafields [0] => invalid_field
"#;

#[test]
fn refused_bodies() {
    let mut cases: Vec<(String, String)> = REFUSED
        .trim()
        .lines()
        .map(|line| line.split_once(" => ").expect("a case"))
        .map(|(request, refusal)| (request.to_owned(), refusal.to_owned()))
        .collect();
    for (field, length) in [
        ("value", 65_536),
        ("namespace", 65),
        ("key", 65),
        ("description", 256),
    ] {
        let request = format!(
            "PUT 7/metafields/9 {{\"{field}\":\"{}\"}}",
            "a".repeat(length)
        );
        cases.push((request, "invalid_field".to_owned()));
    }
    for (request, expected) in cases {
        let mut parts = request.splitn(3, ' ');
        let mut part = || parts.next().expect("a part");
        let (method, place, body) = (part(), part(), part());
        let outcome = judge(
            &everything(),
            &rules(UnknownFields::Refuse),
            method,
            place,
            body.as_bytes(),
        );
        let refusal = outcome.expect_err(&request);
        assert!(refusal.starts_with(&expected), "{request:.80}\n{refusal}");
    }
}

#[test]
fn forwarded_unknown_fields_must_not_imitate() {
    let forward = rules(UnknownFields::Forward);
    for (body, expected) in [
        (r#"{"colour":{"shade":[1,{"deep":true}]}}"#, None),
        (r#"{"Permission_Set":"write"}"#, Some("unknown_field")),
        (r#"{"permissionSet":"write"}"#, Some("unknown_field")),
        (
            r#"{"a":{"permission_set":"admin"}}"#,
            Some("unknown_field {\"a\":\"holds the key `permission_set`"),
        ),
        (
            r#"{"a":[{"b":{"Permission-Set":"admin"}}]}"#,
            Some("unknown_field"),
        ),
        (r#"{"a":1,"b":{"x":1,"x":2}}"#, Some("duplicate_key")),
        (r#"{"\u0049D":1}"#, Some("unknown_field")),
    ] {
        let outcome = judge(
            &everything(),
            &forward,
            "PUT",
            "7/metafields/9",
            body.as_bytes(),
        );
        match expected {
            None => assert!(outcome.is_ok(), "{body} {outcome:?}"),
            Some(code) => assert!(
                outcome.as_ref().is_err_and(|text| text.starts_with(code)),
                "{body} {outcome:?}"
            ),
        }
    }
}

#[test]
fn items_tell_what_the_body_says() {
    let body = r#"{"permission_set":"read","namespace":"n\u0061me","key":"k","value":"v"}"#;
    let items = judge(
        &everything(),
        &rules(UnknownFields::Refuse),
        "PUT",
        "7/metafields/9",
        body.as_bytes(),
    );
    let items = items.expect("allowed");
    let item = items.first().expect("an item");
    assert_eq!(item.permission_set, Some(PermissionSet::Read));
    assert_eq!(item.namespace.as_deref(), Some("name"));
    assert_eq!(item.key.as_deref(), Some("k"));
}

#[test]
fn grants_narrow_what_may_be_written() {
    let grants = Grants {
        ownership: Ownership::Named,
        permission_sets: Some(vec![PermissionSet::AppOnly, PermissionSet::Read]),
        namespaces: Names::only([Pattern::Exact("crm".to_owned())]),
        ..everything()
    };
    let strict = rules(UnknownFields::Refuse);
    let put = |place: &str, body: &str| judge(&grants, &strict, "PUT", place, body.as_bytes());
    assert!(
        put(
            "7/metafields/9",
            r#"{"namespace":"crm","permission_set":"read"}"#
        )
        .is_ok()
    );
    let refusal = put(
        "7/metafields/9",
        r#"{"namespace":"crm","permission_set":"write"}"#,
    );
    assert_eq!(
        refusal,
        Err(
            r#"permission_set_denied {"permission_set":"the caller is granted app_only, read"}"#
                .to_owned()
        )
    );
    let refusal = put("7/metafields/9", r#"{"namespace":"ads"}"#);
    assert_eq!(
        refusal,
        Err(r#"namespace_denied {"namespace":"is outside the caller's grant"}"#.to_owned())
    );
    assert!(
        put("7/metafields/9", r#"{"value":"x"}"#)
            .is_err_and(|text| text.starts_with("namespace_denied"))
    );
    let refusal = put(
        "metafields",
        r#"[{"id":1,"namespace":"crm"},{"id":2,"namespace":"ads"}]"#,
    );
    assert_eq!(
        refusal,
        Err(r#"namespace_denied {"1":"namespace: is outside the caller's grant"}"#.to_owned())
    );
    // A fault of the fields answers before a grant on them.
    let refusal = put(
        "7/metafields/9",
        r#"{"namespace":"ads","permission_set":"admin"}"#,
    );
    assert!(refusal.is_err_and(|text| text.starts_with("invalid_permission_set")));
    for (method, place) in [
        ("GET", "7/metafields/9"),
        ("DELETE", "7/metafields/9"),
        ("DELETE", "metafields"),
    ] {
        let refusal = judge(&grants, &strict, method, place, b"");
        assert!(
            refusal.is_err_and(|text| text.starts_with("namespace_denied")),
            "{method}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn what_is_forwarded_has_one_permission_set_in_every_reading(
        body in "\\{(\"(permission_set|permission\\\\u005fset|Permission_Set|id|x)\":(\"(read|admin|\\\\u0072ead)\"|9|null|\\{\"permission_set\":\"admin\"\\}),?){0,4}\\}"
    ) {
        for unknown in [UnknownFields::Refuse, UnknownFields::Forward] {
            if judge(&everything(), &rules(unknown), "PUT", "7/metafields/9", body.as_bytes()).is_ok() {
                let other_set = body.contains("et\":\"admin\"");
                proptest::prop_assert!(!other_set, "{}", body);
                #[expect(clippy::disallowed_methods, reason = "the comparison is the point")]
                let lenient = serde_json::from_str::<serde_json::Value>(&body).expect("valid");
                let set = lenient.get("permission_set").and_then(serde_json::Value::as_str);
                proptest::prop_assert!(set.is_none_or(|set| set == "read"), "{}", body);
            }
        }
    }
}
