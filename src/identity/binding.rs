//! Which caller a signed token is: a caller is bound to claims of an issuer, all of which a token must bear.
//! A look-up takes as long with ten thousand callers as with ten. Two callers for one token are never
//! chosen between.

use super::claims::ClaimPath;
use super::facts::Facts;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// The most kinds of bindings of one issuer, a kind being the claims that are asked for: each costs a
/// look-up for each request.
const KINDS: usize = 16;

/// The claims that a caller's token must bear, each with its exact value; at least one.
pub type Binding = BTreeMap<ClaimPath, String>;

/// Everyone who is bound to one issuer.
#[derive(Debug)]
pub struct Bindings<C> {
    paths: Vec<ClaimPath>,
    kinds: Vec<Kind<C>>,
}

#[derive(Debug)]
struct Kind<C> {
    /// The places of its claims among the paths.
    places: Vec<usize>,
    callers: HashMap<String, C>,
}

/// Why bindings cannot stand together.
#[derive(Debug, PartialEq, Eq)]
pub enum Conflict<C> {
    /// A token of the second caller would be one of the first, too.
    Overlap(C, C),
    /// More than 16 kinds of bindings.
    TooManyKinds,
}

/// Who bears these claims.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bound<'b, C> {
    One(&'b C),
    Nobody,
    Several,
}

impl<C: Clone + PartialEq> Bindings<C> {
    /// The bindings of these callers; of two that one token is certain to match, both are named.
    pub fn new<'b>(
        callers: impl IntoIterator<Item = (&'b Binding, C)> + Clone,
    ) -> Result<Self, Conflict<C>> {
        let mut this = Self {
            paths: Vec::new(),
            kinds: Vec::new(),
        };
        for (binding, caller) in callers.clone() {
            this.add(binding, caller)?;
        }
        for (binding, caller) in callers {
            this.refuse_wider(binding, &caller)?;
        }
        Ok(this)
    }

    fn add(&mut self, binding: &Binding, caller: C) -> Result<(), Conflict<C>> {
        let places: Vec<usize> = binding.keys().map(|path| self.place(path)).collect();
        let values: Vec<&str> = binding.values().map(String::as_str).collect();
        let index = match self.kinds.iter().position(|kind| kind.places == places) {
            Some(index) => index,
            None if self.kinds.len() == KINDS => return Err(Conflict::TooManyKinds),
            None => {
                let callers = HashMap::new();
                self.kinds.push(Kind { places, callers });
                self.kinds.len() - 1
            }
        };
        let Some(kind) = self.kinds.get_mut(index) else {
            return Ok(());
        };
        match kind
            .callers
            .insert(key(&values).into_owned(), caller.clone())
        {
            Some(first) => Err(Conflict::Overlap(first, caller)),
            None => Ok(()),
        }
    }

    fn place(&mut self, path: &ClaimPath) -> usize {
        let known = self.paths.iter().position(|known| known == path);
        known.unwrap_or_else(|| {
            self.paths.push(path.clone());
            self.paths.len() - 1
        })
    }

