//! What a caller may do: its scopes, and the grants that narrow them. Every grant only takes away;
//! a caller without grants may do what its scopes open. Each grant is judged by a check of its own
//! (`checks`), and they stand in one list in the order in which they answer.

pub mod checks;
mod customers;
mod names;

pub use customers::Customers;
pub use names::{Names, Pattern};

use super::metafield::Item;
use super::owner::Owner;
use super::route::Operation;
use super::vocabulary::{PermissionSet, Scope, StoreHash, Verb};
use crate::denial::{Code, Denial, Faults};
use http::Method;
use std::collections::BTreeSet;

/// A caller's scopes and grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// The scopes that open operations.
    pub scopes: Vec<Scope>,
    /// The stores the caller may reach; `None` for every configured one.
    pub stores: Option<BTreeSet<StoreHash>>,
    /// The operations the caller may use; `None` for what the scopes open.
    pub operations: Option<Vec<Verb>>,
    /// The permission sets the caller may write; `None` for all five.
    pub permission_sets: Option<Vec<PermissionSet>>,
    /// The namespaces the caller keeps to.
    pub namespaces: Names,
    /// The keys the caller keeps to.
    pub keys: Names,
    /// The customers whose metafields the caller may reach; `None` for every customer.
    pub customers: Option<Customers>,
    /// The most items of a batch; `None` for what the rules of bodies allow everybody.
    pub batch_items: Option<usize>,
    /// The fields that the caller's updates must name.
    pub require: Vec<Required>,
    /// How a request by id is held to the grants.
    pub ownership: Ownership,
    /// What a refusal by these grants does.
    pub enforcement: Enforcement,
}

/// What a refusal by a caller's grants does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcement {
    /// It refuses the request.
    Enforce,
    /// It is only reported.
    Report,
}

/// The first refusal by grants that was only reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reported(Option<Code>);

impl Reported {
    /// The code with which the request would have been refused.
    pub const fn code(self) -> Option<Code> {
        self.0
    }

    pub(super) fn note(&mut self, code: Code) {
        self.0.get_or_insert(code);
    }
}

/// How a limited caller's request by id is held to its grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Its metafields' owners must be known: they are remembered, or looked up.
    LookUp,
    /// The request itself must name what it is about.
    Named,
}

/// What is still to be known of a request that was judged by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing.
    Nothing,
    /// Whose the metafield in its answer is.
    Answer,
    /// Whose its metafields are.
    Owners,
}

/// A field that a caller's updates must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// `permission_set`
    PermissionSet,
    /// `namespace`
    Namespace,
    /// `key`
    Key,
}

impl Required {
    /// Every field that can be required.
    pub const ALL: [Self; 3] = [Self::PermissionSet, Self::Namespace, Self::Key];

    /// The field's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PermissionSet => "permission_set",
            Self::Namespace => "namespace",
            Self::Key => "key",
        }
    }
}

impl Grants {
    /// The grants of a caller that is narrowed by nothing but its scopes.
    pub const fn of_scopes(scopes: Vec<Scope>) -> Self {
        Self {
            scopes,
            stores: None,
            operations: None,
            permission_sets: None,
            namespaces: Names::Any,
            keys: Names::Any,
            customers: None,
            batch_items: None,
            require: Vec::new(),
            ownership: Ownership::LookUp,
            enforcement: Enforcement::Enforce,
        }
    }

    /// Whether the scopes open the operation at all.
    pub fn open(&self, verb: Verb) -> bool {
        self.scopes.iter().any(|scope| scope.opens(verb))
    }

    /// Whether the caller may use this operation on this store at all.
    pub(super) fn permit(
        &self,
        operation: &Operation,
        reported: &mut Reported,
    ) -> Result<(), Denial> {
        checks::scope(self, operation)?;
        checks::HEAD
            .iter()
            .try_for_each(|check| self.hold((check.judge)(self, operation), reported))
    }

    /// Whether refusals are only reported.
    pub fn only_report(&self) -> bool {
        self.enforcement == Enforcement::Report
    }

