//! Watches over one worker's connections. Each connection notes what it is doing; one coarse sweep
//! compares that with the limits and orders slow ones closed. There is no timer per connection or
//! request, and a limit is never enforced early.

use crate::config::Limits;
use crate::observe::{BareClose, WorkerMetrics};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often connections are looked at, and so how late a limit may be enforced.
pub(super) const SWEEP: Duration = Duration::from_millis(250);

/// How long a closed connection is kept to let its client read the last answer.
const LINGER: Duration = Duration::from_secs(2);

/// How long an idle connection must have been quiet before a draining gateway closes it: a request
/// that the client has just sent is served first.
const QUIET: Duration = Duration::from_secs(1);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// TLS handshake.
    Handshake,
    /// Open, but nothing has been read yet.
    Silent,
    /// A head has begun.
    Head,
    /// Requests are being answered.
    Busy,
    /// Between requests.
    Idle,
    /// Closed by the gateway, waiting for the client's end.
    Linger,
}

/// What a connection is ordered to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on.
    None,
    /// Finish what has begun, then close.
    Finish,
    /// Close now; the reason is counted where there is one.
    Abort(Option<BareClose>),
}

/// One connection's notes.
#[derive(Debug)]
pub(super) struct Notes {
    clock: Rc<Cell<Instant>>,
    phase: Cell<Phase>,
    since: Cell<Instant>,
    in_flight: Cell<usize>,
    /// Since when the client takes no bytes.
    blocked: Cell<Option<Instant>>,
    /// On a connection that carries many at once, the answers whose body has begun.
    answers: RefCell<Vec<Rc<Taking>>>,
    multiplexed: Cell<bool>,
    finishing: Cell<Option<Instant>>,
    order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
    metrics: Arc<WorkerMetrics>,
}

impl Notes {
    fn new(clock: &Rc<Cell<Instant>>, phase: Phase, metrics: &Arc<WorkerMetrics>) -> Self {
        Self {
            clock: Rc::clone(clock),
            phase: Cell::new(phase),
            since: Cell::new(clock.get()),
            in_flight: Cell::default(),
            blocked: Cell::default(),
            answers: RefCell::default(),
            multiplexed: Cell::default(),
            finishing: Cell::default(),
            order: Cell::new(Order::None),
            waker: RefCell::default(),
            metrics: Arc::clone(metrics),
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(self.clock.get());
    }

    /// The connection carries many requests at once (HTTP/2).
    pub(super) fn multiplexes(&self) {
        self.multiplexed.set(true);
        self.enter(Phase::Idle);
    }

    /// Bytes came in.
    pub(super) fn has_read(&self) {
        match self.phase.get() {
            Phase::Idle if !self.multiplexed.get() => self.enter(Phase::Head),
            // The head's time runs from the connection's beginning.
            Phase::Silent => self.phase.set(Phase::Head),
            _ => {}
        }
    }

    /// The client takes bytes, or does not.
    pub(super) fn writes(&self, blocked: bool) {
        match (blocked, self.blocked.get()) {
            (true, None) => self.blocked.set(Some(self.clock.get())),
            (false, Some(_)) => self.blocked.set(None),
            _ => {}
        }
    }

    /// The order, and who is to be woken when it changes.
    pub(super) fn order(&self, cx: &Context<'_>) -> Order {
        let mut waker = self.waker.borrow_mut();
        if waker
            .as_ref()
            .is_none_or(|known| !known.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
        self.order.get()
    }

    fn command(&self, order: Order) {
        self.order.set(order);
        if order == Order::Finish {
            self.finishing.set(Some(self.clock.get()));
        }
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Whether the client has left an answer lying since a moment that is `over`. A client that gives one
    /// stream no window takes bytes of the others, so that the connection itself is not blocked.
    fn leaves_an_answer(&self, over: impl Fn(Instant) -> bool) -> bool {
        let mut answers = self.answers.borrow_mut();
        // The other owner is the answer itself.
        answers.retain(|taking| Rc::strong_count(taking) > 1);
        answers
            .iter()
            .any(|taking| taking.offered.get().is_some_and(&over))
    }

    /// What is to be done now; `drained_since` is when the drain began.
    fn judge(&self, limits: &Limits, drained_since: Option<Instant>) -> Order {
        // The notes' times may be a sweep older than what they note.
        let now = self.clock.get();
        let over = |since: Instant, limit: Duration| now.duration_since(since) >= limit + SWEEP;
        let since = self.since.get();
        if self
            .blocked
            .get()
            .is_some_and(|blocked| over(blocked, limits.write_timeout))
            || self.leaves_an_answer(|begun| over(begun, limits.write_timeout))
        {
            return Order::Abort(Some(BareClose::WriteTimeout));
        }
        if self.in_flight.get() == 0
            && self
                .finishing
                .get()
                .is_some_and(|finishing| over(finishing, LINGER))
        {
            return Order::Abort(None);
        }
        match self.phase.get() {
            Phase::Handshake if over(since, limits.handshake_timeout) => {
                Order::Abort(Some(BareClose::Handshake))
            }
            Phase::Silent | Phase::Head if over(since, limits.header_timeout) => {
                Order::Abort(Some(BareClose::HeadTimeout))
            }
            Phase::Linger if over(since, LINGER) => Order::Abort(None),
            Phase::Silent if drained_since.is_some_and(|began| over(began.max(since), QUIET)) => {
                Order::Abort(None)
            }
            Phase::Idle if over(since, limits.idle_timeout) => Order::Finish,
            Phase::Idle | Phase::Busy if drained_since.is_some() && self.multiplexed.get() => {
                Order::Finish
            }
            Phase::Idle if drained_since.is_some_and(|began| over(began.max(since), QUIET)) => {
                Order::Finish
            }
            _ => Order::None,
        }
    }
}

/// How an answer's body is being taken.
#[derive(Debug)]
struct Taking {
    /// Since when it has been the client's turn to take what there is.
    offered: Cell<Option<Instant>>,
}

/// A request in flight on a connection.
#[derive(Debug)]
pub(super) struct Busy {
    notes: Rc<Notes>,
    taking: Option<Rc<Taking>>,
}

impl Busy {
    pub(super) fn on(notes: &Rc<Notes>) -> Self {
        notes.in_flight.set(notes.in_flight.get() + 1);
        notes.enter(Phase::Busy);
        Self {
            notes: Rc::clone(notes),
            taking: None,
        }
    }

    /// The answer's head goes out, and its body is the client's to take.
    pub(super) fn answers(&mut self) {
        if self.is_multiplexed() {
            let taking = Rc::new(Taking {
                offered: Cell::new(Some(self.notes.clock.get())),
            });
            self.notes.answers.borrow_mut().push(Rc::clone(&taking));
            self.taking = Some(taking);
        }
    }

    /// The client took what there was; tells whether there is more at once, or the upstream's turn.
    pub(super) fn was_taken(&self, more: bool) {
        if let Some(taking) = &self.taking {
            taking.offered.set(more.then(|| self.notes.clock.get()));
        }
    }

    /// Whether the connection carries many requests at once.
    pub(super) fn is_multiplexed(&self) -> bool {
        self.notes.multiplexed.get()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.notes.metrics.bare_close(BareClose::Panic);
        }
        let left = self.notes.in_flight.get().saturating_sub(1);
        self.notes.in_flight.set(left);
        if left == 0 && self.notes.phase.get() == Phase::Busy {
            self.notes.enter(Phase::Idle);
        }
    }
}

/// All connections of one worker.
#[derive(Debug)]
pub(super) struct Connections {
    clock: Rc<Cell<Instant>>,
    open: RefCell<Vec<Rc<Notes>>>,
    metrics: Arc<WorkerMetrics>,
    drained_since: Cell<Option<Instant>>,
    emptied: Notify,
}

/// A connection's place among the others, given up when dropped.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) notes: Rc<Notes>,
    connections: Rc<Connections>,
}

impl Connections {
    pub(super) fn new(metrics: Arc<WorkerMetrics>) -> Rc<Self> {
        Rc::new(Self {
            clock: Rc::new(Cell::new(now())),
            open: RefCell::default(),
            metrics,
            drained_since: Cell::default(),
            emptied: Notify::new(),
        })
    }

