//! Whose request is it. Identity is judged per request, never per connection.

mod callers;
mod token;

pub use callers::{Caller, Callers, Digest};
pub use token::presented_token;
