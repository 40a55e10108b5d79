//! The deadlines of one worker's requests, looked at together. A timer for each request would have to be entered
//! into the runtime's wheel and be taken out again by every one that is answered in time, which is nearly all; here
//! a request that waits leaves its waker in a list, and one timer goes through the list. A deadline is never enforced
//! early, and at most [`PERIOD`] after the worker would have had time for a timer of its own.

use super::super::ticks::Ticks;
use super::now;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// How often the list is looked at while requests come. Deadlines are given in seconds.
const PERIOD: Duration = Duration::from_millis(10);

/// How many looks in a row find nobody waiting before the looking ends, until somebody waits again. A new beginning
/// costs a task, and looking at nothing a wake-up.
const PATIENCE: u32 = 50;

/// For how many the list keeps room while it is empty.
const ROOM: usize = 1024;

/// The deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elapsed;

/// Those who wait.
#[derive(Debug, Default)]
pub(super) struct Deadlines(Rc<List>);

#[derive(Debug, Default)]
struct List {
    waiting: RefCell<Slab<Waiting>>,
    /// Whether a task looks at them.
    is_watched: Cell<bool>,
}

#[derive(Debug)]
struct Waiting {
    deadline: Instant,
    /// `None` once it was woken because its deadline had passed.
    waker: Option<Waker>,
}

impl Deadlines {
    /// Waits for what is ready in time. What has the answer at the deadline itself gives it.
    pub(super) async fn within<F: Future>(
        &self,
        deadline: Instant,
        mut future: Pin<&mut F>,
    ) -> Result<F::Output, Elapsed> {
        let mut place = Place {
            list: &self.0,
            key: None,
        };
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => place.wait(deadline, cx).map(Err),
        })
        .await
    }
}

/// One who waits, or will; gives its place up when dropped.
struct Place<'l> {
    list: &'l Rc<List>,
    key: Option<usize>,
}

impl Place<'_> {
    fn wait(&mut self, deadline: Instant, cx: &Context<'_>) -> Poll<Elapsed> {
        let mut waiting = self.list.waiting.borrow_mut();
        let Some(own) = self.key.and_then(|key| waiting.get_mut(key)) else {
            let waker = Some(cx.waker().clone());
            self.key = Some(waiting.insert(Waiting { deadline, waker }));
            drop(waiting);
            List::watch(self.list);
            return Poll::Pending;
        };
        let Some(waker) = &mut own.waker else {
            return Poll::Ready(Elapsed);
        };
        waker.clone_from(cx.waker());
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let left = self.list.waiting.borrow_mut().try_remove(key);
            // A waker is dropped when the list is free again.
            drop(left);
        }
    }
}

impl List {
    /// Has the list looked at, if nobody does.
    fn watch(list: &Rc<Self>) {
        if !list.is_watched.replace(true) {
            tokio::task::spawn_local(Self::look(Rc::downgrade(list)));
        }
    }

    /// Looks until nobody has waited for a while.
    async fn look(list: Weak<Self>) {
        let _watch = Watch(list.clone());
        let mut looks = Ticks::every(PERIOD);
        let mut idle = 0;
        while idle < PATIENCE {
            looks.tick().await;
            let Some(list) = list.upgrade() else { return };
            idle = if list.wake(now()) { 0 } else { idle + 1 };
        }
    }

    /// Wakes those whose deadline has passed; tells whether anybody waits.
    fn wake(&self, now: Instant) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        for (_, one) in &mut *waiting {
            if one.deadline <= now
                && let Some(waker) = one.waker.take()
            {
                waker.wake();
            }
        }
        if waiting.is_empty() && waiting.capacity() > ROOM {
            *waiting = Slab::new();
        }
        !waiting.is_empty()
    }
}

