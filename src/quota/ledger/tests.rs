//! A ledger under callers of unlike appetites, in a time that goes by as the test says.

use super::*;
use crate::quota::pause::Burden;
use crate::quota::reading::Reading;

const W: u64 = 30_000;

/// Callers before a store that tells its quota: each comes so often in a window, evenly.
struct World {
    ledger: Arc<Ledger>,
    store: Window,
    told: bool,
}

const ALL: Kept = Kept { free: 0, of: 150 };

impl World {
    fn new(weights: &[u32], guarantees: &[(usize, u32)]) -> Self {
        let terms = StoreTerms {
            requests: 150,
            per: Duration::from_millis(W),
            keep_free: 0,
        };
        let guarantees = guarantees.iter().copied();
        Self {
            ledger: Arc::new(Ledger::new(terms, weights.into(), guarantees)),
            store: Window::new(150, W),
            told: true,
        }
    }

    /// One request of a caller; whether it was let through. The store must never be the one to refuse.
    fn ask(&self, caller: usize, now: u64) -> bool {
        let Ok(mut unit) = self.ledger.take(caller, true, ms(now)) else {
            return false;
        };
        unit.sent(ms(now)).unwrap();
        let epoch = self.store.at(now);
        assert!(
            self.store
                .take(epoch, || self.store.rest_of_quota(ALL).into(), 1),
            "the store refused at {now}"
        );
        self.store.settle();
        let view = self.store.view(now, ALL);
        let reading = self.told.then_some(Ok(Reading {
            window: W,
            reset: view.reset,
            quota: 150,
            left: view.left,
        }));
        unit.answered(reading, Answered::Plainly, 0.0, ms(now + 2));
        true
    }

