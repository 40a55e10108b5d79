//! One worker: a thread with a runtime of its own, its own connections and its own upstream pool. What
//! workers share is the listening socket, the snapshot, the audit queue and the count of connections; who accepts one
//! gives it to the worker that has the fewest.

use super::admission::Admission;
use super::balance::{Accepted, Seat};
use super::connection::Shared;
use super::control::{Control, Stage};
use super::listener::{Door, Listener};
use super::notes::SWEEP;
use super::watch::Connections;
use crate::config::Live;
use crate::gateway::{Gateway, ProcessWide, Renewals, Ticks};
use crate::observe::{Audit, Clock, WorkerMetrics};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};

/// How long to wait after a failed accept: most causes (no descriptors left) pass when connections
/// end, and trying at once would only spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long the tasks that open connections may take to notice the end.
const RUNTIME_END: Duration = Duration::from_millis(100);

/// How many tasks have their turns before the worker looks for what has come: with fewer, requests that take their
/// steps together would be parted.
const TASKS: u32 = 256;

/// What a worker is made of.
pub(super) struct Worker {
    pub(super) live: Arc<Live>,
    pub(super) renewals: Option<Renewals>,
    pub(super) workers: usize,
    pub(super) admission: Arc<Admission>,
    pub(super) listener: Listener,
    pub(super) seat: Seat,
    pub(super) audit: Audit,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) shared: Arc<ProcessWide>,
    pub(super) clock: Clock,
    pub(super) control: Control,
    pub(super) drain_timeout: Duration,
    /// Grows as long as the worker's tasks have their turns.
    pub(super) pulse: Arc<AtomicU64>,
}

impl Worker {
    /// Runs until drained or stopped. Blocks its thread.
    pub(super) fn run(self) -> io::Result<()> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .event_interval(TASKS)
            .build_local(LocalOptions::default())?;
        let outcome = runtime.block_on(self.serve());
        runtime.shutdown_timeout(RUNTIME_END);
        outcome
    }

    async fn serve(self) -> io::Result<()> {
        let door = self.listener.open()?;
        let limits = self.live.snapshot().limits.clone();
        let connections = Connections::new(Arc::clone(&self.metrics));
        let gateway = Gateway::new(
            self.live,
            self.workers,
            self.renewals,
            self.audit,
            Arc::clone(&self.metrics),
            self.shared,
            self.clock,
        );
        let shared = Rc::new(Shared::new(
            Rc::new(gateway),
            Rc::clone(&connections),
            self.metrics,
            &limits,
        ));
        let sweeper = tokio::task::spawn_local({
            let shared = Rc::clone(&shared);
            async move {
                let mut turns = Ticks::every(SWEEP);
                loop {
                    turns.tick().await;
                    self.pulse.fetch_add(1, Relaxed);
                    shared.connections.sweep(&limits);
                    shared.gateway.sweep();
                }
            }
        });
        self.control.ready();
        let mut control = self.control;
        let mut seat = self.seat;
        let door = accept(door, &shared, &self.admission, &mut seat, &mut control).await;
        shared.gateway.drain();
        connections.drain();
        for accepted in seat.close() {
            serve(&shared, accepted);
        }
        for (stream, peer) in door.close()? {
            if let Some(accepted) = seat.seat(stream, peer, None) {
                serve(&shared, accepted);
            }
        }
        drain(&shared, &mut control, self.drain_timeout).await;
        sweeper.abort();
        Ok(())
    }
}

/// Accepts connections until the drain begins; gives the door back.
async fn accept(
    door: Door,
    shared: &Rc<Shared>,
    admission: &Arc<Admission>,
    seat: &mut Seat,
    control: &mut Control,
) -> Door {
    let mut failing = false;
    let mut over = None;
    loop {
        let accepted = tokio::select! {
            biased;
            () = control.reached(Stage::Draining) => return door,
            handed = seat.next() => {
                serve(shared, handed);
                continue;
            }
            accepted = door.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("connections can be accepted again");
                }
                match admission.admit(peer) {
                    Some(place) => {
                        tell(&mut over, place.over);
                        if let Some(accepted) = seat.seat(stream, peer, Some(place)) {
                            serve(shared, accepted);
                        }
                    }
                    // Dropped without a word: there is no room even for one.
                    None => shared.turn_away(),
                }
            }
            Err(error) => {
                // It lasts as long as its cause, which is told once.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "connections cannot be accepted");
                }
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Tells the operator when connections begin to be over a bound, and when one is served again.
fn tell(known: &mut Option<&'static str>, over: Option<&'static str>) {
    match (std::mem::replace(known, over), over) {
        (None, Some(bound)) => tracing::warn!(bound, "connections over a bound are turned away"),
        (Some(bound), None) => tracing::info!(bound, "connections are served again"),
        _ => {}
    }
}

fn serve(shared: &Rc<Shared>, accepted: Accepted) {
    let Accepted {
        stream,
        peer,
        place,
        load,
    } = accepted;
    let held = (place, Some(load));
    tokio::task::spawn_local(Rc::clone(shared).serve(stream, peer, held));
}

/// Waits until every connection has ended, at most for `patience`; then ends the rest.
async fn drain(shared: &Shared, control: &mut Control, patience: Duration) {
    let connections = &shared.connections;
    let cut_short = tokio::select! {
        () = connections.emptied() => return,
        () = tokio::time::sleep(patience) => "drain_timeout has passed",
        () = control.reached(Stage::Stopped) => "the gateway was told to stop at once",
    };
    shared.gateway.cut();
    let cut = connections.abort();
    control.cut(cut);
    if cut > 0 {
        tracing::warn!(requests = cut, reason = cut_short, "requests were cut");
    }
    // Their tasks have been woken, and end in their next turn.
    connections.emptied().await;
}
