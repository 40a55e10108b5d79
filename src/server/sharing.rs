//! The thread that asks the shared server of quotas. Each store has a task of its own: it asks when a request
//! waits, when what is held runs low, and now and then so that everyone knows how many gateways there are. What
//! is asked and what follows of the answer is not decided here but by [`Ledger`]; this is its driver.

mod link;

use super::control::{Control, Stage};
use crate::config::{SharedServer, Snapshot};
use crate::gateway::{Line, Lines};
use crate::observe::Clock;
use crate::policy::vocabulary::StoreHash;
use crate::quota::{Book, Ledger, Reported, Waiting};
use link::Link;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// How long the shared server may take to answer. A request waits for it, so that what is slower is as good as
/// gone.
const LIMIT: Duration = Duration::from_millis(250);

/// How often a store is asked about of which nobody wants anything: often enough to notice within a second
/// that the server is gone, which takes two questions without an answer.
const EVERY: Duration = Duration::from_millis(450);

/// How many questions in turn have no answer before the gateway goes on alone: a machine can be busy for as long
/// as one takes, and a gateway that is alone beside others that are not spends what they may.
const FAILURES: u32 = 2;

/// So much longer for each store of each gateway: together they ask at most 500 times a second, and 2,000 times
/// where they hold what others may miss.
const FOR_EACH: Duration = Duration::from_millis(2);
const FOR_HOLDERS: Duration = Duration::from_micros(500);

/// The longest time between two such questions.
const RARELY: Duration = Duration::from_secs(10);

/// When a server that did not answer is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// How long a look-up of a name may still take when everything ends.
const RUNTIME_END: Duration = Duration::from_millis(100);

/// What is shared, and by which server.
#[derive(Clone)]
struct Wanted {
    server: Arc<SharedServer>,
    book: Arc<Book>,
}

/// By which the thread is told what is shared.
pub(super) struct Sharing {
    wanted: watch::Sender<Option<Wanted>>,
    lines: Lines,
}

impl fmt::Debug for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest leads to a password.
        f.debug_struct("Sharing").finish_non_exhaustive()
    }
}

impl Sharing {
    /// Starts the thread; it ends with the gateway.
    pub(super) fn start(
        snapshot: &Snapshot,
        lines: Lines,
        clock: Clock,
        control: Control,
    ) -> io::Result<Self> {
        let (sender, receiver) = watch::channel(None);
        let sharing = Self {
            wanted: sender,
            lines: lines.clone(),
        };
        sharing.change_to(snapshot);
        let run = move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())?;
            runtime.block_on(keep_all(receiver, lines, clock, control));
            runtime.shutdown_timeout(RUNTIME_END);
            Ok::<_, io::Error>(())
        };
        let logged = move || {
            if let Err(error) = run() {
                tracing::error!(%error, "quotas cannot be shared");
            }
        };
        std::thread::Builder::new()
            .name("sharing".to_owned())
            .spawn(logged)?;
        Ok(sharing)
    }

    /// From now on this is shared.
    pub(super) fn change_to(&self, snapshot: &Snapshot) {
        let wanted = match (&snapshot.shared, &snapshot.book) {
            (Some(server), Some(book)) => Some(Wanted {
                server: Arc::clone(server),
                book: Arc::clone(book),
            }),
            _ => None,
        };
        let stores = wanted.iter().flat_map(|wanted| wanted.book.shared());
        self.lines.keep(stores.map(|(store, _)| store));
        self.wanted.send_replace(wanted);
    }
}

/// What the tasks of all stores have in common.
struct Common {
    replica: Arc<str>,
    clock: Clock,
    lines: Lines,
    wanted: RefCell<Wanted>,
    link: RefCell<Rc<Link>>,
}

async fn keep_all(
    mut wanted: watch::Receiver<Option<Wanted>>,
    lines: Lines,
    clock: Clock,
    mut control: Control,
) {
    let mut common: Option<Rc<Common>> = None;
    let mut kept: BTreeMap<StoreHash, AbortHandle> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let now = wanted.borrow_and_update().clone();
        common = now.map(|now| follow(common.take(), now, &lines, &clock));
        let stores: Vec<StoreHash> = common.as_ref().map_or_else(Vec::new, |common| {
            let wanted = common.wanted.borrow();
            wanted.book.shared().map(|(store, _)| store).collect()
        });
        kept.retain(|store, task| {
            let is_wanted = stores.contains(store) && !task.is_finished();
            if !is_wanted {
                task.abort();
            }
            is_wanted
        });
        for store in stores {
            if let (Some(common), None) = (&common, kept.get(&store)) {
                kept.insert(store, tasks.spawn_local(keep(store, Rc::clone(common))));
            }
        }
        tokio::select! {
            () = control.reached(Stage::Stopped) => return,
            changed = wanted.changed() => if changed.is_err() {
                return;
            },
            Some(ended) = tasks.join_next() => if ended.is_err_and(|error| error.is_panic()) {
                // Nobody would ask any more: the gateway goes on alone, and then another task asks.
                tracing::error!("a task that shares a quota has failed, and is started again");
                if let Some(common) = &common {
                    common.part_all();
                }
                tokio::time::sleep(AGAIN).await;
            },
        }
    }
}

