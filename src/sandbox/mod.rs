//! An embedded store that answers BigCommerce's nine customer-metafield operations from memory.
//!
//! It is the peer of the `sandbox` command and of the tests, and a reading of BigCommerce's API of
//! its own: nothing here imports another module of the gateway, so a mistake in the gateway's rules
//! is not repeated on this side. Where the gateway refuses, this side is lenient on purpose (the
//! last of two equal keys wins, unknown fields are ignored, an empty `DELETE` deletes everything),
//! so that a test sees what the gateway's strictness is for.
//!
//! It keeps nothing on disk, opens no connection, listens where its caller says (by itself on
//! loopback alone) and is bounded: [`MAX_PER_CUSTOMER`], [`MAX_IN_ALL`], [`MAX_BODY`].
//! Read [`Store`] first (pure, time is an argument), then [`spawn`] (the same store on a socket).

mod answer;
mod cursor;
mod fields;
mod list;
mod place;
mod query;
mod quota;
mod record;
mod server;
mod shelf;
mod store;
#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use quota::Limit;
pub use record::{MAX_SEEN, MAX_SEEN_BYTES, Seen, Shared};
pub use server::{Running, serve, spawn};
pub use shelf::{LAST_CUSTOMER, MAX_IN_ALL, MAX_PER_CUSTOMER};
pub use store::{Ask, MAX_BODY, Seed, Store};

/// What a store is told about itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// The store's hash, as it stands in the path. Any other hash is 404.
    pub store_hash: String,
    /// The one accepted `X-Auth-Token`. Made up: a real credential has no business here.
    pub token: String,
    /// What metafields show as `owner_client_id`.
    pub client_id: String,
    /// How many requests the store grants.
    pub limit: Limit,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            store_hash: "abc123".to_owned(),
            token: "sandbox-store-token".to_owned(),
            client_id: "sandboxclientid".to_owned(),
            limit: Limit::default(),
        }
    }
}
