//! `namespaces` and `keys`: names, or beginnings of them.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::MOST_ENTRIES;
use crate::config::problem::{Located, shown};
use crate::config::reader::{Fault, TableReader, twice, value};
use crate::policy::Pattern;

/// The most characters of a namespace or a key, BigCommerce's own limit.
const LONGEST: usize = 64;

/// How messages speak of a name.
pub(super) struct Kind {
    /// With its article.
    one: &'static str,
    plain: &'static str,
    example: &'static str,
}

pub(super) const NAMESPACE: Kind = Kind {
    one: "a namespace",
    plain: "namespace",
    example: "crm.*",
};

pub(super) const KEY: Kind = Kind {
    one: "a key",
    plain: "key",
    example: "tier.*",
};

/// The patterns under a key; none may stand twice.
pub(super) fn names(
    table: &mut TableReader<'_, '_>,
    key: &'static str,
    kind: &Kind,
) -> Option<Located<Vec<Pattern>>> {
    let mut seen = BTreeMap::new();
    let place = table.place_of(key);
    let hint = "leave the key out to allow any";
    let value = table.entries(key, hint, MOST_ENTRIES, |found, place| {
        let pattern = pattern(found, kind)?;
        match seen.insert(pattern.clone(), place) {
            Some(first) => Err(twice(first)),
            None => Ok(pattern),
        }
    })?;
    Some(Located { value, place })
}

fn pattern(found: &DeValue<'_>, kind: &Kind) -> Result<Pattern, Fault> {
    let Kind {
        one,
        plain,
        example,
    } = kind;
    let text = value::text(found, one)?;
    let (prefix, is_prefix) = match text.strip_suffix('*') {
        Some(prefix) => (prefix, true),
        None => (text, false),
    };
    let length = prefix.chars().count();
    let fault = |message: String, hint: String| {
        Err(Fault::new(format!("{} {message}", shown(text))).with_hint(hint))
    };
    if text == "*" {
        fault(
            format!("would be any {plain}"),
            "leave the key out to allow any".to_owned(),
        )
    } else if prefix.contains('*') || (is_prefix && (!prefix.ends_with('.') || length < 2)) {
        fault(
            format!("is neither {one} nor a prefix"),
            format!("a prefix ends in `.*`, such as `{example}`"),
        )
    } else if length == 0 || prefix.chars().any(char::is_control) {
        fault(
            format!("is not {one}"),
            format!("{one} has at least one character and no control character"),
        )
    } else if length + usize::from(is_prefix) > LONGEST {
        fault(
            "is too long".to_owned(),
            format!("{one} has at most {LONGEST} characters"),
        )
    } else if is_prefix {
        Ok(Pattern::Prefix(prefix.to_owned()))
    } else {
        Ok(Pattern::Exact(text.to_owned()))
    }
}
