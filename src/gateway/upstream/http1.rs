//! An HTTP/1.1 connection to the upstream, for one request at a time. It has no task of its own: whoever uses it
//! polls it, so that no wake-up crosses tasks and dropping it ends it. An idle one holds no buffer.
//!
//! The request is written by the gateway alone, with one exact `Content-Length`; answers are read by `reader`. No
//! byte that was not asked for is ever read as an answer: what comes before the request ends the connection, and so
//! does what comes after the answer.

mod chunks;
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::gateway) mod comparison;
mod head;
mod reader;
mod request;
mod words;

pub(in crate::gateway) use request::Wire;

use super::meter::{Mark, Meter};
use crate::gateway::stream::Stream;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, response};
use reader::Reader;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::unconstrained;
use tokio::time::Instant;
use words::{Malformed, Piece};

/// How much is read at once.
const SPACE: usize = 64 * 1024;

/// Where the connections of one worker read into, one at a time: what came is copied out, which is little, so that
/// none needs room while it waits.
#[derive(Debug, Clone)]
pub(super) struct Space(Rc<RefCell<Box<[u8]>>>);

impl Default for Space {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(vec![0; SPACE].into_boxed_slice())))
    }
}

/// Why a connection is of no further use.
#[derive(Debug, thiserror::Error)]
pub(in crate::gateway) enum Broken {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the connection was closed before an answer came")]
    Closed,
}

/// A connection.
#[derive(Debug)]
pub(in crate::gateway) struct Http1 {
    stream: Stream,
    reader: Reader,
    /// What was read and not yet taken.
    input: Bytes,
    /// What is still to be written.
    request: Option<Wire>,
    /// A request could not be written to its end.
    failed: bool,
    space: Space,
    meter: Rc<Meter>,
    /// Since when it waits in the pool.
    pub(super) idle_since: Instant,
}

impl Http1 {
    pub(super) fn new(stream: Stream, space: &Space, now: Instant) -> Self {
        Self {
            stream,
            reader: Reader::new(),
            input: Bytes::new(),
            request: None,
            failed: false,
            space: space.clone(),
            meter: Rc::default(),
            idle_since: now,
        }
    }

    /// The counts as they stand.
    pub(super) fn mark(&self) -> Mark {
        Mark::set(&self.meter)
    }

    /// Whether the connection is ready for a request: alive, and with nothing unasked for to read.
    pub(super) async fn is_usable(&mut self) -> bool {
        if !self.is_free() {
            return false;
        }
        // A task that has used up its turn would be told that there is nothing to read, whatever there is.
        let look = poll_fn(|cx| Poll::Ready(self.poll_look(cx).is_pending()));
        unconstrained(look).await
    }

    /// The same for a connection that has just been opened, and that nobody has looked at.
    async fn is_silent(&mut self) -> Result<(), Broken> {
        if self.is_usable().await {
            Ok(())
        } else if self.input.is_empty() {
            Err(Broken::Closed)
        } else {
            Err(Malformed::Unasked.into())
        }
    }

    /// Tells the upstream that nothing more comes, where TLS has a word for that.
    pub(super) fn close(mut self: Box<Self>) {
        if matches!(self.stream, Stream::Tls(_)) {
            let cx = &mut Context::from_waker(Waker::noop());
            // As far as there is room for it at once: the connection is gone in any case.
            drop(Pin::new(&mut self.stream).poll_shutdown(cx));
        }
    }

    /// Whether the last request has been sent and answered to its end, and nothing came after it.
    pub(super) fn is_free(&self) -> bool {
        self.reader.is_free() && self.input.is_empty() && self.request.is_none() && !self.failed
    }

    /// The fields of the next answer take up this room.
    pub(super) fn lend(&mut self, room: HeaderMap) {
        self.reader.lend(room);
    }

