//! What one gateway holds of a store's quota that several share, and how it goes on alone.

use super::super::number::{Epoch, Tagged, millis};
use super::super::window::{View, narrow};
use super::question::{Answer, Question, Report};
use super::waiting::Waiting;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64};
use std::time::Duration;

/// For which part of a window a lease should last.
const LASTS: u64 = 8;

/// An eighth of the budget at most is held in advance by all gateways.
const ALL_PARTS: u32 = 8;

/// Below so many requests for each gateway nothing is held in advance.
const SCARCE: u64 = 4;

/// How old an answer may be, in milliseconds, that says that nothing is to be had.
const FRESH: u64 = 250;

/// By how much the two clocks may have drifted apart from one answer to the next, in milliseconds.
const DRIFT: i64 = 1;

const THOUSAND: u64 = 1_000;

/// Whether so little is left for all that nothing is held in advance.
fn is_scarce(rest: u64, replicas: u32) -> bool {
    replicas > 1 && rest < SCARCE * u64::from(replicas)
}

/// What a gateway holds of a store's quota.
#[derive(Debug)]
pub(in super::super) struct Lease {
    /// Whether the shared server answers.
    is_joined: AtomicBool,
    /// The window's number as the server counts; unknown in a window that this gateway began itself.
    number: Tagged,
    /// What may be spent in the window.
    held: Tagged,
    /// What all callers may still spend, and what is left for everyone, each with what was spent here when
    /// that was told.
    rest: Tagged,
    left: Tagged,
    /// What other apps have spent at least.
    others: Tagged,
    /// What other gateways hold and have not spent.
    elsewhere: AtomicU32,
    /// What all gateways have spent.
    used: Tagged,
    replicas: AtomicU32,
    /// How many requests should be held in advance.
    size: AtomicU32,
    sequence: AtomicU64,
    /// How often the server has answered, and how often not.
    answers: AtomicU64,
    silences: AtomicU64,
    /// When the last answer came, and what was spent then.
    answered: Tagged,
    spent_then: Tagged,
    /// The server's clock is this far ahead at least, and at most; nothing is known while they are the wrong
    /// way round.
    ahead: (AtomicI64, AtomicI64),
    /// What may be spent in the window without the server, and the thousandths of a request that were over.
    alone: Tagged,
    over: AtomicU32,
}

/// How the sharing of a store's quota stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseState {
    /// Whether the shared server answers; if not, the gateway goes on with its own part.
    pub is_joined: bool,
    /// How many gateways share the quota, as far as is known.
    pub replicas: u32,
    /// How often the server has answered.
    pub answered: u64,
    /// How often it has not.
    pub unanswered: u64,
}

impl Lease {
    /// What one gateway holds; as long as the server has not told, so many share.
    pub(in super::super) fn new(replicas: u32) -> Self {
        Self {
            is_joined: AtomicBool::new(true),
            number: Tagged::default(),
            held: Tagged::default(),
            rest: Tagged::default(),
            left: Tagged::default(),
            others: Tagged::default(),
            elsewhere: AtomicU32::new(0),
            used: Tagged::default(),
            replicas: AtomicU32::new(replicas.max(1)),
            size: AtomicU32::new(1),
            sequence: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            silences: AtomicU64::new(0),
            answered: Tagged::default(),
            spent_then: Tagged::default(),
            ahead: (AtomicI64::new(i64::MAX), AtomicI64::new(i64::MIN)),
            alone: Tagged::default(),
            over: AtomicU32::new(0),
        }
    }

    pub(in super::super) fn state(&self) -> LeaseState {
        LeaseState {
            is_joined: self.is_joined(),
            replicas: self.replicas.load(SeqCst),
            answered: self.answers.load(SeqCst),
            unanswered: self.silences.load(SeqCst),
        }
    }

    pub(in super::super) fn is_joined(&self) -> bool {
        self.is_joined.load(SeqCst)
    }

