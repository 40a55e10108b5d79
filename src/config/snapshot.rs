//! Everything that one load of the configuration produced, compiled once and never changed. Compiling
//! is pure: it takes the file and what was read from outside, and gives a snapshot or every problem.

mod callers;
mod issuers;
mod otlp;
mod quota;
mod shared;
mod tls;

pub use issuers::{Fetch, Signers};
pub use otlp::Collector;
pub use shared::SharedServer;
pub use tls::Made;

use super::file::{self, File, Limits};
use super::materials::{Materials, Secrets};
use super::problem::{Place, Problem, Problems};
use crate::identity::{Caller, Callers};
use crate::policy::vocabulary::{StoreHash, Verb};
use crate::policy::{Credential, Ownership, Rules};
use crate::quota::{Book, CallerTerms, StoreTerms};
use crate::secret::SecretError;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::{CertificateDer, ServerName};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One load of the configuration. It holds secrets, so it has no `Debug`.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds credentials")]
pub struct Snapshot {
    /// The callers by their tokens.
    pub callers: Arc<Callers>,
    /// The issuers of signed tokens.
    pub signers: Arc<Signers>,
    /// The rules of bodies.
    pub rules: Rules,
    /// The bounds.
    pub limits: Limits,
    /// The upstream.
    pub upstream: UpstreamSettings,
    /// Which upstream it is, in the order in which they came into force: what is known of one is not known of
    /// another.
    pub place: u64,
    /// What may be spent, and what is; `None` where nothing is limited.
    pub book: Option<Arc<Book>>,
    /// By which the quotas are shared with other gateways.
    pub shared: Option<Arc<SharedServer>>,
    /// Where traces and audit records go beside; `None`: nowhere.
    pub collector: Option<Arc<Collector>>,
    /// How owners are remembered; `None` where no request depends on them.
    pub ownership: Option<OwnershipSettings>,
    /// The listener's TLS.
    pub server_tls: Option<Made<ServerConfig>>,
    // No hash table: most have one store or a few, whose comparison costs less than a keyed hash.
    credentials: Arc<BTreeMap<StoreHash, Credentials>>,
}

/// The credentials of one store.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "they must not be printable")]
pub struct Credentials {
    /// The one in force.
    pub current: Arc<Credential>,
    /// The one before it, whose API account may own what the current one's cannot reach.
    pub previous: Option<Arc<Credential>>,
}

/// How the owners of metafields are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnershipSettings {
    /// How long one is believed.
    pub ttl: Duration,
    /// How many.
    pub entries: usize,
}

/// How to reach the upstream, and for how long to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub tls: Option<(Made<ClientConfig>, ServerName<'static>)>,
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

/// What decides of requests, as far as the file alone says: everything but tokens, keys and credentials.
#[derive(Debug)]
pub struct Policy {
    /// The callers, in the file's order.
    pub callers: Vec<Arc<Caller>>,
    /// The rules of bodies.
    pub rules: Rules,
    /// The bounds.
    pub limits: Limits,
    /// The stores, in the file's order.
    pub stores: Vec<StoreHash>,
    /// The quotas of the stores, in the file's order.
    pub quotas: Vec<Option<StoreTerms>>,
    /// What each caller may spend.
    pub spending: Vec<CallerTerms>,
    /// Of each caller, the claim in which its signed tokens bring scopes of their own.
    pub scope_claims: Vec<Option<String>>,
}

impl Policy {
    /// The policy of a configuration. Nothing that the file names is read.
    pub fn of(file: &File) -> Self {
        Self {
            callers: callers::callers(&file.callers, file.policy.ownership),
            rules: Rules {
                unknown_fields: file.policy.unknown_fields,
                batch_items: file.limits.batch_items,
                value_length: file.limits.value_length,
            },
            limits: file.limits.clone(),
            stores: file.stores.iter().map(|store| store.hash).collect(),
            quotas: file
                .stores
                .iter()
                .map(|store| store.quota.as_ref().map(|quota| quota.value))
                .collect(),
            spending: file.callers.iter().map(|caller| caller.spending).collect(),
            scope_claims: file
                .callers
                .iter()
                .map(|caller| scope_claim(file, caller))
                .collect(),
        }
    }
}

