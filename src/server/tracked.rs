//! An answer's body as it leaves: it keeps its connection busy until hyper has it, and tells, by the
//! bytes that hyper and h2 take off it as they write, whether the client takes it.

use super::notes::{Busy, Taking};
use crate::gateway::{Answer, Broken, Piece};
use bytes::Buf;
use hyper::body::{Body, Frame, SizeHint};
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The most bytes that are handed over at once over HTTP/2, where they wait for the stream's window in
/// memory: hyper asks for the next as soon as h2 has taken the one before.
const PART: usize = 64 * 1024;

/// How much of an answer that is passed on while it arrives may wait over HTTP/1.1, where hyper would take
/// as much as it may read of a request.
const WAITING: usize = 32 * 1024;

/// An answer's body.
pub(super) struct Tracked {
    answer: Answer,
    /// What was not yet handed over of the answer's last piece.
    rest: Piece,
    busy: Busy,
    /// Only over HTTP/1.1, for an answer that is passed on while it arrives.
    waiting: Option<Rc<Waiting>>,
}

/// Bytes that were handed over and not written.
#[derive(Default)]
struct Waiting {
    bytes: Cell<usize>,
    waker: Cell<Option<Waker>>,
}

impl Waiting {
    fn written(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// A piece on its way.
pub(super) struct Sent {
    piece: Piece,
    /// Only over HTTP/2: otherwise the socket tells.
    taking: Option<Rc<Taking>>,
    /// Where it counts as waiting, and with how many bytes.
    waiting: Option<(Rc<Waiting>, usize)>,
}

impl Tracked {
    pub(super) fn new(answer: Answer, mut busy: Busy) -> Self {
        busy.answers();
        let waits = busy.taking().is_none() && matches!(answer, Answer::Streamed(_));
        Self {
            answer,
            rest: Piece::default(),
            busy,
            waiting: waits.then(Rc::default),
        }
    }

    fn hand_over(&mut self, mut piece: Piece) -> Sent {
        let taking = self.busy.taking().cloned();
        if let Some(taking) = &taking {
            let part = piece.split_to(PART);
            self.rest = std::mem::replace(&mut piece, part);
            taking.begin();
        }
        let bytes = piece.remaining();
        let waiting = self.waiting.clone().map(|waiting| {
            waiting.bytes.set(waiting.bytes.get() + bytes);
            (waiting, bytes)
        });
        Sent {
            piece,
            taking,
            waiting,
        }
    }
}

impl Body for Tracked {
    type Data = Sent;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Sent>, Broken>>> {
        if self.rest.has_remaining() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(Frame::data(self.hand_over(rest)))));
        }
        if let Some(waiting) = &self.waiting
            && waiting.bytes.get() >= WAITING
        {
            // hyper flushes when there is nothing to add, and what is written then wakes this.
            waiting.waker.set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        let frame = Pin::new(&mut self.answer).poll_frame(cx);
        frame.map_ok(|frame| frame.map_data(|piece| self.hand_over(piece)))
    }

    fn is_end_stream(&self) -> bool {
        !self.rest.has_remaining() && self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.answer.size_hint();
        if let Some(exact) = hint.exact() {
            hint.set_exact(exact + self.rest.remaining() as u64);
        }
        hint
    }
}

impl Buf for Sent {
    fn remaining(&self) -> usize {
        self.piece.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.piece.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.piece.advance(count);
        if let Some(taking) = &self.taking {
            taking.moves();
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(taking) = &self.taking {
            taking.end();
        }
        if let Some((waiting, bytes)) = self.waiting.take() {
            waiting.written(bytes);
        }
    }
}
