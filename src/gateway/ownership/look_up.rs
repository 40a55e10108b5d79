//! How the owners of a request's metafields are come by: from memory, or where the path names the
//! customer, by one `GET` with the store's credential. A look-up keeps every rule of a request to
//! BigCommerce: the same connections and bounds, the same deadline, the same checks of its answer.

use super::memory::{Ask, Memory, Missed, Name, Remembered, Sought};
use super::{must_be_readable, shows};
use crate::config::OwnershipSettings;
use crate::denial::Denial;
use crate::gateway::Gateway;
use crate::gateway::current::Current;
use crate::gateway::entry::Entry;
use crate::gateway::exchange::Exchange;
use crate::gateway::inbound::{Inbound, InboundBody};
use crate::gateway::outbound::Preferences;
use crate::gateway::upstream::Progress;
use crate::observe::LookUp;
use crate::policy::vocabulary::Id;
use crate::policy::{Allowed, Owner, Unproven, owner_in};
use bytes::Bytes;
use std::cell::Cell;
use std::rc::Rc;
use tokio::time::Instant;

/// How often an owner is sought for one request, where changes of it end in between.
const ATTEMPTS: usize = 3;

/// The most bytes of another answer than an owner that are shared with those who wait.
const SHARED: usize = 64 * 1024;

/// What came of an [`Unproven`] request.
pub(in crate::gateway) enum Proven {
    /// It may be sent.
    Allowed(Allowed),
    /// BigCommerce's answer to the look-up is its answer to the request: there is no such metafield, or no
    /// quota for more requests.
    Answered(Inbound),
}

/// What a proof needs of its surroundings.
pub(in crate::gateway) struct Prover<'a> {
    pub(in crate::gateway) gateway: &'a Gateway,
    pub(in crate::gateway) current: &'a Rc<Current>,
    pub(in crate::gateway) memory: &'a Memory,
    pub(in crate::gateway) settings: &'a OwnershipSettings,
    pub(in crate::gateway) deadline: Instant,
}

