//! What the failure of an attempt means: may the request be sent again, or is it the answer. It decides
//! alone by what was seen on the connection; what the request does is its caller's business.

use super::dial::chain;
use super::http1::Broken;
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

pub(super) fn http1_failure(error: &Broken, reused: bool, progress: &Progress) -> Failed {
    let (wrote, was_read) = progress
        .mark()
        .map_or((true, true), |mark| (mark.wrote(), mark.was_read()));
    // An upstream that speaks before it is asked is no dead connection.
    if !wrote && (reused || !was_read) {
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

pub(super) fn unbuildable(error: &dyn Error) -> Failed {
    Failed::For(Denial::UpstreamProtocolError {
        cause: format!("the request could not be built: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::http1::{Http1, Space, Wire};
    use super::*;
    use crate::gateway::stream::Stream;
    use std::io::Write;
    use tokio::net::UnixStream;
    use tokio::time::Instant;

    /// What a request on a connection means that the other side has closed, having said this.
    fn outcome(last_words: &[u8], reused: bool) -> Failed {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
            theirs.write_all(last_words).expect("room");
            drop(theirs);
            ours.set_nonblocking(true).expect("a mode");
            let stream = Stream::Unix(UnixStream::from_std(ours).expect("a socket"));
            #[expect(clippy::disallowed_methods, reason = "a test's own clock")]
            let now = Instant::now();
            let mut connection = Http1::new(stream, &Space::default(), now);
            let mut progress = Progress::default();
            progress.attempt(connection.mark());
            let request = Wire::bare("GET / HTTP/1.1\r\n\r\n", "");
            let error = connection
                .send(request, reused)
                .await
                .expect_err("it is closed");
            http1_failure(&error, reused, &progress)
        })
    }

    #[test]
    fn a_connection_that_died_before_use_is_left_whatever_the_request_does() {
        for reused in [false, true] {
            assert!(matches!(outcome(b"", reused), Failed::Unsent), "{reused}");
        }
        let spoke = outcome(b"SSH-2.0-server\r\n", false);
        assert!(matches!(spoke, Failed::For(_)));
    }
}
