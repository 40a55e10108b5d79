//! One byte stream type for every door, so that hyper's connection code exists once in the program.

use socket2::SockRef;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

/// A connection to a client or to the upstream.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// A Unix socket.
    Unix(UnixStream),
    /// A pipe within the process.
    #[cfg(feature = "fuzzing")]
    Pipe(tokio::io::DuplexStream),
}

/// Within one machine nothing is congested, and watching for it is for nothing: BBR, which many hosts use for everything,
/// takes 1 to 2 % of what a request costs. Reno does least, is always there, and is everybody's to choose unless the host
/// says otherwise. What a listener accepts is as the listener is.
pub fn ease(socket: &impl AsFd, address: IpAddr) {
    if address.to_canonical().is_loopback()
        && let Err(error) = SockRef::from(socket).set_tcp_congestion(b"reno")
    {
        tracing::debug!(%error, "TCP_CONGESTION could not be set");
    }
}

impl Stream {
    /// Reads what there is. Who finds nothing must not wait for it: over a plain connection nobody is woken when there
    /// is something, which makes the look cheaper than one by `poll_read`.
    pub(super) fn look(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = match self {
            Self::Tcp(tcp) => tcp.try_read_buf(buffer),
            Self::Unix(unix) => unix.try_read_buf(buffer),
            Self::Tls(_) => return Pin::new(self).poll_read(cx, buffer),
            #[cfg(feature = "fuzzing")]
            Self::Pipe(_) => return Pin::new(self).poll_read(cx, buffer),
        };
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            outcome => Poll::Ready(outcome.map(drop)),
        }
    }
}

macro_rules! each {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream.get_mut() {
            Stream::Tcp($inner) => $call,
            Stream::Tls($inner) => $call,
            Stream::Unix($inner) => $call,
            #[cfg(feature = "fuzzing")]
            Stream::Pipe($inner) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, inner => Pin::new(inner).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, inner => Pin::new(inner).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, inner => Pin::new(inner).poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(inner) => inner.is_write_vectored(),
            Self::Tls(inner) => inner.is_write_vectored(),
            Self::Unix(inner) => inner.is_write_vectored(),
            #[cfg(feature = "fuzzing")]
            Self::Pipe(inner) => inner.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, inner => Pin::new(inner).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, inner => Pin::new(inner).poll_shutdown(cx))
    }
}
