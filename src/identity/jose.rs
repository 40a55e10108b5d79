//! The outer form of a signed token (JWS compact serialization, RFC 7515 section 7.1) and its header. A
//! header can only narrow what the issuer's settings allow: one that brings a key, points to one, or asks
//! for anything that is not understood here is refused.

use super::algorithm::Algorithm;
use super::rejection::Rejection;
use crate::policy::Document;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Members that name, hold or point to a key of the token's own choice, or that change what the other
/// parts mean: `crit` (RFC 7515), `b64` (RFC 7797), `zip` and `enc` (RFC 7516).
const FORBIDDEN: [&str; 8] = ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"];

/// The most bytes of a key's id.
const LONGEST_ID: usize = 256;

/// The three parts of a token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compact<'t> {
    header: &'t [u8],
    payload: &'t [u8],
    signature: &'t [u8],
    signed: &'t [u8],
}

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) key: Option<String>,
}

impl<'t> Compact<'t> {
    /// A token of three parts; any other is not a signed one.
    pub(super) fn split(token: &'t [u8]) -> Option<Self> {
        let mut dots = memchr::memchr_iter(b'.', token);
        let (first, second) = (dots.next()?, dots.next()?);
        if dots.next().is_some() {
            return None;
        }
        Some(Self {
            header: token.get(..first)?,
            payload: token.get(first + 1..second)?,
            signature: token.get(second + 1..)?,
            signed: token.get(..second)?,
        })
    }

    /// What the signature is over (RFC 7515 section 5.1): header and payload as they were sent.
    pub(super) const fn signed(&self) -> &'t [u8] {
        self.signed
    }

    pub(super) fn header(&self) -> Result<Header, Rejection> {
        let bytes = decoded(self.header).ok_or(Rejection::Encoding)?;
        let document =
            Document::read(&bytes).map_err(|_| Rejection::Header("it is not strict JSON"))?;
        judged(&document)
    }

    pub(super) fn payload(&self) -> Result<Vec<u8>, Rejection> {
        decoded(self.payload).ok_or(Rejection::Encoding)
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, Rejection> {
        decoded(self.signature).ok_or(Rejection::Encoding)
    }
}

/// Base64url without padding, and with no bit set that means nothing: one value has one spelling.
pub(super) fn decoded(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn judged(header: &Document<'_>) -> Result<Header, Rejection> {
    if !header.is_object() {
        return Err(Rejection::Header("it is not an object"));
    }
    if FORBIDDEN.iter().any(|name| header.get(name).is_some()) {
        return Err(Rejection::Header("it has a member that is not accepted"));
    }
    let name = header.get("alg").and_then(Document::text);
    let algorithm = name.and_then(Algorithm::from_name);
    let key = match header.get("kid") {
        None => None,
        Some(Document::Text(id)) if (1..=LONGEST_ID).contains(&id.len()) => {
            Some(id.clone().into_owned())
        }
        Some(_) => return Err(Rejection::Header("`kid` is not a short text")),
    };
    match header.get("typ") {
        None => {}
        Some(Document::Text(typ)) if is_token_type(typ) => {}
        Some(_) => return Err(Rejection::Header("`typ` is neither JWT nor at+jwt")),
    }
    Ok(Header {
        algorithm: algorithm.ok_or(Rejection::Algorithm)?,
        key,
    })
}

/// RFC 7519 section 5.1 and RFC 9068 section 2.1; media types are case-insensitive, and `application/` may
/// be left out (RFC 7515 section 4.1.9). A token of another kind, such as a logout token, is none.
fn is_token_type(typ: &str) -> bool {
    const PREFIX: &str = "application/";
    let short = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    };
    ["jwt", "at+jwt"]
        .iter()
        .any(|known| short.eq_ignore_ascii_case(known))
}
