//! Every reason to say no. A [`Denial`] is a fact; one `match` maps it to its [`Code`], and one table
//! maps the code to its word and status. Each has two texts: [`Denial::detail`] for the caller, which
//! tells nothing about other callers or the upstream's secrets, and [`Denial::operator_text`] for the
//! operational log.

mod code;
mod faults;

pub use code::Code;
pub use faults::{Fault, Faults, Place, shortened};

use std::borrow::Cow;
use std::time::Duration;

/// A reason to refuse a request, or to answer it with a failure of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// A client certificate that names more than one caller.
    AmbiguousCertificate,
    /// More than one credential.
    AmbiguousCredentials,
    /// The audit log has no room, or its output fails.
    AuditUnavailable,
    /// A batch with more items than the caller's grant allows.
    BatchOverGrant {
        /// The caller's `batch_items`
        limit: usize,
    },
    /// A batch with more items than this.
    BatchTooLarge {
        /// `limits.batch_items`
        limit: usize,
    },
    /// The body did not arrive in time.
    BodyTimeout,
    /// A body of more bytes than this.
    BodyTooLarge {
        /// `limits.body` or `limits.batch_body`, in bytes
        limit: usize,
    },
    /// The upstream's answer held the credential.
    CredentialEchoed,
    /// A customer outside the caller's grant.
    CustomerDenied,
    /// A customer-limited caller whose request does not show whose metafields it is about.
    CustomerUnproven {
        /// What the caller can do about it.
        remedy: &'static str,
    },
    /// A key that stands twice in one object.
    DuplicateKey {
        /// The key, unescaped and shortened.
        key: String,
    },
    /// A client certificate that has expired since its connection began.
    ExpiredCertificate,
    /// A token past its `expires`.
    ExpiredToken,
    /// Fields outside the rules, or outside the caller's grants.
    Fields(Faults),
    /// Header fields of more bytes than this.
    HeadersTooLarge {
        /// `limits.headers`, in bytes
        limit: usize,
    },
    /// A signed token that does not prove what it claims.
    InvalidSignedToken,
    /// A token outside the grammar of tokens.
    InvalidToken,
    /// The keys of a token's issuer could not be had.
    IssuerUnavailable,
    /// A key-limited caller whose request does not show that it keeps to its keys.
    KeyUnproven {
        /// What the caller can do about it.
        remedy: &'static str,
    },
    /// The gateway asked whose a metafield is, and could not read the answer.
    LookUpFailed {
        /// What happened, for the operator.
        cause: String,
    },
    /// `Via` already names a metafield-gateway.
    LoopDetected,
    /// Not the JSON of RFC 8259.
    MalformedJson {
        /// What is wrong, without the body's content.
        reason: Cow<'static, str>,
        /// Line of the fault, from 1; 0 where it has no place.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
    },
    /// A query that cannot be decoded or contradicts the path.
    MalformedQuery {
        /// What is wrong.
        reason: &'static str,
    },
    /// Framing or target that is not to be trusted.
    MalformedRequest {
        /// What is wrong.
        reason: &'static str,
    },
    /// A known path with another method.
    MethodNotAllowed {
        /// The value of `Allow`.
        allow: &'static str,
    },
    /// No token, and no peer that is known without one.
    MissingToken {
        /// What would do in its place.
        or: Option<&'static str>,
    },
    /// A namespace-limited caller whose request does not show that it keeps to its namespaces.
    NamespaceUnproven {
        /// What the caller can do about it.
        remedy: &'static str,
    },
    /// An operation outside the caller's grant.
    OperationDenied,
    /// No room for more work.
    Overloaded {
        /// Which bound was met.
        bound: &'static str,
    },
    /// Nothing is left of the store's quota for this caller now.
    QuotaExhausted {
        /// What is spent.
        what: &'static str,
        /// When it is worth another try, from now.
        retry: Duration,
    },
    /// Over the caller's own limits.
    RateLimited {
        /// The limit's key in the configuration.
        limit: &'static str,
        /// When it is worth another try, from now.
        retry: Duration,
    },
    /// The scope is missing.
    ScopeDenied {
        /// The scope that would open the operation.
        needs: &'static str,
    },
    /// A store outside the caller's grant.
    StoreDenied,
    /// A header section of more fields than this.
    TooManyHeaders {
        /// The most there may be.
        limit: usize,
    },
    /// A target of more bytes than this.
    TargetTooLong {
        /// `limits.target`, in bytes
        limit: usize,
    },
    /// A metafield outside the caller's grants.
    UnknownMetafield,
    /// A query key outside the operation's list.
    UnknownQueryKey {
        /// The key, decoded and shortened.
        key: String,
    },
    /// Not a route.
    UnknownRoute,
    /// A store that is not configured.
    UnknownStore,
    /// A token of nobody.
    UnknownToken,
    /// A body with a `Content-Encoding`.
    UnsupportedContentEncoding,
    /// A body that is not declared as `application/json`.
    UnsupportedMediaType,
    /// The upstream answered 401 to the gateway's own credential.
    UpstreamCredentialRefused,
    /// The upstream has asked to be left alone for a while.
    UpstreamOverloaded {
        /// For how long, from now.
        retry: Duration,
    },
    /// The upstream broke the protocol or the connection.
    UpstreamProtocolError {
        /// What happened, for the operator.
        cause: String,
    },
    /// The upstream answered with a redirect.
    UpstreamRedirect {
        /// Its status.
        status: u16,
    },
    /// The deadline passed.
    UpstreamTimeout {
        /// Whether any of the request may have reached the upstream.
        sent: bool,
    },
    /// No connection could be made.
    UpstreamUnreachable {
        /// What happened, for the operator.
        cause: String,
    },
    /// The certificate was not accepted.
    UpstreamUntrusted {
        /// What happened, for the operator.
        cause: String,
    },
    /// Another JSON type at the top.
    WrongShape {
        /// What the operation takes.
        expected: &'static str,
    },
}

