//! The callers of a configuration, with their grants and by what they are known.

use crate::config::file;
use crate::identity::{Caller, Callers, Digest, KnownBy, Token};
use crate::policy::{Grants, Namespaces, Ownership};

/// The table of a configuration's callers.
pub(super) fn callers(list: &[file::Caller], ownership: Ownership) -> Callers {
    Callers::new(list.iter().map(|caller| {
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
        let tokens = caller.identity.token_sha256.iter();
        let known_by = KnownBy {
            tokens: tokens
                .map(|digest| Token {
                    digest: Digest::from(*digest),
                    expires: None,
                })
                .collect(),
            ..KnownBy::default()
        };
        let caller = Caller {
            name: caller.name.clone(),
            grants,
        };
        (caller, known_by)
    }))
}
