//! The rest of a judged request's way: what is still to be proved is proved, the request is sent, and its
//! answer judged where the caller may not see every one.

use super::Gateway;
use super::answer::Surroundings;
use super::current::Current;
use super::entry::Entry;
use super::exchange::{Answered, Exchange};
use super::inbound::Inbound;
use super::now;
use super::outbound::Preferences;
use super::ownership::{Changes, Proven, Prover, Watch, unveil};
use crate::denial::Denial;
use crate::observe::Step;
use crate::policy::{Credential, Judged, Unproven};
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// What a request is sent with, beside what was judged.
pub(super) struct Forward<'a> {
    pub(super) current: &'a Rc<Current>,
    pub(super) preferences: Preferences,
    /// The owners that it may change, where owners are remembered.
    pub(super) changes: Option<Changes>,
    pub(super) deadline: Instant,
}

impl Gateway {
    /// Proves what is still to be proved, sends the request, and judges the answer.
    pub(super) async fn forward(
        &self,
        judged: Judged<'_>,
        forward: Forward<'_>,
        entry: &mut Entry,
    ) -> Result<(Inbound, Surroundings), Denial> {
        let Forward {
            current, deadline, ..
        } = forward;
        let (allowed, veil) = match judged {
            Judged::Allowed(allowed) => (allowed, None),
            Judged::Veiled(allowed, veil) => (allowed, Some(veil)),
            Judged::Unproven(unproven) => {
                let store = unproven.operation().store;
                match Box::pin(self.prove(unproven, current, deadline, entry)).await? {
                    Proven::Allowed(allowed) => (allowed, None),
                    Proven::Answered(inbound) => {
                        entry.allow();
                        let credentials = current.snapshot.credentials(&store);
                        let credentials = credentials.ok_or(Denial::UnknownStore)?;
                        return Ok((inbound, around(current, &credentials.current)));
                    }
                }
            }
        };
        entry.allow();
        entry.step(Step::Ownership);
        let memory = self.shared.owners.memory(&current.snapshot);
        let at = (current.snapshot.place, allowed.operation().store);
        let watch = memory
            .zip(forward.changes)
            .map(|(memory, changes)| Watch::begin(memory, at, changes, now()));
        let exchange = Exchange {
            current,
            allowed: &allowed,
            preferences: &forward.preferences,
            deadline,
            correlation_id: entry.correlation_id(),
            spending: entry.spending.as_deref(),
        };
        self.pace.keep_step().await;
        let Answered {
            mut inbound,
            credential,
        } = self.exchange(&exchange, &mut entry.progress).await?;
        entry.step(Step::Upstream);
        if let Some(watch) = watch {
            watch.end(&inbound);
        }
        if let Some(veil) = veil
            && let Err(denial) = unveil(veil, &inbound, &mut entry.reported)
        {
            inbound.give_back(current.upstream.pool());
            return Err(denial);
        }
        Ok((inbound, around(current, &credential)))
    }

    async fn prove(
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

fn around(current: &Current, credential: &Arc<Credential>) -> Surroundings {
    Surroundings {
        credential: Arc::clone(credential),
        patience: current.snapshot.upstream.body_timeout,
        until: now() + current.snapshot.limits.answer_timeout,
        pool: Rc::clone(current.upstream.pool()),
    }
}
