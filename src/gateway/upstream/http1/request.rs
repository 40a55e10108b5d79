//! A request's bytes over HTTP/1.1. They come of an [`Outbound`] alone, and the credential stands in the head's last
//! field and is wiped when the request is gone.

use crate::gateway::outbound::Outbound;
use bytes::Bytes;
use http::Method;
use std::ops::Range;
use zeroize::Zeroize;

/// The longest body that is copied behind its head: one buffer costs the kernel less than two, and TLS one record.
const JOINED: usize = 4 * 1024;

/// Room for a head's names, most targets and what the gateway itself says in it.
const ROOM: usize = 512;

/// Room for the credential's name and the end of the head.
const LAST: usize = 32;

/// What is written for a request.
pub(in crate::gateway) struct Wire {
    head: Vec<u8>,
    credential: Range<usize>,
    /// What does not stand behind the head already.
    body: Bytes,
    written: usize,
    to_head: bool,
}

/// The target is not one that may stand in a request line.
#[derive(Debug, thiserror::Error)]
#[error("the target holds a character that no target has")]
pub(in crate::gateway) struct Untargetable;

impl Wire {
    pub(in crate::gateway) fn of(outbound: &Outbound<'_>) -> Result<Self, Untargetable> {
        let operation = outbound.allowed.operation();
        // Where no length is written there must be no body: it would be another request.
        let none = Bytes::new();
        let body = if operation.verb.has_body() {
            outbound.allowed.body()
        } else {
            &none
        };
        let joined = if body.len() <= JOINED { body.len() } else { 0 };
        let credential = (outbound.credential)();
        let room = ROOM + outbound.lengths() + credential.length() + joined;
        let mut line = String::with_capacity(room);
        line.push_str(operation.method.as_str());
        line.push(' ');
        let begin = line.len();
        outbound.allowed.push_target(&mut line);
        // It is made of numbers and escapes; a blank in it would end it early.
        let target = line.as_bytes().get(begin..).unwrap_or_default();
        if !target.iter().all(u8::is_ascii_graphic) {
            return Err(Untargetable);
        }
        line.push_str(" HTTP/1.1\r\n");
        let mut head = line.into_bytes();
        outbound.each_field(|name, value| field(&mut head, name.as_str(), value));
        field(&mut head, "host", outbound.destination.host.as_bytes());
        // Growing later would leave a copy of the credential behind.
        head.reserve(credential.length() + LAST + joined);
        outbound.allowed.write(&credential, &mut head);
        let end = head.len();
        head.extend_from_slice(b"\r\n\r\n");
        let mut wire = Self {
            credential: end - credential.length()..end,
            head,
            body: Bytes::new(),
            written: 0,
            to_head: operation.method == Method::HEAD,
        };
        if joined > 0 {
            wire.head.extend_from_slice(body);
        } else {
            wire.body = body.clone();
        }
        Ok(wire)
    }

    /// Whether not a byte of it has been written.
    pub(super) fn is_untouched(&self) -> bool {
        self.written == 0
    }

    /// Whether an answer to it has no body.
    pub(super) fn is_to_head(&self) -> bool {
        self.to_head
    }

    /// What is still to be written; `None` once that is nothing.
    pub(super) fn unwritten(&self) -> Option<[&[u8]; 2]> {
        if let Some(head) = self
            .head
            .get(self.written..)
            .filter(|head| !head.is_empty())
        {
            return Some([head, &self.body]);
        }
        let body = self.body.get(self.written - self.head.len()..)?;
        Some([body, &[]]).filter(|_| !body.is_empty())
    }

    /// So many bytes more have been written.
    pub(super) fn advance(&mut self, count: usize) {
        self.written += count;
    }

    /// These bytes alone, the last as a body.
    #[cfg(test)]
    pub(in crate::gateway) fn bare(head: &str, body: &'static str) -> Self {
        Self {
            head: head.as_bytes().to_vec(),
            credential: 0..0,
            body: Bytes::from_static(body.as_bytes()),
            written: 0,
            to_head: false,
        }
    }

    /// All of it.
    #[cfg(feature = "fuzzing")]
    pub(in crate::gateway) fn bytes(&self) -> Vec<u8> {
        [&self.head, &self.body[..]].concat()
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(credential) = self.head.get_mut(self.credential.clone()) {
            credential.zeroize();
        }
    }
}

fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_in_whatever_pieces_it_leaves() {
        for body in ["", "{\"value\":1}"] {
            for most in 1..40 {
                let mut wire = Wire::bare("GET / HTTP/1.1\r\n\r\n", body);
                let mut written = Vec::new();
                while let Some(slices) = wire.unwritten() {
                    let left = slices.concat();
                    let count = most.min(left.len());
                    written.extend_from_slice(&left[..count]);
                    wire.advance(count);
                }
                let whole = ["GET / HTTP/1.1\r\n\r\n", body].concat();
                assert_eq!(written, whole.as_bytes(), "{most}");
            }
        }
    }
}
