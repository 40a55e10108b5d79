//! What an init system is told (`sd_notify(3)`, systemd.service(5)): ready, reloading, stopping, and that the workers
//! still have their turns. Without `NOTIFY_SOCKET` nothing is told, and nothing is missing.

use sd_notify::NotifyState;
use std::time::Duration;
use tokio::time::{Interval, interval};

/// Tells something; a message that cannot be sent is no reason to end.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::warn!(%error, "the init system could not be told");
    }
}

/// Every worker accepts connections.
pub(super) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The configuration is read again; [`ready`] follows.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The gateway drains and ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

/// Tells as often as the init system wants to hear it (`WATCHDOG_USEC`) that the workers have their turns.
#[derive(Debug)]
pub(super) struct Watchdog {
    turns: Option<Interval>,
    pulses: Vec<u64>,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        let mut limit = 0;
        let is_wanted = sd_notify::watchdog_enabled(false, &mut limit);
        Self {
            // Twice in the time that it waits.
            turns: is_wanted.then(|| interval(Duration::from_micros((limit / 2).max(1)))),
            pulses: Vec::new(),
        }
    }

    /// Waits until something is to be told; for ever where nobody wants to hear it. Cancel safe.
    pub(super) async fn is_due(&mut self) {
        match &mut self.turns {
            Some(turns) => drop(turns.tick().await),
            None => std::future::pending().await,
        }
    }

    /// Tells that all is well, unless a worker has had no turn since the last time.
    pub(super) fn tell(&mut self, pulses: Vec<u64>) {
        let before = std::mem::replace(&mut self.pulses, pulses);
        let hanging = self.pulses.iter().zip(&before);
        let hanging = hanging.filter(|(now, before)| now == before).count();
        if hanging == 0 {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(workers = hanging, "workers hang; the watchdog is not told");
        }
    }
}