/// Somebody looks at a list, until dropped: however the looking ends, the next who waits has it begin again.
struct Watch(Weak<List>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(list) = self.0.upgrade() {
            list.is_watched.set(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::woken::Woken;
    use super::*;
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::sync::Arc;
    use tokio::runtime::{Builder, LocalOptions};

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn run<F: Future>(test: F) -> F::Output {
        let mut builder = Builder::new_current_thread();
        let runtime = builder
            .enable_all()
            .build_local(LocalOptions::default())
            .expect("a runtime");
        runtime.block_on(test)
    }

    /// A list that nobody looks at, so that a test may.
    fn unwatched() -> Rc<Deadlines> {
        let deadlines = Rc::new(Deadlines::default());
        deadlines.0.is_watched.set(true);
        deadlines
    }

    #[test]
    fn each_is_woken_at_its_own_deadline_and_once() {
        let (deadlines, began) = (unwatched(), now());
        // In no order.
        let waits: Vec<(Duration, Arc<Woken>)> = (0..500)
            .map(|number| (millis(number * 7919 % 503), Arc::default()))
            .collect();
        let mut asking: Vec<_> = waits
            .iter()
            .map(|(wait, woken)| {
                let (deadlines, wait) = (Rc::clone(&deadlines), *wait);
                let mut asking =
                    Box::pin(
                        async move { deadlines.within(began + wait, pin!(pending::<()>())).await },
                    );
                let waker = woken.waker();
                let poll = asking.as_mut().poll(&mut Context::from_waker(&waker));
                assert!(poll.is_pending());
                asking
            })
            .collect();
        for time in (0..510).step_by(10).map(millis) {
            assert!(deadlines.0.wake(began + time));
            for ((wait, woken), asking) in waits.iter().zip(&mut asking) {
                let is_over = *wait <= time;
                assert_eq!(woken.count(), usize::from(is_over));
                let waker = woken.waker();
                // Whoever was woken learns why; the others go on waiting.
                if time == millis(500) {
                    let poll = asking.as_mut().poll(&mut Context::from_waker(&waker));
                    assert_eq!(
                        poll,
                        if is_over {
                            Poll::Ready(Err(Elapsed))
                        } else {
                            Poll::Pending
                        }
                    );
                }
            }
        }
        drop(asking);
        assert!(!deadlines.0.wake(began));
    }

    #[test]
    fn room_for_many_is_not_kept() {
        let (deadlines, deadline) = (unwatched(), now());
        let woken = Arc::new(Woken::default()).waker();
        let mut cx = Context::from_waker(&woken);
        let mut asking: Vec<_> = (0..2 * ROOM)
            .map(|_| Box::pin(async { deadlines.within(deadline, pin!(pending::<()>())).await }))
            .collect();
        for asking in &mut asking {
            assert!(asking.as_mut().poll(&mut cx).is_pending());
        }
        assert!(deadlines.0.waiting.borrow().capacity() >= 2 * ROOM);
        drop(asking);
        assert!(!deadlines.0.wake(deadline));
        assert_eq!(deadlines.0.waiting.borrow().capacity(), 0);
    }

    #[test]
    fn the_last_who_polled_is_woken() {
        let (deadlines, deadline) = (unwatched(), now());
        let (first, last) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut never = pin!(pending::<()>());
        let mut asking = Box::pin(deadlines.within(deadline, never.as_mut()));
        for woken in [&first, &last] {
            let waker = woken.waker();
            assert!(
                asking
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        deadlines.0.wake(deadline);
        let counts = [first, last].map(|woken| woken.count());
        assert_eq!(counts, [0, 1]);
    }

    #[test]
    fn a_deadline_ends_what_is_never_ready_and_not_early() {
        run(async {
            let deadlines = Deadlines::default();
            for wait in [0, 1, 25] {
                let deadline = now() + millis(wait);
                let ended = deadlines.within(deadline, pin!(pending::<()>())).await;
                assert_eq!(ended, Err(Elapsed));
                assert!(now() >= deadline);
            }
            assert!(deadlines.0.waiting.borrow().is_empty());
        });
    }

    #[test]
    fn what_is_ready_needs_no_place_even_at_its_deadline() {
        let deadlines = Deadlines::default();
        let ended = run(deadlines.within(now(), pin!(ready(7))));
        assert_eq!(ended, Ok(7));
        assert!(!deadlines.0.is_watched.get());
    }

    #[test]
    fn nobody_looks_when_nobody_waits_and_somebody_does_again() {
        run(async {
            let deadlines = Deadlines::default();
            for _ in 0..2 {
                let ended = deadlines.within(now(), pin!(pending::<()>())).await;
                assert_eq!(ended, Err(Elapsed));
                assert!(deadlines.0.is_watched.get());
                while deadlines.0.is_watched.get() {
                    tokio::task::yield_now().await;
                }
            }
        });
    }

    #[test]
    fn looking_that_was_broken_off_begins_again() {
        let deadlines = Deadlines::default();
        for _ in 0..2 {
            // A worker's end takes the task with it.
            let ended = run(deadlines.within(now(), pin!(pending::<()>())));
            assert_eq!(ended, Err(Elapsed));
            assert!(!deadlines.0.is_watched.get());
        }
    }
}
