//! What the operator may choose of the rules for bodies.

/// What the configuration says about bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What happens to fields that metafields do not have.
    pub unknown_fields: UnknownFields,
    /// The most items of a batch.
    pub batch_items: usize,
    /// The most characters of `value`.
    pub value_length: usize,
}

/// What happens to fields that metafields do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFields {
    /// The request is refused.
    Refuse,
    /// They are sent on, unless a key at any depth imitates a field.
    Forward,
}
