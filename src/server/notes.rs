//! What one connection notes of itself, and what follows from it under the limits. There is no clock
//! here but the one that the sweep sets.

use crate::config::Limits;
use crate::gateway::Connection;
use crate::observe::{BareClose, WorkerMetrics};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// How often connections are looked at, and so how late a limit may be enforced.
pub(super) const SWEEP: Duration = Duration::from_millis(250);

/// How long a closed connection is kept to let its client read the last answer.
const LINGER: Duration = Duration::from_secs(2);

/// How long an idle connection must have been quiet before a draining gateway closes it: a request
/// that the client has just sent is served first.
const QUIET: Duration = Duration::from_secs(1);

/// How long an idle connection must have been quiet, but for a sweep, before it gives its buffers back: one
/// whose client asks on keeps them.
const REST: Duration = Duration::from_millis(250);

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
    /// The last answer has been made, and is on its way to the client.
    Sending,
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
    /// Give the buffers back until there is something to read.
    Park,
    /// Finish what has begun, then close.
    Finish,
    /// Close now; the reason is counted where there is one.
    Abort(Option<BareClose>),
}

/// What stands behind the bytes that were read, where one request comes at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Behind {
    /// The client's end, or nobody has looked.
    #[default]
    Unknown,
    /// There was nothing when they were read.
    Nothing,
    /// There is nothing in this turn of the connection's task either, which is woken when something comes.
    NothingNow,
}

/// One connection's notes.
#[derive(Debug)]
pub(super) struct Notes {
    clock: Rc<Cell<Instant>>,
    phase: Cell<Phase>,
    since: Cell<Instant>,
    pub(super) in_flight: Cell<usize>,
    /// Since when the client takes no bytes.
    blocked: Cell<Option<Instant>>,
    /// Since when the last answer is on its way, where a connection carries one at a time.
    answering: Cell<Option<Instant>>,
    /// Where it carries many, those that are on their way.
    answers: RefCell<Vec<Rc<Taking>>>,
    multiplexed: Cell<bool>,
    /// While an answer is being sent: the next head has begun.
    read_ahead: Cell<bool>,
    finishing: Cell<Option<Instant>>,
    /// Since it is idle, the connection was told to give its buffers back.
    parked: Cell<bool>,
    /// The client was told that the connection closes.
    closing: Cell<bool>,
    /// What stands behind the bytes that were read.
    behind: Cell<Behind>,
    /// The request waits for its body, and so the connection is read.
    awaits_body: Cell<bool>,
    /// A request has come.
    asked: Cell<bool>,
    /// Another has come after the first.
    steady: Cell<bool>,
    order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
    metrics: Arc<WorkerMetrics>,
}

impl Notes {
    pub(super) fn new(
        clock: &Rc<Cell<Instant>>,
        phase: Phase,
        metrics: &Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            clock: Rc::clone(clock),
            phase: Cell::new(phase),
            since: Cell::new(clock.get()),
            in_flight: Cell::default(),
            blocked: Cell::default(),
            answering: Cell::default(),
            answers: RefCell::default(),
            multiplexed: Cell::default(),
            read_ahead: Cell::default(),
            finishing: Cell::default(),
            parked: Cell::default(),
            closing: Cell::default(),
            behind: Cell::default(),
            awaits_body: Cell::default(),
            asked: Cell::default(),
            steady: Cell::default(),
            order: Cell::new(Order::None),
            waker: RefCell::default(),
            metrics: Arc::clone(metrics),
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.parked.set(false);
        self.since.set(self.clock.get());
    }

    /// The connection carries many requests at once (HTTP/2).
    pub(super) fn multiplexes(&self) {
        self.multiplexed.set(true);
        self.enter(Phase::Idle);
    }

    pub(super) fn is_multiplexed(&self) -> bool {
        self.multiplexed.get()
    }

    /// Bytes came in.
    pub(super) fn has_read(&self) {
        match self.phase.get() {
            Phase::Idle if !self.multiplexed.get() => self.enter(Phase::Head),
            // The head's time runs from the connection's beginning.
            Phase::Silent => self.phase.set(Phase::Head),
            Phase::Sending => self.read_ahead.set(true),
            _ => {}
        }
    }

