//! What is recorded: one audit line a decision, and counters; and how it is shown.

mod audit;
mod budgets;
mod clock;
mod correlation;
mod counter;
mod issuers;
mod line;
mod metrics;
mod recent;
mod reloads;
mod status;
mod tally;
mod trace;

pub use audit::{
    Audience, Audit, AuditHealth, AuditSettings, Exporter, OnFailure, Output, Place, Reopener,
    Tell, Writer,
};
pub use budgets::{Budgets, Waiting};
pub use clock::{Clock, Hand};
pub use correlation::CorrelationId;
pub use issuers::Board;
pub use line::{Line, Outcome, Peer, Sent, Used};
pub use metrics::{BareClose, Exposition, Judged, Level, LookUp, WorkerMetrics};
pub use recent::Recent;
pub use reloads::{ReloadHealth, Reloads};
pub use status::{Status, Told};
pub use tally::Tally;
pub use trace::{Context, Sampler, Step, Trace};
