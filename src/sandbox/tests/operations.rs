//! One metafield at a time: its fields, its name, its limits.

use super::*;

#[test]
fn a_metafield_is_created_read_changed_and_deleted() {
    let mut bench = Bench::new();
    let body = item(&json!({"id": 99, "owner_client_id": "other", "extra": 1}));
    let mut metafield = json!({
        "id": 1,
        "namespace": "crm",
        "key": "tier",
        "value": "gold",
        "permission_set": "read",
        "description": "",
        "resource_type": "customer",
        "resource_id": 7,
        "date_created": "2022-06-16T18:39:00+00:00",
        "date_modified": "2022-06-16T18:39:00+00:00",
        "owner_client_id": "sandboxclientid",
    });
    let one = |metafield: &Value| (200, json!({"data": metafield, "meta": {}}));
    let created = bench.ask("POST", "/customers/7/metafields", &body.to_string());
    assert_eq!(created, one(&metafield));
    assert_eq!(
        bench.ask("GET", "/customers/7/metafields/1", ""),
        one(&metafield)
    );

    bench.second += 61;
    let change = r#"{"id":1,"value":"silver","description":"since spring"}"#;
    metafield["value"] = json!("silver");
    metafield["description"] = json!("since spring");
    metafield["date_modified"] = json!("2022-06-16T18:40:01+00:00");
    let changed = bench.ask("PUT", "/customers/7/metafields/1", change);
    assert_eq!(changed, one(&metafield));
    assert_eq!(
        bench.ask("GET", "/customers/7/metafields/1", ""),
        one(&metafield)
    );

    let deleted = bench.send("DELETE", "/customers/7/metafields/1", "");
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert!(deleted.body.is_empty() && !deleted.headers.contains_key("content-length"));
    let gone = (404, error(404, NOT_FOUND));
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(bench.ask(method, "/customers/7/metafields/1", "{}"), gone);
    }
    assert_eq!(bench.create(7, "tier"), 2, "an id is never given twice");
}

#[test]
fn an_update_may_move_a_metafield_to_a_free_name() {
    let mut bench = Bench::new();
    let (a, b) = (bench.create(7, "a"), bench.create(7, "b"));
    let target = format!("/customers/7/metafields/{a}");
    assert_eq!(bench.ask("PUT", &target, r#"{"key":"b"}"#).0, 409);
    assert_eq!(bench.ask("PUT", &target, r#"{"key":"a"}"#).0, 200);
    assert_eq!(bench.ask("PUT", &target, r#"{"key":"c"}"#).0, 200);
    let other = format!("/customers/7/metafields/{b}");
    assert_eq!(bench.ask("PUT", &other, r#"{"key":"a"}"#).0, 200);
}

#[test]
fn a_name_is_unique_within_a_customer() {
    let mut bench = Bench::new();
    let body = item(&json!({})).to_string();
    assert_eq!(bench.ask("POST", "/customers/7/metafields", &body).0, 200);
    assert_eq!(bench.ask("POST", "/customers/8/metafields", &body).0, 200);
    let mut clash = error(409, "Metafield with this namespace and key already exists");
    clash["errors"] = json!({"key": "is taken within the namespace"});
    let again = bench.ask("POST", "/customers/7/metafields", &body);
    assert_eq!(again, (409, clash));
}

#[test]
fn bad_fields_are_named() {
    let mut bench = Bench::new();
    let table = [
        (json!({"namespace": ""}), "namespace"),
        (json!({"key": "k".repeat(65)}), "key"),
        (json!({"value": ""}), "value"),
        (json!({"value": "v".repeat(65_536)}), "value"),
        (json!({"value": 1}), "value"),
        (json!({"description": "d".repeat(256)}), "description"),
        (json!({"description": null}), "description"),
        (json!({"permission_set": "APP_ONLY"}), "permission_set"),
        (json!({"permission_set": null}), "permission_set"),
    ];
    let id = bench.create(7, "other");
    for (extra, field) in table {
        for (method, target) in [
            ("POST", "/customers/7/metafields".to_owned()),
            ("PUT", format!("/customers/7/metafields/{id}")),
        ] {
            let (status, answer) = bench.ask(method, &target, &item(&extra).to_string());
            assert_eq!(status, 422, "{method} {field}");
            assert_eq!(answer["title"], INVALID);
            let named: Vec<_> = answer["errors"].as_object().unwrap().keys().collect();
            assert_eq!(named, [field], "{method}");
        }
    }
    let fit = item(&json!({"key": "ä".repeat(64), "value": "😀".repeat(65_535)}));
    assert_eq!(
        bench
            .ask("POST", "/customers/7/metafields", &fit.to_string())
            .0,
        200
    );
    let (status, answer) = bench.ask("POST", "/customers/7/metafields", "{}");
    assert_eq!(status, 422);
    let named: Vec<_> = answer["errors"].as_object().unwrap().keys().collect();
    assert_eq!(named, ["key", "namespace", "permission_set", "value"]);
}

#[test]
fn a_body_that_is_not_the_json_wanted_is_refused() {
    let mut bench = Bench::new();
    let id = bench.create(7, "tier");
    let one = format!("/customers/7/metafields/{id}");
    let mut syntax = error(400, "Input is invalid");
    syntax["detail"] = json!("Syntax error");
    let table = [
        ("POST", "/customers/7/metafields", ["", "{", "[]", "{} {}"]),
        (
            "PUT",
            one.as_str(),
            ["", "nul", "7", "{\"key\":\"\\ud800\"}"],
        ),
        ("POST", "/customers/metafields", ["", "{}", "[", "null"]),
        ("PUT", "/customers/metafields", ["", "{}", "[1,]", "\"\""]),
        ("DELETE", "/customers/metafields", ["{}", "1", "[1", " "]),
    ];
    for (method, target, bodies) in table {
        for body in bodies {
            let answer = bench.ask(method, target, body);
            assert_eq!(answer, (400, syntax.clone()), "{method} {target} {body}");
        }
    }
    for (id_in_body, status) in [("2", 422), ("\"1\"", 422), ("1.0", 422), ("1", 200)] {
        let body = format!("{{\"id\":{id_in_body}}}");
        assert_eq!(bench.ask("PUT", &one, &body).0, status, "{body}");
    }
}

#[test]
fn the_last_of_two_equal_keys_wins() {
    let mut bench = Bench::new();
    let id = bench.create(7, "tier");
    let body = r#"{"permission_set":"app_only","permission_set":"write"}"#;
    let (_, answer) = bench.ask("PUT", &format!("/customers/7/metafields/{id}"), body);
    assert_eq!(answer["data"]["permission_set"], "write");
}

#[test]
fn a_customer_and_the_store_can_be_full() {
    let mut bench = Bench::new();
    for customer in 1..=(MAX_IN_ALL / MAX_PER_CUSTOMER) as u64 {
        for key in 0..MAX_PER_CUSTOMER {
            bench.create(customer, &key.to_string());
        }
    }
    assert_eq!(bench.store.len(), MAX_IN_ALL);
    let body = item(&json!({})).to_string();
    let (status, answer) = bench.ask("POST", "/customers/500/metafields", &body);
    assert_eq!(
        (status, &answer["title"]),
        (422, &json!("No room for another metafield"))
    );
    assert_eq!(bench.ask("DELETE", "/customers/1/metafields/1", "").0, 204);
    assert_eq!(bench.ask("POST", "/customers/2/metafields", &body).0, 422);
    assert_eq!(bench.ask("POST", "/customers/1/metafields", &body).0, 200);
}
