//! How the workers are told what to do, and how they tell how far they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// The life of a gateway, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Connections are accepted.
    Serving,
    /// Connections are accepted, but readiness is withdrawn (`drain_delay`).
    Leaving,
    /// No new connections; what is open is finished.
    Draining,
    /// Everything ends at once.
    Stopped,
}

impl Stage {
    /// The word for it on the status page.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Leaving => "leaving",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

/// The one who tells.
#[derive(Debug)]
pub(super) struct Controller {
    stage: watch::Sender<Stage>,
    /// Set when another process has taken over the listening sockets.
    is_handed_over: watch::Sender<bool>,
    tally: Arc<Tally>,
    workers: usize,
}

/// One worker's end.
#[derive(Debug)]
pub(super) struct Control {
    stage: watch::Receiver<Stage>,
    is_handed_over: watch::Receiver<bool>,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    accepting: AtomicUsize,
    cut: AtomicUsize,
}

impl Controller {
    /// The controller of this many workers.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            stage: watch::Sender::new(Stage::Serving),
            is_handed_over: watch::Sender::new(false),
            tally: Arc::default(),
            workers,
        }
    }

    /// A worker's end.
    pub(super) fn control(&self) -> Control {
        Control {
            stage: self.stage.subscribe(),
            is_handed_over: self.is_handed_over.subscribe(),
            tally: Arc::clone(&self.tally),
        }
    }

    /// Goes on to a later stage; an earlier one is ignored.
    pub(super) fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let later = to > *stage;
            if later {
                *stage = to;
            }
            later
        });
    }

    /// How far its life is.
    pub(super) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Another process has taken over the listening sockets.
    pub(super) fn hand_over(&self) {
        self.is_handed_over.send_replace(true);
    }

    /// Whether another process has taken over.
    pub(super) fn is_handed_over(&self) -> bool {
        *self.is_handed_over.borrow()
    }

    /// Whether every worker accepts connections, and none is about to stop.
    pub(super) fn is_ready(&self) -> bool {
        *self.stage.borrow() == Stage::Serving
            && self.tally.accepting.load(Ordering::Relaxed) == self.workers
    }

    /// How many requests were cut at the end.
    pub(super) fn cut(&self) -> usize {
        self.tally.cut.load(Ordering::Relaxed)
    }
}

impl Control {
    /// The worker accepts connections.
    pub(super) fn ready(&self) {
        self.tally.accepting.fetch_add(1, Ordering::Relaxed);
    }

    /// The worker had to cut this many requests.
    pub(super) fn cut(&self, requests: usize) {
        self.tally.cut.fetch_add(requests, Ordering::Relaxed);
    }

    /// Waits until another process has taken over. Cancel safe.
    pub(super) async fn handed_over(&mut self) {
        if self.is_handed_over.wait_for(|is| *is).await.is_err() {
            // The controller is gone, and with it everybody who could take over.
            std::future::pending::<()>().await;
        }
    }

    /// Waits for a stage, or a later one. Without a controller everything is to stop. Cancel safe.
    pub(super) async fn reached(&mut self, stage: Stage) {
        // The only error is that the controller is gone.
        drop(self.stage.wait_for(|now| *now >= stage).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_only_go_on() {
        let controller = Controller::new(1);
        assert!(!controller.is_ready());
        controller.control().ready();
        assert!(controller.is_ready());
        controller.advance(Stage::Draining);
        assert!(!controller.is_ready());
        controller.advance(Stage::Leaving);
        assert_eq!(*controller.stage.borrow(), Stage::Draining);
    }
}
