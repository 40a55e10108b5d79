//! Counts what passes over an upstream connection, so that it is known, not guessed, whether a byte
//! of a request has left and whether a byte of an answer has come.

use crate::gateway::stream::Stream;
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes of an answer's head and the interim ones (1xx) before it. hyper bounds each head, and
/// reads on after an interim one for as long as there is another.
const HEADS: u64 = 256 * 1024;

/// Bytes handed to a connection and taken from it since it was opened.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Meter {
    written: Cell<u64>,
    read: Cell<u64>,
    /// How far may be read before the head of an answer must have come.
    head_until: Cell<Option<u64>>,
}

impl Meter {
    /// An answer's head is awaited from now on.
    pub(super) fn awaits_head(&self) {
        self.head_until.set(Some(self.read.get() + HEADS));
    }

    /// The head has come.
    pub(super) fn has_head(&self) {
        self.head_until.set(None);
    }

    fn is_without_head(&self) -> bool {
        self.head_until
            .get()
            .is_some_and(|most| self.read.get() >= most)
    }
}

/// Where a connection's counts stood when an exchange began on it.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Mark {
    meter: Rc<Meter>,
    written: u64,
    read: u64,
}

impl Mark {
    pub(super) fn set(meter: &Rc<Meter>) -> Self {
        Self {
            meter: Rc::clone(meter),
            written: meter.written.get(),
            read: meter.read.get(),
        }
    }

    /// Whether a byte has been written since.
    pub(in crate::gateway) fn wrote(&self) -> bool {
        self.meter.written.get() != self.written
    }

    /// Whether a byte has been read since.
    pub(super) fn was_read(&self) -> bool {
        self.meter.read.get() != self.read
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub(super) struct Metered {
    stream: Stream,
    meter: Rc<Meter>,
}

impl Metered {
    pub(super) fn new(stream: Stream) -> (Self, Rc<Meter>) {
        let meter = Rc::new(Meter::default());
        (
            Self {
                stream,
                meter: Rc::clone(&meter),
            },
            meter,
        )
    }

    fn count_written(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let count = match &outcome {
            Poll::Ready(Ok(count)) => *count as u64,
            // A part of it may have left before the error.
            Poll::Ready(Err(_)) if matches!(self.stream, Stream::Tls(_)) => 1,
            _ => 0,
        };
        self.meter.written.set(self.meter.written.get() + count);
        outcome
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meter.is_without_head() {
            return Poll::Ready(Err(io::Error::other("interim answers without end")));
        }
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let count = buffer.filled().len() - before;
        self.meter.read.set(self.meter.read.get() + count as u64);
        outcome
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count_written(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.count_written(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