    /// Whether nothing can be said of this window before the server is asked.
    pub(in super::super) fn is_unasked(&self, epoch: Epoch) -> bool {
        self.is_joined() && self.number.of(epoch).is_none()
    }

    /// The window's number as the server counts; 0 where it is not known.
    pub(in super::super) fn number(&self, epoch: Epoch) -> u64 {
        self.number.of(epoch).unwrap_or(0)
    }

    /// What may be spent of this window in all, of a whole budget of `most`.
    pub(in super::super) fn held(&self, epoch: Epoch, most: u32) -> u64 {
        if self.is_joined() {
            return self.held.of(epoch).unwrap_or(0).min(most.into());
        }
        self.alone
            .of(epoch)
            .unwrap_or_else(|| self.take_part(epoch, most))
    }

    /// Among how many gateways it must be divided what answers say is left: nobody else does it.
    pub(in super::super) fn divisor(&self) -> u64 {
        if self.is_joined() {
            1
        } else {
            self.replicas.load(SeqCst).into()
        }
    }

    /// This gateway's part of a new window, in thousandths of a request.
    fn part_of(&self, most: u32) -> u64 {
        let replicas = u64::from(self.replicas.load(SeqCst));
        u64::from(most) * THOUSAND / replicas + u64::from(self.over.load(SeqCst))
    }

    /// This gateway's part of a window that begins. What is over of a request counts in the next one.
    fn take_part(&self, epoch: Epoch, most: u32) -> u64 {
        let part = self.part_of(most);
        let whole = part / THOUSAND;
        // Whoever comes first decides.
        let is_first = self.alone.change(epoch, |known| match known {
            None => Some(whole),
            Some(_) => None,
        });
        if is_first.is_some() {
            self.over.store(narrow(part % THOUSAND), SeqCst);
        }
        self.alone.of(epoch).unwrap_or(0)
    }

    /// The window as the callers of all gateways together have it.
    pub(in super::super) fn adjust(&self, view: &mut View, spent: u64, most: u32) {
        if !self.is_joined() {
            // Whoever only looks begins no window.
            let own = self.alone.of(view.epoch);
            let own = own.unwrap_or_else(|| self.part_of(most) / THOUSAND);
            // Rounded down, or two would meet at the last one. The first request of a window is told of nothing yet.
            let divisor = if view.is_told { self.divisor() } else { 1 };
            let left = u64::from(view.left) / divisor;
            view.available = narrow(own.saturating_sub(spent).min(left));
            // No more is left than the server last knew of this window.
            if let Some(known) = self.left.of(view.epoch) {
                view.left = view.left.min(narrow(known.saturating_sub(spent)));
            }
            // What the others spend now cannot be told from what other apps do.
            view.others = 0;
            return;
        }
        let (Some(rest), Some(left)) = (self.rest.of(view.epoch), self.left.of(view.epoch)) else {
            // Nobody spends of it before the server is asked.
            return;
        };
        let now = |then: u64| narrow(then.saturating_sub(spent));
        view.available = now(rest).min(view.left);
        view.left = now(left).min(view.left).max(view.available);
        view.others = self.others.of(view.epoch).map_or(0, narrow);
    }

    /// Whether what is held will be gone soon, and there is more.
    pub(in super::super) fn runs_low(&self, epoch: Epoch, spent: u64) -> bool {
        let free = self.held.of(epoch).unwrap_or(0).saturating_sub(spent);
        let rest = self.rest.of(epoch).unwrap_or(0).saturating_sub(spent);
        let size = u64::from(self.size.load(SeqCst));
        let replicas = self.replicas.load(SeqCst);
        self.is_joined() && 4 * free <= size && rest > free && !is_scarce(rest, replicas)
    }

    /// Whether anything is held that others may miss.
    pub(in super::super) fn holds(&self, epoch: Epoch, spent: u64) -> bool {
        self.held.of(epoch).is_some_and(|held| held > spent) && self.replicas.load(SeqCst) > 1
    }

