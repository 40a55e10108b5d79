//! `[[caller]]`: who may come, told by the digest of its token, and what it may do.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeValue;

use crate::config::problem::{Place, shown};
use crate::config::reader::{Fault, TableReader, twice, value};
use crate::policy::NamespacePattern;
use crate::policy::vocabulary::{PermissionSet, Scope, StoreHash, Verb};

/// The most characters of a caller's name: it is a label of metrics and a field of every audit line.
const LONGEST_NAME: usize = 64;

/// The most characters of a namespace, BigCommerce's own limit.
const LONGEST_NAMESPACE: usize = 64;

const EXAMPLE: &str = "such as `[[caller]]` with `name`, `token_sha256` and `scopes`; `metafield-gateway token` makes a token";
const DIGEST: &str = "it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both";
const NEVER_INLINE: &str = "a token does not belong into this file: write `token_sha256`, its SHA-256, and replace the token that stood here";

/// One `[[caller]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// 1 to 64 of `[A-Za-z0-9_.-]`, unique in the file.
    pub name: String,
    /// The SHA-256 of each of its tokens, at least one, each unique in the file.
    pub token_sha256: Vec<[u8; 32]>,
    /// Its scopes, at least one.
    pub scopes: Vec<Scope>,
    /// The stores it may reach; `None` for every one.
    pub stores: Option<Vec<StoreHash>>,
    /// The operations it may use, each opened by a scope; `None` for what the scopes open.
    pub operations: Option<Vec<Verb>>,
    /// The permission sets it may write; `None` for all.
    pub permission_sets: Option<Vec<PermissionSet>>,
    /// The namespaces it keeps to; `None` for any.
    pub namespaces: Option<Vec<NamespacePattern>>,
}

/// What the callers before have taken, and where.
#[derive(Default)]
struct Seen {
    names: BTreeMap<String, Place>,
    digests: BTreeMap<[u8; 32], Place>,
}

/// Every caller; `None` for one that is wrong. `stores` is `None` if a store could not be read.
pub(super) fn callers(
    root: &mut TableReader<'_, '_>,
    stores: Option<&BTreeSet<StoreHash>>,
) -> Option<Vec<Option<Caller>>> {
    let mut seen = Seen::default();
    root.tables("caller", EXAMPLE, |table| caller(table, stores, &mut seen))
}

fn caller(
    table: &mut TableReader<'_, '_>,
    known: Option<&BTreeSet<StoreHash>>,
    seen: &mut Seen,
) -> Option<Caller> {
    for key in ["token", "tokens", "secret", "password", "api_key"] {
        table.misnomer(key, NEVER_INLINE);
    }
    let name = table.required("name", "it names the caller in logs and metrics", |found| {
        name(found)
    });
    if let Some(name) = &name {
        match seen.names.get(&name.value) {
            Some(first) => table.fault(name.place, "name", twice(*first)),
            None => drop(seen.names.insert(name.value.clone(), name.place)),
        }
    }
    let digest = |found: &DeValue<'_>, place| unique_digest(found, place, &mut seen.digests);
    let token_sha256 = table.required_list("token_sha256", DIGEST, digest);
    let scopes = table.required_list("scopes", "name at least one scope", |found, _| scope(found));
    let stores = table.list(
        "stores",
        "leave the key out to allow every store",
        |found, _| known_store(found, known),
    );
    let operations = table.list(
        "operations",
        "leave the key out to allow what the scopes open",
        |found, _| operation(found, scopes.as_deref()),
    );
    let permission_sets = table.list(
        "permission_sets",
        "leave the key out to allow all five",
        |found, _| permission_set(found),
    );
    let namespaces = table.list(
        "namespaces",
        "leave the key out to allow any",
        |found, _| namespace(found),
    );
    Some(Caller {
        name: name?.value,
        token_sha256: token_sha256?,
        scopes: scopes?,
        stores,
        operations,
        permission_sets,
        namespaces,
    })
}

fn name(found: &DeValue<'_>) -> Result<String, Fault> {
    let text = value::text(found, "a name")?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(allowed) {
        return Err(
            Fault::new(format!("{} is not a caller's name", shown(text))).with_hint(format!(
                "a name is 1 to {LONGEST_NAME} letters, digits, `_`, `.` or `-`"
            )),
        );
    }
    Ok(text.to_owned())
}

