//! The keys of an issuer, from a JSON Web Key Set (RFC 7517). Each key is read once and is then for one
//! algorithm alone, whatever a token's header says. What cannot be used is left out with its reason; a key
//! whose private half stands in the set is no secret any more, and is not used.

mod key;

use key::{Key, is_private, public};

use super::algorithm::Algorithm;
use super::rejection::Rejection;
use crate::denial::shortened;
use crate::policy::Document;
use std::fmt;

/// The most bytes of a key set: a dozen keys with certificate chains take 64 KiB.
pub const LARGEST_SET: usize = 256 * 1024;

/// The most keys of a set.
const MOST_KEYS: usize = 64;

/// The keys of one issuer.
pub struct KeySet {
    keys: Vec<Key>,
    /// The keys that are left out, each with the reason.
    pub left_out: Vec<LeftOut>,
}

/// A key that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Why.
    pub reason: &'static str,
}

/// Why a text is no set of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// More than [`LARGEST_SET`].
    #[error("it is larger than {LARGEST_SET} bytes")]
    TooLarge,
    /// Not JSON, or not strict.
    #[error("it is not strict JSON")]
    NotJson,
    /// No object with a list `keys` of objects.
    #[error("it is not an object with a list `keys` of objects")]
    NotASet,
    /// More than 64 keys.
    #[error("it has more than {MOST_KEYS} keys")]
    TooMany,
    /// A private key that everyone could read.
    #[error("its key {0} is a private key, and so a secret no more")]
    Private(usize),
    /// Two keys that no token tells apart.
    #[error("two of its keys have the id `{0}` and one algorithm")]
    Twice(String),
    /// Nothing that the issuer's algorithms could use.
    #[error("it has no key for the algorithms in `algorithms`")]
    Empty,
}

impl KeySet {
    /// Reads a set that somebody wrote down; `allowed` are the algorithms of its issuer. What is wrong with
    /// it as a whole is an error, to be mended.
    pub fn read(text: &[u8], allowed: &[Algorithm]) -> Result<Self, SetError> {
        let document = document(text)?;
        let list = listed(&document)?;
        if list.len() > MOST_KEYS {
            return Err(SetError::TooMany);
        }
        if let Some(index) = list.iter().position(is_private) {
            return Err(SetError::Private(index));
        }
        let found = Found::of(list, allowed);
        if let Some(key) = found.keys.iter().find_map(|(_, key)| found.twin(key)) {
            return Err(SetError::Twice(shortened(key)));
        }
        let set = found.set();
        if set.keys.is_empty() {
            return Err(SetError::Empty);
        }
        Ok(set)
    }

    /// Reads a set that its issuer serves, and which counts as it is: what it does not list was taken away,
    /// so that what is wrong with it takes those keys away which it concerns, perhaps all.
    pub fn served(text: &[u8], allowed: &[Algorithm]) -> Result<Self, SetError> {
        let document = document(text)?;
        let list = listed(&document)?;
        let read = list.get(..MOST_KEYS).unwrap_or(list);
        let mut found = Found::of(read, allowed);
        if list.len() > MOST_KEYS {
            found.leave_out(MOST_KEYS, "it and those behind it are more than are read");
        }
        let known: Vec<Vec<u8>> = (list.iter().filter(|jwk| is_private(jwk)))
            .filter_map(public)
            .collect();
        found.drop_where("its private half stands in the set", |_, key| {
            known.contains(&key.public)
        });
        found.drop_where("another key has its id and its algorithm", |found, key| {
            found.twin(key).is_some()
        });
        Ok(found.set())
    }

