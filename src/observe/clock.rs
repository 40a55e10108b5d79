//! The wall clock. It is read once a request, where the request is stamped, and where keys are fetched in
//! turn. Whoever starts a gateway may bring a clock of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// A clock; times are since the Unix epoch.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Set {
        began: Duration,
        millis: Arc<AtomicU64>,
        moved: watch::Receiver<()>,
    },
}

/// The hand of a clock that does not go by itself.
#[derive(Debug)]
pub struct Hand {
    millis: Arc<AtomicU64>,
    moved: watch::Sender<()>,
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at this time until its hand is moved.
    pub fn set(at: Duration) -> (Self, Hand) {
        let millis = Arc::new(AtomicU64::new(in_millis(at)));
        let (sender, moved) = watch::channel(());
        let hand = Hand {
            millis: Arc::clone(&millis),
            moved: sender,
        };
        (
            Self(Source::Set {
                began: at,
                millis,
                moved,
            }),
            hand,
        )
    }

    /// What time it is.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
    pub fn now(&self) -> Duration {
        match &self.0 {
            // Before the epoch nothing is valid.
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            Source::Set { millis, .. } => Duration::from_millis(millis.load(Ordering::Acquire)),
        }
    }

    /// The time since some moment that stays the same while the process lives. It never goes back.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
    pub fn steady(&self) -> Duration {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        match &self.0 {
            Source::System => BEGAN.get_or_init(Instant::now).elapsed(),
            Source::Set { began, .. } => self.now().saturating_sub(*began),
        }
    }

    /// As [`Clock::until`], for a moment of [`Clock::steady`].
    pub async fn until_steady(&self, moment: Duration) {
        match &self.0 {
            Source::System => tokio::time::sleep(moment.saturating_sub(self.steady())).await,
            Source::Set { began, .. } => self.until(*began + moment).await,
        }
    }

    /// Waits until this moment, or for a while that is not longer: the time must be looked at again.
    pub async fn until(&self, moment: Duration) {
        match &self.0 {
            Source::System => tokio::time::sleep(moment.saturating_sub(self.now())).await,
            Source::Set { moved, .. } => {
                let mut moved = moved.clone();
                // Marked as seen before the time is read, so that no move is missed in between.
                moved.borrow_and_update();
                if self.now() < moment && moved.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl Hand {
    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        self.millis.fetch_add(in_millis(by), Ordering::AcqRel);
        self.moved.send_replace(());
    }
}

fn in_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
