//! The last decisions, for the status page. They are kept by the audit log's thread, which has them in its hands
//! anyway, so that a request does nothing for them.

use super::line::Line;
use crate::denial::Code;
use crate::identity::Means;
use crate::policy::vocabulary::{Id, PermissionSet, StoreHash, Verb};
use http::Method;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard, PoisonError};

/// How many are kept.
pub(super) const KEPT: usize = 100;

/// Taken by the audit log's thread once a batch of lines, and by whoever looks.
#[expect(clippy::disallowed_types, reason = "no request takes it")]
type Lock<T> = std::sync::Mutex<T>;

/// The last decisions.
#[derive(Debug, Clone)]
pub struct Recent {
    ring: Arc<Lock<Ring>>,
    is_kept: bool,
}

#[derive(Debug, Default)]
struct Ring {
    /// How many decisions there were.
    count: u64,
    kept: VecDeque<Arc<Decision>>,
}

#[derive(Debug)]
struct Decision {
    line: Line,
    /// How many items a batch has.
    items: Option<usize>,
}

impl Recent {
    /// None yet. Where there is no audit log, none will come, because nothing `is_kept`.
    pub fn new(is_kept: bool) -> Self {
        Self {
            ring: Arc::default(),
            is_kept,
        }
    }

    /// Whether decisions are kept.
    pub(super) const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Keeps decisions; of a batch, its first item stands for all.
    pub(super) fn keep(&self, lines: Vec<Line>) {
        let all = lines.len();
        let last = lines.into_iter().skip(all.saturating_sub(KEPT));
        let new: Vec<_> = last.map(|line| Arc::new(Decision::of(line))).collect();
        let mut ring = self.lock();
        ring.count += all as u64;
        ring.kept.extend(new);
        let most = ring.kept.len().saturating_sub(KEPT);
        let old: Vec<_> = ring.kept.drain(..most).collect();
        drop(ring);
        // Nobody waits for their memory to be given back.
        drop(old);
    }

    /// Those after the first `seen`, each with its number from 1, as far as they are kept; and how many there were.
    pub(super) fn after(&self, seen: u64) -> (Vec<Value>, u64) {
        let ring = self.lock();
        let count = ring.count;
        let first = count - ring.kept.len() as u64 + 1;
        let numbered = (first..).zip(ring.kept.iter().map(Arc::clone));
        let new: Vec<_> = numbered.filter(|(number, _)| *number > seen).collect();
        drop(ring);
        let told = new.iter().map(|(number, decision)| decision.told(*number));
        (told.collect(), count)
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Decision {
    fn of(mut line: Line) -> Self {
        let items = line.items.as_ref().map(Vec::len);
        if let Some(items) = &mut line.items {
            items.truncate(1);
            items.shrink_to_fit();
        }
        Self { line, items }
    }

    fn told(&self, number: u64) -> Value {
        let line = &self.line;
        let item = line.items.iter().flatten().next();
        let is_batch = line.verb.is_some_and(Verb::is_batch);
        let micros =
            |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        json!({
            "number": number,
            "time": format!("{:.3}", line.time),
            "correlation_id": String::from_utf8_lossy(line.correlation_id.as_bytes()),
            "peer": line.peer.to_string(),
            "caller": line.caller.as_ref().map(|caller| caller.name.as_str()),
            "identified_by": line.identified_by.map(Means::as_str),
            "store": line.store.as_ref().map(StoreHash::as_str),
            "operation": line.verb.map(Verb::as_str),
            "method": line.method.as_ref().map(Method::as_str),
            "customer_id": line.customer.map(Id::get),
            "metafield_id": line.metafield.or_else(|| item?.id).map(Id::get),
            "items": self.items.filter(|_| is_batch),
            "namespace": item.and_then(|item| item.namespace.as_deref()),
            "key": item.and_then(|item| item.key.as_deref()),
            "permission_set": item.and_then(|item| item.permission_set).map(PermissionSet::as_str),
            "decision": line.outcome.decision(),
            "code": line.outcome.code(),
            "reported": line.reported.map(Code::as_str),
            "sent": line.sent.as_str(),
            "upstream_status": line.upstream_status,
            "duration_us": micros(line.duration),
            "upstream_us": line.upstream.map(micros),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::correlation::CorrelationId;
    use super::super::line::{Outcome, Peer, Sent, Used};
    use super::*;
    use crate::policy::Item;
    use std::time::Duration;

    fn line(customer: u64, items: usize) -> Line {
        let item = |number: usize| Item {
            id: Id::new(number as u64 + 1),
            ..Item::default()
        };
        Line {
            time: jiff::Timestamp::UNIX_EPOCH,
            correlation_id: CorrelationId::from_random([1; 16]),
            peer: Peer::Unix,
            caller: None,
            identified_by: None,
            store: None,
            verb: Some(Verb::UpdateBatch),
            method: None,
            customer: Id::new(customer),
            metafield: None,
            items: Some((0..items).map(item).collect()),
            outcome: Outcome::Answered,
            reported: None,
            lookups: 0,
            sent: Sent::Yes,
            credential: Used::Current,
            upstream_status: Some(207),
            duration: Duration::from_micros(1500),
            upstream: None,
            trace: None,
        }
    }

    #[test]
    fn the_last_are_kept_and_numbered() {
        let recent = Recent::new(true);
        assert_eq!(recent.after(0), (vec![], 0));
        recent.keep((1..=3).map(|number| line(number, 3)).collect());
        recent.keep((4..=105).map(|number| line(number, 3)).collect());
        let (all, count) = recent.after(0);
        assert_eq!((all.len(), count), (KEPT, 105));
        let first = all.first().unwrap();
        assert_eq!(
            (&first["number"], &first["customer_id"]),
            (&json!(6), &json!(6))
        );
        let (new, _) = recent.after(103);
        let numbers: Vec<_> = new.iter().map(|decision| &decision["number"]).collect();
        assert_eq!(numbers, [&json!(104), &json!(105)]);
        assert_eq!(
            (&new[0]["items"], &new[0]["metafield_id"]),
            (&json!(3), &json!(1))
        );
        assert_eq!(recent.after(105).0.len(), 0);
    }
}
