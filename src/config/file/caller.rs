//! `[[caller]]`: who may come, by what it is known, and what it may do.

mod grants;
mod identity;
mod names;
mod signed;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use toml::de::DeValue;

pub use self::grants::Grants;
pub use self::identity::{Identity, Token};
pub use self::signed::SignedToken;
use super::Listen;
use crate::config::problem::{Place, shown};
use crate::config::reader::{Fault, TableReader, twice, value};
use crate::policy::vocabulary::{Scope, StoreHash};
use crate::quota::CallerTerms;

/// The most characters of a caller's name: it is a label of metrics and a field of every audit line.
const LONGEST_NAME: usize = 64;

const EXAMPLE: &str = "such as `[[caller]]` with `name`, `token_sha256` and `scopes`; `metafield-gateway token` makes a token";

/// One `[[caller]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// 1 to 64 of `[A-Za-z0-9_.-]`, unique in the file.
    pub name: String,
    /// What it is known by.
    pub identity: Identity,
    /// Its scopes, at least one.
    pub scopes: Vec<Scope>,
    /// What narrows it.
    pub grants: Grants,
    /// What it may spend.
    pub spending: CallerTerms,
}

/// What the callers before have taken, and where.
#[derive(Default)]
struct Seen {
    names: BTreeMap<String, Place>,
    identities: identity::Seen,
}

/// What the rest of the file says of callers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'f> {
    /// The configured stores; `None` if one could not be read.
    pub(super) stores: Option<&'f BTreeSet<StoreHash>>,
    /// `limits.batch_items`; `None` if the limits could not be read.
    pub(super) batch_items: Option<usize>,
    /// `upstream.deadline`; `None` if the upstream could not be read.
    pub(super) deadline: Option<Duration>,
    /// The names of the issuers; `None` if one could not be read.
    pub(super) issuers: Option<&'f BTreeSet<String>>,
    /// Where callers come in; `None` if that could not be read.
    pub(super) listen: Option<&'f Listen>,
}

/// Every caller; `None` for one that is wrong.
pub(super) fn callers(
    root: &mut TableReader<'_, '_>,
    known: Known<'_>,
) -> Option<Vec<Option<Caller>>> {
    let mut seen = Seen {
        identities: identity::Seen::none_yet(known.listen),
        ..Seen::default()
    };
    let callers = root.tables("caller", EXAMPLE, |table| caller(table, known, &mut seen));
    signed::refuse_overlaps(root, callers.as_deref().unwrap_or_default());
    callers
}

fn caller(table: &mut TableReader<'_, '_>, known: Known<'_>, seen: &mut Seen) -> Option<Caller> {
    let name = table.required("name", "it names the caller in logs and metrics", |found| {
        name(found)
    });
    if let Some(name) = &name {
        match seen.names.get(&name.value) {
            Some(first) => table.fault(name.place, "name", twice(*first)),
            None => drop(seen.names.insert(name.value.clone(), name.place)),
        }
    }
    let identity = identity::identity(table, known.issuers, &mut seen.identities);
    let scopes = table.required_list("scopes", "name at least one scope", |found, _| scope(found));
    let grants = grants::grants(table, scopes.as_deref(), known);
    let spending = super::quota::caller(table, known.deadline);
    Some(Caller {
        name: name?.value,
        identity: identity?,
        scopes: scopes?,
        grants,
        spending,
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

fn scope(found: &DeValue<'_>) -> Result<Scope, Fault> {
    let text = value::text(found, "a scope's name")?;
    let names = Scope::ALL.iter().map(|scope| scope.as_str());
    // Who slips in a name that only reads must not be led to one that writes.
    let only_reads = text.to_ascii_lowercase().contains("_r");
    let near = names
        .clone()
        .filter(move |name| !only_reads || name.ends_with("_read_only"));
    Scope::from_name(text).ok_or_else(|| value::unknown_word_near(text, near, names))
}