    /// When a question may get what the last answer did not give, in milliseconds from now; `None` if none may.
    pub(in super::super) fn is_worth_asking(
        &self,
        epoch: Epoch,
        spent: u64,
        now: u64,
    ) -> Option<u64> {
        if !self.is_joined() {
            return None;
        }
        let rest = self.rest.of(epoch).unwrap_or(0);
        let elsewhere = u64::from(self.elsewhere.load(SeqCst));
        if rest.saturating_sub(elsewhere) > spent {
            return Some(0);
        }
        // What other gateways hold is not to be had at once.
        let age = self.answered.of(epoch).map(|then| now.saturating_sub(then));
        let is_elsewhere = rest > spent && elsewhere > 0;
        is_elsewhere.then(|| age.map_or(0, |age| FRESH.saturating_sub(age)))
    }

    /// How many requests should be held beyond those that are spent. `waiting`: how many of them are waited for.
    fn wanted(&self, report: &Report, waiting: u32, most: u32, now: u64) -> u32 {
        let spent = u64::from(report.spent);
        let before = self.size.load(SeqCst);
        let since = self.answered.of(report.epoch);
        let used = spent.saturating_sub(self.spent_then.of(report.epoch).unwrap_or(0));
        let replicas = self.replicas.load(SeqCst);
        let parts = super::PARTS.max(replicas.saturating_mul(ALL_PARTS));
        let largest = (most / parts).max(1);
        let size = since.map_or(before, |since| {
            let passed = now.saturating_sub(since).max(1);
            let lasting = (used * report.length / LASTS).div_ceil(passed);
            narrow(lasting).max(before / 2).min(largest)
        });
        // Nobody misses what the only one holds.
        let is_only = replicas == 1;
        let size = if is_only { largest } else { size };
        self.size.store(size, SeqCst);
        let remaining = report.end.saturating_sub(now);
        let is_ending = remaining < report.length / 4;
        // What is left for one caller shall not lie where another comes.
        let is_scarce = self
            .rest
            .of(report.epoch)
            .is_some_and(|rest| is_scarce(rest.saturating_sub(spent), replicas));
        // One that comes now and then finds one request ready, while there is enough for everyone.
        let idle = u32::from(used > 0 || (spent > 0 && !is_ending));
        let size = if is_scarce || (is_ending && used == 0) {
            0
        } else {
            size.max(idle)
        };
        // What is asked for ahead comes on top of what is not yet gone.
        let free = narrow(
            self.held
                .of(report.epoch)
                .unwrap_or(0)
                .saturating_sub(spent),
        );
        let ahead = if free <= size / 4 { free } else { 0 };
        size.max(waiting).saturating_add(ahead)
    }

    /// What all gateways have spent, as far as is known.
    fn used_by_all(&self, report: &Report) -> u32 {
        let then = self.spent_then.of(report.epoch).unwrap_or(0);
        let since = u64::from(report.spent).saturating_sub(then);
        let used = self.used.of(report.epoch).unwrap_or(then);
        narrow(used + since)
    }

    /// Asks for what should be held, and gives up what is held beyond that.
    pub(in super::super) fn ask(
        &self,
        report: Report,
        spent: impl Fn() -> u64,
        (expected, most): ((u32, u64, u32), u32),
        (replica, waiting): (&Arc<str>, Waiting),
        now: Duration,
    ) -> Question {
        let (now, at) = (millis(now), now);
        let epoch = report.epoch;
        let waiting = waiting.of(epoch);
        let wanted = self.wanted(&report, waiting.count(), most, now);
        let held = if self.is_joined() {
            let most = u64::from(report.spent.saturating_add(wanted));
            let lower = self.held.change(epoch, |held| Some(held?.min(most)));
            // What was spent meanwhile was held.
            let held = lower.map_or(0, |lower| lower.max(spent()));
            self.held.change(epoch, |_| Some(held));
            narrow(held)
        } else {
            report.spent
        };
        let ahead = (self.ahead.0.load(SeqCst), self.ahead.1.load(SeqCst));
        let there = |time: u64, ahead: i64| time.saturating_add_signed(ahead);
        let is_known = ahead.0 <= ahead.1 && report.end > now;
        let times = is_known.then(|| (there(report.soonest, ahead.0), there(report.end, ahead.1)));
        let sequence = self.sequence(at);
        Question {
            report,
            number: self.number(epoch),
            replica: Arc::clone(replica),
            sequence,
            expected,
            times,
            held,
            wanted,
            waiting,
            used: self.used_by_all(&report),
            was_alone: !self.is_joined(),
            callers: Vec::new(),
            sent: now,
        }
    }

