//! What limits a caller's requests to a store, in words. Whether one would be refused now is for the running
//! gateway to say: it depends on what was spent.

use crate::config::{Policy, show_duration};
use crate::policy::Operation;
use crate::quota::{CallerTerms, RateTerms};

/// The limits of a caller, by its place in the configuration, and of the store that is asked for.
pub(super) fn spent(policy: &Policy, caller: usize, operation: Option<&Operation>) -> String {
    let terms = policy.spending.get(caller);
    let terms = terms.unwrap_or(&CallerTerms::UNLIMITED);
    let mut told = Vec::new();
    let rate = |rate: &RateTerms| format!("{} in {}", rate.amount, show_duration(rate.per));
    if let Some(requests) = &terms.rate {
        told.push(format!("{}, {} at once", rate(requests), requests.burst));
    }
    if let Some(items) = &terms.batch_items {
        told.push(format!("{} of items", rate(items)));
    }
    if let Some(most) = terms.concurrency {
        told.push(format!("{most} open at once"));
    }
    let at = operation.and_then(|operation| {
        let mut stores = policy.stores.iter();
        stores.position(|store| *store == operation.store)
    });
    if let Some(quota) = at.and_then(|at| policy.quotas.get(at).copied().flatten()) {
        let per = show_duration(quota.per);
        let free = quota.requests - quota.keep_free;
        told.push(format!(
            "a share of {free} in {per} by weight {}, {} of them guaranteed",
            terms.weight, terms.guaranteed
        ));
    }
    if told.is_empty() {
        return "none".to_owned();
    }
    told.join("; ")
}
