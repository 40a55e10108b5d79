//! Connections that the gateway itself opens for its own needs: to issuers of tokens, and to a collector.

use crate::gateway::Stream;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::error::Error;
use std::sync::Arc;
use tokio_rustls::{TlsConnector, TlsStream};
use tower_service::Service;

/// TLS settings, and the name that the certificate must bear.
pub(super) type Tls = (Arc<ClientConfig>, ServerName<'static>);

/// Connects to the host and port of a URI; an error says why it cannot be reached or trusted.
pub(super) async fn connect(uri: &Uri, tls: Option<&Tls>) -> Result<Stream, String> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    let tcp = connector.call(uri.clone()).await;
    let tcp = tcp.map_err(|error| chain(&error))?.into_inner();
    let Some((config, name)) = tls else {
        return Ok(Stream::Tcp(tcp));
    };
    let tls = TlsConnector::from(Arc::clone(config)).connect(name.clone(), tcp);
    let tls = tls
        .await
        .map_err(|error| format!("TLS: {}", chain(&error)))?;
    Ok(Stream::Tls(Box::new(TlsStream::Client(tls))))
}

/// An error with its causes, none of which repeats what was received.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let cause = inner.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = inner.source();
    }
    text
}