    /// Takes a new connection into care.
    pub(super) fn watch(self: &Rc<Self>, phase: Phase) -> Watched {
        let notes = Rc::new(Notes::new(&self.clock, phase, &self.metrics));
        self.open.borrow_mut().push(Rc::clone(&notes));
        self.metrics.accepted();
        Watched {
            notes,
            connections: Rc::clone(self),
        }
    }

    /// Looks at every connection once.
    pub(super) fn sweep(&self, limits: &Limits) {
        self.clock.set(now());
        for notes in self.open.borrow().iter() {
            let order = notes.judge(limits, self.drained_since.get());
            let repeated = order == Order::Finish && notes.finishing.get().is_some();
            if order != Order::None && !repeated {
                notes.command(order);
            }
        }
    }

    /// Idle connections are closed after a quiet moment from now on.
    pub(super) fn drain(&self) {
        self.clock.set(now());
        self.drained_since.set(Some(self.clock.get()));
    }

    /// Waits until no connection is open.
    pub(super) async fn emptied(&self) {
        while !self.open.borrow().is_empty() {
            self.emptied.notified().await;
        }
    }

    /// Closes every connection now; gives the number of those with a request in flight.
    pub(super) fn abort(&self) -> usize {
        let open = self.open.borrow();
        for notes in open.iter() {
            notes.command(Order::Abort(Some(BareClose::Drained)));
        }
        open.iter()
            .filter(|notes| notes.in_flight.get() > 0)
            .count()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let connections = &self.connections;
        connections.metrics.closed();
        let mut open = connections.open.borrow_mut();
        if let Some(place) = open.iter().position(|notes| Rc::ptr_eq(notes, &self.notes)) {
            open.swap_remove(place);
        }
        if open.is_empty() {
            connections.emptied.notify_one();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the connections' limits"
)]
fn now() -> Instant {
    Instant::now()
}
