//! The callers of a configuration, with their grants and by what they are known.

use crate::config::file;
use crate::config::problem::Located;
use crate::identity::{Caller, Callers, Digest, KnownBy, Token};
use crate::policy::{Customers, Enforcement, Grants, Names, Ownership, Pattern};
use std::sync::Arc;

/// A configuration's callers, in its order.
pub(super) fn callers(list: &[file::Caller], ownership: Ownership) -> Vec<Arc<Caller>> {
    let caller = |(number, caller): (usize, &file::Caller)| {
        Arc::new(Caller {
            name: caller.name.clone(),
            grants: grants(caller, ownership),
            number,
        })
    };
    list.iter().enumerate().map(caller).collect()
}

/// The table of what they are known by, but for signed tokens.
/// `authorities` is a digest of
/// those whose client certificates count.
pub(super) fn table(
    list: &[file::Caller],
    callers: &[Arc<Caller>],
    authorities: Option<Digest>,
) -> Callers {
    let known_by = |caller: &file::Caller| {
        let known = &caller.identity;
        let tokens = known.tokens.iter().map(|token| Token {
            digest: Digest::from(token.value.sha256),
            expires: token.value.expires,
        });
        KnownBy {
            tokens: tokens.collect(),
            spiffe: known.spiffe.clone(),
            dns: known.dns.clone(),
            uids: known.uids.clone(),
            gids: known.gids.clone(),
        }
    };
    let known = callers.iter().map(Arc::clone);
    Callers::new(known.zip(list.iter().map(known_by))).trusting(authorities)
}

fn grants(caller: &file::Caller, ownership: Ownership) -> Grants {
    let grants = &caller.grants;
    let stores = grants.stores.as_ref();
    let customers = grants.customers.as_ref();
    Grants {
        stores: stores.map(|stores| stores.value.iter().copied().collect()),
        operations: listed(grants.operations.as_ref()),
        permission_sets: listed(grants.permission_sets.as_ref()),
        namespaces: names(grants.namespaces.as_ref()),
        keys: names(grants.keys.as_ref()),
        customers: customers.map(|customers| Customers::of(customers.value.iter().cloned())),
        batch_items: grants.batch_items.map(|items| items.value),
        require: listed(grants.require.as_ref()).unwrap_or_default(),
        ownership,
        enforcement: grants
            .enforcement
            .as_ref()
            .map_or(Enforcement::Enforce, |found| found.value),
        ..Grants::of_scopes(caller.scopes.clone())
    }
}

fn listed<T: Clone>(list: Option<&Located<Vec<T>>>) -> Option<Vec<T>> {
    list.map(|list| list.value.clone())
}

fn names(patterns: Option<&Located<Vec<Pattern>>>) -> Names {
    patterns.map_or(Names::Any, |patterns| {
        Names::only(patterns.value.iter().cloned())
    })
}
