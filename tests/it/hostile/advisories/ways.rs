//! The ways in which the end of a body can be told.

use super::super::{Bench, Expected};
use crate::support::client::Request;
use crate::support::client_h2;

/// How a body's end is told.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    ByLength,
    ByChunks(usize),
    ByLengthAndChunks,
    OverHttp2,
    OverHttp2WithLength,
    OverHttp2ByTrailers,
}

pub const TOLD: [Told; 8] = [
    Told::ByLength,
    Told::ByChunks(1),
    Told::ByChunks(7),
    Told::ByChunks(100_000),
    Told::ByLengthAndChunks,
    Told::OverHttp2,
    Told::OverHttp2WithLength,
    Told::OverHttp2ByTrailers,
];

impl Told {
    /// Sends the request in this way, and judges what comes of it.
    pub fn send(self, bench: &mut Bench, title: &str, request: &Request, expected: &Expected) {
        let body = request.body.clone().expect("a body");
        let length = body.len().to_string();
        let answer = match self {
            Self::ByLength | Self::ByChunks(_) | Self::ByLengthAndChunks => {
                let bytes = match self {
                    Self::ByChunks(size) => request.chunked(size),
                    Self::ByLengthAndChunks => {
                        request.clone().with("Content-Length", "0").chunked(9)
                    }
                    _ => request.to_bytes(),
                };
                let mut client = bench.gateway.connect();
                client.send(bytes);
                client.answer()
            }
            Self::OverHttp2 => http2(bench).exchange(request),
            Self::OverHttp2WithLength => {
                http2(bench).exchange(&request.clone().with("Content-Length", &length))
            }
            Self::OverHttp2ByTrailers => {
                let mut client = http2(bench);
                let mut begun = client.begin(request, false);
                begun.send(body, false);
                begun.end_with_trailers();
                client.answer(begun)
            }
        };
        let title = format!("{self:?} {title}");
        bench.judge(&title, expected, &answer);
        bench.compare(&title);
    }
}

pub fn http2(bench: &Bench) -> client_h2::Client {
    client_h2::Client::connect(bench.gateway.address())
}
