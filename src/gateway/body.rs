//! Reads a request's body whole, under a limit, a deadline and a budget of memory. A body is judged
//! as a whole or not at all: there is no partial reading.

use super::Connection;
use super::budget::{Hold, Spent};
use super::quiet::hold_back;
use crate::denial::Denial;
use crate::policy::vocabulary::Verb;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Method, Version};
use hyper::body::{Body as _, Frame, Incoming};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How much of a declared length is taken from the budget before any of it has come: most bodies fit into
/// it whole. The rest is taken as it comes, so that nobody can take all of it by declaring alone.
const AHEAD: usize = 16 * 1024;

/// How much of a refused request's body is still read, and for how long, so that its connection can be
/// used again: what a client that sends head and body apart has on its way.
const SETTLED: u64 = 64 * 1024;
const SETTLE_PATIENCE: Duration = Duration::from_millis(100);

impl From<Spent> for Denial {
    fn from(_: Spent) -> Self {
        Self::Overloaded {
            bound: "memory for request bodies",
        }
    }
}

/// What a head says of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// There is none.
    None,
    /// There is one.
    Some,
    /// The method needs none, but only a later frame tells (HTTP/2).
    Unknown,
}

impl Announced {
    /// Whether a body is to be read for this operation.
    pub(super) fn has_body(self, verb: Verb) -> bool {
        match self {
            Self::None => false,
            Self::Some => true,
            Self::Unknown => verb.has_body(),
        }
    }
}

/// A request's body, and whether its end was seen.
pub(super) struct RequestBody {
    incoming: Incoming,
    connection: Rc<dyn Connection>,
    ended: bool,
    version: Version,
}

impl RequestBody {
    pub(super) fn new(
        incoming: Incoming,
        version: Version,
        connection: Rc<dyn Connection>,
    ) -> Self {
        let ended = incoming.is_end_stream();
        Self {
            incoming,
            connection,
            ended,
            version,
        }
    }

    /// Whether its client may have left ([`Connection::may_have_left`]).
    pub(super) fn may_have_nobody(&self) -> bool {
        self.connection.may_have_left()
    }

    /// Whether all of it has come.
    pub(super) fn has_ended(&self) -> bool {
        self.ended || self.incoming.is_end_stream()
    }

    /// What the head says of the body.
    pub(super) fn announced(&self, head: &Parts) -> Announced {
        let bodiless = matches!(head.method, Method::GET | Method::HEAD | Method::DELETE);
        if self.has_ended() || self.length() == Some(0) {
            Announced::None
        } else if bodiless && head.version == Version::HTTP_2 && self.length().is_none() {
            Announced::Unknown
        } else {
            Announced::Some
        }
    }

    /// Its length where the head tells, in bytes.
    fn length(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// Reads the whole body, at most `limit` bytes within `patience`.
    pub(super) async fn read(
        &mut self,
        limit: usize,
        patience: Duration,
        hold: &mut Hold,
    ) -> Result<Bytes, Denial> {
        let declared = usize::try_from(self.incoming.size_hint().lower()).unwrap_or(usize::MAX);
        if declared > limit {
            return Err(Denial::BodyTooLarge { limit });
        }
        let ahead = declared.min(AHEAD);
        hold.cover(ahead)?;
        let mut body = pin!(self.collect(declared, limit, hold));
        // Most bodies come with their heads, and need no timer.
        let at_once = poll_fn(|cx| Poll::Ready(body.as_mut().poll(cx))).await;
        if let Poll::Ready(outcome) = at_once {
            return outcome;
        }
        tokio::time::timeout(patience, body)
            .await
            .unwrap_or(Err(Denial::BodyTimeout))
    }

    async fn collect(
        &mut self,
        declared: usize,
        limit: usize,
        hold: &mut Hold,
    ) -> Result<Bytes, Denial> {
        let Some(first) = self.next_piece().await? else {
            return Ok(Bytes::new());
        };
        // A body that came in one piece is passed on without a copy.
        if first.len() <= limit && self.has_ended() {
            hold.cover(first.len())?;
            return Ok(first);
        }
        let mut whole = BytesMut::new();
        let mut piece = Some(first);
        while let Some(bytes) = piece {
            let length = whole.len() + bytes.len();
            if length > limit {
                return Err(Denial::BodyTooLarge { limit });
            }
            if length > whole.capacity() {
                // No more ahead than has come already, and no more than can come.
                let most = if declared == 0 { limit } else { declared };
                let room = most.min(length.saturating_mul(2)).max(length);
                hold.cover(room)?;
                let mut larger = BytesMut::with_capacity(room);
                larger.extend_from_slice(&whole);
                whole = larger;
            }
            whole.extend_from_slice(&bytes);
            piece = self.next_piece().await?;
        }
        Ok(whole.freeze())
    }

    /// Waits for the end of a body that should be empty, where the head does not say so, for at most
    /// `patience`.
    pub(super) async fn expect_none(
        &mut self,
        announced: Announced,
        patience: Duration,
    ) -> Result<Bytes, Denial> {
        if announced == Announced::None {
            return Ok(Bytes::new());
        }
        let first = tokio::time::timeout(patience, self.next_piece()).await;
        match first.unwrap_or(Err(Denial::BodyTimeout))? {
            None => Ok(Bytes::new()),
            Some(_) => Err(Denial::MalformedRequest {
                reason: "this operation takes no body",
            }),
        }
    }

    /// Reads the rest of a refused body where that is quickly done; tells whether it has ended.
    pub(super) async fn settle(&mut self) -> bool {
        if self.has_ended() {
            return true;
        }
        if self.length().is_none_or(|left| left > SETTLED) {
            return false;
        }
        {
            let mut rest = pin!(self.throw_away());
            // As with those that are judged, most have come.
            let at_once = poll_fn(|cx| Poll::Ready(rest.as_mut().poll(cx))).await;
            if at_once.is_pending() {
                // Over time or not: what counts is whether the end has come.
                drop(tokio::time::timeout(SETTLE_PATIENCE, rest).await);
            }
        }
        self.has_ended()
    }

    async fn throw_away(&mut self) {
        while !self.has_ended() && matches!(self.next_piece().await, Ok(Some(_))) {}
    }

    /// The next piece of data that is not empty; trailers are dropped.
    async fn next_piece(&mut self) -> Result<Option<Bytes>, Denial> {
        const ENDED_EARLY: Denial = Denial::MalformedRequest {
            reason: "the body ended early or is not framed correctly",
        };
        let awaiting = Awaiting::on(&*self.connection);
        let (incoming, version) = (&mut self.incoming, self.version);
        while let Some(frame) = poll_fn(|cx| poll_frame(incoming, version, cx)).await {
            let frame = frame.map_err(|_| ENDED_EARLY)?;
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                return Ok(Some(data));
            }
        }
        drop(awaiting);
        // Over HTTP/2 hyper takes a stream that was reset without an error for one that has ended.
        if self.version == Version::HTTP_2 && !self.incoming.is_end_stream() {
            return Err(ENDED_EARLY);
        }
        self.ended = true;
        Ok(None)
    }
}

