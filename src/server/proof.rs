//! What an accepted connection proves of its peer.

use crate::gateway::Stream;
use crate::identity::{Certificate, Digest, Evidence, UnixPeer};

/// The evidence of a connection whose handshake is done, under these authorities of client certificates.
/// What cannot be read proves nothing, and its requests then need a token.
pub(super) fn of(stream: &Stream, authorities: Option<Digest>) -> Evidence {
    let mut evidence = Evidence {
        authorities,
        ..Evidence::default()
    };
    match stream {
        Stream::Tls(tls) => {
            let certificates = tls.get_ref().1.peer_certificates();
            let own = certificates.and_then(<[_]>::first);
            evidence.certificate = own.and_then(|own| {
                Certificate::read(own)
                    .inspect_err(
                        |error| tracing::warn!(%error, "a client certificate cannot be read"),
                    )
                    .ok()
            });
        }
        Stream::Unix(unix) => {
            let peer = unix.peer_cred();
            let peer = peer
                .inspect_err(|error| tracing::warn!(%error, "a Unix socket's peer is not known"))
                .ok();
            evidence.unix = peer.map(|peer| UnixPeer {
                uid: peer.uid(),
                gid: peer.gid(),
            });
        }
        Stream::Tcp(_) => {}
        #[cfg(feature = "fuzzing")]
        Stream::Pipe(_) => {}
    }
    evidence
}
