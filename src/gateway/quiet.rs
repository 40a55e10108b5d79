//! Keeps a connection from being woken for nothing. Whoever takes a piece of a body from hyper's HTTP/1.1 connection
//! wakes it, since it may have more to read; where that was all of the body, it has not, and another turn of its
//! task would find nothing to do. The wake comes from within the taking, on the same thread, so that it can be held
//! back there and told from every other.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// What becomes of the wakes of this thread.
#[derive(Clone, Copy)]
enum Wakes {
    Pass,
    AreHeld { any: bool },
}

thread_local! {
    static WAKES: Cell<Wakes> = const { Cell::new(Wakes::Pass) };
}

/// A connection whose wakes can be held back.
#[derive(Debug)]
pub struct Quiet<C> {
    connection: C,
    known: Known,
}

impl<C> Quiet<C> {
    /// This connection.
    pub fn new(connection: C) -> Self {
        Self {
            connection,
            known: Known::default(),
        }
    }

    /// It itself, for all but waiting.
    pub fn connection(&mut self) -> &mut C {
        &mut self.connection
    }

    /// The same, with nothing around it.
    pub fn into_inner(self) -> C {
        self.connection
    }
}

impl<C: Future + Unpin> Future for Quiet<C> {
    type Output = C::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let Self { connection, known } = self.get_mut();
        let mut quietly = Context::from_waker(known.of(cx.waker()));
        Pin::new(connection).poll(&mut quietly)
    }
}

/// A task's waker, and the one in its place.
#[derive(Debug, Default)]
struct Known(Option<(Waker, Waker)>);

impl Known {
    /// Wakes this task. The same one as before, for the same task.
    fn of(&mut self, task: &Waker) -> &Waker {
        let known = self.0.take().filter(|(known, _)| known.will_wake(task));
        let new = || (task.clone(), Waker::from(Arc::new(Gate(task.clone()))));
        &self.0.insert(known.unwrap_or_else(new)).1
    }
}

struct Gate(Waker);

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match WAKES.get() {
            Wakes::Pass => self.0.wake_by_ref(),
            Wakes::AreHeld { .. } => WAKES.set(Wakes::AreHeld { any: true }),
        }
    }
}

/// Does something while wakes by this thread are held back; gives what it gives, and whether there was one. Whoever
/// does not know that it was for nothing must wake the task.
pub(super) fn hold_back<T>(act: impl FnOnce() -> T) -> (T, bool) {
    let _until_then = Held::begin();
    let outcome = act();
    (outcome, matches!(WAKES.get(), Wakes::AreHeld { any: true }))
}

/// Wakes are held back, until dropped.
struct Held;

impl Held {
    fn begin() -> Self {
        debug_assert!(matches!(WAKES.get(), Wakes::Pass), "not within itself");
        WAKES.set(Wakes::AreHeld { any: false });
        Self
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        WAKES.set(Wakes::Pass);
    }
}

#[cfg(test)]
mod tests {
    use super::super::woken::Woken;
    use super::*;
    use std::thread;

    #[test]
    fn wakes_are_held_back_and_told() {
        let (woken, mut known) = (Arc::new(Woken::default()), Known::default());
        let waker = known.of(&woken.waker()).clone();
        assert_eq!(hold_back(|| waker.wake_by_ref()), ((), true));
        let another = waker.clone();
        assert_eq!(hold_back(|| another.wake()), ((), true));
        assert_eq!(hold_back(|| 7), (7, false));
        assert_eq!(woken.count(), 0);
        waker.wake_by_ref();
        waker.wake();
        assert_eq!(woken.count(), 2);
    }

    #[test]
    fn those_of_other_threads_pass() {
        let (woken, mut known) = (Arc::new(Woken::default()), Known::default());
        let waker = known.of(&woken.waker()).clone();
        let act = || thread::spawn(move || waker.wake()).join();
        let (joined, any) = hold_back(act);
        assert!(joined.is_ok() && !any);
        assert_eq!(woken.count(), 1);
    }

    #[test]
    fn they_pass_again_after_a_panic() {
        let (woken, mut known) = (Arc::new(Woken::default()), Known::default());
        let waker = known.of(&woken.waker()).clone();
        let panics = thread::spawn(move || {
            let caught = std::panic::catch_unwind(|| hold_back(|| panic!("on purpose")));
            waker.wake();
            caught.is_err()
        });
        assert!(panics.join().expect("it was caught"));
        assert_eq!(woken.count(), 1);
    }

    #[test]
    fn a_task_keeps_its_waker_and_another_has_another() {
        let (one, other) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let (of_one, of_other) = (one.waker(), other.waker());
        let mut known = Known::default();
        let waker = known.of(&of_one).clone();
        assert!(known.of(&of_one).will_wake(&waker));
        known.of(&of_other).wake_by_ref();
        waker.wake();
        assert_eq!((one.count(), other.count()), (1, 1));
    }
}
