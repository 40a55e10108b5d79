//! What the tests share: a gateway on a free port, a client that writes raw bytes, and upstreams
//! named by their misbehaviour. Everything is real sockets on loopback; nothing sleeps.

pub mod browser;
pub mod client;
pub mod client_h2;
pub mod fake;
pub mod fake_h2;
pub mod frames;
pub mod gateway;
pub mod http1;
pub mod issuer;
pub mod node;
pub mod process;
pub mod readings;
pub mod redis;
pub mod table;
pub mod tls;
pub mod wire;

use std::net::{SocketAddr, TcpListener};

/// How long a test waits for what must come: far longer than it takes, so that only a defect meets it.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Two addresses that were free a moment ago, for programs that cannot tell which they took.
pub fn free() -> (SocketAddr, SocketAddr) {
    let bound = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = |listener: &TcpListener| listener.local_addr().expect("an address");
    let (one, other) = (bound(), bound());
    (address(&one), address(&other))
}

/// A number of the environment, for what has a size; without it, the default.
pub fn number(name: &str, default: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}")),
        Err(_) => default,
    }
}
