//! What the tests share: a gateway on a free port, a client that writes raw bytes, and upstreams
//! named by their misbehaviour. Everything is real sockets on loopback; nothing sleeps.

pub mod client;
pub mod client_h2;
pub mod fake;
pub mod fake_h2;
pub mod frames;
pub mod gateway;
pub mod http1;
pub mod process;
pub mod readings;
pub mod table;
pub mod tls;
pub mod wire;

/// How long a test waits for what must come: far longer than it takes, so that only a defect meets it.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
