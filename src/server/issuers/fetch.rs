//! One fetch of a key set: one connection, one request, one answer of 200 and of a bounded size, all within
//! a few seconds. A redirect is not followed: whoever could send one could send keys.

use super::super::outgoing::{chain, connect};
use crate::config::Fetch;
use crate::identity::{KeySet, LARGEST_SET};
use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::time::Duration;

/// For a fetch from its first packet to its last byte.
const PATIENCE: Duration = Duration::from_secs(5);

const ACCEPTED: HeaderValue =
    HeaderValue::from_static("application/jwk-set+json, application/json");
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("metafield-gateway/", env!("CARGO_PKG_VERSION")));

/// Fetches a key set; an error says why there is none.
pub(super) async fn fetch(fetch: &Fetch) -> Result<KeySet, String> {
    let text = tokio::time::timeout(PATIENCE, exchange(fetch))
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))?;
    KeySet::served(&text, &fetch.algorithms)
        .map_err(|error| format!("the answer is no set of keys for this issuer: {error}"))
}

async fn exchange(fetch: &Fetch) -> Result<Vec<u8>, String> {
    let stream = connect(&fetch.uri, fetch.tls.as_ref()).await?;
    let (mut sender, connection) = http1::Builder::new()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| chain(&error))?;
    let answer = async {
        let request = request(fetch)?;
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| chain(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answered {}", answer.status().as_u16()));
        }
        collect(answer.into_body()).await
    };
    tokio::pin!(answer);
    // The connection is only there for this answer, and ends with it.
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        _ = connection => {}
    }
    answer.await
}

fn request(fetch: &Fetch) -> Result<Request<Empty<Bytes>>, String> {
    let target = fetch
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    Request::get(target)
        .header(HOST, fetch.host.clone())
        .header(ACCEPT, ACCEPTED)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, HeaderValue::from_static("close"))
        .body(Empty::new())
        .map_err(|error| error.to_string())
}

async fn collect(mut body: Incoming) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| chain(&error))?;
        if let Some(data) = frame.data_ref() {
            if text.len() + data.len() > LARGEST_SET {
                return Err(format!("the answer is larger than {LARGEST_SET} bytes"));
            }
            text.extend_from_slice(data);
        }
    }
    Ok(text)
}
