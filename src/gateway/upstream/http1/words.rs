//! What the readers of heads, chunks and whole answers say to each other.

use bytes::Bytes;

/// The most fields of a head, and of the trailers.
pub(super) const FIELDS: usize = 100;

/// Why an upstream's bytes are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::gateway) enum Malformed {
    #[error("the answer's head is malformed: {0}")]
    Head(#[from] httparse::Error),
    #[error("the answer's head is longer than 64 KiB")]
    HeadTooLong,
    #[error("interim answers without end")]
    Interim,
    #[error("the answer's status is none")]
    Status,
    #[error("the answer's `Content-Length` is not one number")]
    Length,
    #[error("an answer of HTTP/1.0 has a transfer coding")]
    OldCoding,
    #[error("an answer that nobody asked for")]
    Unasked,
    #[error("the answer's chunks are malformed: {0}")]
    Chunk(&'static str),
    #[error("the connection was closed within the answer")]
    Closed,
}

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Data(Bytes),
    /// More must be read.
    More,
    End,
}
