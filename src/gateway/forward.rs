//! The rest of a judged request's way: what is still to be proved is proved, the request is sent, and its
//! answer judged where the caller may not see every one.

use super::Gateway;
use super::current::Current;
use super::entry::Entry;
use super::exchange::Exchange;
use super::inbound::Inbound;
use super::now;
use super::outbound::Preferences;
use super::ownership::{Changes, Proven, Prover, Watch, unveil};
use crate::denial::Denial;
use crate::observe::Step;
use crate::policy::{Allowed, Unproven, Veil};
use http::HeaderMap;
use std::cell::Cell;
use std::rc::Rc;
use tokio::time::Instant;

/// What a request is sent with, beside what was judged.
pub(super) struct Forward<'a> {
    pub(super) current: &'a Rc<Current>,
    pub(super) preferences: Preferences,
    /// The owners that it may change, where owners are remembered.
    pub(super) changes: Option<Changes>,
    pub(super) deadline: Instant,
    /// The room of the request's fields, for those of its answer.
    pub(super) room: Cell<HeaderMap>,
}

impl Gateway {
    /// Sends an allowed request, and judges its answer where that is to be judged.
    pub(super) async fn forward(
        &self,
        allowed: &Allowed,
        veil: Option<Box<Veil<'_>>>,
        forward: &mut Forward<'_>,
        entry: &mut Entry,
    ) -> Result<Box<Inbound>, Denial> {
        let current = forward.current;
        entry.allow();
        entry.step(Step::Ownership);
        let memory = self.shared.owners.memory(&current.snapshot);
        let watch = memory.zip(forward.changes.take());
        let watch = watch.map(|(memory, changes)| {
            let at = (current.snapshot.place, allowed.operation().store);
            Watch::begin(memory, at, changes, now())
        });
        let exchange = Exchange {
            current,
            allowed,
            preferences: &forward.preferences,
            deadline: forward.deadline,
            correlation_id: entry.correlation_id(),
            room: &forward.room,
            spending: entry.spending.as_deref(),
        };
        self.pace.keep_step().await;
        let exchanged = self.exchange(&exchange, &mut entry.progress).await;
        let mut inbound = exchanged?;
        entry.step(Step::Upstream);
        if let Some(watch) = watch {
            watch.end(&inbound);
        }
        if let Some(veil) = veil
            && let Err(denial) = unveil(*veil, &inbound, &mut entry.reported)
        {
            inbound.give_back(current.upstream.pool());
            return Err(denial);
        }
        Ok(inbound)
    }

    /// Proves what is still to be proved, or has it answered by what was asked to prove it.
    pub(super) async fn prove(
        &self,
        unproven: Unproven<'_>,
        current: &Rc<Current>,
        deadline: Instant,
        entry: &mut Entry,
    ) -> Result<Proven, Denial> {
        let memory = self.shared.owners.memory(&current.snapshot);
        let (Some(memory), Some(settings)) = (memory, &current.snapshot.ownership) else {
            // Without a memory nothing is known.
            return unproven.prove([], &mut entry.reported).map(Proven::Allowed);
        };
        let deadline = if unproven.only_reports() {
            // What is only reported leaves the request the time to be answered in.
            let began = now();
            began + deadline.saturating_duration_since(began) / 2
        } else {
            deadline
        };
        let prover = Prover {
            gateway: self,
            current,
            memory,
            settings,
            deadline,
        };
        prover.prove(unproven, entry).await
    }
}