    /// Runs one window in which each caller comes so often, evenly; gives how often each was let through.
    fn window(&self, number: u64, wishes: &[u32]) -> Vec<u32> {
        let mut got = vec![0; wishes.len()];
        let mut come = vec![0_u64; wishes.len()];
        for now in 0..W {
            for (caller, wish) in wishes.iter().enumerate() {
                // One after another, and none at the very border of two windows.
                let due = (now * u64::from(*wish) + 7 * (caller as u64 + 1)) / W;
                if due > come[caller] {
                    come[caller] = due;
                    got[caller] += u32::from(self.ask(caller, number * W + now));
                }
            }
        }
        got
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn one_alone_has_everything() {
    let world = World::new(&[1; 20], &[]);
    for number in 1..4 {
        assert!(world.window(number, &[1000])[0] >= 149);
    }
    let burst = World::new(&[1; 20], &[]);
    let got = (0..1000).filter(|n| burst.ask(3, 1 + n / 100)).count();
    assert_eq!(got, 150);
}

#[test]
fn the_modest_get_their_wish_and_the_greedy_the_rest() {
    for told in [true, false] {
        let mut world = World::new(&[1; 4], &[]);
        world.told = told;
        let wishes = [10, 25, 30, 5000];
        world.window(1, &wishes);
        for number in 2..8 {
            let got = world.window(number, &wishes);
            assert!(got[0] >= 9 && got[1] >= 24 && got[2] >= 29, "{got:?}");
            assert!((83..=89).contains(&got[3]), "{got:?}");
            assert!(got.iter().sum::<u32>() >= 148, "{got:?}");
        }
    }
}

#[test]
fn the_greedy_share_by_weight() {
    let world = World::new(&[1, 2, 3], &[]);
    let wishes = [3000, 4000, 5000];
    world.window(1, &wishes);
    for number in 2..5 {
        let got = world.window(number, &wishes);
        for (got, share) in got.iter().zip([25, 50, 75]) {
            assert!(got.abs_diff(share) <= 2, "{got:?}");
        }
    }
}

#[test]
fn a_guarantee_is_there_for_one_who_never_came() {
    let world = World::new(&[1, 1], &[(1, 40)]);
    for number in 1..3 {
        // The greedy one has all that is not kept, and near the end the rest.
        let got = world.window(number, &[5000, 0]);
        assert!(got[0] >= 148, "{got:?}");
    }
    let begin = 5 * W + 100;
    let greedy = (0..3000).filter(|n| world.ask(0, begin + n)).count();
    assert_eq!(greedy, 110);
    let late = (0..60).filter(|n| world.ask(1, begin + 20_000 + n)).count();
    assert_eq!(late, 40);
}

#[test]
fn one_who_keeps_to_what_it_is_shown_comes_to_its_share() {
    let world = World::new(&[1, 1], &[]);
    // So far it was modest, beside a greedy one.
    for number in 1..4 {
        world.window(number, &[5, 5000]);
    }
    // Now it sends as many as it is shown, at once, and sleeps until the window ends.
    let mut got = Vec::new();
    for number in 4..14 {
        let begin = number * W;
        let mut own = 0;
        let mut refused = 0;
        for now in 0..W {
            if now % 10 == 0 {
                world.ask(1, begin + now + 200);
            }
            if now < 2000 && world.ledger.share(0, ms(begin + now + 200)).left > 0 {
                if world.ask(0, begin + now + 200) {
                    own += 1;
                } else {
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 0, "window {number}");
        got.push(own);
    }
    assert!(
        got[6..].iter().all(|own| (70..=80).contains(own)),
        "{got:?}"
    );
}

#[test]
fn whoever_returns_after_silence_is_planned_for() {
    let world = World::new(&[1, 1], &[]);
    assert!(world.ask(1, 1000));
    // Each answer shows it what is left, also that it is little.
    let greedy = (0..165).filter(|n| {
        let was_let_through = world.ask(0, 2000 + n);
        world.ledger.share(0, ms(2000 + n));
        was_let_through
    });
    assert_eq!(greedy.count(), 147);
    // Four windows in which nobody comes: the one is still thought to wish for all there is, the other for nothing.
    assert!(world.ask(1, 2000 + 4 * W + 18_000));
}

#[test]
fn whoever_comes_late_from_a_window_before_changes_nothing_of_this_one() {
    let world = World::new(&[1, 1], &[]);
    for now in 1000..1200 {
        world.ask(0, now);
        world.ask(1, now);
    }
    let (before, now) = (world.ledger.window.at(1200), 1500 + W);
    assert!(world.ask(0, now));
    let cells = || format!("{:?}", world.ledger.cells);
    let planned = cells();
    // Another worker read which window it was, and had no time until now.
    world.ledger.plan(before, now);
    assert_eq!(cells(), planned);
}

#[test]
fn whoever_comes_between_two_plans_is_told_to_come_again_soon() {
    // So many that not every request can be followed by a plan.
    let world = World::new(&[1; 102], &[]);
    let asked = (1000..).step_by(2).zip((1..101).chain([0; 900]));
    let got = asked.filter(|(now, caller)| world.ask(*caller, *now));
    assert!(got.count() > 100);
    let begin = 1000 + W;
    assert!(world.ask(0, begin));
    let refused = world.ledger.take(101, true, ms(begin)).unwrap_err();
    assert_eq!((refused.why, refused.retry), (Why::Share, AGAIN));
    assert!(world.ask(101, begin + 2));
}

#[test]
fn shares_below_one_request_go_round() {
    // Five hundred callers want more than a window has requests.
    let world = World::new(&[1; 500], &[]);
    let mut got = vec![0_u32; 500];
    for number in 1..21 {
        for (caller, had) in world.window(number, &[20; 500]).iter().enumerate() {
            if number > 1 {
                got[caller] += had;
            }
        }
    }
    let sum: u32 = got.iter().sum();
    assert!(sum >= 148 * 19, "{sum}");
    // 150 of 500 in each of 19 windows: 5.7 for each.
    let spread = (got.iter().min(), got.iter().max());
    assert!(
        spread >= (Some(&4), Some(&0)) && spread.1 <= Some(&8),
        "{spread:?}"
    );
}

#[test]
fn a_store_that_is_spent_is_left_alone_until_its_window_ends() {
    let world = World::new(&[1], &[]);
    let mut unit = world.ledger.take(0, true, ms(1000)).unwrap();
    unit.sent(ms(1000)).unwrap();
    let reading = Reading {
        window: W,
        reset: 5_000,
        quota: 150,
        // A contradiction: it refuses, and says that something is left.
        left: 12,
    };
    unit.answered(Some(Ok(reading)), Answered::Spent, 0.0, ms(1010));
    let refused = world.ledger.take(0, true, ms(1011)).unwrap_err();
    assert_eq!(refused.why, Why::Store);
    assert_eq!(refused.retry, ms(5_001));
    assert!(world.ledger.take(0, true, ms(6011)).is_err());
    assert!(world.ledger.take(0, true, ms(6012)).is_ok());
}

#[test]
fn a_refusal_that_comes_after_its_window_says_nothing_of_the_next() {
    let world = World::new(&[1], &[]);
    let reading = |reset, left| Reading {
        window: W,
        reset,
        quota: 150,
        left,
    };
    let sent = |now| {
        let mut unit = world.ledger.take(0, true, ms(now)).unwrap();
        unit.sent(ms(now)).unwrap();
        unit
    };
    sent(1000).answered(Some(Ok(reading(W, 100))), Answered::Plainly, 0.0, ms(1010));
    // Written a moment before the window's end, and read a moment after it.
    let late = sent(31_000);
    late.answered(Some(Ok(reading(5, 0))), Answered::Spent, 0.0, ms(31_020));
    assert!(world.ledger.take(0, true, ms(31_030)).is_ok());
}

#[test]
fn answers_that_seem_to_be_of_another_window_are_spent_all_the_same() {
    let world = World::new(&[1], &[]);
    let taken = (0..1000_u64).filter(|number| {
        let now = 100 + number;
        let Ok(mut unit) = world.ledger.take(0, true, ms(now)) else {
            return false;
        };
        unit.sent(ms(now)).unwrap();
        let reading = Reading {
            window: W,
            // At first a whole window is to come, and from then on next to nothing.
            reset: if *number == 0 { W } else { 10 },
            quota: 150,
            left: 149,
        };
        unit.answered(Some(Ok(reading)), Answered::Plainly, 0.0, ms(now));
        true
    });
    assert_eq!(taken.count(), 150);
}

#[test]
fn load_of_the_platform_pauses_everyone_until_one_gets_through() {
    let world = World::new(&[1, 1], &[]);
    let strike = |now, wish| {
        let mut unit = world.ledger.take(0, true, ms(now)).unwrap();
        unit.sent(ms(now)).unwrap();
        let burdened = Answered::Burdened(Burden::PlatformLoad, ms(wish));
        unit.answered(None, burdened, 0.0, ms(now));
    };
    strike(10, 3000);
    let refused = world.ledger.take(1, true, ms(11)).unwrap_err();
    assert_eq!((refused.why, refused.retry), (Why::PlatformLoad, ms(2999)));
    assert_eq!(world.ledger.share(1, ms(11)).left, 0);
    // One goes first and is refused again; another one goes next and is never heard of.
    strike(3010, 0);
    let mut lost = world.ledger.take(1, true, ms(5010)).unwrap();
    lost.sent(ms(5010)).unwrap();
    assert!(world.ledger.take(0, true, ms(5010)).is_err());
    drop(lost);
    let mut first = world.ledger.take(1, true, ms(5011)).unwrap();
    first.sent(ms(5011)).unwrap();
    assert!(world.ledger.take(0, true, ms(5011)).is_err());
    first.answered(None, Answered::Plainly, 0.0, ms(5012));
    assert!(world.ledger.take(0, true, ms(5013)).is_ok());
}

#[test]
fn what_is_not_sent_is_given_back() {
    let world = World::new(&[1], &[]);
    for now in 0..1000 {
        drop(world.ledger.take(0, true, ms(now)).unwrap());
    }
    assert_eq!(world.ledger.view(ms(1000)).available, 150);
    // Held over the end of a window, and given back in the next.
    let held: Vec<_> = (0..100)
        .map(|_| world.ledger.take(0, true, ms(1000)).unwrap())
        .collect();
    // They hold nothing of that: who has not sent must take anew.
    assert!(world.ledger.take(0, true, ms(W + 10)).is_ok());
    assert_eq!(world.ledger.view(ms(W + 10)).available, 150);
    assert!(held.iter().all(|unit| !unit.is_in_force(ms(W + 10))));
    drop(held);
    assert_eq!(world.ledger.view(ms(W + 10)).available, 150);
}

#[test]
fn another_configuration_goes_on_where_this_one_stood() {
    let world = World::new(&[1, 1], &[]);
    world.window(1, &[20, 5000]);
    let begin = 2 * W + 50;
    let spent = (0..4000).filter(|n| world.ask(1, begin + n / 10)).count();
    // The other came 20 times in the last window, or all but once, by where that begins.
    assert!((130..=131).contains(&spent), "{spent}");
    let spent = u32::try_from(spent).unwrap();
    // The first is gone, the second is the first now, and there is a new one.
    let terms = StoreTerms {
        keep_free: 10,
        ..world.ledger.terms
    };
    let before = |caller| (caller == 0).then_some(1);
    let next = Arc::new(world.ledger.next(terms, [1, 1].into(), [], before));
    assert_eq!(next.view(ms(begin + 500)).available, 140 - spent);
    assert_eq!(next.share(0, ms(begin + 500)).spent, spent);
    assert_eq!(next.share(1, ms(begin + 500)).spent, 0);
    assert!(next.take(1, true, ms(begin + 500)).is_ok());
    // What it was thought to wish is not forgotten.
    assert!(next.take(1, true, ms(begin + W + 500)).is_ok());
    assert!(
        next.cells[0].wish(
            next.window.at(begin + W + 500),
            &super::super::shared::Deeds::default()
        ) >= 4000
    );
}

#[test]
fn whoever_only_looks_begins_no_window() {
    let world = World::new(&[1], &[]);
    assert!(world.ask(0, 100));
    let later = ms(100 + 2 * W);
    assert_eq!(world.ledger.view(later).available, 150);
    let share = world.ledger.share(0, later);
    assert_eq!((share.left, share.view.reset), (0, 1));
    let unit = world.ledger.take(0, true, ms(100 + 3 * W)).unwrap();
    assert_eq!(world.ledger.view(ms(100 + 3 * W)).reset, W);
    drop(unit);
}

#[test]
fn many_callers_of_many_stores_take_little_memory() {
    // 10,000 callers of 100 stores: 40 MB.
    assert!(size_of::<Cell>() <= 40);
}
