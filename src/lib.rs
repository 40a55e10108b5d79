//! metafield-gateway puts one shared BigCommerce credential behind policy: an application sends its
//! normal BigCommerce request with a token of its own, and the gateway decides, swaps the token for
//! the real `X-Auth-Token`, and forwards.
//!
//! The modules in reading order, from the ground up; each imports only from those above it in this
//! list, and a test holds that:
//!
//! - [`denial`], [`secret`]: the words that everyone uses.
//! - [`policy`]: what a request may do. Pure. Its [`policy::Allowed`] is the only key to a
//!   [`policy::Credential`].
//! - [`quota`]: what a caller may spend of its own limits and of a store's quota. Pure.
//! - [`identity`]: whose request it is.
//! - [`observe`]: the audit line, its queue and its writer; counters.
//! - [`config`]: from a file's text to an immutable [`config::Snapshot`].
//! - [`gateway`]: one request from its head to its answer.
//! - [`server`]: listeners, worker threads, connections and their limits, the drain.
//! - [`sandbox`]: an embedded store that plays BigCommerce; it knows none of the others.
//! - [`cli`]: a file a command.
//!
//! `ARCHITECTURE.md` says why it is so, and what is not there on purpose.

pub mod denial;
pub mod secret;

pub mod policy;

pub mod quota;

pub mod identity;

pub mod observe;

pub mod config;

pub mod gateway;

pub mod server;

pub mod sandbox;

pub mod cli;
