//! A client's connection as hyper sees it: the stream, with notes on what it is doing. Closing it is
//! done so that a client which is still sending can read the answer: the sending half is closed, and a
//! bounded rest is read and thrown away, since unread bytes would turn the close into a reset that may
//! overtake the answer (RFC 9112 section 9.6).

use super::notes::{Behind, Notes, Order, Phase};
use crate::gateway::Stream;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// The most bytes that are thrown away for a client that goes on sending.
const THROWN_AWAY: usize = 4 * 1024 * 1024;

/// How much of an HTTP/2 connection is read before what was read is served: a byte of it may become a
/// header field of some hundred bytes, and h2 reads on for as long as there is more.
const TURN: usize = 16 * 1024;

/// The first bytes of an HTTP/2 connection (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much is read at once when a connection that held no buffers has something to read.
const AWAKENING: usize = 4 * 1024;

/// The longest answer that is copied together: one buffer costs the kernel less than two, and TLS one record.
const JOINED: usize = 2 * 1024;

/// A client's connection.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    notes: Rc<Notes>,
    /// Bytes that were read before hyper asked for them, and are to be read again.
    begin: Vec<u8>,
    ended: bool,
    /// The client's end was met behind what was read of it.
    gone: bool,
    shut: bool,
    thrown_away: usize,
    /// What was read since another task had its turn, over HTTP/2.
    in_turn: usize,
}

impl Socket {
    pub(super) fn new(stream: Stream, notes: Rc<Notes>) -> Self {
        Self {
            stream,
            notes,
            begin: Vec::new(),
            ended: false,
            gone: false,
            shut: false,
            thrown_away: 0,
            in_turn: 0,
        }
    }

    /// Whether the client speaks HTTP/2, by the first bytes it sends.
    pub(super) async fn speaks_http2(&mut self) -> io::Result<bool> {
        let mut buffer = [0; PREFACE.len()];
        let mut known = 0;
        while let Some(space) = buffer.get_mut(known..).filter(|space| !space.is_empty()) {
            let count = self.stream.read(space).await?;
            known += count;
            self.notes.has_read();
            let begin = buffer.get(..known).unwrap_or_default();
            if count == 0 || !PREFACE.starts_with(begin) {
                break;
            }
        }
        self.begin = buffer.get(..known).unwrap_or_default().to_vec();
        Ok(self.begin == PREFACE)
    }

