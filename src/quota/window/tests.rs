//! What answers tell of a window, in whatever order they come, and what may be spent of it.

use super::*;
use proptest::prelude::*;

const W: u64 = 30_000;

fn kept(free: u32) -> Kept {
    Kept { free, of: 150 }
}

fn reading(reset: u64, left: u32) -> Reading {
    Reading {
        window: W,
        reset,
        quota: 150,
        left,
    }
}

fn take(window: &Window, epoch: Epoch, free: u32) -> bool {
    window.take(epoch, || window.rest_of_quota(kept(free)).into(), 1)
}

fn spend(window: &Window, now: u64, free: u32) -> bool {
    let epoch = window.at(now);
    let took = take(window, epoch, free);
    if took {
        window.depart(epoch);
        window.settle();
    }
    took
}

#[test]
fn a_quota_is_spent_once_in_a_window_and_again_in_the_next() {
    let window = Window::new(3, W);
    let taken = |now| (0..10).filter(|_| spend(&window, now, 0)).count();
    assert_eq!(taken(5), 3);
    assert_eq!(taken(W + 4), 0);
    assert_eq!(taken(W + 5), 3);
    assert_eq!(taken(10 * W), 3);
    let shared = Window::new(150, W);
    assert_eq!((0..200).filter(|_| spend(&shared, 0, 40)).count(), 110);
    // Of a smaller quota than was expected, less is kept.
    let smaller = Window::new(15, W);
    assert_eq!((0..20).filter(|_| spend(&smaller, 0, 40)).count(), 11);
    let larger = Window::new(300, W);
    assert_eq!((0..400).filter(|_| spend(&larger, 0, 40)).count(), 260);
}

#[test]
fn what_answers_tell_counts_in_whatever_order_they_come() {
    let window = Window::new(150, W);
    assert!(spend(&window, 1000, 0));
    // Sent at 1000 and answered at 1100; the window began when it arrived.
    window.observe(&reading(W, 120), 1000, 1100).unwrap();
    assert_eq!(window.view(1100, kept(0)).left, 120);
    // Others spend too; a later answer was written earlier.
    window.observe(&reading(W - 500, 90), 1500, 1600).unwrap();
    window.observe(&reading(W - 400, 95), 1400, 1700).unwrap();
    let view = window.view(2000, kept(0));
    assert_eq!((view.left, view.available), (90, 90));
    // The end is the least of those it can be at the latest.
    assert_eq!(view.reset, 1102 + W - 2000);
    // In the next window an answer of this one tells nothing, and one of its own does.
    assert!(spend(&window, 31_200, 0));
    assert_eq!(
        window.observe(&reading(10, 3), 31_050, 31_250),
        Err(Ignored::Stale)
    );
    assert!(!window.view(31_300, kept(0)).is_told);
    assert_eq!(window.view(31_300, kept(0)).available, 149);
    window.observe(&reading(W, 148), 31_200, 31_310).unwrap();
    assert_eq!(window.view(31_400, kept(0)).available, 148);
    // One that was sent in the old window and counted in the new.
    window
        .observe(&reading(W - 90, 140), 31_090, 31_400)
        .unwrap();
    assert_eq!(window.view(31_400, kept(0)).available, 140);
}

#[test]
fn what_is_on_its_way_is_not_spent_twice() {
    let window = Window::new(150, W);
    window.observe(&reading(W, 2), 0, 10).unwrap();
    let epoch = window.at(20);
    assert!(take(&window, epoch, 0) && take(&window, epoch, 0));
    assert!(!take(&window, epoch, 0));
    window.depart(epoch);
    window.depart(epoch);
    // One comes back, and has told that it was counted.
    window.observe(&reading(W - 30, 1), 20, 40).unwrap();
    window.settle();
    assert!(!take(&window, epoch, 0));
    // The other one was never sent.
    window.settle();
    window.refund();
    assert!(take(&window, epoch, 0));
    window.depart(epoch);
    // And was lost: it may have been counted.
    window.spent_untold();
    window.settle();
    assert!(!take(&window, epoch, 0));
}

#[test]
fn what_others_spent_of_what_is_kept_for_them_is_not_kept_twice() {
    let window = Window::new(150, W);
    window.observe(&reading(W, 150), 0, 1).unwrap();
    assert_eq!(window.view(1, kept(30)).available, 120);
    // Others have spent 20: of theirs.
    window.observe(&reading(W - 2, 130), 1, 2).unwrap();
    assert_eq!(window.view(3, kept(30)).available, 120);
    // And 30 more: of what was the gateway's.
    window.observe(&reading(W - 3, 100), 2, 3).unwrap();
    assert_eq!(window.view(3, kept(30)).available, 100);
}

