//! A ledger before a shared server that says this and that.

use super::*;
use crate::quota::shared::FIRST;
use crate::quota::{Refused, StoreTerms, Why};
use proptest::prelude::*;

const NAME: &str = "one";

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ledger(replicas: u32) -> Arc<Ledger> {
    let terms = StoreTerms {
        requests: 150,
        per: ms(30_000),
        keep_free: 0,
    };
    let names: Arc<[Arc<str>]> = ["crm", "erp"].map(Arc::from).into();
    Arc::new(Ledger::new(terms, [1, 1].into(), []).shared(names, replicas, None))
}

fn one_waits() -> Waiting {
    let mut waiting = Waiting::default();
    waiting.come(&Waiter {
        name: "crm".into(),
        epoch: Epoch::default(),
        most: u32::MAX,
        here: u32::MAX,
        left: u32::MAX,
    });
    waiting
}

/// Asks, and is answered by these numbers two milliseconds later.
fn exchange(ledger: &Ledger, reported: &mut Reported, numbers: &[i64], now: u64) -> bool {
    let question = ledger
        .ask((&NAME.into(), one_waits()), reported, ms(now))
        .unwrap();
    let Ok(answer) = Answer::read(numbers, &[]) else {
        return false;
    };
    ledger.answered(&question, &answer, reported, ms(now + 2));
    true
}

fn taken(ledger: &Arc<Ledger>, caller: usize, now: u64) -> Result<(), Refused> {
    ledger
        .take(caller, true, ms(now))
        .map(|mut unit| unit.sent(ms(now)).unwrap())
}

#[test]
fn what_others_do_is_kept_small_and_near() {
    for number in (0..3_000).chain([65_535, 999_999, 1_000_000, u64::from(u32::MAX)]) {
        let kept = fine(coarse(number));
        assert!(
            kept <= number && number - kept <= number >> 7,
            "{number}: {kept}"
        );
        assert!(number >= 256 || kept == number);
    }
    assert!(fine(coarse(u64::MAX)) > u64::from(u32::MAX));
    let deeds = Deeds {
        asked: 255,
        spent: 17,
        wish: 1 << 20,
    };
    assert_eq!(unpack(pack(deeds)), deeds);
    // It fits beside the window's number.
    let most = Deeds {
        asked: u64::MAX,
        spent: u64::MAX,
        wish: u64::MAX,
    };
    assert!(pack(most) < 1 << 40);
}

#[test]
fn nothing_is_spent_before_the_server_is_asked_and_no_more_than_it_grants() {
    let (ledger, mut reported) = (ledger(10), Reported::default());
    let refused = taken(&ledger, 0, 5).unwrap_err();
    assert_eq!(refused.why, Why::Unasked);
    // It grants three of 150.
    assert!(exchange(&ledger, &mut reported, &FIRST, 6));
    for _ in 0..3 {
        taken(&ledger, 0, 10).unwrap();
    }
    assert_eq!(taken(&ledger, 0, 11).unwrap_err().why, Why::Unheld);
    assert!(ledger.runs_low(ms(11)));
    // The window ends: it is to be asked again.
    assert_eq!(taken(&ledger, 0, 31_000).unwrap_err().why, Why::Unasked);
}

#[test]
fn alone_a_part_is_spent_and_what_is_over_counts_later() {
    // Of 150 among 400: one in two windows and a bit more.
    let ledger = ledger(400);
    assert!(ledger.part(ms(1)));
    assert!(!ledger.part(ms(2)));
    let spent: Vec<usize> = (0..8)
        .map(|window| {
            let now = 10 + window * 30_100;
            (0..5).filter(|_| taken(&ledger, 0, now).is_ok()).count()
        })
        .collect();
    assert_eq!(spent, [0, 0, 1, 0, 0, 1, 0, 1]);
}

