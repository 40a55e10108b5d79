//! What each step of a decision compares, in words.

use super::Asked;
use super::step::{Explanation, parts};
use crate::config::Policy;
use crate::policy::vocabulary::{PermissionSet, StoreHash, Verb};
use crate::policy::{Grants, Item, Operation};
use std::fmt::Display;

/// What a step compares.
pub(super) fn compared(
    policy: &Policy,
    grants: Option<&Grants>,
    asked: &Asked<'_>,
    found: &Explanation,
    name: &str,
) -> String {
    let limits = &policy.limits;
    let Some(grants) = grants else {
        return String::new();
    };
    let operation = found.operation.as_ref();
    let verb = operation.map(|operation| operation.verb);
    let body = asked.body.len();
    match name {
        "target" => format!("{} of at most {} bytes", asked.target.len(), limits.target),
        "framing" => "a body only where the method takes one".to_owned(),
        "path" => "exactly one of the gateway's routes".to_owned(),
        "method" => verb.map_or_else(
            || asked.method.to_owned(),
            |verb| format!("{} is the operation {}", asked.method, verb.as_str()),
        ),
        "token" => "who presents it is taken from --caller".to_owned(),
        "store" => store(policy, operation),
        "scopes" => listed(grants.scopes.iter().map(|scope| scope.as_str()), "none"),
        "stores" => granted(
            grants
                .stores
                .as_ref()
                .map(|stores| listed(stores.iter().map(StoreHash::as_str), "none")),
        ),
        "operations" => granted(
            grants
                .operations
                .as_ref()
                .map(|verbs| listed(verbs.iter().map(|verb| verb.as_str()), "none")),
        ),
        "customers" => granted(grants.customers.as_ref()),
        "namespaces" => granted(Some(&grants.namespaces).filter(|names| names.is_limited())),
        "keys" => granted(Some(&grants.keys).filter(|names| names.is_limited())),
        "query" => parts(asked.target).1.map_or("none".to_owned(), |query| {
            format!("keys that the operation takes, each once: {query}")
        }),
        "headers" => "depend on the client: media type, sizes, Content-Encoding".to_owned(),
        "size" => verb.map_or_else(String::new, |verb| {
            format!("{body} of at most {} bytes", limits.body_of(verb))
        }),
        "json" => "one value of the operation's shape, no key twice".to_owned(),
        "fields" => fields(policy, verb, &found.items),
        "batch_items" => granted(
            grants
                .batch_items
                .map(|most| format!("{} of at most {most} items", found.items.len())),
        ),
        "grants on fields" => on_fields(grants, verb, &found.items),
        _ => ownership(grants, found),
    }
}

fn store(policy: &Policy, operation: Option<&Operation>) -> String {
    let known = listed(policy.stores.iter().map(StoreHash::as_str), "none");
    match operation {
        Some(operation) => format!("{} among {known}", operation.store),
        None => known,
    }
}

fn granted(grant: Option<impl Display>) -> String {
    grant.map_or("not limited".to_owned(), |grant| {
        format!("granted: {grant}")
    })
}

fn listed<'w>(words: impl Iterator<Item = &'w str>, none: &str) -> String {
    const SHOWN: usize = 8;
    let words: Vec<&str> = words.collect();
    let shown = words
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match words.len() {
        0 => none.to_owned(),
        count if count > SHOWN => format!("{shown} and {} more", count - SHOWN),
        _ => shown,
    }
}

fn fields(policy: &Policy, verb: Option<Verb>, items: &[Item]) -> String {
    if verb.is_some_and(Verb::is_batch) {
        let most = policy.rules.batch_items;
        return format!(
            "{} of at most {most} items, each by BigCommerce's rules",
            items.len()
        );
    }
    "by BigCommerce's rules".to_owned()
}

fn on_fields(grants: &Grants, verb: Option<Verb>, items: &[Item]) -> String {
    let sets = grants.permission_sets.as_ref();
    let sets = granted(sets.map(|sets| listed(sets.iter().map(|set| set.as_str()), "none")));
    let require = listed(grants.require.iter().map(|field| field.as_str()), "nothing");
    let said = match items {
        [item] if verb.is_some_and(|verb| !verb.is_batch()) => said(item),
        _ => format!("{} items", items.len()),
    };
    format!("{said}; permission_sets {sets}; an update must name {require}")
}

/// What the body says of what grants are about.
fn said(item: &Item) -> String {
    let named = |name: &str, value: Option<&str>| match value {
        Some(value) => format!("{name} `{value}`"),
        None => format!("no {name}"),
    };
    let set = item.permission_set.map(PermissionSet::as_str);
    let all = [
        named("permission_set", set),
        named("namespace", item.namespace.as_deref()),
        named("key", item.key.as_deref()),
    ];
    all.join(", ")
}

fn ownership(grants: &Grants, found: &Explanation) -> String {
    if found.condition.is_some() {
        return format!("the metafield must be {}", within(grants));
    }
    if grants.is_limited() {
        "the request shows by itself whose the metafield is".to_owned()
    } else {
        "the caller is not limited to namespaces, keys or customers".to_owned()
    }
}

/// What a metafield must be for a limited caller.
pub(super) fn within(grants: &Grants) -> String {
    let mut of = Vec::new();
    if grants.namespaces.is_limited() {
        of.push(format!("in the namespaces {}", grants.namespaces));
    }
    if grants.keys.is_limited() {
        of.push(format!("under the keys {}", grants.keys));
    }
    if let Some(customers) = &grants.customers {
        of.push(format!("of the customers {customers}"));
    }
    of.join(", ")
}
