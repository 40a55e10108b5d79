//! The doors: listeners, worker threads, connections and their limits, the drain, and the operator's
//! listener. A [`Server`] is a running gateway.

mod admin;
mod admission;
mod balance;
mod connection;
mod control;
mod doors;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handover;
mod inherited;
mod issuers;
mod listener;
mod notes;
#[cfg(feature = "otlp")]
mod otlp;
mod outgoing;
mod proof;
mod reload;
mod sharing;
mod socket;
mod tracked;
mod watch;
mod worker;

pub use admission::TURNED_AWAY;
pub use control::Stage;
pub use handover::Predecessor;
pub use inherited::Inherited;
pub use listener::Bound;
pub use reload::{Reloaded, Source};

use crate::config::file::File;
use crate::config::{Live, Loaded, Snapshot};
use crate::gateway::{Lines, ProcessWide, Renewals};
use crate::observe::{
    Audience, Audit, AuditSettings, Board, Budgets, Clock, Exporter, Output, Recent, ReloadHealth,
    Reopener, WorkerMetrics, Writer,
};
use admin::{Admin, Seen};
use admission::Admission;
use balance::seats;
use control::Controller;
use handover::Offer;
use issuers::Fetcher;
use listener::{Listener, SocketFile};
use reload::{Asked, Order, Reloader};
use sharing::Sharing;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use worker::Worker;

/// The most workers that are started unasked: a store's whole quota is 5 to 15 requests a second, and
/// each worker keeps its own upstream connections.
const WORKERS: usize = 2;

/// How many looks at the configuration may be asked for at once.
const ORDERS: usize = 16;

/// How long the audit log's last lines may take to be written.
const FLUSH: Duration = Duration::from_secs(5);

/// Why a gateway could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be bound.
    #[error("cannot listen on {address} (`{key}`)")]
    Bind {
        /// The configuration's key.
        key: &'static str,
        /// The address.
        address: String,
        /// The cause.
        source: io::Error,
    },
    /// A listening socket was passed to this process that it has no use for.
    #[error(
        "a listening socket on {addresses} was passed to this process, and none of `listen.address`, `admin.address` and `admin.page` is there"
    )]
    Unused {
        /// Its address, or those of several.
        addresses: String,
    },
    /// The audit log could not be opened.
    #[error("cannot open the audit log {path} (`audit.output`)")]
    Audit {
        /// The file, or what stands for it.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

impl StartError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        let cause = match self {
            Self::Bind { source, .. } | Self::Audit { source, .. } => source.kind(),
            Self::Unused { .. } => {
                return Some("give the socket unit and the configuration the same address");
            }
            Self::Thread(_) => return None,
        };
        match cause {
            io::ErrorKind::AddrInUse => Some(
                "another process listens there: stop it, or choose another address; port 0 picks a free one",
            ),
            io::ErrorKind::AddrNotAvailable => Some("this machine has no such address"),
            io::ErrorKind::NotFound => Some("make its folder first"),
            io::ErrorKind::PermissionDenied => Some("the gateway's user may not do that there"),
            _ => None,
        }
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Server {
    /// Where clients connect.
    pub address: Bound,
    /// Where the operator connects.
    pub admin: Option<Bound>,
    /// Where the status page is.
    pub page: Option<Bound>,
    controller: Arc<Controller>,
    workers: Vec<JoinHandle<io::Result<()>>>,
    writer: Writer,
    reopener: Reopener,
    sockets: Vec<SocketFile>,
    /// The files of sockets that another gateway has too.
    shared_files: Vec<SocketFile>,
    /// The sockets that another process may take over, and where it asks.
    offered: Option<(PathBuf, Vec<Listener>)>,
    offer: Option<Offer>,
    pulses: Vec<Arc<AtomicU64>>,
    reloader: Option<mpsc::Sender<Order>>,
    _followers: Followers,
}

/// What follows the snapshot in force beside the workers: who fetches the keys of issuers, who shares quotas, and
/// where it is shown how they stand.
#[derive(Debug, Clone)]
struct Followers {
    board: Board,
    budgets: Budgets,
    fetcher: Arc<Fetcher>,
    sharing: Arc<Sharing>,
}

impl Followers {
    /// From now on this snapshot is in force.
    fn change_to(&self, snapshot: &Snapshot) {
        self.fetcher.fetch(snapshot.signers.fetches.clone());
        if let Some(book) = &snapshot.book {
            book.come_into_force();
        }
        self.sharing.change_to(snapshot);
        self.show(snapshot);
    }

    fn show(&self, snapshot: &Snapshot) {
        self.board.show(snapshot.signers.issuers.list());
        self.budgets.show(snapshot.book.as_ref());
    }
}

/// How a gateway ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Requests that were cut.
    pub cut: usize,
    /// Workers that ended with an error.
    pub failed: usize,
    /// Whether every audit line was written.
    pub audited: bool,
}

