//! The integration tests: a gateway over real sockets, each test with its own.
#![expect(
    unreachable_pub,
    reason = "nothing outside sees a test binary; `pub` tells what modules share"
)]
#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics to fail"
)]
#![expect(
    clippy::disallowed_types,
    reason = "the records of the fakes are read from other threads"
)]

mod admin;
mod allowed;
mod audit;
mod balance;
mod canary;
mod commands;
mod container;
mod dashboards;
mod doors;
mod doors_h2;
mod drain;
mod floors;
mod forward;
mod grants;
mod guides;
mod hardening;
mod hostile;
mod hostile_h2;
mod hostile_upstream;
mod identity_of_json;
mod issuers;
mod kubernetes;
mod leaving;
mod limits;
#[cfg(feature = "otlp")]
mod otlp;
mod overload;
mod ownership;
mod page;
mod parked;
mod peers;
mod python_client;
mod quota;
mod refused;
mod reload;
mod retry;
mod rotation;
mod sandbox;
mod security;
mod serve;
mod service;
mod sharing;
mod shell;
mod simulator;
mod soak;
mod socket;
mod streams;
mod support;
mod takers;
mod upstream;
mod upstream_h2;
mod upstream_tls;
