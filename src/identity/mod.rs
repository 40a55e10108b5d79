//! Whose request is it. Identity is judged per request, never per connection.

mod callers;
mod evidence;
mod token;

pub use callers::{Caller, Callers, Digest, Identity, KnownBy, Means, Token, Unidentified};
pub use evidence::{Certificate, Evidence, UnixPeer};
pub use token::presented_token;
