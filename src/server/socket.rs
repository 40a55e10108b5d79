//! A client's connection as hyper sees it: the stream, with notes on what it is doing. Closing it is
//! done so that a client which is still sending can read the answer: the sending half is closed, and a
//! bounded rest is read and thrown away, since unread bytes would turn the close into a reset that may
//! overtake the answer (RFC 9112 section 9.6).

use super::notes::{Notes, Order, Phase};
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
    /// Bytes that were read to tell the protocol, and are to be read again.
    begin: Vec<u8>,
    ended: bool,
    /// Since the task was woken, all was read that there is.
    drained: bool,
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
            drained: false,
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
    /// What arrives instead is the next request, and is put back; until that is read nobody looks again.
    fn hears(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let is_known = std::mem::take(&mut self.drained);
        if is_known || !self.begin.is_empty() || !self.notes.is_unread() {
            return Ok(());
        }
        let mut space = [const { MaybeUninit::uninit() }; AWAKENING];
        let mut buffer = ReadBuf::uninit(&mut space);
        if Pin::new(&mut *self)
            .poll_read(cx, &mut buffer)?
            .is_pending()
        {
            return Ok(());
        }
        if buffer.filled().is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.begin = buffer.filled().to_vec();
        // Should hyper be waiting for these bytes, the readiness that would have woken it is gone.
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Reads what more there is behind what was read, and whether that is the client's end: one that leaves together
    /// with its request. It costs no system call where there is nothing, and nobody need look again then. An error,
    /// or the end, will be met again.
    fn reads_on(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) {
        while buffer.remaining() > 0 {
            let before = buffer.filled().len();
            match Pin::new(&mut self.stream).poll_read(cx, buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > before => self.notes.has_read(),
                Poll::Ready(Ok(())) => return self.notes.leaves(),
                Poll::Ready(Err(_)) => return,
                Poll::Pending => {
                    self.drained = true;
                    return;
                }
            }
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
            // Empty lines before a request mean nothing (RFC 9112 section 2.2).
            if !is_blank(&self.begin) {
                self.notes.has_read();
            }
            let count = self.begin.len().min(buffer.remaining());
            buffer.put_slice(self.begin.get(..count).unwrap_or_default());
            self.begin.drain(..count);
            if self.begin.is_empty() && buffer.remaining() > 0 {
                self.begin = Vec::new();
                // Together with what follows: hyper's buffer grows when a read leaves it almost empty. An
                // error or the end will be met again.
                self.reads_on(cx, buffer);
            }
            return Poll::Ready(Ok(()));
        }
        if self.in_turn >= TURN {
            self.in_turn = 0;
            // Comes back when the tasks that are ready now have run.
            return pin!(tokio::task::yield_now()).poll(cx).map(Ok);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if self.notes.is_multiplexed() {
            self.in_turn += buffer.filled().len() - before;
        }
        if buffer.filled().len() > before {
            self.notes.has_read();
            if !self.notes.is_multiplexed() {
                self.reads_on(cx, buffer);
            }
        } else if buffer.remaining() > 0 {
            self.ended = true;
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
