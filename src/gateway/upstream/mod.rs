//! One worker's connections to the upstream: a pool without locks, the rule for sending again, and
//! the one deadline.

mod dial;
mod failure;
mod http1;
mod meter;
mod progress;

pub(super) use http1::{Http1, poll_driven};
pub(super) use progress::Progress;

use super::outbound::{Destination, Outbound};
use super::stream::Stream;
use super::tasks::LocalExecutor;
use crate::config::UpstreamSettings;
use crate::denial::Denial;
use crate::observe::WorkerMetrics;
use bytes::Bytes;
use dial::{Dialed, Dialer, chain};
use failure::{Failed, http1_failure, http2_failure, unbuildable};
use http::Response;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How often a silent HTTP/2 connection with a request on it is asked whether it lives, and how long
/// it may take to say so: together within the default deadline.
const PING_EVERY: Duration = Duration::from_secs(3);
const PING_PATIENCE: Duration = Duration::from_secs(2);

/// How much of an answer an HTTP/2 upstream may send ahead on one stream.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The largest window there is (RFC 9113 section 6.9.1).
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

/// How many connections are tried for one request: an upstream that closes all of them is down, and
/// trying on would only add to its load.
const ATTEMPTS: usize = 8;

/// No connection was free within the deadline.
pub(super) const BUSY: Denial = Denial::Overloaded {
    bound: "upstream.connections",
};

/// The head of an answer and what its body comes over.
pub(super) struct Reply {
    pub(super) response: Response<Incoming>,
    /// The connection, where the body's reader must drive it.
    pub(super) connection: Option<Box<Http1>>,
    /// One of `upstream.connections`, given back with the reply.
    pub(super) permit: OwnedSemaphorePermit,
}

/// A worker's way to the upstream.
pub(super) struct Upstream {
    dialer: Dialer,
    destination: Destination,
    deadline: Duration,
    idle_timeout: Duration,
    #[expect(
        clippy::vec_box,
        reason = "a connection moves between pool and request by its pointer"
    )]
    idle: RefCell<Vec<Box<Http1>>>,
    shared: RefCell<Option<Shared>>,
    /// How many shared connections there have been.
    shared_count: Cell<u64>,
    /// Whether the upstream speaks HTTP/2; unknown before the first connection.
    speaks_http2: Cell<Option<bool>>,
    /// Held while opening a connection that others may come to share.
    opening: Semaphore,
    /// When and how opening a connection that others wait for failed last.
    failed: RefCell<Option<(Instant, Denial)>>,
    exchanges: Arc<Semaphore>,
    /// Room for every exchange's window: an answer that nobody takes must not hold up the others.
    connection_window: u32,
    metrics: Arc<WorkerMetrics>,
}

/// An HTTP/2 connection that all requests share.
struct Shared {
    sender: http2::SendRequest<Full<Bytes>>,
    number: u64,
    last_used: Instant,
}

/// A connection for one attempt.
enum Carrier {
    Own {
        connection: Box<Http1>,
        reused: bool,
    },
    Shared {
        sender: http2::SendRequest<Full<Bytes>>,
        number: u64,
        reused: bool,
    },
}

impl Carrier {
    fn is_fresh(&self) -> bool {
        let (Self::Own { reused, .. } | Self::Shared { reused, .. }) = self;
        !reused
    }
}

