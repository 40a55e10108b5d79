//! Who could see and change a metafield after an allowed request, in BigCommerce's own terms: the callers of
//! this gateway, who all are one API account to BigCommerce, other API accounts, and the storefront.
//!
//! Source: BigCommerce, Customers v3 reference, `permission_set`.

use crate::config::Policy;
use crate::identity::Caller;
use crate::policy::vocabulary::{PermissionSet, Verb};
use crate::policy::{Item, Operation};

/// How many callers are named.
const NAMED: usize = 10;

/// The lines to show.
pub(super) fn told(policy: &Policy, operation: &Operation, items: &[Item]) -> Vec<String> {
    match operation.verb {
        Verb::Delete | Verb::DeleteBatch => {
            vec!["afterwards: nobody, the metafields are gone from BigCommerce for every API account".to_owned()]
        }
        Verb::Get | Verb::List | Verb::ListAll => vec![
            "afterwards: as before, it only reads what the store's API account may see: its own metafields, and those of others that are not app_only".to_owned(),
        ],
        _ => written(policy, operation, items),
    }
}

fn written(policy: &Policy, operation: &Operation, items: &[Item]) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, item) in items.iter().enumerate().take(NAMED) {
        if operation.verb.is_batch() {
            lines.push(format!("item {index}, afterwards:"));
        } else {
            lines.push("afterwards:".to_owned());
        }
        lines.extend(of_item(policy, operation, item));
    }
    if items.len() > NAMED {
        lines.push(format!("and {} more items", items.len() - NAMED));
    }
    lines
}

fn of_item(policy: &Policy, operation: &Operation, item: &Item) -> [String; 4] {
    let able = |verb: Verb| {
        let callers = policy.callers.iter();
        names(callers.filter(|caller| may(caller, operation, item, verb)))
    };
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
            able(Verb::Get)
        ),
        format!(
            "  callers of this gateway who may change it  {}",
            able(Verb::Update)
        ),
        format!("  other API accounts of the store            {accounts}"),
        format!("  the storefront                             {storefront}"),
    ]
}

/// Whether a caller's scopes and grants let it use a metafield like this one by its id.
fn may(caller: &Caller, operation: &Operation, item: &Item, verb: Verb) -> bool {
    let grants = &caller.grants;
    let covers = |granted: &crate::policy::Names, name: Option<&str>| {
        name.is_none_or(|name| granted.cover(name))
    };
    let customer = operation.customer.or(item.resource_id);
    grants.open(verb)
        && grants
            .stores
            .as_ref()
            .is_none_or(|stores| stores.contains(&operation.store))
        && grants
            .operations
            .as_ref()
            .is_none_or(|verbs| verbs.contains(&verb))
        && covers(&grants.namespaces, item.namespace.as_deref())
        && covers(&grants.keys, item.key.as_deref())
        && match (&grants.customers, customer) {
            (Some(customers), Some(customer)) => customers.cover(customer),
            _ => true,
        }
        || grants.only_report() && grants.open(verb)
}

fn names<'c>(callers: impl Iterator<Item = &'c std::sync::Arc<Caller>>) -> String {
    let names: Vec<&str> = callers.map(|caller| caller.name.as_str()).collect();
    match names.len() {
        0 => "none".to_owned(),
        count if count > NAMED => {
            let shown: Vec<&str> = names.iter().take(NAMED).copied().collect();
            format!("{} and {} more", shown.join(", "), count - NAMED)
        }
        _ => names.join(", "),
    }
}
