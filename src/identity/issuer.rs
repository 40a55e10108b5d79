//! Issuers of signed tokens, and what a token of theirs is worth. The `iss` that a token claims selects the
//! issuer by its exact text, and the keys of that issuer alone check the signature; nothing else of a token
//! is looked at before its signature is good.

use super::binding::{Bindings, Bound};
use super::callers::Caller;
use super::claims;
use super::digest::Digest;
use super::facts::{Facts, Known, Memory};
use super::jose::Compact;
use super::jwk::KeySet;
use super::keys::Keys;
use super::rejection::Rejection;
use super::settings::Settings;
use crate::policy::{Document, TokenScopes};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// An issuer.
#[derive(Debug)]
pub struct Issuer {
    /// Its settings.
    pub settings: Settings,
    /// Its keys; the same holder over reloads, as long as the settings about them stand.
    pub keys: Arc<Keys>,
    /// Its callers.
    pub bindings: Bindings<Arc<Caller>>,
}

/// Every issuer of a configuration.
#[derive(Debug, Default)]
pub struct Issuers {
    list: Vec<Issuer>,
    places: HashMap<String, usize>,
}

/// Whose token it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed<'i> {
    /// The caller.
    pub caller: &'i Arc<Caller>,
    /// The scopes of the token, if tokens of this issuer carry scopes.
    pub scopes: Option<TokenScopes>,
    /// Whether the token was known already.
    pub remembered: bool,
}

/// Why a token is not accepted, and of which issuer it claims to be, where that is a known one.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected<'i> {
    /// Why.
    pub rejection: Rejection,
    /// The issuer.
    pub issuer: Option<&'i Issuer>,
}

impl PartialEq for Issuer {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Issuer {}

impl Rejected<'_> {
    /// Whether other keys of the issuer could change it.
    pub const fn needs_keys(&self) -> bool {
        matches!(self.rejection, Rejection::UnknownKey | Rejection::NoKeys)
    }
}

impl From<Rejection> for Rejected<'_> {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            issuer: None,
        }
    }
}

impl Issuers {
    /// These issuers, no two of which have the same `iss`.
    pub fn new(list: Vec<Issuer>) -> Self {
        let names = list.iter().map(|issuer| issuer.settings.issuer.clone());
        Self {
            places: names
                .enumerate()
                .map(|(place, name)| (name, place))
                .collect(),
            list,
        }
    }

    /// Every issuer, in the order of the configuration.
    pub fn list(&self) -> &[Issuer] {
        &self.list
    }

    /// Puts one holder of keys in the place of another.
    pub fn replace_keys(&mut self, replaced: &Arc<Keys>, by: &Arc<Keys>) {
        for issuer in &mut self.list {
            if Arc::ptr_eq(&issuer.keys, replaced) {
                issuer.keys = Arc::clone(by);
            }
        }
    }

    /// Whether a token that no table knows may be a signed one.
    pub fn may_have_signed(&self, token: &[u8]) -> bool {
        !self.list.is_empty() && Compact::split(token).is_some()
    }

    /// The caller to whom a signed token belongs. `digest` is that of the token; `generation` is that of the
    /// configuration which these issuers are of.
    pub fn identify(
        &self,
        token: &[u8],
        digest: Digest,
        (memory, generation): (&mut Memory, u64),
        now: Duration,
    ) -> Result<Signed<'_>, Rejected<'_>> {
        memory.keep_to(generation);
        if let Some((issuer, facts)) = self.recalled(&digest, memory, now) {
            return issuer.signed(facts, true);
        }
        memory.forget(&digest);
        let (place, keys, facts) = self.verified(token, now)?;
        let issuer = self.list.get(place).ok_or(Rejection::Issuer)?;
        let signed = issuer.signed(&facts, false)?;
        // Only what is somebody's token is worth remembering.
        let known = Known {
            issuer: place,
            keys,
            facts,
        };
        memory.put(digest, known);
        Ok(signed)
    }

    /// What is known of a token, if the key that proved it still counts, and the time is right.
    fn recalled<'m>(
        &self,
        digest: &Digest,
        memory: &'m mut Memory,
        now: Duration,
    ) -> Option<(&Issuer, &'m Facts)> {
        let known = memory.get(digest)?;
        let issuer = self.list.get(known.issuer)?;
        let keys = issuer.keys.current(now)?;
        let is_same = keys
            .as_ref()
            .is_some_and(|keys| Arc::ptr_eq(keys, &known.keys));
        let skew = issuer.settings.clock_skew;
        (is_same && known.facts.check_time(now, skew).is_ok()).then_some((issuer, &known.facts))
    }

    fn verified(
        &self,
        token: &[u8],
        now: Duration,
    ) -> Result<(usize, Arc<KeySet>, Facts), Rejected<'_>> {
        let compact = Compact::split(token).ok_or(Rejection::Encoding)?;
        let header = compact.header()?;
        let payload = compact.payload()?;
        let signature = compact.signature()?;
        let document = Document::read(&payload).map_err(|_| Rejection::Payload)?;
        let name = claims::issuer(&document).ok_or(Rejection::Issuer)?;
        let place = *self.places.get(name).ok_or(Rejection::Issuer)?;
        let issuer = self.list.get(place).ok_or(Rejection::Issuer)?;
        let of_issuer = |rejection| Rejected {
            rejection,
            issuer: Some(issuer),
        };
        if !issuer.settings.algorithms.contains(&header.algorithm) {
            return Err(of_issuer(Rejection::Algorithm));
        }
        let keys = issuer.keys.current(now);
        let keys = keys.as_deref().and_then(Option::as_ref);
        let keys = keys.ok_or_else(|| of_issuer(Rejection::NoKeys))?;
        let (algorithm, id) = (header.algorithm, header.key.as_deref());
        keys.verify(algorithm, id, compact.signed(), &signature)
            .map_err(of_issuer)?;
        let facts = claims::judge(&document, &issuer.settings, issuer.bindings.paths(), now)
            .map_err(of_issuer)?;
        Ok((place, Arc::clone(keys), facts))
    }
}

impl Issuer {
    fn signed(&self, facts: &Facts, remembered: bool) -> Result<Signed<'_>, Rejected<'_>> {
        let rejection = match self.bindings.bound(facts) {
            Bound::One(caller) => {
                return Ok(Signed {
                    caller,
                    scopes: facts.scopes,
                    remembered,
                });
            }
            Bound::Nobody => Rejection::Unbound,
            Bound::Several => Rejection::SeveralCallers,
        };
        Err(Rejected {
            rejection,
            issuer: Some(self),
        })
    }
}