impl Server {
    /// Binds the addresses and starts the workers. When it returns, connections are accepted. What is loaded
    /// is loaded again when its source changes; without a source it stays.
    pub fn start(loaded: Loaded, source: Option<Source>) -> Result<Self, StartError> {
        Self::start_by(loaded, source, &Clock::system())
    }

    /// The same by another clock than the system's.
    pub fn start_by(
        loaded: Loaded,
        source: Option<Source>,
        clock: &Clock,
    ) -> Result<Self, StartError> {
        Self::start_with(loaded, source, Inherited::none(), clock)
    }

    /// The same with sockets that were opened before.
    pub fn start_with(
        loaded: Loaded,
        source: Option<Source>,
        inherited: Inherited,
        clock: &Clock,
    ) -> Result<Self, StartError> {
        let Loaded { file, snapshot } = loaded;
        let owned = (inherited.are_own(), inherited.are_lent());
        let doors = doors::open(&file, inherited)?;
        let (admin, page) = doors.admin();
        let (audit, writer, recent) = start_audit(&file, &snapshot, page.is_some())?;
        let count = file.workers.unwrap_or_else(default_workers);
        let metrics: Vec<Arc<WorkerMetrics>> = for_each(count);
        let controller = Arc::new(Controller::new(count));
        let reloads = ReloadHealth::new(reload::now(), reload::warned(&file));
        let lines = Lines::default();
        let followers = start_followers(&snapshot, &lines, clock, &controller)?;
        let shared = Arc::new(ProcessWide::new(followers.budgets.waiting(), lines));
        let offered = doors::offered(&file, &doors)?;
        let (sockets, shared_files) = socket_files(doors.bound(), owned);
        let (listener, address) = doors.callers;
        if let Some(settings) = &file.admin {
            let seen = Seen {
                workers: metrics.clone(),
                audit: audit.health(),
                reloads: reloads.clone(),
                shared: Arc::clone(&shared),
            };
            let control = Arc::clone(&controller);
            let admin = Admin::new(settings, control, seen, &followers, recent);
            admin::start(admin, doors.admin)?;
        }
        let admission = Admission::new(&snapshot.limits);
        let drain_timeout = file.drain_timeout;
        let live = Arc::new(Live::new(snapshot));
        let reloader = source.map(|source| {
            Reloader::new(source, file, Arc::clone(&live), reloads, followers.clone())
        });
        let (reloader, renewals) = reloader.map(start_reloader).transpose()?.unzip();
        let pulses: Vec<Arc<AtomicU64>> = for_each(count);
        let worker = |((metrics, pulse), seat): ((_, &Arc<AtomicU64>), _)| {
            start_worker(Worker {
                live: Arc::clone(&live),
                renewals: renewals.clone(),
                workers: count,
                admission: Arc::clone(&admission),
                listener: listener.try_clone().map_err(StartError::Thread)?,
                seat,
                audit: audit.clone(),
                metrics,
                shared: Arc::clone(&shared),
                clock: clock.clone(),
                control: controller.control(),
                drain_timeout,
                pulse: Arc::clone(pulse),
            })
        };
        let workers = metrics.into_iter().zip(&pulses).zip(seats(count));
        let workers = workers.map(worker).collect::<Result<_, _>>()?;
        Ok(Self {
            address,
            admin,
            page,
            controller,
            workers,
            reopener: audit.reopener(),
            writer,
            sockets,
            shared_files,
            offered,
            offer: None,
            pulses,
            reloader,
            _followers: followers,
        })
    }