#[test]
fn a_window_that_answers_move_is_followed() {
    // On a grid, the store's window ends earlier than one that our request would have opened.
    let window = Window::new(150, W);
    assert!(spend(&window, 100, 0));
    window.observe(&reading(10_000, 149), 100, 120).unwrap();
    assert_eq!(window.view(120, kept(0)).reset, 10_002);
    assert!(spend(&window, 10_121, 0));
    window
        .observe(&reading(W - 1, 149), 10_121, 10_140)
        .unwrap();
    assert_eq!(window.view(10_140, kept(0)).left, 149);
    // Another plan: shorter windows, smaller quota.
    let other = Reading {
        window: 10_000,
        reset: 9_000,
        quota: 20,
        left: 19,
    };
    window.observe(&other, 10_200, 10_210).unwrap();
    let view = window.view(10_210, kept(0));
    assert_eq!((view.quota, view.left, view.length), (20, 19, 10_000));
    assert_eq!(view.reset, 9_002);
    // One that ends much later is another window.
    window.observe(&reading(W, 150), 10_300, 10_310).unwrap();
    assert_eq!(window.view(10_310, kept(0)).left, 150);
}

#[test]
fn an_end_that_cannot_be_gives_no_window_more() {
    let window = Window::new(150, W);
    let mut sent = 0;
    // A store that always says that its window is about to end, and that much is left.
    for now in (0..W / 10 * 8).step_by(10) {
        if spend(&window, now, 0) {
            sent += 1;
        }
        window.observe(&reading(1, 149), now, now + 1).ok();
    }
    // Believed once: it may be on a grid.
    assert_eq!(sent, 1 + 150);
    // A window that is much longer than it should be is not believed.
    let hour = Reading {
        window: 3_600_000,
        ..reading(3_600_000, 0)
    };
    let long = Window::new(150, W);
    assert_eq!(long.observe(&hour, 0, 1), Err(Ignored::Inconsistent));
    assert!(spend(&long, 2, 0));
    long.expect(1000, 3_600_000);
    assert!(long.observe(&hour, 3, 4).is_ok());
    assert!(!spend(&long, 5, 0));
    assert_eq!(long.view(5, kept(0)).quota, 150);
    // The same expectation again changes nothing of what was told.
    long.expect(1000, 3_600_000);
    assert_eq!(long.view(5, kept(0)).quota, 150);
    long.expect(999, 3_600_000);
    assert_eq!(long.view(5, kept(0)).quota, 999);
}

#[test]
fn late_answers_of_the_last_window_say_nothing_of_this_one() {
    let window = Window::new(150, W);
    window.observe(&reading(W, 149), 0, 10).unwrap();
    // All sent at once, at the end of the window; the first to come was the last to be looked at.
    window.observe(&reading(W, 149), 29_990, 30_100).unwrap();
    assert_eq!(window.view(30_100, kept(0)).left, 149);
    for reset in [20, 5, 0] {
        let late = window.observe(&reading(reset, 2), 29_990, 30_110);
        assert_eq!(late, Err(Ignored::Stale));
    }
    let view = window.view(30_110, kept(0));
    assert_eq!((view.left, view.reset > 29_000), (149, true));
}

proptest! {
    #[test]
    fn whatever_is_told_no_window_is_overspent(
        steps in prop::collection::vec(
            (0..4_000_u64, 0..6_u8, 0..70_000_u64, 0..70_000_u64, 0..2_000_u32, 0..2_000_u32, 0..9_000_u64),
            1..120,
        ),
    ) {
        let window = Window::new(150, W);
        let mut now = 0;
        let mut open = 0;
        for (pass, step, length, reset, quota, left, ago) in steps {
            now += pass;
            match step {
                0..=2 => {
                    let epoch = window.at(now);
                    let before = window.view(now, kept(20));
                    let took = take(&window, epoch, 20);
                    prop_assert_eq!(took, before.available > 0, "{:?}", before);
                    if took {
                        window.depart(epoch);
                        open += 1;
                    }
                }
                3 if open > 0 => {
                    window.settle();
                    open -= 1;
                }
                4 => window.spent_untold(),
                _ => {
                    let (length, quota) = (length.max(1), quota.max(left));
                    let told = Reading { window: length, reset: reset.min(length), quota, left };
                    let before = window.view(now, kept(0));
                    let outcome = window.observe(&told, now.saturating_sub(ago), now);
                    let after = window.view(now, kept(0));
                    // Never more than was said, less what is on its way.
                    if outcome.is_ok() && after.is_told && after.epoch == before.epoch {
                        prop_assert!(after.left <= left.saturating_sub(open), "{:?}", after);
                    }
                }
            }
        }
    }
}

#[test]
fn workers_never_take_more_than_there_is() {
    let window = Window::new(1000, W);
    window.observe(&reading(W, 150), 0, 1).unwrap();
    let taken: usize = std::thread::scope(|scope| {
        let worker = || (0..400).filter(|_| take(&window, window.at(1), 0)).count();
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(taken, 150);
}
