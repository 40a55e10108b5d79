//! The order of those who wait for their turn to spend: of one caller's requests to one store, the first to
//! come is the first to go, on whichever worker it is. Only those that wait are ever in it.

use crate::observe::Waiting;
use crate::policy::vocabulary::StoreHash;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[expect(
    clippy::disallowed_types,
    reason = "taken by a request that is about to wait, for as long as a map is searched"
)]
type Lock<T> = std::sync::Mutex<T>;

/// How many of a caller's requests wait for one store; further ones are refused at once.
const MOST: usize = 128;

type Queues = BTreeMap<(String, StoreHash), Arc<Queue>>;

/// Everyone who waits.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queues: Lock<Queues>,
    /// How many wait, so that nobody looks for a queue where there is none.
    waiting: Waiting,
}

#[derive(Debug)]
struct Queue {
    /// The turn of the first.
    first: Arc<Semaphore>,
    /// The places in the queue.
    places: Arc<Semaphore>,
}

/// A place in a queue.
#[derive(Debug)]
pub(super) struct Place {
    queue: Arc<Queue>,
    waiting: Waiting,
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    /// Those who wait are counted there.
    pub(super) fn new(waiting: Waiting) -> Self {
        Self {
            queues: Lock::default(),
            waiting,
        }
    }

    /// Whether somebody of this caller waits for this store.
    pub(super) fn is_waited_for(&self, caller: &str, store: StoreHash) -> bool {
        !self.waiting.is_none()
            && self.with(|queues| {
                let queue = queues.get(&(caller.to_owned(), store));
                queue.is_some_and(|queue| queue.places.available_permits() < MOST)
            })
    }

    /// Takes the last place in a queue; `None` if it is full.
    pub(super) fn line_up(&self, caller: &str, store: StoreHash) -> Option<Place> {
        let queue = self.with(|queues| {
            queues.retain(|_, queue| queue.places.available_permits() < MOST);
            let new = || {
                Arc::new(Queue {
                    first: Arc::new(Semaphore::new(1)),
                    places: Arc::new(Semaphore::new(MOST)),
                })
            };
            let queue = queues.entry((caller.to_owned(), store)).or_insert_with(new);
            let permit = Arc::clone(&queue.places).try_acquire_owned().ok()?;
            Some((Arc::clone(queue), permit))
        });
        let (queue, permit) = queue?;
        self.waiting.begin();
        Some(Place {
            queue,
            waiting: self.waiting.clone(),
            _permit: permit,
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Queues) -> T) -> T {
        // A panic while the lock was held cannot have left the map half changed.
        let mut queues = self
            .queues
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        act(&mut queues)
    }
}

impl Place {
    /// Waits until all who came before are gone.
    pub(super) async fn come_first(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.queue.first).acquire_owned().await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn places_have_a_bound_and_queues_do_not_stay() {
        let turns = Turns::default();
        let caller = "app";
        let store = StoreHash::parse("abc").unwrap();
        assert!(!turns.is_waited_for(caller, store));
        let places: Vec<_> = (0..MOST).map(|_| turns.line_up(caller, store)).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(turns.line_up(caller, store).is_none());
        assert!(turns.is_waited_for(caller, store));
        assert!(!turns.is_waited_for("other", store));
        drop(places);
        assert!(!turns.is_waited_for(caller, store));
        let _other = turns.line_up("other", store).unwrap();
        assert_eq!(turns.with(|queues| queues.len()), 1);
    }

    #[test]
    fn the_first_to_come_goes_first_and_who_leaves_is_passed_over() {
        let turns = Turns::default();
        let (caller, store) = ("app", StoreHash::parse("abc").unwrap());
        let places: Vec<_> = (0..3)
            .map(|_| turns.line_up(caller, store).unwrap())
            .collect();
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = pin!(places[0].come_first());
        let Poll::Ready(turn) = first.as_mut().poll(&mut cx) else {
            panic!("nobody is before the first")
        };
        {
            let mut second = Box::pin(places[1].come_first());
            assert!(second.as_mut().poll(&mut cx).is_pending());
            let mut third = pin!(places[2].come_first());
            assert!(third.as_mut().poll(&mut cx).is_pending());
            drop(turn);
            assert!(third.as_mut().poll(&mut cx).is_pending());
            drop(second);
            assert!(third.as_mut().poll(&mut cx).is_ready());
        }
    }
}
