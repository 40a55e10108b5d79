//! What a connection proves of its peer beside what its requests say. It is gathered once a connection,
//! and judged with every request: evidence is a fact, and identifies nobody by itself.

use jiff::Timestamp;

/// What one connection proves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The client's certificate, which the TLS handshake has found valid under the listener's authorities.
    pub certificate: Option<Certificate>,
    /// The process at the other end of a Unix socket.
    pub unix: Option<UnixPeer>,
}

/// What a valid client certificate says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its URI, where it has exactly one: only then is it a SPIFFE identity (X509-SVID, section 2).
    pub uri: Option<Box<str>>,
    /// Its DNS names in lower case; one with a wildcard names nobody and is not among them.
    pub dns: Vec<Box<str>>,
    /// The last moment at which it is valid.
    pub not_after: Timestamp,
}

/// A peer's ids as the kernel knew them when it connected (`SO_PEERCRED`, unix(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnixPeer {
    /// The effective user.
    pub uid: u32,
    /// The effective group; supplementary ones are not known.
    pub gid: u32,
}
