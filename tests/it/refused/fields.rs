//! The rules of a metafield's fields, on an update and on a create (contract section 3).

use super::{Case, check, columns};
use crate::support::client::{CUSTOMER, Request};

/// What an update of metafield 9 of customer 7 is refused for.
const UPDATES: &str = r#"
    422 invalid_permission_set {"permission_set":"admin"}
    422 invalid_permission_set {"permission_set":""}
    422 invalid_permission_set {"permission_set":"READ"}
    422 invalid_permission_set {"permission_set":"Read"}
    422 invalid_permission_set {"permission_set":"read "}
    422 invalid_permission_set {"permission_set":" read"}
    422 invalid_permission_set {"permission_set":"app-only"}
    422 invalid_permission_set {"permission_set":"read_and_sf_acces"}
    422 invalid_permission_set {"permission_set":"read\u0000"}
    422 invalid_permission_set {"permission_set":"re\u00adad"}
    422 invalid_permission_set {"permission_set":"ｒead"}
    422 invalid_permission_set {"permission_set":null}
    422 invalid_permission_set {"permission_set":true}
    422 invalid_permission_set {"permission_set":1}
    422 invalid_permission_set {"permission_set":1e400}
    422 invalid_field          {"permission_set":"read","value":1e400}
    422 invalid_field          {"id":1e999}
    422 unknown_field          {"unknown":1e400}
    422 unknown_field          {"unknown":[{"a":-1e400}]}
    422 invalid_permission_set {"permission_set":["read"]}
    422 invalid_permission_set {"permission_set":{"read":1}}
    422 invalid_permission_set {"permission\u005fset":"admin"}
    422 invalid_field          {"id":"9"}
    422 invalid_field          {"id":9.0}
    422 invalid_field          {"id":9e0}
    422 invalid_field          {"id":0.9e1}
    422 invalid_field          {"id":-9}
    422 invalid_field          {"id":-0}
    422 invalid_field          {"id":0}
    422 invalid_field          {"id":9223372036854775808}
    422 invalid_field          {"id":18446744073709551625}
    422 invalid_field          {"id":null}
    422 invalid_field          {"id":true}
    422 invalid_field          {"id":[9]}
    422 invalid_field          {"id":{}}
    422 id_mismatch            {"id":8}
    422 id_mismatch            {"id":7}
    422 id_mismatch            {"i\u0064":8}
    422 invalid_field          {"resource_id":"7"}
    422 invalid_field          {"resource_id":7.0}
    422 invalid_field          {"resource_id":0}
    422 invalid_field          {"resource_id":-7}
    422 invalid_field          {"resource_id":null}
    422 id_mismatch            {"resource_id":8}
    422 id_mismatch            {"resource_id":9}
    422 invalid_field          {"resource_type":"product"}
    422 invalid_field          {"resource_type":"customers"}
    422 invalid_field          {"resource_type":"Customer"}
    422 invalid_field          {"resource_type":""}
    422 invalid_field          {"resource_type":null}
    422 invalid_field          {"resource_type":1}
    422 invalid_field          {"namespace":""}
    422 invalid_field          {"namespace":null}
    422 invalid_field          {"namespace":1}
    422 invalid_field          {"namespace":["n"]}
    422 invalid_field          {"key":""}
    422 invalid_field          {"key":null}
    422 invalid_field          {"key":{"key2":1}}
    422 invalid_field          {"key":false}
    422 invalid_field          {"value":""}
    422 invalid_field          {"value":null}
    422 invalid_field          {"value":1}
    422 invalid_field          {"value":true}
    422 invalid_field          {"value":{"a":1}}
    422 invalid_field          {"value":["canary-value"]}
    422 invalid_field          {"description":null}
    422 invalid_field          {"description":1}
    422 invalid_field          {"description":[]}
    422 invalid_field          {"date_created":1700000000}
    422 invalid_field          {"date_created":{}}
    422 invalid_field          {"date_modified":false}
    422 invalid_field          {"owner_client_id":7}
    422 invalid_field          {"owner_client_id":["x"]}
    422 unknown_field          {"colour":"red"}
    422 unknown_field          {"":1}
    422 unknown_field          {"data":{"permission_set":"read"}}
    422 unknown_field          {"Permission_Set":"read"}
    422 unknown_field          {"permissionSet":"read"}
    422 unknown_field          {"permission-set":"read"}
    422 unknown_field          {"permission_set ":"read"}
    422 unknown_field          {"permission_set\u0000":"read"}
    422 unknown_field          {"permission_set[]":"read"}
    422 unknown_field          {"VALUE":"canary-value"}
    422 unknown_field          {"metafieldId":9}
    422 unknown_field          {"customer_id":7}
    422 unknown_field          {"__proto__":{"permission_set":"read"}}
    422 invalid_permission_set {"permission_set":"admin","colour":"red"}
    422 unknown_field          {"colour":"red","permission_set":"admin"}
"#;

