//! What a request spends of its caller's limits and of its store's quota, from before its body is read to
//! the end of its answer. What may be spent is the floor `quota`'s to say.

use super::lines::Lines;
use super::turns::Turns;
use crate::config::Live;
use crate::denial::Denial;
use crate::identity::Caller;
use crate::observe::Clock;
use crate::policy::vocabulary::StoreHash;
use crate::quota::{Answered, Burden, Reading, Refused, Seat, Slot, Unit, Why, ask_to_wait};
use http::{HeaderMap, StatusCode, response};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long the first of a queue waits before it looks again whether it may go: what others give back
/// comes without a sign.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What it waits in any case, so that the others of its worker have their turn.
const AT_LEAST: Duration = Duration::from_millis(1);

/// When one that finds the queue full may come again.
const FULL: Duration = Duration::from_secs(1);

/// How often a request has the shared server asked before it is refused: one answer grants a fiftieth of the budget,
/// and many may wait for it.
const MOST_QUESTIONS: usize = 4;

/// How long one waits at most for what other gateways hold, and when it may come again if none has given it back.
const ELSEWHERE: Duration = Duration::from_secs(1);

/// How long the shared server may take for its answer in any case.
const AN_ANSWER: Duration = Duration::from_millis(500);

/// What one request spends.
pub(super) struct Spending {
    seat: RefCell<Rc<Seat>>,
    live: Arc<Live>,
    lines: Lines,
    caller: Arc<Caller>,
    store: StoreHash,
    clock: Clock,
    /// Until when it may wait.
    patience: Duration,
    /// Its place among the caller's requests at once.
    slot: RefCell<Option<Slot>>,
    /// What it has taken of the store's quota and not sent yet.
    unit: RefCell<Option<Unit>>,
    has_asked: Cell<bool>,
    /// Set once it may have been sent: from then on it counts as begun.
    has_sent: Cell<bool>,
}

impl Spending {
    pub(super) fn new(
        seat: Seat,
        caller: &Arc<Caller>,
        store: StoreHash,
        (live, clock, lines): (&Arc<Live>, &Clock, &Lines),
    ) -> Self {
        Self {
            patience: clock.steady() + seat.terms().max_wait,
            seat: RefCell::new(Rc::new(seat)),
            live: Arc::clone(live),
            lines: lines.clone(),
            caller: Arc::clone(caller),
            store,
            clock: clock.clone(),
            slot: RefCell::default(),
            unit: RefCell::default(),
            has_asked: Cell::new(false),
            has_sent: Cell::new(false),
        }
    }

    fn seat(&self) -> Rc<Seat> {
        Rc::clone(&self.seat.borrow())
    }

    /// Whoever has waited goes by the configuration that is in force when it goes: what others spend is
    /// counted there.
    fn follow(&self) {
        let snapshot = self.live.snapshot();
        let book = snapshot.book.as_ref();
        let moved =
            book.and_then(|book| self.seat().moved_to(book, &self.caller.name, &self.store));
        if let Some(seat) = moved {
            self.seat.replace(Rc::new(seat));
        }
    }

    /// Begins the request, or refuses it: at once, or where the caller may wait, when it has.
    pub(super) async fn begin(&self, turns: &Turns) -> Result<(), Denial> {
        let may_wait = !self.seat().terms().max_wait.is_zero();
        if !(may_wait && turns.is_waited_for(&self.caller.name, self.store)) {
            match self.enter().await {
                Ok(()) => return Ok(()),
                Err(refused) if !may_wait || !self.is_worth_waiting(&refused) => {
                    return Err(denial_of(&refused));
                }
                Err(_) => {}
            }
        }
        self.wait(turns)
            .await
            .map_err(|refused| denial_of(&refused))
    }

    async fn enter(&self) -> Result<(), Refused> {
        let now = self.clock.steady();
        // First what is the caller's own: what that refuses is no wish for a share of the store's.
        if self.slot.borrow().is_none() {
            self.slot.replace(self.seat().enter(now)?);
        }
        let has_unit = self.unit.borrow().is_some();
        if !has_unit {
            match self.take(!self.has_asked.get()).await {
                Ok(unit) => {
                    self.has_asked.set(true);
                    drop(self.unit.replace(unit));
                }
                Err(refused) => {
                    self.has_asked.set(true);
                    let slot = self.slot.borrow_mut().take_if(|_| !self.has_sent.get());
                    if let Some(slot) = slot {
                        slot.undo();
                    }
                    return Err(refused);
                }
            }
        }
        Ok(())
    }

