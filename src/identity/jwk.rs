//! The keys of an issuer, from a JSON Web Key Set (RFC 7517). Each key is read once and is then for one
//! algorithm alone, whatever a token's header says. What cannot be used is left out with its reason; a set
//! that holds a private key is refused as a whole, because that key is no secret any more.

use super::algorithm::{Algorithm, Family};
use super::jose::decoded;
use super::rejection::Rejection;
use crate::denial::shortened;
use crate::policy::Document;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use std::fmt;

/// The most bytes of a key set: a dozen keys with certificate chains take 64 KiB.
pub const LARGEST_SET: usize = 256 * 1024;

/// The most keys of a set.
const MOST_KEYS: usize = 64;

/// The bits of an RSA modulus: below, it can be broken; above, checking a signature takes too long.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The members that only a private key has (RFC 7518 section 6).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// The keys of one issuer.
pub struct KeySet {
    keys: Vec<Key>,
    /// The keys that are left out, each with the reason.
    pub left_out: Vec<LeftOut>,
}

struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    /// What it is made of, by which two sets are compared.
    public: Vec<u8>,
    verifier: ParsedPublicKey,
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
    /// Reads a set; `allowed` are the algorithms of its issuer.
    pub fn read(text: &[u8], allowed: &[Algorithm]) -> Result<Self, SetError> {
        if text.len() > LARGEST_SET {
            return Err(SetError::TooLarge);
        }
        let document = Document::read(text).map_err(|_| SetError::NotJson)?;
        let list = document.get("keys").and_then(Document::list);
        let list = list.ok_or(SetError::NotASet)?;
        if list.len() > MOST_KEYS {
            return Err(SetError::TooMany);
        }
        let mut set = Self {
            keys: Vec::new(),
            left_out: Vec::new(),
        };
        for (index, jwk) in list.iter().enumerate() {
            if !jwk.is_object() {
                return Err(SetError::NotASet);
            }
            if PRIVATE.iter().any(|member| jwk.get(member).is_some()) {
                return Err(SetError::Private(index));
            }
            match Key::read(jwk, allowed).and_then(|key| set.alone(key)) {
                Ok(key) => set.add(key)?,
                Err(reason) => set.left_out.push(LeftOut { index, reason }),
            }
        }
        if set.keys.is_empty() {
            return Err(SetError::Empty);
        }
        Ok(set)
    }

    /// A key is for one algorithm, whatever names it stands under: RS256 and PS256 must not share one.
    fn alone(&self, key: Key) -> Result<Key, &'static str> {
        let is_shared =
            |other: &Key| other.algorithm != key.algorithm && other.public == key.public;
        if self.keys.iter().any(is_shared) {
            return Err("the same key stands before it for another algorithm");
        }
        Ok(key)
    }

    fn add(&mut self, key: Key) -> Result<(), SetError> {
        let is_same = |other: &Key| other.id == key.id && other.algorithm == key.algorithm;
        match &key.id {
            Some(id) if self.keys.iter().any(is_same) => Err(SetError::Twice(shortened(id))),
            _ => {
                self.keys.push(key);
                Ok(())
            }
        }
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

/// Two sets are equal when they are the same keys for the same algorithms in the same order.
impl PartialEq for KeySet {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && self.left_out == other.left_out
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, self.algorithm, &self.public) == (&other.id, other.algorithm, &other.public)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySet").field(&self.ids()).finish()
    }
}

