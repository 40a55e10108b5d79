//! A store's window: when it ends, what was spent in it, and what its answers told of it. All workers
//! share one, without a lock, and it outlives a change of the configuration.
//!
//! What is promised: never more than the quota is spent in a window as this process counts, and never more
//! than BigCommerce said is left, less what is on its way to it. Where the two clocks may differ the later
//! end of a window counts, since what is sent too early is refused, and what is sent too late is not lost.
//!
//! An answer tells how long its window lasts *from when it was written*, somewhere between the moments when
//! its request was sent and when it came. So it tells that the end lies within an interval, and the interval
//! tells which window it speaks of, in whatever order answers come.

use super::number::{Epoch, Tagged};
use super::reading::{Ignored, Reading};
use super::shared::{Report, Told};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// By how much of its length an answer's window must end later to be another one, as a divisor: clocks and
/// rounding differ by less.
const OTHER: u64 = 10;

/// How many times as long as expected a window may be told to be: a false one would stop the store for as long.
const LONGEST: u64 = 10;

/// What this process knows of a store's window. Times are in milliseconds.
#[derive(Debug)]
pub(super) struct Window {
    /// The window in force, and its end.
    ends: Tagged,
    /// When it began at the latest.
    opened: Tagged,
    /// When it ends at the soonest, by what answers told.
    soonest: Tagged,
    /// When it began at the soonest: when the one before ended, by what answers told.
    begins: Tagged,
    spent: Tagged,
    /// The least that an answer told is left.
    left: Tagged,
    /// What nobody is thought to need.
    pub(super) pool: Tagged,
    /// Set once an answer that tells nothing has shown when the window ends at the latest.
    is_bounded: Tagged,
    /// Requests that were sent and may be counted without its having been told.
    sent: AtomicU32,
    /// Requests that are about to be sent in this window; one that is not by its end must be taken anew.
    reserved: Tagged,
    quota: AtomicU32,
    length: AtomicU64,
    /// What the configuration expects.
    expected: (AtomicU32, AtomicU64),
    /// Headers that told nothing, by the reason.
    ignored: [AtomicU64; Ignored::ALL.len()],
}

/// What is known elsewhere of a window. Times are in milliseconds of this gateway.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Whether it is the window that was reported.
    pub(super) is_same: bool,
    /// When it ends at the soonest, 0 where that is not known, and at the latest.
    pub(super) soonest: u64,
    pub(super) end: u64,
    pub(super) told: Told,
    pub(super) quota: u32,
    pub(super) length: u64,
}

/// What of a quota is kept for the store's other apps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// So many requests.
    pub(super) free: u32,
    /// Of so many; of a smaller quota, fewer in proportion.
    pub(super) of: u32,
}

impl Kept {
    fn rest_of(self, quota: u32) -> u32 {
        let in_proportion = u64::from(self.free) * u64::from(quota) / u64::from(self.of.max(1));
        quota.saturating_sub(self.free.min(narrow(in_proportion)))
    }
}

/// What a window is like at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub(super) epoch: Epoch,
    /// Whether it is the one that is to come.
    pub(super) has_ended: bool,
    pub(super) length: u64,
    /// Until its end.
    pub(super) reset: u64,
    /// What BigCommerce grants everyone together.
    pub(super) quota: u32,
    /// What is left of the quota by what is known.
    pub(super) left: u32,
    /// What may be spent now.
    pub(super) available: u32,
    /// Whether an answer has told of it.
    pub(super) is_told: bool,
    /// What others have spent in it at least, as far as is known.
    pub(super) others: u32,
}

impl Window {
    pub(super) fn new(quota: u32, length: u64) -> Self {
        Self {
            ends: Tagged::default(),
            opened: Tagged::default(),
            soonest: Tagged::default(),
            begins: Tagged::default(),
            spent: Tagged::default(),
            left: Tagged::default(),
            pool: Tagged::default(),
            is_bounded: Tagged::default(),
            sent: AtomicU32::new(0),
            reserved: Tagged::default(),
            quota: AtomicU32::new(quota),
            length: AtomicU64::new(length.max(1)),
            expected: (AtomicU32::new(quota), AtomicU64::new(length.max(1))),
            ignored: Default::default(),
        }
    }

