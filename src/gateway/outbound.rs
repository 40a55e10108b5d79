//! The request that BigCommerce sees: built from nothing out of an [`Allowed`], never the caller's
//! copied and cleaned. Of the caller's headers only three are taken over, each validated.

use super::head::PSEUDONYM;
use crate::observe::CorrelationId;
use crate::policy::{Allowed, Credential};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT, VIA};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use std::sync::Arc;

/// The header that carries a request's id on both sides.
pub(super) const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The most bytes of a caller's header that is taken over: more than any client sends.
const TAKEN_OVER: usize = 1024;

/// How the upstream speaks, and under which name it is asked.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    pub(super) host: HeaderValue,
}

/// What of a caller's head goes upstream.
#[derive(Debug, Default)]
pub(super) struct Preferences {
    accept: Option<HeaderValue>,
    accept_encoding: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
}

impl Preferences {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            accept: list(headers, &ACCEPT),
            accept_encoding: list(headers, &ACCEPT_ENCODING),
            user_agent: taken_over(headers, &USER_AGENT),
        }
    }

    /// The gateway's own, where it asks for itself.
    pub(super) fn of_look_up() -> Self {
        Self {
            accept: Some(HeaderValue::from_static("application/json")),
            ..Self::default()
        }
        .unencoded()
    }

    /// The same for an answer that the gateway must read.
    pub(super) fn unencoded(self) -> Self {
        Self {
            accept_encoding: Some(HeaderValue::from_static("identity")),
            ..self
        }
    }
}

/// A list that may stand in several lines (RFC 9110 section 5.3), as one; empty lines add nothing to it.
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let lines = headers.get_all(name).iter();
    let mut lines = lines.filter(|line| !line.is_empty());
    let first = lines.next()?;
    let Some(second) = lines.next() else {
        return Some(first).filter(|line| is_acceptable(line)).cloned();
    };
    let mut whole = first.as_bytes().to_vec();
    for line in std::iter::once(second).chain(lines) {
        whole.extend_from_slice(b", ");
        whole.extend_from_slice(line.as_bytes());
    }
    HeaderValue::from_bytes(&whole).ok().filter(is_acceptable)
}

/// A header that stands once, in visible ASCII and spaces; another is dropped as if it were absent.
fn taken_over(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if is_acceptable(value) => Some(value.clone()),
        _ => None,
    }
}

fn is_acceptable(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=TAKEN_OVER).contains(&bytes.len()) && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// A request ready to be sent, but for its form, which depends on the connection's protocol.
pub(super) struct Outbound<'a> {
    pub(super) allowed: &'a Allowed,
    /// Gives the credential that is in force; asked each time that the request is written.
    pub(super) credential: &'a dyn Fn() -> Arc<Credential>,
    pub(super) destination: &'a Destination,
    pub(super) preferences: &'a Preferences,
    pub(super) correlation_id: CorrelationId,
}

impl Outbound<'_> {
    /// Whether sending it twice is the same as once (RFC 9110 section 9.2.2), and the contract lets
    /// it be tried again. `DELETE` is not: the second answer would be another.
    pub(super) fn may_be_sent_again(&self) -> bool {
        matches!(
            self.allowed.operation().method.as_str(),
            "GET" | "HEAD" | "PUT"
        )
    }

    /// The request in origin form for HTTP/1.1.
    pub(super) fn for_http1(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = self.request(Uri::from(self.target()?));
        request
            .headers_mut()
            .insert(HOST, self.destination.host.clone());
        self.seal(&mut request);
        Ok(request)
    }

    /// The request with scheme and authority, which become pseudo-headers, for HTTP/2.
    pub(super) fn for_http2(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.destination.scheme.clone());
        parts.authority = Some(self.destination.authority.clone());
        parts.path_and_query = Some(self.target()?);
        let mut request = self.request(Uri::from_parts(parts)?);
        self.seal(&mut request);
        Ok(request)
    }

    fn target(&self) -> Result<PathAndQuery, http::Error> {
        Ok(PathAndQuery::from_maybe_shared(Bytes::from(
            self.allowed.target(),
        ))?)
    }

    fn request(&self, uri: Uri) -> Request<Full<Bytes>> {
        let operation = self.allowed.operation();
        let body = self.allowed.body();
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = operation.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.reserve(10);
        let Preferences {
            accept,
            accept_encoding,
            user_agent,
        } = self.preferences;
        let agent = user_agent
            .clone()
            .unwrap_or(HeaderValue::from_static(PSEUDONYM));
        headers.insert(USER_AGENT, agent);
        for (name, value) in [(ACCEPT, accept), (ACCEPT_ENCODING, accept_encoding)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        if operation.verb.has_body() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        if let Ok(id) = HeaderValue::from_bytes(self.correlation_id.as_bytes()) {
            headers.insert(X_CORRELATION_ID, id);
        }
        headers.insert(VIA, HeaderValue::from_static("1.1 metafield-gateway"));
        request
    }

    /// The credential comes last, so that nothing can come after it.
    fn seal(&self, request: &mut Request<Full<Bytes>>) {
        self.allowed
            .inject(&(self.credential)(), request.headers_mut());
    }
}