impl UpstreamSettings {
    /// Whether both lead to the same machine, which shows the same name to the same authorities.
    pub fn is_same_place(&self, other: &Self) -> bool {
        (&self.scheme, &self.authority, &self.tls) == (&other.scheme, &other.authority, &other.tls)
    }
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
        Self::compile_after(file, materials, None)
    }

    /// Compiles a configuration that takes the place of a previous one, of which it keeps the TLS settings
    /// that are still the same, with the sessions that can be resumed.
    pub fn compile_after(
        file: &File,
        materials: Materials,
        previous: Option<&Self>,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let upstream = upstream(file, materials.upstream_ca, &provider, previous)
            .map_err(|problem| problems.push(problem));
        let authorities = materials.server_tls.as_ref().and_then(tls::authorities);
        let known = previous.and_then(|previous| previous.server_tls.as_ref());
        let server_tls = materials
            .server_tls
            .map(|read| tls::server(file, read, &provider, known))
            .transpose()
            .map_err(|problem| problems.push(problem));
        let mut keep = |problem| problems.push(problem);
        let credentials = credentials(file, materials.credentials, &mut keep);
        let Policy {
            callers,
            rules,
            limits,
            ..
        } = Policy::of(file);
        let shared = shared::shared(file, materials.shared);
        let collector = otlp::collector(file, &provider).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let signers = issuers::signers(file, &callers, materials.jwks, &provider)
            .map(|signers| signers.after(previous.map(|previous| &*previous.signers)))
            .map_err(|found| problems.extend(found));
        match (upstream, server_tls, signers, Problems::found(problems)) {
            (Ok(upstream), Ok(server_tls), Ok(signers), None) => Ok(Self {
                place: place(&upstream, previous),
                book: quota::book(
                    file,
                    previous.filter(|previous| {
                        // Another machine counts by itself.
                        previous.upstream.is_same_place(&upstream)
                    }),
                ),
                callers: Arc::new(callers::table(&file.callers, &callers, authorities)),
                signers: Arc::new(signers),
                shared,
                collector,
                rules,
                limits,
                ownership: ownership(file),
                upstream,
                server_tls,
                credentials: Arc::new(credentials),
            }),
            (.., problems) => {
                let unnamed = || {
                    Problem::new(Place::START, "", "the configuration cannot be compiled").into()
                };
                Err(problems.unwrap_or_else(unnamed))
            }
        }
    }

    /// The same with another credential for a store.
    #[must_use]
    pub fn with_credentials(&self, store: StoreHash, credentials: Credentials) -> Self {
        let mut all = BTreeMap::clone(&self.credentials);
        all.insert(store, credentials);
        Self {
            credentials: Arc::new(all),
            ..self.clone()
        }
    }

    /// The credentials of a store; `None` if the store is not configured.
    pub fn credentials(&self, store: &StoreHash) -> Option<&Credentials> {
        self.credentials.get(store)
    }
}

impl Credentials {
    /// Whether these are the same credentials.
    pub fn is_same(&self, other: &Self) -> bool {
        let previous = match (&self.previous, &other.previous) {
            (Some(one), Some(other)) => one.is_same(other),
            (None, None) => true,
            _ => false,
        };
        self.current.is_same(&other.current) && previous
    }

    /// Credentials that are ready to be sent; the error names the key within `credential`.
    pub fn new(secrets: Secrets) -> Result<Self, (&'static str, SecretError)> {
        let current = Credential::new(secrets.current).map_err(|error| ("", error))?;
        let previous = secrets.previous.map(Credential::new).transpose();
        Ok(Self {
            current: Arc::new(current),
            previous: previous
                .map_err(|error| (".previous", error))?
                .map(Arc::new),
        })
    }
}

fn credentials(
    file: &File,
    secrets: Vec<Secrets>,
    keep: &mut impl FnMut(Problem),
) -> BTreeMap<StoreHash, Credentials> {
    let mut all = BTreeMap::new();
    for (index, (store, secrets)) in file.stores.iter().zip(secrets).enumerate() {
        match Credentials::new(secrets) {
            Ok(credentials) => drop(all.insert(store.hash, credentials)),
            Err((which, error)) => {
                let key = format!("store[{index}].credential{which}");
                keep(Problem::new(store.credential.place, key, error.to_string()));
            }
        }
    }
    all
}

fn scope_claim(file: &File, caller: &file::Caller) -> Option<String> {
    let signed = caller.identity.signed_token.as_ref()?;
    let mut issuers = file.issuers.iter();
    let issuer = issuers.find(|issuer| issuer.name == signed.value.issuer)?;
    issuer.scope_claim.clone()
}

fn place(upstream: &UpstreamSettings, previous: Option<&Snapshot>) -> u64 {
    let Some(previous) = previous else { return 0 };
    if previous.upstream.is_same_place(upstream) {
        previous.place
    } else {
        previous.place + 1
    }
}

/// Owners are remembered where a caller's requests depend on them.
fn ownership(file: &File) -> Option<OwnershipSettings> {
    let mut grants = file.callers.iter().map(|caller| &caller.grants);
    let is_needed =
        file.policy.ownership == Ownership::LookUp && grants.any(file::Grants::is_limited);
    is_needed.then_some(OwnershipSettings {
        ttl: file.policy.ownership_ttl,
        entries: file.limits.ownership_entries,
    })
}

fn upstream(
    file: &File,
    ca: Option<Vec<CertificateDer<'static>>>,
    provider: &Arc<CryptoProvider>,
    previous: Option<&Snapshot>,
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
            let known = previous.and_then(|previous| previous.upstream.tls.as_ref());
            let known = known.map(|(config, _)| config);
            Some((tls::upstream(file, ca, provider, known)?, name))
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