    /// The window at `now`. One that has ended is followed by the next, which begins now as far as is known.
    pub(super) fn at(&self, now: u64) -> Epoch {
        loop {
            let (epoch, end) = self.ends.load();
            if now < end {
                return epoch;
            }
            let next = (epoch.next(), now + self.length.load(SeqCst));
            if self.ends.replace((epoch, end), next) {
                self.opened.change(next.0, |_| Some(now));
                self.follow(epoch, next.0);
                return next.0;
            }
        }
    }

    /// A window begins when the one before ends, as far as that is known.
    fn follow(&self, before: Epoch, next: Epoch) {
        if let Some(ended) = self.soonest.of(before) {
            self.begins.change(next, |_| Some(ended));
        }
    }

    /// What it is like at `now`. One that has ended is shown as the next one, which a request will begin: whoever
    /// only looks begins none.
    pub(super) fn view(&self, now: u64, kept: Kept) -> View {
        let (epoch, end) = self.ends.load();
        let has_ended = now >= end;
        let length = self.length.load(SeqCst);
        let (epoch, end) = if has_ended {
            (epoch.next(), now + length)
        } else {
            (epoch, end)
        };
        let quota = self.quota.load(SeqCst);
        let on_its_way = self.sent.load(SeqCst);
        let reserved = self.reserved.of(epoch).map_or(0, narrow);
        let outstanding = on_its_way.saturating_add(reserved);
        let spent = self.spent.of(epoch).map_or(on_its_way, narrow);
        let told = self.left.of(epoch).map(narrow);
        let left = told.map_or(quota.saturating_sub(spent), |left| {
            left.saturating_sub(outstanding)
        });
        let own = kept.rest_of(quota).saturating_sub(spent);
        View {
            epoch,
            has_ended,
            length,
            reset: end.saturating_sub(now).max(1),
            quota,
            left,
            available: own.min(left),
            is_told: told.is_some(),
            others: told.map_or(0, |left| {
                let own = spent.saturating_sub(outstanding);
                quota.saturating_sub(left).saturating_sub(own)
            }),
        }
    }

    /// Spends one request of this window, if there is one. It is reserved until it departs or is cancelled.
    /// `most` of them, and of what an answer said is left, one part of `divisor`.
    pub(super) fn take(&self, epoch: Epoch, most: impl Fn() -> u64, divisor: u64) -> bool {
        let carried = u64::from(self.sent.load(SeqCst));
        let took = self.spent.change(epoch, |spent| {
            Some(spent.unwrap_or(carried) + 1).filter(|spent| *spent <= most())
        });
        let Some(spent) = took else {
            return false;
        };
        // It may have become less meanwhile: whoever lowers it looks at what is spent afterwards.
        if spent > most() {
            self.spent.take_one(epoch);
            return false;
        }
        // Counted before it is compared: two workers may both be refused the last one, and never both get it.
        let reserved = self.reserved.add(epoch, 1);
        let outstanding = reserved + u64::from(self.sent.load(SeqCst));
        let left = self.left.of(epoch).unwrap_or(u64::MAX);
        if outstanding > left / divisor.max(1) {
            self.cancel(epoch);
            return false;
        }
        true
    }

    /// What a budget of this quota is for the callers.
    pub(super) fn rest_of_quota(&self, kept: Kept) -> u32 {
        kept.rest_of(self.quota.load(SeqCst))
    }

    /// What is spent of this window, and what was before it and may count in it.
    pub(super) fn spent(&self, epoch: Epoch) -> u64 {
        let spent = self.spent.of(epoch);
        spent.unwrap_or_else(|| self.sent.load(SeqCst).into())
    }