impl Denial {
    /// The stable word of this refusal.
    pub fn code(&self) -> Code {
        match self {
            Self::AmbiguousCertificate => Code::AmbiguousCertificate,
            Self::AmbiguousCredentials => Code::AmbiguousCredentials,
            Self::AuditUnavailable => Code::AuditUnavailable,
            Self::BatchOverGrant { .. } | Self::BatchTooLarge { .. } => Code::BatchTooLarge,
            Self::BodyTimeout => Code::BodyTimeout,
            Self::BodyTooLarge { .. } => Code::BodyTooLarge,
            Self::CredentialEchoed => Code::CredentialEchoed,
            Self::CustomerDenied | Self::CustomerUnproven { .. } => Code::CustomerDenied,
            Self::DuplicateKey { .. } => Code::DuplicateKey,
            Self::ExpiredCertificate => Code::ExpiredCertificate,
            Self::ExpiredToken => Code::ExpiredToken,
            Self::Fields(faults) => faults.code(),
            Self::HeadersTooLarge { .. } | Self::TooManyHeaders { .. } => Code::HeadersTooLarge,
            Self::InvalidSignedToken | Self::InvalidToken => Code::InvalidToken,
            Self::IssuerUnavailable => Code::IssuerUnavailable,
            Self::KeyUnproven { .. } => Code::KeyDenied,
            Self::LoopDetected => Code::LoopDetected,
            Self::MalformedJson { .. } => Code::MalformedJson,
            Self::MalformedQuery { .. } => Code::MalformedQuery,
            Self::MalformedRequest { .. } => Code::MalformedRequest,
            Self::MethodNotAllowed { .. } => Code::MethodNotAllowed,
            Self::MissingToken { .. } => Code::MissingToken,
            Self::NamespaceUnproven { .. } => Code::NamespaceDenied,
            Self::OperationDenied => Code::OperationDenied,
            Self::Overloaded { .. } => Code::Overloaded,
            Self::QuotaExhausted { .. } => Code::QuotaExhausted,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::ScopeDenied { .. } => Code::ScopeDenied,
            Self::StoreDenied => Code::StoreDenied,
            Self::TargetTooLong { .. } => Code::TargetTooLong,
            Self::UnknownMetafield => Code::UnknownMetafield,
            Self::UnknownQueryKey { .. } => Code::UnknownQueryKey,
            Self::UnknownRoute => Code::UnknownRoute,
            Self::UnknownStore => Code::UnknownStore,
            Self::UnknownToken => Code::UnknownToken,
            Self::UnsupportedContentEncoding => Code::UnsupportedContentEncoding,
            Self::UnsupportedMediaType => Code::UnsupportedMediaType,
            Self::UpstreamCredentialRefused => Code::UpstreamCredentialRefused,
            Self::LookUpFailed { .. } | Self::UpstreamProtocolError { .. } => {
                Code::UpstreamProtocolError
            }
            Self::UpstreamOverloaded { .. } => Code::UpstreamOverloaded,
            Self::UpstreamRedirect { .. } => Code::UpstreamRedirect,
            Self::UpstreamTimeout { .. } => Code::UpstreamTimeout,
            Self::UpstreamUnreachable { .. } => Code::UpstreamUnreachable,
            Self::UpstreamUntrusted { .. } => Code::UpstreamUntrusted,
            Self::WrongShape { .. } => Code::WrongShape,
        }
    }