impl Prover<'_> {
    /// Proves a request by its metafields' owners, or refuses it.
    pub(in crate::gateway) async fn prove(
        &self,
        unproven: Unproven<'_>,
        entry: &mut Entry,
    ) -> Result<Proven, Denial> {
        let owners = match (unproven.look_up(), unproven.ids()) {
            (Some(look_up), [id]) => match self.seek(&look_up, *id, entry).await {
                Ok(owner) => vec![Some(owner)],
                // A caller whose refusals are only reported is not held up by a look-up either.
                Err(_) if unproven.only_reports() => vec![None],
                Err(Missed::Failed(denial)) => return Err(denial),
                Err(Missed::Answered(head, body)) => return Ok(self.pass_on(*head, body, entry)),
            },
            (_, ids) => self.remembered(&unproven, ids),
        };
        let owners = owners.iter().map(|owner| owner.as_ref()?.owner());
        unproven
            .prove(owners, &mut entry.reported)
            .map(Proven::Allowed)
    }

    fn remembered(&self, unproven: &Unproven<'_>, ids: &[Id]) -> Vec<Option<Remembered>> {
        let (store, now) = (unproven.operation().store, now());
        let place = self.current.snapshot.place;
        let known = |id: &Id| {
            self.memory
                .known(&(place, store, *id), now, self.settings.ttl)
        };
        let owners: Vec<_> = ids.iter().map(known).collect();
        let hits = owners.iter().flatten().count();
        self.gateway
            .metrics
            .owners_remembered(hits, owners.len() - hits);
        owners
    }

    /// Gets an owner from memory, from another's look-up, or by one.
    async fn seek(
        &self,
        look_up: &Allowed,
        id: Id,
        entry: &mut Entry,
    ) -> Result<Remembered, Missed> {
        let name = (self.current.snapshot.place, look_up.operation().store, id);
        for _ in 0..ATTEMPTS {
            let seeking = self.memory.seek(&name, now(), self.settings.ttl);
            let sought = tokio::time::timeout_at(self.deadline, seeking).await;
            let sought = sought.map_err(|_| LATE)?;
            match sought {
                Sought::Known(owner) => {
                    self.gateway.metrics.owners_remembered(1, 0);
                    return Ok(owner);
                }
                Sought::Missed(at, missed) if at == look_up.operation().customer => {
                    return Err(missed);
                }
                // Where another looked for it says nothing of where this one does.
                Sought::Missed(..) => {
                    if let Some(owner) = self.ask_alone(&name, look_up, entry).await? {
                        return Ok(owner);
                    }
                }
                Sought::Ask(ask) => {
                    self.gateway.metrics.owners_remembered(0, 1);
                    if let Some(owner) = self.ask(ask, look_up, id, entry).await? {
                        return Ok(owner);
                    }
                }
            }
        }
        let bound = "changes of one metafield at once";
        Err(Missed::Failed(Denial::Overloaded { bound }))
    }

    /// Makes a look-up for all who wait for it. `None` where the metafield was changed meanwhile.
    async fn ask(
        &self,
        ask: Ask<'_>,
        look_up: &Allowed,
        id: Id,
        entry: &mut Entry,
    ) -> Result<Option<Remembered>, Missed> {
        let mark = self.memory.mark(now());
        match self.get(look_up, id, entry).await {
            Ok(owner) => Ok(ask.found(owner, mark)),
            // What is this request's own, its time, its share and its worker's connections, another may have.
            Err(
                missed @ Missed::Failed(
                    Denial::UpstreamTimeout { .. }
                    | Denial::Overloaded { .. }
                    | Denial::QuotaExhausted { .. }
                    | Denial::RateLimited { .. }
                    | Denial::UpstreamOverloaded { .. },
                ),
            ) => Err(missed),
            Err(missed) => {
                ask.missed(look_up.operation().customer, missed.clone());
                Err(missed)
            }
        }
    }

    /// Makes a look-up for this request alone, beside those that others make. `None` where the metafield was
    /// changed meanwhile.
    async fn ask_alone(
        &self,
        name: &Name,
        look_up: &Allowed,
        entry: &mut Entry,
    ) -> Result<Option<Remembered>, Missed> {
        self.gateway.metrics.owners_remembered(0, 1);
        let mark = self.memory.mark(now());
        let owner = self.get(look_up, name.2, entry).await?;
        Ok(self.memory.alone(name, owner, mark))
    }

    async fn get(&self, look_up: &Allowed, id: Id, entry: &mut Entry) -> Result<Owner, Missed> {
        entry.looks_up();
        let asked = self.try_get(look_up, id, entry).await;
        self.gateway.metrics.looked_up(match &asked {
            Ok(_) => LookUp::Found,
            Err(Missed::Answered(..)) => LookUp::Answered,
            Err(Missed::Failed(_)) => LookUp::Failed,
        });
        asked
    }

    async fn try_get(&self, look_up: &Allowed, id: Id, entry: &Entry) -> Result<Owner, Missed> {
        let exchange = Exchange {
            current: self.current,
            allowed: look_up,
            preferences: &Preferences::of_look_up(),
            deadline: self.deadline,
            correlation_id: entry.correlation_id(),
            room: &Cell::default(),
            spending: entry.spending.as_deref(),
        };
        // Not the request's own: of that, nothing has been sent.
        let mut progress = Progress::default();
        let answered = self.gateway.exchange(&exchange, &mut progress).await;
        let mut inbound = answered.map_err(of_look_up)?;
        inbound.give_back(self.current.upstream.pool());
        self.read(inbound, id)
    }

    fn read(&self, inbound: Box<Inbound>, id: Id) -> Result<Owner, Missed> {
        let status = inbound.head.status;
        if !shows(status) && !status.is_client_error() {
            let cause = format!("status {}", status.as_u16());
            return Err(Missed::Failed(Denial::LookUpFailed { cause }));
        }
        if status.is_client_error() {
            return Err(match inbound.body {
                InboundBody::Whole { body, .. } if body.len() <= SHARED => {
                    Missed::Answered(Box::new(inbound.head), body)
                }
                _ => Missed::Failed(Denial::LookUpFailed {
                    cause: format!("status {} with a long body", status.as_u16()),
                }),
            });
        }
        let unreadable = |denial| {
            if now() >= self.deadline {
                return LATE;
            }
            of_look_up(denial)
        };
        let body = must_be_readable(&inbound).map_err(unreadable)?;
        owner_in(body, id).ok_or_else(|| {
            let cause = "it does not show whose metafield it is".to_owned();
            Missed::Failed(Denial::LookUpFailed { cause })
        })
    }

    fn pass_on(&self, head: http::response::Parts, body: Bytes, entry: &mut Entry) -> Proven {
        entry.is_answered_by_look_up(head.status.as_u16());
        Proven::Answered(Inbound {
            head,
            body: InboundBody::Whole {
                body,
                room: self.current.answers.hold(),
                connection: None,
            },
        })
    }
}

/// The time was over before the owner was known.
const LATE: Missed = Missed::Failed(Denial::UpstreamTimeout { sent: false });

/// A look-up's failure, as it is told to the caller: of its own request nothing was sent.
fn of_look_up(denial: Denial) -> Missed {
    Missed::Failed(match denial {
        Denial::UpstreamTimeout { .. } => Denial::UpstreamTimeout { sent: false },
        Denial::UpstreamProtocolError { cause } => Denial::LookUpFailed { cause },
        other => other,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the age of what is remembered, and the look-up's deadline"
)]
fn now() -> Instant {
    Instant::now()
}