fn unique_digest(
    found: &DeValue<'_>,
    place: Place,
    seen: &mut BTreeMap<[u8; 32], Place>,
) -> Result<[u8; 32], Fault> {
    let digest = digest(found)?;
    if let Some(first) = seen.get(&digest) {
        return Err(twice(*first).with_hint("every token belongs to one caller and is listed once"));
    }
    seen.insert(digest, place);
    Ok(digest)
}

/// A SHA-256 in hex. It is never echoed: someone may have put the token itself here.
fn digest(found: &DeValue<'_>) -> Result<[u8; 32], Fault> {
    let text = value::text(found, "64 hex digits").map_err(|fault| fault.with_hint(DIGEST))?;
    let fault = || Fault::new("is not 64 hex digits").with_hint(DIGEST);
    let mut digest = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return Err(fault());
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = hex(*high)
            .zip(hex(*low))
            .map(|(high, low)| high << 4 | low)
            .ok_or_else(fault)?;
    }
    Ok(digest)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn scope(found: &DeValue<'_>) -> Result<Scope, Fault> {
    let text = value::text(found, "a scope's name")?;
    let names = Scope::ALL.iter().map(|scope| scope.as_str());
    Scope::from_name(text).ok_or_else(|| value::unknown_word(text, names))
}

fn known_store(
    found: &DeValue<'_>,
    known: Option<&BTreeSet<StoreHash>>,
) -> Result<StoreHash, Fault> {
    let hash = super::store::store_hash(found)?;
    match known {
        Some(known) if !known.contains(&hash) => {
            let fault = value::unknown_word(hash.as_str(), known.iter().map(StoreHash::as_str));
            Err(Fault {
                message: format!("{} is not the hash of a `[[store]]`", shown(hash.as_str())),
                ..fault
            })
        }
        _ => Ok(hash),
    }
}

fn operation(found: &DeValue<'_>, scopes: Option<&[Scope]>) -> Result<Verb, Fault> {
    let text = value::text(found, "an operation's name")?;
    let names = Verb::ALL.iter().map(|verb| verb.as_str());
    let verb = Verb::from_name(text).ok_or_else(|| value::unknown_word(text, names))?;
    if scopes.is_some_and(|scopes| !scopes.iter().any(|scope| scope.opens(verb))) {
        let opening: Vec<_> = Scope::ALL
            .iter()
            .filter(|scope| scope.opens(verb))
            .map(|scope| format!("`{}`", scope.as_str()))
            .collect();
        return Err(
            Fault::new(format!("`{text}` is opened by none of the caller's scopes"))
                .with_hint(format!("it needs {}", opening.join(" or "))),
        );
    }
    Ok(verb)
}

fn permission_set(found: &DeValue<'_>) -> Result<PermissionSet, Fault> {
    let text = value::text(found, "a permission set's name")?;
    let names = PermissionSet::ALL.iter().map(|set| set.as_str());
    PermissionSet::from_name(text).ok_or_else(|| value::unknown_word(text, names))
}

fn namespace(found: &DeValue<'_>) -> Result<NamespacePattern, Fault> {
    let text = value::text(found, "a namespace")?;
    let (prefix, is_prefix) = match text.strip_suffix('*') {
        Some(prefix) => (prefix, true),
        None => (text, false),
    };
    let length = prefix.chars().count();
    let fault = |message: &str, hint: &str| {
        Err(Fault::new(format!("{} {message}", shown(text))).with_hint(hint))
    };
    if text == "*" {
        fault("would be any namespace", "leave the key out to allow any")
    } else if prefix.contains('*') || (is_prefix && (!prefix.ends_with('.') || length < 2)) {
        fault(
            "is neither a namespace nor a prefix",
            "a prefix ends in `.*`, such as `crm.*`",
        )
    } else if length == 0 || prefix.chars().any(char::is_control) {
        fault(
            "is not a namespace",
            "a namespace has at least one character and no control character",
        )
    } else if length + usize::from(is_prefix) > LONGEST_NAMESPACE {
        fault("is too long", "a namespace has at most 64 characters")
    } else if is_prefix {
        Ok(NamespacePattern::Prefix(prefix.to_owned()))
    } else {
        Ok(NamespacePattern::Exact(text.to_owned()))
    }
}
