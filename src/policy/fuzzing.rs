//! What the fuzz targets under `tests/fuzz`, and the benchmark under `tests/bench/json`, reach of this floor
//! beside what everyone does. The program is built without it.

use super::json::{self, Any, Token};
use crate::denial::Denial;
use serde::de::DeserializeSeed;

/// Reads a body as strict JSON of any shape; tells whether it is an integer token, and which.
pub fn walk(body: &[u8]) -> Result<Option<u64>, Denial> {
    json::read(body, |walk, source| {
        Any { walk, depth: 0 }.deserialize(source)
    })
    .map(|token| match token {
        Token::Integer(value) => Some(value),
        _ => None,
    })
}