    /// What is known of the window at `now`, for other gateways.
    pub(super) fn report(&self, now: u64) -> Report {
        let epoch = self.at(now);
        let (_, end) = self.ends.load();
        // First, so that what is taken meanwhile counts as on its way and not as spent and done.
        let spent = narrow(self.spent(epoch));
        let reserved = self.reserved.of(epoch).map_or(0, narrow);
        let on_its_way = self.sent.load(SeqCst).saturating_add(reserved);
        Report {
            epoch,
            soonest: self.soonest.of(epoch).unwrap_or(0),
            end,
            quota: self.quota.load(SeqCst),
            length: self.length.load(SeqCst),
            left: self.left.of(epoch).map(narrow),
            is_bounded: self.is_bounded.of(epoch).is_some(),
            spent: spent.max(on_its_way),
            on_its_way,
        }
    }

    /// Goes on with what is known elsewhere: of the window that was reported, or of another one in its place.
    /// Gives the window that it is here; `None` if another one has begun here meanwhile.
    pub(super) fn join(&self, reported: Epoch, known: &Known, now: u64) -> Option<Epoch> {
        let (epoch, end) = self.ends.load();
        let next = match (epoch == reported, known.is_same) {
            (true, false) => epoch.next(),
            (false, true) => return None,
            // The same, or one that has ended here by itself.
            (true, true) | (false, false) => epoch,
        };
        // An answer may have told more here since that was asked.
        let is_told = next == epoch && self.left.of(epoch).is_some();
        let is_bounded = next == epoch && self.is_bounded.of(epoch).is_some();
        let ends = match known.told {
            Told::Left(_) if is_told => end.min(known.end),
            Told::Nothing | Told::Bounded if is_told => end,
            Told::Nothing if is_bounded => end,
            _ => known.end,
        };
        if !self.ends.replace((epoch, end), (next, ends)) {
            return None;
        }
        if next != epoch {
            self.opened.change(next, |_| Some(now));
            // A server that has lost everything gives a window another number, and it is still the same.
            if known.end > end + known.length / 2 {
                self.follow(epoch, next);
            }
        }
        if known.soonest > 0 {
            self.soonest.change(next, |_| Some(known.soonest));
        }
        match known.told {
            Told::Nothing => {}
            Told::Bounded => drop(self.is_bounded.change(next, |_| Some(1))),
            Told::Left(least) => {
                let least = u64::from(least);
                self.left
                    .change(next, |left| Some(left.unwrap_or(least).min(least)));
            }
        }
        self.quota.store(known.quota, SeqCst);
        self.length.store(known.length, SeqCst);
        Some(next)
    }

    /// A request that was reserved in this window is not sent.
    pub(super) fn cancel(&self, epoch: Epoch) {
        self.reserved.take_one(epoch);
        self.spent.take_one(epoch);
    }

    /// A request that was reserved in this window is sent. It is outstanding until it is settled.
    pub(super) fn depart(&self, epoch: Epoch) {
        self.sent.fetch_add(1, SeqCst);
        self.reserved.take_one(epoch);
    }

    /// One request less is outstanding: what its answer told was observed before, or nothing is to be told.
    pub(super) fn settle(&self) {
        // It fails for nothing but a number that is zero, and stays so then.
        self.sent
            .fetch_update(SeqCst, SeqCst, |number| number.checked_sub(1))
            .ok();
    }

    /// One request that was sent was not spent after all. If its window has ended, it was carried into this one.
    pub(super) fn refund(&self) {
        let (epoch, _) = self.ends.load();
        self.spent.take_one(epoch);
    }

    /// Whether the last window that was begun is this one.
    pub(super) fn is_in_force(&self, epoch: Epoch) -> bool {
        self.ends.load().0 == epoch
    }

    /// One request may have been spent, and no answer tells.
    pub(super) fn spent_untold(&self) {
        let (epoch, _) = self.ends.load();
        self.left.take_one(epoch);
    }

