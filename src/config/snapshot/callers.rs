//! The callers of a configuration, with their grants and by what they are known.

use crate::config::file;
use crate::identity::{Caller, Callers, Digest, KnownBy, Token};
use crate::policy::{Grants, Namespaces, Ownership};
use std::sync::Arc;

/// A configuration's callers, in its order.
pub(super) fn callers(list: &[file::Caller], ownership: Ownership) -> Vec<Arc<Caller>> {
    let caller = |caller: &file::Caller| {
        let grants = Grants {
            scopes: caller.scopes.clone(),
            stores: caller.grants.stores.clone(),
            operations: caller.grants.operations.clone(),
            permission_sets: caller.grants.permission_sets.clone(),
            namespaces: caller
                .grants
                .namespaces
                .clone()
                .map_or(Namespaces::Any, Namespaces::Only),
            ownership,
        };
        Arc::new(Caller {
            name: caller.name.clone(),
            grants,
        })
    };
    list.iter().map(caller).collect()
}

/// The table of what they are known by, but for signed tokens.
pub(super) fn table(list: &[file::Caller], callers: &[Arc<Caller>]) -> Callers {
    let known_by = |caller: &file::Caller| {
        let tokens = caller.identity.token_sha256.iter();
        KnownBy {
            tokens: tokens
                .map(|digest| Token {
                    digest: Digest::from(*digest),
                    expires: None,
                })
                .collect(),
            ..KnownBy::default()
        }
    };
    let known = callers.iter().map(Arc::clone);
    Callers::new(known.zip(list.iter().map(known_by)))
}
