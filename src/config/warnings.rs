//! What is right in a configuration and hardly meant: callers that can do nothing, grants without an effect,
//! doors that are wider than they look, tokens that are about to expire. Pure; the time is an argument.

use super::file::{Address, Caller, File, Grants};
use super::problem::{Located, Place, Problem};
use crate::policy::vocabulary::{Scope, Verb};
use crate::policy::{Enforcement, Ownership, Pattern};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// The most warnings that are told one by one.
pub const MOST: usize = 20;

/// How long before its end a token is warned of: time to make another and to hand it over.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Everything to be warned of, in the order of the file.
pub fn warnings(file: &File, now: Timestamp) -> Vec<Problem> {
    let mut found = Vec::new();
    found.extend(open_door(file));
    for (index, caller) in file.callers.iter().enumerate() {
        let key = |name: &str| format!("caller[{index}].{name}");
        found.extend(idle(caller, &key));
        found.extend(void(caller, &key));
        found.extend(only_told(file, &caller.grants, &key));
        found.extend(expiring(caller, now, &key));
    }
    found.extend(shared(file));
    found.sort_by_key(Problem::place);
    found
}

fn open_door(file: &File) -> Option<Problem> {
    let address = &file.listen.address;
    let Address::Tcp(socket) = &address.value else {
        return None;
    };
    (file.listen.tls.is_none() && !socket.ip().to_canonical().is_loopback()).then(|| {
        Problem::new(
            address.place,
            "listen.address",
            "other machines can connect, and tokens cross the network readable",
        )
        .with_hint("set `listen.tls`, or listen on a loopback address or a Unix socket")
    })
}

/// The operations that a caller's scopes and grants leave it.
fn usable(caller: &Caller) -> Vec<Verb> {
    let granted = caller.grants.operations.as_ref();
    let verbs = Verb::ALL.into_iter().filter(|verb| {
        caller.scopes.iter().any(|scope: &Scope| scope.opens(*verb))
            && granted.is_none_or(|granted| granted.value.contains(verb))
            && !(caller.grants.customers.is_some() && *verb == Verb::ListAll)
    });
    verbs.collect()
}

fn place_of(caller: &Caller) -> Place {
    let token = caller.identity.tokens.first().map(|token| token.place);
    let signed = caller.identity.signed_token.as_ref();
    token
        .or(signed.map(|signed| signed.place))
        .unwrap_or(Place::START)
}

fn idle(caller: &Caller, key: &dyn Fn(&str) -> String) -> Option<Problem> {
    usable(caller).is_empty().then(|| {
        let message = format!("`{}` can do nothing: its scopes and grants leave no operation", caller.name);
        Problem::new(place_of(caller), key("scopes"), message)
            .with_hint("`store_v2_customers` opens every operation, `store_v2_customers_read_only` those that read")
    })
}

fn void(caller: &Caller, key: &dyn Fn(&str) -> String) -> Vec<Problem> {
    let usable = usable(caller);
    if usable.is_empty() {
        return Vec::new();
    }
    let grants = &caller.grants;
    let writes = |verb: &Verb| {
        matches!(
            verb,
            Verb::Create | Verb::CreateBatch | Verb::Update | Verb::UpdateBatch
        )
    };
    let updates = |verb: &Verb| matches!(verb, Verb::Update | Verb::UpdateBatch);
    let batches = |verb: &Verb| verb.is_batch();
    let lists_all = grants
        .operations
        .as_ref()
        .is_some_and(|verbs| verbs.value.contains(&Verb::ListAll));
    let cases = [
        (
            "permission_sets",
            place(grants.permission_sets.as_ref()),
            !usable.iter().any(writes),
            "has no effect: the caller can use no operation that writes a permission set",
        ),
        (
            "require",
            place(grants.require.as_ref()),
            !usable.iter().any(updates),
            "has no effect: the caller can use no update",
        ),
        (
            "batch_items",
            place(grants.batch_items.as_ref()),
            !usable.iter().any(batches),
            "has no effect: the caller can use no batch",
        ),
        (
            "customers",
            place(grants.customers.as_ref()),
            lists_all,
            "makes `list_all` among `operations` void: it does not show whose metafields it is about",
        ),
    ];
    let found = cases.into_iter().filter(|(_, _, is_void, _)| *is_void);
    found
        .filter_map(|(name, place, _, message)| Some(Problem::new(place?, key(name), message)))
        .collect()
}

