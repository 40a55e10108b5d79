//! What the configuration says of an issuer's tokens.

use super::algorithm::Algorithm;
use std::time::Duration;

/// The settings of one issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The name in logs and metrics.
    pub name: String,
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// Of which a token's `aud` must name one.
    pub audience: Vec<String>,
    /// The algorithms that its tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// The claim that holds a token's scopes; `None`: tokens carry none, and the caller's count.
    pub scope_claim: Option<String>,
    /// How far the clocks of issuer and gateway may be apart.
    pub clock_skew: Duration,
    /// The longest time for which a token may be valid.
    pub max_lifetime: Duration,
}
