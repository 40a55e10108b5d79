//! What a request still depends on when its caller is limited and it names a metafield by its id.

use crate::policy::Grants;

/// Where it shows whose the metafield is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// In BigCommerce's answer.
    Answer,
    /// In what is remembered, or in the answer to a look-up.
    Owner,
    /// In what is remembered of each.
    Owners,
}

impl Condition {
    /// What stands behind "allowed".
    pub(super) fn text(self, grants: &Grants) -> String {
        let within = within(grants);
        match (self, grants.only_report()) {
            (Self::Answer, false) => format!(
                ", if the metafield in BigCommerce's answer is {within}; else 404 unknown_metafield"
            ),
            (Self::Owner, false) => format!(
                ", if the metafield is {within}: the gateway remembers that, or asks BigCommerce by one GET"
            ),
            (Self::Owners, false) => format!(
                ", if the gateway remembers each metafield, and that it is {within}; else 403 by its index"
            ),
            (Self::Answer, true) => {
                format!("; reported if the metafield in BigCommerce's answer is not {within}")
            }
            (Self::Owner, true) => format!(
                "; reported if the metafield is not {within}, which the gateway remembers or asks by one GET"
            ),
            (Self::Owners, true) => format!(
                "; reported if the gateway does not remember of each metafield that it is {within}"
            ),
        }
    }
}

/// What a metafield must be for a limited caller.
pub(super) fn within(grants: &Grants) -> String {
    let mut of = Vec::new();
    if grants.namespaces.is_limited() {
        of.push(format!("in the namespaces {}", grants.namespaces));
    }
    if grants.keys.is_limited() {
        of.push(format!("under the keys {}", grants.keys));
    }
    if let Some(customers) = &grants.customers {
        of.push(format!("of the customers {customers}"));
    }
    of.join(", ")
}
