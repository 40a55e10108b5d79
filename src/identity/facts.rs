//! What a signed token was found to say, and a worker's memory of it. A memory holds facts and never a
//! decision: what the caller may do is judged anew for each request. It is keyed by the digest of the exact
//! token, and counts only as long as the same keys of the issuer and the same configuration stand.

use super::digest::Digest;
use super::jwk::KeySet;
use super::rejection::Rejection;
use crate::policy::TokenScopes;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The most tokens that are remembered by a worker, and the most bytes of what they say, in each of the two
/// halves of its memory.
const TOKENS: usize = 2048;
const BYTES: usize = 1024 * 1024;

/// What a token says, its signature being good.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts {
    /// The claims by which callers are bound, in the order of the issuer's paths.
    pub(super) values: Vec<Option<Box<str>>>,
    /// The scopes of the token, where the issuer's settings say that tokens carry them.
    pub(super) scopes: Option<TokenScopes>,
    pub(super) not_before: Duration,
    pub(super) expires: Duration,
}

impl Facts {
    /// Whether the token is valid now: `exp` is the first moment at which it is not (RFC 7519 section 4.1.4).
    pub(super) fn check_time(&self, now: Duration, skew: Duration) -> Result<(), Rejection> {
        if now >= self.expires.saturating_add(skew) {
            Err(Rejection::Expired)
        } else if now.saturating_add(skew) < self.not_before {
            Err(Rejection::NotYet)
        } else {
            Ok(())
        }
    }

    fn weight(&self) -> usize {
        let values = self.values.iter().flatten();
        values.map(|value| value.len()).sum()
    }
}

/// A remembered token.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) issuer: usize,
    pub(super) keys: Arc<KeySet>,
    pub(super) facts: Facts,
}

/// One worker's memory. The newer half takes what is new or was asked for; when it is full it becomes the
/// older half, and what nobody asked for is forgotten.
#[derive(Debug, Default)]
pub struct Memory {
    newer: Half,
    older: Half,
    generation: u64,
}

#[derive(Debug, Default)]
struct Half {
    tokens: HashMap<Digest, Known>,
    bytes: usize,
}

impl Half {
    fn has_room(&self, weight: usize) -> bool {
        self.tokens.len() < TOKENS && self.bytes + weight <= BYTES
    }
}

impl Memory {
    /// Forgets everything that an earlier configuration was used for.
    pub(super) fn keep_to(&mut self, generation: u64) {
        if self.generation != generation {
            *self = Self {
                generation,
                ..Self::default()
            };
        }
    }

    pub(super) fn get(&mut self, token: &Digest) -> Option<&Known> {
        if let Some(known) = self.older.tokens.remove(token) {
            self.older.bytes -= known.facts.weight();
            self.put(*token, known);
        }
        self.newer.tokens.get(token)
    }

    pub(super) fn put(&mut self, token: Digest, known: Known) {
        let weight = known.facts.weight();
        if !self.newer.has_room(weight) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.bytes += weight;
        if let Some(replaced) = self.newer.tokens.insert(token, known) {
            self.newer.bytes -= replaced.facts.weight();
        }
    }

    /// How many tokens are remembered.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.newer.tokens.len() + self.older.tokens.len()
    }

    pub(super) fn forget(&mut self, token: &Digest) {
        for half in [&mut self.newer, &mut self.older] {
            if let Some(known) = half.tokens.remove(token) {
                half.bytes -= known.facts.weight();
            }
        }
    }
}
