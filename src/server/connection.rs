//! One client connection from its acceptance to its end: TLS handshake, the protocol, and the orders
//! of the sweep.

use super::admission::Place;
use super::balance::Load;
use super::notes::{Busy, Notes, Order, Phase};
use super::proof;
use super::socket::{Socket, is_blank};
use super::tracked::Tracked;
use super::watch::Connections;
use crate::config::Limits;
use crate::gateway::{Connection, Gateway, LocalExecutor, Quiet, Stream};
use crate::identity::{Digest, Evidence};
use crate::observe::{BareClose, Peer, WorkerMetrics};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

/// The least room for reading a body: fewer system calls for large ones.
const READ_BUFFER: usize = 128 * 1024;
/// How much of an answer may wait in memory for a slow HTTP/2 client.
const SEND_BUFFER: usize = 64 * 1024;
/// How much of a body a client may send ahead on one stream, and on all of a connection together.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How often a silent HTTP/2 client is asked whether it lives, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(10);
/// How many streams a client may open and reset at once before it is taken for an attacker
/// (CVE-2023-44487).
const RESETS: usize = 32;
/// How many streams may fail by a client's doing before it is taken for an attacker (CVE-2025-8671). A client may open more
/// than it is allowed before it has been told how many, and each of those counts (RFC 9113 section 5.1.2).
const STREAM_ERRORS: usize = 256;

/// The fields of a head, with the pseudo-header fields, that are allowed for beside their own bytes.
const FIELDS: usize = 104;

/// How long a connection that is turned away may take in all: for its handshake, its first request and
/// the answer.
const TURNING_AWAY: Duration = Duration::from_secs(5);

/// How many connections of a worker may keep their buffers while they are idle, for a moment, before they have been used
/// twice. Were there no bound, many that come within that moment would all have had some, which an allocator hardly gives
/// back; those that are used again and again would make them anew for each request.
const SPARE: usize = 16;

/// What the connections of one worker share.
pub(super) struct Shared {
    pub(super) gateway: Rc<Gateway>,
    pub(super) connections: Rc<Connections>,
    metrics: Arc<WorkerMetrics>,
    http1: http1::Builder,
    http2: http2::Builder<LocalExecutor>,
    /// The evidence of a connection that proves nothing.
    nothing: Rc<Evidence>,
    /// How many connections over HTTP/1.1 have buffers.
    buffered: Cell<usize>,
}

/// A connection that has buffers, until dropped.
struct Buffered<'a>(&'a Cell<usize>);

impl<'a> Buffered<'a> {
    fn among(all: &'a Cell<usize>) -> Self {
        all.set(all.get() + 1);
        Self(all)
    }
}

impl Drop for Buffered<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Shared {
    pub(super) fn new(
        gateway: Rc<Gateway>,
        connections: Rc<Connections>,
        metrics: Arc<WorkerMetrics>,
        limits: &Limits,
    ) -> Self {
        Self {
            gateway,
            connections,
            metrics,
            http1: http1(limits),
            http2: http2(limits),
            nothing: Rc::default(),
            buffered: Cell::default(),
        }
    }

    /// Serves one connection to its end, and gives its place up then, if it has one. It is watched at
    /// once, not when the future is first polled: a drain that begins in between waits for it.
    pub(super) fn serve(
        self: Rc<Self>,
        stream: Stream,
        peer: Peer,
        (place, load): (Option<Place>, Option<Load>),
    ) -> impl Future<Output = ()> + use<> {
        let tls = self.gateway.server_tls();
        let tls = tls.map(|(config, authorities)| (TlsAcceptor::from(config), authorities));
        let phase = if tls.is_some() {
            Phase::Handshake
        } else {
            Phase::Silent
        };
        let watched = self.connections.watch(phase);
        let over = place.as_ref().and_then(|place| place.over);
        let notes = Rc::clone(&watched.notes);
        let shared = Rc::clone(&self);
        // In boxes, as all that most connections do not need, or do not need while they wait: a task that
        // waits for a client is to be small.
        let mut run: Pin<Box<dyn Future<Output = _>>> = match (stream, tls) {
            (Stream::Tcp(tcp), Some(tls)) => Box::pin(shared.secure(tcp, tls, (peer, over), notes)),
            (stream, tls) => {
                notes.enter(Phase::Silent);
                let evidence = self.evidence(&stream, tls.and_then(|(_, authorities)| authorities));
                let socket = Socket::new(stream, Rc::clone(&notes));
                Box::pin(shared.run(socket, None, (peer, evidence), over, notes))
            }
        };
        async move {
            // An order to abort ends the connection wherever it is.
            let to_end = poll_fn(|cx| match watched.notes.order(cx) {
                Order::Abort(reason) => Poll::Ready(reason),
                _ => run.as_mut().poll(cx),
            });
            let reason = if over.is_some() {
                let ended = Box::pin(tokio::time::timeout(TURNING_AWAY, to_end)).await;
                ended.unwrap_or(Some(BareClose::TurnedAway))
            } else {
                to_end.await
            };
            if let Some(reason) = reason {
                self.metrics.bare_close(reason);
            }
            drop((place, load));
            // The socket is closed before anybody is told that the connection is.
            drop(run);
            drop(watched);
        }
    }

