//! One request to the collector: a connection of its own, a bounded answer, all within a few seconds.

use super::super::outgoing::{chain, connect};
use crate::config::Collector;
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// From the first packet to the answer's last byte: below the SDK's own patience.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than this is no answer of a collector.
const LARGEST: usize = 64 * 1024;

/// Who posts. The last one to go ends the thread on which it happens.
#[derive(Debug, Clone)]
pub(super) struct Poster {
    runtime: Handle,
    collector: Arc<Place>,
    _running: Arc<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Place {
    host: HeaderValue,
    tls: Option<super::super::outgoing::Tls>,
    is_failing: AtomicBool,
}

impl Poster {
    pub(super) fn start(collector: &Collector) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("otlp".to_owned())
            // It ends by being dropped, which is no error here.
            .spawn(move || drop(runtime.block_on(ended)))?;
        Ok(Self {
            runtime: handle,
            collector: Arc::new(Place {
                host: collector.host.clone(),
                tls: collector.tls.clone(),
                is_failing: AtomicBool::new(false),
            }),
            _running: Arc::new(running),
        })
    }
}

impl Poster {
    /// Says when the collector begins to take nothing, and when it takes something again.
    fn notice(&self, outcome: &Result<Response<Bytes>, String>) {
        let cause = match outcome {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status().as_u16())),
            Err(cause) => Some(cause.clone()),
        };
        let was_failing = self.collector.is_failing.swap(cause.is_some(), Relaxed);
        match cause {
            Some(cause) if !was_failing => {
                tracing::warn!(cause, "the collector takes no traces and records");
            }
            None if was_failing => tracing::info!("the collector takes traces and records again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Poster {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let place = Arc::clone(&self.collector);
        let posted = self.runtime.spawn(async move {
            let outcome = tokio::time::timeout(PATIENCE, post(request, &place)).await;
            outcome.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
        });
        let outcome = posted.await.map_err(|error| error.to_string());
        let outcome = outcome.and_then(|outcome| outcome);
        self.notice(&outcome);
        outcome.map_err(HttpError::from)
    }
}

async fn post(request: Request<Bytes>, place: &Place) -> Result<Response<Bytes>, String> {
    let (mut head, body) = request.into_parts();
    let stream = connect(&head.uri, place.tls.as_ref()).await?;
    let target = head.uri.path_and_query().cloned();
    head.uri = target.map(Into::into).unwrap_or_default();
    // The SDK would add what the environment names.
    let kind = head.headers.remove(CONTENT_TYPE);
    head.headers.clear();
    if let Some(kind) = kind {
        head.headers.insert(CONTENT_TYPE, kind);
    }
    head.headers.insert(HOST, place.host.clone());
    let close = HeaderValue::from_static("close");
    head.headers.insert(CONNECTION, close);
    let (mut sender, connection) = http1::Builder::new()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| chain(&error))?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(Request::from_parts(head, Full::new(body)));
    let (head, body) = answer.await.map_err(|error| chain(&error))?.into_parts();
    let body = Limited::new(body, LARGEST).collect().await;
    connection.abort();
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    Ok(Response::from_parts(head, body))
}
