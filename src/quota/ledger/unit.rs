//! One request of a store's quota, from when it is taken to what its answer tells.

use super::super::Refused;
use super::super::number::{Epoch, millis};
use super::super::pause::{Burden, IsProbe};
use super::super::reading::{Ignored, Reading, wait_of};
use super::Ledger;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// One request of a store's quota. Dropping it before it is sent gives it back.
#[derive(Debug)]
pub struct Unit {
    pub(super) ledger: Arc<Ledger>,
    pub(super) caller: usize,
    pub(super) epoch: Epoch,
    pub(super) is_probe: bool,
    /// When it was sent, once it may have been.
    pub(super) sent: Option<u64>,
    pub(super) is_settled: bool,
}

/// What an answer says beside its reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Nothing about load.
    Plainly,
    /// 429 with the four headers: the store's quota is spent.
    Spent,
    /// That the store is to be left alone for this long at least.
    Burdened(Burden, Duration),
}

impl Answered {
    /// What an answer with this status and these header fields says, which tell `reading`.
    pub fn of(
        status: StatusCode,
        headers: &HeaderMap,
        reading: Option<Result<Reading, Ignored>>,
    ) -> Self {
        match (status, reading) {
            (StatusCode::TOO_MANY_REQUESTS, Some(Ok(_))) => Self::Spent,
            (StatusCode::TOO_MANY_REQUESTS, _) => {
                Self::Burdened(Burden::PlatformLoad, wait_of(headers).unwrap_or_default())
            }
            (StatusCode::SERVICE_UNAVAILABLE, _) => {
                let wish = wait_of(headers);
                wish.map_or(Self::Plainly, |wish| {
                    Self::Burdened(Burden::Unavailable, wish)
                })
            }
            _ => Self::Plainly,
        }
    }
}

impl Unit {
    /// Whether the window that it was taken of is still in force; if not, it must be taken anew.
    pub fn is_in_force(&self, now: Duration) -> bool {
        self.ledger.window.at(millis(now)) == self.epoch
    }

    /// The request may be on its way from now on, if the store may be asked. After a pause this is where one
    /// goes first, and not before it can: nothing of the caller's holds it up from here.
    pub fn sent(&mut self, now: Duration) -> Result<(), Refused> {
        let now = millis(now);
        if self.sent.is_none() {
            let IsProbe(is_probe) = self.ledger.pause.admit(now)?;
            self.is_probe = is_probe;
            self.ledger.window.depart(self.epoch);
            self.sent = Some(now);
        }
        Ok(())
    }

    /// Nothing of the request was sent after all.
    pub fn unsent(mut self) {
        if self.sent.take().is_some() {
            self.ledger.window.settle();
            self.ledger.window.refund();
            self.ledger.give_back(self.caller, self.epoch);
            self.end_probe();
        }
        self.is_settled = true;
    }

    fn end_probe(&self) {
        if self.is_probe {
            self.ledger.pause.probe_again();
        }
    }

    /// The answer has come. `chance`, evenly from 0 to 1, is for the pause that it may ask for.
    pub fn answered(
        mut self,
        reading: Option<Result<Reading, Ignored>>,
        answered: Answered,
        chance: f64,
        now: Duration,
    ) {
        let now = millis(now);
        let window = &self.ledger.window;
        let sent = self.sent.unwrap_or(now);
        let told = reading
            .unwrap_or(Err(Ignored::Partial))
            .and_then(|reading| window.observe(&reading, sent, now));
        match (reading, told) {
            (None, _) => {
                window.bound(sent, now);
                window.spent_untold();
            }
            (Some(_), Err(why)) => {
                window.ignore(why);
                if why == Ignored::Stale && !window.is_in_force(self.epoch) {
                    // It was counted in the window before, and carried into this one for nothing.
                    window.refund();
                } else {
                    window.spent_untold();
                }
            }
            (Some(_), Ok(epoch)) if answered == Answered::Spent => window.exhaust(epoch),
            (Some(_), Ok(_)) => {}
        }
        window.settle();
        self.is_settled = true;
        match answered {
            Answered::Burdened(burden, wish) => {
                self.ledger
                    .pause
                    .strike(burden, wish, self.is_probe, chance, now);
            }
            Answered::Plainly | Answered::Spent if self.is_probe => self.ledger.pause.clear(now),
            Answered::Plainly | Answered::Spent => {}
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        if self.sent.is_some() {
            self.ledger.window.spent_untold();
            self.ledger.window.settle();
        } else {
            self.ledger.window.cancel(self.epoch);
            self.ledger.give_back(self.caller, self.epoch);
        }
        self.end_probe();
    }
}
