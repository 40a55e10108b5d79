//! How many requests one worker has with the upstream at once. Nothing here is shared among threads, and a request
//! that need not wait for another's end costs two numbers.

use std::cell::Cell;
use std::rc::Rc;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The requests that may be with the upstream.
#[derive(Debug)]
pub(super) struct Exchanges(Rc<Places>);

#[derive(Debug)]
struct Places {
    /// Those that nobody has and nobody waits for.
    free: Cell<usize>,
    waiting: Cell<usize>,
    /// Those for whoever waits, in the order of coming.
    queue: Semaphore,
}

/// One of the places, given to the next when dropped.
#[derive(Debug)]
pub(in crate::gateway) struct Taken(Rc<Places>);

/// One who waits, until dropped.
struct Waiting<'p>(&'p Places);

impl Exchanges {
    pub(super) fn new(places: usize) -> Self {
        Self(Rc::new(Places {
            free: Cell::new(places),
            waiting: Cell::new(0),
            queue: Semaphore::new(0),
        }))
    }

    /// Waits for a place, behind all who waited before. Cancel safe.
    pub(super) async fn begin(&self) -> Taken {
        let places = &*self.0;
        if !places.take() {
            let _waiting = Waiting::among(places);
            // It is never closed, so that there is no error.
            if let Ok(place) = places.queue.acquire().await {
                place.forget();
            }
        }
        Taken(Rc::clone(&self.0))
    }
}

impl Places {
    /// Takes a place, where there is one and nobody waits.
    fn take(&self) -> bool {
        if self.waiting.get() > 0 {
            return false;
        }
        if let Some(left) = self.free.get().checked_sub(1) {
            self.free.set(left);
            return true;
        }
        // It was given to one who had just given up.
        let place = self.queue.try_acquire().ok();
        place.map(SemaphorePermit::forget).is_some()
    }
}

impl<'p> Waiting<'p> {
    fn among(places: &'p Places) -> Self {
        places.waiting.set(places.waiting.get() + 1);
        Self(places)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let places = &*self.0;
        if places.waiting.get() > 0 {
            places.queue.add_permits(1);
        } else {
            places.free.set(places.free.get() + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    type Begin<'e> = Pin<Box<dyn Future<Output = Taken> + 'e>>;

    fn poll(begin: &mut Begin<'_>) -> Option<Taken> {
        let cx = &mut Context::from_waker(Waker::noop());
        match begin.as_mut().poll(cx) {
            Poll::Ready(place) => Some(place),
            Poll::Pending => None,
        }
    }

    fn begin(exchanges: &Exchanges) -> Begin<'_> {
        Box::pin(exchanges.begin())
    }

    #[test]
    fn who_comes_later_waits_behind_who_waits() {
        let exchanges = Exchanges::new(1);
        let first = poll(&mut begin(&exchanges)).expect("a place");
        let (mut second, mut third) = (begin(&exchanges), begin(&exchanges));
        assert!(poll(&mut second).is_none());
        assert!(poll(&mut third).is_none());
        drop(first);
        // It is the second's, though it has not looked yet.
        assert!(poll(&mut begin(&exchanges)).is_none());
        assert!(poll(&mut third).is_none());
        let second = poll(&mut second).expect("its place");
        assert!(poll(&mut third).is_none());
        drop(second);
        assert!(poll(&mut third).is_some());
    }

    #[test]
    fn no_place_is_lost_or_won_whatever_is_given_up_when() {
        const PLACES: usize = 3;
        // Every order of what may happen, as the digits of a number.
        for order in 0..4_usize.pow(9) {
            let exchanges = Exchanges::new(PLACES);
            let (mut waiting, mut under_way) = (VecDeque::new(), VecDeque::new());
            for step in 0..9 {
                match order / 4_usize.pow(step) % 4 {
                    0 => {
                        let mut one = begin(&exchanges);
                        match poll(&mut one) {
                            Some(place) => under_way.push_back(place),
                            None => waiting.push_back(one),
                        }
                    }
                    1 => drop(under_way.pop_front()),
                    2 => drop(waiting.pop_front()),
                    _ => {
                        let one = waiting.front_mut();
                        if let Some(place) = one.and_then(poll) {
                            under_way.push_back(place);
                            waiting.pop_front();
                        }
                    }
                }
                assert!(under_way.len() <= PLACES, "{order}");
            }
            waiting.clear();
            under_way.clear();
            let all: Vec<_> = (0..PLACES)
                .map(|_| poll(&mut begin(&exchanges)).expect("a free place"))
                .collect();
            assert!(poll(&mut begin(&exchanges)).is_none(), "{order}");
            drop(all);
        }
    }
}
