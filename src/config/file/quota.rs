//! What may be spent: a store's quota, a caller's own limits and its part of the store's, and what callers
//! are shown of it.

use std::path::Path;
use std::time::Duration;

use toml::de::DeValue;

use super::shared::{self, Shared};
use super::{Caller, Store};
use crate::config::problem::{Located, shown};
use crate::config::reader::{Fault, TableReader, value};
use crate::config::units;
use crate::policy::vocabulary::StoreHash;
use crate::quota::{CallerTerms, RateTerms, StoreTerms};

/// `quota.store_headers`: callers need not know what the others do.
pub const STORE_HEADERS: bool = false;

/// `keep_free` of a store's quota: the gateway cannot know what else uses the store.
pub const KEEP_FREE: u32 = 0;

/// A caller's `weight`: all alike.
pub const WEIGHT: u32 = 1;

/// A caller's `guaranteed`: nothing is kept for one that does not come.
pub const GUARANTEED: u32 = 0;

/// A caller's `max_wait`: a refusal at once, which clients know from BigCommerce.
pub const MAX_WAIT: Duration = Duration::ZERO;

/// The most requests or items that a limit can name.
const MOST: u32 = 1_000_000;

/// The shortest and the longest window.
const WINDOW: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

const QUOTA: &str = "write `quota = { requests = 150, per = \"30s\" }`, as BigCommerce lists it for the store's plan";
const RATE: &str = "write `rate_limit = { requests = 60, per = \"30s\" }`";

/// `[quota]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Whether callers are shown the store's own figures too.
    pub store_headers: bool,
    /// By which several gateways share the quotas; `None`: they are this one's alone.
    pub shared: Option<Shared>,
}

pub(super) fn quota(table: &mut TableReader<'_, '_>, base: &Path) -> Quota {
    Quota {
        shared: table.table("shared", shared::EXAMPLE, |table| {
            shared::shared(table, base)
        }),
        store_headers: table
            .or("store_headers", STORE_HEADERS, value::boolean)
            .value,
    }
}

/// A store's `quota`.
pub(super) fn store(table: &mut TableReader<'_, '_>) -> Option<Located<StoreTerms>> {
    table.table("quota", QUOTA, |table| {
        let place = table.place();
        let requests = table.required("requests", QUOTA, value::integer(1..=MOST));
        let per = table.required("per", QUOTA, window);
        let free = table.or("keep_free", KEEP_FREE, value::integer(0..=MOST));
        let (requests, per) = (requests?.value, per?.value);
        if free.value >= requests {
            let fault = Fault::new(format!("leaves the callers nothing of {requests} requests"));
            let hint = "it is what of each window belongs to the store's other apps";
            table.fault(free.place, "keep_free", fault.with_hint(hint));
            return None;
        }
        let terms = StoreTerms {
            requests,
            per,
            keep_free: free.value,
        };
        Some(Located {
            value: terms,
            place,
        })
    })
}

/// A caller's limits and its part of its stores' quotas. `deadline` is that of the upstream, if it could be
/// read.
pub(super) fn caller(table: &mut TableReader<'_, '_>, deadline: Option<Duration>) -> CallerTerms {
    let limits = table.table("rate_limit", RATE, |table| {
        let requests = table.required("requests", RATE, value::integer(1..=MOST));
        let per = table.required("per", RATE, window);
        let burst = table.optional("burst", value::integer(1..=MOST));
        let items = table.optional("batch_items", value::integer(1..=MOST));
        let (requests, per) = (requests?.value, per?.value);
        let of = |amount, burst| RateTerms { amount, per, burst };
        Some((
            of(requests, burst.map_or(requests, |burst| burst.value)),
            items.map(|items| of(items.value, items.value)),
        ))
    });
    let concurrency = table.optional("concurrency", value::integer(1..=MOST));
    let weight = table.or("weight", WEIGHT, value::integer(1..=1000)).value;
    let guaranteed = table
        .or("guaranteed", GUARANTEED, value::integer(0..=MOST))
        .value;
    let max_wait = table.or("max_wait", MAX_WAIT, value::duration_or_zero);
    if deadline.is_some_and(|deadline| max_wait.value >= deadline) {
        let deadline = units::show_duration(deadline.unwrap_or_default());
        let fault = Fault::new(format!(
            "is not shorter than `upstream.deadline`, `{deadline}`"
        ))
        .with_hint("a request waits within its deadline, and must have time left to be sent");
        table.fault(max_wait.place, "max_wait", fault);
    }
    CallerTerms {
        rate: limits.map(|(rate, _)| rate),
        batch_items: limits.and_then(|(_, items)| items),
        concurrency: concurrency.map(|most| most.value),
        weight,
        guaranteed,
        max_wait: max_wait.value,
    }
}

/// A window's length.
fn window(found: &DeValue<'_>) -> Result<Duration, Fault> {
    let length = value::duration(found)?;
    let (least, most) = WINDOW;
    if (least..=most).contains(&length) {
        return Ok(length);
    }
    let [found, least, most] = [length, least, most].map(units::show_duration);
    Err(Fault::new(format!(
        "{} is not within `{least}` to `{most}`",
        shown(&found)
    )))
}

/// Refuses guarantees that a store's quota cannot keep, with the sum.
pub(super) fn refuse_contradictions(
    root: &mut TableReader<'_, '_>,
    stores: &[Option<Store>],
    callers: &[Option<Caller>],
) {
    for (index, store) in stores.iter().enumerate() {
        let Some(store) = store else { continue };
        let Some(quota) = &store.quota else { continue };
        let of_store = callers
            .iter()
            .flatten()
            .filter(|caller| caller.spending.guaranteed > 0 && reaches(caller, &store.hash));
        let guarantees: Vec<u32> = of_store.map(|caller| caller.spending.guaranteed).collect();
        let sum: u64 = guarantees.iter().map(|most| u64::from(*most)).sum();
        let StoreTerms {
            requests,
            keep_free,
            ..
        } = quota.value;
        if sum > u64::from(requests - keep_free) {
            let message = format!(
                "is less than what its callers are guaranteed: {} = {sum}, of {requests} - {keep_free} = {}",
                added(&guarantees),
                requests - keep_free
            );
            let fault = Fault::new(message).with_hint(
                "lower `guaranteed` of some callers, or take the store out of their `stores`",
            );
            root.fault(quota.place, &format!("store[{index}].quota"), fault);
        }
    }
}

/// The terms of a sum, the largest of them if there are many.
fn added(terms: &[u32]) -> String {
    const SHOWN: usize = 8;
    let mut terms = terms.to_vec();
    terms.sort_unstable_by(|one, other| other.cmp(one));
    let mut shown: Vec<String> = terms.iter().take(SHOWN).map(u32::to_string).collect();
    if terms.len() > SHOWN {
        shown.push(format!("... ({} callers)", terms.len()));
    }
    shown.join(" + ")
}

/// Whether a caller may come to a store.
pub fn reaches(caller: &Caller, store: &StoreHash) -> bool {
    let stores = caller.grants.stores.as_ref();
    stores.is_none_or(|stores| stores.value.contains(store))
}