    /// All that was to be written has been.
    pub(super) fn has_flushed(&self) {
        if self.phase.get() == Phase::Sending {
            self.answering.set(None);
            let next = self.read_ahead.take();
            self.enter(if next { Phase::Head } else { Phase::Idle });
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

    pub(super) fn command(&self, order: Order) {
        if matches!(self.order.get(), Order::Abort(_)) {
            return;
        }
        self.order.set(order);
        match order {
            Order::Finish => self.finishing.set(Some(self.clock.get())),
            Order::Park => self.parked.set(true),
            Order::None | Order::Abort(_) => {}
        }
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Whether there is an order to give the buffers back, which holds only for a connection that is still idle.
    pub(super) fn parks(&self) -> bool {
        if self.order.get() != Order::Park {
            return false;
        }
        let is_idle = self.is_idle();
        if !is_idle {
            self.order.set(Order::None);
        }
        is_idle
    }

    /// Counts the connection as one without buffers, which needs no order to give them back.
    pub(super) fn rests(&self) -> Parked<'_> {
        if self.order.get() == Order::Park {
            self.order.set(Order::None);
        }
        self.parked.set(true);
        self.metrics.parked();
        Parked(self)
    }

    /// Whether the client has asked more than once, and so may be about to ask again.
    pub(super) fn is_steady(&self) -> bool {
        self.steady.get()
    }

    /// No request is served any more: the client was told so.
    pub(super) fn closes(&self) {
        self.closing.set(true);
    }

    /// Whether nothing is read, answered or sent, one request at a time ever is, and there may be another.
    pub(super) fn is_idle(&self) -> bool {
        let is_quiet = self.in_flight.get() == 0 && self.blocked.get().is_none();
        let is_lasting = !self.multiplexed.get() && !self.closing.get();
        self.phase.get() == Phase::Idle && is_quiet && is_lasting
    }

    /// Whether a request that came alone is being answered and waits for something else than its body: nobody reads
    /// the connection then.
    pub(super) fn is_unread(&self) -> bool {
        let is_answering = matches!(self.phase.get(), Phase::Busy | Phase::Sending);
        is_answering && !self.awaits_body.get() && !self.multiplexed.get()
    }

    /// What stands behind the bytes that were read, from now on.
    pub(super) fn sees(&self, behind: Behind) {
        self.behind.set(behind);
    }

    /// Whether somebody has looked in this turn of the connection's task, so that nobody need look again.
    pub(super) fn has_looked(&self) -> bool {
        self.behind.get() == Behind::NothingNow
    }

    /// The connection's task has another turn, perhaps because something has come.
    pub(super) fn turns(&self) {
        if self.has_looked() {
            self.sees(Behind::Nothing);
        }
    }

    /// Gives the order that is due, unless it was given before.
    pub(super) fn look(&self, limits: &Limits, drained_since: Option<Instant>) -> Order {
        let order = self.judge(limits, drained_since);
        let repeated = order == Order::Finish && self.finishing.get().is_some();
        if order == Order::None || repeated {
            return Order::None;
        }
        self.command(order);
        order
    }

    /// Why the client's way of taking an answer is to be put up with no longer. A client that gives one
    /// stream no window takes bytes of the others, so that the connection itself is not blocked.
    fn takes_too_long(
        &self,
        over: impl Fn(Instant, Duration) -> bool,
        limits: &Limits,
    ) -> Option<BareClose> {
        let mut answers = self.answers.borrow_mut();
        // The other owners are the answer and its pieces.
        answers.retain(|taking| Rc::strong_count(taking) > 1);
        let blocked = self.blocked.get();
        let stalled = answers.iter().filter(|taking| taking.is_offered());
        let waiting = stalled.map(|taking| taking.moved.get()).chain(blocked);
        if waiting
            .min()
            .is_some_and(|since| over(since, limits.write_timeout))
        {
            return Some(BareClose::WriteTimeout);
        }
        let began = answers.iter().map(|taking| taking.began);
        let began = began.chain(self.answering.get()).min();
        began
            .is_some_and(|began| over(began, limits.answer_timeout))
            .then_some(BareClose::AnswerTimeout)
    }

    /// Whether the client has had time to close a connection that was told to finish.
    fn is_left_over(&self, over: impl Fn(Instant, Duration) -> bool) -> bool {
        let Some(finishing) = self.finishing.get() else {
            return false;
        };
        self.unfinished() == 0 && over(finishing.max(self.since.get()), LINGER)
    }

    /// How many requests have not been answered to the end.
    pub(super) fn unfinished(&self) -> usize {
        let sending = usize::from(self.phase.get() == Phase::Sending);
        let answers = self.answers.borrow();
        let handed_over = answers
            .iter()
            .filter(|taking| taking.is_handed_over.get() && taking.is_offered());
        self.in_flight.get() + sending + handed_over.count()
    }

    /// Whether there are buffers to be given back, and no other order is being followed.
    fn may_park(&self) -> bool {
        self.is_idle() && !self.parked.get() && self.order.get() == Order::None
    }

    /// What is to be done now; `drained_since` is when the drain began.
    fn judge(&self, limits: &Limits, drained_since: Option<Instant>) -> Order {
        // The notes' times may be a sweep older than what they note.
        let now = self.clock.get();
        let over = |since: Instant, limit: Duration| now.duration_since(since) >= limit + SWEEP;
        let since = self.since.get();
        if let Some(reason) = self.takes_too_long(over, limits) {
            return Order::Abort(Some(reason));
        }
        if self.is_left_over(over) {
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
            Phase::Idle if self.may_park() && over(since, REST) => Order::Park,
            _ => Order::None,
        }
    }
}

impl Connection for Notes {
    fn may_have_left(&self) -> bool {
        self.behind.get() == Behind::Unknown && !self.multiplexed.get()
    }

    fn awaits_body(&self, awaits: bool) {
        self.awaits_body.set(awaits);
    }
}

/// A connection that holds no buffers, until dropped.
#[derive(Debug)]
pub(super) struct Parked<'a>(&'a Notes);

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.metrics.awakened();
    }
}

