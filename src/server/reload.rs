//! Change without a restart: one thread looks whether the configuration or anything it names has changed,
//! reads all of it again, and puts a good one into force with one swap. A bad one changes nothing: it is
//! reported with every problem, and the one before stays.
//!
//! A credential is read again also when the upstream has refused it, and while a bad configuration stands:
//! whatever else is wrong, a store's credential is taken from where the configuration in force has it.

mod changes;
mod fixed;
mod settling;

use super::Followers;
use crate::config::load::load;
use crate::config::materials::{self, Fingerprint, Outside};
use crate::config::problem::Problem;
use crate::config::warnings::{HARDLY_MEANT, MOST, warnings};
use crate::config::{Credentials, File, Live, LoadError, Loaded, Seen, Snapshot};
use crate::gateway::Renewal;
use crate::observe::ReloadHealth;
use crate::policy::vocabulary::StoreHash;
use settling::{STILL, Settling, read_at_once};
use std::mem::take;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often snapshots that are out of force are looked at: the last request that uses one may take some
/// seconds, and its memory is given back here and not by a worker.
const TIDY: Duration = Duration::from_secs(1);

/// Where the configuration is, and how it was when it was loaded.
#[derive(Debug)]
pub struct Source {
    /// The file's path.
    pub path: PathBuf,
    /// What the load has seen.
    pub seen: Seen,
}

/// What became of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// It is in force.
    Loaded,
    /// It is as it was.
    Unchanged,
    /// It is bad, and the one before stays in force.
    Refused,
}

/// The order to look now, and where to tell what became of it.
pub(super) type Order = oneshot::Sender<Reloaded>;

/// What asks for a look.
pub(super) struct Asked {
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) renewals: mpsc::Receiver<Renewal>,
}

/// The one who reloads.
pub(super) struct Reloader {
    source: Source,
    live: Arc<Live>,
    health: ReloadHealth,
    followers: Followers,
    /// As it was started, for what only a start can change: without stores, issuers and callers.
    started: File,
    /// The one in force.
    file: File,
    retired: Vec<Arc<Snapshot>>,
    settling: Settling<Fingerprint>,
}

/// The same without what there may be many of.
fn without_lists(file: &mut File) -> File {
    let (stores, issuers) = (take(&mut file.stores), take(&mut file.issuers));
    let callers = take(&mut file.callers);
    let rest = file.clone();
    (file.stores, file.issuers, file.callers) = (stores, issuers, callers);
    rest
}

impl Reloader {
    /// One for a source, of which `file` is in force.
    pub(super) fn new(
        source: Source,
        mut file: File,
        live: Arc<Live>,
        health: ReloadHealth,
        followers: Followers,
    ) -> Self {
        let started = without_lists(&mut file);
        Self {
            source,
            live,
            health,
            followers,
            started,
            file,
            retired: Vec::new(),
            settling: Settling::default(),
        }
    }

    /// Looks until nobody can ask any more.
    pub(super) async fn run(mut self, mut asked: Asked) {
        let mut looks = self.looks();
        let mut tidy = interval(TIDY);
        loop {
            tokio::select! {
                order = asked.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                Some(renewal) = asked.renewals.recv() => self.renew_asked(renewal, &mut asked),
                _ = looks.tick() => { self.look(false); }
                () = tokio::time::sleep(self.still()), if self.settling.is_open() => {
                    self.look(false);
                }
                _ = tidy.tick() => self.tidy(),
            }
            if self.has_another_pace(&looks) {
                looks = self.looks();
            }
        }
    }

