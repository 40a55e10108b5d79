//! A worker without sockets for the fuzz targets under `tests/fuzz`: its clients' connections and its
//! upstream are pipes. The program is built without it.

use super::connection::Shared;
use super::watch::Connections;
use crate::config::{Live, Snapshot};
use crate::gateway::fuzzing::{PIPE, Pipes};
use crate::gateway::{Gateway, Stream};
use crate::observe::{Audit, Clock, Peer, WorkerMetrics};
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::DuplexStream;

/// One worker's connections.
#[expect(missing_debug_implementations, reason = "it leads to credentials")]
pub struct Corridor(Rc<Shared>);

impl Corridor {
    /// A worker whose upstream connections are pipes. To be called within a runtime for local tasks.
    pub fn new(snapshot: Arc<Snapshot>, audit: Audit, pipes: Pipes) -> Self {
        let metrics = Arc::<WorkerMetrics>::default();
        let limits = snapshot.limits.clone();
        let live = Arc::new(Live::new(snapshot));
        let (shared, clock) = (Arc::default(), Clock::system());
        let gateway = Gateway::new(live, 1, None, audit, Arc::clone(&metrics), shared, clock);
        gateway.dial_into(pipes);
        let connections = Connections::new(Arc::clone(&metrics));
        let gateway = Rc::new(gateway);
        Self(Rc::new(Shared::new(gateway, connections, metrics, &limits)))
    }

    /// A client's end of a new connection, and the serving of the other one.
    pub fn connect(&self) -> (DuplexStream, impl Future<Output = ()> + use<>) {
        let (theirs, ours) = tokio::io::duplex(PIPE);
        let served = Rc::clone(&self.0).serve(Stream::Pipe(ours), Peer::Unix, (None, None));
        (theirs, served)
    }
}
