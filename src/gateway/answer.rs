//! What a client gets: a refusal of the gateway, or BigCommerce's answer, whole or streamed. The
//! streamed one carries the request's entry and finishes it at its end.

use super::budget::Hold;
use super::entry::Entry;
use super::inbound::{Inbound, InboundBody, Rest};
use super::piece::Piece;
use super::upstream::Pool;
use crate::denial::{Code, Denial};
use crate::policy::Credential;
use crate::quota::ask_to_wait;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// The room for fields of most heads.
pub(super) const FIELDS: usize = 16;

/// The marker of every answer that the gateway made itself.
const X_GATEWAY_CODE: HeaderName = HeaderName::from_static("x-gateway-code");

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The body of an answer.
#[expect(missing_debug_implementations, reason = "a body is nothing to print")]
pub enum Answer {
    /// All of it.
    Whole(Whole),
    /// A body that is still arriving.
    Streamed(Box<Streamed>),
}

/// A body that is in memory as a whole.
#[expect(missing_debug_implementations, reason = "a body is nothing to print")]
pub struct Whole {
    /// Taken once it is sent.
    piece: Option<Piece>,
}

/// Why a streamed answer broke off.
#[derive(Debug, thiserror::Error)]
#[error("the upstream's answer broke off")]
pub struct Broken;

/// A body that is passed on while it arrives.
#[expect(missing_debug_implementations, reason = "a body is nothing to print")]
pub struct Streamed {
    begin: Bytes,
    rest: Option<Rest>,
    /// The last bytes, kept back because the credential could begin in them.
    held: BytesMut,
    credential: Arc<Credential>,
    patience: Duration,
    until: Instant,
    pause: Option<Pin<Box<Sleep>>>,
    pool: Rc<Pool>,
    entry: Entry,
    /// Of the part that was collected.
    room: Option<Hold>,
}

/// The room of these fields for others. Not that of a long head, which would be held for as long as the client takes to
/// read; also not that of one name in many lines, whose room shows only while it has them.
pub(super) fn room(fields: &mut HeaderMap) -> HeaderMap {
    let mut room = std::mem::take(fields);
    if room.capacity() > FIELDS || room.len() > FIELDS {
        return HeaderMap::new();
    }
    room.clear();
    room
}

/// The gateway's own answer to a request that is refused or has failed, in whose room for fields it finds its own.
pub(super) fn refusal(denial: &Denial, room: HeaderMap) -> Response<Answer> {
    let code = denial.code();
    let mut response = Response::new(Answer::Whole(Whole {
        piece: Some(Piece::free(Bytes::from(denial.to_json()))),
    }));
    *response.status_mut() = code.status();
    *response.headers_mut() = room;
    let headers = response.headers_mut();
    headers.reserve(FIELDS / 2);
    headers.insert(CONTENT_TYPE, PROBLEM);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(X_GATEWAY_CODE, code.header());
    match (denial, code.status()) {
        (Denial::MethodNotAllowed { allow }, _) => {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        (Denial::MissingToken { .. }, _) => {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"metafield-gateway\""),
            );
        }
        (_, StatusCode::UNAUTHORIZED) => {
            let challenge = "Bearer realm=\"metafield-gateway\", error=\"invalid_token\"";
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        (_, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
            ask_to_wait(headers, denial.retry().unwrap_or_default());
        }
        _ => {}
    }
    response
}

