//! What the budget costs a request, and what it takes of memory. The tests do one round for the outcomes;
//! `tests/bench/quota` does many, and there the figures count.

use super::*;
use crate::policy::vocabulary::StoreHash;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// Requests of a round.
const REQUESTS: u32 = 1_000;

/// What a request may cost, in nanoseconds, and what 10,000 callers of 100 stores may take, in bytes.
const MOST: f64 = 1_000.0;
const MOST_MEMORY: usize = 50 << 20;

fn book(callers: usize, stores: usize, replicas: Option<u32>) -> Arc<Book> {
    let store = StoreTerms {
        requests: 1_000_000,
        per: Duration::from_secs(30),
        keep_free: 0,
    };
    let rate = RateTerms {
        amount: 1_000_000,
        per: Duration::from_secs(1),
        burst: 1_000_000,
    };
    let caller = CallerTerms {
        rate: Some(rate),
        concurrency: Some(100),
        ..CallerTerms::UNLIMITED
    };
    let hash = |number| StoreHash::parse(&format!("store{number}")).unwrap();
    let terms = Terms {
        stores: (0..stores).map(|number| (hash(number), store)).collect(),
        callers: (0..callers)
            .map(|number| (format!("caller-{number}"), caller, None))
            .collect(),
        shows_store: false,
        replicas,
    };
    Arc::new(Book::of(terms, None).unwrap())
}

/// One request from its head to its answer; whether it was let through.
fn request(book: &Arc<Book>, caller: usize, store: &StoreHash, now: Duration) -> bool {
    let seat = book.seat(caller, store).unwrap();
    let Ok(slot) = seat.enter(now) else {
        return false;
    };
    let Ok(Some(mut unit)) = seat.take(true, now) else {
        return false;
    };
    unit.sent(now).unwrap();
    let reading = Reading {
        window: 30_000,
        reset: 20_000,
        quota: 1_000_000,
        left: 900_000,
    };
    unit.answered(Some(Ok(reading)), Answered::Plainly, 0.0, now);
    let shown = seat.shown(Some(reading), now);
    drop(slot);
    shown.is_some_and(|shown| shown.left > 0)
}

#[expect(clippy::disallowed_methods, reason = "this is what is measured")]
fn nanoseconds(each: impl Fn(u32) -> bool) -> f64 {
    let begun = Instant::now();
    let served = (0..REQUESTS)
        .filter(|number| black_box(each(*number)))
        .count();
    let elapsed = begun.elapsed().as_secs_f64();
    assert_eq!(served, REQUESTS as usize);
    elapsed * 1e9 / f64::from(REQUESTS)
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = status.split(' ').nth(1).unwrap();
    pages.parse::<usize>().unwrap() * 4096
}

#[test]
fn a_request_costs_less_than_a_microsecond() {
    let rounds: u32 = std::env::var("QUOTA_ROUNDS").map_or(1, |text| text.parse().unwrap());
    let store = StoreHash::parse("store0").unwrap();
    for callers in [1, 50, 10_000] {
        let book = book(callers, 1, None);
        let mut times: Vec<f64> = (0..rounds)
            .map(|round| {
                let now = Duration::from_millis(1 + u64::from(round));
                nanoseconds(|number| request(&book, number as usize % callers, &store, now))
            })
            .collect();
        times.sort_unstable_by(f64::total_cmp);
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        println!(
            "{callers} callers: {median:.0} ns a request, {worst:.0} in the worst round of {rounds}"
        );
        assert!(rounds == 1 || median < MOST, "{callers} callers: {median}");
    }
}

#[test]
fn ten_thousand_callers_of_a_hundred_stores_take_little_memory() {
    for replicas in [None, Some(4)] {
        let before = resident();
        let book = book(10_000, 100, replicas);
        for (_, ledger) in book.shared() {
            // Nobody is to be asked here.
            ledger.part(Duration::ZERO);
        }
        // Memory that nobody has written to takes none: each caller comes to each store.
        for number in 0..100 {
            let store = StoreHash::parse(&format!("store{number}")).unwrap();
            for caller in (0..10_000).rev() {
                let seat = book.seat(caller, &store).unwrap();
                black_box(seat.take(true, Duration::ZERO).is_ok());
            }
        }
        let taken = resident().saturating_sub(before);
        let how = replicas.map_or("one gateway's", |_| "shared");
        println!("10,000 callers of 100 stores, {how}: {} MiB", taken >> 20);
        let store = StoreHash::parse("store99").unwrap();
        assert!(book.seat(9_999, &store).is_some());
        // Other tests of this process take memory meanwhile; the command runs it alone.
        assert!(
            std::env::var("QUOTA_ROUNDS").is_err() || taken < MOST_MEMORY,
            "{taken}"
        );
    }
}
