//! What an audit line says, as attributes of spans and records.

use crate::denial::Code;
use crate::identity::Means;
use crate::observe::Line;
use crate::policy::vocabulary::{Id, PermissionSet, StoreHash, Verb};
use opentelemetry::KeyValue;
use std::time::Duration;

/// The path of an operation, with names in the place of ids (`http.route`).
pub(super) fn route(verb: Verb) -> &'static str {
    match verb {
        Verb::Update | Verb::Delete | Verb::Get => {
            "/stores/{store_hash}/v3/customers/{customerId}/metafields/{metafieldId}"
        }
        Verb::Create | Verb::List => "/stores/{store_hash}/v3/customers/{customerId}/metafields",
        Verb::UpdateBatch | Verb::CreateBatch | Verb::DeleteBatch | Verb::ListAll => {
            "/stores/{store_hash}/v3/customers/metafields"
        }
    }
}

/// Those that are known, by the names of the semantic conventions where they have one.
pub(super) fn attributes(line: &Line) -> impl Iterator<Item = KeyValue> {
    let texts = [
        (
            "http.request.method",
            line.method.as_ref().map(ToString::to_string),
        ),
        ("http.route", word(line.verb.map(route))),
        ("client.address", Some(line.peer.to_string())),
        (
            "metafield_gateway.correlation_id",
            Some(String::from_utf8_lossy(line.correlation_id.as_bytes()).into_owned()),
        ),
        (
            "metafield_gateway.caller",
            line.caller.as_ref().map(|caller| caller.name.clone()),
        ),
        (
            "metafield_gateway.identified_by",
            word(line.identified_by.map(Means::as_str)),
        ),
        (
            "metafield_gateway.store",
            word(line.store.as_ref().map(StoreHash::as_str)),
        ),
        (
            "metafield_gateway.operation",
            word(line.verb.map(Verb::as_str)),
        ),
        (
            "metafield_gateway.decision",
            word(Some(line.outcome.decision())),
        ),
        ("metafield_gateway.code", word(line.outcome.code())),
        (
            "metafield_gateway.reported",
            word(line.reported.map(Code::as_str)),
        ),
        ("metafield_gateway.sent", word(Some(line.sent.as_str()))),
    ];
    let numbers = [
        ("metafield_gateway.customer_id", line.customer.map(Id::get)),
        (
            "metafield_gateway.metafield_id",
            line.metafield.map(Id::get),
        ),
        ("metafield_gateway.lookups", Some(line.lookups.into())),
        (
            "metafield_gateway.upstream_status",
            line.upstream_status.map(u64::from),
        ),
        ("metafield_gateway.duration_us", Some(micros(line.duration))),
        ("metafield_gateway.upstream_us", line.upstream.map(micros)),
    ];
    let text = |(name, value): (&'static str, Option<String>)| Some(KeyValue::new(name, value?));
    let number = |(name, value): (&'static str, Option<u64>)| {
        Some(KeyValue::new(name, i64::try_from(value?).ok()?))
    };
    let known = texts.into_iter().filter_map(text);
    known
        .chain(numbers.into_iter().filter_map(number))
        .chain(body(line))
}

/// What was read of the body: of a batch the number of its items.
fn body(line: &Line) -> Vec<KeyValue> {
    let Some(items) = &line.items else {
        return Vec::new();
    };
    if line.verb.is_some_and(Verb::is_batch) {
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        return vec![KeyValue::new("metafield_gateway.items", count)];
    }
    let Some(item) = items.first() else {
        return Vec::new();
    };
    let texts = [
        (
            "metafield_gateway.namespace",
            word(item.namespace.as_deref()),
        ),
        ("metafield_gateway.key", word(item.key.as_deref())),
        (
            "metafield_gateway.permission_set",
            word(item.permission_set.map(PermissionSet::as_str)),
        ),
    ];
    let known = texts
        .into_iter()
        .filter_map(|(name, value)| Some(KeyValue::new(name, value?)));
    known.collect()
}

fn word(value: Option<&str>) -> Option<String> {
    value.map(str::to_owned)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
