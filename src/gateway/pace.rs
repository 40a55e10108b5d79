//! Lets requests that are ready at the same time take their steps together: all that can be judged are judged before
//! the first is sent, and all answers that have come are read before the first is passed on. What is written then
//! leaves close together, and who reads it is woken once and not for each: on a busy machine of few cores waking
//! the other side is what a request costs most.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

/// With fewer requests under way nobody would wait for another.
const FEW: usize = 3;

/// How many requests one worker has under way.
#[derive(Debug, Default)]
pub(super) struct Pace(Cell<usize>);

/// A request under way.
#[derive(Debug)]
pub(super) struct UnderWay<'p>(&'p Pace);

impl Pace {
    pub(super) fn begin(&self) -> UnderWay<'_> {
        self.0.set(self.0.get() + 1);
        UnderWay(self)
    }

    /// Goes on once every task that is ready now has had its turn, where there are enough under way. It never waits
    /// for anything else.
    pub(super) async fn keep_step(&self) {
        if self.0.get() >= FEW {
            line_up().await;
        }
    }
}

/// Goes behind the tasks that are ready now, and before those that do so after it.
pub(super) async fn line_up() {
    let mut has_lined_up = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_lined_up, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use tokio::runtime::{Builder, LocalOptions};

    /// The steps that so many requests take, which become ready together.
    fn steps(count: usize) -> Vec<(&'static str, usize)> {
        let runtime = Builder::new_current_thread().build_local(LocalOptions::default());
        let runtime = runtime.expect("a runtime");
        let pace = Rc::new(Pace::default());
        let steps = Rc::new(RefCell::new(Vec::new()));
        runtime.block_on(async {
            let tasks: Vec<_> = (0..count)
                .map(|number| {
                    let (pace, steps) = (Rc::clone(&pace), Rc::clone(&steps));
                    tokio::task::spawn_local(async move {
                        let _under_way = pace.begin();
                        line_up().await;
                        steps.borrow_mut().push(("judged", number));
                        pace.keep_step().await;
                        steps.borrow_mut().push(("sent", number));
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        assert_eq!(pace.0.get(), 0);
        steps.take()
    }

    #[test]
    fn all_are_judged_before_the_first_is_sent() {
        let steps = steps(8);
        let (judged, sent) = steps.split_at(8);
        assert!(judged.iter().all(|(step, _)| *step == "judged"));
        let order: Vec<usize> = sent.iter().map(|(_, number)| *number).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_few_do_not_wait_for_each_other() {
        assert_eq!(
            steps(2),
            [("judged", 0), ("sent", 0), ("judged", 1), ("sent", 1)]
        );
    }
}
