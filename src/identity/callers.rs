//! The callers and their tokens. Tokens are known by their SHA-256 alone, and one look-up serves ten
//! callers as well as ten thousand.

use crate::denial::Denial;
use crate::policy::Grants;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// A configured identity.
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name in logs.
    pub name: String,
    /// What it may do.
    pub grants: Grants,
}

/// The SHA-256 of a token's text. Equality takes the same time whatever differs.
#[derive(Debug, Clone, Copy, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of this token.
    pub fn of(token: &[u8]) -> Self {
        let mut kept = [0; 32];
        for (to, from) in kept.iter_mut().zip(digest(&SHA256, token).as_ref()) {
            *to = *from;
        }
        Self(kept)
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8; 32]> for Digest {
    fn as_ref(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::hash::Hash for Digest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// The table of callers. What a look-up's time may tell is about digests, from which no token follows;
/// the map's hasher is keyed, so that even their order in the table is unknown outside.
#[derive(Debug, Default)]
pub struct Callers(HashMap<Digest, Arc<Caller>>);

impl Callers {
    /// A table of callers, each with the digests of its tokens.
    pub fn new(callers: impl IntoIterator<Item = (Caller, Vec<Digest>)>) -> Self {
        let mut table = HashMap::new();
        for (caller, digests) in callers {
            let caller = Arc::new(caller);
            table.extend(
                digests
                    .into_iter()
                    .map(|digest| (digest, Arc::clone(&caller))),
            );
        }
        Self(table)
    }

    /// The caller to whom this token belongs.
    pub fn identify(&self, token: &[u8]) -> Result<&Arc<Caller>, Denial> {
        self.0.get(&Digest::of(token)).ok_or(Denial::UnknownToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::vocabulary::Scope;
    use crate::policy::{Namespaces, Ownership};

    fn caller(name: &str) -> Caller {
        let grants = Grants {
            scopes: vec![Scope::Customers],
            stores: None,
            operations: None,
            permission_sets: None,
            namespaces: Namespaces::Any,
            ownership: Ownership::LookUp,
        };
        Caller {
            name: name.to_owned(),
            grants,
        }
    }

    #[test]
    fn a_digest_is_sha_256() {
        // FIPS 180-4, example B.1.
        let expected = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae,
            0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
            0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(Digest::of(b"abc").as_ref(), &expected);
    }

    #[test]
    fn every_token_of_a_caller_finds_it() {
        let table = Callers::new([
            (
                caller("one"),
                vec![
                    Digest::of(b"first-token-of-one"),
                    Digest::of(b"second-token-of-one"),
                ],
            ),
            (caller("two"), vec![Digest::of(b"token-of-two")]),
        ]);
        let name = |token: &[u8]| table.identify(token).map(|caller| caller.name.clone());
        assert_eq!(name(b"first-token-of-one"), Ok("one".to_owned()));
        assert_eq!(name(b"second-token-of-one"), Ok("one".to_owned()));
        assert_eq!(name(b"token-of-two"), Ok("two".to_owned()));
        assert_eq!(name(b"token-of-tw"), Err(Denial::UnknownToken));
        assert_eq!(name(b""), Err(Denial::UnknownToken));
    }
}
