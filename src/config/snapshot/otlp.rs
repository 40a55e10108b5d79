//! Where traces and audit records go.

use super::tls;
use crate::config::file::{File, Scheme};
use crate::config::problem::Problem;
use http::{HeaderValue, Uri};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::ServerName;
use std::sync::Arc;

/// A collector of telemetry.
#[derive(Debug)]
pub struct Collector {
    /// Scheme, host and port, which the dialer resolves.
    pub uri: Uri,
    /// The value of `Host`.
    pub host: HeaderValue,
    /// TLS settings and the name that the certificate must bear; `None` for plaintext.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The part of the requests that are traced although their callers do not say, from 0 to 1.
    pub sample: f64,
    /// Whether audit records are sent too.
    pub logs: bool,
}

/// The collector of a configuration.
pub(super) fn collector(
    file: &File,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<Collector>>, Problem> {
    let Some(otlp) = &file.otlp else {
        return Ok(None);
    };
    let origin = &otlp.endpoint.value;
    let wrong = |cause: String| Problem::new(otlp.endpoint.place, "otlp.endpoint", cause);
    let uri = Uri::builder()
        .scheme(origin.scheme.as_str())
        .authority(origin.authority.as_str())
        .path_and_query("/")
        .build()
        .map_err(|error| wrong(error.to_string()))?;
    let host =
        HeaderValue::from_str(&origin.authority).map_err(|error| wrong(error.to_string()))?;
    let tls = match origin.scheme {
        Scheme::Http => None,
        Scheme::Https => {
            let name = ServerName::try_from(origin.host.clone())
                .map_err(|error| wrong(error.to_string()))?;
            let config =
                tls::client(None, false, provider).map_err(|error| wrong(error.to_string()))?;
            Some((Arc::new(config), name))
        }
    };
    Ok(Some(Arc::new(Collector {
        uri,
        host,
        tls,
        sample: otlp.sample,
        logs: otlp.logs,
    })))
}
