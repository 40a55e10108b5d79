//! TLS on both sides of the gateway, out of what was read.

use crate::config::file::{ClientAuth, File};
use crate::config::materials::ServerTls;
use crate::config::problem::{Place, Problem};
use crate::identity::Digest;
use aws_lc_rs::digest::{Context, SHA256};
use rustls::crypto::CryptoProvider;
use rustls::server::{
    NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;

/// How many TLS sessions with clients can be resumed: some thousand clients, a few hundred bytes each.
const SESSIONS: usize = 4096;

/// Settings, and a digest of what they were made of: those that were made of the same are the same.
#[derive(Debug)]
pub struct Made<C> {
    config: Arc<C>,
    of: [u8; 32],
}

impl<C> Made<C> {
    /// The settings.
    pub fn config(&self) -> &Arc<C> {
        &self.config
    }

    /// The known settings if they are made of the same, else new ones.
    fn of<E>(
        of: [u8; 32],
        known: Option<&Self>,
        make: impl FnOnce() -> Result<C, E>,
    ) -> Result<Self, E> {
        match known {
            Some(known) if known.of == of => Ok(known.clone()),
            _ => Ok(Self {
                config: Arc::new(make()?),
                of,
            }),
        }
    }
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut of = [0; 32];
    for (to, from) in of.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    of
}

impl<C> Clone for Made<C> {
    fn clone(&self) -> Self {
        Self {
            config: Arc::clone(&self.config),
            of: self.of,
        }
    }
}

impl<C> PartialEq for Made<C> {
    fn eq(&self, other: &Self) -> bool {
        self.of == other.of
    }
}

impl<C> Eq for Made<C> {}

/// For the upstream: the known settings if nothing has changed.
pub(super) fn upstream(
    file: &File,
    ca: Option<Vec<CertificateDer<'static>>>,
    provider: &Arc<CryptoProvider>,
    known: Option<&Made<ClientConfig>>,
) -> Result<Made<ClientConfig>, Problem> {
    let http2: &[u8] = if file.upstream.http2 { b"h2" } else { b"" };
    let mut parts = vec![http2];
    parts.extend(ca.iter().flatten().map(AsRef::<[u8]>::as_ref));
    let of = digest(&parts);
    Made::of(of, known, || client_config(file, ca, provider))
}

/// A digest of the authorities of client certificates; `None` where none are asked for.
pub(super) fn authorities(read: &ServerTls) -> Option<Digest> {
    let authorities = read.client_ca.as_ref()?;
    let mut parts: Vec<&[u8]> = authorities.iter().map(AsRef::<[u8]>::as_ref).collect();
    // Their order means nothing.
    parts.sort_unstable();
    Some(Digest::from(digest(&parts)))
}

/// For the listener: the known settings if nothing has changed.
pub(super) fn server(
    file: &File,
    read: ServerTls,
    provider: &Arc<CryptoProvider>,
    known: Option<&Made<ServerConfig>>,
) -> Result<Made<ServerConfig>, Problem> {
    let mut parts: Vec<&[u8]> = vec![read.private_key.secret_der()];
    parts.extend(read.certificates.iter().map(AsRef::<[u8]>::as_ref));
    let auth = file.listen.tls.as_ref().map(|tls| tls.client_auth);
    parts.push(match auth {
        Some(ClientAuth::Optional) => b"optional",
        Some(ClientAuth::Required) | None => b"required",
    });
    parts.extend(read.client_ca.iter().flatten().map(AsRef::<[u8]>::as_ref));
    let of = digest(&parts);
    Made::of(of, known, || server_config(file, read, provider))
}

/// TLS 1.2 and 1.3 with the provider's order of key exchanges, which puts the hybrid post-quantum one
/// first.
fn client_config(
    file: &File,
    ca: Option<Vec<CertificateDer<'static>>>,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientConfig, Problem> {
    let place = file
        .upstream
        .ca
        .as_ref()
        .map_or(Place::START, |ca| ca.place);
    let problem = |error: rustls::Error| Problem::new(place, "upstream.ca", error.to_string());
    client(ca, file.upstream.http2, provider).map_err(problem)
}

/// The side of a client that trusts these authorities, or the web's.
pub(super) fn client(
    ca: Option<Vec<CertificateDer<'static>>>,
    http2: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientConfig, rustls::Error> {
    let roots = match ca {
        Some(certificates) => roots(certificates)?,
        None => RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        },
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn(http2);
    Ok(config)
}

fn server_config(
    file: &File,
    tls: ServerTls,
    provider: &Arc<CryptoProvider>,
) -> Result<ServerConfig, Problem> {
    let place = |key: &str| {
        let tls = file.listen.tls.as_ref();
        match key {
            "client_ca" => tls
                .and_then(|tls| tls.client_ca.as_ref())
                .map(|path| path.place),
            _ => tls.map(|tls| tls.certificate.place),
        }
        .unwrap_or(Place::START)
    };
    let certificate = |error: rustls::Error| {
        let cause = match error {
            rustls::Error::InconsistentKeys(_) => {
                "its first certificate is of another key than `private_key`".to_owned()
            }
            error => error.to_string(),
        };
        Problem::new(place("certificate"), "listen.tls.certificate", cause)
            .with_hint("the private key must belong to the first certificate of the file")
    };
    let client_ca = |cause: String| Problem::new(place("client_ca"), "listen.tls.client_ca", cause);
    let with_clients = tls.client_ca.is_some();
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(certificate)?;
    let builder = match tls.client_ca {
        Some(certificates) => {
            let roots =
                Arc::new(roots(certificates).map_err(|error| client_ca(error.to_string()))?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
            let verifier = match file.listen.tls.as_ref().map(|tls| tls.client_auth) {
                Some(ClientAuth::Optional) => verifier.allow_unauthenticated(),
                Some(ClientAuth::Required) | None => verifier,
            };
            let verifier = verifier
                .build()
                .map_err(|error| client_ca(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(tls.certificates, tls.private_key)
        .map_err(certificate)?;
    config.session_storage = sessions(with_clients);
    config.alpn_protocols = alpn(true);
    Ok(config)
}

/// A resumed session is not asked for its client certificate again, so that with client certificates
/// every connection makes the whole handshake.
fn sessions(with_clients: bool) -> Arc<dyn StoresServerSessions> {
    if with_clients {
        Arc::new(NoServerSessionStorage {})
    } else {
        ServerSessionMemoryCache::new(SESSIONS)
    }
}

fn roots(certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn alpn(http2: bool) -> Vec<Vec<u8>> {
    let known: &[&[u8]] = if http2 {
        &[b"h2", b"http/1.1"]
    } else {
        &[b"http/1.1"]
    };
    known.iter().map(|protocol| protocol.to_vec()).collect()
}