/// What hyper has of a body. With the last of it, which has come by then, hyper's connection is not woken to read on.
fn poll_frame(
    incoming: &mut Incoming,
    version: Version,
    cx: &mut Context<'_>,
) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
    let mut incoming = Pin::new(incoming);
    if version == Version::HTTP_2 {
        return incoming.poll_frame(cx);
    }
    let (frame, woke) = hold_back(|| incoming.as_mut().poll_frame(cx));
    if woke && !incoming.is_end_stream() {
        cx.waker().wake_by_ref();
    }
    frame
}

/// A request waits for its body, until dropped.
struct Awaiting<'c>(&'c dyn Connection);

impl<'c> Awaiting<'c> {
    fn on(connection: &'c dyn Connection) -> Self {
        connection.awaits_body(true);
        Self(connection)
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.awaits_body(false);
    }
}

#[cfg(test)]
mod tests {
    use super::super::quiet::Quiet;
    use super::super::woken::Woken;
    use super::*;
    use http::{Request, Response};
    use http_body_util::Full;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use std::sync::Arc;
    use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
    use tokio::runtime::Builder;

    /// Answers with the body's length.
    async fn measure(request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
        let (head, mut incoming) = request.into_parts();
        let mut length = 0;
        while let Some(frame) = poll_fn(|cx| poll_frame(&mut incoming, head.version, cx)).await {
            length += frame?.into_data().map_or(0, |data| data.len());
        }
        Ok(Response::new(Full::from(format!("<{length}>"))))
    }

    /// What has come by now.
    async fn read(client: &mut DuplexStream) -> String {
        let mut space = [0; 4096];
        let mut buffer = ReadBuf::new(&mut space);
        let read = poll_fn(|cx| Poll::Ready(Pin::new(&mut *client).poll_read(cx, &mut buffer)));
        drop(read.await);
        String::from_utf8_lossy(buffer.filled()).into_owned()
    }

    /// Sends these one after the other to hyper's connection, each when the task has nothing to do any more. Gives
    /// how many turns the task had for each, and what came back.
    fn turns(pieces: &[&str]) -> (Vec<usize>, String) {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (mut client, server) = duplex(4096);
            let io = TokioIo::new(server);
            let serving = http1::Builder::new().serve_connection(io, service_fn(measure));
            let mut connection = Quiet::new(serving);
            let woken = Arc::new(Woken::default());
            let waker = woken.waker();
            let mut cx = Context::from_waker(&waker);
            let (mut turns, mut answers) = (Vec::new(), String::new());
            for piece in pieces {
                client.write_all(piece.as_bytes()).await.expect("room");
                let mut count = 0;
                loop {
                    count += 1;
                    let before = woken.count();
                    assert!(Pin::new(&mut connection).poll(&mut cx).is_pending());
                    if woken.count() == before {
                        break;
                    }
                }
                turns.push(count);
                answers.push_str(&read(&mut client).await);
            }
            (turns, answers)
        })
    }

    const HEAD: &str = "PUT / HTTP/1.1\r\ncontent-length: 5\r\n\r\n";

    #[test]
    fn a_body_that_has_come_whole_takes_its_connection_one_turn() {
        let whole = format!("{HEAD}hello");
        let (turns, answers) = turns(&[&whole, &whole]);
        assert_eq!(turns, [1, 1]);
        assert_eq!(answers.matches("<5>").count(), 2, "{answers}");
    }

    #[test]
    fn one_that_comes_in_pieces_is_read_to_its_end() {
        let chunked = "PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
        let expecting = "PUT / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
        let pipelined = format!("{HEAD}hello{HEAD}hello");
        for (pieces, count) in [
            (vec![HEAD, "he", "l", "lo"], 1),
            (vec![HEAD, "hello"], 1),
            (vec![chunked, "2\r\nde\r\n", "0\r\nname: value\r\n\r\n"], 1),
            (vec![expecting, "hello"], 1),
            (vec![&pipelined, &pipelined], 4),
        ] {
            let (_, answers) = turns(&pieces);
            assert_eq!(
                answers.matches("<5>").count(),
                count,
                "{pieces:?}: {answers}"
            );
        }
    }
}
