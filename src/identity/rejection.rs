//! Why a signed token was not accepted, for the operator's log and the counters. The caller is told less:
//! all that is wrong before the signature has been found good has one text, so that an answer is no oracle.

use crate::denial::Denial;

/// Why a signed token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A part that is not base64url in its one spelling.
    #[error("a part is not base64url")]
    Encoding,
    /// A header outside the rules.
    #[error("the header is not accepted: {0}")]
    Header(&'static str),
    /// Claims that cannot be read.
    #[error("the claims are not strict JSON")]
    Payload,
    /// `iss` is missing, no text, or of no configured issuer.
    #[error("the issuer is not configured")]
    Issuer,
    /// `alg` is none that is known, that the issuer uses, or that the key is for.
    #[error("the algorithm is not the issuer's or not the key's")]
    Algorithm,
    /// The issuer has no such key, as far as is known.
    #[error("the key is not known")]
    UnknownKey,
    /// No `kid`, and several keys that fit.
    #[error("several keys fit, and `kid` is missing")]
    AmbiguousKey,
    /// The keys of the issuer could not be had.
    #[error("the issuer's keys are not available")]
    NoKeys,
    /// The signature is not the key's.
    #[error("the signature is not good")]
    Signature,
    /// A claim of another type, or one that must be there.
    #[error("the claim `{0}` is missing or not of its type")]
    Claim(&'static str),
    /// Made for somebody else.
    #[error("the audience is another")]
    Audience,
    /// Not valid yet.
    #[error("it is not valid yet")]
    NotYet,
    /// No longer valid.
    #[error("it has expired")]
    Expired,
    /// Valid for longer than allowed.
    #[error("it is valid for longer than `max_lifetime`")]
    TooLong,
    /// No caller is bound to what it says.
    #[error("no caller is bound to it")]
    Unbound,
    /// More than one caller is bound to what it says.
    #[error("several callers are bound to it")]
    SeveralCallers,
}

impl From<Rejection> for Denial {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Expired => Self::ExpiredToken,
            Rejection::NoKeys => Self::IssuerUnavailable,
            Rejection::Unbound | Rejection::SeveralCallers => Self::UnknownToken,
            Rejection::Encoding
            | Rejection::Header(_)
            | Rejection::Payload
            | Rejection::Issuer
            | Rejection::Algorithm
            | Rejection::UnknownKey
            | Rejection::AmbiguousKey
            | Rejection::Signature
            | Rejection::Claim(_)
            | Rejection::Audience
            | Rejection::NotYet
            | Rejection::TooLong => Self::InvalidSignedToken,
        }
    }
}
