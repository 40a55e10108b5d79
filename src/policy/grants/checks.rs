//! The checks of a caller's grants, one function each, in three lists in the order in which they
//! answer: [`HEAD`] is judged before the body, [`QUERY`] with the query, [`ITEM`] for each metafield
//! of a body. The decision walks these lists, and so does who explains it.

use super::{Grants, Names, Ownership, Required};
use crate::denial::{Code, Denial, Fault, Place};
use crate::policy::metafield::Item;
use crate::policy::route::Operation;
use crate::policy::vocabulary::{PermissionSet, Scope, Verb};
use std::borrow::Cow;

/// A key and a value of a query, decoded.
pub type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A check that needs the head alone.
#[derive(Debug, Clone, Copy)]
pub struct HeadCheck {
    /// The key of the grant in the configuration.
    pub name: &'static str,
    /// The check itself.
    pub judge: fn(&Grants, &Operation) -> Result<(), Denial>,
}

/// A check of what a list asks for.
#[derive(Debug, Clone, Copy)]
pub struct QueryCheck {
    /// The key of the grant in the configuration.
    pub name: &'static str,
    /// The check itself, of the decoded query.
    pub judge: fn(&Grants, &[Pair<'_>]) -> Result<(), Denial>,
}

/// A check of a metafield that is written.
#[derive(Debug, Clone, Copy)]
pub struct ItemCheck {
    /// The key of the grant in the configuration.
    pub name: &'static str,
    /// The field that it judges.
    pub field: &'static str,
    code: Code,
    refuses: fn(&Grants, Verb, &Item) -> Option<Reason>,
}

type Reason = Cow<'static, str>;

/// The checks that need no body, in their order; the scope's comes before them.
pub const HEAD: [HeadCheck; 5] = [
    HeadCheck {
        name: "stores",
        judge: store,
    },
    HeadCheck {
        name: "operations",
        judge: operation,
    },
    HeadCheck {
        name: "customers",
        judge: customer,
    },
    HeadCheck {
        name: "namespaces",
        judge: namespace_of_id,
    },
    HeadCheck {
        name: "keys",
        judge: key_of_id,
    },
];

/// The checks of what a list asks for, in their order.
pub const QUERY: [QueryCheck; 2] = [
    QueryCheck {
        name: "namespaces",
        judge: listed_namespaces,
    },
    QueryCheck {
        name: "keys",
        judge: listed_keys,
    },
];

/// The checks of a metafield that is written, in their order.
pub const ITEM: [ItemCheck; 4] = [
    ItemCheck {
        name: "permission_sets",
        field: "permission_set",
        code: Code::PermissionSetDenied,
        refuses: permission_set,
    },
    ItemCheck {
        name: "namespaces",
        field: "namespace",
        code: Code::NamespaceDenied,
        refuses: namespace,
    },
    ItemCheck {
        name: "keys",
        field: "key",
        code: Code::KeyDenied,
        refuses: key,
    },
    ItemCheck {
        name: "customers",
        field: "resource_id",
        code: Code::CustomerDenied,
        refuses: customer_of_item,
    },
];

impl ItemCheck {
    /// What the check has against this item.
    pub fn judge(&self, grants: &Grants, verb: Verb, index: usize, item: &Item) -> Option<Fault> {
        let reason = (self.refuses)(grants, verb, item)?;
        let place = if verb.is_batch() {
            Place::Item(index, Some(self.field.into()))
        } else {
            Place::Field(self.field.into())
        };
        Some(Fault {
            place,
            code: self.code,
            reason,
        })
    }
}

/// Whether one of the caller's scopes opens the operation. No grant: it comes before them, and is
/// always enforced.
pub fn scope(grants: &Grants, operation: &Operation) -> Result<(), Denial> {
    if grants.open(operation.verb) {
        return Ok(());
    }
    let needs = if operation.verb.reads() {
        Scope::CustomersReadOnly
    } else {
        Scope::Customers
    };
    Err(Denial::ScopeDenied {
        needs: needs.as_str(),
    })
}

fn store(grants: &Grants, operation: &Operation) -> Result<(), Denial> {
    match &grants.stores {
        Some(stores) if !stores.contains(&operation.store) => Err(Denial::StoreDenied),
        _ => Ok(()),
    }
}

fn operation(grants: &Grants, operation: &Operation) -> Result<(), Denial> {
    match &grants.operations {
        Some(verbs) if !verbs.contains(&operation.verb) => Err(Denial::OperationDenied),
        _ => Ok(()),
    }
}

/// The path proves the customer where it names one. Each row of `create_batch` names its own, and is
/// judged with the items; rows named by their ids are judged by whose they are, where that can be known. A
/// list of all shows metafields of whatever customer.
fn customer(grants: &Grants, operation: &Operation) -> Result<(), Denial> {
    let Some(customers) = &grants.customers else {
        return Ok(());
    };
    match (operation.customer, operation.verb) {
        (Some(customer), _) if customers.cover(customer) => Ok(()),
        (Some(_), _) => Err(Denial::CustomerDenied),
        (None, Verb::CreateBatch) => Ok(()),
        (None, Verb::UpdateBatch | Verb::DeleteBatch) if grants.ownership == Ownership::LookUp => {
            Ok(())
        }
        (None, _) => Err(Denial::CustomerUnproven {
            remedy: "the caller is limited to customers, and this operation does not show whose metafields it is about: use an operation whose path names the customer, or a caller without that limit",
        }),
    }
}

/// An id alone does not say in which namespace the metafield is. Where nobody looks that up, a limited
/// caller cannot use the operations that name nothing else.
fn namespace_of_id(grants: &Grants, operation: &Operation) -> Result<(), Denial> {
    if grants.namespaces.is_limited() && stays_unproven(grants, operation.verb) {
        return Err(Denial::NamespaceUnproven {
            remedy: "the caller is limited to namespaces, and an id does not show the metafield's namespace: use a list operation with `namespace`, or a caller without that limit",
        });
    }
    Ok(())
}

fn key_of_id(grants: &Grants, operation: &Operation) -> Result<(), Denial> {
    if grants.keys.is_limited() && stays_unproven(grants, operation.verb) {
        return Err(Denial::KeyUnproven {
            remedy: "the caller is limited to keys, and an id does not show the metafield's key: use a list operation with `key`, or a caller without that limit",
        });
    }
    Ok(())
}

fn stays_unproven(grants: &Grants, verb: Verb) -> bool {
    grants.ownership == Ownership::Named
        && matches!(verb, Verb::Get | Verb::Delete | Verb::DeleteBatch)
}

/// Whether what an item leaves out is judged by whose the metafield is.
fn is_proven_by_owner(grants: &Grants, verb: Verb) -> bool {
    verb == Verb::DeleteBatch
        || (grants.ownership == Ownership::LookUp
            && matches!(verb, Verb::Update | Verb::UpdateBatch))
}

fn listed_namespaces(grants: &Grants, pairs: &[Pair<'_>]) -> Result<(), Denial> {
    if asks_within(&grants.namespaces, pairs, ["namespace", "namespace:in"]) {
        return Ok(());
    }
    let remedy = if names_any(pairs, ["namespace", "namespace:in"]) {
        "the query names a namespace outside the caller's grant: name granted ones alone with `namespace` or `namespace:in`"
    } else {
        "the caller is limited to namespaces: name one of them with `namespace` or `namespace:in`"
    };
    Err(Denial::NamespaceUnproven { remedy })
}

fn names_any(pairs: &[Pair<'_>], keys: [&str; 2]) -> bool {
    pairs.iter().any(|(key, _)| keys.contains(&&**key))
}

fn listed_keys(grants: &Grants, pairs: &[Pair<'_>]) -> Result<(), Denial> {
    if asks_within(&grants.keys, pairs, ["key", "key:in"]) {
        return Ok(());
    }
    let remedy = if names_any(pairs, ["key", "key:in"]) {
        "the query names a key outside the caller's grant: name granted ones alone with `key` or `key:in`"
    } else {
        "the caller is limited to keys: name one of them with `key` or `key:in`"
    };
    Err(Denial::KeyUnproven { remedy })
}

/// Whether a list asks for names, and for none but granted ones. With both keys present the two filters
/// meet, but which of them BigCommerce lets win is not documented: both must be within the grant.
fn asks_within(granted: &Names, pairs: &[Pair<'_>], [one, some]: [&str; 2]) -> bool {
    if !granted.is_limited() {
        return true;
    }
    let mut named = pairs.iter().filter_map(|(key, value)| {
        // Whether BigCommerce takes a comma in `one` for a part of the name or for the end of one is not
        // documented.
        if key == one {
            Some(granted.cover(value) && value.split(',').all(|name| granted.cover(name)))
        } else if key == some {
            Some(value.split(',').all(|name| granted.cover(name)))
        } else {
            None
        }
    });
    named.next() == Some(true) && named.all(|covered| covered)
}

fn permission_set(grants: &Grants, verb: Verb, item: &Item) -> Option<Reason> {
    match (item.permission_set, &grants.permission_sets) {
        (None, _) => unnamed(grants, verb, Required::PermissionSet),
        (Some(set), Some(granted)) if !granted.contains(&set) => {
            Some(format!("the caller is granted {}", listed(granted)).into())
        }
        _ => None,
    }
}

fn namespace(grants: &Grants, verb: Verb, item: &Item) -> Option<Reason> {
    let unnamed = || unnamed(grants, verb, Required::Namespace);
    let limited = "name the metafield's namespace, because the caller is limited to some";
    let limited = (!is_proven_by_owner(grants, verb)).then_some(limited);
    let named = item.namespace.as_deref();
    name(&grants.namespaces, named, limited, unnamed)
}

fn key(grants: &Grants, verb: Verb, item: &Item) -> Option<Reason> {
    let unnamed = || unnamed(grants, verb, Required::Key);
    let limited = "name the metafield's key, because the caller is limited to some";
    let limited = (!is_proven_by_owner(grants, verb)).then_some(limited);
    name(&grants.keys, item.key.as_deref(), limited, unnamed)
}

fn name(
    granted: &Names,
    named: Option<&str>,
    limited: Option<&'static str>,
    unnamed: impl FnOnce() -> Option<Reason>,
) -> Option<Reason> {
    match named {
        None => unnamed().or_else(|| Some(limited.filter(|_| granted.is_limited())?.into())),
        Some(name) => (!granted.cover(name)).then_some("is outside the caller's grant".into()),
    }
}

fn customer_of_item(grants: &Grants, verb: Verb, item: &Item) -> Option<Reason> {
    let customers = grants.customers.as_ref()?;
    let is_granted = match (verb, item.resource_id) {
        (Verb::CreateBatch, id) => id.is_some_and(|id| customers.cover(id)),
        // It is what the caller says, and proves nothing; but nothing may move to another's customer.
        (Verb::UpdateBatch, Some(id)) => customers.cover(id),
        _ => true,
    };
    (!is_granted).then_some("is a customer outside the caller's grant".into())
}

/// What an update leaves out stays as it is in BigCommerce, unseen; a caller can be made to say it.
fn unnamed(grants: &Grants, verb: Verb, field: Required) -> Option<Reason> {
    let is_update = matches!(verb, Verb::Update | Verb::UpdateBatch);
    (is_update && grants.requires(field))
        .then_some("must be named in an update, because the caller's grant requires it".into())
}

fn listed(sets: &[PermissionSet]) -> String {
    sets.iter()
        .map(|set| set.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;
    use super::*;

    #[test]
    fn a_limited_list_names_what_it_asks_for() {
        let granted = Names::only([
            Pattern::Exact("crm".to_owned()),
            Pattern::Prefix("erp.".to_owned()),
        ]);
        for keys in [["namespace", "namespace:in"], ["key", "key:in"]] {
            let list = |values: &[(usize, &'static str)]| {
                let pairs: Vec<Pair<'_>> = values
                    .iter()
                    .map(|(key, value)| {
                        let key = keys.get(*key).copied().unwrap_or("page");
                        (key.into(), (*value).into())
                    })
                    .collect();
                asks_within(&granted, &pairs, keys)
            };
            assert!(list(&[(0, "crm")]));
            assert!(list(&[(1, "crm,erp.a"), (2, "2")]));
            assert!(list(&[(0, "crm"), (1, "crm")]));
            assert!(!list(&[]));
            assert!(!list(&[(2, "2")]));
            assert!(!list(&[(0, "ads")]));
            assert!(list(&[(0, "erp.a,erp.b")]));
            assert!(!list(&[(0, "erp.a,ads")]));
            assert!(!list(&[(0, "erp.a,")]));
            assert!(!list(&[(0, "crm,erp.a")]));
            assert!(!list(&[(1, "crm,ads")]));
            assert!(!list(&[(1, "crm, crm")]));
            assert!(!list(&[(1, "")]));
            assert!(!list(&[(0, "crm"), (1, "ads")]));
            assert!(!list(&[(0, "ads"), (1, "crm")]));
        }
    }
}
