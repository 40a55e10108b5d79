//! Whose request is it. Identity is judged per request, never per connection.

mod algorithm;
mod binding;
mod callers;
mod claims;
mod digest;
mod evidence;
mod facts;
mod issuer;
mod jose;
mod jwk;
mod keys;
pub mod refresh;
mod rejection;
mod settings;
mod token;

pub use algorithm::Algorithm;
pub use binding::{Binding, Bindings, Conflict};
pub use callers::{Caller, Callers, Identity, KnownBy, Means, Token, Unidentified};
pub use claims::ClaimPath;
pub use digest::Digest;
pub use evidence::{Certificate, Evidence, UnixPeer};
pub use facts::Memory;
pub use issuer::{Issuer, Issuers, Rejected, Signed};
pub use jwk::{KeySet, LARGEST_SET, LeftOut, SetError};
pub use keys::{Keys, Standing, Waiting};
pub use rejection::Rejection;
pub use settings::Settings;
pub use token::presented_token;

#[cfg(test)]
mod tests;
