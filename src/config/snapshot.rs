//! Everything that one load of the configuration produced, compiled once and never changed. Compiling
//! is pure: it takes the file and what was read from outside, and gives a snapshot or every problem.

mod callers;
mod tls;

use super::file::{self, File, Limits};
use super::materials::Materials;
use super::problem::{Place, Problem, Problems};
use crate::identity::Callers;
use crate::policy::vocabulary::{StoreHash, Verb};
use crate::policy::{Credential, Rules};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::{CertificateDer, ServerName};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

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
            .map(|tls| tls::server_config(file, tls, &provider))
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
                callers: callers::callers(&file.callers),
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
            Some((tls::client_config(file, ca, provider)?, name))
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
