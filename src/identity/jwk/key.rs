//! One key of a set: which it is used for, what it is made of, and why it is not used.

use super::super::algorithm::{Algorithm, Family};
use super::super::jose::decoded;
use crate::policy::Document;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};

/// The bits of an RSA modulus: below, it can be broken; above, checking a signature takes too long.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The members that only a private key has (RFC 7518 section 6).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// A key that can be used.
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    /// What it is made of, by which two sets are compared.
    pub(super) public: Vec<u8>,
    pub(super) verifier: ParsedPublicKey,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, self.algorithm, &self.public) == (&other.id, other.algorithm, &other.public)
    }
}

impl Key {
    /// Reads a key; an error says why it is not used.
    pub(super) fn read(jwk: &Document<'_>, allowed: &[Algorithm]) -> Result<Self, &'static str> {
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
                (of_rsa(&n, &e), key)
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
                let point = of_ec(&x, &y);
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

/// Whether it is a private key.
pub(super) fn is_private(jwk: &Document<'_>) -> bool {
    PRIVATE.iter().any(|member| jwk.get(member).is_some())
}

/// What a key is made of, whatever it is for; `None` where that cannot be read.
pub(super) fn public(jwk: &Document<'_>) -> Option<Vec<u8>> {
    let part = |name| bytes(jwk, name).ok();
    match text(jwk, "kty").ok()?? {
        "RSA" => Some(of_rsa(&part("n")?, &part("e")?)),
        "EC" => Some(of_ec(&part("x")?, &part("y")?)),
        "OKP" => part("x"),
        _ => None,
    }
}

/// With a length, so that two pairs of numbers never look alike.
fn of_rsa(n: &[u8], e: &[u8]) -> Vec<u8> {
    [&(n.len() as u64).to_be_bytes(), n, e].concat()
}

/// SEC 1 section 2.3.3: 4, and both coordinates.
fn of_ec(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}
