//! Everything that one load of the configuration produced, compiled once and never changed. Compiling
//! is pure: it takes the file and what was read from outside, and gives a snapshot or every problem.

use super::file::{self, File, Limits};
use super::materials::{Materials, ServerTls};
use super::problem::{Place, Problem, Problems};
use crate::identity::{Caller, Callers, Digest};
use crate::policy::vocabulary::{StoreHash, Verb};
use crate::policy::{Credential, Grants, Namespaces, Rules};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{
    NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, ServerName};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How many TLS sessions with clients can be resumed: some thousand clients, a few hundred bytes each.
const SESSIONS: usize = 4096;

/// One load of the configuration. It holds secrets, so it has no `Debug`.
#[expect(missing_debug_implementations, reason = "it holds credentials")]
pub struct Snapshot {
    /// The callers by their tokens.
    pub callers: Callers,
    /// The rules of bodies.
    pub rules: Rules,
    /// The bounds.
    pub limits: Limits,
    /// The upstream.
    pub upstream: UpstreamSettings,
    /// The listener's TLS.
    pub server_tls: Option<Arc<ServerConfig>>,
    credentials: HashMap<StoreHash, Arc<Credential>>,
}

/// How to reach the upstream, and for how long to wait.
#[derive(Debug, Clone)]
pub struct UpstreamSettings {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and port, the port left out where it is the scheme's own.
    pub authority: Authority,
    /// The same as the value of `Host`.
    pub host: HeaderValue,
    /// The same as a URL.
    pub uri: Uri,
    /// TLS settings and the name that the certificate must bear; `None` for plaintext.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// From a request's last byte to the answer's head.
    pub deadline: Duration,
    /// For one connection: look-up, TCP and TLS together.
    pub connect_timeout: Duration,
    /// After which an unused connection is closed.
    pub idle_timeout: Duration,
    /// The longest pause within an answer's body.
    pub body_timeout: Duration,
    /// How many requests may be with the upstream at once.
    pub connections: usize,
}

impl Limits {
    /// The most bytes that a body of this operation may have.
    pub const fn body_of(&self, verb: Verb) -> usize {
        if verb.is_batch() {
            self.batch_body
        } else {
            self.body
        }
    }
}

impl Snapshot {
    /// Compiles a configuration.
    pub fn compile(file: &File, materials: Materials) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let upstream = upstream(file, materials.upstream_ca, &provider)
            .map_err(|problem| problems.push(problem));
        let server_tls = materials
            .server_tls
            .map(|tls| server_config(file, tls, &provider))
            .transpose()
            .map_err(|problem| problems.push(problem));
        let mut credentials = HashMap::new();
        for (index, (store, secret)) in file.stores.iter().zip(materials.credentials).enumerate() {
            match Credential::new(secret) {
                Ok(credential) => drop(credentials.insert(store.hash, Arc::new(credential))),
                Err(error) => {
                    let key = format!("store[{index}].credential");
                    problems.push(Problem::new(store.credential.place, key, error.to_string()));
                }
            }
        }
        match (upstream, server_tls, Problems::found(problems)) {
            (Ok(upstream), Ok(server_tls), None) => Ok(Self {
                callers: callers(&file.callers),
                rules: Rules {
                    unknown_fields: file.policy.unknown_fields,
                    batch_items: file.limits.batch_items,
                    value_length: file.limits.value_length,
                },
                limits: file.limits.clone(),
                upstream,
                server_tls,
                credentials,
            }),
            (.., problems) => {
                let unnamed = || {
                    Problem::new(Place::START, "", "the configuration cannot be compiled").into()
                };
                Err(problems.unwrap_or_else(unnamed))
            }
        }
    }

    /// The credential of a store; `None` if the store is not configured.
    pub fn credential(&self, store: &StoreHash) -> Option<&Arc<Credential>> {
        self.credentials.get(store)
    }
}

fn callers(list: &[file::Caller]) -> Callers {
    Callers::new(list.iter().map(|caller| {
        let grants = Grants {
            scopes: caller.scopes.clone(),
            stores: caller.stores.clone(),
            operations: caller.operations.clone(),
            permission_sets: caller.permission_sets.clone(),
            namespaces: caller
                .namespaces
                .clone()
                .map_or(Namespaces::Any, Namespaces::Only),
        };
        let digests = caller
            .token_sha256
            .iter()
            .copied()
            .map(Digest::from)
            .collect();
        (
            Caller {
                name: caller.name.clone(),
                grants,
            },
            digests,
        )
    }))
}

fn upstream(
    file: &File,
    ca: Option<Vec<CertificateDer<'static>>>,
    provider: &Arc<CryptoProvider>,
) -> Result<UpstreamSettings, Problem> {
    let settings = &file.upstream;
    let origin = &settings.url.value;
    let unusable = |cause: String| Problem::new(settings.url.place, "upstream.url", cause);
    let authority = Authority::try_from(origin.authority.as_str())
        .map_err(|error| unusable(error.to_string()))?;
    let host =
        HeaderValue::from_str(&origin.authority).map_err(|error| unusable(error.to_string()))?;
    let scheme = match origin.scheme {
        file::Scheme::Http => Scheme::HTTP,
        file::Scheme::Https => Scheme::HTTPS,
    };
    let uri = Uri::builder()
        .scheme(scheme.clone())
        .authority(authority.clone())
        .path_and_query("/")
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    let tls = match origin.scheme {
        file::Scheme::Http => None,
        file::Scheme::Https => {
            let name = ServerName::try_from(origin.host.clone())
                .map_err(|error| unusable(error.to_string()))?;
            Some((client_config(file, ca, provider)?, name))
        }
    };
    Ok(UpstreamSettings {
        scheme,
        authority,
        host,
        uri,
        tls,
        deadline: settings.deadline,
        connect_timeout: settings.connect_timeout,
        idle_timeout: settings.idle_timeout,
        body_timeout: settings.body_timeout,
        connections: settings.connections,
    })
}

/// TLS 1.2 and 1.3 with the provider's order of key exchanges, which puts the hybrid post-quantum one
/// first.
fn client_config(
    file: &File,
    ca: Option<Vec<CertificateDer<'static>>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<ClientConfig>, Problem> {
    let place = file
        .upstream
        .ca
        .as_ref()
        .map_or(Place::START, |ca| ca.place);
    let problem = |error: rustls::Error| Problem::new(place, "upstream.ca", error.to_string());
    let roots = match ca {
        Some(certificates) => roots(certificates).map_err(problem)?,
        None => RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        },
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(problem)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn(file.upstream.http2);
    Ok(Arc::new(config))
}

fn server_config(
    file: &File,
    tls: ServerTls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, Problem> {
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
        Problem::new(
            place("certificate"),
            "listen.tls.certificate",
            error.to_string(),
        )
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
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
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
    Ok(Arc::new(config))
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
