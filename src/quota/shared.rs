//! A store's quota that several gateways share: what one of them asks the server that counts for all, and what
//! it is answered. The server runs one script ([`SCRIPT`]), whose steps are not told apart by anybody else.
//!
//! A gateway spends what it holds and asks for more before that is gone. What it tells is absolute: what it has
//! spent, what is on its way, what it holds. So a question that is lost, or comes twice or too late, costs
//! nothing but time. Without an answer it goes on alone, with its part of the quota.

mod lease;
mod question;
mod waiting;

pub(super) use lease::Lease;
pub use lease::LeaseState;
#[cfg(test)]
pub(super) use question::tests::FIRST;
pub use question::{Answer, Malformed, Question, Reported};
pub(super) use question::{Deeds, Report, Told};
pub use waiting::{Waiter, Waiting};

/// The script, in Lua. Its keys are those of [`keys`], its arguments those of [`Question::arguments`].
pub const SCRIPT: &str = include_str!("shared/lease.lua");

/// A fiftieth of the budget is the most that one answer grants.
pub(super) const PARTS: u32 = 50;

/// The keys of a store, which are on one node of a cluster.
pub fn keys(prefix: &str, store: &str) -> [String; 5] {
    ["window", "replicas", "before", "callers", "parts"]
        .map(|what| format!("{prefix}:{{{store}}}:{what}"))
}