impl Key {
    fn read(jwk: &Document<'_>, allowed: &[Algorithm]) -> Result<Self, &'static str> {
        let kind = text(jwk, "kty")?.ok_or("`kty` is missing")?;
        if !matches!(kind, "RSA" | "EC" | "OKP") {
            return Err("its `kty` is not RSA, EC or OKP");
        }
        check_purpose(jwk)?;
        let id = text(jwk, "kid")?.map(ToOwned::to_owned);
        let algorithm = algorithm_of(jwk, kind, allowed)?;
        let (public, key) = match algorithm.family() {
            Family::Rsa(parameters) => {
                let (n, e) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
                check_rsa(&n, &e)?;
                let parts = RsaPublicKeyComponents { n: &n, e: &e };
                let key = parts.to_parsed_public_key(parameters);
                ([n, e].concat(), key)
            }
            Family::Ec {
                coordinate,
                algorithm,
                ..
            } => {
                let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
                if x.len() != coordinate || y.len() != coordinate {
                    return Err("a coordinate is not as long as the curve's");
                }
                // SEC 1 section 2.3.3: 4, and both coordinates.
                let point = [&[4][..], &x, &y].concat();
                let key = ParsedPublicKey::new(algorithm, &point);
                (point, key)
            }
            Family::Okp(algorithm) => {
                let x = bytes(jwk, "x")?;
                if x.len() != 32 {
                    return Err("`x` is not 32 bytes");
                }
                let key = ParsedPublicKey::new(algorithm, &x);
                (x, key)
            }
        };
        Ok(Self {
            id,
            algorithm,
            public,
            verifier: key.map_err(|_| "it is not a key of its kind")?,
        })
    }
}

/// `use` and `key_ops`, where they stand, must be about signatures (RFC 7517 sections 4.2 and 4.3).
fn check_purpose(jwk: &Document<'_>) -> Result<(), &'static str> {
    if text(jwk, "use")?.is_some_and(|word| word != "sig") {
        return Err("its `use` is not `sig`");
    }
    let Some(operations) = jwk.get("key_ops") else {
        return Ok(());
    };
    let operations = operations.list().unwrap_or_default();
    let verifies = |operation: &Document<'_>| operation.text() == Some("verify");
    if operations.iter().any(verifies) {
        Ok(())
    } else {
        Err("its `key_ops` lack `verify`")
    }
}

/// The one algorithm of a key: the one that it names, or else the only one of the issuer's that fits.
fn algorithm_of(
    jwk: &Document<'_>,
    kind: &str,
    allowed: &[Algorithm],
) -> Result<Algorithm, &'static str> {
    let curve = text(jwk, "crv")?;
    let fits = |algorithm: &Algorithm| match algorithm.family() {
        Family::Rsa(_) => kind == "RSA",
        Family::Ec { curve: own, .. } => kind == "EC" && curve == Some(own),
        Family::Okp(_) => kind == "OKP" && curve == Some("Ed25519"),
    };
    if let Some(name) = text(jwk, "alg")? {
        let named = Algorithm::from_name(name).filter(|algorithm| allowed.contains(algorithm));
        let named = named.ok_or("its `alg` is none of the issuer's `algorithms`")?;
        return if fits(&named) {
            Ok(named)
        } else {
            Err("its `alg` is not for a key of its kind")
        };
    }
    let mut fitting = allowed.iter().copied().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(algorithm), None) => Ok(algorithm),
        (None, _) => Err("none of the issuer's `algorithms` is for a key of its kind"),
        (Some(_), Some(_)) => {
            Err("it names no `alg`, and several of the issuer's `algorithms` fit")
        }
    }
}

fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), &'static str> {
    let leading = n.first().map_or(8, |byte| byte.leading_zeros() as usize);
    let bits = (n.len() * 8).saturating_sub(leading);
    if leading == 8 || n.last().is_none_or(|byte| byte % 2 == 0) {
        return Err("`n` is not an odd number in its shortest form");
    }
    if !RSA_BITS.contains(&bits) {
        return Err("`n` has fewer than 2048 or more than 8192 bits");
    }
    // FIPS 186-5 section 5.4: an odd number above 2^16; every issuer uses 65537.
    let is_usual = matches!(e.len(), 3..=4) && e.first() != Some(&0);
    if !is_usual || e.last().is_none_or(|byte| byte % 2 == 0) {
        return Err("`e` is not an odd number from 2^16 to 2^32");
    }
    Ok(())
}

fn text<'j>(jwk: &'j Document<'_>, name: &str) -> Result<Option<&'j str>, &'static str> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Document::Text(text)) => Ok(Some(text)),
        Some(_) => Err("a member is not the text that it should be"),
    }
}

fn bytes(jwk: &Document<'_>, name: &str) -> Result<Vec<u8>, &'static str> {
    let text = text(jwk, name)?.ok_or("a number of the key is missing")?;
    decoded(text).ok_or("a number of the key is not base64url")
}
