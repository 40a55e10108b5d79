//! What the fuzz targets share: a gateway's policy and one worker within the process, other readings of
//! JSON, and the judgement of every byte that reached the upstream.

pub mod corridor;
pub mod frames;
pub mod issuer;
pub mod judge;
#[path = "../../it/support/readings.rs"]
pub mod readings;
pub mod world;