    /// The text for the caller: what is wrong and what to do about it.
    pub fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::AmbiguousCertificate => "the client certificate names more than one caller of this gateway".into(),
            Self::AmbiguousCredentials => "send exactly one token, in `X-Auth-Token` or in `Authorization: Bearer`, not both and not twice".into(),
            Self::AuditUnavailable => "the gateway cannot record this request now, so it does not forward it; try again".into(),
            Self::BatchOverGrant { limit } => format!("the caller's batches may have at most {limit} items; send several").into(),
            Self::BatchTooLarge { limit } => format!("a batch may have at most {limit} items; send several").into(),
            Self::BodyTimeout => "the request body did not arrive in time".into(),
            Self::BodyTooLarge { limit } => format!("the request body may have at most {limit} bytes").into(),
            Self::CredentialEchoed => "the upstream's answer was withheld, because it held a secret of the gateway".into(),
            Self::CustomerDenied => "the caller is not granted this customer".into(),
            Self::DuplicateKey { key } => format!("the key `{key}` stands twice in one JSON object").into(),
            Self::ExpiredCertificate => "the connection's client certificate has expired, or its authority is not trusted any more; connect anew with a current one".into(),
            Self::ExpiredToken => "the token has expired".into(),
            Self::Fields(faults) => faults.detail().into(),
            Self::HeadersTooLarge { limit } => format!("the header fields may have at most {limit} bytes in all").into(),
            Self::TooManyHeaders { limit } => format!("a request may have at most {limit} header fields").into(),
            Self::InvalidSignedToken => "the signed token is not acceptable here".into(),
            Self::IssuerUnavailable => "the keys of the token's issuer are not available now, so the token cannot be judged; try again".into(),
            Self::InvalidToken => "a token is 16 to 8192 visible ASCII characters".into(),
            Self::LookUpFailed { .. } => "BigCommerce did not tell whose metafield it is; nothing of the request was sent".into(),
            Self::LoopDetected => "the request has already been through a metafield-gateway; point the gateway's `upstream.url` at BigCommerce".into(),
            Self::MalformedJson { reason, line: 0, .. } => format!("the body is not acceptable JSON: {reason}").into(),
            Self::MalformedJson { reason, line, column } => format!("the body is not acceptable JSON: {reason} at line {line} column {column}").into(),
            Self::MalformedQuery { reason } | Self::MalformedRequest { reason } => (*reason).into(),
            Self::MethodNotAllowed { allow } => format!("this path takes {allow}").into(),
            Self::MissingToken { or: None } => "send the caller's token in `X-Auth-Token` or in `Authorization: Bearer`".into(),
            Self::MissingToken { or: Some(other) } => format!("send the caller's token in `X-Auth-Token` or in `Authorization: Bearer`, or {other}").into(),
            Self::CustomerUnproven { remedy } | Self::KeyUnproven { remedy } | Self::NamespaceUnproven { remedy } => (*remedy).into(),
            Self::OperationDenied => "the caller is not granted this operation".into(),
            Self::Overloaded { bound } => format!("the gateway is busy ({bound}); try again").into(),
            Self::QuotaExhausted { what, retry } => format!("{what}; try again in {}", seconds(*retry)).into(),
            Self::RateLimited { limit, retry } => format!("over the caller's `{limit}`; try again in {}", seconds(*retry)).into(),
            Self::ScopeDenied { needs } => ["the caller lacks the scope `", needs, "`"].concat().into(),
            Self::StoreDenied => "the caller is not granted this store".into(),
            Self::TargetTooLong { limit } => format!("the request target may have at most {limit} bytes").into(),
            Self::UnknownMetafield => "there is no such metafield for the caller".into(),
            Self::UnknownQueryKey { key } => format!("the query key `{key}` is not one that this operation takes").into(),
            Self::UnknownRoute => "this path is not one that the gateway serves".into(),
            Self::UnknownStore => "this store is not one that the gateway serves".into(),
            Self::UnknownToken => "the token belongs to no caller of this gateway".into(),
            Self::UnsupportedContentEncoding => "the body must be sent without a `Content-Encoding`".into(),
            Self::UnsupportedMediaType => "the body must be sent once as `Content-Type: application/json`, in UTF-8".into(),
            Self::UpstreamCredentialRefused => "BigCommerce refused the gateway's own credential; the caller's token is not at fault".into(),
            Self::UpstreamOverloaded { retry } => format!("BigCommerce is not available and asked to come back later; try again in {}", seconds(*retry)).into(),
            Self::UpstreamProtocolError { .. } => "BigCommerce's answer could not be read; the outcome of a write is unknown".into(),
            Self::UpstreamRedirect { .. } => "BigCommerce answered with a redirect, which the gateway does not follow".into(),
            Self::UpstreamTimeout { sent: false } => "BigCommerce could not be reached in time; nothing was sent".into(),
            Self::UpstreamTimeout { sent: true } => "BigCommerce did not answer in time; the outcome of a write is unknown".into(),
            Self::UpstreamUnreachable { .. } => "BigCommerce could not be reached; nothing was sent".into(),
            Self::UpstreamUntrusted { .. } => "BigCommerce's certificate was not accepted; nothing was sent".into(),
            Self::WrongShape { expected } => format!("the body must be {expected}").into(),
        }
    }

    /// What the operator should know; `None` where the fault is the caller's alone.
    pub fn operator_text(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::CredentialEchoed => {
                Some("the upstream's answer held the credential and was withheld".into())
            }
            Self::LookUpFailed { cause } => {
                Some(format!("the upstream did not tell whose a metafield is: {cause}").into())
            }
            Self::UpstreamCredentialRefused => {
                Some("the upstream answered 401 to the store's credential: replace it".into())
            }
            Self::UpstreamProtocolError { cause } => {
                Some(format!("the upstream's answer could not be read: {cause}").into())
            }
            Self::UpstreamRedirect { status } => Some(
                format!("the upstream answered {status}, a redirect: check `upstream.url`").into(),
            ),
            Self::UpstreamTimeout { .. } => {
                Some("the upstream did not answer within `upstream.deadline`".into())
            }
            Self::UpstreamUnreachable { cause } => {
                Some(format!("the upstream could not be reached: {cause}").into())
            }
            Self::UpstreamUntrusted { cause } => {
                Some(format!("the upstream's certificate was not accepted: {cause}").into())
            }
            Self::AmbiguousCertificate
            | Self::AmbiguousCredentials
            | Self::AuditUnavailable
            | Self::BatchOverGrant { .. }
            | Self::BatchTooLarge { .. }
            | Self::BodyTimeout
            | Self::BodyTooLarge { .. }
            | Self::CustomerDenied
            | Self::CustomerUnproven { .. }
            | Self::DuplicateKey { .. }
            | Self::ExpiredCertificate
            | Self::ExpiredToken
            | Self::Fields(_)
            | Self::HeadersTooLarge { .. }
            | Self::TooManyHeaders { .. }
            | Self::InvalidSignedToken
            | Self::InvalidToken
            | Self::IssuerUnavailable
            | Self::KeyUnproven { .. }
            | Self::LoopDetected
            | Self::MalformedJson { .. }
            | Self::MalformedQuery { .. }
            | Self::MalformedRequest { .. }
            | Self::MethodNotAllowed { .. }
            | Self::MissingToken { .. }
            | Self::NamespaceUnproven { .. }
            | Self::OperationDenied
            | Self::Overloaded { .. }
            | Self::QuotaExhausted { .. }
            | Self::RateLimited { .. }
            | Self::ScopeDenied { .. }
            | Self::StoreDenied
            | Self::TargetTooLong { .. }
            | Self::UnknownMetafield
            | Self::UnknownQueryKey { .. }
            | Self::UnknownRoute
            | Self::UnknownStore
            | Self::UnknownToken
            | Self::UnsupportedContentEncoding
            | Self::UnsupportedMediaType
            | Self::UpstreamOverloaded { .. }
            | Self::WrongShape { .. } => None,
        }
    }

    /// When the request is worth another try, where that is known.
    pub const fn retry(&self) -> Option<Duration> {
        match self {
            Self::QuotaExhausted { retry, .. }
            | Self::RateLimited { retry, .. }
            | Self::UpstreamOverloaded { retry } => Some(*retry),
            _ => None,
        }
    }

    /// The problem document of this refusal (RFC 9457, and BigCommerce's v3 error shape).
    pub fn to_json(&self) -> Vec<u8> {
        let code = self.code();
        let mut out = Vec::with_capacity(ROOM);
        out.extend_from_slice(b"{\"status\":");
        out.extend_from_slice(code.status().as_str().as_bytes());
        out.extend_from_slice(b",\"title\":");
        out.push(b'"');
        out.extend_from_slice(
            code.status()
                .canonical_reason()
                .unwrap_or("Error")
                .as_bytes(),
        );
        out.extend_from_slice(b"\",\"type\":\"urn:metafield-gateway:");
        out.extend_from_slice(code.as_str().as_bytes());
        out.extend_from_slice(b"\",\"detail\":");
        push_text(&mut out, &self.detail());
        out.extend_from_slice(b",\"errors\":{");
        if let Self::Fields(faults) = self {
            faults.push_json(&mut out);
        }
        out.extend_from_slice(b"},\"code\":\"");
        out.extend_from_slice(code.as_str().as_bytes());
        out.extend_from_slice(b"\"}");
        out
    }
}

