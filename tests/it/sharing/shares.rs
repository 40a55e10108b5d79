//! Eight callers, one of them greedy without bound, by way of three gateways.

use super::clients::run;
use super::fleet::{Fleet, limit};
use crate::support::number;
use crate::support::redis::Redis;
use std::time::Duration;

/// The windows in which the gateways learn who there is.
const LEARNING: usize = 2;

pub fn quota() -> u32 {
    u32::try_from(number("SHARING_QUOTA", 100)).expect("a quota")
}

pub fn window() -> Duration {
    Duration::from_millis(number("SHARING_WINDOW_MS", 3_000) as u64)
}

pub fn windows() -> usize {
    number("SHARING_WINDOWS", 3)
}

#[test]
fn three_gateways_use_the_quota_up_fairly_and_none_is_refused() {
    let redis = Redis::start();
    let (quota, window) = (quota(), window());
    let shared = format!("url = \"{}\"", redis.url());
    let mut fleet = Fleet::start(3, limit(quota, window), Some(&shared));
    let lasting = window * u32::try_from(LEARNING + windows() + 1).expect("few");
    let run = run(&mut fleet, quota, window, lasting, |_, _| {});
    let outcome = run.outcome(LEARNING);
    let refused: usize = fleet.gateways.iter().map(|gateway| gateway.told(429)).sum();
    let silent =
        "metafield_gateway_store_quota_questions_total{store=\"abc123\",outcome=\"silent\"} ";
    let silent: f64 = (fleet.gateways.iter())
        .map(|gateway| gateway.metric(silent).expect("it is counted"))
        .sum();
    println!(
        "{} windows of {quota} in {} ms by three gateways\n{}unanswered questions: {silent}, upstream 429: {refused}, Jain {:.4}, used {:.1} %",
        outcome.windows,
        window.as_millis(),
        outcome.table,
        outcome.fairness,
        outcome.used * 100.0
    );
    assert_eq!(refused, 0, "BigCommerce refused nothing");
    assert!(outcome.fairness >= 0.98, "{outcome:?}");
    assert!(outcome.used >= 0.97, "{outcome:?}");
}