    /// Takes one request of the store's budget; where that is shared, after the shared server was asked if need
    /// be.
    async fn take(&self, mut is_new: bool) -> Result<Option<Unit>, Refused> {
        let (mut questions, mut deadline) = (0, None);
        loop {
            let now = self.clock.steady();
            let seat = self.seat();
            let refused = match seat.take(is_new, now) {
                Ok(unit) => {
                    if seat.runs_low(now)
                        && let Some(line) = self.lines.of(&self.store)
                    {
                        line.run_low();
                    }
                    return Ok(unit);
                }
                Err(refused) => refused,
            };
            if !matches!(refused.why, Why::Unasked | Why::Unheld) {
                return Err(refused);
            }
            is_new &= refused.why == Why::Unasked;
            let end = *deadline.get_or_insert_with(|| now + self.longest(now));
            let rest = end.saturating_sub(now);
            // The line may have come, or gone, with a configuration that is in force since.
            let line = self.lines.of(&self.store).zip(seat.waiter(now));
            let Some((line, waiter)) = line else {
                break;
            };
            if questions == MOST_QUESTIONS || rest.is_zero() || refused.retry > rest {
                break;
            }
            let has_place = if refused.retry.is_zero() {
                questions += 1;
                line.ask(waiter, rest).await
            } else {
                line.stand(waiter, refused.retry).await
            };
            if !has_place {
                break;
            }
            self.follow();
        }
        Err(Refused {
            why: Why::Share,
            retry: ELSEWHERE,
        })
    }

    /// How long a request may wait for the shared server, and for what other gateways hold: no longer than its
    /// caller waits for a turn, if it does.
    fn longest(&self, now: Duration) -> Duration {
        if self.seat().terms().max_wait.is_zero() {
            return ELSEWHERE;
        }
        let patience = self.patience.saturating_sub(now);
        ELSEWHERE.min(patience.max(AN_ANSWER))
    }