fn place<T>(grant: Option<&Located<T>>) -> Option<Place> {
    grant.map(|grant| grant.place)
}

/// What narrows a caller less than it seems.
fn only_told(file: &File, grants: &Grants, key: &dyn Fn(&str) -> String) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(enforcement) = &grants.enforcement
        && enforcement.value == Enforcement::Report
    {
        let message = "the caller's grants refuse nothing: what they would refuse is only reported";
        found.push(Problem::new(enforcement.place, key("enforcement"), message));
    }
    let narrowed = place(grants.namespaces.as_ref()).or(place(grants.keys.as_ref()));
    if let Some(place) = narrowed
        && file.policy.ownership == Ownership::Named
    {
        let message = "holds no update by id, because `policy.ownership` is \"named\": the caller can move another's metafield into its own territory";
        found.push(
            Problem::new(place, key("namespaces"), message)
                .with_hint("leave `policy.ownership` at \"lookup\""),
        );
    }
    found
}

fn expiring(caller: &Caller, now: Timestamp, key: &dyn Fn(&str) -> String) -> Vec<Problem> {
    let tokens = caller.identity.tokens.iter().enumerate();
    let found = tokens.filter_map(|(index, token)| {
        let expires = token.value.expires?;
        let message = if expires <= now {
            format!("`{}`: the token has expired at {expires}", caller.name)
        } else if expires.duration_since(now) < SOON {
            format!("`{}`: the token expires at {expires}", caller.name)
        } else {
            return None;
        };
        let key = key(&format!("token_sha256[{index}].expires"));
        Some(Problem::new(token.place, key, message).with_hint("add the digest of a new token beside it, and remove this one when it is no longer used"))
    });
    found.collect()
}

/// Namespaces that two callers may write. Each is compared with those that could cover it by its dots, so that
/// ten thousand callers take no longer than their sorting.
fn shared(file: &File) -> Vec<Problem> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found = Vec::new();
    let writes = |verb: &Verb| !verb.reads();
    for (index, caller) in file.callers.iter().enumerate() {
        let Some(namespaces) = &caller.grants.namespaces else {
            continue;
        };
        if !usable(caller).iter().any(writes) {
            continue;
        }
        for pattern in &namespaces.value {
            let text = match pattern {
                Pattern::Exact(text) | Pattern::Prefix(text) => text.as_str(),
            };
            if let Some(other) = covering(&seen, text).filter(|other| *other != index) {
                let other = file.callers.get(other).map_or("", |other| &other.name);
                let message = format!(
                    "`{}` and `{other}` may both write the namespace `{text}`",
                    caller.name
                );
                let key = format!("caller[{index}].namespaces");
                found.push(Problem::new(namespaces.place, key, message));
            }
        }
        for pattern in &namespaces.value {
            let (Pattern::Exact(text) | Pattern::Prefix(text)) = pattern;
            seen.entry(text).or_insert(index);
        }
    }
    found
}

/// Who came before with this namespace, with a prefix of it, or, for a prefix, with what lies within.
fn covering(seen: &BTreeMap<&str, usize>, text: &str) -> Option<usize> {
    let by_prefix = text
        .match_indices('.')
        .find_map(|(at, _)| seen.get(text.get(..=at)?));
    let within = || {
        let (first, index) = seen.range(text..).next()?;
        (text.ends_with('.') && first.starts_with(text)).then_some(index)
    };
    seen.get(text).or(by_prefix).or_else(within).copied()
}

#[cfg(test)]
mod tests {
    use super::super::file::read;
    use super::*;
    use std::path::Path;

    fn told(text: &str) -> Vec<String> {
        let store = "[[store]]\nhash = \"abc\"\ncredential = { file = \"absent\" }\n";
        let file = read(&format!("{text}\n{store}"), Path::new("/"));
        let file = file.unwrap_or_else(|problems| panic!("{}", problems.report("f")));
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        let warnings = warnings(&file, now);
        warnings
            .iter()
            .map(|warning| format!("{} {}", warning.key, warning.message))
            .collect()
    }

