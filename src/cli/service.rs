//! What an init system is told (`sd_notify(3)`, systemd.service(5)): ready, reloading, stopping, and that the workers
//! still have their turns. Without `NOTIFY_SOCKET` nothing is told, and nothing is missing.

use sd_notify::NotifyState;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

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

/// How often the init system is told in the time that it waits, and for how many of these a worker may have had no
/// turn: half of them.
const TURNS: u32 = 8;
const STILL: u32 = TURNS / 2;

/// Tells as often as the init system wants to hear it (`WATCHDOG_USEC`) that the workers have their turns.
#[derive(Debug)]
pub(super) struct Watchdog {
    turns: Option<Interval>,
    workers: Workers,
}

/// Each worker's pulse, and for how many turns of the watchdog it has been the same.
#[derive(Debug, Default)]
struct Workers(Vec<(u64, u32)>);

impl Workers {
    /// How many workers hang.
    fn hanging(&mut self, pulses: &[u64]) -> usize {
        self.0.resize(pulses.len(), (u64::MAX, 0));
        for ((known, still), pulse) in self.0.iter_mut().zip(pulses) {
            *still = if known == pulse {
                still.saturating_add(1)
            } else {
                0
            };
            *known = *pulse;
        }
        self.0.iter().filter(|(_, still)| *still > STILL).count()
    }
}

impl Watchdog {
    pub(super) fn new() -> Self {
        let mut limit = 0;
        let is_wanted = sd_notify::watchdog_enabled(false, &mut limit);
        let turns = is_wanted.then(|| {
            let every = Duration::from_micros(limit) / TURNS;
            let mut turns = interval(every.max(Duration::from_millis(1)));
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            turns
        });
        Self {
            turns,
            workers: Workers::default(),
        }
    }

    /// Waits until something is to be told; for ever where nobody wants to hear it. Cancel safe.
    pub(super) async fn is_due(&mut self) {
        match &mut self.turns {
            Some(turns) => drop(turns.tick().await),
            None => std::future::pending().await,
        }
    }

    /// Tells that all is well, unless a worker has had no turn for half of the time that the init system waits.
    pub(super) fn tell(&mut self, pulses: &[u64]) {
        let workers = self.workers.hanging(pulses);
        if workers == 0 {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(workers, "workers hang; the watchdog is not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_without_turns_hangs_and_can_go_on() {
        let mut workers = Workers::default();
        for turn in 0..20 {
            assert_eq!(workers.hanging(&[turn, turn]), 0);
        }
        // The second one stands still.
        let hanging: Vec<usize> = (20..27).map(|turn| workers.hanging(&[turn, 19])).collect();
        assert_eq!(hanging, [0, 0, 0, 0, 1, 1, 1]);
        assert_eq!(workers.hanging(&[27, 20]), 0);
    }
}
