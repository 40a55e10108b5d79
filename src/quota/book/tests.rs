//! A book from one configuration to the next, and what it shows.

use super::*;
use crate::quota::{RateTerms, Why};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn store(name: &str) -> StoreHash {
    StoreHash::parse(name).unwrap()
}

const QUOTA: StoreTerms = StoreTerms {
    requests: 150,
    per: Duration::from_secs(30),
    keep_free: 0,
};

fn rate(amount: u32, per: u64) -> CallerTerms {
    CallerTerms {
        rate: Some(RateTerms {
            amount,
            per: Duration::from_secs(per),
            burst: amount,
        }),
        ..CallerTerms::UNLIMITED
    }
}

fn book(
    stores: &[(&str, StoreTerms)],
    callers: &[(&str, CallerTerms)],
    previous: Option<&Book>,
) -> Option<Arc<Book>> {
    let terms = Terms {
        stores: stores
            .iter()
            .map(|(name, terms)| (store(name), *terms))
            .collect(),
        callers: callers
            .iter()
            .map(|(name, terms)| ((*name).to_owned(), *terms, None))
            .collect(),
        shows_store: false,
        replicas: None,
    };
    Book::of(terms, previous).map(Arc::new)
}

#[test]
fn where_nothing_is_limited_there_is_no_book_and_no_seat() {
    assert!(book(&[], &[("a", CallerTerms::UNLIMITED)], None).is_none());
    let callers = [("a", CallerTerms::UNLIMITED), ("b", rate(5, 1))];
    let book = book(&[("one", QUOTA)], &callers, None).unwrap();
    assert!(book.seat(0, &store("one")).is_some());
    assert!(book.seat(0, &store("other")).is_none());
    assert!(book.seat(1, &store("other")).is_some());
    assert!(book.seat(2, &store("one")).is_none());
}

#[test]
fn the_smallest_limit_is_shown() {
    let book = book(&[("one", QUOTA)], &[("a", rate(10, 60))], None).unwrap();
    let seat = book.seat(0, &store("one")).unwrap();
    drop(seat.take(true, ms(0)).unwrap());
    let shown = seat.shown(None, ms(0)).unwrap();
    assert_eq!((shown.quota, shown.left, shown.window), (10, 10, 60_000));
    let reading = Reading {
        window: 30_000,
        reset: 100,
        quota: 150,
        left: 3,
    };
    // Without a budget, what the answer told.
    let other = book.seat(0, &store("other")).unwrap();
    assert_eq!(other.shown(Some(reading), ms(0)).unwrap().left, 3);
    assert_eq!(other.shown(None, ms(0)).unwrap().left, 10);
    // With one, what is known of it.
    let mut unit = seat.take(true, ms(1)).unwrap().unwrap();
    unit.sent(ms(1)).unwrap();
    unit.answered(
        Some(Ok(reading)),
        crate::quota::Answered::Plainly,
        0.0,
        ms(2),
    );
    let shown = seat.shown(Some(reading), ms(2)).unwrap();
    assert_eq!((shown.left, shown.window), (3, 30_000));
    assert!(shown.quota >= shown.left && shown.quota <= 150);
}

#[test]
fn what_is_spent_outlives_the_configuration() {
    let old = book(
        &[("one", QUOTA)],
        &[("a", rate(2, 60)), ("b", rate(2, 60))],
        None,
    )
    .unwrap();
    let seat = old.seat(0, &store("one")).unwrap();
    let _slots = [seat.enter(ms(0)).unwrap(), seat.enter(ms(0)).unwrap()];
    let _unit = seat.take(true, ms(0)).unwrap();
    let before = old.states(ms(0)).next().unwrap();
    assert_eq!(before.available, 149);
    // The same again, the other way round, and with another store.
    let stores = [("one", QUOTA), ("two", QUOTA)];
    let callers = [("b", rate(2, 60)), ("a", rate(2, 60))];
    let new = book(&stores, &callers, Some(&old)).unwrap();
    let left: Vec<u32> = new.states(ms(0)).map(|state| state.available).collect();
    assert_eq!(left, [149, 150]);
    let refused = new
        .seat(1, &store("one"))
        .unwrap()
        .enter(ms(0))
        .unwrap_err();
    assert_eq!(refused.why, Why::Rate);
    assert!(new.seat(0, &store("one")).unwrap().enter(ms(0)).is_ok());
    // Whoever waits goes on under the new one.
    let moved = seat.moved_to(&new, "a", &store("one")).unwrap();
    assert_eq!(moved.enter(ms(0)).unwrap_err().why, Why::Rate);
    assert!(moved.moved_to(&new, "a", &store("one")).is_none());
    assert!(seat.moved_to(&new, "gone", &store("one")).is_none());
    // Other numbers count from when they are in force.
    let larger = StoreTerms {
        requests: 450,
        ..QUOTA
    };
    let later = book(&[("one", larger)], &callers, Some(&new)).unwrap();
    assert_eq!(new.states(ms(0)).next().unwrap().available, 149);
    later.come_into_force();
    assert_eq!(later.states(ms(0)).next().unwrap().available, 449);
    // A change that says nothing of quotas changes nothing of the ledgers.
    let same = book(&stores, &callers, Some(&new)).unwrap();
    let ledger = |book: &Book| Arc::clone(&book.ledgers[&store("one")]);
    assert!(Arc::ptr_eq(&ledger(&new), &ledger(&same)));
}