    /// Checks a signature by the one key that the header means.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), Rejection> {
        let key = self.find(algorithm, id)?;
        let outcome = key.verifier.verify_sig(signed, signature);
        outcome.map_err(|_| Rejection::Signature)
    }

    /// A header without `kid` means the only key of its algorithm; one with `kid` only keys that bear it.
    fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Result<&Key, Rejection> {
        let mut named = self
            .keys
            .iter()
            .filter(|key| id.is_none() || key.id.as_deref() == id)
            .peekable();
        if id.is_some() && named.peek().is_none() {
            return Err(Rejection::UnknownKey);
        }
        let mut fitting = named.filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(Rejection::Algorithm),
            (Some(_), Some(_)) => Err(Rejection::AmbiguousKey),
        }
    }

    /// How many keys are used.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The ids of the keys, shortened, for the log.
    pub fn ids(&self) -> String {
        let ids = self.keys.iter().map(|key| match &key.id {
            Some(id) => shortened(id).escape_debug().to_string(),
            None => "(none)".to_owned(),
        });
        ids.collect::<Vec<_>>().join(", ")
    }
}

/// The keys of a list, each with its place in it, and those that are left out.
struct Found {
    keys: Vec<(usize, Key)>,
    left_out: Vec<LeftOut>,
}

impl Found {
    fn of(list: &[Document<'_>], allowed: &[Algorithm]) -> Self {
        let mut found = Self {
            keys: Vec::new(),
            left_out: Vec::new(),
        };
        for (index, jwk) in list.iter().enumerate() {
            if is_private(jwk) {
                found.leave_out(index, "it is a private key, and so a secret no more");
                continue;
            }
            match Key::read(jwk, allowed).and_then(|key| found.alone(key)) {
                Ok(key) => found.keys.push((index, key)),
                Err(reason) => found.leave_out(index, reason),
            }
        }
        found
    }

    /// A key is for one algorithm, whatever names it stands under: RS256 and PS256 must not share one.
    fn alone(&self, key: Key) -> Result<Key, &'static str> {
        let is_shared = |(_, other): &(usize, Key)| {
            other.algorithm != key.algorithm && other.public == key.public
        };
        if self.keys.iter().any(is_shared) {
            return Err("the same key stands before it for another algorithm");
        }
        Ok(key)
    }

    /// The id of a key, where no token can tell it from another.
    fn twin<'k>(&self, key: &'k Key) -> Option<&'k str> {
        let id = key.id.as_deref()?;
        let named = self.keys.iter().filter(|(_, other)| {
            other.id.as_deref() == Some(id) && other.algorithm == key.algorithm
        });
        (named.count() > 1).then_some(id)
    }

    fn leave_out(&mut self, index: usize, reason: &'static str) {
        self.left_out.push(LeftOut { index, reason });
    }

    fn drop_where(&mut self, reason: &'static str, wrong: impl Fn(&Self, &Key) -> bool) {
        let indices: Vec<usize> = (self.keys.iter())
            .filter(|(_, key)| wrong(self, key))
            .map(|(index, _)| *index)
            .collect();
        self.keys.retain(|(index, _)| !indices.contains(index));
        for index in indices {
            self.leave_out(index, reason);
        }
    }

    fn set(mut self) -> KeySet {
        self.left_out.sort_by_key(|left| left.index);
        KeySet {
            keys: self.keys.into_iter().map(|(_, key)| key).collect(),
            left_out: self.left_out,
        }
    }
}

fn document(text: &[u8]) -> Result<Document<'_>, SetError> {
    if text.len() > LARGEST_SET {
        return Err(SetError::TooLarge);
    }
    Document::read(text).map_err(|_| SetError::NotJson)
}

fn listed<'d>(document: &'d Document<'_>) -> Result<&'d [Document<'d>], SetError> {
    let list = document.get("keys").and_then(Document::list);
    let list = list.ok_or(SetError::NotASet)?;
    if list.iter().all(Document::is_object) {
        Ok(list)
    } else {
        Err(SetError::NotASet)
    }
}

/// Two sets are equal when they are the same keys for the same algorithms in the same order.
impl PartialEq for KeySet {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && self.left_out == other.left_out
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySet").field(&self.ids()).finish()
    }
}
