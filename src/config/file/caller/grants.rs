//! What narrows a caller: the grants of its `[[caller]]`. A key that is left out narrows nothing.

use std::collections::BTreeSet;

use toml::de::DeValue;

use crate::config::problem::shown;
use crate::config::reader::{Fault, TableReader, value};
use crate::policy::NamespacePattern;
use crate::policy::vocabulary::{PermissionSet, Scope, StoreHash, Verb};

/// The most characters of a namespace, BigCommerce's own limit.
const LONGEST_NAMESPACE: usize = 64;

/// The grants of one `[[caller]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// The stores it may reach; `None` for every one.
    pub stores: Option<Vec<StoreHash>>,
    /// The operations it may use, each opened by a scope; `None` for what the scopes open.
    pub operations: Option<Vec<Verb>>,
    /// The permission sets it may write; `None` for all.
    pub permission_sets: Option<Vec<PermissionSet>>,
    /// The namespaces it keeps to; `None` for any.
    pub namespaces: Option<Vec<NamespacePattern>>,
}

impl Grants {
    /// Whether the caller's requests depend on whose metafields are.
    pub fn is_limited(&self) -> bool {
        self.namespaces.is_some()
    }
}

/// Reads the grants. `scopes` and `known` are `None` if the scopes or a store could not be read.
pub(super) fn grants(
    table: &mut TableReader<'_, '_>,
    scopes: Option<&[Scope]>,
    known: Option<&BTreeSet<StoreHash>>,
) -> Grants {
    let stores = table.list(
        "stores",
        "leave the key out to allow every store",
        |found, _| known_store(found, known),
    );
    let operations = table.list(
        "operations",
        "leave the key out to allow what the scopes open",
        |found, _| operation(found, scopes),
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
    Grants {
        stores,
        operations,
        permission_sets,
        namespaces,
    }
}

fn known_store(
    found: &DeValue<'_>,
    known: Option<&BTreeSet<StoreHash>>,
) -> Result<StoreHash, Fault> {
    let hash = super::super::store::store_hash(found)?;
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
