//! Batches are judged item by item and refused as a whole, naming every bad item by its index.

use super::{Case, check, columns, place};
use crate::support::client::{ALL, Request};

/// Status, code, method, body.
const BATCHES: &str = r#"
    422 missing_field          PUT    [{}]
    422 missing_field          PUT    [{"value":"canary-value"}]
    422 missing_field          PUT    [{"id":1},{"value":"canary-value"}]
    422 invalid_field          PUT    [{"id":"1"}]
    422 invalid_field          PUT    [{"id":1.0}]
    422 invalid_field          PUT    [{"id":1e0}]
    422 invalid_field          PUT    [{"id":0}]
    422 invalid_field          PUT    [{"id":-1}]
    422 invalid_field          PUT    [{"id":9223372036854775808}]
    422 invalid_field          PUT    [{"id":1},{"id":1}]
    422 invalid_field          PUT    [{"id":1},{"id":2},{"id":1}]
    422 invalid_field          PUT    [{"id":1,"resource_id":"7"}]
    422 invalid_field          PUT    [{"id":1,"resource_id":0}]
    422 invalid_field          PUT    [{"id":1,"resource_id":7.5}]
    422 invalid_field          PUT    [{"id":1,"resource_type":"order"}]
    422 invalid_field          PUT    [{"id":1,"value":""}]
    422 invalid_field          PUT    [{"id":1,"namespace":null}]
    422 invalid_permission_set PUT    [{"id":1,"permission_set":"admin"}]
    422 invalid_permission_set PUT    [{"id":1,"permission_set":"read"},{"id":2,"permission_set":null}]
    422 unknown_field          PUT    [{"id":1,"Permission_Set":"read"}]
    422 unknown_field          PUT    [{"id":1,"x":{"permission_set":"write"}}]
    422 invalid_field          PUT    [1]
    422 invalid_field          PUT    [null]
    422 invalid_field          PUT    ["x"]
    422 invalid_field          PUT    [[{"id":1}]]
    422 invalid_field          PUT    [{"id":1},true]
    422 invalid_field          PUT    [[]]
    422 missing_field          POST   [{}]
    422 missing_field          POST   [{"namespace":"n","key":"k","value":"v","permission_set":"read"}]
    422 missing_field          POST   [{"resource_id":7,"key":"k","value":"v","permission_set":"read"}]
    422 missing_field          POST   [{"resource_id":7,"namespace":"n","value":"v","permission_set":"read"}]
    422 missing_field          POST   [{"resource_id":7,"namespace":"n","key":"k","permission_set":"read"}]
    422 missing_field          POST   [{"resource_id":7,"namespace":"n","key":"k","value":"v"}]
    422 invalid_field          POST   [{"id":9,"resource_id":7,"namespace":"n","key":"k","value":"v","permission_set":"read"}]
    422 invalid_field          POST   [{"resource_id":"7","namespace":"n","key":"k","value":"v","permission_set":"read"}]
    422 invalid_permission_set POST   [{"resource_id":7,"namespace":"n","key":"k","value":"v","permission_set":"none"}]
    422 unknown_field          POST   [{"resource_id":7,"namespace":"n","key":"k","value":"v","permission_set":"read","x":1}]
    422 invalid_field          POST   [7]
    422 invalid_field          DELETE
    422 invalid_field          DELETE []
    422 invalid_field          DELETE {}
    422 invalid_field          DELETE {"ids":[9]}
    422 invalid_field          DELETE null
    422 invalid_field          DELETE 9
    422 invalid_field          DELETE "9"
    422 invalid_field          DELETE ["9"]
    422 invalid_field          DELETE [9.0]
    422 invalid_field          DELETE [9e0]
    422 invalid_field          DELETE [0]
    422 invalid_field          DELETE [-9]
    422 invalid_field          DELETE [9223372036854775808]
    422 invalid_field          DELETE [null]
    422 invalid_field          DELETE [[9]]
    422 invalid_field          DELETE [{"id":9}]
    422 invalid_field          DELETE [9,9]
    422 invalid_field          DELETE [1,2,3,2]
    422 invalid_field          DELETE [1,2,"3"]
    413 batch_too_large        PUT    [{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]
    413 batch_too_large        PUT    [{},{},{},{},{}]
    413 batch_too_large        POST   [{},{},{},{},{}]
    413 batch_too_large        DELETE [1,2,3,4,5]
    413 batch_too_large        DELETE [1,1,1,1,1]
    400 malformed_json         DELETE [1,2,3,4,
    400 malformed_json         DELETE [1,2,3,4,]
    413 batch_too_large        DELETE [1,2,3,4,5
    413 batch_too_large        DELETE [1,2,3,4,x
    413 batch_too_large        PUT    [{"id":1},{"id":2},{"id":3},{"id":4},{"id":5,"id":5}]
"#;

#[test]
fn one_bad_item_refuses_the_batch() {
    let mut cases: Vec<Case> = columns(BATCHES)
        .map(|[status, code, method, body]| {
            Case::new(
                status,
                code,
                &Request::new(method, &place("all")).json(body),
            )
        })
        .collect();
    // BigCommerce's own "delete all" has no body.
    let bare = Request::new("DELETE", ALL);
    cases.push(Case::new("422", "invalid_field", &bare));
    cases.push(Case::new(
        "422",
        "invalid_field",
        &bare.with("Content-Length", "0"),
    ));
    check(|setup| setup.with("limits.batch_items = 4"), &cases);
}

#[test]
fn the_default_limit_is_250_items() {
    let ids = |count: usize| {
        let ids: Vec<String> = (0..count).map(|id| id.to_string()).collect();
        Request::new("DELETE", ALL).json(format!("[{}]", ids.join(",")))
    };
    let cases = [
        // The id 0 is refused only once the batch has been read whole.
        Case::new("422", "invalid_field", &ids(250)),
        Case::new("413", "batch_too_large", &ids(251)),
    ];
    check(|setup| setup, &cases);
}

#[test]
fn every_bad_item_is_named_by_its_index() {
    let body = r#"[{"id":1},{"id":2,"permission_set":"admin","value":1},3,{"id":4},{},{"id":1}]"#;
    let request = Request::new("PUT", ALL).json(body);
    let answers = check(
        |setup| setup,
        &[Case::new("422", "invalid_permission_set", &request)],
    );
    let problem = answers[0].json();
    let errors = problem["errors"].as_object().expect("errors");
    let named: Vec<&str> = errors.keys().map(String::as_str).collect();
    assert_eq!(named, ["1", "2", "4", "5"]);
    let second = errors["1"].as_str().expect("a reason");
    assert!(
        second.contains("permission_set") && second.contains("value"),
        "{second}"
    );
}
