//! Pipes in place of connections to the upstream, for the fuzz targets.

use super::stream::Stream;
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Bytes that a pipe takes before its reader must take some.
pub const PIPE: usize = 64 * 1024;

/// The gateway's side of pipes to an upstream within the process.
#[derive(Debug, Clone)]
pub struct Pipes(UnboundedSender<DuplexStream>);

impl Pipes {
    /// Pipes, and where the upstream's ends of them arrive.
    pub fn new() -> (Self, UnboundedReceiver<DuplexStream>) {
        let (sender, ends) = unbounded_channel();
        (Self(sender), ends)
    }

    /// A new pipe; `None` if nobody takes the other end.
    pub(super) fn open(&self) -> Option<Stream> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        self.0.send(theirs).ok()?;
        Some(Stream::Pipe(ours))
    }
}
