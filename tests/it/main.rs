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
#![expect(
    missing_docs,
    reason = "helpers of tests are documented where their name does not say it"
)]

mod audit;
mod canary;
mod drain;
mod forward;
mod limits;
mod retry;
mod streams;
mod support;
mod upstream;
