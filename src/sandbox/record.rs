//! A store that many connections share, with a bounded record of what it received.
//!
//! The record holds whole requests, tokens among them: it is for tests and demonstrations, and
//! leaves memory only through [`Shared::seen`].

#![expect(
    clippy::disallowed_types,
    reason = "the sandbox is no part of the gateway's request path, and its readers are other threads"
)]

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use jiff::Timestamp;

use super::answer::Answer;
use super::store::{Ask, Store};

/// How many requests the record keeps; the oldest make room.
pub const MAX_SEEN: usize = 10_000;

/// How many bytes of bodies the record keeps (64 MiB); the oldest make room.
pub const MAX_SEEN_BYTES: usize = 64 * 1024 * 1024;

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The number of the connection, from 1: two requests with one number came over one connection.
    pub connection: u64,
    /// The method.
    pub method: Method,
    /// The request target: path and query as sent.
    pub target: String,
    /// The HTTP version.
    pub version: Version,
    /// The fields as sent: values byte for byte, repeated fields kept apart, names in lower case.
    pub headers: HeaderMap,
    /// The body, byte for byte; empty if it did not arrive whole.
    pub body: Bytes,
    /// Whether the body arrived whole and was no longer than [`super::MAX_BODY`].
    pub complete: bool,
}

/// A handle to a store and its record. Clones are handles to the same.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Inner>>);

struct Inner {
    store: Store,
    seen: VecDeque<Seen>,
    bytes: usize,
    received: u64,
}

impl Shared {
    /// A store with an empty record.
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            store,
            seen: VecDeque::new(),
            bytes: 0,
            received: 0,
        })))
    }

    /// The last requests, oldest first. A request is here before it is answered.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.iter().cloned().collect()
    }

    /// How many requests came in, those the record has let go included.
    pub fn received(&self) -> u64 {
        self.lock().received
    }

    /// Empties the record and counts from 0 again.
    pub fn forget(&self) {
        let mut inner = self.lock();
        inner.seen.clear();
        inner.bytes = 0;
        inner.received = 0;
    }

    /// Reads or changes the store between two requests.
    pub fn with_store<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        change(&mut self.lock().store)
    }

    /// Records a request and answers it.
    pub(super) fn answer(&self, ask: &Ask<'_>, seen: Seen, now: Timestamp) -> Answer {
        let mut inner = self.lock();
        inner.note(seen);
        inner.store.answer(ask, now)
    }

    /// Records a request the store gets nothing of.
    pub(super) fn note(&self, seen: Seen) {
        self.lock().note(seen);
    }

    /// A poisoned lock is used on: a test that panics in its closure fails by itself, and must not
    /// take the store from the others.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Inner {
    fn note(&mut self, seen: Seen) {
        self.received += 1;
        self.bytes += seen.body.len();
        self.seen.push_back(seen);
        while self.seen.len() > MAX_SEEN || self.bytes > MAX_SEEN_BYTES {
            let Some(oldest) = self.seen.pop_front() else {
                break;
            };
            self.bytes -= oldest.body.len();
        }
    }
}