/// A time as it stands in `Retry-After`: whole seconds, at least one.
fn seconds(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000).max(1);
    format!("{seconds} s")
}

/// The bytes of most documents.
const ROOM: usize = 512;

/// Appends a JSON string.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    // Most texts need no escape.
    if !needs_escape(text.as_bytes()) {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    // Writing to a vector cannot fail, and a string is always representable.
    if serde_json::to_writer(&mut *out, text).is_err() {
        out.extend_from_slice(b"\"\"");
    }
}

/// Whether something in a text cannot stand in a JSON string as it is.
fn needs_escape(text: &[u8]) -> bool {
    // Of a known number of bytes, and without a branch, all are looked at at once.
    let escapes = |byte: &u8| u8::from(*byte < b' ' || *byte == b'"' || *byte == b'\\');
    let any = |bytes: &[u8; 16]| bytes.iter().map(escapes).fold(0, |any, one| any | one) != 0;
    let (pieces, rest) = text.as_chunks();
    let mut last = [b' '; 16];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    pieces.iter().any(any) || any(&last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_refusal_is_a_problem_document() {
        let body = String::from_utf8(Denial::UnknownToken.to_json()).expect("UTF-8");
        assert_eq!(
            body,
            r#"{"status":401,"title":"Unauthorized","type":"urn:metafield-gateway:unknown_token","detail":"the token belongs to no caller of this gateway","errors":{},"code":"unknown_token"}"#
        );
    }
    #[test]
    fn a_text_is_the_json_string_that_serde_json_writes() {
        let alone = (0..=0x10ff).filter_map(char::from_u32).map(String::from);
        let within =
            (0..=0xff).map(|code| format!("a long enough text {} and more", char::from(code)));
        for text in alone.chain(within).chain([String::new()]) {
            let mut out = b"before".to_vec();
            push_text(&mut out, &text);
            let expected = serde_json::to_string(&text).expect("a string");
            assert_eq!(out, format!("before{expected}").into_bytes(), "{text:?}");
        }
    }
}
