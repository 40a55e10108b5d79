//! What is right in a configuration and hardly meant: callers that can do nothing, grants without an effect,
//! doors that are wider than they look, tokens that are about to expire. Pure; the time is an argument.

use super::file::{self, Caller, File, Grants, Page};
use super::problem::{Located, Place, Problem};
use crate::policy::vocabulary::{Scope, Verb};
use crate::policy::{Enforcement, Ownership, Pattern};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashSet};

/// The most warnings that are told one by one.
pub const MOST: usize = 20;

/// What a running gateway says of them.
pub const HARDLY_MEANT: &str =
    "something in the configuration is hardly meant: `metafield-gateway check` tells what";

/// How long before its end a token is warned of: time to make another and to hand it over.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Everything to be warned of, in the order of the file.
pub fn warnings(file: &File, now: Timestamp) -> Vec<Problem> {
    let mut found = Vec::new();
    found.extend(open_door(file));
    found.extend(open_page(file));
    for (index, caller) in file.callers.iter().enumerate() {
        let key = |name: &str| format!("caller[{index}].{name}");
        found.extend(idle(caller, &key));
        found.extend(void(caller, &key));
        found.extend(only_told(file, &caller.grants, &key));
        found.extend(unspendable(file, caller, &key));
        found.extend(placeholder(caller, &key));
        found.extend(expiring(caller, now, &key));
    }
    found.extend(shared(file));
    found.extend(nothing_to_share(file));
    found.extend(shared_in_the_open(file));
    found.extend(unused_issuers(file));
    found.sort_by_key(Problem::place);
    found
}

fn open_door(file: &File) -> Option<Problem> {
    let address = &file.listen.address;
    (file.listen.tls.is_none() && !address.value.is_local()).then(|| {
        Problem::new(
            address.place,
            "listen.address",
            "other machines can connect, and tokens cross the network readable",
        )
        .with_hint("set `listen.tls`, or listen on a loopback address or a Unix socket")
    })
}

/// A page that shows who changes what to everyone who can connect.
fn open_page(file: &File) -> Option<Problem> {
    let admin = file.admin.as_ref()?;
    let address = match &admin.page.value {
        Page::Off => return None,
        Page::Beside => &admin.address.value,
        Page::At(address) => address,
    };
    (!address.is_local()).then(|| {
        let message = "other machines can connect, and see who changes which customer's metafields";
        Problem::new(admin.page.place, "admin.page", message).with_hint(
            "give the page a loopback address of its own, such as `page = \"127.0.0.1:9091\"`",
        )
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

/// What is said about spending and changes nothing.
fn unspendable(file: &File, caller: &Caller, key: &dyn Fn(&str) -> String) -> Vec<Problem> {
    let terms = &caller.spending;
    let mut stores = file.stores.iter();
    let has_quota =
        stores.any(|store| store.quota.is_some() && file::quota::reaches(caller, &store.hash));
    let most = caller.grants.batch_items.as_ref();
    let most = most.map_or(file.limits.batch_items, |most| most.value);
    let never = terms.largest_batch().filter(|largest| most > *largest);
    let (no_store, no_limit) = (
        "has no effect: none of the caller's stores has a `quota`",
        "has no effect: the caller has no limit of its own, and none of its stores a `quota`",
    );
    let cases = [
        (
            "weight",
            !has_quota && terms.weight != file::quota::WEIGHT,
            no_store.to_owned(),
        ),
        (
            "guaranteed",
            !has_quota && terms.guaranteed > 0,
            no_store.to_owned(),
        ),
        (
            "max_wait",
            !has_quota && !terms.is_limited() && !terms.max_wait.is_zero(),
            no_limit.to_owned(),
        ),
        (
            "rate_limit.batch_items",
            never.is_some(),
            format!("batches of more items are refused for ever, although one may have {most}"),
        ),
    ];
    let found = cases.into_iter().filter(|(_, is_void, _)| *is_void);
    found
        .map(|(name, _, message)| Problem::new(place_of(caller), key(name), message))
        .collect()
}

/// A digest that stands for one to come: nobody can present a token of it.
fn placeholder(caller: &Caller, key: &dyn Fn(&str) -> String) -> Vec<Problem> {
    let tokens = caller.identity.tokens.iter().enumerate();
    let zeros = tokens.filter(|(_, token)| token.value.sha256 == [0; 32]);
    let told = zeros.map(|(index, token)| {
        let message = format!("`{}`: no token has a digest of zeros", caller.name);
        Problem::new(token.place, key(&format!("token_sha256[{index}]")), message)
            .with_hint("`metafield-gateway token` makes a token and prints its digest")
    });
    told.collect()
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

/// A server by which nothing is shared.
fn nothing_to_share(file: &File) -> Option<Problem> {
    let shared = file.quota.shared.as_ref()?;
    let has_quota = file.stores.iter().any(|store| store.quota.is_some());
    (!has_quota).then(|| {
        Problem::new(
            shared.url.place,
            "quota.shared",
            "has no effect: no store has a `quota`",
        )
        .with_hint("write `quota = { requests = 150, per = \"30s\" }` below the store")
    })
}

/// A server whose password and counts anyone on the way can read, and change.
fn shared_in_the_open(file: &File) -> Option<Problem> {
    let shared = file.quota.shared.as_ref()?;
    let url = &shared.url;
    url.value.is_readable_on_its_way().then(|| {
        let host = &url.value.host;
        let message = format!("password and counts go to {host} without encryption");
        Problem::new(url.place, "quota.shared.url", message)
            .with_hint("write `rediss://` where the server can do TLS")
    })
}

/// Issuers whose tokens are nobody's.
fn unused_issuers(file: &File) -> Vec<Problem> {
    let bound = file.callers.iter().filter_map(|caller| {
        let signed = caller.identity.signed_token.as_ref()?;
        Some(signed.value.issuer.as_str())
    });
    let bound: HashSet<&str> = bound.collect();
    let issuers = file.issuers.iter().enumerate();
    let unused = issuers.filter(|(_, issuer)| !bound.contains(issuer.name.as_str()));
    let told = unused.map(|(index, issuer)| {
        let message = format!("no caller is bound to `{}`: each of its tokens is refused", issuer.name);
        Problem::new(issuer.jwks.place, format!("issuer[{index}]"), message)
            .with_hint("bind a caller with `signed_token = { issuer = ..., subject = ... }`, or remove the issuer")
    });
    told.collect()
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
mod tests;