    /// The outcome of a check of these grants: the one place where a refusal is let through.
    pub(super) fn hold(
        &self,
        outcome: Result<(), Denial>,
        reported: &mut Reported,
    ) -> Result<(), Denial> {
        match outcome {
            Err(denial) if self.only_report() => {
                reported.note(denial.code());
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// The most items of a batch, where more are refused while they are read.
    pub(super) fn batch_limit(&self) -> Option<usize> {
        self.batch_items.filter(|_| !self.only_report())
    }

    /// Whether a batch is as small as granted.
    pub(super) fn permit_count(&self, items: usize) -> Result<(), Denial> {
        match self.batch_items {
            Some(limit) if items > limit => Err(Denial::BatchOverGrant { limit }),
            _ => Ok(()),
        }
    }

    /// Whether the caller's requests depend on whose metafields are.
    pub const fn is_limited(&self) -> bool {
        self.keeps_to_names() || self.customers.is_some()
    }

    const fn keeps_to_names(&self) -> bool {
        self.namespaces.is_limited() || self.keys.is_limited()
    }

    /// What is still to be known of a request.
    pub(super) fn needs(&self, operation: &Operation) -> Needs {
        match operation.verb {
            _ if self.ownership == Ownership::Named => Needs::Nothing,
            Verb::UpdateBatch | Verb::DeleteBatch if self.is_limited() => Needs::Owners,
            _ if !self.keeps_to_names() => Needs::Nothing,
            Verb::Get if operation.method == Method::GET => Needs::Answer,
            // The answer to HEAD shows no more than that there is such a metafield, and how long it is.
            Verb::Get | Verb::Update | Verb::Delete => Needs::Owners,
            _ => Needs::Nothing,
        }
    }

    /// Why a metafield is outside the grants, and by which of its fields. Its customer counts where the
    /// path does not name one; where it does, [`Owner::may_be_at`] compares them.
    pub(super) fn refuse_owner(
        &self,
        owner: &Owner,
        operation: &Operation,
    ) -> Option<(Code, &'static str)> {
        if !self.namespaces.cover(owner.namespace()) {
            return Some((Code::NamespaceDenied, "namespace"));
        }
        if !self.keys.cover(owner.key()) {
            return Some((Code::KeyDenied, "key"));
        }
        let customers = self.customers.as_ref()?;
        if operation.customer.is_some() {
            return None;
        }
        match owner.customer() {
            None => Some((Code::OwnershipUnknown, "resource_id")),
            Some(customer) if customers.cover(customer) => None,
            Some(_) => Some((Code::CustomerDenied, "resource_id")),
        }
    }

    /// Whether the caller may write these items.
    pub(super) fn permit_items(&self, verb: Verb, items: &[Item]) -> Result<(), Denial> {
        let mut faults = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let found = checks::ITEM
                .iter()
                .filter_map(|check| check.judge(self, verb, index, item));
            faults.extend(found);
        }
        Faults::found(faults).map_or(Ok(()), |faults| Err(Denial::Fields(faults)))
    }

    fn requires(&self, field: Required) -> bool {
        self.require.contains(&field)
    }
}

impl Scope {
    /// Whether the scope opens the operation (contract section 1).
    pub const fn opens(self, verb: Verb) -> bool {
        match self {
            Self::Customers => true,
            Self::CustomersReadOnly => verb.reads(),
            Self::StoredPaymentInstruments
            | Self::StoredPaymentInstrumentsReadOnly
            | Self::Foreign(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_open_what_the_contract_says() {
        for verb in Verb::ALL {
            assert!(Scope::Customers.opens(verb));
            assert_eq!(Scope::CustomersReadOnly.opens(verb), verb.reads());
            assert!(!Scope::StoredPaymentInstruments.opens(verb));
            assert!(!Scope::StoredPaymentInstrumentsReadOnly.opens(verb));
            assert!(!Scope::Foreign("store_v2_orders").opens(verb));
        }
    }
}
