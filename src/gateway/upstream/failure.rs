//! What the failure of an attempt means: may the request be sent again, or is it the answer. It decides
//! alone by what was seen on the connection; what the request does is its caller's business.

use super::dial::chain;
use super::progress::Progress;
use crate::denial::Denial;
use std::error::Error;
use std::io;

/// What came of an attempt that failed.
pub(super) enum Failed {
    /// Nothing of it was acted on: it may be made again whatever it does.
    Unsent,
    /// It may have been acted on, but no answer byte came over a connection that had been used before.
    Unanswered,
    /// It is the answer to the caller.
    For(Denial),
}

pub(super) fn http1_failure(error: &hyper::Error, reused: bool, progress: &Progress) -> Failed {
    let (wrote, was_read) = progress
        .mark()
        .map_or((true, true), |mark| (mark.wrote(), mark.was_read()));
    if reused && !wrote {
        Failed::Unsent
    } else if reused && !was_read {
        Failed::Unanswered
    } else {
        Failed::For(Denial::UpstreamProtocolError {
            cause: chain(error),
        })
    }
}

pub(super) fn http2_failure(error: &hyper::Error, unsent: bool, reused: bool) -> Failed {
    // hyper gives an error of the connection as what it was, and one of HTTP/2 as h2's.
    let cause = error.source();
    if unsent
        || cause
            .and_then(<dyn Error>::downcast_ref)
            .is_some_and(was_excluded)
    {
        Failed::Unsent
    } else if reused && cause.is_some_and(<dyn Error>::is::<io::Error>) {
        Failed::Unanswered
    } else {
        Failed::For(Denial::UpstreamProtocolError {
            cause: chain(error),
        })
    }
}

/// Whether the upstream says that it did not act on a stream (RFC 9113 section 8.7): it refused it, or
/// left the connection at an earlier one. h2 ends no other stream with the upstream's GOAWAY.
fn was_excluded(cause: &h2::Error) -> bool {
    cause.is_remote() && (cause.is_go_away() || cause.reason() == Some(h2::Reason::REFUSED_STREAM))
}

pub(super) fn unbuildable(error: &http::Error) -> Failed {
    Failed::For(Denial::UpstreamProtocolError {
        cause: format!("the request could not be built: {error}"),
    })
}
