//! BigCommerce's answer on its way to the caller: judged by its status, searched for the credential,
//! and freed of what concerns the connection or the gateway alone. Up to 1 MiB is collected before
//! its head is sent, so that a broken answer is an error and not half a page; what is longer streams.

use super::budget::Hold;
use super::framing::{check_framing, check_status};
use super::outbound::X_CORRELATION_ID;
use super::upstream::{Broken, Http1, Pool, ReplyBody, Taken};
use crate::denial::Denial;
use crate::policy::Credential;
use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode, Version, response};
use hyper::body::{Body, Incoming};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::task::coop::poll_proceed;
use tokio::time::Instant;

/// The most bytes of an answer that are collected before its head is sent.
pub(super) const COLLECTED: usize = 1024 * 1024;

/// An answer that may be passed on.
pub(super) struct Inbound {
    pub(super) head: response::Parts,
    pub(super) body: InboundBody,
}

impl Inbound {
    /// Gives the connection back, where it is free again.
    pub(super) fn give_back(&mut self, pool: &Pool) {
        if let InboundBody::Whole { connection, .. } = &mut self.body
            && let Some(connection) = connection.take()
        {
            pool.give_back(connection);
        }
    }
}

/// Its body.
pub(super) enum InboundBody {
    /// All of it; the connection is free again.
    Whole {
        body: Bytes,
        room: Hold,
        connection: Option<Box<Http1>>,
    },
    /// What has come so far, and where the rest comes from.
    Begun {
        begin: Bytes,
        room: Hold,
        rest: Rest,
        around: Surroundings,
    },
}

/// What an answer that is passed on while it arrives needs of its surroundings.
pub(super) struct Surroundings {
    pub(super) credential: Arc<Credential>,
    /// The longest pause within a body.
    pub(super) patience: Duration,
    /// The longest time for all of it.
    pub(super) answer_timeout: Duration,
    pub(super) pool: Rc<Pool>,
}

/// The part of an answer's body that has not come yet.
pub(super) struct Rest {
    body: ReplyBody,
    _place: Taken,
}

/// Why the rest of a body cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestError {
    #[error(transparent)]
    Own(#[from] Broken),
    #[error(transparent)]
    Shared(#[from] hyper::Error),
    #[error("the answer's stream was given up within its body")]
    GivenUp,
}

impl Rest {
    pub(super) fn new(body: ReplyBody, place: Taken) -> Self {
        Self {
            body,
            _place: place,
        }
    }

    /// The next piece of data; trailers are dropped. Cancel safe.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, RestError>>> {
        // Pieces that lie ready, many and small, must not keep the worker from the others.
        let turn = ready!(poll_proceed(cx));
        let piece = match &mut self.body {
            ReplyBody::Own(connection) => {
                let piece = ready!(connection.poll_piece(cx));
                piece.map(|piece| piece.map_err(RestError::Own))
            }
            ReplyBody::Shared(incoming) => ready!(poll_shared(incoming, cx)),
        };
        turn.made_progress();
        Poll::Ready(piece)
    }

    /// How many bytes are still to come at least.
    fn remaining(&self) -> u64 {
        match &self.body {
            ReplyBody::Own(connection) => connection.remaining(),
            ReplyBody::Shared(incoming) => incoming.size_hint().lower(),
        }
    }

    /// The connection, where it is one of its own.
    pub(super) fn connection(self) -> Option<Box<Http1>> {
        match self.body {
            ReplyBody::Own(connection) => Some(connection),
            ReplyBody::Shared(_) => None,
        }
    }
}

