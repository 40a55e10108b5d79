//! What is going on now, for the status page: the same counters that `/metrics` shows, and the last decisions.
//! Nothing is gathered for it: who does not look costs nothing.

use super::audit::AuditHealth;
use super::budgets::Budgets;
use super::issuers::Board;
use super::metrics::{BUCKETS, WorkerMetrics, sums};
use super::recent::Recent;
use super::reloads::{ReloadHealth, Reloads};
use super::tally::Counts;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What the page is told of.
#[derive(Debug)]
pub struct Status {
    workers: Vec<Arc<WorkerMetrics>>,
    audit: AuditHealth,
    recent: Recent,
    reloads: ReloadHealth,
    board: Board,
    budgets: Budgets,
    /// Tells this process from the one before, whose numbers began anew.
    began: jiff::Timestamp,
}

/// How far somebody has been told.
#[derive(Debug, Default)]
pub struct Told {
    decisions: u64,
    callers: HashMap<Arc<str>, (Counts, Value)>,
}

/// Of how many callers one state tells; the others' turn comes with the next, and of those that have not come lately
/// nobody needs to know.
const CALLERS: usize = 200;

impl Status {
    /// What these workers do since `began`.
    pub fn new(
        workers: Vec<Arc<WorkerMetrics>>,
        audit: AuditHealth,
        recent: Recent,
        reloads: ReloadHealth,
        (board, budgets): (Board, Budgets),
        began: jiff::Timestamp,
    ) -> Self {
        Self {
            workers,
            audit,
            recent,
            reloads,
            board,
            budgets,
            began,
        }
    }

    /// How it stands, in one line of JSON: everything that is counted, and of callers and decisions what was not
    /// told before.
    pub fn since(&self, told: &mut Told, stage: &str) -> String {
        let (steady, decisions) = (self.budgets.steady(), self.decisions(told));
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "process": format!("{}-{}", std::process::id(), self.began.as_millisecond()),
            "began": format!("{:.0}", self.began),
            "now_ms": u64::try_from(self.budgets.now().as_millis()).unwrap_or(u64::MAX),
            "at_ms": u64::try_from(steady.as_millis()).unwrap_or(u64::MAX),
            "stage": stage,
            "requests": self.requests(),
            "answers": self.answers(),
            "latency": { "bounds": BUCKETS, "counts": sums::latency(&self.workers).0 },
            "connections": self.workers.iter().map(|worker| worker.open_connections()).sum::<u64>(),
            "waiting": self.budgets.waiting().count(),
            "callers": self.callers(told),
            "stores": self.budgets.told(),
            "issuers": self.board.told(),
            "configuration": self.configuration(),
            "audit": {
                "is_on": self.recent.is_kept(),
                "failing": self.audit.is_failing(),
                "written": self.audit.written(),
                "lost": self.audit.lost(),
            },
            "decisions": decisions,
        })
        .to_string()
    }

    fn requests(&self) -> Vec<Value> {
        let told = |ended: sums::Ended| {
            json!({
                "operation": ended.operation,
                "decision": ended.decision,
                "code": ended.code,
                "count": ended.count,
            })
        };
        sums::requests(&self.workers).map(told).collect()
    }

    fn answers(&self) -> Vec<Value> {
        let told = |(status, count)| json!({ "status": status, "count": count });
        sums::answers(&self.workers).map(told).collect()
    }

    fn decisions(&self, told: &mut Told) -> Vec<Value> {
        let (new, count) = self.recent.after(told.decisions);
        told.decisions = count;
        new
    }

    /// The callers that have come since they were told last, the busiest first, and those whose shares have changed.
    fn callers(&self, told: &mut Told) -> Vec<Value> {
        let mut all: BTreeMap<Arc<str>, Counts> = BTreeMap::new();
        for worker in &self.workers {
            worker.callers.add_to(&mut all);
        }
        told.callers.retain(|name, _| all.contains_key(name));
        let before = |name: &Arc<str>| told.callers.get(name);
        let came = |name: &Arc<str>, counts: &Counts| {
            let known = before(name).map_or(Counts::default(), |(counts, _)| *counts);
            counts.count().saturating_sub(known.count())
        };
        // Whose share was not spent has the same as everybody: what is left for whoever comes.
        let has_share = |name: &Arc<str>| {
            let shares = before(name).and_then(|(_, shares)| shares.as_array());
            shares.is_some_and(|shares| shares.iter().any(|share| share["spent"] != 0))
        };
        let mut due: Vec<(u64, &Arc<str>, &Counts)> = all
            .iter()
            .map(|(name, counts)| (came(name, counts), name, counts))
            .filter(|(came, name, _)| *came > 0 || has_share(name))
            .collect();
        due.sort_by_key(|(came, ..)| std::cmp::Reverse(*came));
        due.truncate(CALLERS);
        let due: Vec<_> = due
            .into_iter()
            .map(|(_, name, counts)| (Arc::clone(name), *counts))
            .collect();
        let shares = self.budgets.shares();
        let mut changed = Vec::new();
        for (name, counts) in due {
            let now = (counts, Value::from(shares(&name)));
            if told.callers.get(&name) != Some(&now) {
                changed.push(json!({
                    "name": *name,
                    "allowed": counts.allowed,
                    "denied": counts.denied,
                    "shares": now.1,
                }));
                told.callers.insert(name, now);
            }
        }
        changed
    }

    fn configuration(&self) -> Value {
        let now = self.reloads.now();
        let fault = now.fault.as_ref();
        json!({
            "generation": now.generation,
            "since": format!("{:.0}", now.since),
            "refused_at": fault.map(|(at, _)| format!("{at:.0}")),
            "report": fault.map(|(_, report)| Reloads::shown(report)),
            "waiting": now.waiting,
            "warnings": *now.warnings,
        })
    }
}
