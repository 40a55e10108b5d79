//! How far a request has got towards the upstream. It is kept by the audit entry, so that the record
//! is right also when the client goes away in the middle.

use super::BUSY;
use super::meter::Mark;
use crate::denial::Denial;
use crate::observe::{Sent, Used};
use std::time::Duration;
use tokio::time::Instant;

/// How far a request has got.
#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct Progress {
    began: Option<Instant>,
    /// Set once the request's turn to use a connection has come.
    may_connect: bool,
    attempt: Option<Mark>,
    /// The current attempt is a stream of a shared connection, whose bytes cannot be told from others'.
    uncounted: bool,
    /// Set once bytes of an earlier attempt may have been acted on.
    left: bool,
    answered: Option<(u16, Duration)>,
    /// The answer to an attempt with another credential.
    refused: Option<(u16, Duration)>,
    credential: Used,
}

impl Progress {
    /// The next attempt bears this credential. What came before was answered, and nothing was done.
    pub(in crate::gateway) fn bear(&mut self, credential: Used) {
        self.credential = credential;
        self.refused = self.answered.take().or(self.refused);
        self.attempt = None;
        self.uncounted = false;
        self.left = false;
    }

    /// Which credential the last attempt bore.
    pub(in crate::gateway) fn credential(&self) -> Used {
        self.credential
    }

    /// The first try to send begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began.get_or_insert(now);
    }

    /// The request need not wait for others any more.
    pub(super) fn may_connect(&mut self) {
        self.may_connect = true;
    }

    /// An attempt begins on a connection whose counts stand at `mark`.
    pub(super) fn attempt(&mut self, mark: Mark) {
        self.end_attempt();
        self.attempt = Some(mark);
    }

    /// An attempt begins as a stream of a shared connection.
    pub(super) fn attempt_uncounted(&mut self) {
        self.end_attempt();
        self.uncounted = true;
    }

    /// The current attempt is known not to have been acted on.
    pub(super) fn attempt_undone(&mut self) {
        self.uncounted = false;
    }

    fn end_attempt(&mut self) {
        self.left |= std::mem::take(&mut self.uncounted);
        self.left |= self.attempt.take().is_some_and(|earlier| earlier.wrote());
    }

    /// The current attempt, where its bytes are counted.
    pub(super) fn mark(&self) -> Option<&Mark> {
        self.attempt.as_ref()
    }

    /// The answer's head has come; gives the time it took.
    pub(super) fn answered(&mut self, status: u16, now: Instant) -> Duration {
        let took = self
            .began
            .map_or(Duration::ZERO, |began| now.duration_since(began));
        self.answered = Some((status, took));
        took
    }

    /// A failure in the light of what was sent: nobody may be told that nothing was, once an earlier
    /// attempt has left; and a request whose turn never came tells nothing of the upstream.
    pub(super) fn qualify(&self, denial: Denial) -> Denial {
        match denial {
            Denial::UpstreamTimeout { .. } if !self.may_connect => BUSY,
            Denial::UpstreamTimeout { .. } => Denial::UpstreamTimeout {
                sent: self.is_open(),
            },
            Denial::UpstreamUnreachable { cause } | Denial::UpstreamUntrusted { cause }
                if self.is_open() =>
            {
                let cause = format!("closed before an answer came, and then: {cause}");
                Denial::UpstreamProtocolError { cause }
            }
            Denial::Overloaded { bound } if self.is_open() => {
                let cause = format!("closed before an answer came, and then: no {bound}");
                Denial::UpstreamProtocolError { cause }
            }
            other => other,
        }
    }

    /// Whether the request reached the upstream.
    pub(in crate::gateway) fn sent(&self) -> Sent {
        if self.answered.is_some() {
            Sent::Yes
        } else if self.is_open() {
            Sent::Unknown
        } else if self.refused.is_some() {
            Sent::Yes
        } else {
            Sent::No
        }
    }

    /// Whether the upstream may have read some of an attempt that was not answered.
    pub(in crate::gateway) fn may_have_arrived(&self) -> bool {
        self.is_open()
    }

    /// Whether some of the request has left, and was not answered.
    fn is_open(&self) -> bool {
        self.answered.is_none()
            && (self.left || self.uncounted || self.attempt.as_ref().is_some_and(Mark::wrote))
    }

    /// The answer that counts: none while a later attempt is open.
    fn answer(&self) -> Option<(u16, Duration)> {
        let refused = self.refused.filter(|_| !self.is_open());
        self.answered.or(refused)
    }

    /// The upstream's status.
    pub(in crate::gateway) fn status(&self) -> Option<u16> {
        self.answer().map(|(status, _)| status)
    }

    /// From the first try to send to the answer's head.
    pub(in crate::gateway) fn took(&self) -> Option<Duration> {
        self.answer().map(|(_, took)| took)
    }
}
