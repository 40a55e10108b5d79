//! Bodies of every operation: what is allowed obeys the rules by another reading too, and every reading
//! finds the same ids and permission sets.
#![no_main]

use bytes::Bytes;
use fuzz::readings::check_readings;
use fuzz::world::{FORWARDING, LIMITED, SNAPSHOT, WRITER, by_itself, caller};
use http::Method;
use libfuzzer_sys::fuzz_target;
use metafield_gateway::policy::vocabulary::{PermissionSet, Verb};
use metafield_gateway::policy::{Item, Reported, Route, permit};
use serde_json::Value;

const OPERATIONS: [(Method, &str); 5] = [
    (Method::PUT, "/stores/abc123/v3/customers/7/metafields/9"),
    (Method::PUT, "/stores/abc123/v3/customers/metafields"),
    (Method::POST, "/stores/abc123/v3/customers/7/metafields"),
    (Method::POST, "/stores/abc123/v3/customers/metafields"),
    (Method::DELETE, "/stores/abc123/v3/customers/metafields"),
];

fuzz_target!(|input: &[u8]| {
    let Some((first, body)) = input.split_first() else {
        return;
    };
    let number = usize::from(*first);
    let (method, path) = &OPERATIONS[number % OPERATIONS.len()];
    let operation = Route::parse(path)
        .and_then(|route| route.operation(method))
        .expect("a route");
    let verb = operation.verb;
    let forwards = number / OPERATIONS.len() % 2 == 1;
    let limited = number / OPERATIONS.len() / 2 % 2 == 1;
    let rules = if forwards {
        &FORWARDING.rules
    } else {
        &SNAPSHOT.rules
    };
    let token = if limited { LIMITED } else { WRITER };
    let judge = |body: Bytes| {
        let (mut items, mut reported) = (Vec::new(), Reported::default());
        let permitted = permit(&caller(token).grants, operation.clone(), &mut reported).ok()?;
        let queried = permitted.query(None, &mut reported).expect("no query");
        let judged = queried.body(rules, body, &mut items, &mut reported);
        Some((judged.map_err(|denial| denial.code()), items))
    };
    let body = Bytes::copy_from_slice(body);
    let Some((judged, items)) = judge(body.clone()) else {
        return;
    };
    // A body that is long enough to be read in bulk.
    let long = judge([&[b' '; 512], &body[..]].concat().into()).expect("permitted too");
    assert_eq!(judged.as_ref().err(), long.0.as_ref().err());
    assert_eq!(items, long.1);
    let Ok(judged) = judged else {
        return;
    };
    let allowed = by_itself(judged);
    assert_eq!(
        allowed.body().as_ptr(),
        body.as_ptr(),
        "the bytes that were judged are sent"
    );
    check_readings(verb, rules, &body, &items);
    let tree: Value = serde_json::from_slice(&body).expect("JSON");
    for item in tree
        .as_array()
        .into_iter()
        .flatten()
        .chain(tree.is_object().then_some(&tree))
    {
        check_rules(verb, item);
    }
    if limited {
        items.iter().for_each(check_grants);
    }
});

/// The rules of the contract, read anew over a tree.
fn check_rules(verb: Verb, item: &Value) {
    if verb == Verb::DeleteBatch {
        return assert!(
            item.as_u64()
                .is_some_and(|id| id > 0 && i64::try_from(id).is_ok())
        );
    }
    let text = |name: &str, least: usize, most: usize| {
        let Some(value) = item.get(name) else { return };
        let length = value.as_str().map(|text| text.chars().count());
        assert!(
            length.is_some_and(|length| (least..=most).contains(&length)),
            "{name}: {value}"
        );
    };
    text("namespace", 1, 64);
    text("key", 1, 64);
    text("value", 1, 1000);
    text("description", 0, 255);
    if let Some(set) = item.get("permission_set") {
        assert!(
            PermissionSet::ALL.iter().any(|known| set == known.as_str()),
            "{set}"
        );
    }
    if let Some(kind) = item.get("resource_type") {
        assert_eq!(kind, "customer");
    }
    let id = |name: &str, expected: Option<u64>| {
        let Some(value) = item.get(name) else { return };
        let id = value.as_u64().expect(name);
        assert!(id > 0 && i64::try_from(id).is_ok());
        assert!(expected.is_none_or(|expected| id == expected), "{name}");
    };
    id("id", (verb == Verb::Update).then_some(9));
    id("resource_id", (!verb.is_batch()).then_some(7));
    let required: &[&str] = match verb {
        Verb::Create => &["namespace", "key", "value", "permission_set"],
        Verb::CreateBatch => &["namespace", "key", "value", "permission_set", "resource_id"],
        Verb::UpdateBatch => &["id"],
        _ => &[],
    };
    assert!(required.iter().all(|name| item.get(name).is_some()));
    assert!(item.get("id").is_none() || !matches!(verb, Verb::Create | Verb::CreateBatch));
}

fn check_grants(item: &Item) {
    assert!(
        item.permission_set
            .is_none_or(|set| matches!(set.as_str(), "app_only" | "read"))
    );
    let namespace = item
        .namespace
        .as_deref()
        .expect("a limited caller names it");
    assert!(namespace == "crm" || namespace.len() > 4 && namespace.starts_with("crm."));
}