/// What a create for customer 7 is refused for.
const CREATES: &str = r#"
    422 missing_field          {}
    422 missing_field          {"key":"k","value":"canary-value","permission_set":"read"}
    422 missing_field          {"namespace":"n","value":"canary-value","permission_set":"read"}
    422 missing_field          {"namespace":"n","key":"k","permission_set":"read"}
    422 missing_field          {"namespace":"n","key":"k","value":"canary-value"}
    422 invalid_field          {"namespace":"n","key":"k","value":"v","permission_set":"read","id":9}
    422 invalid_field          {"namespace":"n","key":"k","value":"v","permission_set":"read","id":null}
    422 id_mismatch            {"namespace":"n","key":"k","value":"v","permission_set":"read","resource_id":8}
    422 invalid_field          {"namespace":"n","key":"k","value":"v","permission_set":"read","resource_id":"7"}
    422 invalid_field          {"namespace":"n","key":"k","value":"v","permission_set":"read","resource_type":"order"}
    422 invalid_permission_set {"namespace":"n","key":"k","value":"v","permission_set":"all"}
    422 invalid_field          {"namespace":"","key":"k","value":"v","permission_set":"read"}
    422 invalid_field          {"namespace":"n","key":1,"value":"v","permission_set":"read"}
    422 invalid_field          {"namespace":"n","key":"k","value":1,"permission_set":"read"}
    422 invalid_field          {"namespace":"n","key":"k","value":"v","permission_set":"read","description":1}
    422 unknown_field          {"namespace":"n","key":"k","value":"v","permission_set":"read","Id":9}
    422 unknown_field          {"namespace":"n","key":"k","value":"v","permission_set":"read","x":1}
"#;

/// What is refused of an update though unknown fields are forwarded.
const IMITATIONS: &str = r#"
    422 unknown_field          {"Permission_Set":"write"}
    422 unknown_field          {"PERMISSION_SET":"write"}
    422 unknown_field          {"permissionSet":"write"}
    422 unknown_field          {"permission-set":"write"}
    422 unknown_field          {"permission set":"write"}
    422 unknown_field          {"permissionset":"write"}
    422 unknown_field          {"_permission__set_":"write"}
    422 unknown_field          {"permission_set ":"write"}
    422 unknown_field          {"permiſſion_set":"write"}
    422 unknown_field          {"permi\u017f\u017fion_set":"write"}
    422 unknown_field          {"Perm\u0069ssion_Set":"write"}
    422 unknown_field          {"ID":8}
    422 unknown_field          {"i_d":8}
    422 unknown_field          {"\u212aey":"k"}
    422 unknown_field          {"Key":"k"}
    422 unknown_field          {"resourceId":8}
    422 unknown_field          {"resource-type":"order"}
    422 unknown_field          {"nameSpace":"n"}
    422 unknown_field          {"Value":"canary-value"}
    422 unknown_field          {"Description":"d"}
    422 unknown_field          {"dateCreated":"d"}
    422 unknown_field          {"date modified":"d"}
    422 unknown_field          {"ownerClientId":"d"}
    422 unknown_field          {"x":{"permission_set":"write"}}
    422 unknown_field          {"x":{"Permission_Set":"write"}}
    422 unknown_field          {"x":[1,[{"y":{"id":8}}]]}
    422 unknown_field          {"x":{"y":{"z":[{"v\u0061lue":1}]}}}
    422 unknown_field          {"x":1,"y":{"key":1}}
    422 invalid_permission_set {"x":1,"permission_set":"admin"}
    422 invalid_permission_set {"permission_set":{"x":1}}
    422 id_mismatch            {"x":1,"id":8}
    400 duplicate_key          {"x":1,"x":2}
    400 duplicate_key          {"x":{"y":1,"y":2}}
    400 malformed_json         {"x":1,}
"#;

#[test]
fn updates_are_judged_field_by_field() {
    let cases: Vec<Case> = columns(UPDATES)
        .map(|[status, code, body]| Case::new(status, code, &Request::update(body)))
        .collect();
    check(|setup| setup, &cases);
}

#[test]
fn creates_are_judged_field_by_field() {
    let cases: Vec<Case> = columns(CREATES)
        .map(|[status, code, body]| {
            Case::new(status, code, &Request::new("POST", CUSTOMER).json(body))
        })
        .collect();
    check(|setup| setup, &cases);
}

#[test]
fn imitations_are_refused_though_unknown_fields_are_forwarded() {
    let cases: Vec<Case> = columns(IMITATIONS)
        .map(|[status, code, body]| Case::new(status, code, &Request::update(body)))
        .collect();
    check(
        |setup| setup.with("policy.unknown_fields = \"forward\""),
        &cases,
    );
}

#[test]
fn texts_end_at_their_lengths() {
    let text = |field: &str, letter: &str, length: usize| {
        let body = format!("{{\"{field}\":\"{}\"}}", letter.repeat(length));
        Case::new("422", "invalid_field", &Request::update(body))
    };
    let cases = [
        text("namespace", "n", 65),
        text("namespace", "😀", 65),
        text("namespace", "\\u00e4", 65),
        text("key", "k", 65),
        text("key", "\\ud83d\\ude00", 65),
        text("value", "v", 65_536),
        text("value", "😀", 65_536),
        text("description", "d", 256),
        text("description", "ä", 256),
        text("date_created", "0", 65),
        text("date_modified", "0", 65),
        text("owner_client_id", "0", 65),
    ];
    check(|setup| setup, &cases);
}

#[test]
fn every_bad_field_is_named() {
    let body = r#"{"permission_set":"admin","value":"","namespace":"n","id":8,"colour":1}"#;
    let answers = check(
        |setup| setup,
        &[Case::new(
            "422",
            "invalid_permission_set",
            &Request::update(body),
        )],
    );
    let problem = answers[0].json();
    let errors = problem["errors"].as_object().expect("errors");
    let mut named: Vec<&str> = errors.keys().map(String::as_str).collect();
    named.sort_unstable();
    assert_eq!(named, ["colour", "id", "permission_set", "value"]);
}