    /// Sends a request and waits for the head of its answer. Where the answer comes before all of the request has
    /// left, the rest leaves while the body is read.
    pub(super) async fn send(
        &mut self,
        request: Wire,
        reused: bool,
    ) -> Result<response::Parts, Broken> {
        if !reused {
            self.is_silent().await?;
        }
        self.reader.expect(request.is_to_head());
        self.request = Some(request);
        poll_fn(|cx| self.poll_answer(cx)).await
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<response::Parts, Broken>> {
        // Who refuses a request may have answered it all the same.
        let failure = match self.poll_request(cx) {
            Poll::Ready(Err(error)) => Some(error),
            _ => None,
        };
        // What comes before the first byte of a request has left is no answer to it.
        if self.request.as_ref().is_some_and(Wire::is_untouched) {
            let Some(error) = failure else {
                return Poll::Pending;
            };
            // Who has said something all the same is no dead connection.
            let spoke = matches!(self.poll_look(cx), Poll::Ready(Ok(1..)));
            return Poll::Ready(Err(if spoke {
                Malformed::Unasked.into()
            } else {
                error.into()
            }));
        }
        loop {
            if !self.input.is_empty()
                && let Some(head) = self.reader.head(&mut self.input)?
            {
                return Poll::Ready(Ok(head));
            }
            let end = match self.poll_fill(cx) {
                Poll::Ready(Ok(0)) => Broken::Closed,
                Poll::Ready(Ok(_)) => continue,
                Poll::Ready(Err(error)) => error.into(),
                Poll::Pending if failure.is_none() => return Poll::Pending,
                Poll::Pending => Broken::Closed,
            };
            return Poll::Ready(Err(failure.map_or(end, Broken::Io)));
        }
    }

    /// The next piece of the answer's body.
    pub(in crate::gateway) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        // An answer that is not interested in the rest of its request counts nevertheless.
        if self.request.is_some() && !self.failed {
            drop(self.poll_request(cx));
        }
        loop {
            match self.reader.piece(&mut self.input) {
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(data))),
                Ok(Piece::End) => return Poll::Ready(None),
                Ok(Piece::More) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) => {
                    let end = self.reader.close();
                    return Poll::Ready(end.err().map(|error| Err(error.into())));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    /// How many bytes of the answer's body are still to come at least.
    pub(in crate::gateway) fn remaining(&self) -> u64 {
        self.reader.remaining()
    }

    /// Reads once; gives how many bytes came, none at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_input(|stream, space| Pin::new(stream).poll_read(cx, space))
    }

    /// The same for who does not wait for what will come.
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_input(|stream, space| stream.look(cx, space))
    }

    fn poll_input(
        &mut self,
        read: impl FnOnce(&mut Stream, &mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<usize>> {
        let mut space = self.space.0.borrow_mut();
        let mut space = ReadBuf::new(&mut space);
        ready!(read(&mut self.stream, &mut space))?;
        let new = space.filled();
        self.meter.has_read(new.len());
        if self.input.is_empty() {
            self.input = Bytes::copy_from_slice(new);
        } else {
            let input = std::mem::take(&mut self.input).try_into_mut();
            let mut input = input.unwrap_or_else(|shared| BytesMut::from(&*shared));
            input.extend_from_slice(new);
            self.input = input.freeze();
        }
        Poll::Ready(Ok(new.len()))
    }

    /// Writes what is left of the request.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(request) = &mut self.request else {
            return Poll::Ready(Ok(()));
        };
        let outcome = ready!(write(request, &mut self.stream, &self.meter, cx));
        self.failed |= outcome.is_err();
        if outcome.is_ok() {
            self.request = None;
        }
        Poll::Ready(outcome)
    }
}

fn write(
    request: &mut Wire,
    stream: &mut Stream,
    meter: &Meter,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while let Some(slices) = request.unwritten() {
        let mut stream = Pin::new(&mut *stream);
        let outcome = match slices {
            [one, []] => stream.as_mut().poll_write(cx, one),
            [one, two] => {
                let slices = [io::IoSlice::new(one), io::IoSlice::new(two)];
                stream.as_mut().poll_write_vectored(cx, &slices)
            }
        };
        let count = match ready!(outcome) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => count,
            Err(error) => {
                // A part of a record may have left before the error.
                meter.has_written(usize::from(matches!(*stream, Stream::Tls(_))));
                return Poll::Ready(Err(error));
            }
        };
        meter.has_written(count);
        request.advance(count);
    }
    Pin::new(stream).poll_flush(cx)
}

#[cfg(test)]
mod tests;