/// Goes on with what is wanted now. A server that is still the same keeps its connection.
fn follow(before: Option<Rc<Common>>, now: Wanted, lines: &Lines, clock: &Clock) -> Rc<Common> {
    let Some(common) = before else {
        return Rc::new(Common {
            replica: name(),
            clock: clock.clone(),
            lines: lines.clone(),
            link: RefCell::new(Rc::new(Link::new(&now.server))),
            wanted: RefCell::new(now),
        });
    };
    let is_same = common.wanted.borrow().server == now.server;
    if !is_same {
        common.link.replace(Rc::new(Link::new(&now.server)));
    }
    common.wanted.replace(now);
    common
}

/// A name that no other gateway has.
fn name() -> Arc<str> {
    let mut bytes = [0; 16];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        tracing::error!(
            "no random numbers: this gateway shares quotas under a name that others may have"
        );
    }
    let mut name = String::with_capacity(32);
    for byte in bytes {
        let written = write!(name, "{byte:02x}");
        // Writing to a string cannot fail.
        debug_assert!(written.is_ok());
    }
    name.into()
}

impl Common {
    fn of(&self, store: &StoreHash) -> Option<(Arc<Ledger>, Arc<Line>, Rc<Link>)> {
        let wanted = self.wanted.borrow();
        let (_, ledger) = wanted.book.shared().find(|(known, _)| known == store)?;
        let line = self.lines.of(store)?;
        Some((Arc::clone(ledger), line, Rc::clone(&self.link.borrow())))
    }

    /// No store's quota is shared for now.
    fn part_all(&self) {
        for (_, ledger) in self.wanted.borrow().book.shared() {
            ledger.part(self.clock.steady());
        }
    }

    /// How long nobody need ask about a store of which nobody wants anything.
    fn every(&self, ledger: &Ledger) -> Duration {
        let stores = self.wanted.borrow().book.shared().count();
        let stores = u32::try_from(stores).unwrap_or(u32::MAX);
        let replicas = ledger.lease_state().map_or(1, |state| state.replicas);
        let each = if ledger.holds(self.clock.steady()) {
            FOR_HOLDERS
        } else {
            FOR_EACH
        };
        let together = each.saturating_mul(stores.saturating_mul(replicas));
        together.clamp(EVERY, RARELY)
    }
}

/// Keeps one store's quota shared, for ever.
async fn keep(store: StoreHash, common: Rc<Common>) {
    let mut reported = Reported::default();
    let mut is_down = false;
    let mut failures = 0;
    let mut has_begun = false;
    let mut before: Option<Arc<Ledger>> = None;
    while let Some((ledger, line, link)) = common.of(&store) {
        if before
            .as_ref()
            .is_some_and(|before| !Arc::ptr_eq(before, &ledger))
        {
            // The callers may have other numbers.
            reported = Reported::default();
        }
        before = Some(Arc::clone(&ledger));
        let asked = ask(
            &store,
            &common,
            &ledger,
            &link,
            line.waiting(),
            &mut reported,
        )
        .await;
        let now = common.clock.steady();
        failures = if asked.is_ok() { 0 } else { failures + 1 };
        if asked.is_err() {
            ledger.unanswered();
        }
        match asked {
            Ok(()) if is_down => {
                is_down = false;
                tracing::info!(store = store.as_str(), "the quota is shared again");
            }
            Ok(()) if !has_begun => tracing::info!(
                store = store.as_str(),
                "the quota is shared with other gateways"
            ),
            Ok(()) => {}
            Err(_) if failures < FAILURES => continue,
            Err(cause) => {
                ledger.part(now);
                if !is_down {
                    let replicas = ledger.lease_state().map_or(1, |state| state.replicas);
                    tracing::error!(
                        store = store.as_str(),
                        replicas,
                        cause,
                        "the quota is not shared: this gateway goes on with its part of it"
                    );
                }
                is_down = true;
            }
        }
        has_begun |= !is_down;
        line.end_round();
        if is_down {
            tokio::time::sleep(AGAIN).await;
        } else {
            tokio::select! {
                () = is_wanted(&line, &ledger, &common.clock) => {}
                () = tokio::time::sleep(common.every(&ledger)) => {}
            }
        }
    }
}

/// Waits until a request waits or what is held runs low; what was wanted before the last answer came may be there.
async fn is_wanted(line: &Line, ledger: &Ledger, clock: &Clock) {
    loop {
        line.is_wanted().await;
        if line.is_waited_at() || ledger.runs_low(clock.steady()) {
            return;
        }
    }
}

async fn ask(
    store: &StoreHash,
    common: &Common,
    ledger: &Ledger,
    link: &Link,
    waiting: Waiting,
    reported: &mut Reported,
) -> Result<(), String> {
    let now = common.clock.steady();
    let question = ledger.ask((&common.replica, waiting), reported, now);
    // A store whose quota is no longer shared has no line either.
    let question = question.ok_or("the quota is this gateway's alone")?;
    let answer = tokio::time::timeout(LIMIT, link.ask(store.as_str(), &question)).await;
    let answer = answer.unwrap_or_else(|_| {
        link.failed();
        Err(format!(
            "it does not answer within {} ms",
            LIMIT.as_millis()
        ))
    })?;
    ledger.answered(&question, &answer, reported, common.clock.steady());
    Ok(())
}
