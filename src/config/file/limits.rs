//! `[limits]`: how much of the gateway one request, one connection and all of them may take.

use std::time::Duration;

use crate::config::problem::Located;
use crate::config::reader::{Fault, TableReader, value};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

/// `limits.connections` from callers, over all workers: a sidecar serves one application, whose
/// pools hold tens; the limit keeps a runaway one from using up the file descriptors.
pub const CONNECTIONS: usize = 4096;

/// `limits.connections_per_peer` from one address that is not this machine's, over all workers: many times
/// what one application's pools hold, and a quarter of what all may have.
pub const CONNECTIONS_PER_PEER: usize = 1024;

/// `limits.exempt_local_peers`: beside a sidecar everyone has the same address.
pub const EXEMPT_LOCAL_PEERS: bool = true;

/// `limits.http2_streams` open at once on one connection: what common clients assume before they are told,
/// and the least that RFC 9113 6.5.2 recommends. A store's quota of 5 to 15 requests a second keeps fewer
/// busy.
pub const HTTP2_STREAMS: u32 = 100;

/// `limits.header_timeout`, for a request's whole head: a slow link needs one or two seconds, a
/// slow attacker is to be gone soon.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// `limits.idle_timeout` of a connection between requests: longer than the 60 s that common client
/// pools keep one, so that the client closes first and no request meets a closed connection.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// `limits.body_timeout`, for a request's whole body: 4 MiB within 10 s is 3.4 Mbit/s.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// `limits.write_timeout`, the longest that an answer waits for its reader to take any of it.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// `limits.answer_timeout`, for an answer until its reader has it all: 16 MiB, a whole page of the
/// largest metafields, in 2 minutes is 1.1 Mbit/s. One that streams keeps one of `upstream.connections`
/// for so long.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// `limits.handshake_timeout`, for TLS from the first byte: four round trips of a bad link.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// `limits.target`, path and query: RFC 9110 4.1 recommends to support at least 8000 octets.
pub const TARGET: usize = 8 * KIB;

/// `limits.headers`, the whole header section: a token alone may have 8 KiB, and tracing and cookies
/// of an application want room beside it.
pub const HEADERS: usize = 32 * KIB;

/// `limits.body` of one metafield: a value of 65,535 characters, each escaped as `\uXXXX\uXXXX`,
/// is 768 KiB.
pub const BODY: usize = MIB;

/// `limits.batch_body` of a batch: 250 metafields of 16 KiB.
pub const BATCH_BODY: usize = 4 * MIB;

/// The most that `limits.batch_items` can be: judging a batch takes a worker from the others for so long.
pub const MOST_BATCH_ITEMS: usize = 10_000;

/// `limits.batch_items`: BigCommerce keeps at most 250 metafields an entity for one client id.
pub const BATCH_ITEMS: usize = 250;

/// `limits.value_length`, in characters: BigCommerce's own limit, to be raised only when it is.
pub const VALUE_LENGTH: usize = 65_535;

/// `limits.body_memory`, all request bodies held at once: sixteen full batches, a quarter of the
/// 256 MiB that a sidecar's container is commonly given.
pub const BODY_MEMORY: usize = 64 * MIB;

/// `limits.answer_memory`, all answers that are collected before they are passed on: as much as for
/// bodies. What finds no room is passed on while it arrives.
pub const ANSWER_MEMORY: usize = 64 * MIB;

/// `limits.ownership_entries`, metafields whose namespace, key and customer are remembered: those of some
/// ten thousand customers. With names of usual length they take about 20 MiB, at most 50 MiB.
pub const OWNERSHIP_ENTRIES: usize = 65_536;

/// The most that a count of connections may be.
const MOST: usize = 1_048_576;

