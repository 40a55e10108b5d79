//! The normal client: it sends updates one after the other over a connection that it keeps, and measures
//! the time of each. Its progress is the clock of everything else.

use super::now;
use crate::support::client::{Client, Request};
use std::net::SocketAddr;
use std::time::Duration;

/// One client and the requests that it has measured since its last report.
#[derive(Debug)]
pub struct Normal {
    client: Client,
    request: Vec<u8>,
    times: Vec<Duration>,
    refused: usize,
}

/// A block of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    pub requests: usize,
    /// Those that were answered 503 and told to come again.
    pub refused: usize,
    pub median: Duration,
    pub p99: Duration,
}

impl Normal {
    pub fn connect(address: SocketAddr) -> Self {
        let body = r#"{"permission_set":"app_only","value":"what a normal client has to say"}"#;
        Self {
            client: Client::connect(address),
            request: Request::update(body).to_bytes(),
            times: Vec::new(),
            refused: 0,
        }
    }

    /// Sends one update; whether it was served. Anything but the upstream's answer or an orderly refusal
    /// is a failure, and so is the end of its connection.
    pub fn ask(&mut self) -> bool {
        let begun = now();
        self.client.send(&self.request);
        let answer = self.client.answer();
        self.times.push(begun.elapsed());
        assert_eq!(answer.field("connection"), None, "{answer:?}");
        let served = answer.status() == 200;
        if !served {
            assert_eq!(
                (answer.status(), answer.code(), answer.field("retry-after")),
                (503, Some("overloaded"), Some("1")),
                "{answer:?}"
            );
        }
        self.refused += usize::from(!served);
        served
    }

    /// The requests since the last report.
    pub fn report(&mut self) -> Block {
        let mut times = std::mem::take(&mut self.times);
        times.sort_unstable();
        let of = |percent: usize| {
            let place = (times.len() * percent).div_ceil(100).max(1) - 1;
            times.get(place).copied().unwrap_or_default()
        };
        Block {
            requests: times.len(),
            refused: std::mem::take(&mut self.refused),
            median: of(50),
            p99: of(99),
        }
    }
}