    /// Waits in line for as long as the caller may.
    async fn wait(&self, turns: &Turns) -> Result<(), Refused> {
        let Some(place) = turns.line_up(&self.caller.name, self.store) else {
            return Err(Refused {
                why: Why::Queue,
                retry: FULL,
            });
        };
        let come_first = place.come_first();
        let _first = tokio::select! {
            biased;
            first = come_first => first,
            () = self.until(self.patience) => None,
        };
        loop {
            self.follow();
            let refused = match self.enter().await {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            let now = self.clock.steady();
            if now >= self.patience || !self.is_worth_waiting(&refused) {
                return Err(refused);
            }
            let again = now + refused.retry.clamp(AT_LEAST, LOOK_AGAIN);
            self.until(again.min(self.patience)).await;
        }
    }

    async fn until(&self, moment: Duration) {
        while self.clock.steady() < moment {
            self.clock.until_steady(moment).await;
        }
    }

    /// Whether it can be otherwise before the caller's patience ends. What others hold can be given back at
    /// any moment; the end of a window cannot come earlier.
    fn is_worth_waiting(&self, refused: &Refused) -> bool {
        match refused.why {
            Why::Concurrency | Why::Queue | Why::Share | Why::Unasked | Why::Unheld => true,
            Why::Rate | Why::BatchItems | Why::Store | Why::PlatformLoad | Why::Unavailable => {
                self.clock.steady() + refused.retry <= self.patience
            }
        }
    }

    /// Counts the items of a batch that is about to be sent.
    pub(super) async fn count_items(&self, items: usize) -> Result<(), Denial> {
        let largest = self.seat().terms().largest_batch();
        if let Some(limit) = largest.filter(|limit| items > *limit) {
            return Err(Denial::BatchOverGrant { limit });
        }
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        loop {
            let now = self.clock.steady();
            match self.seat().count_items(items, now) {
                Ok(()) => return Ok(()),
                Err(refused) if self.is_worth_waiting(&refused) => {
                    self.until(now + refused.retry).await;
                }
                Err(refused) => return Err(denial_of(&refused)),
            }
        }
    }

    /// What an attempt to send spends: what was taken when the request began, or for a look-up or a second
    /// try, one more.
    pub(super) async fn attempt(&self) -> Result<Option<Unit>, Denial> {
        let now = self.clock.steady();
        // One of a window that has ended would be nobody's in this one.
        let mut unit = self.unit.take().filter(|unit| unit.is_in_force(now));
        if unit.is_none() {
            self.follow();
            let more = self.take(true).await;
            unit = more.map_err(|refused| denial_of(&refused))?;
        }
        if let Some(unit) = &mut unit {
            unit.sent(self.clock.steady())
                .map_err(|refused| denial_of(&refused))?;
            self.has_sent.set(true);
        }
        Ok(unit)
    }

    /// An attempt was answered.
    pub(super) fn answered(&self, unit: Unit, status: StatusCode, headers: &HeaderMap) {
        let reading = Reading::of(headers);
        let answered = Answered::of(status, headers, reading);
        let chance = match answered {
            Answered::Burdened(..) => chance(),
            Answered::Plainly | Answered::Spent => 0.0,
        };
        unit.answered(reading, answered, chance, self.clock.steady());
    }

    /// Whether a request that BigCommerce refused for its load may be sent again within the caller's patience.
    /// A 429 says that nothing was done; a 503 need not, so that only what reads is sent again.
    pub(super) fn can_try_again(&self, answer: &response::Parts, reads: bool) -> bool {
        let (status, headers) = (answer.status, &answer.headers);
        let was_refused = match Answered::of(status, headers, Reading::of(headers)) {
            Answered::Plainly => false,
            Answered::Burdened(Burden::Unavailable, _) => reads,
            Answered::Spent | Answered::Burdened(Burden::PlatformLoad, _) => true,
        };
        let now = self.clock.steady();
        if !was_refused || now >= self.patience {
            return false;
        }
        match self.seat().take(false, now) {
            // The answer was of a window that has ended: it may go at once.
            Ok(Some(unit)) if status == StatusCode::TOO_MANY_REQUESTS => {
                self.unit.replace(Some(unit));
                true
            }
            // What the caller has spent is no matter of the store's load.
            Ok(_)
            | Err(Refused {
                why: Why::Share | Why::Concurrency | Why::Queue,
                ..
            }) => false,
            Err(refused) => self.is_worth_waiting(&refused),
        }
    }

    /// Waits until the request may be sent again.
    pub(super) async fn wait_again(&self, turns: &Turns) -> Result<(), Denial> {
        if self.unit.borrow().is_some() {
            return Ok(());
        }
        let waited = self.wait(turns).await;
        waited.map_err(|refused| denial_of(&refused))
    }

    /// Shows the caller what it has, in the place of what the store has.
    pub(super) fn stamp(
        &self,
        status: StatusCode,
        headers: &mut HeaderMap,
        denial: Option<&Denial>,
    ) {
        if denial.is_some() {
            // What was not sent is the caller's again.
            self.unit.take();
        }
        let now = self.clock.steady();
        let seat = self.seat();
        let reading = if seat.has_budget() {
            // It knows.
            None
        } else {
            Reading::of(headers).and_then(Result::ok)
        };
        let retry = denial.and_then(Denial::retry);
        let shown = seat.shown(reading, now);
        if let Some(shown) = shown {
            let shown = retry.map_or(shown, |retry| shown.refused(retry));
            shown.stamp(headers);
            if status == StatusCode::TOO_MANY_REQUESTS {
                ask_to_wait(headers, Duration::from_millis(shown.reset));
            }
        }
        if let Some(figures) = seat.figures(now) {
            figures.stamp(headers);
        }
    }
}

fn denial_of(refused: &Refused) -> Denial {
    let retry = refused.retry;
    match refused.why {
        Why::Rate => Denial::RateLimited {
            limit: "rate_limit.requests",
            retry,
        },
        Why::BatchItems => Denial::RateLimited {
            limit: "rate_limit.batch_items",
            retry,
        },
        Why::Concurrency => Denial::RateLimited {
            limit: "concurrency",
            retry,
        },
        Why::Queue => Denial::RateLimited {
            limit: "max_wait",
            retry,
        },
        Why::Share | Why::Unasked | Why::Unheld => Denial::QuotaExhausted {
            what: "the caller's share of the store's quota is spent",
            retry,
        },
        Why::Store => Denial::QuotaExhausted {
            what: "the store's quota is spent",
            retry,
        },
        Why::PlatformLoad => Denial::QuotaExhausted {
            what: "BigCommerce is under load and refuses requests",
            retry,
        },
        Why::Unavailable => Denial::UpstreamOverloaded { retry },
    }
}

/// A number evenly from 0 to 1, for times that are not to be the same everywhere.
fn chance() -> f64 {
    let mut byte = [0];
    if aws_lc_rs::rand::fill(&mut byte).is_err() {
        return 0.0;
    }
    f64::from(byte[0]) / 255.0
}
