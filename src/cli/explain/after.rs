//! Who could see and change a metafield after an allowed request, in BigCommerce's own terms: the callers of
//! this gateway, who all are one API account to BigCommerce, other API accounts, and the storefront.
//!
//! Source: BigCommerce, Customers v3 reference, `permission_set`.

use crate::config::Policy;
use crate::policy::vocabulary::{Id, PermissionSet, StoreHash, Verb};
use crate::policy::{Grants, Item, Names, Operation};

/// How many callers are named.
const NAMED: usize = 10;

/// The lines to show of a request of a caller with the grants `own`.
pub(super) fn told(
    policy: &Policy,
    own: &Grants,
    operation: &Operation,
    items: &[Item],
) -> Vec<String> {
    match operation.verb {
        Verb::Delete | Verb::DeleteBatch => {
            vec!["afterwards: nobody, the metafields are gone from BigCommerce for every API account".to_owned()]
        }
        Verb::Get | Verb::List | Verb::ListAll => vec![
            "afterwards: as before, it only reads what the store's API account may see: its own metafields, and those of others that are not app_only".to_owned(),
        ],
        _ => written(policy, own, operation, items),
    }
}

fn written(policy: &Policy, own: &Grants, operation: &Operation, items: &[Item]) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, item) in items.iter().enumerate().take(NAMED) {
        if operation.verb.is_batch() {
            lines.push(format!("item {index}, afterwards:"));
        } else {
            lines.push("afterwards:".to_owned());
        }
        lines.extend(of_item(policy, own, operation, item));
    }
    if items.len() > NAMED {
        lines.push(format!("and {} more items", items.len() - NAMED));
    }
    lines
}

fn of_item(policy: &Policy, own: &Grants, operation: &Operation, item: &Item) -> [String; 4] {
    let subject = Subject::of(own, operation, item);
    let able = |verbs: &[Verb]| subject.callers(policy, verbs);
    let (accounts, storefront) = match item.permission_set {
        None => (
            "as before: the request does not name permission_set, which stays as it is",
            "as before",
        ),
        Some(PermissionSet::AppOnly) => (
            "none: app_only keeps it to the store's own API account",
            "no",
        ),
        Some(PermissionSet::Read) => ("may read it", "no"),
        Some(PermissionSet::Write) => ("may read and write it", "no"),
        Some(PermissionSet::ReadAndStorefront) => ("may read it", "may read it"),
        Some(PermissionSet::WriteAndStorefront) => ("may read and write it", "may read it"),
    };
    [
        format!(
            "  callers of this gateway who may read it    {}",
            able(&[Verb::Get, Verb::List, Verb::ListAll])
        ),
        format!(
            "  callers of this gateway who may change it  {}",
            able(&[
                Verb::Update,
                Verb::UpdateBatch,
                Verb::Delete,
                Verb::DeleteBatch
            ])
        ),
        format!("  other API accounts of the store            {accounts}"),
        format!("  the storefront                             {storefront}"),
    ]
}

/// Whether a caller can reach a metafield.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    No,
    /// If what the request does not name is within the caller's grants.
    Perhaps,
    Yes,
}

/// What is known of the metafield: what the request names, and else that it is within the grants of the
/// caller whose request it is.
struct Subject<'a> {
    store: StoreHash,
    namespace: Option<&'a str>,
    key: Option<&'a str>,
    customer: Option<Id>,
    own: Option<&'a Grants>,
}

impl<'a> Subject<'a> {
    fn of(own: &'a Grants, operation: &Operation, item: &'a Item) -> Self {
        // In an update it is what the caller says, and moves nothing.
        let created = item.resource_id.filter(|_| !is_update(operation.verb));
        Self {
            store: operation.store,
            namespace: item.namespace.as_deref(),
            key: item.key.as_deref(),
            customer: operation.customer.or(created),
            own: Some(own).filter(|own| !own.only_report()),
        }
    }

    /// The callers who may use one of these operations on it.
    fn callers(&self, policy: &Policy, verbs: &[Verb]) -> String {
        let of = |reach: Reach| {
            let callers = policy.callers.iter();
            let able = callers.filter(|caller| self.reach(&caller.grants, verbs) == reach);
            names(able.map(|caller| caller.name.as_str()))
        };
        match (of(Reach::Yes), of(Reach::Perhaps)) {
            (None, None) => "none".to_owned(),
            (Some(yes), None) => yes,
            (yes, Some(perhaps)) => {
                let yes = yes.unwrap_or_else(|| "none".to_owned());
                format!("{yes}; and if it is within their grants: {perhaps}")
            }
        }
    }

    fn reach(&self, grants: &Grants, verbs: &[Verb]) -> Reach {
        let can = |verb: &&Verb| {
            let granted = grants.operations.as_ref();
            grants.open(**verb)
                && (grants.only_report() || granted.is_none_or(|granted| granted.contains(verb)))
        };
        if !verbs.iter().any(|verb| can(&verb)) {
            return Reach::No;
        }
        if grants.only_report() {
            return Reach::Yes;
        }
        let stores = grants.stores.as_ref();
        if stores.is_some_and(|stores| !stores.contains(&self.store)) {
            return Reach::No;
        }
        let own = |names: fn(&Grants) -> &Names| self.own.map_or(&Names::Any, names);
        let of_names = [
            among(
                &grants.namespaces,
                self.namespace,
                own(|own| &own.namespaces),
            ),
            among(&grants.keys, self.key, own(|own| &own.keys)),
        ];
        let [namespace, key] = of_names;
        namespace.min(key).min(self.of_customer(grants))
    }

    fn of_customer(&self, grants: &Grants) -> Reach {
        let Some(granted) = &grants.customers else {
            return Reach::Yes;
        };
        let own = self.own.and_then(|own| own.customers.as_ref());
        match (self.customer, own) {
            (Some(customer), _) if granted.cover(customer) => Reach::Yes,
            (Some(_), _) => Reach::No,
            (None, Some(own)) if own == granted => Reach::Yes,
            (None, Some(own)) if !own.meet(granted) => Reach::No,
            (None, _) => Reach::Perhaps,
        }
    }
}

/// Whether a name is among those that are granted, where it may be known only that it is among `own`.
fn among(granted: &Names, name: Option<&str>, own: &Names) -> Reach {
    match name {
        _ if !granted.is_limited() => Reach::Yes,
        Some(name) if granted.cover(name) => Reach::Yes,
        Some(_) => Reach::No,
        None if own == granted => Reach::Yes,
        None if !own.meet(granted) => Reach::No,
        None => Reach::Perhaps,
    }
}

fn is_update(verb: Verb) -> bool {
    matches!(verb, Verb::Update | Verb::UpdateBatch)
}

/// The first names of a list; `None` where it is empty.
fn names<'c>(names: impl Iterator<Item = &'c str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    match names.len() {
        0 => None,
        count if count > NAMED => {
            let shown: Vec<&str> = names.iter().take(NAMED).copied().collect();
            Some(format!("{} and {} more", shown.join(", "), count - NAMED))
        }
        _ => Some(names.join(", ")),
    }
}