/// Takes the body away from an answer to `HEAD`, and says its length: over HTTP/2 hyper would send it.
pub(super) fn strip_body(response: &mut Response<Answer>) {
    if let Answer::Whole(whole) = response.body_mut()
        && let Some(piece) = whole.piece.take().filter(Buf::has_remaining)
    {
        let length = HeaderValue::from(piece.remaining());
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
}

/// BigCommerce's answer as it is passed on. The entry is finished now, or by the streamed body.
pub(super) fn pass_on(inbound: Inbound, entry: &mut Entry) -> Response<Answer> {
    let body = match inbound.body {
        InboundBody::Whole { body, room, .. } => {
            entry.answered();
            Answer::Whole(Whole {
                piece: Some(Piece::within(body, room)),
            })
        }
        InboundBody::Begun {
            begin,
            room,
            rest,
            around,
        } => Answer::Streamed(Box::new(Streamed {
            begin,
            rest: Some(rest),
            held: BytesMut::new(),
            credential: around.credential,
            patience: around.patience,
            until: now() + around.answer_timeout,
            pause: None,
            pool: around.pool,
            entry: entry.hand_on(),
            room: Some(room),
        })),
    };
    Response::from_parts(inbound.head, body)
}

impl Streamed {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broken>>> {
        loop {
            if self.rest.is_some() && now() >= self.until {
                return Poll::Ready(Some(Err(self.break_off(None))));
            }
            let Some(rest) = &mut self.rest else {
                return Poll::Ready(None);
            };
            let piece = if self.begin.is_empty() {
                match rest.poll_piece(cx) {
                    Poll::Ready(piece) => piece,
                    Poll::Pending => {
                        ready!(self.poll_pause(cx));
                        let late = now() >= self.until;
                        let cause = (!late).then_some(Code::UpstreamTimeout);
                        return Poll::Ready(Some(Err(self.break_off(cause))));
                    }
                }
            } else {
                Some(Ok(std::mem::take(&mut self.begin)))
            };
            self.pause = None;
            match piece {
                None => return Poll::Ready(self.end()),
                Some(Err(_)) => {
                    return Poll::Ready(Some(Err(
                        self.break_off(Some(Code::UpstreamProtocolError))
                    )));
                }
                Some(Ok(bytes)) => {
                    if let Some(data) = self.release(&bytes).transpose() {
                        return Poll::Ready(Some(data));
                    }
                }
            }
        }
    }

    /// Waits for the end of the longest pause, or of the answer's time.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            pause,
            patience,
            until,
            ..
        } = self;
        pause
            .get_or_insert_with(|| {
                Box::pin(tokio::time::sleep_until((now() + *patience).min(*until)))
            })
            .as_mut()
            .poll(cx)
    }

    /// Adds a piece and gives what can be sent without sending the beginning of the credential.
    fn release(&mut self, bytes: &[u8]) -> Result<Option<Piece>, Broken> {
        self.held.extend_from_slice(bytes);
        if self.credential.occurs_in(&self.held) {
            return Err(self.break_off(Some(Code::CredentialEchoed)));
        }
        let free = (self.held.len() + 1).saturating_sub(self.credential.length());
        if free == 0 {
            return Ok(None);
        }
        let free = self.held.split_to(free).freeze();
        // The collected part comes first, and leaves in one piece.
        Ok(Some(match self.room.take() {
            Some(room) => Piece::within(free, room),
            None => Piece::free(free),
        }))
    }

    fn end(&mut self) -> Option<Result<Piece, Broken>> {
        if let Some(connection) = self.rest.take().and_then(Rest::connection) {
            self.pool.give_back(connection);
        }
        self.entry.answered();
        (!self.held.is_empty()).then(|| Ok(Piece::free(self.held.split().freeze())))
    }

    /// Ends the answer in its middle, for the upstream's doing or for its own length in time.
    fn break_off(&mut self, code: Option<Code>) -> Broken {
        self.rest = None;
        if let Some(code) = code {
            self.entry.cut(code);
            tracing::warn!(
                code = code.as_str(),
                "an answer of the upstream was cut while it was being passed on"
            );
        } else {
            self.entry.late();
            tracing::warn!("an answer was cut that took longer than limits.answer_timeout");
        }
        Broken
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        // Whoever ends it from the outside after its time does so because of that.
        if now() >= self.until {
            self.entry.late();
        }
    }
}

impl Body for Answer {
    type Data = Piece;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Broken>>> {
        match &mut *self {
            Self::Whole(whole) => Poll::Ready(
                whole
                    .piece
                    .take()
                    .filter(Buf::has_remaining)
                    .map(|piece| Ok(Frame::data(piece))),
            ),
            Self::Streamed(streamed) => streamed
                .poll_data(cx)
                .map(|data| data.map(|data| data.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => !whole.piece.as_ref().is_some_and(Buf::has_remaining),
            Self::Streamed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => {
                SizeHint::with_exact(whole.piece.as_ref().map_or(0, Buf::remaining) as u64)
            }
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of an answer that is being passed on"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_of_a_short_head_alone_is_kept_and_empty() {
        let named = |number: usize| HeaderName::try_from(format!("x-{number}")).expect("a name");
        for (lines, names, kept) in [
            (12, 12, true),
            (12, 1, true),
            (90, 90, false),
            (90, 1, false),
        ] {
            let mut fields = HeaderMap::new();
            for line in 0..lines {
                fields.append(named(line % names), HeaderValue::from_static("a"));
            }
            let room = room(&mut fields);
            assert!(room.is_empty() && fields.is_empty());
            assert_eq!(room.capacity() > 0, kept, "{lines} lines, {names} names");
        }
    }
}
