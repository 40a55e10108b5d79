//! The thread that fetches the keys of issuers, ahead of need. Each issuer has a task of its own, so that one
//! that is slow or down keeps no other waiting. When to fetch is not decided here but by
//! [`Refresh`]; this is its driver.

mod fetch;

use super::control::{Control, Stage};
use crate::config::Fetch;
use crate::identity::refresh::{Refresh, Step};
use crate::identity::{KeySet, Keys};
use crate::observe::Clock;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// How long a look-up of a name may still take when everything ends.
const RUNTIME_END: Duration = Duration::from_millis(100);

/// By which the thread is told what to fetch.
#[derive(Debug)]
pub(super) struct Fetcher(watch::Sender<Vec<Fetch>>);

impl Fetcher {
    /// Starts the thread; it ends with the gateway.
    pub(super) fn start(fetches: Vec<Fetch>, clock: Clock, control: Control) -> io::Result<Self> {
        let (sender, receiver) = watch::channel(fetches);
        let run = move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())?;
            runtime.block_on(keep_all(receiver, &clock, control));
            runtime.shutdown_timeout(RUNTIME_END);
            Ok::<_, io::Error>(())
        };
        let logged = move || {
            if let Err(error) = run() {
                tracing::error!(%error, "keys of issuers cannot be fetched");
            }
        };
        std::thread::Builder::new()
            .name("issuers".to_owned())
            .spawn(logged)?;
        Ok(Self(sender))
    }

    /// From now on these are fetched, and no others. What was fetched before goes on as it was.
    pub(super) fn fetch(&self, fetches: Vec<Fetch>) {
        self.0.send_replace(fetches);
    }
}

async fn keep_all(mut fetches: watch::Receiver<Vec<Fetch>>, clock: &Clock, mut control: Control) {
    let mut tasks: Vec<(Arc<Keys>, AbortHandle)> = Vec::new();
    loop {
        let wanted = fetches.borrow_and_update().clone();
        tasks.retain(|(keys, task)| {
            let is_wanted = wanted.iter().any(|fetch| Arc::ptr_eq(&fetch.keys, keys));
            if !is_wanted {
                task.abort();
                // Its fetch has no end that would wake who waits for it.
                keys.decline();
            }
            is_wanted
        });
        for fetch in wanted {
            if !tasks.iter().any(|(keys, _)| Arc::ptr_eq(&fetch.keys, keys)) {
                let keys = Arc::clone(&fetch.keys);
                let task = tokio::task::spawn_local(keep(fetch, clock.clone()));
                tasks.push((keys, task.abort_handle()));
            }
        }
        tokio::select! {
            () = control.reached(Stage::Stopped) => return,
            changed = fetches.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// Keeps the keys of one issuer fresh, for ever.
async fn keep(fetch: Fetch, clock: Clock) {
    let mut refresh = Refresh::new(fetch.every);
    let mut asked = false;
    let mut told = None;
    loop {
        match refresh.step(clock.now(), asked) {
            Step::Fetch => {
                fetch.keys.begin(refresh.asked_from());
                let outcome = fetch::fetch(&fetch).await;
                let now = clock.now();
                refresh.ended(now, outcome.is_ok(), jitter());
                take(&fetch, outcome, &mut told, now);
                asked = false;
            }
            Step::Wait(until) => {
                if asked {
                    fetch.keys.decline();
                }
                asked = tokio::select! {
                    () = fetch.keys.asked() => true,
                    () = clock.until(until) => false,
                };
            }
        }
    }
}

/// Puts the keys where they are used, and tells the operator what has changed. A failure lasts as long as
/// its cause, which is `told` once.
fn take(fetch: &Fetch, outcome: Result<KeySet, String>, told: &mut Option<String>, now: Duration) {
    let issuer = fetch.name.as_str();
    match outcome {
        Ok(set) => {
            *told = None;
            let (ids, left_out) = (set.ids(), set.left_out.clone());
            let has_keys = set.count() > 0;
            if fetch.keys.end(Some(set), now) {
                if !has_keys {
                    tracing::error!(
                        issuer,
                        "the issuer serves no key that can be used: none of its tokens counts"
                    );
                }
                tracing::info!(
                    issuer,
                    keys = ids,
                    "the issuer's keys are others than before"
                );
                for key in left_out {
                    tracing::warn!(
                        issuer,
                        key = key.index,
                        reason = key.reason,
                        "a key is not used"
                    );
                }
            }
        }
        Err(cause) => {
            fetch.keys.end(None, now);
            if told.as_ref() != Some(&cause) {
                tracing::error!(issuer, cause, "the issuer's keys could not be fetched");
            }
            *told = Some(cause);
        }
    }
}

fn jitter() -> u8 {
    let mut byte = [0];
    // Without a random number all gateways come at one moment.
    match aws_lc_rs::rand::fill(&mut byte) {
        Ok(()) => u8::from_ne_bytes(byte),
        Err(_) => 0,
    }
}
