//! Reads a request's body whole, under a limit, a deadline and a budget of memory. A body is judged
//! as a whole or not at all: there is no partial reading.

use super::budget::{Hold, Spent};
use super::head::Announced;
use crate::denial::Denial;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::time::Duration;

/// How much of a declared length is taken from the budget before any of it has come: the rest is taken
/// as it comes, so that nobody can take all of it by declaring alone.
const AHEAD: usize = 128 * 1024;

impl From<Spent> for Denial {
    fn from(_: Spent) -> Self {
        Self::Overloaded {
            bound: "memory for request bodies",
        }
    }
}

/// Reads the whole body, at most `limit` bytes within `patience`.
pub(super) async fn read(
    body: Incoming,
    limit: usize,
    patience: Duration,
    hold: &mut Hold,
) -> Result<Bytes, Denial> {
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > limit {
        return Err(Denial::BodyTooLarge { limit });
    }
    hold.cover(declared.min(AHEAD))?;
    tokio::time::timeout(patience, collect(body, declared, limit, hold))
        .await
        .unwrap_or(Err(Denial::BodyTimeout))
}

/// Waits for the end of a body that should be empty, where the head does not say so, for at most
/// `patience`.
pub(super) async fn expect_none(
    announced: Announced,
    mut body: Incoming,
    patience: Duration,
) -> Result<Bytes, Denial> {
    if announced == Announced::None {
        return Ok(Bytes::new());
    }
    let first = tokio::time::timeout(patience, next_piece(&mut body)).await;
    match first.unwrap_or(Err(Denial::BodyTimeout))? {
        None => Ok(Bytes::new()),
        Some(_) => Err(Denial::MalformedRequest {
            reason: "this operation takes no body",
        }),
    }
}

async fn collect(
    mut body: Incoming,
    declared: usize,
    limit: usize,
    hold: &mut Hold,
) -> Result<Bytes, Denial> {
    let Some(first) = next_piece(&mut body).await? else {
        return Ok(Bytes::new());
    };
    // A body that came in one piece is passed on without a copy.
    if first.len() <= limit && body.is_end_stream() {
        hold.cover(first.len())?;
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(declared.min(AHEAD).max(first.len()));
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        let length = whole.len() + bytes.len();
        if length > limit {
            return Err(Denial::BodyTooLarge { limit });
        }
        hold.cover(length)?;
        whole.extend_from_slice(&bytes);
        piece = next_piece(&mut body).await?;
    }
    Ok(whole.freeze())
}

/// The next piece of data that is not empty; trailers are dropped.
async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, Denial> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Denial::MalformedRequest {
            reason: "the body ended early or is not framed correctly",
        })?;
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