    /// Looks at the configuration now, and waits for what becomes of it.
    pub async fn reloaded(&self) {
        if let Some(outcome) = self.order() {
            drop(outcome.await);
        }
    }

    /// Looks at the configuration now, and waits for what becomes of it. Blocks; `None` where there is
    /// nothing to look at.
    pub fn reload_and_wait(&self) -> Option<Reloaded> {
        self.order()?.blocking_recv().ok()
    }

    fn order(&self) -> Option<oneshot::Receiver<Reloaded>> {
        let (order, outcome) = oneshot::channel();
        // One that is waiting already will see what this one would.
        self.reloader.as_ref()?.try_send(order).ok()?;
        Some(outcome)
    }

    /// Goes on to a later stage of its life.
    pub fn advance(&self, stage: Stage) {
        if let Some(offer) = self.offer.as_ref().filter(|_| stage >= Stage::Draining) {
            // A socket that is held for a successor would still take connections in.
            offer.withdraw();
        }
        self.controller.advance(stage);
    }

    /// Has the audit log's file opened again, after it was moved away.
    pub fn reopen_audit(&self) {
        self.reopener.reopen();
    }

    /// Whether every worker accepts connections.
    pub fn is_ready(&self) -> bool {
        self.controller.is_ready()
    }

    /// The sockets that were taken from another gateway are this one's alone.
    pub fn own(&mut self) {
        self.sockets.append(&mut self.shared_files);
    }

    /// From now on another process may take over the listening sockets, if the configuration has a `handover`.
    pub fn offer(&mut self) -> Result<(), StartError> {
        if let Some((path, sockets)) = self.offered.take() {
            let offer = Offer::start(&path, sockets, Arc::clone(&self.controller))?;
            self.sockets.extend(offer.file());
            self.offer = Some(offer);
        }
        Ok(())
    }

    /// Waits until another process has taken over the listening sockets.
    pub async fn handed_over(&self) {
        self.controller.control().handed_over().await;
    }

    /// How often each worker has had a turn: a number that no longer grows is a worker that hangs.
    pub fn pulses(&self) -> Vec<u64> {
        let pulses = self.pulses.iter();
        pulses.map(|pulse| pulse.load(Relaxed)).collect()
    }

    /// Whether a worker has ended, which none does before it is told to.
    pub fn has_failed(&self) -> bool {
        self.workers.iter().any(JoinHandle::is_finished)
    }

    /// Whether every worker has ended.
    pub fn has_finished(&self) -> bool {
        self.workers.iter().all(JoinHandle::is_finished)
    }

    /// Waits until the workers have ended and the audit log is written. Blocks.
    pub fn wait(self) -> Ended {
        let ended: Vec<_> = self.workers.into_iter().map(JoinHandle::join).collect();
        let mut failed = 0;
        for outcome in ended {
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    failed += 1;
                    tracing::error!(%error, "a worker failed");
                }
                Err(_) => failed += 1,
            }
        }
        self.controller.advance(Stage::Stopped);
        // Those that another process has taken over have their files still.
        let is_handed_over = self.controller.is_handed_over();
        for socket in self.sockets.iter().filter(|_| !is_handed_over) {
            if let Err(error) = socket.remove() {
                tracing::warn!(%error, %socket, "the socket could not be removed");
            }
        }
        Ended {
            cut: self.controller.cut(),
            failed,
            audited: self.writer.finish(FLUSH),
        }
    }
}