    /// The next question's number: later than any of this process, also of one that knew nothing of this.
    fn sequence(&self, now: Duration) -> u64 {
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX / 2);
        let mut next = now;
        let before = self.sequence.fetch_update(SeqCst, SeqCst, |before| {
            next = now.max(before + 1);
            Some(next)
        });
        debug_assert!(before.is_ok());
        next
    }

    /// By how much the server's clock is ahead at least and at most, as its answers show.
    pub(in super::super) fn read_clock(&self, server: u64, sent: u64, received: u64) -> (i64, i64) {
        let of = |here: u64| {
            i64::try_from(server)
                .unwrap_or(i64::MAX)
                .saturating_sub_unsigned(here)
        };
        let (low, high) = (of(received).saturating_sub(1), of(sent).saturating_add(1));
        let known = (
            self.ahead.0.load(SeqCst).saturating_sub(DRIFT),
            self.ahead.1.load(SeqCst).saturating_add(DRIFT),
        );
        let both = (low.max(known.0), high.min(known.1));
        // A clock that was set is believed anew.
        let next = if known.0 <= known.1 && both.0 <= both.1 {
            both
        } else {
            (low, high)
        };
        self.ahead.0.store(next.0, SeqCst);
        self.ahead.1.store(next.1, SeqCst);
        next
    }

    /// The server has answered of the window that is this one here.
    pub(in super::super) fn take_over(&self, epoch: Epoch, answer: &Answer, asked: u32, now: u64) {
        let put = |number: &Tagged, value: u64| {
            number.change(epoch, |_| Some(value));
        };
        put(&self.number, answer.number);
        put(&self.held, answer.held.into());
        put(&self.rest, u64::from(answer.rest) + u64::from(asked));
        put(&self.left, u64::from(answer.left) + u64::from(asked));
        put(&self.others, answer.others.into());
        put(&self.used, answer.used.into());
        put(&self.spent_then, asked.into());
        put(&self.answered, now);
        self.elsewhere.store(answer.elsewhere, SeqCst);
        self.replicas.store(answer.replicas.max(1), SeqCst);
        self.over.store(0, SeqCst);
    }

    /// A question has no answer.
    pub(in super::super) fn count_silence(&self) {
        self.silences.fetch_add(1, SeqCst);
    }

    /// The server answers. Gives whether it did not before.
    pub(in super::super) fn join(&self) -> bool {
        self.answers.fetch_add(1, SeqCst);
        !self.is_joined.swap(true, SeqCst)
    }

    /// The server does not answer: of this window of some `length` only what is held counts, and a part of what was
    /// left for all, the less the longer ago that was; of the next ones a part of the whole. Gives whether it
    /// answered before.
    pub(in super::super) fn part(&self, epoch: Epoch, spent: u64, length: u64, now: u64) -> bool {
        if !self.is_joined() {
            return false;
        }
        if let (Some(held), Some(rest)) = (self.held.of(epoch), self.rest.of(epoch)) {
            let free = held.saturating_sub(spent);
            let rest = rest.saturating_sub(spent).saturating_sub(free);
            let age = now.saturating_sub(self.answered.of(epoch).unwrap_or(0));
            let fresh = length.saturating_sub(age);
            let part = rest / u64::from(self.replicas.load(SeqCst));
            let own = held + part * fresh / length.max(1);
            self.alone.change(epoch, |_| Some(own));
        }
        self.is_joined.swap(false, SeqCst)
    }
}
