//! The configuration: from a file's text to an immutable [`Snapshot`].
//!
//! [`file::read`] gives plain data or every problem at once; [`materials::read`] reads what the file
//! names (the floor's only I/O); [`Snapshot::compile`] puts the two together. [`load::load`] does all three,
//! and [`Live`] is the snapshot in force.

pub mod file;
mod live;
pub mod load;
pub mod materials;
pub mod problem;
pub mod reader;
mod snapshot;
mod units;
pub mod warnings;

pub use file::{File, Limits};
pub use live::Live;
pub use load::{LoadError, Loaded, Seen};
pub use materials::Materials;
pub use problem::{Problem, Problems};
pub use snapshot::{
    Collector, Credentials, Fetch, Made, OwnershipSettings, Policy, SharedServer, Signers,
    Snapshot, UpstreamSettings,
};
pub(crate) use units::show_duration;
