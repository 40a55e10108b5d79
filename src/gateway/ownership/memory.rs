//! What is remembered of metafields' owners, by all workers together: bounded in number, believed for a
//! time, and never what a change through this gateway has made untrue.
//!
//! That last promise holds without a lock around requests. Every change whose outcome is known or
//! unknown is counted when it *ends*, and only then ([`Memory::changed`]): it takes the next number of one
//! clock, notes it at its metafield's stripe, and removes what was remembered. Whoever reads notes the
//! clock before it asks ([`Memory::mark`]), and may remember an answer only while no change of that stripe
//! has a later number. So an answer that may be older than a change is not remembered once that change
//! has ended:
//!
//! - the change ended before the question was asked: the answer shows it;
//! - it ended while the question was under way: its number is later than the reader's mark, and the
//!   answer is dropped;
//! - it ended after the answer was remembered: it removed that. Remembering puts a placeholder first and
//!   looks at the stripe after, and removing takes placeholders too, so that no change slips in between;
//! - two changes of one metafield at once: the one that ends second sees the first, remembers nothing of
//!   its own answer and removes the other's, since which of them BigCommerce made last is not known.
//!
//! A change that is still under way is not waited for: a request judged meanwhile is judged by what was
//! true before. Stripes are shared by metafields; a collision costs an answer that is not remembered,
//! never one that is wrongly believed.

use crate::denial::Denial;
use crate::policy::Owner;
use crate::policy::vocabulary::{Id, StoreHash};
use bytes::Bytes;
use http::response;
use quick_cache::sync::{Cache, EntryAction, EntryResult, PlaceholderGuard};
use quick_cache::{DefaultHashBuilder, UnitWeighter};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use tokio::time::Instant;

/// How many stripes note the last change: enough that a page of 250 metafields, read while two others are
/// changed, is remembered whole 29 times in 30. 128 KiB.
const STRIPES: usize = 16 * 1024;

/// A metafield of a store, and the number of the upstream where that is ([`Snapshot::place`]).
///
/// [`Snapshot::place`]: crate::config::Snapshot::place
pub(super) type Name = (u64, StoreHash, Id);

/// What a look-up came to, if not to an owner; shared with those who waited for it.
#[derive(Debug, Clone)]
pub(in crate::gateway) enum Missed {
    /// BigCommerce's own answer, which stands for its answer to the request.
    Answered(Box<response::Parts>, Bytes),
    /// A failure.
    Failed(Denial),
}

/// What stands at a name.
#[derive(Debug)]
enum Entry {
    Known(Known),
    /// For those who wait, and gone at once: as it was asked for at this customer.
    Missed(Option<Id>, Missed),
}

#[derive(Debug)]
struct Known {
    owner: Owner,
    /// When BigCommerce was asked.
    since: Instant,
}

/// An owner that is remembered.
#[derive(Debug, Clone)]
pub(super) struct Remembered(Arc<Entry>);

type Lifecycle = quick_cache::sync::DefaultLifecycle<Name, Arc<Entry>>;
type Guard<'m> =
    PlaceholderGuard<'m, Name, Arc<Entry>, UnitWeighter, DefaultHashBuilder, Lifecycle>;

/// What is known of owners.
#[derive(Debug)]
pub(in crate::gateway) struct Memory {
    entries: Cache<Name, Arc<Entry>>,
    clock: AtomicU64,
    stripes: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// A moment, by the changes that had ended before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    number: u64,
    time: Instant,
}

/// What is to be done about an owner that is sought.
pub(super) enum Sought<'m> {
    Known(Remembered),
    /// Another has asked in vain, at this customer.
    Missed(Option<Id>, Missed),
    /// It is for this one to ask, and for all who come meanwhile to wait.
    Ask(Ask<'m>),
}

/// The turn to ask for an owner. Dropping it gives the turn to the next who waits.
pub(super) struct Ask<'m> {
    memory: &'m Memory,
    name: Name,
    guard: Guard<'m>,
}

impl Remembered {
    pub(super) fn owner(&self) -> Option<&Owner> {
        match &*self.0 {
            Entry::Known(known) => Some(&known.owner),
            Entry::Missed(..) => None,
        }
    }
}

impl Memory {
    /// How many owners are remembered.
    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn new(entries: usize) -> Self {
        Self {
            entries: Cache::new(entries),
            clock: AtomicU64::new(0),
            stripes: std::iter::repeat_with(AtomicU64::default)
                .take(STRIPES)
                .collect(),
            hasher: RandomState::new(),
        }
    }

    /// A moment before a question, to be given with its answer.
    pub(super) fn mark(&self, time: Instant) -> Mark {
        let number = self.clock.load(SeqCst);
        Mark { number, time }
    }

    /// The owner of a metafield, where it is remembered and was asked for less than `ttl` ago.
    pub(super) fn known(&self, name: &Name, now: Instant, ttl: Duration) -> Option<Remembered> {
        let entry = self.entries.get(name)?;
        is_fresh(&entry, now, ttl).then_some(Remembered(entry))
    }

