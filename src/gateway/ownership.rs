//! Before a limited caller's request by id is sent, the gateway knows whose the metafield is: it remembers
//! it, or it asks BigCommerce, once for all who want to know. What is allowed is policy's to say; here is
//! only how the owners are come by, and the memory kept true by what passes through.
//!
//! What it cannot know: a change that was made outside this gateway is seen after `policy.ownership_ttl` at
//! the latest; one that is made between the look-up and the request, or by a write whose outcome stayed
//! unknown, may not be seen by that request, since BigCommerce's API has no conditional writes.

mod look_up;
mod memory;
mod watch;

pub(super) use look_up::{Proven, Prover};
pub(super) use watch::{Changes, Watch};

use super::inbound::{COLLECTED, Inbound, InboundBody};
use crate::config::Snapshot;
use crate::denial::Denial;
use crate::policy::{Reported, Veil};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode};
use memory::Memory;
use std::sync::OnceLock;

/// What all workers know of metafields' owners. It takes no memory until a snapshot needs it, and is kept
/// true from then on, whatever snapshots follow.
#[derive(Debug, Default)]
pub(super) struct Owners(OnceLock<Memory>);

impl Owners {
    /// How many owners are remembered.
    pub(super) fn count(&self) -> usize {
        self.0.get().map_or(0, Memory::count)
    }

    /// The memory, where it is in use or this snapshot wants it to be.
    pub(super) fn memory(&self, snapshot: &Snapshot) -> Option<&Memory> {
        match &snapshot.ownership {
            Some(settings) => Some(self.0.get_or_init(|| Memory::new(settings.entries))),
            None => self.0.get(),
        }
    }
}

/// The body of an answer that can be read: there as a whole, and not encoded.
fn readable(inbound: &Inbound) -> Option<&Bytes> {
    match &inbound.body {
        InboundBody::Whole { body, .. } if is_plain(&inbound.head.headers) => Some(body),
        _ => None,
    }
}

/// As [`readable`], for an answer that must be; gives what keeps it from being read.
fn must_be_readable(inbound: &Inbound) -> Result<&Bytes, Denial> {
    readable(inbound).ok_or_else(|| {
        let head = &inbound.head.headers;
        let length = head.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok());
        let length = length.and_then(|text| text.parse::<usize>().ok());
        let begun = match &inbound.body {
            InboundBody::Begun { begin, .. } => begin.len(),
            InboundBody::Whole { .. } => 0,
        };
        let cause = if !is_plain(head) {
            "it is encoded, although the gateway asked for it as it is"
        } else if length.unwrap_or_default().max(begun) > COLLECTED {
            "it is longer than the gateway reads"
        } else {
            "it did not come in time, or found no room"
        };
        Denial::UpstreamProtocolError {
            cause: cause.to_owned(),
        }
    })
}

/// Judges an answer that shows a metafield, before any of it is passed on.
pub(super) fn unveil(
    veil: Veil<'_>,
    inbound: &Inbound,
    reported: &mut Reported,
) -> Result<(), Denial> {
    if !inbound.head.status.is_success() {
        return Ok(());
    }
    veil.judge(must_be_readable(inbound).map(AsRef::as_ref), reported)
}

fn is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether an answer of this status shows metafields.
fn shows(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::CREATED)
}
