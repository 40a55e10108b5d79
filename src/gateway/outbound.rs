//! The request that BigCommerce sees: built from nothing out of an [`Allowed`], never the caller's
//! copied and cleaned. Of the caller's headers only three are taken over, each validated.

use super::head::PSEUDONYM;
use crate::observe::CorrelationId;
use crate::policy::{Allowed, Credential};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT, VIA};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use std::cell::Cell;
use std::ops::Deref;
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
        let [mut accept, mut accept_encoding, mut user_agent] = [Occurrence::None; 3];
        // One look at all of them costs less than three look-ups.
        for (name, value) in headers {
            match name.as_str() {
                "accept" => accept.add(value),
                "accept-encoding" => accept_encoding.add(value),
                "user-agent" => user_agent.add(value),
                _ => {}
            }
        }
        Self {
            accept: accept.list(headers, &ACCEPT),
            accept_encoding: accept_encoding.list(headers, &ACCEPT_ENCODING),
            user_agent: user_agent.sole(),
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

/// How often a field stands in a head.
#[derive(Debug, Clone, Copy)]
enum Occurrence<'h> {
    None,
    One(&'h HeaderValue),
    Several,
}

impl<'h> Occurrence<'h> {
    fn add(&mut self, line: &'h HeaderValue) {
        *self = match self {
            Self::None => Self::One(line),
            Self::One(_) | Self::Several => Self::Several,
        };
    }

    /// A field that stands once, in visible ASCII and spaces; another is dropped as if it were absent.
    fn sole(self) -> Option<HeaderValue> {
        match self {
            Self::One(line) => Some(line).filter(|line| is_acceptable(line)).cloned(),
            Self::None | Self::Several => None,
        }
    }

    /// The same for a list.
    fn list(self, headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
        match self {
            Self::Several => joined(headers, name),
            Self::None | Self::One(_) => self.sole(),
        }
    }
}

/// A list that stands in several lines (RFC 9110 section 5.3), as one; empty lines add nothing to it.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
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

fn is_acceptable(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=TAKEN_OVER).contains(&bytes.len()) && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The credential that is in force.
#[derive(Clone)]
pub(super) enum InForce<'a> {
    /// The one of the snapshot that the request began with, as nearly always.
    Still(&'a Arc<Credential>),
    /// Another one since.
    Newer(Arc<Credential>),
}

impl InForce<'_> {
    /// The same for longer.
    pub(super) fn keep(&self) -> Arc<Credential> {
        match self {
            Self::Still(credential) => Arc::clone(credential),
            Self::Newer(credential) => Arc::clone(credential),
        }
    }
}

impl Deref for InForce<'_> {
    type Target = Credential;

    fn deref(&self) -> &Credential {
        match self {
            Self::Still(credential) => credential,
            Self::Newer(credential) => credential,
        }
    }
}

/// A request ready to be sent, but for its form, which depends on the connection's protocol.
pub(super) struct Outbound<'a> {
    pub(super) allowed: &'a Allowed,
    /// Gives the credential that is in force; asked each time that the request is written.
    pub(super) credential: &'a dyn Fn() -> InForce<'a>,
    pub(super) destination: &'a Destination,
    pub(super) preferences: &'a Preferences,
    pub(super) correlation_id: CorrelationId,
    /// What may take up the answer's fields: the room of the request's own, which are of no more use. The first try over
    /// HTTP/1.1 takes it.
    pub(super) room: &'a Cell<HeaderMap>,
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

    /// The request with scheme and authority, which become pseudo-headers, for HTTP/2.
    pub(super) fn for_http2(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        let target = Bytes::from(self.allowed.target());
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.destination.scheme.clone());
        parts.authority = Some(self.destination.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(target)?);
        let mut request = Request::new(Full::new(self.allowed.body().clone()));
        *request.method_mut() = self.allowed.operation().method.clone();
        *request.uri_mut() = Uri::from_parts(parts)?;
        let headers = request.headers_mut();
        headers.reserve(10);
        let mut outcome = Ok(());
        self.each_field(|name, value| match HeaderValue::from_bytes(value) {
            Ok(value) => drop(headers.insert(name, value)),
            Err(error) => outcome = Err(error),
        });
        outcome?;
        // The credential comes last, so that nothing can come after it.
        self.allowed.inject(&(self.credential)(), headers);
        Ok(request)
    }

    /// Gives the fields of the head in their order, but for the authority and the credential.
    pub(super) fn each_field(&self, mut each: impl FnMut(&HeaderName, &[u8])) {
        let Preferences {
            accept,
            accept_encoding,
            user_agent,
        } = self.preferences;
        let agent = user_agent.as_ref().map(HeaderValue::as_bytes);
        each(&USER_AGENT, agent.unwrap_or(PSEUDONYM.as_bytes()));
        for (name, value) in [(ACCEPT, accept), (ACCEPT_ENCODING, accept_encoding)] {
            if let Some(value) = value {
                each(&name, value.as_bytes());
            }
        }
        if self.allowed.operation().verb.has_body() {
            each(&CONTENT_TYPE, b"application/json");
            let mut length = itoa::Buffer::new();
            let length = length.format(self.allowed.body().len());
            each(&CONTENT_LENGTH, length.as_bytes());
        }
        each(&X_CORRELATION_ID, self.correlation_id.as_bytes());
        each(&VIA, b"1.1 metafield-gateway");
    }

    /// The bytes of what a head's fields hold of others.
    pub(super) fn lengths(&self) -> usize {
        let Preferences {
            accept,
            accept_encoding,
            user_agent,
        } = self.preferences;
        let taken_over = [accept, accept_encoding, user_agent];
        let lengths = taken_over.map(|value| value.as_ref().map_or(0, HeaderValue::len));
        lengths.iter().sum::<usize>() + self.destination.host.len()
    }
}
