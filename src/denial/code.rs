//! The stable words of refusals, each with the one status it comes with.

use http::{HeaderValue, StatusCode};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $status:ident;)*) => {
        /// A stable word for each kind of refusal; it is the `code` of an answer, the value of
        /// `X-Gateway-Code`, of the audit line's `code` and of the metrics' label.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of their discriminants.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word. It is never renamed.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The word as the value of a field.
            pub const fn header(self) -> HeaderValue {
                match self { $(Self::$name => const { HeaderValue::from_static($word) },)* }
            }

            /// The status that the word always comes with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }
        }
    };
}

codes! {
    /// A client certificate that names more than one caller.
    AmbiguousCertificate = "ambiguous_certificate", UNAUTHORIZED;
    /// More than one credential, or one in more than one place.
    AmbiguousCredentials = "ambiguous_credentials", BAD_REQUEST;
    /// The audit log cannot take the line of this request.
    AuditUnavailable = "audit_unavailable", SERVICE_UNAVAILABLE;
    /// More items than `limits.batch_items`, or than the caller's grant allows.
    BatchTooLarge = "batch_too_large", PAYLOAD_TOO_LARGE;
    /// The body did not arrive within `limits.body_timeout`.
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT;
    /// A body over `limits.body` or `limits.batch_body`.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE;
    /// The upstream's answer held the credential.
    CredentialEchoed = "credential_echoed", BAD_GATEWAY;
    /// A customer outside the caller's grant, or not shown to be within it.
    CustomerDenied = "customer_denied", FORBIDDEN;
    /// A key that stands twice in one JSON object.
    DuplicateKey = "duplicate_key", BAD_REQUEST;
    /// A client certificate that has expired since its connection began.
    ExpiredCertificate = "expired_certificate", UNAUTHORIZED;
    /// A token of a caller, past its `expires`.
    ExpiredToken = "expired_token", UNAUTHORIZED;
    /// A header section over `limits.headers`.
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE;
    /// An id that is not the path's.
    IdMismatch = "id_mismatch", UNPROCESSABLE_ENTITY;
    /// A field with a value outside its rule.
    InvalidField = "invalid_field", UNPROCESSABLE_ENTITY;
    /// A `permission_set` that is not one of the five.
    InvalidPermissionSet = "invalid_permission_set", UNPROCESSABLE_ENTITY;
    /// A token outside 16 to 8,192 visible ASCII characters, or a signed one that proves nothing.
    InvalidToken = "invalid_token", UNAUTHORIZED;
    /// The keys of a token's issuer could not be had.
    IssuerUnavailable = "issuer_unavailable", SERVICE_UNAVAILABLE;
    /// A key outside the caller's grant.
    KeyDenied = "key_denied", FORBIDDEN;
    /// The request has been through a gateway of this kind before.
    LoopDetected = "loop_detected", LOOP_DETECTED;
    /// Not JSON by RFC 8259, or deeper than the gateway reads.
    MalformedJson = "malformed_json", BAD_REQUEST;
    /// A query that cannot be decoded, or contradicts the path.
    MalformedQuery = "malformed_query", BAD_REQUEST;
    /// A request whose framing or target is not to be trusted.
    MalformedRequest = "malformed_request", BAD_REQUEST;
    /// A known path with another method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED;
    /// A field that this operation requires.
    MissingField = "missing_field", UNPROCESSABLE_ENTITY;
    /// No token.
    MissingToken = "missing_token", UNAUTHORIZED;
    /// A namespace outside the caller's grant.
    NamespaceDenied = "namespace_denied", FORBIDDEN;
    /// An operation outside the caller's grant.
    OperationDenied = "operation_denied", FORBIDDEN;
    /// The gateway has as much work as it may hold.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE;
    /// A metafield of a batch whose owner the gateway does not know.
    OwnershipUnknown = "ownership_unknown", FORBIDDEN;
    /// A permission set outside the caller's grant.
    PermissionSetDenied = "permission_set_denied", FORBIDDEN;
    /// The caller's share of the store's quota is spent, or the store's quota is, or BigCommerce refuses
    /// requests for its load.
    QuotaExhausted = "quota_exhausted", TOO_MANY_REQUESTS;
    /// Over the caller's own `rate_limit` or `concurrency`.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS;
    /// The caller lacks the scope of the operation.
    ScopeDenied = "scope_denied", FORBIDDEN;
    /// A store outside the caller's grant.
    StoreDenied = "store_denied", FORBIDDEN;
    /// A target over `limits.target`.
    TargetTooLong = "target_too_long", URI_TOO_LONG;
    /// A field that metafields do not have.
    UnknownField = "unknown_field", UNPROCESSABLE_ENTITY;
    /// A metafield that does not exist for the caller.
    UnknownMetafield = "unknown_metafield", NOT_FOUND;
    /// A query key that the operation does not have.
    UnknownQueryKey = "unknown_query_key", BAD_REQUEST;
    /// A path that is not one of the routes.
    UnknownRoute = "unknown_route", NOT_FOUND;
    /// A store that is not configured.
    UnknownStore = "unknown_store", NOT_FOUND;
    /// A token that belongs to no caller.
    UnknownToken = "unknown_token", UNAUTHORIZED;
    /// A body with a `Content-Encoding`.
    UnsupportedContentEncoding = "unsupported_content_encoding", UNSUPPORTED_MEDIA_TYPE;
    /// A body that is not declared as JSON in UTF-8.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE;
    /// The upstream refused the gateway's own credential.
    UpstreamCredentialRefused = "upstream_credential_refused", BAD_GATEWAY;
    /// The upstream answered 503 a moment ago, and asked to come back later.
    UpstreamOverloaded = "upstream_overloaded", SERVICE_UNAVAILABLE;
    /// The upstream broke the protocol or the connection.
    UpstreamProtocolError = "upstream_protocol_error", BAD_GATEWAY;
    /// The upstream answered with a redirect.
    UpstreamRedirect = "upstream_redirect", BAD_GATEWAY;
    /// The deadline passed before the upstream answered.
    UpstreamTimeout = "upstream_timeout", GATEWAY_TIMEOUT;
    /// No connection to the upstream.
    UpstreamUnreachable = "upstream_unreachable", BAD_GATEWAY;
    /// The upstream's certificate was not accepted.
    UpstreamUntrusted = "upstream_untrusted", BAD_GATEWAY;
    /// Another JSON type at the top than the operation takes.
    WrongShape = "wrong_shape", BAD_REQUEST;
}

impl Code {
    /// Whether policy had allowed the request before this went wrong.
    pub const fn follows_permission(self) -> bool {
        matches!(
            self,
            Self::CredentialEchoed
                | Self::UpstreamCredentialRefused
                | Self::UpstreamProtocolError
                | Self::UpstreamRedirect
                | Self::UpstreamTimeout
                | Self::UpstreamUnreachable
                | Self::UpstreamUntrusted
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_at_their_discriminants() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as usize, index);
        }
    }

    #[test]
    fn a_code_is_its_word_in_a_field() {
        for code in Code::ALL {
            assert_eq!(code.header(), code.as_str());
        }
    }
}