/// The next piece of data of a stream that another task drives.
fn poll_shared(
    incoming: &mut Incoming,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, RestError>>> {
    loop {
        match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
            None if was_given_up(incoming) => return Poll::Ready(Some(Err(RestError::GivenUp))),
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
    }
}

/// Whether a body that ended did not end whole. hyper ends it also where its stream was reset without
/// an error (RFC 9113 section 8.1), whatever is missing.
fn was_given_up(incoming: &Incoming) -> bool {
    !incoming.is_end_stream() && incoming.size_hint().exact() != Some(0)
}

/// Judges the head of an answer, and makes it one that may be passed on.
pub(super) fn open(head: &mut response::Parts, credential: &Credential) -> Result<(), Denial> {
    check_status(head.status)?;
    check_framing(&mut head.headers)?;
    if occurs(credential, &head.headers) {
        return Err(Denial::CredentialEchoed);
    }
    clean(&mut head.headers);
    // The upstream's version would decide how the body is framed for the client, and what its protocol keeps among
    // the extensions is of one connection.
    head.version = Version::HTTP_11;
    head.extensions.clear();
    Ok(())
}

/// Collects what is to be collected of an answer to this method and judges it, until `deadline` at the latest and as
/// far as there is `room`.
pub(super) async fn receive(
    head: &mut response::Parts,
    mut rest: Rest,
    method: &Method,
    credential: &Credential,
    deadline: Instant,
    mut room: Hold,
    around: &dyn Fn() -> Surroundings,
) -> Result<InboundBody, Denial> {
    if head.status == StatusCode::NO_CONTENT {
        // It has no body and no length (RFC 9110 section 8.6), whatever comes of one over HTTP/2.
        head.headers.remove(CONTENT_LENGTH);
        return Ok(InboundBody::Whole {
            body: Bytes::new(),
            room,
            connection: rest.connection(),
        });
    }
    let declared = rest.remaining();
    // The length of an answer to HEAD is that of another.
    if *method != Method::HEAD && declared > COLLECTED as u64 {
        return Ok(InboundBody::Begun {
            begin: Bytes::new(),
            room,
            rest,
            around: around(),
        });
    }
    let (begin, ended) = collect(&mut rest, deadline, &mut room).await?;
    if credential.occurs_in(&begin) {
        return Err(Denial::CredentialEchoed);
    }
    if !ended {
        return Ok(InboundBody::Begun {
            begin,
            room,
            rest,
            around: around(),
        });
    }
    // What was read by a length has that length. Without one hyper writes the exact length of what it is given.
    let is_said = declared > 0 && declared == begin.len() as u64;
    if *method != Method::HEAD && !is_said {
        head.headers.remove(CONTENT_LENGTH);
    }
    Ok(InboundBody::Whole {
        body: begin,
        room,
        connection: rest.connection(),
    })
}

/// Whether a field holds the credential; in its name, letters have lost their case.
fn occurs(credential: &Credential, headers: &HeaderMap) -> bool {
    headers.iter().any(|(name, value)| {
        credential.occurs_in(value.as_bytes()) || credential.occurs_in_name(name.as_str())
    })
}

fn clean(headers: &mut HeaderMap) {
    // Most answers have none or one, and looking up eleven costs more than looking at all there are.
    let withheld = headers.keys().filter(|name| is_withheld(name.as_str()));
    let withheld: Vec<HeaderName> = withheld.cloned().collect();
    if withheld.contains(&CONNECTION) {
        clear_nominated(headers);
    }
    for name in &withheld {
        headers.remove(name);
    }
}

/// Names that concern one connection alone (RFC 9110 section 7.6.1, with the historical ones), and
/// those that the gateway keeps back or sets itself.
fn is_withheld(name: &str) -> bool {
    let is_hops = matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    );
    is_hops || matches!(name, "set-cookie" | "x-correlation-id") || name.starts_with("x-gateway-")
}

/// Takes away what `Connection` says to be of one connection.
fn clear_nominated(headers: &mut HeaderMap) {
    let nominated: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // An upstream must not be able to take the framing away.
        .filter(|name| *name != CONTENT_LENGTH)
        .collect();
    for name in &nominated {
        headers.remove(name);
    }
}

/// Collects at most [`COLLECTED`] bytes; tells whether that is all. What is not there by `deadline`
/// is streamed, since by then the client waits for the head, and so is what finds no more `room`.
async fn collect(
    rest: &mut Rest,
    deadline: Instant,
    room: &mut Hold,
) -> Result<(Bytes, bool), Denial> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    loop {
        // Most have come with the head, and need no timer.
        let piece = match poll_fn(|cx| Poll::Ready(rest.poll_piece(cx))).await {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                let piece = poll_fn(|cx| rest.poll_piece(cx));
                let Ok(piece) = tokio::time::timeout_at(deadline, piece).await else {
                    break;
                };
                piece
            }
        };
        let Some(piece) = piece else {
            return Ok((if all.is_empty() { first } else { all.freeze() }, true));
        };
        let piece = piece.map_err(|error| Denial::UpstreamProtocolError {
            cause: error.to_string(),
        })?;
        if first.is_empty() && all.is_empty() {
            // The usual answer is one piece, and is passed on without a copy.
            first = piece;
            if room.cover(first.len()).is_err() {
                break;
            }
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&piece);
        if all.len() > COLLECTED || room.cover(all.len()).is_err() {
            break;
        }
    }
    Ok((if all.is_empty() { first } else { all.freeze() }, false))
}

/// The gateway's id on an answer.
pub(super) fn correlate(headers: &mut HeaderMap, id: crate::observe::CorrelationId) {
    if let Ok(value) = HeaderValue::from_bytes(id.as_bytes()) {
        headers.insert(X_CORRELATION_ID, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_one_hop_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private , content-length"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a=b"),
            ("set-cookie", "c=d"),
            ("x-gateway-code", "forged"),
            ("x-gateway-other", "forged"),
            ("x-correlation-id", "theirs"),
            ("trailer", "x"),
            ("content-length", "3"),
            ("content-type", "application/json"),
            ("x-rate-limit-requests-left", "149"),
            ("location", "/elsewhere"),
        ] {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        clean(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [
                "content-length",
                "content-type",
                "location",
                "x-rate-limit-requests-left"
            ]
        );
    }
}
