//! Whose request is it. Identity is judged per request, never per connection.

mod algorithm;
mod binding;
mod callers;
mod claims;
mod evidence;
mod facts;
mod issuer;
mod jose;
mod jwk;
mod keys;
pub mod refresh;
mod rejection;
mod token;

pub use algorithm::Algorithm;
pub use binding::{Binding, Bindings, Conflict};
pub use callers::{Caller, Callers, Digest, Identity, KnownBy, Means, Token, Unidentified};
pub use claims::ClaimPath;
pub use evidence::{Certificate, Evidence, UnixPeer};
pub use facts::Memory;
pub use issuer::{Issuer, Issuers, Rejected, Settings, Signed};
pub use jwk::{KeySet, LARGEST_SET, LeftOut, SetError};
pub use keys::{Keys, Standing, Waiting};
pub use rejection::Rejection;
pub use token::presented_token;

#[cfg(test)]
mod tests;
