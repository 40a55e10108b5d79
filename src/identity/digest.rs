//! The SHA-256 of a token, by which it is known.

use aws_lc_rs::digest::{SHA256, digest};
use subtle::ConstantTimeEq;

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
