//! One exchange with BigCommerce, watched for what it tells of owners and for what it changes of them.

use super::memory::{Mark, Memory, Name};
use super::{readable, shows};
use crate::gateway::inbound::Inbound;
use crate::policy::vocabulary::{Id, StoreHash, Verb};
use crate::policy::{Item, Operation, owners_in};
use tokio::time::Instant;

/// The metafields whose owners a request may change. A write that names neither namespace, key nor customer
/// changes none, whatever comes of it.
#[derive(Debug)]
pub(in crate::gateway) struct Changes(Vec<Id>);

impl Changes {
    /// What this operation with these items may change.
    pub(in crate::gateway) fn of(operation: &Operation, items: &[Item]) -> Self {
        let moves = |item: &&Item| {
            // Where the path names the customer, it is the same.
            let names_customer = operation.customer.is_none() && item.resource_id.is_some();
            item.namespace.is_some() || item.key.is_some() || names_customer
        };
        Self(match operation.verb {
            Verb::Delete => operation.metafield.into_iter().collect(),
            Verb::Update if items.iter().any(|item| moves(&item)) => {
                operation.metafield.into_iter().collect()
            }
            Verb::UpdateBatch => items
                .iter()
                .filter(moves)
                .filter_map(|item| item.id)
                .collect(),
            Verb::DeleteBatch => items.iter().filter_map(|item| item.id).collect(),
            _ => Vec::new(),
        })
    }
}

/// An exchange under way. However it ends, also by being dropped in its middle, what it may have changed is
/// forgotten; what its answer shows is remembered.
pub(in crate::gateway) struct Watch<'m> {
    memory: &'m Memory,
    /// The upstream's number, and the store there.
    at: (u64, StoreHash),
    mark: Mark,
    changes: Vec<Id>,
}

impl<'m> Watch<'m> {
    /// Begins before anything is sent.
    pub(in crate::gateway) fn begin(
        memory: &'m Memory,
        at: (u64, StoreHash),
        changes: Changes,
        now: Instant,
    ) -> Self {
        Self {
            memory,
            at,
            mark: memory.mark(now),
            changes: changes.0,
        }
    }

    /// Ends with an answer that is as the gateway got it.
    pub(in crate::gateway) fn end(mut self, inbound: &Inbound) {
        let ids = std::mem::take(&mut self.changes);
        let status = inbound.head.status;
        let mut changed: Vec<(Id, Option<Mark>)> = ids
            .into_iter()
            .map(|id| (id, self.memory.changed(&self.name(id), self.mark)))
            .collect();
        changed.sort_unstable_by_key(|(id, _)| *id);
        let Some(body) = readable(inbound).filter(|_| shows(status)) else {
            return;
        };
        for (id, owner) in owners_in(body) {
            let own = changed.binary_search_by_key(&id, |(id, _)| *id);
            let own = own.ok().and_then(|place| changed.get(place));
            let mark = own.map_or(Some(self.mark), |(_, mark)| *mark);
            if let Some(mark) = mark {
                self.memory.learn(self.name(id), owner, mark);
            }
        }
    }

    fn name(&self, id: Id) -> Name {
        (self.at.0, self.at.1, id)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        for id in std::mem::take(&mut self.changes) {
            self.memory.changed(&self.name(id), self.mark);
        }
    }
}
