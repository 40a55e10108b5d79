//! Batches, their partial success, and the delete that names nothing.

use super::*;

#[test]
fn a_batch_does_what_it_can() {
    let mut bench = Bench::new();
    let created = json!([
        item(&json!({"resource_id": 7})),
        item(&json!({"resource_id": 7})),
        item(&json!({"resource_id": 0})),
        item(&json!({})),
        item(&json!({"resource_id": 8, "key": ""})),
        5,
        item(&json!({"resource_id": 8})),
    ]);
    let (status, answer) = bench.ask("POST", "/customers/metafields", &created.to_string());
    assert_eq!(status, 422);
    let owners: Vec<_> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["resource_id"])
        .collect();
    assert_eq!(owners, [7, 8]);
    assert_eq!(
        answer["meta"],
        json!({"total": 7, "success": 2, "failed": 5})
    );
    let mut bulk = error(422, "Bulk operation has failed");
    bulk["errors"] = json!({
        "1": "Metafield with this namespace and key already exists",
        "2": "resource_id: is no customer",
        "3": "resource_id: is required",
        "4": "key: must have 1 to 64 characters",
        "5": "item: must be an object",
    });
    assert_eq!(answer["errors"], json!([bulk]));

    let updates = r#"[{"id":1,"value":"x"},{"id":9,"value":"x"},{"id":"2"},{"value":"x"}]"#;
    let (status, answer) = bench.ask("PUT", "/customers/metafields", updates);
    assert_eq!(status, 422);
    assert_eq!(answer["data"][0]["value"], "x");
    bulk["errors"] = json!({
        "1": "Metafield does not exist",
        "2": "id: must be an integer",
        "3": "id: is required",
    });
    assert_eq!(answer["errors"], json!([bulk]));

    let (status, answer) = bench.ask("DELETE", "/customers/metafields", "[2,2,\"1\"]");
    assert_eq!((status, &answer["data"]), (422, &json!([2])));
    bulk["errors"] = json!({"1": "Metafield does not exist", "2": "id: must be an integer"});
    assert_eq!(answer["errors"], json!([bulk]));
    assert_eq!(bench.store.len(), 1);
}

#[test]
fn a_batch_that_succeeds_has_no_errors() {
    let mut bench = Bench::new();
    let items = json!([
        item(&json!({"resource_id": 7})),
        item(&json!({"resource_id": 8}))
    ]);
    let meta = json!({"total": 2, "success": 2, "failed": 0});
    let table = [
        ("POST", items.to_string()),
        (
            "PUT",
            r#"[{"id":1,"value":"a"},{"id":2,"key":"b"}]"#.to_owned(),
        ),
        ("DELETE", "[2,1]".to_owned()),
    ];
    for (method, body) in table {
        let (status, answer) = bench.ask(method, "/customers/metafields", &body);
        assert_eq!(status, 200, "{method}");
        assert_eq!(
            (&answer["errors"], &answer["meta"]),
            (&json!([]), &meta),
            "{method}"
        );
        assert_eq!(answer["data"].as_array().unwrap().len(), 2, "{method}");
    }
    assert!(bench.store.is_empty());
    for method in ["POST", "PUT", "DELETE"] {
        let (status, answer) = bench.ask(method, "/customers/metafields", "[]");
        assert_eq!(
            (status, &answer["title"]),
            (422, &json!(INVALID)),
            "{method}"
        );
    }
}

#[test]
fn a_delete_without_a_body_deletes_everything() {
    let mut bench = Bench::new();
    bench.create(7, "a");
    bench.create(8, "b");
    let (status, answer) = bench.ask("DELETE", "/customers/metafields", "");
    let meta = json!({"total": 2, "success": 2, "failed": 0});
    assert_eq!(status, 200);
    assert_eq!(answer, json!({"data": [1, 2], "errors": [], "meta": meta}));
    assert!(bench.store.is_empty());
    bench.create(7, "a");
}
