//! `[[store]]`: the stores behind the gateway, and where the credential of each is read from. The
//! credential itself is never in the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use crate::config::problem::{Located, Place, shown};
use crate::config::reader::{Fault, TableReader, twice, value};
use crate::policy::vocabulary::StoreHash;
use crate::quota::StoreTerms;

const EXAMPLE: &str =
    "such as `[[store]]`, `hash = \"abc123\"`, `credential = { file = \"/run/secrets/token\" }`";
const CREDENTIAL: &str =
    "write `{ file = \"/run/secrets/token\" }` or `{ env = \"BIGCOMMERCE_ACCESS_TOKEN\" }`";
const NEVER_INLINE: &str = "a credential does not belong into this file: write `credential = { file = ... }`, and replace the one that stood here";
const INTO_CREDENTIAL: &str = "it belongs into `credential = { ... }`";

/// One `[[store]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The store's hash, unique in the file.
    pub hash: StoreHash,
    /// Where its credential is.
    pub credential: Located<CredentialSource>,
    /// Where the credential is that it had before, for what that one's API account owns.
    pub previous: Option<Located<CredentialSource>>,
    /// What its plan grants; `None`: nothing is counted.
    pub quota: Option<Located<StoreTerms>>,
}

/// Where a credential is read from, at the start and at every reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// This file.
    File(PathBuf),
    /// The environment variable of this name.
    Variable(String),
}

impl CredentialSource {
    /// The key that names it.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Variable(_) => "env",
        }
    }
}

/// Every store; `None` for one that is wrong.
pub(super) fn stores(root: &mut TableReader<'_, '_>, base: &Path) -> Option<Vec<Option<Store>>> {
    let mut seen = BTreeMap::new();
    root.tables("store", EXAMPLE, |table| store(table, base, &mut seen))
}

fn store(
    table: &mut TableReader<'_, '_>,
    base: &Path,
    seen: &mut BTreeMap<StoreHash, Place>,
) -> Option<Store> {
    for key in ["token", "access_token", "secret", "api_token"] {
        table.misnomer(key, NEVER_INLINE);
    }
    for key in ["file", "env"] {
        table.misnomer(key, INTO_CREDENTIAL);
    }
    let hash = table.required(
        "hash",
        "it stands in the store's API path: `/stores/{hash}/v3`",
        store_hash,
    );
    if let Some(hash) = &hash {
        match seen.get(&hash.value) {
            Some(first) => table.fault(hash.place, "hash", twice(*first)),
            None => drop(seen.insert(hash.value, hash.place)),
        }
    }
    let hint = if table.holds_text("credential") {
        NEVER_INLINE
    } else {
        CREDENTIAL
    };
    let mut previous = None;
    let credential = table.required_table("credential", hint, |table| {
        previous = table.table("previous", CREDENTIAL, |table| credential(table, base));
        credential(table, base)
    });
    let quota = super::quota::store(table);
    Some(Store {
        hash: hash?.value,
        credential: credential?,
        previous,
        quota,
    })
}

/// A store's hash.
pub(super) fn store_hash(found: &DeValue<'_>) -> Result<StoreHash, Fault> {
    let text = value::text(found, "a store hash")?;
    StoreHash::parse(text).ok_or_else(|| {
        Fault::new(format!("{} is not a store hash", shown(text)))
            .with_hint("a hash is 1 to 32 lower-case letters and digits")
    })
}

fn credential(table: &mut TableReader<'_, '_>, base: &Path) -> Option<Located<CredentialSource>> {
    for key in ["token", "access_token", "secret", "value", "api_token"] {
        table.misnomer(key, NEVER_INLINE);
    }
    let both = table.has("file") && table.has("env");
    let neither = !table.has("file") && !table.has("env");
    let file = table.optional("file", value::path(base));
    let variable = table.optional("env", variable);
    if both || (neither && !table.is_partial()) {
        let message = if both {
            "has both `file` and `env`"
        } else {
            "has neither `file` nor `env`"
        };
        table.fault_here(Fault::new(message).with_hint(CREDENTIAL));
    }
    let file = file.map(|file| Located {
        value: CredentialSource::File(file.value),
        place: file.place,
    });
    file.or_else(|| {
        let Located { value, place } = variable?;
        Some(Located {
            value: CredentialSource::Variable(value),
            place,
        })
    })
}

/// A variable's name. It is never echoed: someone may have put the credential itself here.
fn variable(found: &DeValue<'_>) -> Result<String, Fault> {
    let text = value::text(found, "the name of an environment variable")?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins_well = text
        .bytes()
        .next()
        .is_some_and(|byte| !byte.is_ascii_digit());
    if !begins_well || text.len() > 128 || !text.bytes().all(allowed) {
        return Err(
            Fault::new("is not the name of an environment variable").with_hint(
                "write a name such as `BIGCOMMERCE_ACCESS_TOKEN`, never the credential itself",
            ),
        );
    }
    Ok(text.to_owned())
}