/// How one of many answers is being taken.
#[derive(Debug)]
pub(super) struct Taking {
    clock: Rc<Cell<Instant>>,
    began: Instant,
    /// When the client last took bytes of it, or was first offered some.
    moved: Cell<Instant>,
    /// How many pieces of it wait.
    pieces: Cell<usize>,
    /// Nothing more comes than what waits.
    is_handed_over: Cell<bool>,
}

impl Taking {
    fn new(clock: &Rc<Cell<Instant>>) -> Self {
        Self {
            clock: Rc::clone(clock),
            began: clock.get(),
            moved: Cell::new(clock.get()),
            pieces: Cell::default(),
            is_handed_over: Cell::default(),
        }
    }

    /// A piece is handed over.
    pub(super) fn begin(&self) {
        if !self.is_offered() {
            self.moves();
        }
        self.pieces.set(self.pieces.get() + 1);
    }

    /// Bytes were taken.
    pub(super) fn moves(&self) {
        self.moved.set(self.clock.get());
    }

    /// A piece was taken, or given up.
    pub(super) fn end(&self) {
        self.pieces.set(self.pieces.get().saturating_sub(1));
    }

    /// Whether it is the client's turn.
    fn is_offered(&self) -> bool {
        self.pieces.get() > 0
    }
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
        notes.steady.set(notes.asked.replace(true));
        notes.answering.set(None);
        notes.enter(Phase::Busy);
        Self {
            notes: Rc::clone(notes),
            taking: None,
        }
    }

    /// The answer's head goes out, and its body is the client's to take.
    pub(super) fn answers(&mut self) {
        let clock = &self.notes.clock;
        if self.notes.multiplexed.get() {
            let taking = Rc::new(Taking::new(clock));
            self.notes.answers.borrow_mut().push(Rc::clone(&taking));
            self.taking = Some(taking);
        } else {
            self.notes.answering.set(Some(clock.get()));
        }
    }

    /// How the answer is being taken, where it is one of many.
    pub(super) fn taking(&self) -> Option<&Rc<Taking>> {
        self.taking.as_ref()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.notes.metrics.bare_close(BareClose::Panic);
        }
        if let Some(taking) = &self.taking {
            taking.is_handed_over.set(true);
        }
        let left = self.notes.in_flight.get().saturating_sub(1);
        self.notes.in_flight.set(left);
        if left == 0 && self.notes.phase.get() == Phase::Busy {
            let multiplexed = self.notes.multiplexed.get();
            self.notes.read_ahead.set(false);
            self.notes.enter(if multiplexed {
                Phase::Idle
            } else {
                Phase::Sending
            });
        }
    }
}

#[cfg(test)]
mod tests;
