//! What a worker has set up of the snapshot in force. It is looked up for each request, and made anew when
//! another snapshot has come into force: what has begun goes on with what it began with.

use super::budget::Budget;
use super::inbound::COLLECTED;
use super::upstream::Upstream;
use crate::config::{Live, Snapshot};
use crate::identity::Caller;
use crate::observe::{Tally, WorkerMetrics};
use std::cell::OnceCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

/// A snapshot, and one worker's part of what it allows.
pub(super) struct Current {
    generation: u64,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) upstream: Rc<Upstream>,
    pub(super) bodies: Budget,
    pub(super) answers: Budget,
    /// Where each caller's requests are counted, once it has come.
    tallies: Box<[OnceCell<Counted>]>,
}

/// Where a caller's requests on this worker are counted. Each of them shares it, which costs nothing among threads.
#[derive(Debug, Clone)]
pub(super) struct Counted(Rc<Shown>);

/// The same as the metrics' page shares it.
#[derive(Debug)]
struct Shown(Arc<Tally>);

impl Deref for Counted {
    type Target = Tally;

    fn deref(&self) -> &Tally {
        &self.0.0
    }
}

impl Current {
    /// The part of one of `workers` workers, each with an equal part of the bounds.
    pub(super) fn new(live: &Live, workers: usize, metrics: &Arc<WorkerMetrics>) -> Self {
        let generation = live.generation();
        let snapshot = live.snapshot();
        let (bodies, answers) = memory(&snapshot, workers);
        Self {
            generation,
            upstream: Rc::new(upstream(&snapshot, workers, metrics)),
            bodies: Budget::new(bodies, &metrics.bodies),
            answers: Budget::new(answers, &metrics.answers),
            tallies: tallies(&snapshot),
            snapshot,
        }
    }

    /// The number of its snapshot.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether its requests go to the same upstream as those of another.
    pub(super) fn leads_where(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.upstream, &other.upstream)
            || (self.snapshot.upstream).is_same_place(&other.snapshot.upstream)
    }

    /// Where a caller's requests are counted.
    pub(super) fn tally(&self, caller: &Caller, metrics: &WorkerMetrics) -> Option<Counted> {
        let tally = self.tallies.get(caller.number)?;
        let counted = tally.get_or_init(|| Counted(Rc::new(Shown(metrics.caller(&caller.name)))));
        Some(counted.clone())
    }

    /// Whether it is of the snapshot in force.
    pub(super) fn is_of(&self, live: &Live) -> bool {
        self.generation == live.generation()
    }

    /// The one after this. What the new snapshot says nothing else of stays as it is: connections to the
    /// upstream, and what memory is held.
    pub(super) fn next(&self, live: &Live, workers: usize, metrics: &Arc<WorkerMetrics>) -> Self {
        let generation = live.generation();
        let snapshot = live.snapshot();
        let upstream = if snapshot.upstream == self.snapshot.upstream {
            Rc::clone(&self.upstream)
        } else {
            Rc::new(upstream(&snapshot, workers, metrics))
        };
        let (bodies, answers) = memory(&snapshot, workers);
        let kept = |budget: &Budget, level, before: usize, now: usize| {
            if before == now {
                budget.clone()
            } else {
                Budget::new(now, level)
            }
        };
        let before = memory(&self.snapshot, workers);
        Self {
            generation,
            upstream,
            bodies: kept(&self.bodies, &metrics.bodies, before.0, bodies),
            answers: kept(&self.answers, &metrics.answers, before.1, answers),
            tallies: tallies(&snapshot),
            snapshot,
        }
    }
}

fn tallies(snapshot: &Snapshot) -> Box<[OnceCell<Counted>]> {
    std::iter::repeat_with(OnceCell::new)
        .take(snapshot.callers.count())
        .collect()
}

fn upstream(snapshot: &Snapshot, workers: usize, metrics: &Arc<WorkerMetrics>) -> Upstream {
    let exchanges = snapshot.upstream.connections.div_ceil(workers.max(1));
    Upstream::new(&snapshot.upstream, exchanges, Arc::clone(metrics))
}

/// The bytes for bodies and for answers. Each worker must be able to hold one of the largest size.
fn memory(snapshot: &Snapshot, workers: usize) -> (usize, usize) {
    let limits = &snapshot.limits;
    let largest = limits.body.max(limits.batch_body);
    (
        (limits.body_memory / workers.max(1)).max(largest),
        (limits.answer_memory / workers.max(1)).max(COLLECTED),
    )
}
