//! By what a caller is known: the digests of its tokens.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeValue;

use super::signed::{SignedToken, signed_token};
use crate::config::problem::{Located, Place};
use crate::config::reader::{Fault, TableReader, twice, value};

const DIGEST: &str = "it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both";
const NEVER_INLINE: &str = "a token does not belong into this file: write `token_sha256`, its SHA-256, and replace the token that stood here";

/// What one `[[caller]]` is known by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The SHA-256 of each of its static tokens, each unique in the file.
    pub token_sha256: Vec<[u8; 32]>,
    /// Its signed tokens.
    pub signed_token: Option<Located<SignedToken>>,
}

/// What the callers before are known by, and where that stands.
#[derive(Default)]
pub(super) struct Seen {
    digests: BTreeMap<[u8; 32], Place>,
}

/// Reads what a caller is known by: one way at least. `issuers` is `None` if an issuer could not be read.
pub(super) fn identity(
    table: &mut TableReader<'_, '_>,
    issuers: Option<&BTreeSet<String>>,
    seen: &mut Seen,
) -> Option<Identity> {
    for key in ["token", "tokens", "secret", "password", "api_key"] {
        table.misnomer(key, NEVER_INLINE);
    }
    let signed_token = signed_token(table, issuers);
    let digest = |found: &DeValue<'_>, place| unique_digest(found, place, &mut seen.digests);
    let token_sha256 = if table.has("token_sha256") || !table.has("signed_token") {
        table.required_list("token_sha256", DIGEST, digest)?
    } else {
        Vec::new()
    };
    Some(Identity {
        token_sha256,
        signed_token,
    })
}

fn unique_digest(
    found: &DeValue<'_>,
    place: Place,
    seen: &mut BTreeMap<[u8; 32], Place>,
) -> Result<[u8; 32], Fault> {
    let digest = digest(found)?;
    if let Some(first) = seen.get(&digest) {
        return Err(twice(*first).with_hint("every token belongs to one caller and is listed once"));
    }
    seen.insert(digest, place);
    Ok(digest)
}

/// A SHA-256 in hex. It is never echoed: someone may have put the token itself here.
fn digest(found: &DeValue<'_>) -> Result<[u8; 32], Fault> {
    let text = value::text(found, "64 hex digits").map_err(|fault| fault.with_hint(DIGEST))?;
    let fault = || Fault::new("is not 64 hex digits").with_hint(DIGEST);
    let mut digest = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return Err(fault());
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = hex(*high)
            .zip(hex(*low))
            .map(|(high, low)| high << 4 | low)
            .ok_or_else(fault)?;
    }
    Ok(digest)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