    fn caller(name: &str, rest: &str) -> String {
        let digest = name.bytes().next().unwrap();
        let scopes = if rest.contains("scopes") {
            ""
        } else {
            "scopes = [\"store_v2_customers\"]\n"
        };
        let token = if rest.contains("token_sha256") {
            String::new()
        } else {
            format!("token_sha256 = [\"{digest:064}\"]\n")
        };
        format!("[[caller]]\nname = \"{name}\"\n{token}{scopes}{rest}\n")
    }

    #[test]
    fn each_kind_is_told() {
        let token = "0".repeat(64);
        let expires = |at: &str| {
            caller(
                "a",
                &format!("token_sha256 = [{{ sha256 = \"{token}\", expires = \"{at}\" }}]"),
            )
        };
        for (text, expected) in [
            (caller("a", ""), None),
            (
                format!("listen.address = \"0.0.0.0:80\"\n{}", caller("a", "")),
                Some("listen.address other machines"),
            ),
            (
                format!("listen.address = \"[::1]:80\"\n{}", caller("a", "")),
                None,
            ),
            (
                caller("a", "scopes = [\"store_cart\"]"),
                Some("caller[0].scopes `a` can do nothing"),
            ),
            (
                caller("a", "customers = [1]\noperations = [\"list_all\", \"get\"]"),
                Some("caller[0].customers makes `list_all`"),
            ),
            (
                caller(
                    "a",
                    "scopes = [\"store_v2_customers_read_only\"]\npermission_sets = [\"read\"]",
                ),
                Some("caller[0].permission_sets has no effect"),
            ),
            (
                caller("a", "operations = [\"create\"]\nrequire = [\"key\"]"),
                Some("caller[0].require has no effect"),
            ),
            (
                caller("a", "operations = [\"get\"]\nbatch_items = 3"),
                Some("caller[0].batch_items has no effect"),
            ),
            (
                caller("a", "enforcement = \"report\""),
                Some("caller[0].enforcement the caller's grants refuse nothing"),
            ),
            (
                format!(
                    "policy.ownership = \"named\"\n{}",
                    caller("a", "namespaces = [\"n\"]")
                ),
                Some("caller[0].namespaces holds no update by id"),
            ),
            (
                expires("2026-05-31T00:00:00Z"),
                Some("caller[0].token_sha256[0].expires `a`: the token has expired"),
            ),
            (
                expires("2026-06-10T00:00:00Z"),
                Some("caller[0].token_sha256[0].expires `a`: the token expires at"),
            ),
            (expires("2026-07-10T00:00:00Z"), None),
        ] {
            let found = told(&text);
            match expected {
                None => assert_eq!(found, [""; 0], "{text}"),
                Some(expected) => {
                    assert_eq!(found.len(), 1, "{text} {found:?}");
                    assert!(found[0].starts_with(expected), "{text} {found:?}");
                }
            }
        }
    }

    #[test]
    fn a_namespace_of_two_is_told() {
        let two = |first: &str, second: &str| {
            told(
                &(caller("a", &format!("namespaces = [\"{first}\"]"))
                    + &caller("b", &format!("namespaces = [\"{second}\"]"))),
            )
        };
        for (first, second) in [
            ("crm", "crm"),
            ("crm.*", "crm.eu"),
            ("crm.eu", "crm.*"),
            ("crm.*", "crm.*"),
            ("crm.eu.*", "crm.*"),
            ("crm.*", "crm.eu.x"),
        ] {
            let found = two(first, second);
            assert_eq!(found.len(), 1, "{first} {second} {found:?}");
            assert!(found[0].contains("`b` and `a` may both write"), "{found:?}");
        }
        for (first, second) in [
            ("crm", "erp"),
            ("crm", "crm.*"),
            ("crm.*", "crm"),
            ("crm.*", "crmx.a"),
            ("crm.eu", "crm.us"),
        ] {
            assert_eq!(two(first, second), [""; 0], "{first} {second}");
        }
    }
}
