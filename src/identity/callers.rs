//! The callers and by what they are known. Tokens are known by their SHA-256 alone, and one look-up
//! serves ten callers as well as ten thousand.

use super::digest::Digest;
use super::evidence::{Certificate, Evidence, UnixPeer};
use super::token::presented_token;
use crate::denial::Denial;
use crate::policy::Grants;
use http::HeaderMap;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// A configured identity.
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name in logs.
    pub name: String,
    /// What it may do.
    pub grants: Grants,
    /// Its place in the configuration, from 0.
    pub number: usize,
}

/// By what a caller is known. Nothing of it may be another caller's too: the configuration's reader sees
/// to that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownBy {
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// The SPIFFE ids of its certificates.
    pub spiffe: Vec<String>,
    /// The DNS names of its certificates, in lower case.
    pub dns: Vec<String>,
    /// Its users on a Unix socket.
    pub uids: Vec<u32>,
    /// Its groups on a Unix socket.
    pub gids: Vec<u32>,
}

/// One token of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Of its text.
    pub digest: Digest,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
}

/// How a caller was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// By one of its tokens.
    Token,
    /// By a token that an issuer signed.
    SignedToken,
    /// By the certificate of its connection.
    Certificate,
    /// By the user or the group at the other end of its Unix socket.
    UnixPeer,
}

impl Means {
    /// The word for it in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::SignedToken => "signed_token",
            Self::Certificate => "certificate",
            Self::UnixPeer => "unix_peer",
        }
    }
}

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'c> {
    /// The caller.
    pub caller: &'c Arc<Caller>,
    /// How it was known.
    pub means: Means,
}

/// Why a request has no identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unidentified<'c> {
    /// The refusal.
    pub denial: Denial,
    /// For the record alone: whose the token or certificate was before it expired.
    pub former: Option<&'c Arc<Caller>>,
}

impl From<Denial> for Unidentified<'_> {
    fn from(denial: Denial) -> Self {
        Self {
            denial,
            former: None,
        }
    }
}

/// The table of callers. What a look-up's time may tell is about digests, from which no token follows;
/// the map's hasher is keyed, so that even their order in the table is unknown outside.
#[derive(Debug, Default)]
pub struct Callers {
    tokens: HashMap<Digest, (Arc<Caller>, Option<Timestamp>)>,
    spiffe: HashMap<Box<str>, Arc<Caller>>,
    dns: HashMap<Box<str>, Arc<Caller>>,
    uids: HashMap<u32, Arc<Caller>>,
    gids: HashMap<u32, Arc<Caller>>,
    authorities: Option<Digest>,
    count: usize,
}

impl Callers {
    /// A table of callers, each with what it is known by.
    pub fn new<C: Into<Arc<Caller>>>(callers: impl IntoIterator<Item = (C, KnownBy)>) -> Self {
        let mut table = Self::default();
        for (caller, known_by) in callers {
            let caller: Arc<Caller> = caller.into();
            table.count += 1;
            let owned = || Arc::clone(&caller);
            let tokens = known_by.tokens.into_iter();
            (table.tokens).extend(tokens.map(|token| (token.digest, (owned(), token.expires))));
            let spiffe = known_by.spiffe.into_iter();
            (table.spiffe).extend(spiffe.map(|id| (id.into_boxed_str(), owned())));
            let dns = known_by.dns.into_iter();
            (table.dns).extend(dns.map(|name| (name.into_boxed_str(), owned())));
            (table.uids).extend(known_by.uids.into_iter().map(|uid| (uid, owned())));
            (table.gids).extend(known_by.gids.into_iter().map(|gid| (gid, owned())));
        }
        table
    }

    /// How many callers there are, also those that are known by signed tokens alone.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The same for certificates of these authorities, by their digest. A connection that was accepted under
    /// others proves nothing any more.
    #[must_use]
    pub fn trusting(mut self, authorities: Option<Digest>) -> Self {
        self.authorities = authorities;
        self
    }

    /// A digest of the authorities whose client certificates count.
    pub fn authorities(&self) -> Option<Digest> {
        self.authorities
    }

    /// Whose request this is, at the moment `now`. A token that is presented decides alone; only without
    /// one does the connection's evidence.
    pub fn identify(
        &self,
        headers: &HeaderMap,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Identity<'_>, Unidentified<'_>> {
        match presented_token(headers)? {
            Some(token) => self.by_token(&Digest::of(token), now),
            None => self.by_evidence(evidence, now),
        }
    }

    /// Whose static token this is, by its digest.
    pub fn by_token(
        &self,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Identity<'_>, Unidentified<'_>> {
        let known = self.tokens.get(token);
        let (caller, expires) = known.ok_or(Denial::UnknownToken)?;
        if expires.is_some_and(|expires| expires <= now) {
            return Err(Unidentified {
                denial: Denial::ExpiredToken,
                former: Some(caller),
            });
        }
        let means = Means::Token;
        Ok(Identity { caller, means })
    }

    fn by_evidence(
        &self,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Identity<'_>, Unidentified<'_>> {
        if let Some(certificate) = &evidence.certificate
            && let Some(caller) = self.of_certificate(certificate)?
        {
            if certificate.not_after < now || evidence.authorities != self.authorities {
                return Err(Unidentified {
                    denial: Denial::ExpiredCertificate,
                    former: Some(caller),
                });
            }
            let means = Means::Certificate;
            return Ok(Identity { caller, means });
        }
        if let Some(peer) = &evidence.unix
            && let Some(caller) = self.of_peer(*peer)
        {
            let means = Means::UnixPeer;
            return Ok(Identity { caller, means });
        }
        Err(self.nobody().into())
    }

    /// All names of a certificate must lead to the same caller: one that leads to two is not picked from.
    fn of_certificate(&self, certificate: &Certificate) -> Result<Option<&Arc<Caller>>, Denial> {
        let uri = certificate.uri.iter();
        let by_uri = uri.filter_map(|uri| self.spiffe.get(uri));
        let by_dns = certificate.dns.iter().filter_map(|name| self.dns.get(name));
        let mut found = by_uri.chain(by_dns);
        let first = found.next();
        match first {
            Some(first) if found.any(|other| !Arc::ptr_eq(first, other)) => {
                Err(Denial::AmbiguousCertificate)
            }
            first => Ok(first),
        }
    }

    /// A user says more than a group, so that it goes first.
    fn of_peer(&self, peer: UnixPeer) -> Option<&Arc<Caller>> {
        let of_user = self.uids.get(&peer.uid);
        of_user.or_else(|| self.gids.get(&peer.gid))
    }

    /// The refusal of a request that neither presents a token nor comes from a known peer; it names what
    /// would do beside a token, which is one thing, because a Unix socket has no TLS.
    fn nobody(&self) -> Denial {
        Denial::MissingToken {
            or: if !self.spiffe.is_empty() || !self.dns.is_empty() {
                Some("connect with a client certificate that a caller is bound to")
            } else if !self.uids.is_empty() || !self.gids.is_empty() {
                Some("connect as a user or group that a caller is bound to")
            } else {
                None
            },
        }
    }
}

#[cfg(test)]
mod tests;
