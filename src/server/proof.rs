//! What an accepted connection proves of its peer.

use crate::gateway::Stream;
use crate::identity::{Evidence, UnixPeer};

/// The evidence of a connection whose handshake is done.
pub(super) fn of(stream: &Stream) -> Evidence {
    let mut evidence = Evidence::default();
    if let Stream::Unix(unix) = stream {
        match unix.peer_cred() {
            Ok(peer) => {
                evidence.unix = Some(UnixPeer {
                    uid: peer.uid(),
                    gid: peer.gid(),
                });
            }
            // Its requests then need a token.
            Err(error) => tracing::warn!(%error, "the peer of a Unix socket is not known"),
        }
    }
    evidence
}
