//! One worker's way to the upstream: the exchange of a request for an answer, the rule for sending
//! again, and the one deadline.

mod deadlines;
mod dial;
mod exchanges;
mod failure;
mod http1;
mod meter;
mod pool;
mod progress;

pub(super) use exchanges::Taken;
#[cfg(feature = "fuzzing")]
pub(super) use http1::comparison;
pub(super) use http1::{Broken, Http1, Wire};
pub(super) use pool::Pool;
pub(super) use progress::Progress;

use super::outbound::{Destination, Outbound};
use crate::config::UpstreamSettings;
use crate::denial::Denial;
use crate::observe::WorkerMetrics;
use bytes::Bytes;
use deadlines::{Deadlines, Elapsed};
use exchanges::Exchanges;
use failure::{Failed, http1_failure, http2_failure, unbuildable};
use http::response;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use pool::Carrier;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How many connections are tried for one request: an upstream that closes all of them is down, and
/// trying on would only add to its load.
const ATTEMPTS: usize = 8;

/// No connection was free within the deadline.
pub(super) const BUSY: Denial = Denial::Overloaded {
    bound: "upstream.connections",
};

/// The head of an answer and what its body comes over.
pub(super) struct Reply {
    pub(super) head: response::Parts,
    pub(super) body: ReplyBody,
    /// One of `upstream.connections`, given back with the reply.
    pub(super) place: Taken,
}

/// Where the body of an answer comes from.
pub(super) enum ReplyBody {
    /// A connection of its own, which whoever reads the body drives.
    Own(Box<Http1>),
    /// A stream of a shared one.
    Shared(Incoming),
}

/// A worker's way to the upstream.
pub(super) struct Upstream {
    pool: Rc<Pool>,
    destination: Destination,
    deadline: Duration,
    deadlines: Deadlines,
    exchanges: Exchanges,
    metrics: Arc<WorkerMetrics>,
}

impl Upstream {
    pub(super) fn new(
        settings: &UpstreamSettings,
        exchanges: usize,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            pool: Rc::new(Pool::new(settings, exchanges, Arc::clone(&metrics))),
            destination: Destination {
                scheme: settings.scheme.clone(),
                authority: settings.authority.clone(),
                host: settings.host.clone(),
            },
            deadline: settings.deadline,
            deadlines: Deadlines::default(),
            exchanges: Exchanges::new(exchanges),
            metrics,
        }
    }

    /// The connections; whoever reads an answer gives its connection back to them.
    pub(super) fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }

    /// The name under which the upstream is asked.
    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// When a request must have been answered whose last byte came at `now`, and which has waited so long for its turn.
    pub(super) fn deadline(&self, now: Instant, waited: Duration) -> Instant {
        now + self.deadline.saturating_sub(waited)
    }

    /// Sends a request, again where that is allowed, until the head of an answer has come or the
    /// deadline has passed.
    pub(super) async fn send(
        &self,
        outbound: &Outbound<'_>,
        deadline: Instant,
        progress: &mut Progress,
    ) -> Result<Reply, Denial> {
        let began = now();
        progress.begin(began);
        if began >= deadline {
            // Its time went by before: it is not for want of a connection.
            progress.may_connect();
            return Err(progress.qualify(Denial::UpstreamTimeout { sent: true }));
        }
        let reply = {
            let answered = pin!(self.send_until_answered(outbound, progress));
            self.deadlines.within(deadline, answered).await
        };
        let reply = reply
            .unwrap_or_else(|Elapsed| Err(Denial::UpstreamTimeout { sent: true }))
            .map_err(|denial| progress.qualify(denial))?;
        let status = reply.head.status.as_u16();
        self.metrics
            .upstream_answered(status, progress.answered(status, now()));
        Ok(reply)
    }

    async fn send_until_answered(
        &self,
        outbound: &Outbound<'_>,
        progress: &mut Progress,
    ) -> Result<Reply, Denial> {
        let place = self.exchanges.begin().await;
        progress.may_connect();
        // What has closed one idle connection has closed the others too.
        let mut again = false;
        for _ in 0..ATTEMPTS {
            let carrier = if again {
                self.pool.other().await?
            } else {
                self.pool.carrier().await?
            };
            let fresh = carrier.is_fresh();
            match self.attempt(carrier, outbound, progress).await {
                Ok((head, body)) => return Ok(Reply { head, body, place }),
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
            cause: "every connection was closed before use, or refused the request".to_owned(),
        })
    }

    async fn attempt(
        &self,
        carrier: Carrier,
        outbound: &Outbound<'_>,
        progress: &mut Progress,
    ) -> Result<(response::Parts, ReplyBody), Failed> {
        match carrier {
            Carrier::Own {
                mut connection,
                reused,
            } => {
                let request = Wire::of(outbound).map_err(|error| unbuildable(&error))?;
                progress.attempt(connection.mark());
                connection.lend(outbound.room.take());
                match connection.send(request, reused).await {
                    Ok(head) => Ok((head, ReplyBody::Own(connection))),
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
                    Ok(response) => {
                        let (head, body) = response.into_parts();
                        Ok((head, ReplyBody::Shared(body)))
                    }
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
            self.pool.leave(number);
        }
        failed
    }
}

/// Makes an attempt as a stream of a shared connection.
async fn stream(
    mut sender: http2::SendRequest<Full<Bytes>>,
    outbound: &Outbound<'_>,
    reused: bool,
) -> Result<http::Response<Incoming>, Failed> {
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
