//! What one connection notes of itself, and what follows from it under the limits. There is no clock
//! here but the one that the sweep sets.

use super::watch::SWEEP;
use crate::config::Limits;
use crate::observe::{BareClose, WorkerMetrics};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::time::Instant;

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
        if order == Order::Finish {
            self.finishing.set(Some(self.clock.get()));
        }
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
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
            _ => Order::None,
        }
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
mod tests {
    use super::*;
    use crate::config::file;
    use std::path::Path;

    /// One connection, the limits it is under, and a clock that is set by hand.
    struct Watch {
        clock: Rc<Cell<Instant>>,
        notes: Rc<Notes>,
        drained_since: Cell<Option<Instant>>,
        limits: Limits,
    }

    impl Watch {
        fn new() -> Self {
            let text = "[[store]]\nhash = \"a\"\ncredential = { file = \"x\" }\n[[caller]]\n\
                name = \"a\"\ntoken_sha256 = [\"0000000000000000000000000000000000000000000000000000000000000000\"]\n\
                scopes = [\"store_v2_customers\"]\n[listen]\naddress = \"127.0.0.1:0\"\n\
                [upstream]\nurl = \"http://127.0.0.1:1\"\n[limits]\nidle_timeout = \"5s\"\nwrite_timeout = \"30s\"\n";
            let limits = file::read(text, Path::new("")).expect("a file").limits;
            #[expect(clippy::disallowed_methods, reason = "a point to count from")]
            let clock = Rc::new(Cell::new(Instant::now()));
            let notes = Notes::new(&clock, Phase::Silent, &Arc::default());
            Self {
                clock,
                notes: Rc::new(notes),
                drained_since: Cell::default(),
                limits,
            }
        }

        /// The order after so many more seconds.
        fn after(&self, seconds: u64) -> Order {
            let passed = Duration::from_secs(seconds);
            self.clock.set(self.clock.get() + passed);
            self.notes.look(&self.limits, self.drained_since.get())
        }

        fn drain(&self) {
            self.drained_since.set(Some(self.clock.get()));
        }
    }

    #[test]
    fn an_answer_on_its_way_is_not_idleness() {
        let watch = Watch::new();
        let notes = &watch.notes;
        drop(Busy::on(notes));
        // The client takes it, slowly.
        for _ in 0..5 {
            notes.writes(true);
            notes.writes(false);
            assert_eq!(watch.after(20), Order::None);
        }
        notes.has_flushed();
        assert_eq!(watch.after(4), Order::None);
        assert_eq!(watch.after(2), Order::Finish);
    }

    #[test]
    fn a_drain_waits_for_an_answer_on_its_way() {
        let watch = Watch::new();
        let notes = &watch.notes;
        drop(Busy::on(notes));
        assert_eq!(notes.unfinished(), 1);
        watch.drain();
        notes.writes(true);
        assert_eq!(watch.after(20), Order::None);
        notes.writes(false);
        notes.has_flushed();
        assert_eq!(watch.after(2), Order::Finish);
        assert_eq!(watch.after(1), Order::None);
        assert_eq!(watch.after(3), Order::Abort(None));
    }

    #[test]
    fn a_client_that_takes_nothing_is_cut() {
        let watch = Watch::new();
        drop(Busy::on(&watch.notes));
        watch.notes.writes(true);
        assert_eq!(watch.after(29), Order::None);
        let cut = Order::Abort(Some(BareClose::WriteTimeout));
        assert_eq!(watch.after(2), cut);
    }

    #[test]
    fn an_answer_that_takes_too_long_is_cut_although_it_moves() {
        let watch = Watch::new();
        let notes = &watch.notes;
        let mut busy = Busy::on(notes);
        busy.answers();
        drop(busy);
        for _ in 0..5 {
            notes.writes(true);
            notes.writes(false);
            assert_eq!(watch.after(20), Order::None);
        }
        let late = Order::Abort(Some(BareClose::AnswerTimeout));
        assert_eq!(watch.after(21), late);
    }

    #[test]
    fn one_of_many_answers_must_move_while_it_waits() {
        let watch = Watch::new();
        watch.notes.multiplexes();
        let mut busy = Busy::on(&watch.notes);
        busy.answers();
        let taking = Rc::clone(busy.taking().expect("one of many"));
        // The upstream's turn.
        assert_eq!(watch.after(35), Order::None);
        taking.begin();
        assert_eq!(watch.after(20), Order::None);
        taking.moves();
        assert_eq!(watch.after(20), Order::None);
        // The body is handed over, and its last piece waits.
        drop(busy);
        let cut = Order::Abort(Some(BareClose::WriteTimeout));
        assert_eq!(watch.after(11), cut);
    }

    #[test]
    fn one_of_many_answers_has_an_end_in_time() {
        let watch = Watch::new();
        watch.notes.multiplexes();
        let mut busy = Busy::on(&watch.notes);
        busy.answers();
        assert_eq!(watch.after(119), Order::None);
        let late = Order::Abort(Some(BareClose::AnswerTimeout));
        assert_eq!(watch.after(2), late);
    }

    #[test]
    fn the_last_piece_of_one_of_many_answers_is_waited_for() {
        let watch = Watch::new();
        let notes = &watch.notes;
        notes.multiplexes();
        let mut busy = Busy::on(notes);
        busy.answers();
        let taking = Rc::clone(busy.taking().expect("one of many"));
        taking.begin();
        assert_eq!(notes.unfinished(), 1);
        drop(busy);
        assert_eq!(notes.unfinished(), 1);
        watch.drain();
        assert_eq!(watch.after(1), Order::Finish);
        assert_eq!(watch.after(20), Order::None);
        taking.end();
        assert_eq!(notes.unfinished(), 0);
        assert_eq!(watch.after(1), Order::Abort(None));
    }

    #[test]
    fn a_head_that_began_during_an_answer_has_its_own_time() {
        let watch = Watch::new();
        let notes = &watch.notes;
        drop(Busy::on(notes));
        notes.has_read();
        notes.has_flushed();
        assert_eq!(watch.after(9), Order::None);
        let late = Order::Abort(Some(BareClose::HeadTimeout));
        assert_eq!(watch.after(2), late);
    }

    #[test]
    fn an_order_to_abort_is_final() {
        let watch = Watch::new();
        let notes = &watch.notes;
        let cut = Order::Abort(Some(BareClose::Drained));
        notes.command(cut);
        notes.command(Order::Finish);
        assert_eq!(notes.order.get(), cut);
    }
}
