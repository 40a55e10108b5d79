//! Reads a request's body whole, under a limit, a deadline and a budget of memory. A body is judged
//! as a whole or not at all: there is no partial reading.

use crate::denial::Denial;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// The memory that one worker's request bodies may hold at once, in bytes.
#[derive(Debug, Clone)]
pub(super) struct Budget(Rc<Cell<usize>>);

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Hold {
    budget: Budget,
    taken: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Rc::new(Cell::new(bytes)))
    }

    pub(super) fn hold(&self) -> Hold {
        Hold {
            budget: self.clone(),
            taken: 0,
        }
    }
}

impl Hold {
    fn take(&mut self, bytes: usize) -> Result<(), Denial> {
        let left = self.budget.0.get().checked_sub(bytes);
        self.budget.0.set(left.ok_or(Denial::Overloaded {
            bound: "memory for request bodies",
        })?);
        self.taken += bytes;
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.0.set(self.budget.0.get() + self.taken);
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
    hold.take(declared)?;
    tokio::time::timeout(patience, collect(body, declared, limit, hold))
        .await
        .unwrap_or(Err(Denial::BodyTimeout))
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
    let mut whole = if first.len() <= limit && body.is_end_stream() {
        hold.take(first.len().saturating_sub(declared))?;
        return Ok(first);
    } else {
        BytesMut::with_capacity(declared.max(first.len()))
    };
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        let length = whole.len() + bytes.len();
        if length > limit {
            return Err(Denial::BodyTooLarge { limit });
        }
        hold.take(length.saturating_sub(whole.len().max(declared)))?;
        whole.extend_from_slice(&bytes);
        piece = next_piece(&mut body).await?;
    }
    Ok(whole.freeze())
}

/// The next piece of data; trailers are dropped.
async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, Denial> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Denial::MalformedRequest {
            reason: "the body ended early or is not framed correctly",
        })?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_given_back() {
        let budget = Budget::new(10);
        let mut one = budget.hold();
        assert_eq!(one.take(6), Ok(()));
        let mut two = budget.hold();
        assert!(two.take(5).is_err());
        assert_eq!(two.take(4), Ok(()));
        drop(one);
        assert_eq!(two.take(6), Ok(()));
        drop(two);
        assert_eq!(budget.0.get(), 10);
    }
}
