//! The server by which gateways share quotas, ready to be spoken to.

use crate::config::file::{File, ServerUrl};
use crate::config::materials::SharedSecrets;
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Where the shared server is, and how to be let in.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub struct SharedServer {
    /// Where it is.
    pub url: ServerUrl,
    /// Whether it is a cluster.
    pub cluster: bool,
    /// Its user, if not the default one.
    pub username: Option<String>,
    /// The password, visible ASCII.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// The authorities to trust; `None` for the web roots.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// With which the names of keys begin.
    pub prefix: String,
}

/// The server of a configuration; `None` where nothing is shared.
pub(super) fn shared(file: &File, secrets: Option<SharedSecrets>) -> Option<Arc<SharedServer>> {
    let settings = file.quota.shared.as_ref()?;
    let secrets = secrets.unwrap_or_default();
    Some(Arc::new(SharedServer {
        url: settings.url.value.clone(),
        cluster: settings.cluster,
        username: settings.username.clone(),
        password: secrets.password,
        roots: secrets.ca,
        prefix: settings.prefix.clone(),
    }))
}
