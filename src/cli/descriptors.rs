//! File descriptors: the soft limit that a shell or an init system gives is often 1,024, far below
//! what the configured bounds may take, and the hard limit is ours to use.

use crate::config::File;
use crate::server::{TURNED_AWAY, default_workers};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open besides connections: logs, and what the runtimes have that are no worker's.
const BESIDES: usize = 48;

/// What each worker has: its runtime's, its listener, its timers.
const OF_A_WORKER: usize = 8;

/// Raises the soft limit to the hard one, and says so if even that is too low.
pub(super) fn raise(file: &File) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of file descriptors could not be raised");
            current
        }
    };
    let own = BESIDES + OF_A_WORKER * file.workers.unwrap_or_else(default_workers);
    let needed = file.limits.connections + TURNED_AWAY + file.upstream.connections + own;
    if let Some(limit) = limit.filter(|limit| *limit < needed as u64) {
        tracing::warn!(
            limit,
            needed,
            "fewer file descriptors than limits.connections and upstream.connections may take: raise the limit or lower them"
        );
    }
}
