//! What a connection proves of its peer beside what its requests say. It is gathered once a connection,
//! and judged with every request: evidence is a fact, and identifies nobody by itself.

use super::digest::Digest;
use jiff::Timestamp;
use x509_cert::TbsCertificate;
use x509_cert::der::{Decode, Error};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectAltName};

/// What one connection proves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The client's certificate, which the TLS handshake has found valid under the listener's authorities.
    pub certificate: Option<Certificate>,
    /// A digest of those authorities.
    pub authorities: Option<Digest>,
    /// The process at the other end of a Unix socket.
    pub unix: Option<UnixPeer>,
}

/// What a valid client certificate says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its URI, where it is fit for a SPIFFE id: exactly one (X509-SVID, section 2), in the certificate of
    /// one who may not sign others (section 5.2).
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

impl Certificate {
    /// Reads a certificate in DER; whether anybody vouches for it is not asked here. An error where any part
    /// of what is looked at is malformed: a name that cannot be read must not look as if it were not there.
    pub fn read(der: &[u8]) -> Result<Self, Error> {
        let certificate = x509_cert::Certificate::from_der(der)?;
        let certificate = certificate.tbs_certificate();
        let names = certificate.get_extension::<SubjectAltName>()?;
        let (mut uris, mut dns) = (Vec::new(), Vec::new());
        for name in names.iter().flat_map(|(_, names)| &names.0) {
            match name {
                GeneralName::UniformResourceIdentifier(uri) => uris.push(Box::from(uri.as_str())),
                GeneralName::DnsName(name) if !name.as_str().contains('*') => {
                    dns.push(name.as_str().to_ascii_lowercase().into_boxed_str());
                }
                _ => {}
            }
        }
        let is_fit = uris.len() == 1 && !may_sign_others(certificate)?;
        let seconds = certificate.validity().not_after.to_unix_duration();
        Ok(Self {
            uri: uris.pop().filter(|_| is_fit),
            dns,
            // Beyond the calendar is as good as its end.
            not_after: Timestamp::UNIX_EPOCH
                .saturating_add(seconds)
                .unwrap_or(Timestamp::MAX),
        })
    }
}

fn may_sign_others(certificate: &TbsCertificate) -> Result<bool, Error> {
    let constraints = certificate.get_extension::<BasicConstraints>()?;
    let usage = certificate.get_extension::<KeyUsage>()?;
    let is_authority = constraints.is_some_and(|(_, constraints)| constraints.ca);
    let signs = usage.is_some_and(|(_, usage)| usage.key_cert_sign() || usage.crl_sign());
    Ok(is_authority || signs)
}

#[cfg(test)]
mod tests;
