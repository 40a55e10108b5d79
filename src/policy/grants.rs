//! What a caller may do: its scopes, and the grants that narrow them. Every grant only takes away;
//! a caller without grants may do what its scopes open.

use super::metafield::Item;
use super::owner::Owner;
use super::route::Operation;
use super::vocabulary::{PermissionSet, Scope, StoreHash, Verb};
use crate::denial::{Code, Denial, Fault, Faults, Place};
use http::Method;

/// A caller's scopes and grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// The scopes that open operations.
    pub scopes: Vec<Scope>,
    /// The stores the caller may reach; `None` for every configured one.
    pub stores: Option<Vec<StoreHash>>,
    /// The operations the caller may use; `None` for what the scopes open.
    pub operations: Option<Vec<Verb>>,
    /// The permission sets the caller may write; `None` for all five.
    pub permission_sets: Option<Vec<PermissionSet>>,
    /// The namespaces the caller keeps to.
    pub namespaces: Namespaces,
    /// How a request by id is held to them.
    pub ownership: Ownership,
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

/// The namespaces that a caller keeps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespaces {
    /// Every namespace.
    Any,
    /// Those that one of the patterns names.
    Only(Vec<NamespacePattern>),
}

/// A namespace, or all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespacePattern {
    /// This namespace alone.
    Exact(String),
    /// Every longer namespace that begins with this text, which ends in a dot.
    Prefix(String),
}

impl Grants {
    /// Whether the caller may use this operation on this store at all.
    pub(super) fn permit(&self, operation: &Operation) -> Result<(), Denial> {
        if !self.scopes.iter().any(|scope| scope.opens(operation.verb)) {
            let needs = if operation.verb.reads() {
                Scope::CustomersReadOnly
            } else {
                Scope::Customers
            };
            return Err(Denial::ScopeDenied {
                needs: needs.as_str(),
            });
        }
        if self
            .stores
            .as_ref()
            .is_some_and(|stores| !stores.contains(&operation.store))
        {
            return Err(Denial::StoreDenied);
        }
        if self
            .operations
            .as_ref()
            .is_some_and(|verbs| !verbs.contains(&operation.verb))
        {
            return Err(Denial::OperationDenied);
        }
        match self.ownership {
            Ownership::LookUp => Ok(()),
            Ownership::Named => self.namespaces.permit_operation(operation.verb),
        }
    }

    /// Whether the caller's requests depend on whose metafields are.
    pub fn is_limited(&self) -> bool {
        matches!(self.namespaces, Namespaces::Only(_))
    }

    /// What is still to be known of a request.
    pub(super) fn needs(&self, operation: &Operation) -> Needs {
        match operation.verb {
            _ if !self.is_limited() || self.ownership == Ownership::Named => Needs::Nothing,
            Verb::Get if operation.method == Method::GET => Needs::Answer,
            // The answer to HEAD shows no more than that there is such a metafield, and how long it is.
            Verb::Get | Verb::Update | Verb::Delete | Verb::UpdateBatch | Verb::DeleteBatch => {
                Needs::Owners
            }
            Verb::Create | Verb::CreateBatch | Verb::List | Verb::ListAll => Needs::Nothing,
        }
    }

    /// Why a metafield is outside the grants, and by which of its fields.
    pub(super) fn refuse_owner(&self, owner: &Owner) -> Option<(Code, &'static str)> {
        (!self.namespaces.cover(owner.namespace())).then_some((Code::NamespaceDenied, "namespace"))
    }

    /// Whether the caller may write these items.
    pub(super) fn permit_items(&self, verb: Verb, items: &[Item]) -> Result<(), Denial> {
        let mut faults = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = |field: &'static str| {
                if verb.is_batch() {
                    Place::Item(index, Some(field.into()))
                } else {
                    Place::Field(field.into())
                }
            };
            if let (Some(granted), Some(set)) = (&self.permission_sets, item.permission_set)
                && !granted.contains(&set)
            {
                faults.push(Fault {
                    place: place("permission_set"),
                    code: Code::PermissionSetDenied,
                    reason: format!("the caller is granted {}", listed(granted)).into(),
                });
            }
            let may_be_unnamed = self.ownership == Ownership::LookUp
                && matches!(verb, Verb::Update | Verb::UpdateBatch);
            let named = item.namespace.as_deref();
            if let Some(reason) = self.namespaces.refuses(named)
                && (named.is_some() || !may_be_unnamed)
                && verb != Verb::DeleteBatch
            {
                let code = Code::NamespaceDenied;
                faults.push(Fault {
                    place: place("namespace"),
                    code,
                    reason: reason.into(),
                });
            }
        }
        Faults::found(faults).map_or(Ok(()), |faults| Err(Denial::Fields(faults)))
    }
}

fn listed(sets: &[PermissionSet]) -> String {
    sets.iter()
        .map(|set| set.as_str())
        .collect::<Vec<_>>()
        .join(", ")
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

impl Namespaces {
    /// Whether the grant covers this namespace.
    pub fn cover(&self, namespace: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| match pattern {
                NamespacePattern::Exact(exact) => exact == namespace,
                NamespacePattern::Prefix(prefix) => {
                    namespace.len() > prefix.len() && namespace.starts_with(prefix.as_str())
                }
            }),
        }
    }

    /// An id alone does not say in which namespace the metafield is, so a limited caller cannot use
    /// the operations that name nothing else.
    fn permit_operation(&self, verb: Verb) -> Result<(), Denial> {
        match (self, verb) {
            (Self::Only(_), Verb::Get | Verb::Delete | Verb::DeleteBatch) => {
                Err(Denial::NamespaceUnproven {
                    remedy: "the caller is limited to namespaces, and an id does not show the metafield's namespace: use a list operation with `namespace`, or a caller without that limit",
                })
            }
            _ => Ok(()),
        }
    }

    fn refuses(&self, namespace: Option<&str>) -> Option<&'static str> {
        match (self, namespace) {
            (Self::Any, _) => None,
            (Self::Only(_), None) => {
                Some("name the metafield's namespace, because the caller is limited to some")
            }
            (Self::Only(_), Some(namespace)) => {
                (!self.cover(namespace)).then_some("is outside the caller's grant")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(patterns: &[&str]) -> Namespaces {
        Namespaces::Only(
            patterns
                .iter()
                .map(|pattern| match pattern.strip_suffix('*') {
                    Some(prefix) => NamespacePattern::Prefix(prefix.to_owned()),
                    None => NamespacePattern::Exact((*pattern).to_owned()),
                })
                .collect(),
        )
    }

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

    #[test]
    fn patterns_are_exact_or_a_longer_prefix() {
        let granted = only(&["crm", "erp.*"]);
        for covered in ["crm", "erp.orders", "erp.a.b"] {
            assert!(granted.cover(covered), "{covered}");
        }
        for outside in ["", "CRM", "crm.", "crmx", "crm.x", "erp", "erp.", "erpx"] {
            assert!(!granted.cover(outside), "{outside}");
        }
    }
}
