//! Opens connections to the upstream: name look-up, TCP (with the fall-back between address families
//! of RFC 8305), and TLS with the certificate checked against the configured roots.

use crate::config::UpstreamSettings;
use crate::denial::Denial;
use crate::gateway::stream::{Stream, ease};
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::io::Errno;
use rustls_pki_types::ServerName;
use std::error::Error;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};
use tower_service::Service;

/// A fresh connection, and whether both sides agreed on HTTP/2.
pub(super) struct Dialed {
    pub(super) stream: Stream,
    pub(super) http2: bool,
}

/// How to reach the upstream.
#[derive(Debug)]
pub(super) struct Dialer {
    connector: HttpConnector,
    uri: Uri,
    tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    patience: std::time::Duration,
    /// Where the upstream's ends of pipes go, once nothing is to be dialed.
    #[cfg(feature = "fuzzing")]
    pipes: std::cell::OnceCell<crate::gateway::pipes::Pipes>,
}

impl Dialer {
    pub(super) fn new(settings: &UpstreamSettings) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_keepalive(Some(settings.idle_timeout));
        Self {
            connector,
            uri: settings.uri.clone(),
            tls: settings
                .tls
                .as_ref()
                .map(|(made, name)| (Arc::clone(made.config()), name.clone())),
            patience: settings.connect_timeout,
            #[cfg(feature = "fuzzing")]
            pipes: std::cell::OnceCell::new(),
        }
    }

    /// From now on every connection is a pipe whose other end is handed to `pipes`.
    #[cfg(feature = "fuzzing")]
    pub(super) fn dial_into(&self, pipes: crate::gateway::pipes::Pipes) {
        drop(self.pipes.set(pipes));
    }

    /// Opens a connection within `upstream.connect_timeout`.
    pub(super) async fn dial(&self) -> Result<Dialed, Denial> {
        tokio::time::timeout(self.patience, self.connect())
            .await
            .unwrap_or_else(|_| Err(unreachable("no connection within upstream.connect_timeout")))
    }

    async fn connect(&self) -> Result<Dialed, Denial> {
        #[cfg(feature = "fuzzing")]
        if let Some(pipes) = self.pipes.get() {
            let stream = pipes
                .open()
                .ok_or_else(|| unreachable("nobody takes pipes"))?;
            return Ok(Dialed {
                stream,
                http2: false,
            });
        }
        let tcp = self
            .connector
            .clone()
            .call(self.uri.clone())
            .await
            .map_err(|error| {
                if is_out_of_descriptors(&error) {
                    OUT_OF_DESCRIPTORS
                } else {
                    unreachable(&chain(&error))
                }
            })?
            .into_inner();
        if let Ok(peer) = tcp.peer_addr() {
            ease(&tcp, peer.ip());
        }
        let Some((config, name)) = &self.tls else {
            return Ok(Dialed {
                stream: Stream::Tcp(tcp),
                http2: false,
            });
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let tls: tokio_rustls::client::TlsStream<TcpStream> = connector
            .connect(name.clone(), tcp)
            .await
            .map_err(|error| handshake_failure(&error))?;
        let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Dialed {
            stream: Stream::Tls(Box::new(TlsStream::Client(tls))),
            http2,
        })
    }
}

fn unreachable(cause: &str) -> Denial {
    Denial::UpstreamUnreachable {
        cause: cause.to_owned(),
    }
}

/// The gateway's own want is not the upstream's failure: it passes when connections end.
const OUT_OF_DESCRIPTORS: Denial = Denial::Overloaded {
    bound: "file descriptors",
};

fn is_out_of_descriptors(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let code = error.downcast_ref().and_then(io::Error::raw_os_error);
        let code = code.map(Errno::from_raw_os_error);
        if matches!(code, Some(Errno::MFILE | Errno::NFILE)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A certificate that was not accepted is another matter than a connection that broke.
fn handshake_failure(error: &io::Error) -> Denial {
    let cause = chain(error);
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(
            rustls::Error::InvalidCertificate(_)
            | rustls::Error::NoCertificatesPresented
            | rustls::Error::InvalidCertRevocationList(_),
        ) => Denial::UpstreamUntrusted { cause },
        Some(_) => Denial::UpstreamUnreachable {
            cause: format!("TLS: {cause}"),
        },
        None => Denial::UpstreamUnreachable { cause },
    }
}

/// An error with its causes. None of the layers below repeats what was sent, but for HTTP/2's GOAWAY,
/// whose text is the upstream's to choose.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = match inner.downcast_ref::<h2::Error>() {
            Some(error) => error.reason().map_or_else(
                || "an HTTP/2 connection failed".to_owned(),
                |reason| reason.description().to_owned(),
            ),
            None => inner.to_string(),
        };
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
