//! The real `X-Auth-Token` of a store. Only someone who holds an [`Allowed`] can put it into a
//! request, and it can be put nowhere else.

use super::decide::Allowed;
use crate::secret::{Secret, SecretError};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use subtle::ConstantTimeEq;

/// BigCommerce's credential header, and the callers' too.
pub const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// A store's credential. No `Debug`, `Display` or `Clone`; its memory is wiped when the last request
/// that carries it is gone.
#[expect(
    missing_debug_implementations,
    reason = "a credential must not be printable"
)]
pub struct Credential(HeaderValue);

impl Credential {
    /// A credential that is ready to be sent, marked sensitive so that neither logs nor HPACK's table
    /// (RFC 7541 section 7.1.3) take it up.
    pub fn new(secret: Secret) -> Result<Self, SecretError> {
        let shared = Bytes::from_owner(secret.into_inner());
        let mut value =
            HeaderValue::from_maybe_shared(shared).map_err(|_| SecretError::NotVisibleAscii)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// How many bytes the credential has: the overlap a reader of pieces must keep.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// Whether it is the same credential; takes the same time wherever they differ.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }

    /// Whether the credential stands in these bytes.
    pub fn occurs_in(&self, bytes: &[u8]) -> bool {
        let sought = self.0.as_bytes();
        // A prepared search would keep a copy of the credential that is not wiped, and preparing one
        // each time costs more than looking for the first byte.
        let Some((first, last)) = sought.first().zip(bytes.len().checked_sub(sought.len())) else {
            return false;
        };
        let starts = bytes.get(..=last).unwrap_or_default();
        memchr::memchr_iter(*first, starts)
            .any(|at| bytes.get(at..).is_some_and(|rest| rest.starts_with(sought)))
    }

    /// Whether the credential stands in a field's name, whatever the case of its letters.
    pub fn occurs_in_name(&self, name: &str) -> bool {
        let (sought, name) = (self.0.as_bytes(), name.as_bytes());
        let Some((first, last)) = sought.first().zip(name.len().checked_sub(sought.len())) else {
            return false;
        };
        let starts = name.get(..=last).unwrap_or_default();
        let cases = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
        memchr::memchr2_iter(cases.0, cases.1, starts).any(|at| {
            let window = name.get(at..at + sought.len()).unwrap_or_default();
            window.eq_ignore_ascii_case(sought)
        })
    }
}

impl Allowed {
    /// Puts the credential into the upstream request, in place of whatever stood there.
    pub fn inject(&self, credential: &Credential, headers: &mut HeaderMap) {
        headers.insert(X_AUTH_TOKEN, credential.0.clone());
    }

    /// Writes the credential into the upstream request's head as a field whose line is still to be ended.
    pub fn write(&self, credential: &Credential, head: &mut Vec<u8>) {
        head.extend_from_slice(X_AUTH_TOKEN.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(credential.0.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_is_found_where_it_stands() {
        let secret = Secret::new(b"s3cr3t-credential".to_vec());
        let Ok(credential) = secret.and_then(Credential::new) else {
            panic!("a credential")
        };
        assert!(credential.occurs_in(b"{\"x\":\"s3cr3t-credential\"}"));
        assert!(!credential.occurs_in(b"{\"x\":\"s3cr3t\"}"));
        assert!(!credential.occurs_in(b""));
        assert!(credential.occurs_in(b"s3cr3t-credential"));
        assert!(credential.occurs_in(b"ssss3cr3t-credentials3cr3t-credential"));
        assert!(!credential.occurs_in(b"s3cr3t-credentia"));
        assert!(!credential.occurs_in(b"s3cr3t-credentiaL"));
        assert_eq!(credential.length(), 17);
        assert!(credential.occurs_in_name("x-S3CR3T-Credential-y"));
        assert!(!credential.occurs_in_name("x-s3cr3t"));
    }
}
