//! What narrows a caller: the grants of its `[[caller]]`. A key that is left out narrows nothing.

mod customers;
mod names;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::Known;
use crate::config::problem::{Located, shown};
use crate::config::reader::{Fault, TableReader, value};
use crate::policy::vocabulary::{Id, PermissionSet, Scope, StoreHash, Verb};
use crate::policy::{Enforcement, Pattern, Required};

/// The most entries of `namespaces`, `keys` or `customers`: more than a person writes, and quick to read
/// and to look up. Where more are needed, a prefix or a range says it.
const MOST_ENTRIES: usize = 10_000;

const ENFORCEMENT: [(&str, Enforcement); 2] = [
    ("enforce", Enforcement::Enforce),
    ("report", Enforcement::Report),
];

/// The grants of one `[[caller]]`, each with the place of its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// The stores it may reach; `None` for every one.
    pub stores: Option<Located<Vec<StoreHash>>>,
    /// The operations it may use, each opened by a scope; `None` for what the scopes open.
    pub operations: Option<Located<Vec<Verb>>>,
    /// The permission sets it may write; `None` for all.
    pub permission_sets: Option<Located<Vec<PermissionSet>>>,
    /// The namespaces it keeps to; `None` for any.
    pub namespaces: Option<Located<Vec<Pattern>>>,
    /// The keys it keeps to; `None` for any.
    pub keys: Option<Located<Vec<Pattern>>>,
    /// The customers it keeps to, none of them twice; `None` for any.
    pub customers: Option<Located<Vec<RangeInclusive<Id>>>>,
    /// The most items of its batches; `None` for `limits.batch_items`.
    pub batch_items: Option<Located<usize>>,
    /// The fields that its updates must name; `None` for none.
    pub require: Option<Located<Vec<Required>>>,
    /// What a refusal by these grants does; `None`: it refuses.
    pub enforcement: Option<Located<Enforcement>>,
}

impl Grants {
    /// Whether the caller's requests depend on whose metafields are.
    pub fn is_limited(&self) -> bool {
        self.namespaces.is_some() || self.keys.is_some() || self.customers.is_some()
    }
}

/// Reads the grants. `scopes` is `None` if the scopes could not be read.
pub(super) fn grants(
    table: &mut TableReader<'_, '_>,
    scopes: Option<&[Scope]>,
    known: Known<'_>,
) -> Grants {
    let stores = list(table, "stores", "every store", |found| {
        known_store(found, known.stores)
    });
    let operations = list(table, "operations", "what the scopes open", |found| {
        operation(found, scopes)
    });
    let permission_sets = list(table, "permission_sets", "all five", permission_set);
    let namespaces = names::names(table, "namespaces", &names::NAMESPACE);
    let keys = names::names(table, "keys", &names::KEY);
    let customers = customers::customers(table);
    let most = known
        .batch_items
        .unwrap_or(crate::config::file::limits::MOST_BATCH_ITEMS);
    let batch_items = table.optional("batch_items", |found| batch_items(found, most));
    let require = list(table, "require", "updates that leave fields out", |found| {
        required(found)
    });
    Grants {
        stores,
        operations,
        permission_sets,
        namespaces,
        keys,
        customers,
        batch_items,
        require,
        enforcement: table.optional("enforcement", value::choice(&ENFORCEMENT)),
    }
}

/// A list from a closed set of words; `open` is what leaving the key out allows.
fn list<T: PartialEq>(
    table: &mut TableReader<'_, '_>,
    key: &'static str,
    open: &str,
    parse: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
) -> Option<Located<Vec<T>>> {
    let place = table.place_of(key);
    let hint = format!("leave the key out to allow {open}");
    let value = table.list(key, &hint, |found, _| parse(found))?;
    Some(Located { value, place })
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

fn batch_items(found: &DeValue<'_>, most: usize) -> Result<usize, Fault> {
    let items = value::integer(1..=crate::config::file::limits::MOST_BATCH_ITEMS)(found)?;
    if items > most {
        return Err(
            Fault::new(format!("{items} is more than `limits.batch_items`, {most}"))
                .with_hint("a grant only takes away: leave the key out to allow as many"),
        );
    }
    Ok(items)
}

fn required(found: &DeValue<'_>) -> Result<Required, Fault> {
    let text = value::text(found, "a field's name")?;
    let field = Required::ALL
        .into_iter()
        .find(|field| field.as_str() == text);
    let names = Required::ALL.iter().map(|field| field.as_str());
    field.ok_or_else(|| value::unknown_word(text, names))
}
