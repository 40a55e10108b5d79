//! An HTTP/1.1 connection to the upstream. It has no task of its own: whoever uses it polls it, so
//! that no wake-up crosses tasks and dropping it ends it.

use super::meter::{Mark, Meter, Metered};
use crate::gateway::stream::Stream;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::time::Instant;

/// The most bytes of an answer's head, and of the buffer that an answer is read into: what a client does not
/// take lies in several of these.
const HEAD: usize = 64 * 1024;

/// A connection and the handle to send on it.
pub(in crate::gateway) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    connection: Pin<Box<Connection<TokioIo<Metered>, Full<Bytes>>>>,
    meter: Rc<Meter>,
    ended: bool,
    /// Since when it waits in the pool.
    pub(super) idle_since: Instant,
}

impl Http1 {
    pub(super) async fn start(stream: Stream, now: Instant) -> hyper::Result<Self> {
        let (stream, meter) = Metered::new(stream);
        let (sender, connection) = Builder::new()
            .max_header_size(HEAD)
            .max_buf_size(HEAD)
            .handshake(TokioIo::new(stream))
            .await?;
        Ok(Self {
            sender,
            connection: Box::pin(connection),
            meter,
            ended: false,
            idle_since: now,
        })
    }

    /// The counts as they stand.
    pub(super) fn mark(&self) -> Mark {
        Mark::set(&self.meter)
    }

    /// Whether the connection is ready for a request: alive, and with nothing unasked for to read.
    pub(super) async fn is_usable(&mut self) -> bool {
        poll_fn(|cx| {
            self.poll_connection(cx);
            Poll::Ready(())
        })
        .await;
        !self.ended && self.sender.is_ready()
    }

    /// Whether the last request has been sent and answered to its end.
    pub(super) fn is_free(&self) -> bool {
        self.ended || self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        if !self.sender.is_ready() {
            let Self {
                sender,
                connection,
                ended,
                ..
            } = self;
            drive(connection, ended, poll_fn(|cx| sender.poll_ready(cx))).await?;
        }
        self.meter.awaits_head();
        let answer = self.sender.send_request(request);
        let answer = drive(&mut self.connection, &mut self.ended, answer).await;
        self.meter.has_head();
        answer
    }

    /// The next frame of the answer's body.
    pub(in crate::gateway) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let frame = Pin::new(&mut *body).poll_frame(cx);
        if frame.is_ready() || !self.poll_connection(cx) {
            return frame;
        }
        // The connection may just have brought it.
        Pin::new(body).poll_frame(cx)
    }

    /// Polls the connection once; `false` if there is nothing more to poll.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> bool {
        if self.ended {
            return false;
        }
        self.ended = self.connection.as_mut().poll(cx).is_ready();
        true
    }
}

/// Polls a future together with the connection that it depends on.
async fn drive<F: Future>(
    connection: &mut Pin<Box<Connection<TokioIo<Metered>, Full<Bytes>>>>,
    ended: &mut bool,
    future: F,
) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        if !*ended {
            *ended = connection.as_mut().poll(cx).is_ready();
            // The connection may just have brought what the future waits for.
            return future.as_mut().poll(cx);
        }
        Poll::Pending
    })
    .await
}

/// The next frame of a body that another task drives, as over HTTP/2.
pub(in crate::gateway) fn poll_driven(
    body: &mut Incoming,
    cx: &mut Context<'_>,
) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
    pin!(body.frame()).poll(cx)
}