    /// Remembers an owner that was asked for at `mark`.
    pub(super) fn learn(&self, name: Name, owner: Owner, mark: Mark) {
        let since = mark.time;
        self.keep(name, Arc::new(Entry::Known(Known { owner, since })), mark);
    }

    /// An owner that was asked for at `mark`, for the one request alone. `None` if a change has ended since.
    pub(super) fn alone(&self, name: &Name, owner: Owner, mark: Mark) -> Option<Remembered> {
        let since = mark.time;
        let entry = Arc::new(Entry::Known(Known { owner, since }));
        self.is_unchanged(name, mark).then_some(Remembered(entry))
    }

    fn keep(&self, name: Name, new: Arc<Entry>, mark: Mark) {
        let since = mark.time;
        let replaced = self.entries.entry(&name, Some(Duration::ZERO), |_, old| {
            let is_newer = !matches!(&**old, Entry::Known(old) if old.since > since);
            if is_newer && self.is_unchanged(&name, mark) {
                *old = Arc::clone(&new);
            }
            EntryAction::Retain(())
        });
        if let EntryResult::Vacant(guard) = replaced
            && self.is_unchanged(&name, mark)
        {
            // It fails where a change has ended meanwhile, and is not to be kept then.
            drop(guard.insert(new));
        }
    }

    /// A change of a metafield, begun at `mark`, has ended in whatever way: what was remembered is
    /// forgotten. Gives the mark by which the change's own answer may be remembered, unless another change
    /// has ended meanwhile.
    pub(super) fn changed(&self, name: &Name, mark: Mark) -> Option<Mark> {
        let last = self.stripe(name);
        let mut before = last.load(SeqCst);
        let number = loop {
            // Taken after `before` was seen, so that a stripe's numbers only grow.
            let number = self.clock.fetch_add(1, SeqCst) + 1;
            match last.compare_exchange(before, number, SeqCst, SeqCst) {
                Ok(_) => break number,
                Err(other) => before = other,
            }
        };
        self.entries.remove(name);
        let time = mark.time;
        (before <= mark.number).then_some(Mark { number, time })
    }

    /// Looks for an owner, and waits while another asks for it.
    pub(super) async fn seek(&self, name: &Name, now: Instant, ttl: Duration) -> Sought<'_> {
        loop {
            let entry = match self.entries.get_value_or_guard_async(name).await {
                Ok(entry) => entry,
                Err(guard) => {
                    return Sought::Ask(Ask {
                        memory: self,
                        name: *name,
                        guard,
                    });
                }
            };
            if let Entry::Missed(customer, missed) = &*entry {
                return Sought::Missed(*customer, missed.clone());
            }
            if !is_fresh(&entry, now, ttl) {
                self.forget_if(name, &entry);
            } else if self.stands(name, &entry) {
                return Sought::Known(Remembered(entry));
            }
            // Else a change has ended since it was asked for.
        }
    }

    fn stripe(&self, name: &Name) -> &AtomicU64 {
        let hash = usize::try_from(self.hasher.hash_one(name)).unwrap_or(usize::MAX);
        // There are stripes, and the remainder is one's index.
        match self.stripes.get(hash % STRIPES) {
            Some(stripe) => stripe,
            None => &self.clock,
        }
    }

    fn is_unchanged(&self, name: &Name, mark: Mark) -> bool {
        self.stripe(name).load(SeqCst) <= mark.number
    }

    fn stands(&self, name: &Name, entry: &Arc<Entry>) -> bool {
        let found = self.entries.peek(name);
        found.is_some_and(|found| Arc::ptr_eq(&found, entry))
    }

    fn forget_if(&self, name: &Name, entry: &Arc<Entry>) {
        self.entries
            .remove_if(name, |found| Arc::ptr_eq(found, entry));
    }
}

fn is_fresh(entry: &Entry, now: Instant, ttl: Duration) -> bool {
    match entry {
        Entry::Known(known) => now.saturating_duration_since(known.since) < ttl,
        Entry::Missed(..) => false,
    }
}

impl Ask<'_> {
    /// The owner was found by asking at `mark`. `None` if a change has ended since: then it must be
    /// sought again.
    pub(super) fn found(self, owner: Owner, mark: Mark) -> Option<Remembered> {
        if !self.memory.is_unchanged(&self.name, mark) {
            return None;
        }
        let since = mark.time;
        let entry = Arc::new(Entry::Known(Known { owner, since }));
        // Those who wait get it in any case, and look whether it still stands.
        if self.guard.insert(Arc::clone(&entry)).is_err() {
            // The place was taken away by a change: by one that the answer shows, or by a later one.
            if !self.memory.is_unchanged(&self.name, mark) {
                return None;
            }
            self.memory.keep(self.name, Arc::clone(&entry), mark);
        }
        Some(Remembered(entry))
    }

    /// Asking at this customer came to something else, which is told to those who wait and not remembered.
    pub(super) fn missed(self, customer: Option<Id>, missed: Missed) {
        let entry = Arc::new(Entry::Missed(customer, missed));
        let Self {
            memory,
            name,
            guard,
        } = self;
        drop(guard.insert(Arc::clone(&entry)));
        memory.forget_if(&name, &entry);
    }
}

#[cfg(test)]
mod tests;
