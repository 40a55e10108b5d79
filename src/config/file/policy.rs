//! `[policy]`: the rules that can be chosen.

use std::time::Duration;

use crate::config::reader::{TableReader, value};
use crate::policy::{Ownership, UnknownFields};

/// `policy.ownership_ttl`: how long another program's change may go unseen, against one more look-up for
/// each metafield in that time. A store's quota is some hundred requests a minute.
pub const OWNERSHIP_TTL: Duration = Duration::from_secs(600);

/// `[policy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of a field that BigCommerce's description does not have.
    pub unknown_fields: UnknownFields,
    /// How a limited caller's request by id is held to its grants.
    pub ownership: Ownership,
    /// For how long an owner is believed.
    pub ownership_ttl: Duration,
}

pub(super) fn policy(table: &mut TableReader<'_, '_>) -> Policy {
    const FIELDS: [(&str, UnknownFields); 2] = [
        ("refuse", UnknownFields::Refuse),
        ("forward", UnknownFields::Forward),
    ];
    const OWNERSHIP: [(&str, Ownership); 2] =
        [("lookup", Ownership::LookUp), ("named", Ownership::Named)];
    Policy {
        unknown_fields: table
            .or(
                "unknown_fields",
                UnknownFields::Refuse,
                value::choice(&FIELDS),
            )
            .value,
        ownership: table
            .or("ownership", Ownership::LookUp, value::choice(&OWNERSHIP))
            .value,
        ownership_ttl: table
            .or("ownership_ttl", OWNERSHIP_TTL, value::duration)
            .value,
    }
}
