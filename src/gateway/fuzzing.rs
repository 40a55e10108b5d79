//! What the fuzz targets under `tests/fuzz` reach of this floor: requests as they would be sent, and
//! pipes in place of upstream connections. The program is built without it.

pub use super::pipes::{PIPE, Pipes};

use super::Gateway;
use super::head;
use super::outbound::{Destination, InForce, Outbound, Preferences};
use super::upstream::Wire;
use super::upstream::comparison;
use crate::config::Limits;
use crate::denial::Denial;
use crate::identity::presented_token;
use crate::observe::CorrelationId;
use crate::policy::{Allowed, Credential, X_AUTH_TOKEN};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Full;
use std::cell::Cell;
use std::fmt::Debug;
use std::sync::Arc;

impl Gateway {
    /// From now on every upstream connection is a pipe.
    pub fn dial_into(&self, pipes: Pipes) {
        self.current().upstream.pool().dial_into(pipes);
    }
}

/// The token of a head that passes every check which needs no body.
pub fn checked_token<'a>(
    head: &'a Parts,
    allowed: &Allowed,
    limits: &Limits,
) -> Result<&'a [u8], Denial> {
    let verb = allowed.operation().verb;
    head::check_framing(head, verb.has_body(), limits)?;
    let token = presented_token(&head.headers)?.ok_or(Denial::MissingToken { or: None })?;
    head::check_headers(&head.headers, verb, verb.has_body(), limits)?;
    Ok(token)
}

/// The requests that would be sent for an allowed one with these headers, over HTTP/1.1 and HTTP/2.
///
/// # Panics
///
/// Where what would be written over HTTP/1.1 is no whole request.
pub fn outbound(
    headers: &HeaderMap,
    allowed: &Allowed,
    credential: &Arc<Credential>,
) -> Result<[Request<Full<Bytes>>; 2], http::Error> {
    let destination = Destination {
        scheme: Scheme::HTTPS,
        authority: Authority::from_static("upstream.test"),
        host: HeaderValue::from_static("upstream.test"),
    };
    let outbound = Outbound {
        allowed,
        credential: &|| InForce::Still(credential),
        destination: &destination,
        preferences: &Preferences::of(headers),
        correlation_id: CorrelationId::from_random([7; 16]),
        room: &Cell::default(),
    };
    let wire = Wire::of(&outbound).expect("a target of an allowed request");
    Ok([reread(&wire.bytes()), outbound.for_http2()?])
}

/// Reads the answer in an upstream's bytes, which come in pieces of `size`, by the gateway's reader and by hyper's client;
/// `None` if it is none.
///
/// # Panics
///
/// Where they differ in a way that is not known.
pub fn compare(bytes: &[u8], size: usize, to_head: bool) -> Option<impl Debug + PartialEq> {
    comparison::compare(bytes, size, to_head)
}

/// The request that these bytes are, as another reads it.
fn reread(bytes: &[u8]) -> Request<Full<Bytes>> {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut parsed = httparse::Request::new(&mut fields);
    let status = parsed.parse(bytes).expect("a request");
    let body = bytes.get(status.unwrap()..).unwrap_or_default();
    let mut request = Request::new(Full::new(Bytes::copy_from_slice(body)));
    *request.method_mut() = parsed
        .method
        .and_then(|method| method.parse().ok())
        .expect("a method");
    *request.uri_mut() = parsed
        .path
        .and_then(|path| path.parse().ok())
        .expect("a target");
    for field in parsed.headers {
        let mut value = HeaderValue::from_bytes(field.value).expect("a value");
        value.set_sensitive(field.name == X_AUTH_TOKEN);
        let name: HeaderName = field.name.parse().expect("a name");
        request.headers_mut().append(name, value);
    }
    let length = request.headers().get(CONTENT_LENGTH);
    assert_eq!(
        length.map(|length| length.as_bytes().to_vec()),
        Some(body.len().to_string().into_bytes())
    );
    request
}