    /// Puts bytes back that were read and not used, to be read again.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        self.begin = bytes.to_vec();
        self.notes.has_read();
    }

    /// Waits for bytes with no buffer for them, and keeps them to be read. `false` if the connection is to be
    /// closed instead: its client has closed it, or it was told to finish. What has arrived comes before that.
    pub(super) fn awakens(&mut self) -> impl Future<Output = io::Result<bool>> {
        poll_fn(move |cx| {
            // Only for as long as it is looked at: it is no part of what waits.
            let mut space = [const { MaybeUninit::uninit() }; AWAKENING];
            let mut buffer = ReadBuf::uninit(&mut space);
            if Pin::new(&mut *self).poll_read(cx, &mut buffer)?.is_ready() {
                self.begin = buffer.filled().to_vec();
                return Poll::Ready(Ok(!self.begin.is_empty()));
            }
            match self.notes.order(cx) {
                Order::Finish => Poll::Ready(Ok(false)),
                _ => Poll::Pending,
            }
        })
    }

    /// Sees to it that closing is a reset.
    pub(super) fn reset(&self) {
        let tcp = match &self.stream {
            Stream::Tcp(tcp) => tcp,
            Stream::Tls(tls) => tls.get_ref().0,
            Stream::Unix(_) => return,
            #[cfg(feature = "fuzzing")]
            Stream::Pipe(_) => return,
        };
        if let Err(error) = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO)) {
            tracing::debug!(%error, "SO_LINGER could not be set");
        }
    }

    /// Fails if the client has gone while its request is answered. hyper would look too, but only with a buffer for what
    /// it reads, and while the head of the request holds its buffer that is another one of 8 KiB for each request.
    ///
    /// What arrives instead is put back, and where that is much nobody looks again until it is read: it is the next
    /// request, or the rest of this one's body while it waits for something else.
    fn hears(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.notes.is_unread() || self.notes.has_looked() || self.begin.len() >= AWAKENING {
            return Ok(());
        }
        let mut space = [const { MaybeUninit::uninit() }; AWAKENING];
        let mut buffer = ReadBuf::uninit(&mut space);
        self.reads_on(cx, &mut buffer);
        if self.gone {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !buffer.filled().is_empty() {
            self.begin.extend_from_slice(buffer.filled());
            // Should hyper be waiting for these bytes, the readiness that would have woken it is gone.
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    /// Reads all that there is, as far as there is room, and whether the client's end stands behind it. It costs no
    /// system call where there is nothing.
    fn reads_on(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) {
        self.notes.sees(Behind::Unknown);
        while !self.gone && buffer.remaining() > 0 {
            let before = buffer.filled().len();
            let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
            let new = buffer.filled().get(before..).unwrap_or_default();
            match outcome {
                Poll::Ready(Ok(())) if !new.is_empty() => self.has_read(new),
                // A failure is an end too, and TLS would not tell it again.
                Poll::Ready(_) => self.gone = true,
                Poll::Pending => return self.notes.sees(Behind::NothingNow),
            }
        }
    }

    /// Empty lines before a request mean nothing (RFC 9112 section 2.2).
    fn has_read(&self, bytes: &[u8]) {
        if !is_blank(bytes) {
            self.notes.has_read();
        }
    }

    /// Notes how writing went. A client that takes nothing may have gone.
    fn wrote<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.notes.writes(outcome.is_pending());
        if outcome.is_pending() {
            self.hears(cx)?;
        }
        outcome
    }

    fn throw_away(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 4096];
        while !self.ended && self.thrown_away < THROWN_AWAY {
            let mut buffer = ReadBuf::new(&mut space);
            let outcome = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            self.thrown_away += buffer.filled().len();
            self.ended = outcome.is_err() || buffer.filled().is_empty();
        }
        Poll::Ready(())
    }
}

/// Whether these are but empty lines.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.begin.is_empty() {
            self.has_read(&self.begin);
            let count = self.begin.len().min(buffer.remaining());
            buffer.put_slice(self.begin.get(..count).unwrap_or_default());
            self.begin.drain(..count);
            if self.begin.is_empty() {
                self.begin = Vec::new();
                // Together with what follows: hyper's buffer grows when a read leaves it almost empty.
                self.reads_on(cx, buffer);
            }
            return Poll::Ready(Ok(()));
        }
        if self.in_turn >= TURN {
            self.in_turn = 0;
            // Comes back when the tasks that are ready now have run.
            return pin!(tokio::task::yield_now()).poll(cx).map(Ok);
        }
        if self.gone {
            self.ended = true;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        if new.is_empty() {
            self.ended |= buffer.remaining() > 0;
        } else if self.notes.is_multiplexed() {
            self.in_turn += new.len();
            self.notes.has_read();
        } else {
            self.has_read(new);
            self.reads_on(cx, buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let outcome = if pieces.iter().map(|piece| piece.len()).sum::<usize>() <= JOINED {
            let mut space = [const { MaybeUninit::uninit() }; JOINED];
            let mut joined = ReadBuf::uninit(&mut space);
            for piece in pieces {
                joined.put_slice(piece);
            }
            stream.poll_write(cx, joined.filled())
        } else {
            stream.poll_write_vectored(cx, pieces)
        };
        self.wrote(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        let outcome = self.wrote(cx, outcome);
        // hyper flushes the socket only when it has handed everything over, and whenever it waits.
        if outcome.is_ready() {
            self.notes.has_flushed();
            self.hears(cx)?;
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            self.notes.enter(Phase::Linger);
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.shut = true;
        }
        self.throw_away(cx).map(Ok)
    }
}

#[cfg(test)]
mod tests;