/// `[limits]`. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most connections from callers, over all workers.
    pub connections: usize,
    /// The most connections from one address.
    pub connections_per_peer: usize,
    /// Whether loopback addresses are not counted one by one; those of a Unix socket never are.
    pub exempt_local_peers: bool,
    /// The most HTTP/2 streams open at once on one connection.
    pub http2_streams: u32,
    /// For a request's whole head.
    pub header_timeout: Duration,
    /// How long a connection may stay open between requests.
    pub idle_timeout: Duration,
    /// For a request's whole body.
    pub body_timeout: Duration,
    /// How long an answer waits for its reader to take any of it.
    pub write_timeout: Duration,
    /// For an answer to be taken.
    pub answer_timeout: Duration,
    /// For the TLS handshake.
    pub handshake_timeout: Duration,
    /// A request's target, path and query.
    pub target: usize,
    /// A request's whole header section.
    pub headers: usize,
    /// The body of a request for one metafield.
    pub body: usize,
    /// The body of a batch.
    pub batch_body: usize,
    /// The most items of a batch.
    pub batch_items: usize,
    /// The most characters (Unicode scalar values) of a metafield's value.
    pub value_length: usize,
    /// All request bodies being held at once; at least `body` and `batch_body`.
    pub body_memory: usize,
    /// All collected answers being held at once.
    pub answer_memory: usize,
    /// The most metafields whose owner is remembered.
    pub ownership_entries: usize,
}

pub(super) fn limits(table: &mut TableReader<'_, '_>) -> Limits {
    let body = table.or("body", BODY, value::size(KIB..=64 * MIB));
    let batch_body = table.or("batch_body", BATCH_BODY, value::size(KIB..=256 * MIB));
    let memory = table.or("body_memory", BODY_MEMORY, value::size(MIB..=64 * GIB));
    for (key, size) in [("body", &body), ("batch_body", &batch_body)] {
        if table.is_sound() && memory.value < size.value {
            refuse_too_little_memory(table, &memory, key, size);
        }
    }
    let mut integer = |key, default, most| table.or(key, default, value::integer(1..=most)).value;
    let connections = integer("connections", CONNECTIONS, MOST);
    let connections_per_peer = integer("connections_per_peer", CONNECTIONS_PER_PEER, MOST);
    let batch_items = integer("batch_items", BATCH_ITEMS, MOST_BATCH_ITEMS);
    Limits {
        connections,
        connections_per_peer,
        exempt_local_peers: table
            .or("exempt_local_peers", EXEMPT_LOCAL_PEERS, value::boolean)
            .value,
        http2_streams: table
            .or("http2_streams", HTTP2_STREAMS, value::integer(1..=1024))
            .value,
        header_timeout: table
            .or("header_timeout", HEADER_TIMEOUT, value::duration)
            .value,
        idle_timeout: table
            .or("idle_timeout", IDLE_TIMEOUT, value::duration)
            .value,
        body_timeout: table
            .or("body_timeout", BODY_TIMEOUT, value::duration)
            .value,
        write_timeout: table
            .or("write_timeout", WRITE_TIMEOUT, value::duration)
            .value,
        answer_timeout: table
            .or("answer_timeout", ANSWER_TIMEOUT, value::duration)
            .value,
        handshake_timeout: table
            .or("handshake_timeout", HANDSHAKE_TIMEOUT, value::duration)
            .value,
        target: table
            .or("target", TARGET, value::size(256..=64 * KIB))
            .value,
        headers: table
            .or("headers", HEADERS, value::size(16 * KIB..=256 * KIB))
            .value,
        body: body.value,
        batch_body: batch_body.value,
        batch_items,
        value_length: table
            .or("value_length", VALUE_LENGTH, value::integer(1..=1_048_576))
            .value,
        body_memory: memory.value,
        answer_memory: table
            .or("answer_memory", ANSWER_MEMORY, value::size(MIB..=64 * GIB))
            .value,
        ownership_entries: table
            .or(
                "ownership_entries",
                OWNERSHIP_ENTRIES,
                value::integer(64..=4_194_304),
            )
            .value,
    }
}

/// Reported at the key that was written: the defaults fit together.
fn refuse_too_little_memory(
    table: &mut TableReader<'_, '_>,
    memory: &Located<usize>,
    key: &str,
    size: &Located<usize>,
) {
    let hint = "a single body must fit into the memory for all of them";
    let (place, at, message) = if table.has("body_memory") {
        (
            memory.place,
            "body_memory",
            format!("is less than `limits.{key}`"),
        )
    } else {
        (
            size.place,
            key,
            "is more than `limits.body_memory`".to_owned(),
        )
    };
    table.fault(place, at, Fault::new(message).with_hint(hint));
}
