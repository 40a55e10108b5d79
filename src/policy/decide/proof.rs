//! What a request alone cannot show: an id does not say in whose territory its metafield is. A caller that
//! is limited to namespaces, keys or customers gets an [`Unproven`] request, which becomes an [`Allowed`]
//! only by the owners of its metafields; or an [`Allowed`] with a [`Veil`] over
//! its answer, which may be passed on only when it was judged too.

use super::Allowed;
use crate::denial::{Code, Denial, Fault, Faults, Place};
use crate::policy::grants::{Grants, Needs, Reported};
use crate::policy::metafield::Item;
use crate::policy::owner::{self, Owner};
use crate::policy::query::Query;
use crate::policy::route::Operation;
use crate::policy::vocabulary::{Id, Verb};
use bytes::Bytes;
use http::Method;

/// A request that was judged by itself.
#[derive(Debug)]
pub enum Judged<'a> {
    /// It may be sent, and its answer passed on.
    Allowed(Allowed),
    /// It may be sent; its answer is to be judged.
    Veiled(Allowed, Box<Veil<'a>>),
    /// It may be sent once the owners of its metafields are known, and within the caller's grants.
    Unproven(Box<Unproven<'a>>),
}

/// What stands between the answer to a `GET` of one metafield and its caller: only the answer shows whose
/// it is.
#[derive(Debug)]
#[must_use = "the answer must be judged"]
pub struct Veil<'a> {
    operation: Operation,
    grants: &'a Grants,
}

/// A request about metafields by their ids.
#[derive(Debug)]
pub struct Unproven<'a> {
    allowed: Allowed,
    grants: &'a Grants,
    ids: Vec<Id>,
}

impl<'a> Judged<'a> {
    pub(super) fn new(allowed: Allowed, grants: &'a Grants, items: &[Item]) -> Self {
        match grants.needs(&allowed.operation) {
            Needs::Nothing => Self::Allowed(allowed),
            Needs::Answer => {
                let operation = allowed.operation.clone();
                Self::Veiled(allowed, Box::new(Veil { operation, grants }))
            }
            Needs::Owners => {
                let ids: Vec<Id> = match allowed.operation.metafield {
                    Some(id) => vec![id],
                    None => items.iter().filter_map(|item| item.id).collect(),
                };
                if ids.is_empty() {
                    return Self::Allowed(allowed);
                }
                let unproven = Unproven {
                    allowed,
                    grants,
                    ids,
                };
                Self::Unproven(Box::new(unproven))
            }
        }
    }

    /// The operation that was judged.
    pub fn operation(&self) -> &Operation {
        &self.judged().operation
    }

    /// The bytes that were judged.
    pub fn body(&self) -> &Bytes {
        &self.judged().body
    }

    fn judged(&self) -> &Allowed {
        match self {
            Self::Allowed(allowed) | Self::Veiled(allowed, _) => allowed,
            Self::Unproven(unproven) => &unproven.allowed,
        }
    }
}

impl Veil<'_> {
    /// Whether a body that shows the metafield may be passed on: outside the caller's grants it does not
    /// exist for it.
    pub fn judge(self, body: Result<&[u8], Denial>, reported: &mut Reported) -> Result<(), Denial> {
        match self.owner(body) {
            Ok(owner) => self.grants.hold(self.judged(&owner), reported),
            // As where a look-up fails.
            Err(_) if self.grants.only_report() => {
                reported.note(Code::OwnershipUnknown);
                Ok(())
            }
            Err(denial) => Err(denial),
        }
    }

    fn owner(&self, body: Result<&[u8], Denial>) -> Result<Owner, Denial> {
        let body = body?;
        let metafield = self.operation.metafield;
        let owner = metafield.and_then(|id| owner::owner_in(body, id));
        owner.ok_or_else(|| Denial::UpstreamProtocolError {
            cause: "it does not show whose metafield it is".to_owned(),
        })
    }

    fn judged(&self, owner: &Owner) -> Result<(), Denial> {
        let is_within = self.grants.refuse_owner(owner, &self.operation).is_none();
        if is_within && owner.may_be_at(&self.operation) {
            return Ok(());
        }
        Err(Denial::UnknownMetafield)
    }
}

impl Unproven<'_> {
    /// The operation that waits for its proof.
    pub fn operation(&self) -> &Operation {
        &self.allowed.operation
    }

    /// The metafields whose owners must be known, in the request's order.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// A request that asks for the one metafield's owner; `None` for a batch, whose paths name no
    /// customers.
    pub fn look_up(&self) -> Option<Allowed> {
        let operation = &self.allowed.operation;
        (operation.metafield.is_some() && operation.customer.is_some()).then(|| Allowed {
            operation: Operation {
                verb: Verb::Get,
                method: Method::GET,
                ..operation.clone()
            },
            query: Query::default(),
            body: Bytes::new(),
        })
    }

    /// Judges by the owners, in the order of [`Self::ids`]; `None` for those that are not known.
    pub fn prove<'o>(
        self,
        owners: impl IntoIterator<Item = Option<&'o Owner>>,
        reported: &mut Reported,
    ) -> Result<Allowed, Denial> {
        let owners: Vec<_> = owners.into_iter().collect();
        self.grants.hold(self.judged(&owners), reported)?;
        Ok(self.allowed)
    }

    fn judged(&self, owners: &[Option<&Owner>]) -> Result<(), Denial> {
        let operation = &self.allowed.operation;
        // Its owner's names are no matter of whoever looks for it at another customer.
        if !owners
            .iter()
            .flatten()
            .all(|owner| owner.may_be_at(operation))
        {
            return Err(Denial::UnknownMetafield);
        }
        let owner_of = |index| owners.get(index).copied().flatten();
        let faults: Vec<Fault> = (0..self.ids.len())
            .filter_map(|index| self.fault(index, owner_of(index)))
            .collect();
        match Faults::found(faults) {
            None => Ok(()),
            // As in the answer to a `GET`.
            Some(_) if operation.verb == Verb::Get => Err(Denial::UnknownMetafield),
            Some(faults) => Err(Denial::Fields(faults)),
        }
    }

    /// Whether its caller's refusals are only reported.
    pub fn only_reports(&self) -> bool {
        self.grants.only_report()
    }

    fn fault(&self, index: usize, owner: Option<&Owner>) -> Option<Fault> {
        let (code, field, reason) = match owner {
            Some(owner) => {
                let operation = &self.allowed.operation;
                match self.grants.refuse_owner(owner, operation)? {
                    (Code::OwnershipUnknown, field) => (Code::OwnershipUnknown, field, UNKNOWN),
                    (code, field) => (code, field, "the metafield is outside the caller's grant"),
                }
            }
            None => (Code::OwnershipUnknown, "id", UNKNOWN),
        };
        let place = if self.allowed.operation.verb.is_batch() {
            Place::Item(index, Some(field.into()))
        } else {
            Place::Field(field.into())
        };
        let reason = reason.into();
        Some(Fault {
            place,
            code,
            reason,
        })
    }
}

/// What to do about a metafield whose owner is not known.
const UNKNOWN: &str = "whose metafield it is is not known: read it first through the gateway, with `list_all` and the namespace, or use the path with its customer";

#[cfg(test)]
mod tests;