    fn looks(&self) -> tokio::time::Interval {
        let mut looks = interval(self.file.reload_interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first is at once, and nothing can have changed yet.
        looks.reset();
        looks
    }

    /// For how long a change must have stood still.
    fn still(&self) -> Duration {
        STILL.min(self.file.reload_interval)
    }

    fn has_another_pace(&self, looks: &tokio::time::Interval) -> bool {
        looks.period() != self.file.reload_interval
    }

    fn obey(&mut self, order: Order) {
        let reloaded = self.look(true);
        // Whoever asked may not wait for the answer.
        let _gone = order.send(reloaded);
    }

    /// Loads what has changed: at once where somebody asks for it, else when the change has stood still. One
    /// who asks is also told of what was bad before.
    fn look(&mut self, asked: bool) -> Reloaded {
        let was_refused = self.health.now().fault.is_some();
        let look = self.source.seen.look(&self.source.path);
        let has_changed = self.source.seen.differs(look);
        if has_changed && !asked && !self.settling.stands_still(look, instant(), self.still()) {
            return Reloaded::Unchanged;
        }
        self.settling.end();
        let is_due = has_changed || (asked && was_refused);
        if !is_due {
            if was_refused {
                self.renew_all();
                return Reloaded::Refused;
            }
            if asked {
                tracing::info!("the configuration is as it was");
            }
            return Reloaded::Unchanged;
        }
        let before = self.live.snapshot();
        let path = &self.source.path;
        let read = read_at_once(
            || load(path, Some(&before)),
            |seen: &Seen| seen.differs(seen.look(path)),
        );
        let Some((seen, loaded)) = read else {
            tracing::warn!("the configuration changes while it is read; it is looked at again");
            return Reloaded::Unchanged;
        };
        self.source.seen = seen;
        let refused = match loaded {
            Ok(loaded) => match fixed::refuse(&self.started, &loaded.file) {
                None => {
                    self.put_into_force(loaded);
                    return Reloaded::Loaded;
                }
                Some(problem) => LoadError::Problems(problem.into()),
            },
            Err(error) => error,
        };
        self.report(&refused);
        self.renew_all();
        Reloaded::Refused
    }

    fn put_into_force(&mut self, loaded: Loaded) {
        let waiting = fixed::waiting(&self.started, &loaded.file);
        if !waiting.is_empty() {
            tracing::warn!(
                keys = waiting.join(", "),
                "these keys take effect at the next start"
            );
        }
        let before = self.live.snapshot();
        let changed = changes::told((&self.file, &before), (&loaded.file, &loaded.snapshot));
        self.file = loaded.file;
        self.followers.change_to(&loaded.snapshot);
        self.retired.push(self.live.replace(loaded.snapshot));
        self.health.change(|state| {
            state.generation += 1;
            state.since = now();
            state.fault = None;
            state.waiting = waiting;
            state.warnings = warned(&self.file);
        });
        tracing::info!(
            generation = self.health.now().generation,
            stores = self.file.stores.len(),
            callers = self.file.callers.len(),
            changed,
            "a new configuration is in force"
        );
        self.warn();
    }

    /// Says that something is hardly meant, as at the start.
    fn warn(&self) {
        let warnings = warnings(&self.file, now()).len();
        if warnings > 0 {
            tracing::warn!(warnings, "{HARDLY_MEANT}");
        }
    }

    fn report(&self, refused: &LoadError) {
        let name = self.source.path.display().to_string();
        let report = match refused {
            LoadError::Unreadable(error) => format!("cannot read {name}: {error}"),
            LoadError::Problems(problems) => problems.report(&name).to_string(),
        };
        tracing::error!(
            "the new configuration is refused, the one before stays in force:\n{}",
            report.trim_end()
        );
        self.health.change(|state| {
            state.refused += 1;
            state.fault = Some((now(), report));
        });
    }

    /// Reads the credential of a store again, for all who ask now.
    fn renew_asked(&mut self, first: Renewal, asked: &mut Asked) {
        let mut all = vec![first];
        while let Ok(renewal) = asked.renewals.try_recv() {
            all.push(renewal);
        }
        let mut read: Vec<StoreHash> = Vec::new();
        for renewal in &all {
            if !read.contains(&renewal.store) {
                read.push(renewal.store);
                self.renew(&renewal.store);
            }
        }
        all.into_iter().for_each(Renewal::done);
    }

    fn renew_all(&mut self) {
        let stores: Vec<_> = self.file.stores.iter().map(|store| store.hash).collect();
        for store in &stores {
            self.renew(store);
        }
    }

    /// Puts another credential into force, if the place of the store's credential holds one.
    fn renew(&mut self, store: &StoreHash) {
        let index = self
            .file
            .stores
            .iter()
            .position(|known| known.hash == *store);
        let named = self.file.named().credentials;
        let Some(named) = index.and_then(|index| named.get(index)) else {
            return;
        };
        let outside = Outside::default();
        // What cannot be read is reported by the load that finds it.
        let secrets = materials::credentials(named, &outside, &mut drop);
        let Some(Ok(credentials)) = secrets.map(Credentials::new) else {
            return;
        };
        let snapshot = self.live.snapshot();
        let is_known = snapshot.credentials(store);
        if is_known.is_none_or(|known| known.is_same(&credentials)) {
            return;
        }
        let renewed = snapshot.with_credentials(*store, credentials);
        self.retired.push(self.live.replace(Arc::new(renewed)));
        self.health.change(|state| state.renewed += 1);
        tracing::info!(store = store.as_str(), "another credential is in force");
    }

    fn tidy(&mut self) {
        self.retired
            .retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }
}

/// What is hardly meant in a configuration.
pub(super) fn warned(file: &File) -> Arc<[String]> {
    let warnings = warnings(file, now());
    let told = |warning: &Problem| {
        let hint = warning.hint.as_ref();
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        let Problem {
            line, key, message, ..
        } = warning;
        format!("line {line}: {key}: {message}{hint}")
    };
    let more = warnings.len().checked_sub(MOST).filter(|more| *more > 0);
    let more = more.map(|more| format!("and {more} more: `metafield-gateway check` tells all"));
    let first = warnings.iter().take(MOST).map(told);
    first.chain(more).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a change has stood still"
)]
fn instant() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a load bears its date")]
pub(super) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
