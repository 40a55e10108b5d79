//! The ways in which the end of a body can be told.

use super::super::{Bench, Expected};
use crate::support::client::Request;
use crate::support::client_h2;
use crate::support::http1::Message;

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
        let length = request.body.as_ref().map_or(0, Vec::len).to_string();
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
            Self::OverHttp2 => over_http2(bench, request, true),
            Self::OverHttp2WithLength => {
                let request = request.clone().with("Content-Length", &length);
                over_http2(bench, &request, true)
            }
            Self::OverHttp2ByTrailers => over_http2(bench, request, false),
        };
        let title = format!("{self:?} {title}");
        bench.judge(&title, expected, &answer);
        bench.compare(&title);
    }
}

/// Sends a head and a body whose last frame is data or trailers.
fn over_http2(bench: &Bench, request: &Request, by_data: bool) -> Message {
    let mut client = http2(bench);
    let mut begun = client.begin(request, false);
    let body = request.body.clone().unwrap_or_default();
    let mut sent = begun.try_send(body, by_data);
    if !by_data {
        sent = sent.and_then(|()| begun.try_end_with_trailers());
    }
    // The gateway may have refused the head before it saw a body; what counts is its answer.
    drop(sent);
    client.answer(begun)
}

pub fn http2(bench: &Bench) -> client_h2::Client {
    client_h2::Client::connect(bench.gateway.address())
}
