//! One worker's connections to the upstream, without locks: those of HTTP/1.1 that lie idle, and the
//! one of HTTP/2 that all requests share.

use super::dial::{Dialed, Dialer, chain};
use super::http1::{Http1, Space};
use super::now;
use crate::config::UpstreamSettings;
use crate::denial::Denial;
use crate::gateway::stream::Stream;
use crate::gateway::tasks::LocalExecutor;
use crate::observe::WorkerMetrics;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How often a silent HTTP/2 connection with a request on it is asked whether it lives, and how long
/// it may take to say so: together within the default deadline.
const PING_EVERY: Duration = Duration::from_secs(3);
const PING_PATIENCE: Duration = Duration::from_secs(2);

/// How much of an answer an HTTP/2 upstream may send ahead on one stream.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The largest window there is (RFC 9113 section 6.9.1).
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

/// The connections of one worker.
pub(in crate::gateway) struct Pool {
    dialer: Dialer,
    idle_timeout: Duration,
    #[expect(
        clippy::vec_box,
        reason = "a connection moves between pool and request by its pointer"
    )]
    idle: RefCell<Vec<Box<Http1>>>,
    space: Space,
    /// The time at the last sweep: near enough for what is idle, without a look at the clock for each request.
    clock: Cell<Instant>,
    shared: RefCell<Option<Shared>>,
    /// How many shared connections there have been.
    shared_count: Cell<u64>,
    /// Whether the upstream speaks HTTP/2; unknown before the first connection.
    speaks_http2: Cell<Option<bool>>,
    /// Held while opening a connection that others may come to share.
    opening: Semaphore,
    /// When and how opening a connection that others wait for failed last.
    failed: RefCell<Option<(Instant, Denial)>>,
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
pub(super) enum Carrier {
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
    pub(super) fn is_fresh(&self) -> bool {
        let (Self::Own { reused, .. } | Self::Shared { reused, .. }) = self;
        !reused
    }
}

impl Pool {
    pub(super) fn new(
        settings: &UpstreamSettings,
        exchanges: usize,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            dialer: Dialer::new(settings),
            idle_timeout: settings.idle_timeout,
            idle: RefCell::default(),
            space: Space::default(),
            clock: Cell::new(now()),
            shared: RefCell::default(),
            shared_count: Cell::default(),
            speaks_http2: Cell::new(settings.tls.is_none().then_some(false)),
            opening: Semaphore::new(1),
            failed: RefCell::default(),
            connection_window: u32::try_from(exchanges)
                .unwrap_or(u32::MAX)
                .saturating_mul(STREAM_WINDOW)
                .min(LARGEST_WINDOW),
            metrics,
        }
    }

    /// From now on every new connection is a pipe.
    #[cfg(feature = "fuzzing")]
    pub(in crate::gateway) fn dial_into(&self, pipes: crate::gateway::pipes::Pipes) {
        self.dialer.dial_into(pipes);
    }

    /// A connection to send on: an idle one if there is one, else a new one.
    pub(super) async fn carrier(&self) -> Result<Carrier, Denial> {
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

    /// A connection to try again on. Over HTTP/1.1 a new one; over HTTP/2, where the one that failed is
    /// shared no longer, that which another opens meanwhile will do.
    pub(super) async fn other(&self) -> Result<Carrier, Denial> {
        if self.speaks_http2.get() == Some(true) {
            self.carrier().await
        } else {
            self.open().await
        }
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
            let idle = self.clock.get().duration_since(connection.idle_since);
            let fresh = idle < self.idle_timeout;
            if fresh && connection.is_usable().await {
                return Some(Carrier::Own {
                    connection,
                    reused: true,
                });
            }
        }
    }

    /// A new connection. In a box: most requests find one open, and would carry the room for nothing.
    pub(super) fn open(&self) -> Pin<Box<impl Future<Output = Result<Carrier, Denial>>>> {
        Box::pin(self.open_unboxed())
    }

    async fn open_unboxed(&self) -> Result<Carrier, Denial> {
        let Dialed { stream, http2 } = self.dialer.dial().await?;
        self.metrics.upstream_opened();
        self.speaks_http2.set(Some(http2));
        if !http2 {
            let connection = Box::new(Http1::new(stream, &self.space, self.clock.get()));
            return Ok(Carrier::Own {
                connection,
                reused: false,
            });
        }
        let shared = self.share(stream).await;
        shared.map_err(|error| Denial::UpstreamProtocolError {
            cause: chain(&error),
        })
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
    pub(in crate::gateway) fn give_back(&self, mut connection: Box<Http1>) {
        // After an answer that came early the request may still be on its way, and nobody would send it.
        if connection.is_free() {
            connection.idle_since = self.clock.get();
            self.idle.borrow_mut().push(connection);
        } else {
            connection.close();
        }
    }

    /// Closes what has been idle for `upstream.idle_timeout`, as counted from sweep to sweep.
    pub(in crate::gateway) fn sweep(&self) {
        let now = now();
        self.clock.set(now);
        let expired = |since: Instant| now.duration_since(since) >= self.idle_timeout;
        let mut idle = self.idle.borrow_mut();
        for connection in idle.extract_if(.., |connection| expired(connection.idle_since)) {
            connection.close();
        }
        let mut shared = self.shared.borrow_mut();
        if shared
            .as_ref()
            .is_some_and(|shared| expired(shared.last_used))
        {
            // Streams that are still open keep the connection until they end.
            shared.take();
        }
    }

    /// Shares a connection no longer that failed a request, unless another has taken its place.
    pub(super) fn leave(&self, number: u64) {
        let mut shared = self.shared.borrow_mut();
        if shared
            .as_ref()
            .is_some_and(|shared| shared.number == number)
        {
            shared.take();
        }
    }
}