    /// What a connection proves. Most prove nothing, and share that.
    fn evidence(&self, stream: &Stream, authorities: Option<Digest>) -> Rc<Evidence> {
        match (stream, authorities) {
            (Stream::Tcp(_), None) => Rc::clone(&self.nothing),
            _ => Rc::new(proof::of(stream, authorities)),
        }
    }

    /// Records a connection that was closed as soon as it was accepted.
    pub(super) fn turn_away(&self) {
        self.metrics.bare_close(BareClose::TurnedAway);
    }

    /// The same as [`Self::run`] behind a TLS handshake.
    async fn secure(
        self: Rc<Self>,
        tcp: TcpStream,
        (tls, authorities): (TlsAcceptor, Option<Digest>),
        (peer, over): (Peer, Option<&'static str>),
        notes: Rc<Notes>,
    ) -> Option<BareClose> {
        let stream = match Box::pin(handshake(&tls, tcp)).await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%peer, %error, "a TLS handshake with a client failed");
                return Some(BareClose::Handshake);
            }
        };
        notes.enter(Phase::Silent);
        let agreed = agreed_on_http2(&stream);
        let evidence = self.evidence(&stream, authorities);
        let socket = Socket::new(stream, Rc::clone(&notes));
        // Another box: what the handshake took is not kept.
        Box::pin(self.run(socket, agreed, (peer, evidence), over, notes)).await
    }

    /// Gives the reason if the connection ended without a gateway's answer. Not an `async fn`, which would
    /// keep room for what it is given twice.
    fn run(
        self: Rc<Self>,
        mut socket: Socket,
        agreed: Option<bool>,
        (peer, evidence): (Peer, Rc<Evidence>),
        over: Option<&'static str>,
        notes: Rc<Notes>,
    ) -> impl Future<Output = Option<BareClose>> {
        let gateway = Rc::clone(&self.gateway);
        let of_requests = Rc::clone(&notes);
        let service = service_fn(move |request| {
            if over.is_some() {
                of_requests.command(Order::Finish);
            }
            let evidence = Rc::clone(&evidence);
            answer(
                Rc::clone(&gateway),
                &of_requests,
                (peer, evidence),
                over,
                request,
            )
        });
        async move {
            let multiplexed = match agreed {
                Some(agreed) => agreed,
                None => socket.speaks_http2().await.ok()?,
            };
            let ended = if multiplexed {
                notes.multiplexes();
                let mut connection =
                    Box::pin(self.http2.serve_connection(TokioIo::new(socket), service));
                let graceful = http2::Connection::graceful_shutdown;
                finishing(connection.as_mut(), &notes, graceful, || false).await?
            } else {
                let ended = self.one_by_one(&mut socket, &notes, &service).await?;
                if ended.as_ref().is_err_and(hyper::Error::is_user) {
                    // The answer broke off, and a client of HTTP/1.0 takes an orderly end for the answer's.
                    socket.reset();
                }
                // hyper does not close a connection whose client asked for another protocol.
                if ended.is_ok() {
                    // A client that has gone needs no order any more.
                    drop(socket.shutdown().await);
                }
                ended
            };
            match ended {
                Err(error) if error.is_parse() || is_violation(&error) => {
                    Some(BareClose::Malformed)
                }
                _ => None,
            }
        }
    }

    /// Serves a client that asks one thing after the other. hyper and its buffers are there only while it
    /// asks: when it rests, the socket waits alone. `None` if the connection broke off meanwhile.
    async fn one_by_one<S>(
        &self,
        socket: &mut Socket,
        notes: &Notes,
        service: &S,
    ) -> Option<hyper::Result<()>>
    where
        S: Service<Request<Incoming>, Response = Response<Tracked>, Error = Infallible>,
    {
        loop {
            let io = TokioIo::new(&mut *socket);
            let mut connection = Box::new(Quiet::new(self.http1.serve_connection(io, service)));
            let buffered = Buffered::among(&self.buffered);
            let graceful = |connection: Pin<&mut Quiet<http1::Connection<_, _>>>| {
                Pin::new(connection.get_mut().connection()).graceful_shutdown();
            };
            let is_spare = || self.buffered.get() > SPARE && !notes.is_steady();
            let rests = || notes.parks() || (is_spare() && notes.is_idle());
            let ended = finishing(Pin::new(&mut *connection), notes, graceful, rests).await;
            if ended.is_some() {
                return ended;
            }
            let begun = {
                // Here the box ends with its content, and not behind the wait.
                let connection = connection;
                connection.into_inner().into_parts().read_buf
            };
            if !is_blank(&begun) {
                // The next head has begun, behind the last request.
                socket.put_back(&begun);
                tokio::task::yield_now().await;
                continue;
            }
            drop((begun, buffered));
            let parked = notes.rests();
            let goes_on = socket.awakens().await.ok()?;
            drop(parked);
            if !goes_on {
                return Some(Ok(()));
            }
        }
    }
}

