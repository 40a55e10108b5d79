//! What is recorded: one audit line a decision, and counters.

mod audit;
mod line;
mod metrics;
mod reloads;

pub use audit::{Audit, AuditHealth, AuditSettings, OnFailure, Output, Place, Writer};
pub use line::{CorrelationId, Line, Outcome, Peer, Sent, Used};
pub use metrics::{BareClose, Exposition, LookUp, WorkerMetrics};
pub use reloads::{ReloadHealth, Reloads};
