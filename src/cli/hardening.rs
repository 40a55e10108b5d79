//! The process keeps its memory to itself: no core dump, and no tracing or reading of its memory by other
//! processes of the same user. Done before any secret is read.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::io;

/// Takes effect for the whole process. Linux then gives its files in `/proc` to root, and refuses
/// `ptrace` to all but those with `CAP_SYS_PTRACE` (prctl(2), `PR_SET_DUMPABLE`).
pub(super) fn apply() -> io::Result<()> {
    // The limit alone would not do: a core pattern that is a pipe does not heed it (core(5)).
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    Ok(())
}
