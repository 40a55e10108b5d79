//! Namespaces and keys that a caller keeps to. A look-up costs a few comparisons, however many there
//! are: names and prefixes are sorted, and no prefix begins with another, so that the only one that can
//! fit is the last one that is not after the name.

use std::fmt;

/// The names, of namespaces or of keys, that a caller keeps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// Every name.
    Any,
    /// Those that one of the patterns names.
    Only(Patterns),
}

/// A name, or all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// This name alone.
    Exact(String),
    /// Every longer name that begins with this text, which ends in a dot.
    Prefix(String),
}

/// Patterns in the form in which they are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns {
    exact: Vec<Box<str>>,
    prefixes: Vec<Box<str>>,
}

impl Names {
    /// The names of these patterns alone.
    pub fn only(patterns: impl IntoIterator<Item = Pattern>) -> Self {
        let (mut exact, mut prefixes) = (Vec::new(), Vec::new());
        for pattern in patterns {
            match pattern {
                Pattern::Exact(name) => exact.push(name.into_boxed_str()),
                Pattern::Prefix(prefix) => prefixes.push(prefix.into_boxed_str()),
            }
        }
        exact.sort_unstable();
        exact.dedup();
        prefixes.sort_unstable();
        // What begins with a prefix stands right behind it.
        prefixes.dedup_by(|later, kept| later.starts_with(&**kept));
        Self::Only(Patterns { exact, prefixes })
    }

    /// Whether the caller is limited to some names.
    pub const fn is_limited(&self) -> bool {
        matches!(self, Self::Only(_))
    }

    /// Whether some name can be among both.
    pub fn meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Only(one), Self::Only(other)) => one.meet(other),
            _ => true,
        }
    }

    /// Whether this name is among them.
    pub fn cover(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(patterns) => patterns.cover(name),
        }
    }
}

impl Patterns {
    fn cover(&self, name: &str) -> bool {
        let is_exact = self
            .exact
            .binary_search_by(|exact| (**exact).cmp(name))
            .is_ok();
        is_exact || self.prefix_of(name).is_some()
    }

    fn meet(&self, other: &Self) -> bool {
        self.exact.iter().any(|name| other.cover(name))
            || other.exact.iter().any(|name| self.cover(name))
            || self.prefixes.iter().any(|prefix| other.meets(prefix))
    }

    /// Whether one of the prefixes begins with this one, or this one with it.
    fn meets(&self, prefix: &str) -> bool {
        let after = self.prefixes.partition_point(|known| **known <= *prefix);
        let shorter = after.checked_sub(1).and_then(|at| self.prefixes.get(at));
        let longer = self.prefixes.get(after);
        shorter.is_some_and(|shorter| prefix.starts_with(&**shorter))
            || longer.is_some_and(|longer| longer.starts_with(prefix))
    }

    fn prefix_of(&self, name: &str) -> Option<&str> {
        let after = self.prefixes.partition_point(|prefix| **prefix <= *name);
        let nearest = after.checked_sub(1).and_then(|at| self.prefixes.get(at))?;
        (name.len() > nearest.len() && name.starts_with(&**nearest)).then_some(nearest)
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Only(patterns) => {
                let exact = patterns.exact.iter().map(ToString::to_string);
                let prefixes = patterns.prefixes.iter().map(|prefix| format!("{prefix}*"));
                list(f, exact.chain(prefixes))
            }
        }
    }
}

/// The first of a list that may be long, and how many more there are.
pub(super) fn list(
    f: &mut fmt::Formatter<'_>,
    mut entries: impl Iterator<Item = String>,
) -> fmt::Result {
    const SHOWN: usize = 8;
    let shown: Vec<String> = entries.by_ref().take(SHOWN).collect();
    f.write_str(&shown.join(", "))?;
    match entries.count() {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(patterns: &[&str]) -> Names {
        Names::only(patterns.iter().map(|text| pattern(text)))
    }

    fn pattern(text: &str) -> Pattern {
        match text.strip_suffix('*') {
            Some(prefix) => Pattern::Prefix(prefix.to_owned()),
            None => Pattern::Exact(text.to_owned()),
        }
    }

    #[test]
    fn patterns_are_exact_or_a_longer_prefix() {
        let granted = only(&["crm", "erp.*"]);
        for covered in ["crm", "erp.orders", "erp.a.b"] {
            assert!(granted.cover(covered), "{covered}");
        }
        for outside in ["", "CRM", "crm.", "crmx", "crm.x", "erp", "erp.", "erpx"] {
            assert!(!granted.cover(outside), "{outside}");
        }
    }

    #[test]
    fn any_covers_everything() {
        assert!(Names::Any.cover("") && Names::Any.cover("crm") && !Names::Any.is_limited());
    }

    #[test]
    fn names_meet_where_one_could_be_among_both() {
        for (one, other, meet) in [
            (&["crm"][..], &["crm", "erp"][..], true),
            (&["crm"], &["erp"], false),
            (&["crm.eu"], &["crm.*"], true),
            (&["crm"], &["crm.*"], false),
            (&["a.*", "crm.eu.*"], &["crm.*"], true),
            (&["crm.eu.*"], &["crm.us.*", "d.*"], false),
            (&["crm.*"], &["b.*", "crm.*"], true),
        ] {
            let (one, other) = (only(one), only(other));
            assert_eq!(one.meet(&other), meet, "{one} {other}");
            assert_eq!(other.meet(&one), meet, "{other} {one}");
            assert!(one.meet(&Names::Any) && Names::Any.meet(&one));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_look_up_finds_what_a_search_through_all_finds(
            patterns in proptest::collection::vec("[ab.]{1,4}(\\.\\*)?", 1..12),
            name in "[ab.]{0,8}"
        ) {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let plain = patterns.iter().any(|text| match pattern(text) {
                Pattern::Exact(exact) => exact == name,
                Pattern::Prefix(prefix) => name.len() > prefix.len() && name.starts_with(&prefix),
            });
            proptest::prop_assert_eq!(only(&patterns).cover(&name), plain);
        }
    }
}