    /// An answer has come that tells nothing, to a request that was sent at `sent`. The store's window began
    /// no later than now, and so ends a window's length from now at the latest.
    pub(super) fn bound(&self, sent: u64, now: u64) {
        let (epoch, end) = self.ends.load();
        let opened = self.opened.of(epoch).unwrap_or(0);
        let is_known = self.left.of(epoch).is_some() || self.is_bounded.of(epoch).is_some();
        if sent < opened || is_known {
            return;
        }
        let latest = now + self.length.load(SeqCst);
        if self.ends.replace((epoch, end), (epoch, latest)) {
            self.is_bounded.change(epoch, |_| Some(1));
        }
    }

    /// The configuration expects these numbers. Where it expected others, they count until an answer tells.
    pub(super) fn expect(&self, quota: u32, length: u64) {
        let length = length.max(1);
        let before = (
            self.expected.0.swap(quota, SeqCst),
            self.expected.1.swap(length, SeqCst),
        );
        if before != (quota, length) {
            self.quota.store(quota, SeqCst);
            self.length.store(length, SeqCst);
        }
    }

    /// Nothing is left of this window.
    pub(super) fn exhaust(&self, epoch: Epoch) {
        self.left.change(epoch, |_| Some(0));
    }

    /// Learns from an answer whose request was sent and which came at these moments. Gives the window that it
    /// tells of, which may have ended meanwhile.
    pub(super) fn observe(
        &self,
        reading: &Reading,
        sent: u64,
        received: u64,
    ) -> Result<Epoch, Ignored> {
        if reading.window > LONGEST * self.expected.1.load(SeqCst) {
            return Err(Ignored::Inconsistent);
        }
        let soonest = sent + reading.reset;
        // Both may be rounded down: what the header says, and when it came.
        let latest = received + reading.reset + 2;
        loop {
            let (epoch, end) = self.ends.load();
            let opened = self.opened.of(epoch).unwrap_or(0);
            if sent < opened && latest < opened + reading.window / 2 {
                return Err(Ignored::Stale);
            }
            // Windows of the same length that cannot have the same end: this one is over.
            let is_same_plan = reading.window == self.length.load(SeqCst);
            if is_same_plan && latest < self.soonest.of(epoch).unwrap_or(0) {
                return Err(Ignored::Stale);
            }
            // It would have begun before the one before it ended.
            let begins = self.begins.of(epoch).unwrap_or(0);
            if latest + reading.window / OTHER < begins + reading.window && begins > 0 {
                return Err(Ignored::Stale);
            }
            let is_another = end == 0 || soonest > end + (reading.window / OTHER).max(1);
            let is_told = !is_another && self.left.of(epoch).is_some();
            let next = if is_another {
                (epoch.next(), latest)
            } else if is_told {
                // Where two answers contradict each other, the later end counts.
                (epoch, end.min(latest).max(soonest))
            } else {
                (epoch, latest)
            };
            if !self.ends.replace((epoch, end), next) {
                continue;
            }
            if is_another {
                let opened = soonest.saturating_sub(reading.window);
                self.opened.change(next.0, |_| Some(opened));
                self.follow(epoch, next.0);
            }
            let known = if is_same_plan {
                self.soonest.of(epoch)
            } else {
                None
            };
            let known = known.filter(|_| !is_another).unwrap_or(0);
            self.soonest.change(next.0, |_| Some(known.max(soonest)));
            self.quota.store(reading.quota, SeqCst);
            self.length.store(reading.window, SeqCst);
            let told = u64::from(reading.left);
            self.left
                .change(next.0, |left| Some(left.unwrap_or(told).min(told)));
            return Ok(next.0);
        }
    }

    pub(super) fn ignore(&self, why: Ignored) {
        if let Some(count) = self.ignored.get(why as usize) {
            count.fetch_add(1, SeqCst);
        }
    }

    /// How many answers' headers told nothing, for this reason.
    pub(super) fn ignored(&self, why: Ignored) -> u64 {
        let count = self.ignored.get(why as usize);
        count.map_or(0, |count| count.load(SeqCst))
    }
}

/// A number of requests; none is larger.
pub(super) fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
