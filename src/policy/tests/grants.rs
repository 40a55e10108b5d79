//! The grants beside namespaces and permission sets, each in its smallest case; the table of all of them
//! is in `tests/it/grants`.

use super::*;
use crate::policy::Reported;
use crate::policy::vocabulary::Id;

fn outcome(grants: &Grants, method: &str, place: &str, body: &str) -> String {
    let rules = rules(UnknownFields::Refuse);
    match judge(grants, &rules, method, place, body.as_bytes()) {
        Ok(_) => "allowed".to_owned(),
        Err(refusal) => refusal,
    }
}

fn assert_outcomes(grants: &Grants, cases: &[(&str, &str, &str, &str)]) {
    for (method, place, body, expected) in cases {
        let found = outcome(grants, method, place, body);
        assert_eq!(found, *expected, "{method} {place} {body}");
    }
}

#[test]
fn keys_are_granted_as_namespaces_are() {
    let grants = Grants {
        keys: Names::only([Pattern::Exact("tier".to_owned())]),
        ownership: Ownership::Named,
        ..everything()
    };
    assert_outcomes(
        &grants,
        &[
            ("PUT", "7/metafields/9", r#"{"key":"tier"}"#, "allowed"),
            (
                "PUT",
                "7/metafields/9",
                r#"{"key":"points"}"#,
                r#"key_denied {"key":"is outside the caller's grant"}"#,
            ),
            (
                "PUT",
                "metafields",
                r#"[{"id":1}]"#,
                r#"key_denied {"0":"key: name the metafield's key, because the caller is limited to some"}"#,
            ),
            ("DELETE", "7/metafields/9", "", "key_denied {}"),
            ("GET", "7/metafields", "", "key_denied {}"),
        ],
    );
}

#[test]
fn customers_are_proven_by_the_path_or_by_each_row() {
    let seven = Id::new(7).expect("an id");
    let grants = Grants {
        customers: Some(Customers::of([seven..=seven])),
        ownership: Ownership::Named,
        ..everything()
    };
    let rows = format!(r#"[{{"resource_id":7,{CREATE}}},{{"resource_id":8,{CREATE}}}]"#);
    assert_outcomes(
        &grants,
        &[
            ("GET", "7/metafields/9", "", "allowed"),
            ("GET", "8/metafields/9", "", "customer_denied {}"),
            (
                "POST",
                "metafields",
                &rows,
                r#"customer_denied {"1":"resource_id: is a customer outside the caller's grant"}"#,
            ),
            (
                "PUT",
                "metafields",
                r#"[{"id":1,"resource_id":7}]"#,
                "customer_denied {}",
            ),
            ("DELETE", "metafields", "[1]", "customer_denied {}"),
            ("GET", "metafields", "", "customer_denied {}"),
        ],
    );
}

#[test]
fn a_batch_may_be_as_large_as_the_callers_grant() {
    let grants = Grants {
        batch_items: Some(2),
        ..everything()
    };
    assert_outcomes(
        &grants,
        &[
            ("DELETE", "metafields", "[1,2]", "allowed"),
            ("DELETE", "metafields", "[1,2,", "malformed_json {}"),
            ("DELETE", "metafields", "[1,2,3", "batch_too_large {}"),
        ],
    );
    let rules = rules(UnknownFields::Refuse);
    let operation = Route::parse("/stores/abc/v3/customers/metafields")
        .and_then(|route| route.operation(&Method::DELETE))
        .expect("an operation");
    let mut reported = Reported::default();
    let denial = permit(&grants, operation, &mut reported)
        .and_then(|permitted| permitted.query(None, &mut reported))
        .and_then(|queried| {
            let body = Bytes::from_static(b"[1,2,3]");
            queried.body(&rules, body, &mut Vec::new(), &mut reported)
        });
    let detail = denial.expect_err("too large").detail();
    assert_eq!(
        detail,
        "the caller's batches may have at most 2 items; send several"
    );
}

#[test]
fn an_update_names_what_the_grant_requires() {
    let grants = Grants {
        require: vec![Required::PermissionSet],
        ..everything()
    };
    let unnamed = "must be named in an update, because the caller's grant requires it";
    assert_outcomes(
        &grants,
        &[
            (
                "PUT",
                "7/metafields/9",
                r#"{"permission_set":"read"}"#,
                "allowed",
            ),
            (
                "PUT",
                "7/metafields/9",
                "{}",
                &format!(r#"permission_set_denied {{"permission_set":"{unnamed}"}}"#),
            ),
            (
                "PUT",
                "metafields",
                r#"[{"id":1,"permission_set":"read"},{"id":2}]"#,
                &format!(r#"permission_set_denied {{"1":"permission_set: {unnamed}"}}"#),
            ),
            ("DELETE", "7/metafields/9", "", "allowed"),
        ],
    );
}