impl Upstream {
    pub(super) fn new(
        settings: &UpstreamSettings,
        exchanges: usize,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            dialer: Dialer::new(settings),
            destination: Destination {
                scheme: settings.scheme.clone(),
                authority: settings.authority.clone(),
                host: settings.host.clone(),
            },
            deadline: settings.deadline,
            idle_timeout: settings.idle_timeout,
            idle: RefCell::default(),
            shared: RefCell::default(),
            shared_count: Cell::default(),
            speaks_http2: Cell::new(settings.tls.is_none().then_some(false)),
            opening: Semaphore::new(1),
            failed: RefCell::default(),
            exchanges: Arc::new(Semaphore::new(exchanges)),
            connection_window: u32::try_from(exchanges)
                .unwrap_or(u32::MAX)
                .saturating_mul(STREAM_WINDOW)
                .min(LARGEST_WINDOW),
            metrics,
        }
    }

    /// The name under which the upstream is asked.
    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// When a request whose last byte came at `now` must have been answered.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        now + self.deadline
    }

    /// Sends a request, again where that is allowed, until the head of an answer has come or the
    /// deadline has passed.
    pub(super) async fn send(
        &self,
        outbound: &Outbound<'_>,
        deadline: Instant,
        progress: &mut Progress,
    ) -> Result<Reply, Denial> {
        progress.begin(now());
        let reply = tokio::time::timeout_at(deadline, self.send_until_answered(outbound, progress))
            .await
            .unwrap_or(Err(Denial::UpstreamTimeout { sent: true }))
            .map_err(|denial| progress.qualify(denial))?;
        let status = reply.response.status().as_u16();
        self.metrics
            .upstream_answered(status, progress.answered(status, now()));
        Ok(reply)
    }

    async fn send_until_answered(
        &self,
        outbound: &Outbound<'_>,
        progress: &mut Progress,
    ) -> Result<Reply, Denial> {
        let permit = Arc::clone(&self.exchanges).acquire_owned().await;
        let permit = permit.map_err(|_| BUSY)?;
        progress.may_connect();
        // What has closed one idle connection has closed the others too.
        let mut again = false;
        for _ in 0..ATTEMPTS {
            let carrier = if again {
                self.open().await?
            } else {
                self.carrier().await?
            };
            let fresh = carrier.is_fresh();
            match self.attempt(carrier, outbound, progress).await {
                Ok((response, connection)) => {
                    return Ok(Reply {
                        response,
                        connection,
                        permit,
                    });
                }
                Err(Failed::Unsent) if fresh && again => break,
                Err(Failed::Unsent) => again |= fresh,
                Err(Failed::Unanswered) if !again && outbound.may_be_sent_again() => again = true,
                Err(Failed::Unanswered) => {
                    let cause = "the connection was closed before an answer came".to_owned();
                    return Err(Denial::UpstreamProtocolError { cause });
                }
                Err(Failed::For(denial)) => return Err(denial),
            }
            self.metrics.upstream_retried();
        }
        Err(Denial::UpstreamUnreachable {
            cause: "every connection was closed before use".to_owned(),
        })
    }

    async fn attempt(
        &self,
        carrier: Carrier,
        outbound: &Outbound<'_>,
        progress: &mut Progress,
    ) -> Result<(Response<Incoming>, Option<Box<Http1>>), Failed> {
        match carrier {
            Carrier::Own {
                mut connection,
                reused,
            } => {
                let request = outbound.for_http1().map_err(|error| unbuildable(&error))?;
                progress.attempt(connection.mark());
                match connection.send(request).await {
                    Ok(response) => Ok((response, Some(connection))),
                    Err(error) => Err(http1_failure(&error, reused, progress)),
                }
            }
            Carrier::Shared {
                sender,
                number,
                reused,
            } => {
                progress.attempt_uncounted();
                match stream(sender, outbound, reused).await {
                    Ok(response) => Ok((response, None)),
                    Err(failed) => Err(self.after(failed, number, progress)),
                }
            }
        }
    }

    /// Draws the conclusions from a stream's failure for its connection and its record.
    fn after(&self, failed: Failed, number: u64, progress: &mut Progress) -> Failed {
        if matches!(failed, Failed::Unsent) {
            progress.attempt_undone();
        }
        if !matches!(failed, Failed::For(_)) {
            self.leave(number);
        }
        failed
    }

    /// Shares a connection no longer that failed a request, unless another has taken its place.
    fn leave(&self, number: u64) {
        let mut shared = self.shared.borrow_mut();
        if shared
            .as_ref()
            .is_some_and(|shared| shared.number == number)
        {
            shared.take();
        }
    }

    /// A connection to send on: an idle one if there is one, else a new one.
    async fn carrier(&self) -> Result<Carrier, Denial> {
        if let Some(carrier) = self.waiting().await {
            return Ok(carrier);
        }
        if self.speaks_http2.get() == Some(false) {
            return self.open().await;
        }
        // Others who need a connection now may come to share this one, or its failure: who has waited for
        // one try to fail does not wait for another.
        let asked = now();
        let _opening = self.opening.acquire().await;
        if let Some(carrier) = self.waiting().await {
            return Ok(carrier);
        }
        let failed = self.failed.borrow().clone();
        if let Some((_, denial)) = failed.filter(|(when, _)| *when >= asked) {
            return Err(denial);
        }
        let outcome = self.open().await;
        if let Err(denial) = &outcome {
            self.failed.replace(Some((now(), denial.clone())));
        }
        outcome
    }

    async fn waiting(&self) -> Option<Carrier> {
        if let Some(shared) = self
            .shared
            .borrow_mut()
            .as_mut()
            .filter(|shared| !shared.sender.is_closed())
        {
            shared.last_used = now();
            return Some(Carrier::Shared {
                sender: shared.sender.clone(),
                number: shared.number,
                reused: true,
            });
        }
        loop {
            let mut connection = self.idle.borrow_mut().pop()?;
            let fresh = connection.idle_since.elapsed() < self.idle_timeout;
            if fresh && connection.is_usable().await {
                return Some(Carrier::Own {
                    connection,
                    reused: true,
                });
            }
        }
    }

    /// A new connection. In a box: most requests find one open, and would carry the room for nothing.
    fn open(&self) -> Pin<Box<impl Future<Output = Result<Carrier, Denial>>>> {
        Box::pin(self.open_unboxed())
    }

    async fn open_unboxed(&self) -> Result<Carrier, Denial> {
        let Dialed { stream, http2 } = self.dialer.dial().await?;
        self.metrics.upstream_opened();
        self.speaks_http2.set(Some(http2));
        let failed = |error: hyper::Error| Denial::UpstreamProtocolError {
            cause: chain(&error),
        };
        if !http2 {
            let connection = Box::new(Http1::start(stream, now()).await.map_err(failed)?);
            return Ok(Carrier::Own {
                connection,
                reused: false,
            });
        }
        self.share(stream).await.map_err(failed)
    }

    async fn share(&self, stream: Stream) -> hyper::Result<Carrier> {
        let (sender, connection) = http2::Builder::new(LocalExecutor)
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_PATIENCE)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(self.connection_window)
            .handshake(TokioIo::new(stream))
            .await?;
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(
                    cause = chain(&error),
                    "an HTTP/2 connection to the upstream ended"
                );
            }
        });
        let number = self.shared_count.get() + 1;
        self.shared_count.set(number);
        self.shared.replace(Some(Shared {
            sender: sender.clone(),
            number,
            last_used: now(),
        }));
        Ok(Carrier::Shared {
            sender,
            number,
            reused: false,
        })
    }

    /// Takes a connection back whose answer has been read to its end.
    pub(super) fn give_back(&self, mut connection: Box<Http1>) {
        // After an answer that came early the request may still be on its way, and nobody would send it.
        if connection.is_free() {
            connection.idle_since = now();
            self.idle.borrow_mut().push(connection);
        }
    }

    /// Closes what has been idle for `upstream.idle_timeout`.
    pub(super) fn sweep(&self) {
        let now = now();
        let expired = |since: Instant| now.duration_since(since) >= self.idle_timeout;
        self.idle
            .borrow_mut()
            .retain(|connection| !expired(connection.idle_since));
        let mut shared = self.shared.borrow_mut();
        if shared
            .as_ref()
            .is_some_and(|shared| expired(shared.last_used))
        {
            // Streams that are still open keep the connection until they end.
            shared.take();
        }
    }
}

/// Makes an attempt as a stream of a shared connection.
async fn stream(
    mut sender: http2::SendRequest<Full<Bytes>>,
    outbound: &Outbound<'_>,
    reused: bool,
) -> Result<Response<Incoming>, Failed> {
    let request = outbound.for_http2().map_err(|error| unbuildable(&error))?;
    sender
        .try_send_request(request)
        .await
        .map_err(|mut failure| {
            let unsent = failure.take_message().is_some();
            http2_failure(failure.error(), unsent, reused)
        })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the upstream's deadlines"
)]
fn now() -> Instant {
    Instant::now()
}

/// Keeps the pool alive from the outside: an answer that is still being read gives its connection
/// back to it.
pub(super) type Pool = Rc<Upstream>;
