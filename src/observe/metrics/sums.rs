//! The counters of all workers, summed.

use super::{BUCKETS, Counter, Durations, OTHERS, OUTCOMES, VERBS, WorkerMetrics};
use crate::denial::Code;
use crate::policy::vocabulary::Verb;
use std::sync::Arc;
use std::time::Duration;

/// Requests of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::observe) struct Ended {
    pub(in crate::observe) operation: &'static str,
    pub(in crate::observe) decision: &'static str,
    pub(in crate::observe) code: &'static str,
    pub(in crate::observe) count: u64,
}

fn sum<'w>(
    workers: &'w [Arc<WorkerMetrics>],
    of: impl Fn(&'w WorkerMetrics) -> Option<&'w Counter>,
) -> u64 {
    let counters = workers.iter().filter_map(|worker| of(worker));
    counters.map(Counter::get).sum()
}

/// The requests by how they ended; kinds that did not occur are left out.
pub(in crate::observe) fn requests(workers: &[Arc<WorkerMetrics>]) -> impl Iterator<Item = Ended> {
    let kinds = (0..VERBS).flat_map(|verb| (0..OUTCOMES).map(move |outcome| (verb, outcome)));
    kinds.filter_map(|(verb, outcome)| {
        let count = sum(workers, |worker| worker.requests.get(verb)?.get(outcome));
        let (decision, code) = labels(outcome);
        (count > 0).then_some(Ended {
            operation: Verb::ALL.get(verb).map_or("unknown", |verb| verb.as_str()),
            decision,
            code,
            count,
        })
    })
}

/// The requests that ended with a code.
pub(in crate::observe) fn with_code(workers: &[Arc<WorkerMetrics>], code: Code) -> u64 {
    let of = |verb: usize| {
        sum(workers, |worker| {
            worker.requests.get(verb)?.get(code as usize)
        })
    };
    (0..VERBS).map(of).sum()
}

fn labels(outcome: usize) -> (&'static str, &'static str) {
    match (Code::ALL.get(outcome), outcome.checked_sub(Code::ALL.len())) {
        (Some(code), _) if code.follows_permission() => ("allowed", code.as_str()),
        (Some(code), _) => ("denied", code.as_str()),
        (None, other) => other
            .and_then(|other| OTHERS.get(other))
            .copied()
            .unwrap_or_default(),
    }
}

/// The upstream's answers by status; those that did not occur are left out.
pub(in crate::observe) fn answers(
    workers: &[Arc<WorkerMetrics>],
) -> impl Iterator<Item = (usize, u64)> {
    (100..1000).filter_map(|status| {
        let count = sum(workers, |worker| worker.upstream_status.get(status));
        (count > 0).then_some((status, count))
    })
}

/// What the workers measured of one kind: one number for each of [`BUCKETS`] and one for what is beyond, and how long
/// all took together.
pub(in crate::observe) fn durations(
    workers: &[Arc<WorkerMetrics>],
    kind: impl Fn(&WorkerMetrics) -> &Durations,
) -> (Vec<u64>, Duration) {
    let of = |bucket| sum(workers, |worker| kind(worker).buckets.get(bucket));
    let micros = sum(workers, |worker| Some(&kind(worker).microseconds));
    (
        (0..=BUCKETS.len()).map(of).collect(),
        Duration::from_micros(micros),
    )
}

/// How long the upstream took.
pub(in crate::observe) fn latency(workers: &[Arc<WorkerMetrics>]) -> (Vec<u64>, Duration) {
    durations(workers, |worker| &worker.upstream)
}
