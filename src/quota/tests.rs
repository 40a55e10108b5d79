//! What the floor promises as a whole.

mod cost;

use super::*;
