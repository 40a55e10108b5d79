//! What is going on, as server-sent events (HTML Living Standard, section 9.2). While at least one page looks, the
//! counters are read once a second, whatever the number of pages; while none does, nothing happens.

use super::super::control::Controller;
use crate::observe::{Status, Told};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, Receiver, error::RecvError};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often the counters are read, and how long a page may leave what it is told untaken.
#[derive(Debug, Clone, Copy)]
struct Pace {
    tick: Duration,
    patience: Duration,
}

const PACE: Pace = Pace {
    tick: Duration::from_secs(1),
    patience: Duration::from_secs(10),
};

/// How many pages may look at once.
const WATCHERS: usize = 8;
/// How long one stream lasts; a page asks for the next by itself.
pub(super) const LIFETIME: Duration = Duration::from_secs(3600);
/// How many events may wait for a page before it is told everything anew.
const BEHIND: usize = 4;

/// The body of a stream of events.
pub(super) type Stream = Channel<Bytes>;

/// Who is told what is going on.
#[derive(Debug)]
pub(super) struct Events {
    status: Status,
    controller: Arc<Controller>,
    watchers: Cell<usize>,
    is_ticking: Cell<bool>,
    told: broadcast::Sender<Bytes>,
    pace: Pace,
}

/// One that is told; it leaves when dropped.
struct Watcher(Rc<Events>, Rc<()>);

/// Tells whether a page is still told something.
pub(super) type Alive = Weak<()>;

/// Who tells all pages.
struct Ticking(Rc<Events>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.is_ticking.set(false);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.watchers.set(self.0.watchers.get() - 1);
    }
}

impl Events {
    pub(super) fn new(status: Status, controller: Arc<Controller>) -> Self {
        Self {
            status,
            controller,
            watchers: Cell::new(0),
            is_ticking: Cell::new(false),
            told: broadcast::Sender::new(BEHIND),
            pace: PACE,
        }
    }

    /// A stream for one more page, and what lives as long as it is told something; `None` if there are enough.
    pub(super) fn watch(self: &Rc<Self>) -> Option<(Stream, Alive)> {
        if self.watchers.get() >= WATCHERS {
            return None;
        }
        self.watchers.set(self.watchers.get() + 1);
        let watcher = Watcher(Rc::clone(self), Rc::default());
        let alive = Rc::downgrade(&watcher.1);
        let news = self.told.subscribe();
        if !self.is_ticking.replace(true) {
            tokio::task::spawn_local(Ticking(Rc::clone(self)).run());
        }
        let (sender, body) = Channel::new(1);
        // However it ends, the page asks again.
        tokio::task::spawn_local(async move {
            drop(timeout(LIFETIME, watcher.tell_until_taken_over(sender, news)).await);
        });
        Some((body, alive))
    }

    fn state(&self, told: &mut Told) -> Bytes {
        let state = self.status.since(told, self.controller.stage().as_str());
        // JSON in one line has no line break that would end the event.
        Bytes::from(format!("retry: 1000\nevent: state\ndata: {state}\n\n"))
    }
}

impl Ticking {
    /// Tells all pages what has changed, for as long as there is one.
    async fn run(self) {
        let events = &self.0;
        let mut ticks = interval(events.pace.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        // Each page was told at its beginning what there was by then.
        let mut told = Told::default();
        drop(events.state(&mut told));
        loop {
            ticks.tick().await;
            if events.told.receiver_count() == 0 {
                return;
            }
            // Whoever has left meanwhile is no longer told.
            drop(events.told.send(events.state(&mut told)));
        }
    }
}

impl Watcher {
    /// Tells a page until it takes nothing more, or another process has taken over, which it then asks.
    async fn tell_until_taken_over(&self, page: Sender<Bytes>, news: Receiver<Bytes>) {
        let mut control = self.0.controller.control();
        tokio::select! {
            () = control.handed_over() => {}
            () = self.tell(page, news) => {}
        }
    }

    async fn tell(&self, mut page: Sender<Bytes>, mut news: Receiver<Bytes>) {
        let mut next = self.0.state(&mut Told::default());
        loop {
            let taken = timeout(self.0.pace.patience, page.send_data(next)).await;
            if !matches!(taken, Ok(Ok(()))) {
                return;
            }
            next = match news.recv().await {
                Ok(state) => state,
                Err(RecvError::Lagged(_)) => {
                    news = news.resubscribe();
                    self.0.state(&mut Told::default())
                }
                Err(RecvError::Closed) => return,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{
        Audience, Audit, AuditSettings, Board, Budgets, Clock, OnFailure, Output,
    };
    use crate::observe::{Recent, ReloadHealth};
    use http_body_util::BodyExt;
    use tokio::runtime::{Builder, LocalOptions};

    fn events() -> Rc<Events> {
        let settings = AuditSettings {
            output: Output::Off,
            on_failure: OnFailure::Refuse,
            queue: 16,
        };
        let (audit, _writer) = Audit::start(&settings, Audience::default()).expect("no output");
        let began = jiff::Timestamp::UNIX_EPOCH;
        let reloads = ReloadHealth::new(began, Arc::default());
        let (clock, _hand) = Clock::set(Duration::ZERO);
        let followed = (Board::new(clock.clone()), Budgets::new(clock));
        let recent = Recent::new(true);
        let status = Status::new(vec![], audit.health(), recent, reloads, followed, began);
        let events = Events::new(status, Arc::new(Controller::new(1)));
        let tick = Duration::from_millis(2);
        Rc::new(Events {
            pace: Pace {
                tick,
                patience: tick * 10,
            },
            ..events
        })
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build_local(LocalOptions::default());
        let bounded = async { timeout(Duration::from_secs(30), test).await };
        let outcome = runtime.expect("a runtime").block_on(bounded);
        outcome.expect("what is waited for comes");
    }

    async fn until(happens: impl Fn() -> bool) {
        while !happens() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn nothing_happens_while_nobody_looks() {
        run(async {
            let events = events();
            assert!(!events.is_ticking.get());
            let pages = (0..WATCHERS).map_while(|_| events.watch());
            let mut pages: Vec<Stream> = pages.map(|(page, _)| page).collect();
            assert_eq!(pages.len(), WATCHERS);
            assert!(events.watch().is_none());
            for page in &mut pages {
                let first = page.frame().await.expect("an event").expect("no failure");
                let data = first.into_data().expect("data");
                assert!(data.starts_with(b"retry: 1000\nevent: state\ndata: {"));
            }
            assert!(events.is_ticking.get());
            assert!(pages[0].frame().await.is_some(), "a tick");
            drop(pages);
            until(|| !events.is_ticking.get()).await;
            assert_eq!(events.watchers.get(), 0);
            assert!(events.watch().is_some(), "and begins again");
        });
    }

    #[test]
    fn a_page_is_left_to_the_process_that_takes_over() {
        run(async {
            let events = events();
            let (mut page, _) = events.watch().expect("a place");
            assert!(page.frame().await.is_some());
            events.controller.hand_over();
            while page.frame().await.is_some() {}
            assert_eq!(events.watchers.get(), 0);
        });
    }

    #[test]
    fn a_page_that_takes_nothing_is_left() {
        run(async {
            let events = events();
            let (mut slow, alive) = events.watch().expect("a place");
            assert_eq!(alive.strong_count(), 1);
            until(|| events.watchers.get() == 0).await;
            assert_eq!(alive.strong_count(), 0);
            // What it was told is there, and then the end.
            assert!(slow.frame().await.is_some());
            assert!(slow.frame().await.is_none());
        });
    }
}
