//! Watches over one worker's connections. Each connection notes what it is doing; one coarse sweep
//! compares that with the limits and orders slow ones closed. There is no timer per connection or
//! request, and a limit is never enforced early.

use super::notes::{Notes, Order, Phase};
use crate::config::Limits;
use crate::observe::{BareClose, WorkerMetrics};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::Instant;

/// All connections of one worker.
#[derive(Debug)]
pub(super) struct Connections {
    clock: Rc<Cell<Instant>>,
    open: RefCell<Vec<Rc<Notes>>>,
    metrics: Arc<WorkerMetrics>,
    drained_since: Cell<Option<Instant>>,
    emptied: Notify,
}

/// A connection's place among the others, given up when dropped.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) notes: Rc<Notes>,
    connections: Rc<Connections>,
}

impl Connections {
    pub(super) fn new(metrics: Arc<WorkerMetrics>) -> Rc<Self> {
        Rc::new(Self {
            clock: Rc::new(Cell::new(now())),
            open: RefCell::default(),
            metrics,
            drained_since: Cell::default(),
            emptied: Notify::new(),
        })
    }

    /// Takes a new connection into care.
    pub(super) fn watch(self: &Rc<Self>, phase: Phase) -> Watched {
        let notes = Rc::new(Notes::new(&self.clock, phase, &self.metrics));
        self.open.borrow_mut().push(Rc::clone(&notes));
        self.metrics.accepted();
        Watched {
            notes,
            connections: Rc::clone(self),
        }
    }

    /// Looks at every connection once.
    pub(super) fn sweep(&self, limits: &Limits) {
        self.clock.set(now());
        for notes in self.open.borrow().iter() {
            notes.look(limits, self.drained_since.get());
        }
    }

    /// Idle connections are closed after a quiet moment from now on.
    pub(super) fn drain(&self) {
        self.clock.set(now());
        self.drained_since.set(Some(self.clock.get()));
    }

    /// Waits until no connection is open.
    pub(super) async fn emptied(&self) {
        while !self.open.borrow().is_empty() {
            self.emptied.notified().await;
        }
    }

    /// Closes every connection now; gives the number of requests whose answers that cuts.
    pub(super) fn abort(&self) -> usize {
        let open = self.open.borrow();
        for notes in open.iter() {
            notes.command(Order::Abort(Some(BareClose::Drained)));
        }
        open.iter().map(|notes| notes.unfinished()).sum()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let connections = &self.connections;
        connections.metrics.closed();
        let mut open = connections.open.borrow_mut();
        if let Some(place) = open.iter().position(|notes| Rc::ptr_eq(notes, &self.notes)) {
            open.swap_remove(place);
        }
        if open.is_empty() {
            connections.emptied.notify_one();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the connections' limits"
)]
fn now() -> Instant {
    Instant::now()
}
