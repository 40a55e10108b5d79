//! What a configuration says about spending.

use super::Snapshot;
use crate::config::file::File;
use crate::config::file::quota::reaches;
use crate::quota::{Book, Terms};
use std::sync::Arc;

/// The book of a configuration, which goes on where that of the previous one stands.
pub(super) fn book(file: &File, previous: Option<&Snapshot>) -> Option<Arc<Book>> {
    let stores = file.stores.iter();
    let budgets = stores.filter_map(|store| Some((store.hash, store.quota.as_ref()?.value)));
    let budgets: Vec<_> = budgets.collect();
    let callers = file.callers.iter().map(|caller| {
        let is_narrowed = caller.grants.stores.is_some();
        let with_budget = budgets.iter().map(|(hash, _)| *hash);
        let reached = with_budget.filter(|store| reaches(caller, store));
        let stores = is_narrowed.then(|| reached.collect());
        (caller.name.clone(), caller.spending, stores)
    });
    let terms = Terms {
        callers: callers.collect(),
        stores: budgets.clone(),
        shows_store: file.quota.store_headers,
        replicas: file.quota.shared.as_ref().map(|shared| shared.replicas),
    };
    let previous = previous.and_then(|previous| previous.book.as_deref());
    Book::of(terms, previous).map(Arc::new)
}
