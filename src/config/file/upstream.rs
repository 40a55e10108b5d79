//! `[upstream]`: BigCommerce, and how long the gateway waits for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::origin::{Origin, Scheme};
use crate::config::problem::{Located, Place};
use crate::config::reader::{Fault, TableReader, value};

/// `upstream.deadline`, from a request's last byte to the answer's head: BigCommerce's Python client
/// gives up after 7 s, and an answer that says why is worth more than its timeout.
pub const DEADLINE: Duration = Duration::from_millis(6500);

/// `upstream.connect_timeout`, for the name, TCP and TLS together: two lost packets (1 s and 2 s)
/// fit in, and more than half of the deadline is left for the answer.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// `upstream.idle_timeout`, after which an unused connection is closed: shorter than the 60 s of
/// common load balancers, so that the gateway closes first and no request meets a dead connection.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// `upstream.body_timeout`, the longest pause inside an answer's body: the head has come by then, so
/// only a stalled connection is this silent.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// `upstream.connections` over all workers: far more than a store's quota can keep busy, far fewer
/// than a container's usual 1024 or more file descriptors.
pub const CONNECTIONS: usize = 512;

/// `upstream.http2`: one connection then carries every request of a worker.
pub const HTTP2: bool = true;

/// `[upstream]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Scheme, host and port.
    pub url: Located<Origin>,
    /// The authorities to trust instead of the bundled web roots, a file in PEM.
    pub ca: Option<Located<PathBuf>>,
    /// Whether the credential may go over `http://` to a host that is not this machine.
    pub allow_plaintext: bool,
    /// From a request's last byte to the answer's head.
    pub deadline: Duration,
    /// For one connection: name, TCP and TLS.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// The longest pause inside an answer's body.
    pub body_timeout: Duration,
    /// The most connections, over all workers.
    pub connections: usize,
    /// Whether HTTP/2 is offered by ALPN.
    pub http2: bool,
}

pub(super) fn upstream(table: &mut TableReader<'_, '_>, base: &Path) -> Upstream {
    let url = table.or("url", Origin::bigcommerce(), |found| {
        Origin::parse(value::text(found, "a URL")?)
    });
    let ca = table.optional("ca", value::path(base));
    let allow_plaintext = table.or("allow_plaintext", false, value::boolean).value;
    if !allow_plaintext && table.is_sound() {
        refuse_plaintext(table, &url.value, url.place);
    }
    Upstream {
        url,
        ca,
        allow_plaintext,
        deadline: table.or("deadline", DEADLINE, value::duration).value,
        connect_timeout: table
            .or("connect_timeout", CONNECT_TIMEOUT, value::duration)
            .value,
        idle_timeout: table
            .or("idle_timeout", IDLE_TIMEOUT, value::duration)
            .value,
        body_timeout: table
            .or("body_timeout", BODY_TIMEOUT, value::duration)
            .value,
        connections: table
            .or("connections", CONNECTIONS, value::integer(1..=65_535))
            .value,
        http2: table.or("http2", HTTP2, value::boolean).value,
    }
}

fn refuse_plaintext(table: &mut TableReader<'_, '_>, url: &Origin, place: Place) {
    if url.scheme == Scheme::Http && !url.is_loopback() {
        let fault = Fault::new("would send the credential without encryption to another machine")
            .with_hint(
                "write `https://`, or set `allow_plaintext = true` if the way there is trusted",
            );
        table.fault(place, "url", fault);
    }
}
