//! The corridor: one request from its head to its answer. The order of the steps in `Gateway::judge` is the
//! security property, so it stands in one place and is read from top to bottom. No step here knows a
//! rule of what is allowed.

mod answer;
mod body;
mod budget;
mod current;
mod entry;
mod exchange;
mod forward;
mod framing;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod head;
mod identify;
mod inbound;
mod lines;
mod outbound;
mod ownership;
mod pace;
mod piece;
#[cfg(feature = "fuzzing")]
mod pipes;
mod quiet;
mod renewal;
mod spending;
mod stream;
mod tasks;
mod ticks;
mod turns;
mod upstream;
#[cfg(test)]
mod woken;

pub use answer::{Answer, Broken, Streamed};
pub use lines::{Line, Lines};
pub use piece::Piece;
pub use quiet::Quiet;
pub use renewal::{Renewal, Renewals};
pub use stream::{Stream, ease};
pub use tasks::LocalExecutor;
pub use ticks::Ticks;

use crate::config::{Live, Made, Snapshot};
use crate::denial::Denial;
use crate::identity::{Caller, Digest, Evidence, Memory};
use crate::observe::{Audit, Clock, Peer, Step, Waiting, WorkerMetrics};
use crate::policy::vocabulary::StoreHash;
use crate::policy::{Judged, Route, permit};
use body::{Announced, RequestBody};
use budget::Hold;
use current::Current;
use entry::{Common, Entry};
use forward::Forward;
use http::header::{CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use identify::Identified;
use inbound::Inbound;
use outbound::Preferences;
use ownership::{Changes, Owners, Proven};
use pace::{Pace, line_up};
use rustls::ServerConfig;
use spending::Spending;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use turns::Turns;

/// What a header field takes in memory beside its own bytes, and a request beside its fields and its body,
/// as measured over HTTP/2 with requests that wait for their bodies.
const FIELD: usize = 160;
const REQUEST: usize = 6 * 1024;

/// A client's connection, as a request needs to know it.
pub trait Connection {
    /// Whether the client may have left together with its request: it has closed, or only its own side, or nobody has
    /// looked.
    fn may_have_left(&self) -> bool;

    /// A request waits for more of its body, or does so no longer.
    fn awaits_body(&self, awaits: bool);
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct After {
    /// The client is told that no other request is served on it.
    pub closes: bool,
    /// It is good for nothing more, over HTTP/2 too.
    pub is_last: bool,
}

/// What the requests of all workers share, beside the snapshot.
#[derive(Debug, Default)]
pub struct ProcessWide {
    owners: Owners,
    turns: Turns,
    lines: Lines,
}

impl ProcessWide {
    /// Those who wait for their turn are counted there; and these are the lines to the shared server of quotas.
    pub fn new(waiting: Waiting, lines: Lines) -> Self {
        Self {
            owners: Owners::default(),
            turns: Turns::new(waiting),
            lines,
        }
    }

    /// How many metafields' owners are remembered.
    pub fn remembered(&self) -> usize {
        self.owners.count()
    }
}

/// Everything that the requests of one worker share. It never leaves its thread.
#[expect(missing_debug_implementations, reason = "it leads to credentials")]
pub struct Gateway {
    live: Arc<Live>,
    current: RefCell<Rc<Current>>,
    workers: usize,
    renewals: Option<Renewals>,
    metrics: Arc<WorkerMetrics>,
    memory: RefCell<Memory>,
    common: Rc<Common>,
    shared: Arc<ProcessWide>,
    draining: Cell<bool>,
    pace: Pace,
}

impl Gateway {
    /// The gateway of one of `workers` workers, each with an equal part of the bounds. Without `renewals`
    /// a credential is never read again.
    pub fn new(
        live: Arc<Live>,
        workers: usize,
        renewals: Option<Renewals>,
        audit: Audit,
        metrics: Arc<WorkerMetrics>,
        shared: Arc<ProcessWide>,
        clock: Clock,
    ) -> Self {
        Self {
            current: RefCell::new(Rc::new(Current::new(&live, workers, &metrics))),
            live,
            workers,
            renewals,
            common: Rc::new(Common::new(clock, audit, Arc::clone(&metrics))),
            metrics,
            memory: RefCell::default(),
            shared,
            draining: Cell::new(false),
            pace: Pace::default(),
        }
    }

    /// What is in force now.
    fn current(&self) -> Rc<Current> {
        let current = Rc::clone(&self.current.borrow());
        if current.is_of(&self.live) {
            return current;
        }
        let next = Rc::new(current.next(&self.live, self.workers, &self.metrics));
        self.current.replace(Rc::clone(&next));
        next
    }

    /// The listener's TLS settings that are in force now, and a digest of the authorities of client
    /// certificates.
    pub fn server_tls(&self) -> Option<(Arc<ServerConfig>, Option<Digest>)> {
        let current = self.current();
        let made: Option<&Made<ServerConfig>> = current.snapshot.server_tls.as_ref();
        let authorities = current.snapshot.callers.authorities();
        made.map(|made| (Arc::clone(made.config()), authorities))
    }

    /// From now on every HTTP/1 answer tells its client to open no new request on the connection.
    pub fn drain(&self) {
        self.draining.set(true);
    }

    /// From now on what ends without an answer is recorded as cut by the gateway.
    pub fn cut(&self) {
        self.common.cut();
    }

    /// Closes upstream connections that have been idle for too long; to be called about once a second.
    pub fn sweep(&self) {
        self.current().upstream.pool().sweep();
    }

    /// Answers one request, and gives what `finish` makes of the answer; one whose connection is `over` a bound is
    /// refused before anything else. Its record begins at once, not when the future is first polled: a client that
    /// leaves before that is recorded too.
    pub fn handle<R>(
        self: Rc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        (evidence, connection): (Rc<Evidence>, Rc<dyn Connection>),
        over: Option<&'static str>,
        finish: impl FnOnce(Response<Answer>, After) -> R,
    ) -> impl Future<Output = R> {
        let (mut head, body) = request.into_parts();
        let mut body = RequestBody::new(body, head.version, connection);
        let mut entry = Entry::begin(&head, peer, &self.common);
        // A block and no function, whose parameters would be kept twice.
        async move {
            if head.version >= Version::HTTP_2 {
                // hyper looks for a reset once it has polled this: a request that was reset together with its
                // head must not reach for the upstream.
                tokio::task::yield_now().await;
            }
            let _under_way = self.pace.begin();
            let id = entry.correlation_id();
            let (mut is_fit, mut after) = (true, After::default());
            let served = match over {
                None => {
                    self.serve(&mut head, &mut body, &evidence, &mut entry)
                        .await
                }
                Some(bound) => Err(Denial::Overloaded { bound }),
            };
            let spending = entry.spending.clone();
            let served = served.map_err(|denial| {
                entry.report(&denial);
                entry.refuse(denial)
            });
            let mut refused = None;
            let mut response = match served {
                Ok(inbound) => answer::pass_on(*inbound, &mut entry),
                Err(denial) => {
                    // Only another connection can bring another certificate.
                    after.is_last = denial == Denial::ExpiredCertificate;
                    is_fit = is_fit_for_another(&head, &mut body, &denial).await
                        && over.is_none()
                        && !after.is_last;
                    let response = answer::refusal(&denial, answer::room(&mut head.headers));
                    refused = Some(denial);
                    response
                }
            };
            if let Some(spending) = spending {
                spending.stamp(response.status(), response.headers_mut(), refused.as_ref());
            }
            if head.method == Method::HEAD {
                answer::strip_body(&mut response);
            }
            inbound::correlate(response.headers_mut(), id);
            if (self.draining.get() || !is_fit) && head.version < Version::HTTP_2 {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
                after.closes = true;
            }
            finish(response, after)
        }
    }

    /// What was judged is proved where something is left to prove, and sent, and its answer judged. Each step has room of
    /// its own only while it runs: a request that waits for its answer keeps nothing of what it took to judge it.
    async fn serve(
        &self,
        head: &mut Parts,
        body: &mut RequestBody,
        evidence: &Evidence,
        entry: &mut Entry,
    ) -> Result<Box<Inbound>, Denial> {
        let current = self.current();
        let judging = self.judge(&current, head, body, evidence, entry);
        let (judged, mut forward, _held) = judging.await?;
        if body.may_have_nobody() {
            // Whoever serves the connection looks, and ends this if so: a request whose client has left together with
            // it must not reach for the upstream.
            line_up().await;
        }
        let (allowed, veil) = match judged {
            Judged::Allowed(allowed) => (allowed, None),
            Judged::Veiled(allowed, veil) => (allowed, Some(veil)),
            Judged::Unproven(unproven) => {
                let proving = self.prove(*unproven, &current, forward.deadline, entry);
                match Box::pin(proving).await? {
                    Proven::Allowed(allowed) => (allowed, None),
                    Proven::Answered(inbound) => {
                        entry.allow();
                        return Ok(Box::new(inbound));
                    }
                }
            }
        };
        forward.room.set(answer::room(&mut head.headers));
        let forwarding = self.forward(&allowed, veil, &mut forward, entry);
        let mut inbound = forwarding.await?;
        // Whoever waits for a connection need not wait for this one's turn.
        inbound.give_back(current.upstream.pool());
        self.pace.keep_step().await;
        Ok(inbound)
    }

    /// The steps, in their order: the first that fails is the one that is told. With what is judged comes the memory
    /// that the request holds.
    async fn judge<'a>(
        &self,
        current: &'a Rc<Current>,
        head: &Parts,
        body: &mut RequestBody,
        evidence: &Evidence,
        entry: &mut Entry,
    ) -> Result<(Judged<'a>, Forward<'a>, [Hold; 2]), Denial> {
        let snapshot = &*current.snapshot;
        let announced = body.announced(head);
        head::check_framing(head, announced == Announced::Some, &snapshot.limits)?;

        let route = Route::parse(head.uri.path()).ok_or(Denial::UnknownRoute)?;
        entry.store(route.store());
        let operation = route
            .operation(&head.method)
            .ok_or(Denial::MethodNotAllowed {
                allow: route.allow(),
            })?;
        entry.operation(&operation);
        let (verb, has_body) = (operation.verb, announced.has_body(operation.verb));

        let Identified { identity, scopes } = self
            .identify(current, &head.headers, evidence, entry)
            .await
            .map_err(|unidentified| entry.unidentified(unidentified))?;
        entry.identified(&identity, current.tally(identity.caller, &self.metrics));

        if snapshot.credentials(&operation.store).is_none() {
            return Err(Denial::UnknownStore);
        }
        scopes.map_or(Ok(()), |scopes| scopes.permit(verb))?;
        let (reported, store) = (&mut entry.reported, operation.store);
        let permitted = permit(&identity.caller.grants, operation, reported)?;
        let queried = permitted.query(head.uri.query(), reported)?;
        let waited = self.spend(snapshot, identity.caller, store, entry).await?;

        let size = head::check_headers(&head.headers, verb, has_body, &snapshot.limits)?;
        let mut around = current.bodies.hold();
        around.cover(size + head.headers.len() * FIELD + REQUEST)?;
        let mut hold = current.bodies.hold();
        let patience = snapshot.limits.body_timeout;
        let bytes = if has_body {
            body.read(snapshot.limits.body_of(verb), patience, &mut hold)
                .await?
        } else {
            body.expect_none(announced, patience).await?
        };
        entry.step(Step::Body);
        // Whoever waited for its turn has waited for its answer.
        let received = now();
        let deadline = current.upstream.deadline(received, waited);

        let mut items = Vec::new();
        let decision = queried.body(&snapshot.rules, bytes, &mut items, &mut entry.reported);
        let changes = decision
            .as_ref()
            .ok()
            .filter(|_| self.shared.owners.memory(snapshot).is_some())
            .map(|judged| Changes::of(judged.operation(), &items));
        // What was not read to its end has no number of items.
        let is_known = decision.is_ok() || !items.is_empty();
        let (is_batch, count) = (verb.is_batch(), items.len());
        entry.items(is_known.then_some(items));
        let judged = decision?;
        if let Some(spending) = entry.spending.as_ref().filter(|_| is_batch) {
            spending.count_items(count).await?;
        }

        entry.reserve()?;
        let is_judged_further = snapshot.ownership.is_some() && identity.caller.grants.is_limited();
        let preferences = Preferences::of(&head.headers);
        let forward = Forward {
            current,
            preferences: if is_judged_further {
                preferences.unencoded()
            } else {
                preferences
            },
            changes,
            deadline,
            room: Cell::default(),
        };
        Ok((judged, forward, [around, hold]))
    }

    /// Takes what the request spends of its caller's limits and its store's quota, where there are any.
    /// Gives the time for which it waited.
    async fn spend(
        &self,
        snapshot: &Snapshot,
        caller: &Arc<Caller>,
        store: StoreHash,
        entry: &mut Entry,
    ) -> Result<Duration, Denial> {
        let book = snapshot.book.as_ref();
        let Some(seat) = book.and_then(|book| book.seat(caller.number, &store)) else {
            return Ok(Duration::ZERO);
        };
        let around = (&self.live, &self.common.clock, &self.shared.lines);
        let spending = Spending::new(seat, caller, store, around);
        let spending = Rc::new(spending);
        entry.spending = Some(Rc::clone(&spending));
        let began = now();
        spending.begin(&self.shared.turns).await?;
        entry.step(Step::Quota);
        Ok(now() - began)
    }
}

/// Whether a refused request leaves its HTTP/1 connection fit for another; if not, the client must be
/// told so, since hyper closes where a body was left. A client that waits for 100 (Continue) is not
/// told to go on.
async fn is_fit_for_another(head: &Parts, body: &mut RequestBody, denial: &Denial) -> bool {
    if body.has_ended() || head.version >= Version::HTTP_2 {
        return true;
    }
    !matches!(denial, Denial::BodyTimeout)
        && !head.headers.contains_key(EXPECT)
        && body.settle().await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the deadline counts from a request's last byte, and what it waited for its turn"
)]
fn now() -> Instant {
    Instant::now()
}