/// Whether an HTTP/2 connection was ended for what its client sent.
fn is_violation(error: &hyper::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<h2::Error>())
        .is_some_and(|error| error.is_go_away() && error.is_library())
}

async fn handshake(tls: &TlsAcceptor, tcp: TcpStream) -> std::io::Result<Stream> {
    Ok(Stream::Tls(Box::new(TlsStream::Server(
        tls.accept(tcp).await?,
    ))))
}

/// What ALPN said; `None` where there was none, as without TLS.
fn agreed_on_http2(stream: &Stream) -> Option<bool> {
    match stream {
        Stream::Tls(tls) => tls
            .get_ref()
            .1
            .alpn_protocol()
            .map(|protocol| protocol == b"h2"),
        Stream::Tcp(_) | Stream::Unix(_) => None,
        #[cfg(feature = "fuzzing")]
        Stream::Pipe(_) => None,
    }
}

/// Runs a connection to its end, or until it is to give its buffers back, which gives `None`. Lets it finish when that
/// is ordered. What has arrived by then is read first: a request must not be lost because it met the order.
///
/// A connection gives its buffers back only if it was idle before it was polled too: where hyper has answered a request
/// without reading its body it closes in its next turn, and until then looks idle.
fn finishing<C: Future>(
    mut connection: Pin<&mut C>,
    notes: &Notes,
    finish: impl Fn(Pin<&mut C>),
    rests: impl Fn() -> bool,
) -> impl Future<Output = Option<C::Output>> {
    let mut asked = false;
    poll_fn(move |cx| {
        notes.turns();
        let was_idle = notes.is_idle();
        if let Poll::Ready(output) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if asked {
            return Poll::Pending;
        }
        if notes.order(cx) != Order::Finish {
            if !rests() {
                return Poll::Pending;
            }
            if was_idle {
                return Poll::Ready(None);
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        asked = true;
        finish(connection.as_mut());
        connection.as_mut().poll(cx).map(Some)
    })
}

fn answer(
    gateway: Rc<Gateway>,
    notes: &Rc<Notes>,
    (peer, evidence): (Peer, Rc<Evidence>),
    over: Option<&'static str>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Tracked>, Infallible>> + use<> {
    let busy = Busy::on(notes);
    let known = (evidence, Rc::clone(notes) as Rc<dyn Connection>);
    let notes = Rc::clone(notes);
    // One future and not one around another, since it is large. hyper has a box for it as long as it has the connection,
    // which it has not while the connection rests.
    gateway.handle(request, peer, known, over, move |response, after| {
        if after.is_last {
            notes.command(Order::Finish);
        }
        if after.closes {
            notes.closes();
        }
        Ok(response.map(|answer| Tracked::new(answer, busy)))
    })
}

/// hyper's own header timeout stays off: the sweep watches the head, and idle connections too.
fn http1(limits: &Limits) -> http1::Builder {
    let head = largest_head(limits);
    let mut builder = http1::Builder::new();
    builder
        // The socket says when a client has gone.
        .half_close(true)
        .header_read_timeout(None)
        .max_header_size(head)
        .max_buf_size(head.max(READ_BUFFER));
    builder
}

fn http2(limits: &Limits) -> http2::Builder<LocalExecutor> {
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(largest_list(limits)).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(STREAM_ERRORS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE);
    builder
}

/// The same for HTTP/2, where a field counts as 32 bytes more than it has (RFC 9113 section 6.5.2), and a
/// head is in memory before anything can be said of it: nothing beyond what may be allowed.
fn largest_list(limits: &Limits) -> usize {
    limits
        .headers
        .saturating_add(limits.target)
        .saturating_add(FIELDS * 32)
}

/// hyper reads a head of twice the limit, so that one just over it gets an answer that says so.
fn largest_head(limits: &Limits) -> usize {
    limits
        .headers
        .saturating_mul(2)
        .saturating_add(limits.target)
}