    /// Another binding that asks for some of the same claims and for no other.
    fn refuse_wider(&self, binding: &Binding, caller: &C) -> Result<(), Conflict<C>> {
        let value = |place: usize| {
            let path = self.paths.get(place)?;
            binding.get(path).map(String::as_str)
        };
        for kind in &self.kinds {
            match kind.find(value) {
                Some(wider) if wider != caller => {
                    return Err(Conflict::Overlap(wider.clone(), caller.clone()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The claims that anyone is bound by.
    pub(super) fn paths(&self) -> &[ClaimPath] {
        &self.paths
    }

    /// The caller to whom these facts belong.
    pub(super) fn bound(&self, facts: &Facts) -> Bound<'_, C> {
        let value = |place: usize| facts.values.get(place)?.as_deref();
        let mut bound = Bound::Nobody;
        for found in self.kinds.iter().filter_map(|kind| kind.find(value)) {
            match bound {
                Bound::Nobody => bound = Bound::One(found),
                Bound::One(first) if first == found => {}
                Bound::One(_) | Bound::Several => return Bound::Several,
            }
        }
        bound
    }
}

impl<C> Kind<C> {
    fn find<'v>(&self, value: impl Fn(usize) -> Option<&'v str>) -> Option<&C> {
        if let [place] = self.places.as_slice() {
            return self.callers.get(value(*place)?);
        }
        let values: Option<Vec<&str>> = self.places.iter().map(|place| value(*place)).collect();
        self.callers.get(key(&values?).as_ref())
    }
}

/// One text for several values, each with its length, so that no other values have the same text.
fn key<'v>(values: &[&'v str]) -> Cow<'v, str> {
    if let [value] = values {
        return Cow::Borrowed(value);
    }
    let mut key = String::new();
    for value in values {
        key.push_str(&value.len().to_string());
        key.push(':');
        key.push_str(value);
    }
    Cow::Owned(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn binding(claims: &[(&str, &str)]) -> Binding {
        let claim = |(path, value): &(&str, &str)| {
            let path = path.split('/').map(ToOwned::to_owned).collect();
            (path, (*value).to_owned())
        };
        claims.iter().map(claim).collect()
    }

    fn bindings(
        list: &[(&'static str, &[(&str, &str)])],
    ) -> Result<Bindings<&'static str>, Conflict<&'static str>> {
        let list: Vec<_> = list
            .iter()
            .map(|(name, claims)| (binding(claims), *name))
            .collect();
        Bindings::new(list.iter().map(|(binding, name)| (binding, *name)))
    }

    fn facts(bindings: &Bindings<&'static str>, claims: &[(&str, &str)]) -> Facts {
        let claims = binding(claims);
        let value = |path| claims.get(path).map(|value| value.as_str().into());
        Facts {
            values: bindings.paths().iter().map(value).collect(),
            scopes: None,
            not_before: Duration::ZERO,
            expires: Duration::MAX,
        }
    }

    #[test]
    fn a_token_is_of_the_caller_whose_claims_it_bears() {
        let table = bindings(&[
            ("sync", &[("sub", "a")]),
            ("crm", &[("client_id", "crm"), ("k8s/namespace", "x")]),
            ("other", &[("client_id", "crm"), ("k8s/namespace", "y")]),
            ("odd", &[("client_id", "c"), ("k8s/namespace", "rm1:x")]),
        ])
        .expect("no conflict");
        for (claims, expected) in [
            (&[("sub", "a")][..], Bound::One(&"sync")),
            (&[("sub", "A")], Bound::Nobody),
            (&[("sub", "b"), ("client_id", "crm")], Bound::Nobody),
            (
                &[("client_id", "crm"), ("k8s/namespace", "x")],
                Bound::One(&"crm"),
            ),
            (
                &[("client_id", "crm"), ("k8s/namespace", "y")],
                Bound::One(&"other"),
            ),
            (
                &[("client_id", "c"), ("k8s/namespace", "rm1:x")],
                Bound::One(&"odd"),
            ),
            (
                &[("client_id", "crm1:x"), ("k8s/namespace", "")],
                Bound::Nobody,
            ),
            (
                &[("sub", "a"), ("client_id", "crm"), ("k8s/namespace", "y")],
                Bound::Several,
            ),
            (&[], Bound::Nobody),
        ] {
            assert_eq!(table.bound(&facts(&table, claims)), expected, "{claims:?}");
        }
    }

    #[test]
    fn bindings_that_one_token_is_sure_to_match_cannot_stand_together() {
        for (one, other, conflicts) in [
            (&[("sub", "a")][..], &[("sub", "a")][..], true),
            (&[("sub", "a")], &[("sub", "b")], false),
            (&[("sub", "a")], &[("sub", "a"), ("x", "1")], true),
            (&[("sub", "a"), ("x", "1")], &[("x", "1")], true),
            (&[("sub", "a"), ("x", "1")], &[("x", "2")], false),
            (
                &[("sub", "a"), ("x", "1")],
                &[("sub", "a"), ("x", "2")],
                false,
            ),
            (
                &[("sub", "a"), ("x", "1")],
                &[("sub", "a"), ("y", "1")],
                false,
            ),
            (&[("x/y", "1")], &[("x/y", "1"), ("x/z", "1")], true),
        ] {
            let found = bindings(&[("one", one), ("other", other)]);
            assert_eq!(found.is_err(), conflicts, "{one:?} {other:?}");
        }
    }

    #[test]
    fn kinds_of_bindings_are_bounded() {
        let claims: Vec<String> = (0..=KINDS).map(|number| format!("c{number}")).collect();
        let lists: Vec<_> = claims
            .iter()
            .map(|claim| (binding(&[(claim, "x")]), "caller"))
            .collect();
        let outcome = |count: usize| {
            let list = lists.iter().take(count);
            Bindings::new(list.map(|(binding, name)| (binding, *name))).map(drop)
        };
        assert_eq!(outcome(KINDS), Ok(()));
        assert_eq!(outcome(KINDS + 1), Err(Conflict::TooManyKinds));
    }
}
