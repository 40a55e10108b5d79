//! What a request may do. Pure: no I/O, no clock, no async; the same input gives the same decision.
//!
//! A request's way through this floor: [`Route::parse`] and [`Route::operation`] name what is asked,
//! [`permit`] judges it by the caller's [`Grants`], [`Permitted::query`] judges the query and
//! [`Queried::body`] the body. What comes out, at once or once its metafields' [`Owner`]s prove it, is an
//! [`Allowed`], the only key to a [`Credential`].

mod credential;
mod decide;
mod document;
mod field;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grants;
mod json;
mod metafield;
mod narrowing;
mod owner;
mod query;
mod route;
mod rules;
pub mod vocabulary;

#[cfg(test)]
mod tests;

pub use credential::{Credential, X_AUTH_TOKEN};
pub use decide::{Allowed, Judged, Permitted, Queried, Unproven, Veil, permit};
pub use document::Document;
pub use grants::checks;
pub use grants::{Customers, Enforcement, Grants, Names, Ownership, Pattern, Reported, Required};
pub use json::MAX_DEPTH;
pub use metafield::Item;
pub use narrowing::TokenScopes;
pub use owner::{Owner, owner_in, owners_in};
pub use query::{LIST_KEYS, Query};
pub use route::{Operation, Route};
pub use rules::{Rules, UnknownFields};