/// Keys are fetched from now on, ahead of need, and quotas are shared.
fn start_followers(
    snapshot: &Snapshot,
    lines: &Lines,
    clock: &Clock,
    controller: &Controller,
) -> Result<Followers, StartError> {
    let wanted = snapshot.signers.fetches.clone();
    let fetcher = Fetcher::start(wanted, clock.clone(), controller.control());
    let sharing = Sharing::start(snapshot, lines.clone(), clock.clone(), controller.control());
    let followers = Followers {
        board: Board::new(clock.clone()),
        budgets: Budgets::new(clock.clone()),
        fetcher: Arc::new(fetcher.map_err(StartError::Thread)?),
        sharing: Arc::new(sharing.map_err(StartError::Thread)?),
    };
    followers.show(snapshot);
    Ok(followers)
}

/// Opens the audit log. Where there is a page, the last decisions are kept for it.
fn start_audit(
    file: &File,
    snapshot: &Snapshot,
    has_page: bool,
) -> Result<(Audit, Writer, Option<Recent>), StartError> {
    let settings = AuditSettings {
        output: file.audit.output.value.clone(),
        on_failure: file.audit.on_failure,
        queue: file.audit.queue,
    };
    let recent = has_page.then(|| Recent::new(settings.output != Output::Off));
    let audience = Audience {
        recent: recent.clone(),
        exporter: exporter(snapshot).map_err(StartError::Thread)?,
    };
    let (audit, writer) =
        Audit::start(&settings, audience).map_err(|source| StartError::Audit {
            path: settings.output.to_string(),
            source,
        })?;
    Ok((audit, writer, recent))
}

/// What sends traces and records to a collector, if there is one.
#[cfg(feature = "otlp")]
fn exporter(snapshot: &Snapshot) -> io::Result<Option<Exporter>> {
    let collector = snapshot.collector.as_deref();
    collector.map(otlp::exporter).transpose()
}

#[cfg(not(feature = "otlp"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "it is the same function with the feature"
)]
fn exporter(_: &Snapshot) -> io::Result<Option<Exporter>> {
    // A configuration that names one is refused.
    Ok(None)
}

/// What each worker has of its own, and others look at.
fn for_each<T: Default>(count: usize) -> Vec<Arc<T>> {
    std::iter::repeat_with(Arc::default).take(count).collect()
}

/// The files of Unix sockets that this process is to remove at its end: from the start, and when they are its alone.
fn socket_files<'b>(
    bound: impl Iterator<Item = &'b Bound>,
    (are_own, are_lent): (bool, bool),
) -> (Vec<SocketFile>, Vec<SocketFile>) {
    let bound = bound.filter(|_| !are_lent);
    bound.filter_map(SocketFile::of).partition(|_| are_own)
}

/// How many workers are started where the configuration does not say.
pub fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(WORKERS))
}

fn start_worker(worker: Worker) -> Result<JoinHandle<io::Result<()>>, StartError> {
    std::thread::Builder::new()
        .name("worker".to_owned())
        .spawn(move || worker.run())
        .map_err(StartError::Thread)
}

/// The thread that reloads ends when the server is dropped.
fn start_reloader(reloader: Reloader) -> Result<(mpsc::Sender<Order>, Renewals), StartError> {
    let (sender, orders) = mpsc::channel(ORDERS);
    let (wishes, renewals) = Renewals::new();
    let asked = Asked { orders, renewals };
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(StartError::Thread)?;
    std::thread::Builder::new()
        .name("reload".to_owned())
        .spawn(move || runtime.block_on(reloader.run(asked)))
        .map(drop)
        .map_err(StartError::Thread)?;
    Ok((sender, wishes))
}
