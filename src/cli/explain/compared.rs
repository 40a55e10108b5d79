//! What each step of a decision compares, in words.

use super::condition::within;
use super::explanation::{Asked, Explanation};
use super::spent::spent;
use crate::config::Policy;
use crate::policy::vocabulary::{PermissionSet, StoreHash, Verb};
use crate::policy::{Grants, Item, Operation, Ownership};
use std::fmt::Display;

/// What a step compares.
pub(super) fn compared(
    policy: &Policy,
    caller: usize,
    asked: &Asked<'_>,
    found: &Explanation,
    name: &str,
) -> String {
    let limits = &policy.limits;
    let Some(grants) = policy.callers.get(caller).map(|caller| &caller.grants) else {
        return String::new();
    };
    let operation = found.operation.as_ref();
    let verb = operation.map(|operation| operation.verb);
    let query = asked.parts().1;
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
        "query" => query.map_or("none".to_owned(), |query| {
            format!("keys that the operation takes, each once: {query}")
        }),
        "limits" => spent(policy, caller, operation),
        "headers" => "depend on the client: media type, sizes, Content-Encoding".to_owned(),
        "ownership" => ownership(grants, found),
        _ => operation.map_or_else(String::new, |operation| {
            of_grants(grants, operation, query, name)
                .unwrap_or_else(|| of_body(policy, grants, asked, operation.verb, found, name))
        }),
    }
}

/// The grants that need no body: what the request has, and what is granted.
fn of_grants(
    grants: &Grants,
    operation: &Operation,
    query: Option<&str>,
    name: &str,
) -> Option<String> {
    let verb = operation.verb;
    Some(match name {
        "scopes" => {
            let opening = if verb.reads() {
                "store_v2_customers or store_v2_customers_read_only"
            } else {
                "store_v2_customers"
            };
            let has = listed(grants.scopes.iter().map(|scope| scope.as_str()), "none");
            format!("{} needs {opening}; the caller has {has}", verb.as_str())
        }
        "stores" => granted(
            operation.store.as_str(),
            grants
                .stores
                .as_ref()
                .map(|stores| listed(stores.iter().map(StoreHash::as_str), "none")),
        ),
        "operations" => granted(
            verb.as_str(),
            grants
                .operations
                .as_ref()
                .map(|verbs| listed(verbs.iter().map(|verb| verb.as_str()), "none")),
        ),
        "customers" => {
            let named = operation
                .customer
                .map(|customer| customer.get().to_string());
            let named = named.unwrap_or_else(|| "the path names none".to_owned());
            granted(&named, grants.customers.as_ref())
        }
        "namespaces" | "keys" => {
            let (limit, key) = match name {
                "keys" => (&grants.keys, "key"),
                _ => (&grants.namespaces, "namespace"),
            };
            let named = named_by(verb, query, key);
            granted(&named, Some(limit).filter(|names| names.is_limited()))
        }
        _ => return None,
    })
}

/// Where a request names its namespace or its key.
fn named_by(verb: Verb, query: Option<&str>, key: &str) -> String {
    match verb {
        Verb::List | Verb::ListAll => {
            let pairs = query.unwrap_or_default().split('&');
            let named: Vec<&str> = pairs
                .filter(|pair| {
                    let name = pair.split('=').next().unwrap_or_default();
                    name.strip_prefix(key)
                        .is_some_and(|rest| ["", ":in", "%3Ain", "%3ain"].contains(&rest))
                })
                .collect();
            if named.is_empty() {
                format!("the query names no {key}")
            } else {
                named.join(" and ")
            }
        }
        Verb::Get | Verb::Delete | Verb::DeleteBatch => format!("an id does not show its {key}"),
        _ => "judged with the fields".to_owned(),
    }
}

/// The steps about a body.
fn of_body(
    policy: &Policy,
    grants: &Grants,
    asked: &Asked<'_>,
    verb: Verb,
    found: &Explanation,
    name: &str,
) -> String {
    if !verb.has_body() {
        return format!("does not apply: {} takes no body", verb.as_str());
    }
    match name {
        "size" => format!(
            "{} of at most {} bytes",
            asked.body.len(),
            policy.limits.body_of(verb)
        ),
        "json" => "one value of the operation's shape, no key twice".to_owned(),
        "batch_items" if !verb.is_batch() => "does not apply: no batch".to_owned(),
        "batch_items" => {
            let count = counted(found.items.len());
            granted(&count, grants.batch_items)
        }
        "fields" => fields(policy, verb, &found.items),
        _ => on_fields(grants, verb, &found.items),
    }
}

fn store(policy: &Policy, operation: Option<&Operation>) -> String {
    let known = listed(policy.stores.iter().map(StoreHash::as_str), "none");
    match operation {
        Some(operation) => format!("{} among {known}", operation.store),
        None => known,
    }
}

/// What a request has, and what the caller is granted.
fn granted(asked: &str, grant: Option<impl Display>) -> String {
    grant.map_or_else(
        || "not limited".to_owned(),
        |grant| format!("{asked}; granted: {grant}"),
    )
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

fn fields(policy: &Policy, verb: Verb, items: &[Item]) -> String {
    if verb.is_batch() {
        let most = policy.rules.batch_items;
        return format!(
            "{} of at most {most} items, each by BigCommerce's rules",
            items.len()
        );
    }
    "by BigCommerce's rules".to_owned()
}

fn on_fields(grants: &Grants, verb: Verb, items: &[Item]) -> String {
    let said = match items {
        [item] if !verb.is_batch() => said(item),
        _ => counted(items.len()),
    };
    let mut granted = Vec::new();
    if let Some(sets) = &grants.permission_sets {
        let sets = listed(sets.iter().map(|set| set.as_str()), "none");
        granted.push(format!("permission_set {sets}"));
    }
    if grants.namespaces.is_limited() {
        granted.push(format!("namespace {}", grants.namespaces));
    }
    if grants.keys.is_limited() {
        granted.push(format!("key {}", grants.keys));
    }
    if !grants.require.is_empty() {
        let require = listed(grants.require.iter().map(|field| field.as_str()), "nothing");
        granted.push(format!("an update must name {require}"));
    }
    if granted.is_empty() {
        granted.push("whatever the rules allow".to_owned());
    }
    format!("{said}; granted: {}", granted.join("; "))
}

fn counted(items: usize) -> String {
    match items {
        1 => "1 item".to_owned(),
        _ => format!("{items} items"),
    }
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
    if grants.ownership == Ownership::Named {
        "nothing is looked up: policy.ownership is \"named\"".to_owned()
    } else if grants.is_limited() {
        "the request shows by itself whose the metafield is".to_owned()
    } else {
        "the caller is not limited to namespaces, keys or customers".to_owned()
    }
}