#[test]
fn alone_nobody_is_held_to_what_came_by_others_before() {
    let (ledger, mut reported) = (ledger(10), Reported::default());
    let mut numbers = FIRST;
    (numbers[10], numbers[15]) = (150, 2);
    // Both callers came by another gateway too, for most of what they wished.
    let elsewhere = ["crm", "90", "5", "90", "erp", "90", "5", "90"].map(str::to_owned);
    for now in [0, 500] {
        let question = ledger
            .ask((&NAME.into(), one_waits()), &mut reported, ms(now))
            .unwrap();
        let answer = Answer::read(&numbers, &elsewhere).unwrap();
        ledger.answered(&question, &answer, &mut reported, ms(now));
        for caller in [0, 1] {
            for _ in 0..10 {
                taken(&ledger, caller, now + 1).ok();
            }
        }
    }
    // It may spend a part before there is news, and is shown the whole: with what it spent elsewhere.
    let spent = ledger.share(0, ms(502)).spent;
    assert!((5 + 2..5 + 10).contains(&spent), "{spent}");
    assert!(ledger.share(0, ms(502)).left > 20);
    assert!(ledger.part(ms(600)));
    let now = 31_000;
    let mut count = 0;
    for turn in 0..40 {
        for caller in [0, 1] {
            count += u32::from(taken(&ledger, caller, now + turn).is_ok());
        }
    }
    assert_eq!(count, 75);
}

#[test]
fn alone_a_part_of_a_guarantee_is_kept() {
    let terms = StoreTerms {
        requests: 120,
        per: ms(30_000),
        keep_free: 0,
    };
    let names: Arc<[Arc<str>]> = ["crm", "erp"].map(Arc::from).into();
    let ledger = Ledger::new(terms, [1, 1].into(), [(0, 40)]).shared(names, 10, None);
    let ledger = Arc::new(ledger);
    ledger.part(ms(0));
    // Of twelve, four are kept for the other.
    let sent = (0..20).filter(|_| taken(&ledger, 1, 10).is_ok()).count();
    assert_eq!(sent, 8);
}

#[test]
fn a_server_that_falls_silent_leaves_what_is_held_and_a_part_of_the_rest() {
    let (ledger, mut reported) = (ledger(10), Reported::default());
    let mut numbers = FIRST;
    // 3 held of 150 that are left, among three gateways.
    numbers[15] = 3;
    exchange(&ledger, &mut reported, &numbers, 0);
    taken(&ledger, 0, 5).unwrap();
    ledger.unanswered();
    assert!(ledger.part(ms(10)));
    let spent = (0..200).filter(|_| taken(&ledger, 0, 11).is_ok()).count();
    // A little less than a third, since some milliseconds have passed.
    assert_eq!(spent, 2 + (150 - 3) / 3 - 1);
    assert!(!ledger.lease_state().unwrap().is_joined);
    // It is back.
    numbers[10] = 60;
    exchange(&ledger, &mut reported, &numbers, 700);
    let state = ledger.lease_state().unwrap();
    assert!(state.is_joined);
    assert_eq!(
        (state.replicas, state.answered, state.unanswered),
        (3, 2, 1)
    );
}

proptest! {
    #[test]
    fn whatever_is_answered_nothing_panics_and_no_more_is_spent_than_is_held(
        steps in prop::collection::vec(
            (
                0..9_000_u64,
                0..5_u8,
                prop::collection::vec(
                    (any::<bool>(), prop_oneof![any::<i64>(), 0..4_000_000_i64, 0..200_i64, 0..3_i64]),
                    19,
                ),
            ),
            1..60,
        ),
    ) {
        let (ledger, mut reported) = (ledger(4), Reported::default());
        let mut now = 0;
        for (pass, step, raw) in steps {
            now += pass;
            match step {
                0 | 1 => {
                    let numbers: Vec<i64> = FIRST
                        .iter()
                        .zip(raw)
                        .map(|(first, (is_good, other))| if is_good { *first } else { other })
                        .collect();
                    exchange(&ledger, &mut reported, &numbers, now);
                    now += 2;
                }
                2 => drop(ledger.part(ms(now))),
                _ => {
                    let before = ledger.view(ms(now));
                    let held = ledger.most(before.epoch);
                    let spent = ledger.window.spent(before.epoch);
                    for _ in 0..50 {
                        taken(&ledger, 0, now).ok();
                    }
                    let after = ledger.window.spent(before.epoch);
                    prop_assert!(before.has_ended || after <= held.max(spent), "{after} of {held}");
                    ledger.share(1, ms(now));
                    ledger.runs_low(ms(now));
                }
            }
        }
    }
}
