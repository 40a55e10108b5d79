//! The issuers of a configuration: their settings, the callers that are bound to them, and how their keys
//! are fetched.

use super::tls;
use crate::config::file::{self, File, Jwks, Remote, Scheme};
use crate::config::materials::KeyMaterial;
use crate::config::problem::{Located, Place, Problem};
use crate::identity::{
    Algorithm, Bindings, Caller, Conflict, Issuer, Issuers, KeySet, Keys, Settings,
};
use http::{HeaderValue, Uri};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use std::time::Duration;

/// How the keys of one issuer are fetched, and who holds them.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// The issuer's name.
    pub name: String,
    /// Scheme, host and port, which the dialer resolves.
    pub uri: Uri,
    /// The value of `Host`.
    pub host: HeaderValue,
    /// TLS settings and the name that the certificate must bear; `None` for plaintext.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// How often.
    pub every: Duration,
    /// What the keys may be for.
    pub algorithms: Vec<Algorithm>,
    /// Where the keys go.
    pub keys: Arc<Keys>,
    source: (Remote, Option<Vec<CertificateDer<'static>>>),
}

impl Fetch {
    /// Whether keys fetched for one are those of the other.
    fn is_like(&self, other: &Self) -> bool {
        (&self.name, &self.algorithms, &self.source)
            == (&other.name, &other.algorithms, &other.source)
    }
}

/// The issuers, and what is to be fetched for them.
#[derive(Debug, Default)]
pub struct Signers {
    /// The issuers.
    pub issuers: Issuers,
    /// What is fetched.
    pub fetches: Vec<Fetch>,
}

impl Signers {
    /// Takes the keys over that were fetched for an earlier configuration, where the settings about them
    /// are the same: a reload must not make anyone wait.
    pub(super) fn after(mut self, earlier: Option<&Self>) -> Self {
        let Some(earlier) = earlier else {
            return self;
        };
        for fetch in &mut self.fetches {
            if let Some(like) = earlier.fetches.iter().find(|other| fetch.is_like(other)) {
                self.issuers.replace_keys(&fetch.keys, &like.keys);
                fetch.keys = Arc::clone(&like.keys);
            }
        }
        self
    }
}

/// The issuers of a configuration. `callers` are in its order.
pub(super) fn signers(
    file: &File,
    callers: &[Arc<Caller>],
    materials: Vec<KeyMaterial>,
    provider: &Arc<CryptoProvider>,
) -> Result<Signers, Vec<Problem>> {
    let mut problems = Vec::new();
    let (mut issuers, mut fetches) = (Vec::new(), Vec::new());
    for (index, (issuer, material)) in file.issuers.iter().zip(materials).enumerate() {
        let keys = match (&issuer.jwks.value, material) {
            (Jwks::Url(remote), KeyMaterial::Authorities(ca)) => {
                fetched(issuer, remote, ca, provider).map(|fetch| {
                    let keys = Arc::clone(&fetch.keys);
                    fetches.push(fetch);
                    keys
                })
            }
            (_, KeyMaterial::Text(text)) => fixed(issuer, &text),
            (Jwks::File(_), KeyMaterial::Authorities(_)) => Err("nothing was read".to_owned()),
        };
        let keys = keys.map_err(|cause| {
            let key = format!("issuer[{index}].jwks");
            let problem = Problem::new(issuer.jwks.place, key, cause);
            match issuer.jwks.value {
                Jwks::File(_) => problem.with_hint("it holds the issuer's public keys as the issuer serves them (RFC 7517): an object with a list `keys`"),
                Jwks::Url(_) => problem,
            }
        });
        match (keys, bindings(file, issuer, callers)) {
            (Ok(keys), Ok(bindings)) => issuers.push(Issuer {
                settings: settings(issuer),
                keys,
                bindings,
            }),
            (keys, bindings) => problems.extend(keys.err().into_iter().chain(bindings.err())),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Signers {
        issuers: Issuers::new(issuers),
        fetches,
    })
}

fn settings(issuer: &file::Issuer) -> Settings {
    Settings {
        name: issuer.name.clone(),
        issuer: issuer.issuer.clone(),
        audience: issuer.audience.clone(),
        algorithms: issuer.algorithms.clone(),
        scope_claim: issuer.scope_claim.clone(),
        clock_skew: issuer.clock_skew,
        max_lifetime: issuer.max_lifetime,
    }
}

fn fixed(issuer: &file::Issuer, text: &[u8]) -> Result<Arc<Keys>, String> {
    let set = KeySet::read(text, &issuer.algorithms);
    set.map(|set| Arc::new(Keys::fixed(set)))
        .map_err(|error| format!("the file is no set of keys for this issuer: {error}"))
}

fn fetched(
    issuer: &file::Issuer,
    remote: &Remote,
    ca: Option<Vec<CertificateDer<'static>>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Fetch, String> {
    let origin = &remote.origin;
    let uri = Uri::builder()
        .scheme(origin.scheme.as_str())
        .authority(origin.authority.as_str())
        .path_and_query(remote.target.clone())
        .build()
        .map_err(|error| error.to_string())?;
    let host = HeaderValue::from_str(&origin.authority).map_err(|error| error.to_string())?;
    let tls = match origin.scheme {
        Scheme::Http => None,
        Scheme::Https => {
            let name =
                ServerName::try_from(origin.host.clone()).map_err(|error| error.to_string())?;
            let config = tls::client(ca.clone(), false, provider);
            let config = config.map_err(|error| error.to_string())?;
            Some((Arc::new(config), name))
        }
    };
    Ok(Fetch {
        name: issuer.name.clone(),
        uri,
        host,
        tls,
        every: remote.refresh,
        algorithms: issuer.algorithms.clone(),
        keys: Arc::new(Keys::fetched(remote.keep)),
        source: (remote.clone(), ca),
    })
}

/// That no two overlap was seen when the file was read; if they do, it is not by this way that one is chosen.
fn bindings(
    file: &File,
    issuer: &file::Issuer,
    callers: &[Arc<Caller>],
) -> Result<Bindings<Arc<Caller>>, Problem> {
    let bound = file.callers.iter().zip(callers);
    let bound = bound.filter_map(|(caller, known)| match &caller.identity.signed_token {
        Some(Located { value, .. }) if value.issuer == issuer.name => {
            Some((&value.claims, Arc::clone(known)))
        }
        _ => None,
    });
    Bindings::new(bound).map_err(|conflict| {
        let message = match conflict {
            Conflict::Overlap(one, other) => {
                format!("the callers `{}` and `{}` overlap", one.name, other.name)
            }
            Conflict::TooManyKinds => "its callers are bound by too many sets of claims".to_owned(),
        };
        Problem::new(Place::START, "caller", message)
    })
}
